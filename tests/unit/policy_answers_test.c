/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy answers: its tests, explanations, what is shown of it; of presets and of the policies in the manual. */
#include "policy/policy.h"
#include "policy_text_help.h"

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
