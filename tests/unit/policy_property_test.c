/* SPDX-License-Identifier: Apache-2.0 */
/* What has to hold for every policy, whatever it says: of random policies and of those in tests/policies. */
#include <glob.h>
#include "base/file.h"
#include "policy/policy.h"
#include "policy_random.h"
#include "test.h"

#define ROUNDS 150
#define ACTIONS 150

static struct policy *load(const char *text, bool only_check)
{
	static const struct policy_param params[] = { { "workspace", "/srv/ws" }, { "home", "/home/u" }, { "db", "10.0.0.1" } };
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .only_check = only_check, .params = params,
					.param_count = ARRAY_SIZE(params) };
	struct policy *p = NULL;
	struct diags d = {};

	(void)policy_load(&source, &p, &d);
	diags_done(&d);
	return p;
}

/* One more rule in a text of policy_random.h, under this key of files. */
static void rule_insert(const char *text, const char *key, const char *rule, struct buf *out)
{
	char line[32];
	const char *at;
	bool there;

	snprintf(line, sizeof(line), "  %s:\n", key);
	at = strstr(text, line);
	there = at && at < strstr(text, "network:\n");
	at = there ? at + strlen(line) : strstr(text, "files:\n") + strlen("files:\n");
	buf_add(out, text, at - text);
	buf_addf(out, "%s    - %s\n", there ? "" : line, rule);
	buf_add_str(out, strncmp(at, "  read: []\n", 11) || strcmp(key, "read") ? at : at + 11);
}

/* Is whatever the first allows allowed by the second? */
static void compare(struct random *r, const struct policy *less, const struct policy *more)
{
	for (int i = 0; i < ACTIONS; i++) {
		struct policy_verdict x, y;
		struct policy_action a;

		random_action(r, "", &a);
		CHECK_OK(policy_eval(less, &a, &x));
		CHECK_OK(policy_eval(more, &a, &y));
		CHECK(!x.allowed || y.allowed);
		policy_action_done(&a);
	}
}

static void rule_random(struct random *r, struct buf *out)
{
	buf_add_str(out, "{path: ");
	random_patterns(r, "", out);
	buf_add_str(out, ", id: added}");
}

TEST(an_allow_more_refuses_nothing_more_and_a_deny_more_allows_nothing_more)
{
	static const char *const allows[] = { "read", "change", "create", "remove", "write", "execute" };
	struct random r = { .state = random_seed() };
	unsigned compared = 0;

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < ROUNDS; i++) {
		_buf_ struct buf text = {}, rule = {}, more = {}, less = {};
		struct policy *p, *q;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		rule_random(&r, &rule);
		rule_insert(text.data, PICK(&r, allows), rule.data, &more);
		rule_insert(text.data, "deny", rule.data, &less);
		q = load(more.data, false);
		if (q)
			compare(&r, p, q);
		compared += q != NULL;
		policy_free(q);
		q = load(less.data, false);
		if (q)
			compare(&r, q, p);
		compared += q != NULL;
		policy_free(q);
		policy_free(p);
	}
	CHECK(compared > ROUNDS / 2);
}

/* Every rule that stands alone in the way of an action refuses it, whatever allows it. */
TEST(a_deny_beats_every_allow)
{
	struct random r = { .state = random_seed() };

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < ROUNDS; i++) {
		_buf_ struct buf text = {}, less = {};
		struct policy *p, *q;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		rule_insert(text.data, "deny", "{path: /a, id: added}", &less);
		q = load(less.data, false);
		for (int k = 0; q && k < ACTIONS; k++) {
			struct policy_verdict v;
			struct policy_action a;

			random_action(&r, "/a", &a);
			CHECK_OK(policy_eval(q, &a, &v));
			CHECK(a.verb >= VERB_UNIX || !v.allowed);
			policy_action_done(&a);
		}
		policy_free(q);
		policy_free(p);
	}
}

/* The same lines in another order: rules of one list are turned round. */
static void lists_reverse(const char *text, struct buf *out)
{
	while (*text) {
		const char *lines[64];
		size_t count = 0, len = strcspn(text, "\n") + 1;

		while (count < ARRAY_SIZE(lines) && !strncmp(text, "    - ", 6)) {
			lines[count++] = text;
			text += strcspn(text, "\n") + 1;
		}
		for (size_t i = count; i; i--)
			buf_add(out, lines[i - 1], strcspn(lines[i - 1], "\n") + 1);
		if (count)
			continue;
		buf_add(out, text, len);
		text += len;
	}
}

TEST(order_means_nothing_and_ids_stay)
{
	struct random r = { .state = random_seed() };

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < ROUNDS; i++) {
		_buf_ struct buf text = {}, other = {}, one = {}, two = {};
		struct policy *p, *q;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		lists_reverse(text.data, &other);
		q = load(other.data, false);
		CHECK(q);
		CHECK_OK(policy_canonical(p, &one));
		CHECK_OK(policy_canonical(q, &two));
		CHECK_STR(two.data, one.data);
		policy_free(q);
		policy_free(p);
	}
}

/* Where taking an `except` away changes an answer, its own deny is what refuses there. */
TEST(except_narrows_its_own_deny_and_nothing_else)
{
	struct random r = { .state = random_seed() };

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < ROUNDS; i++) {
		_buf_ struct buf text = {}, with = {}, without = {}, path = {}, except = {}, rule = {};
		struct policy *p, *q, *w;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		random_patterns(&r, "", &path);
		random_patterns(&r, "", &except);
		buf_addf(&rule, "{path: %s, id: added}", path.data);
		rule_insert(text.data, "deny", rule.data, &without);
		buf_reset(&rule);
		buf_addf(&rule, "{path: %s, except: %s, id: added}", path.data, except.data);
		rule_insert(text.data, "deny", rule.data, &with);
		q = load(without.data, false);
		w = load(with.data, false);
		for (int k = 0; q && w && k < ACTIONS; k++) {
			struct policy_verdict x, y;
			struct policy_rule_info info = { .id = "" };
			struct policy_action a;

			random_action(&r, "", &a);
			CHECK_OK(policy_eval(q, &a, &x));
			CHECK_OK(policy_eval(w, &a, &y));
			CHECK(!x.allowed || y.allowed);
			if (x.allowed != y.allowed) {
				CHECK_OK(policy_rule(q, x.rule, &info));
				CHECK_STR(info.id, "added");
			}
			policy_action_done(&a);
		}
		policy_free(w);
		policy_free(q);
		policy_free(p);
	}
}

TEST(what_every_good_policy_prints_is_a_policy_that_prints_the_same)
{
	glob_t found = {};
	size_t loaded = 0;

	CHECK_OK(glob("tests/policies/good/*.yaml", 0, NULL, &found));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_buf_ struct buf one = {}, two = {};
		_free_ char *text = NULL;
		struct policy *p, *q;
		size_t len;

		CASE("%s", found.gl_pathv[i]);
		CHECK_OK(file_slurp(found.gl_pathv[i], 1u << 20, &text, &len));
		p = load(text, true);
		if (!p)
			continue;	/* of another kind, or with parameters of its own */
		loaded++;
		CHECK_OK(policy_canonical(p, &one));
		q = load(one.data, true);
		CHECK(q);
		CHECK_OK(policy_canonical(q, &two));
		CHECK_STR(two.data, one.data);
		CHECK_STR(policy_digest(q), policy_digest(p));
		policy_free(q);
		policy_free(p);
	}
	CHECK(loaded > 15);
	globfree(&found);
}

/* The warnings of a check about what nobody enforces are errors to whoever would enforce it; a class that `open:` lists is none. */
TEST(what_a_check_only_warns_of_no_engine_loads)
{
	glob_t found = {};
	size_t refused = 0;

	CHECK_OK(glob("tests/policies/good/*.expected", 0, NULL, &found));
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_free_ char *said = NULL, *text = NULL;
		_buf_ struct buf file = {};
		struct policy *p;
		size_t len;

		CASE("%s", found.gl_pathv[i]);
		CHECK_OK(file_slurp(found.gl_pathv[i], 1u << 20, &said, &len));
		if (!strstr(said, "not built yet") && !strstr(said, "list it in this policy's open:") && !strstr(said, "does not say so"))
			continue;
		buf_addf(&file, "%.*s.yaml", (int)(strlen(found.gl_pathv[i]) - strlen(".expected")), found.gl_pathv[i]);
		CHECK_OK(file_slurp(file.data, 1u << 20, &text, &len));
		p = load(text, false);
		CHECK(!p);
		refused++;
	}
	CHECK(refused > 15);
	globfree(&found);
}

TEST(a_class_that_nobody_enforces_runs_open_where_the_policy_itself_says_so)
{
	struct policy *p = load("version: 1\npolicy: p\nuses: [base]\nopen: [limits]\nlimits: {memory: 2G}\n", false);
	_buf_ struct buf open = {};
	struct policy_verdict v;
	struct policy_action a;
	char why[200];

	CHECK(p);
	CHECK_OK(policy_open_classes(p, &open));
	CHECK_HAS(open.data, "limits");
	CHECK_OK(policy_action_parse("memory 3G", &a, why));
	CHECK_OK(policy_eval(p, &a, &v));
	CHECK(v.allowed);
	policy_action_done(&a);
	policy_free(p);
	CHECK(!load("version: 1\npolicy: p\nuses: [base]\nlimits: {memory: 2G}\n", false));
}

TEST_MAIN()
