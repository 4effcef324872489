/* SPDX-License-Identifier: Apache-2.0 */
/* Names and forms of a policy: ids that stay, the canonical text, the digest, presets, explanations, a policy's own tests. */
#include "base/file.h"
#include "policy/binding.h"
#include "policy/policy.h"
#include "policy_random.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"

static struct policy *load_for(const char *text, const struct policy_param *params, size_t count, bool only_check)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .params = params, .param_count = count,
					.only_check = only_check };
	_buf_ struct buf said = {};
	struct diags d = {};
	struct policy *p = NULL;
	int err = policy_load(&source, &p, &d);

	diags_print(&d, &said);
	diags_done(&d);
	if (err)
		CHECK_STR(said.data, "");
	return p;
}

static struct policy *load(const char *text, const struct policy_param *params, size_t count)
{
	return load_for(text, params, count, false);
}

static const char *only_id(const char *text, const struct policy_param *params, size_t count)
{
	static char id[128];
	struct policy *p = load(text, params, count);
	struct policy_rule_info info;

	CHECK_EQ(policy_rule_count(p), 1);
	CHECK_OK(policy_rule(p, 0, &info));
	snprintf(id, sizeof(id), "%s", info.id);
	policy_free(p);
	return id;
}

TEST(an_id_stays_when_everything_but_the_rule_changes)
{
	char id[128];
	struct policy_param here = { "w", "/srv/a" }, there = { "w", "/home/b" };

	snprintf(id, sizeof(id), "%s", only_id(HEAD "files: {deny: [{path: [/x, '/y/*'], verbs: [read, write]}]}\n", NULL, 0));
	CHECK(!strncmp(id, "files.deny.", 11));
	CHECK_EQ(strlen(id), 19);
	CHECK_STR(only_id(HEAD "\n\nfiles:\n  deny:\n    - {path: ['/y/*', /x], verbs: [remove, create, change, read], why: new}\n", NULL, 0), id);
	CHECK(strcmp(only_id(HEAD "files: {deny: [{path: [/x, '/y/*'], verbs: [read]}]}\n", NULL, 0), id));
	CHECK(strcmp(only_id(HEAD "files: {deny: [{path: [/x, '/y/?'], verbs: [read, write]}]}\n", NULL, 0), id));

	snprintf(id, sizeof(id), "%s", only_id(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &here, 1));
	CHECK_STR(only_id(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &there, 1), id);

	snprintf(id, sizeof(id), "%s", only_id(HEAD "network: {connect: [{to: [10.0.0.1, '::1'], ports: [80, 81, 443]}]}\n", NULL, 0));
	CHECK_STR(only_id(HEAD "network: {connect: [{to: ['::1', 10.0.0.1], ports: [443, 80-81], proto: tcp}]}\n", NULL, 0), id);
}

TEST(numbers_are_places_in_the_byte_order_of_ids)
{
	struct policy *p = load(HEAD "files: {read: [{path: /a, id: b}, {path: /b, id: a10}, {path: /c, id: a9}], deny: [/d]}\n", NULL, 0);
	struct policy_rule_info info;
	static const char *const ids[] = { "a10", "a9", "b" };

	CHECK_EQ(policy_rule_count(p), 4);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(policy_rule(p, i, &info));
		CHECK_STR(info.id, ids[i]);
		CHECK(!info.deny);
	}
	CHECK_OK(policy_rule(p, 3, &info));
	CHECK(info.deny);
	CHECK_EQ(policy_rule(p, 4, &info), -ENOENT);
	CHECK_EQ(policy_rule(p, RULE_NONE, &info), -ENOENT);
	policy_free(p);
}

TEST(a_rule_knows_its_place_reason_and_owner)
{
	struct policy *p = load("version: 1\npolicy: p\nowner: platform\nuses: [base]\nfiles:\n  read:\n    - /srv/one\n"
				"    - {path: /srv/two, id: a, why: data, owner: data-team, ticket: T-1}\n", NULL, 0);
	struct policy_rule_info info;

	CHECK_OK(policy_rule(p, 0, &info));
	CHECK_STR(info.id, "a");
	CHECK_STR(info.file, "p.yaml");
	CHECK_EQ(info.line, 8);
	CHECK_EQ(info.column, 7);
	CHECK_STR(info.why, "data");
	CHECK_STR(info.owner, "data-team");
	CHECK_STR(info.ticket, "T-1");
	CHECK(!info.preset);
	CHECK_OK(policy_rule(p, 1, &info));
	CHECK_STR(info.id, "base.credentials");
	CHECK_STR(info.file, "preset:base");
	CHECK_STR(info.preset, "base");
	CHECK_STR(info.owner, "platform");
	CHECK_EQ(info.class_id, CLASS_FILES);
	CHECK_OK(policy_rule(p, RULE_BUILTIN(MOUNT), &info));
	CHECK_STR(info.id, "guard.mount");
	CHECK_STR(info.file, "built-in");
	CHECK_EQ(info.class_id, CLASS_GUARD);
	CHECK_EQ(info.line, 0);
	CHECK_OK(policy_rule(p, RULE_BUILTIN(NETWORK_DEFAULT), &info));
	CHECK_EQ(info.class_id, CLASS_NETWORK);
	CHECK_EQ(policy_rule(p, BUILTIN_BASE + B_COUNT, &info), -ENOENT);
	policy_free(p);
}

TEST(a_default_leads_to_where_its_class_could_say_more)
{
	struct policy *p = load("version: 1\npolicy: p\nowner: platform\nuses: [base]\nfiles:\n  read: [/srv]\n", NULL, 0);
	struct policy_rule_info info;

	CHECK_OK(policy_rule(p, RULE_BUILTIN(FILES_DEFAULT), &info));
	CHECK_STR(info.file, "p.yaml");
	CHECK_EQ(info.line, 5);
	CHECK_STR(info.owner, "platform");
	CHECK_OK(policy_rule(p, RULE_BUILTIN(UNIX_DEFAULT), &info));
	CHECK_STR(info.file, "p.yaml");
	CHECK_EQ(info.line, 2);	/* the class is not there: the policy's name */
	policy_free(p);
}

TEST(a_preset_s_copy_of_our_own_rule_is_ours)
{
	struct policy *p = load("version: 1\npolicy: p\nuses: [base]\nfiles:\n  read: [/etc]\n", NULL, 0), *alone;
	struct policy_rule_info info;
	size_t count = policy_rule_count(p), found = 0;

	for (size_t i = 0; i < count; i++) {
		CHECK_OK(policy_rule(p, i, &info));
		if (info.preset)
			continue;
		CHECK_EQ(info.line, 5);
		found++;
	}
	CHECK_EQ(found, 1);
	policy_free(p);
	alone = load("version: 1\npolicy: p\nuses: [base]\n", NULL, 0);
	CHECK_EQ(policy_rule_count(alone), count);
	policy_free(alone);
}

/* ---- canonical form and digest ---- */

static const char *digest_of(const char *text, const struct policy_param *params, size_t count)
{
	static char digest[80];
	struct policy *p = load(text, params, count);

	snprintf(digest, sizeof(digest), "%s", policy_digest(p));
	policy_free(p);
	return digest;
}

TEST(the_digest_names_what_a_policy_does)
{
	static const char *const same[] = {
		HEAD "files:\n  read: [/a, /b]\n  deny: ['**/.env']\n",
		HEAD "about: something else\nfiles: {deny: ['/**/.env'], read: [/b, /a]} # a remark\n",
		HEAD "files: {read: [/a, /b], deny: [{path: '**/.env', verbs: [read, write, execute]}]}\ntests: [{'read /a': allowed}]\n",
	};
	static const char *const other[] = {
		HEAD "files: {read: [/a], deny: ['**/.env']}\n",
		HEAD "files: {read: [/a, /b], deny: [{path: '**/.env', why: secrets}]}\n",
		HEAD "files: {read: [/a, /b], deny: ['**/.env']}\nrecord: [exec, connect, open]\n",
		HEAD "files: {read: [/a, /b], deny: ['**/.env']}\ncalls: {allow: ['@io_uring']}\n",
		HEAD "owner: me\nfiles: {read: [/a, /b], deny: ['**/.env']}\n",
	};
	struct policy_param here = { "w", "/srv/a" }, there = { "w", "/srv/b" };
	char first[80];

	snprintf(first, sizeof(first), "%s", digest_of(same[0], NULL, 0));
	CHECK_EQ(strlen(first), 7 + 64);
	CHECK(!strncmp(first, "sha256:", 7));
	for (size_t i = 1; i < ARRAY_SIZE(same); i++)
		CHECK_STR(digest_of(same[i], NULL, 0), first);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		CHECK(strcmp(digest_of(other[i], NULL, 0), first));
	snprintf(first, sizeof(first), "%s", digest_of(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &here, 1));
	CHECK(strcmp(digest_of(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &there, 1), first));
}

static void canonical_reloads(const struct policy *p)
{
	_buf_ struct buf one = {}, two = {};
	struct policy *again;

	CHECK_OK(policy_canonical(p, &one));
	again = load(one.data, NULL, 0);
	CHECK_OK(policy_canonical(again, &two));
	CHECK_STR(two.data, one.data);
	CHECK_STR(policy_digest(again), policy_digest(p));
	CHECK_EQ(policy_rule_count(again), policy_rule_count(p));
	policy_free(again);
}

TEST(the_canonical_form_is_a_policy_with_the_same_digest)
{
	struct random r = { .state = random_seed() };
	static const struct policy_param params[] = { { "w", "/srv/\377 \"q\"\\[*\001\303\251\302\205" }, { "db", "@private" } };
	_buf_ struct buf text = {};
	struct policy *p;

	p = load("version: 1\npolicy: p\nowner: \"me \\\"\\u2028\\U0001f600\"\nuses: [base, python, git]\nparams: {w: path, db: to}\n"
		 "files: {write: [{path: $w, why: \"a\\nb\\\\\"}]}\nnetwork: {connect: [{to: [$db, 1.1.1.1], ports: [1-2, 9]}]}\n"
		 "sockets: {unix: [{path: /run/docker.sock, i_accept: host-control, ticket: T}]}\ncalls: {allow: ['@io_uring']}\nrecord: []\n",
		 params, ARRAY_SIZE(params));
	canonical_reloads(p);
	policy_free(p);
	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 100; i++) {
		CHECK_OK(random_policy_load(&r, "", &text, &p));
		canonical_reloads(p);
		policy_free(p);
	}
}

/* ---- presets ---- */

TEST(presets_load_and_say_why)
{
	_buf_ struct buf text = {};
	struct policy_rule_info info;
	struct policy *p;

	CHECK_HAS(policy_preset(NULL), "base\npython\n");
	CHECK(!policy_preset("nothing"));
	buf_add_str(&text, "version: 1\npolicy: p\nuses: [base, python, git]\n");
	p = load(text.data, NULL, 0);
	for (size_t i = 0; i < policy_rule_count(p); i++) {
		CHECK_OK(policy_rule(p, i, &info));
		CASE("%s", info.id);
		CHECK(info.preset);
		CHECK(info.why);
	}
	buf_reset(&text);
	CHECK_OK(policy_open_classes(p, &text));
	CHECK_STR(text.data, "devices privileges limits session labels");
	CHECK_EQ(policy_record_kinds(p), 1u << RECORD_EXEC | 1u << RECORD_CONNECT);
	buf_reset(&text);
	CHECK_OK(policy_record_left_out(p, &text));
	CHECK_STR(text.data, "dns");
	policy_free(p);
	p = load(HEAD "record: [exec]\n", NULL, 0);
	buf_reset(&text);
	CHECK_OK(policy_record_left_out(p, &text));
	CHECK_EQ(text.len, 0);
	CHECK_EQ(policy_record_kinds(p), 1u << RECORD_EXEC);
	policy_free(p);
}

/* What a realistic agent may and may not do by the presets and a workspace. */
TEST(the_presets_let_ordinary_work_through_and_nothing_else)
{
	static const struct {
		const char *question;
		bool allowed;
	} rows[] = {
		{ "execute /usr/bin/python3.11", true }, { "read /usr/lib/x86_64-linux-gnu/libc.so.6", true }, { "read /etc/ld.so.cache", true },
		{ "read /etc/passwd", true }, { "read /etc/shadow", false }, { "read /etc/ssh/ssh_host_ed25519_key", false },
		{ "read /etc/ssh/ssh_host_ed25519_key.pub", true }, { "read /proc/self/maps", true }, { "read /proc/meminfo", true },
		{ "read /proc/kcore", false }, { "change /proc/self/mem", false }, { "change /dev/null", true }, { "create /dev/x", false },
		{ "change /dev/pts/3", true }, { "read /dev/sda", false }, { "create /tmp/tmp.x/y", true }, { "execute /tmp/x", false },
		{ "read /home/u/.aws/credentials", false }, { "read /srv/ws/.ssh/id_rsa", false }, { "create /srv/ws/.git/objects/ab/cd", true },
		{ "create /srv/ws/.git/hooks/pre-commit.sample", true }, { "create /srv/ws/.git/hooks/pre-commit", false },
		{ "change /srv/ws/.git/config", true }, { "read /home/u/.gitconfig", true }, { "change /home/u/.gitconfig", false },
		{ "read /home/u/notes", false }, { "create /home/u/.cache/pip/http/x", true }, { "execute /usr/bin/sudo", false },
		{ "change /etc/hosts", false }, { "connect 169.254.169.254:80", false }, { "connect 10.0.0.1:443", false },
		{ "unix /run/dbus/system_bus_socket", false }, { "change /sys/fs/cgroup/cgroup.procs", false }, { "read /", false },
	};
	struct policy_param w = { "workspace", "/srv/ws" };
	struct policy *p = load("version: 1\npolicy: p\nuses: [base, python, git]\nparams: {workspace: path}\n"
				"files: {read: [$workspace], write: [$workspace], execute: [$workspace]}\n", &w, 1);
	struct policy_verdict v;
	struct policy_action a;
	char why[200];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CASE("%s", rows[i].question);
		CHECK_OK(policy_action_parse(rows[i].question, &a, why));
		CHECK_OK(policy_eval(p, &a, &v));
		CHECK_EQ(v.allowed, rows[i].allowed);
		policy_action_done(&a);
	}
	policy_free(p);
}

/* ---- tests of a policy, and explanations ---- */

TEST(a_policy_s_tests_run_and_say_who_answered)
{
	struct policy_param w = { "w", "/srv/ws" };
	struct policy *p = load(HEAD "params: {w: path}\nfiles: {write: [{path: $w, id: ours}], deny: [{path: $w/x, verbs: [remove], id: keep}]}\n"
				"tests:\n  - {'write $w/a': allowed}\n  - {'write $w/x': allowed}\n  - {'create $w/x': refused}\n"
				"  - {'read $w': refused}\n", &w, 1);
	_buf_ struct buf said = {};
	struct diags d = {};
	size_t count;

	CHECK_EQ(policy_tests_run(p, &d, &count), -EINVAL);
	CHECK_EQ(count, 4);
	diags_print(&d, &said);
	CHECK_HAS(said.data, "p.yaml:8:5: error: test failed: \"write /srv/ws/x\" is refused by keep\n"
			     "   8 |   - {'write $w/x': allowed}\n");
	CHECK_HAS(said.data, "p.yaml:5:47: note: this refuses it\n");
	CHECK_HAS(said.data, "p.yaml:9:5: error: test failed: \"create /srv/ws/x\" is allowed by ours\n");
	diags_done(&d);
	policy_free(p);
}

TEST(an_explanation_names_the_rule_and_what_is_missing)
{
	static const struct {
		const char *question, *rule, *nearest, *missing;
	} rows[] = {
		{ "read /srv/ws/a", "ws-read", NULL, NULL },
		{ "change /srv/ws/a", "files.default", "ws-read", "verb" },
		{ "read /srv/ws/secret/x", "secret", "ws-read", "nothing" },
		{ "read /srv/wss", "files.default", NULL, NULL },
		{ "read /srv/ws2/a", "files.default", NULL, NULL },
		{ "read /data/public/b", "files.default", "public", "path" },
		{ "connect 10.0.0.1:22", "network.default", "db", "port" },
		{ "send 10.0.0.1:5432", "network.default", "db", "protocol" },
		{ "connect 10.0.0.1:5432", "db", NULL, NULL },
		{ "connect 9.9.9.9:5432", "network.default", NULL, NULL },
		{ "unix /run/x", "sockets.default", NULL, NULL },
	};
	struct policy *p = load(HEAD "files:\n  read: [{path: /srv/ws, id: ws-read}, {path: /data/public/a, id: public}]\n"
				"  deny: [{path: /srv/ws/secret, id: secret}]\n"
				"network: {connect: [{to: 10.0.0.0/8, ports: [5432], id: db}]}\n", NULL, 0);
	struct policy_explanation e;
	struct policy_action a;
	char why[200];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CASE("%s", rows[i].question);
		CHECK_OK(policy_action_parse(rows[i].question, &a, why));
		CHECK_OK(policy_explain(p, &a, &e));
		CHECK(e.has_rule);
		CHECK_STR(e.rule.id, rows[i].rule);
		if (strcmp(rows[i].rule, "files.default"))
			CHECK_EQ(e.has_nearest, rows[i].nearest != NULL);
		if (rows[i].nearest) {
			CHECK(e.has_nearest);
			CHECK_STR(e.nearest.id, rows[i].nearest);
			CHECK_STR(e.missing, rows[i].missing);
		}
		policy_action_done(&a);
	}
	policy_free(p);
}

TEST(questions_that_are_none_are_refused_with_a_reason)
{
	static const char *const wrong[] = {
		"", "read", "read ", "write /x", "open /x", "read x", "read /x/", "connect", "connect 10.0.0.1", "connect 10.0.0.1:", "connect :80",
		"connect ::1:80", "connect [::1:80", "connect 10.0.0.1:80-90", "connect 10.0.0.1:80/sctp", "connect 10.0.0.1:65536",
		"listen localhost:80",
	};
	struct policy_action a;
	char why[200];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		CASE("%s", wrong[i]);
		why[0] = '\0';
		CHECK_EQ(policy_action_parse(wrong[i], &a, why), -EINVAL);
		CHECK(why[0]);
	}
}

TEST(what_is_shown_names_every_rule_with_its_place)
{
	struct policy *p = load(HEAD "owner: me\nfiles: {read: [{path: [/a, \"/b\\n\"], why: data}], deny: [{path: /c, except: /c/d, verbs: [write]}]}\n"
				"network: {connect: [{to: 10.0.0.0/8, ports: [1-2, 9], id: net}]}\n", NULL, 0);
	_buf_ struct buf shown = {};

	CHECK_OK(policy_show(p, &shown));
	CHECK_HAS(shown.data, "policy p, owner me\nopen: devices privileges limits session labels\nrecord: [exec, connect]\n");
	CHECK_HAS(shown.data, "\nfiles\n  read            /a /b\\x0a\n");
	CHECK_HAS(shown.data, "p.yaml:5: data\n");
	CHECK_HAS(shown.data, "  deny write      /c except /c/d\n");
	CHECK_HAS(shown.data, "\nnetwork\n  connect         10.0.0.0/8 port 1-2,9 tcp\n                    net, p.yaml:6\n");
	CHECK_HAS(shown.data, "always refused (guard.self)\n  everything      /sys/fs/bpf\n");
	policy_free(p);
}

/* ---- the manual ---- */

TEST(the_policies_of_the_manual_are_right_and_their_tests_hold)
{
	static const struct policy_param params[] = { { "workspace", "/srv/ws" }, { "db", "10.20.0.0/16" }, { "npm_registry", "10.0.0.1" },
						     { "git_host", "10.0.0.2" } };
	static const char fence[] = "```yaml\n";
	_free_ char *manual = NULL;
	size_t len, count, found = 0;
	struct binding *binding;
	struct policy *p;
	char *at, *end;

	CHECK_OK(file_slurp("docs/policy.md", 1u << 20, &manual, &len));
	for (at = strstr(manual, fence); at; at = strstr(end + 1, fence)) {
		struct diags d = {};

		at += strlen(fence);
		end = strstr(at, "```\n");
		CHECK(end);
		*end = '\0';
		found++;
		if (!strncmp(at, "# a binding", 11)) {
			CHECK_OK(binding_load(at, strlen(at), "docs/policy.md", &binding, &d));
			binding_free(binding);
			continue;
		}
		p = load_for(at, params, ARRAY_SIZE(params), !strncmp(at, "# checked, not loaded", 21));
		if (policy_tests_run(p, &d, &count))
			CHECK_STR(d.items[0].text, "");
		policy_free(p);
		diags_done(&d);
	}
	CHECK_EQ(found, 5);
}

TEST_MAIN()
