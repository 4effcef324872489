/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle and the image agree, and an image keeps what a rename relies on. PAIRS and SEED replay or lengthen a run. */
#include "policy/policy.h"
#include "policy_random.h"
#include "test.h"

#define ACTIONS_PER_POLICY 50

static void describe(const struct random *r, const char *text, const struct policy_action *a, const struct policy_verdict *x, const struct policy_verdict *y)
{
	printf("# at %lld verb %d path %s port %u proto %u addr ", (long long)a->at_s, a->verb, a->path ? a->path : "-", a->port, a->proto);
	for (int i = 0; i < 16; i++)
		printf("%02x", a->addr[i]);
	printf("\n# oracle: %s by %x, image: %s by %x\n", x->allowed ? "allowed" : "refused", x->rule, y->allowed ? "allowed" : "refused", y->rule);
	for (size_t i = 0; i < r->given.count; i++)
		printf("# %s=%s\n", random_param_names[i], r->given.values[i]);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		printf("# %.*s\n", (int)strcspn(line, "\n"), line);
}

static void policy_and_image(struct random *r, struct buf *text, struct policy **p, struct policy_image *img)
{
	struct diags d = {};
	int err;

	for (;;) {
		CHECK_OK(random_policy_load(r, "", text, p));
		err = policy_compile(*p, img, &d);
		diags_done(&d);
		if (err != -E2BIG)
			break;
		policy_free(*p);	/* one in a hundred thousand has too many "**" */
	}
	CHECK_OK(err);
}

static unsigned pairs_wanted(void)
{
	const char *given = getenv("PAIRS");

	return given ? strtoul(given, NULL, 0) : 20000;
}

static void compare(const char *text, const struct policy *p, const struct policy_image *img, struct random *r, unsigned tally[2])
{
	struct policy_action a;
	struct policy_verdict x, y;

	random_action(r, "", &a);
	CHECK_OK(policy_eval(p, &a, &x));
	CHECK_OK(policy_image_eval(policy_image_at(img, a.at_s), &a, &y));
	tally[x.allowed]++;
	if (x.allowed != y.allowed || x.rule != y.rule)
		describe(r, text, &a, &x, &y);
	CHECK_EQ(y.allowed, x.allowed);
	CHECK_EQ(y.rule, x.rule);
	CHECK_EQ(y.allowed && y.recorded, x.recorded);
	policy_action_done(&a);
}

TEST(oracle_and_image_agree_on_random_policies_and_actions)
{
	struct random r = { .state = random_seed(), .params = true, .ends = true };
	unsigned pairs = pairs_wanted(), tally[2] = {};
	_buf_ struct buf text = {};

	printf("# SEED=%llu PAIRS=%u\n", (unsigned long long)r.state, pairs);
	CASE("SEED=%llu PAIRS=%u", (unsigned long long)r.state, pairs);
	for (unsigned i = 0; i < pairs; i += ACTIONS_PER_POLICY) {
		struct policy *p;
		struct policy_image img;

		policy_and_image(&r, &text, &p, &img);
		for (struct policy_image *one = &img; one; one = one->next) {
			if (random_chance(&r, 50))
				policy_image_relocate(one, 1 + random_below(&r, 100000));
		}
		for (unsigned k = 0; k < ACTIONS_PER_POLICY; k++)
			compare(text.data, p, &img, &r, tally);
		policy_image_done(&img);
		policy_free(p);
	}
	/* a generator that only ever refuses would prove nothing */
	CHECK(tally[0] > pairs / 10);
	CHECK(tally[1] > pairs / 10);
}

TEST(what_time_changes_is_never_newly_allowed)
{
	struct random r = { .state = random_seed(), .params = true, .ends = true };
	_buf_ struct buf text = {};
	unsigned fewer = 0;

	printf("# SEED=%llu\n", (unsigned long long)r.state);
	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 10000; i++) {
		struct policy_verdict before, after;
		struct policy_action a;
		struct policy *p;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		random_action(&r, "", &a);
		a.at_s = random_times[random_below(&r, 4)];
		CHECK_OK(policy_eval(p, &a, &before));
		a.at_s = random_times[4 + random_below(&r, 4)];
		CHECK_OK(policy_eval(p, &a, &after));
		CHECK(before.allowed || !after.allowed);
		fewer += before.allowed && !after.allowed;
		policy_action_done(&a);
		policy_free(p);
	}
	CHECK(fewer > 100);
}

static void random_directory(struct random *r, const char *prefix, struct buf *out)
{
	const char *value = r->given.count && random_chance(r, 40) ? r->given.values[random_below(r, r->given.count)] : "/";

	random_path(r, strcmp(value, "/") ? value : prefix, out);
}

/* Everything below two directories with one pair of states is judged alike; so a rename between them changes no right. */
static void below_compare(const struct policy *p, const struct policy_image *img, int64_t at_s, struct random *r, unsigned *equal)
{
	_buf_ struct buf one = {}, two = {}, rest = {};
	struct policy_verdict x, y;
	__u32 here[2], there[2];
	size_t n1, n2;
	int above;

	random_directory(r, "/a", &one);
	random_directory(r, "/b", &two);
	n1 = one.len;
	n2 = two.len;
	above = policy_image_below(img, one.data, n1, here) + policy_image_below(img, two.data, n2, there);
	CHECK(above >= 0);
	if (above || here[0] != there[0] || here[1] != there[1])
		return;
	++*equal;
	for (int i = 0; i < 10; i++) {
		struct policy_action a = { .verb = random_below(r, VERB_PATH_COUNT), .at_s = at_s };

		buf_reset(&rest);
		random_path(r, "", &rest);
		if (rest.len < 2)
			continue;
		one.len = n1;
		two.len = n2;
		buf_add_str(&one, rest.data);
		buf_add_str(&two, rest.data);
		CHECK(!one.err && !two.err);
		a.path = one.data;
		a.path_len = one.len;
		CHECK_OK(policy_eval(p, &a, &x));
		a.path = two.data;
		a.path_len = two.len;
		CHECK_OK(policy_eval(p, &a, &y));
		CHECK_EQ(x.allowed, y.allowed);
		CHECK_EQ(x.rule, y.rule);
		CHECK_EQ(x.recorded, y.recorded);
	}
}

TEST(equal_states_below_two_directories_mean_equal_rights_below)
{
	struct random r = { .state = random_seed(), .params = true, .ends = true };
	_buf_ struct buf text = {};
	unsigned equal = 0;

	printf("# SEED=%llu\n", (unsigned long long)r.state);
	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 300; i++) {
		struct policy *p;
		struct policy_image img;

		policy_and_image(&r, &text, &p, &img);
		for (int k = 0; k < 30; k++) {
			int64_t at_s = PICK(&r, random_times);

			below_compare(p, policy_image_at(&img, at_s), at_s, &r, &equal);
		}
		policy_image_done(&img);
		policy_free(p);
	}
	CHECK(equal > 300);
}

TEST_MAIN()
