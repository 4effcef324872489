/* SPDX-License-Identifier: Apache-2.0 */
/* Learning: each generalisation, each row of what is never learned, minimality, and that what comes out allows what went in and nothing bad. */
#include <stdio.h>
#include "base/file.h"
#include "policy/learn.h"
#include "tests/unit/test.h"

#define V(x) (1u << VERB_##x)
#define WRITE (V(CHANGE) | V(CREATE) | V(REMOVE))
#define START "version: 1\npolicy: t\nuses: [base]\n"

static struct policy *base;
static struct learn *learn;
static struct buf text, report, missing;
static const char *start;
static struct policy_param param = { "workspace", "/srv/ws" };
static uint64_t clock_ms;

static struct policy *load(const char *policy, size_t len)
{
	struct policy_source source = { .text = policy, .len = len, .file = "t.yaml", .only_check = true, .params = &param,
					.param_count = strstr(policy, "workspace: path") ? 1 : 0 };
	struct diags diags = {};
	struct buf said = {};
	struct policy *p = NULL;

	if (policy_load(&source, &p, &diags)) {
		diags_print(&diags, &said);
		CASE("%s", said.data);
		CHECK(!"the policy loads");
	}
	diags_done(&diags);
	return p;
}

static void end(void)
{
	learn_free(learn);
	policy_free(base);
	buf_done(&text);
	buf_done(&report);
	buf_done(&missing);
	text = report = missing = (struct buf){};
	learn = NULL;
	base = NULL;
}

static void begin(const char *policy)
{
	end();	/* of a test that failed */
	start = policy;
	clock_ms = 1764000000000;
	base = load(policy, strlen(policy));
	CHECK_EQ(learn_new(base, &learn), 0);
}

static void seen(struct learn_seen s)
{
	char uid[32];

	snprintf(uid, sizeof(uid), "e%llu", (unsigned long long)(clock_ms - 1764000000000) / 1000);
	s.uid = uid;
	s.program = s.program ? s.program : "python3";
	s.first_ms = s.last_ms = clock_ms;
	clock_ms += 1000;
	CHECK_EQ(learn_add(learn, &s), 0);
}

static void path(uint32_t verbs, const char *name)
{
	seen((struct learn_seen){ .verbs = verbs, .path = name, .path_len = strlen(name) });
}

static void directory(uint32_t verbs, const char *name)
{
	seen((struct learn_seen){ .verbs = verbs, .path = name, .path_len = strlen(name), .directory = true });
}

static void renamed(const char *from, const char *to, bool dir)
{
	seen((struct learn_seen){ .verbs = V(REMOVE), .path = from, .path_len = strlen(from), .verbs2 = V(CREATE), .path2 = to, .path2_len = strlen(to),
				  .directory = dir });
}

static void peer(const char *question)
{
	struct policy_action a;
	struct learn_seen s = { .network = true };
	char why[200];

	CHECK_EQ(policy_action_parse(question, &a, why), 0);
	s.listens = a.verb == VERB_LISTEN;
	s.port = a.port;
	s.proto = a.proto;
	memcpy(s.addr, a.addr, sizeof(s.addr));
	policy_action_done(&a);
	seen(s);
}

/* What was learned, loaded; it allows all that was to be learned. */
static struct policy *work(void)
{
	struct policy *learned;
	char why[200];

	CHECK_EQ(learn_work(learn), 0);
	CHECK_EQ(learn_into(learn, start, strlen(start), &text, why), 0);
	learn_report(learn, "", &report);
	learned = load(text.data, text.len);
	if (learn_missing(learn, learned, &missing)) {
		CASE("%s", missing.data);
		CHECK(!"it allows what it was learned from");
	}
	return learned;
}

static bool allows(const struct policy *p, const char *question)
{
	struct policy_verdict v;
	struct policy_action a;
	char why[200];

	CASE("%s", question);
	CHECK_EQ(policy_action_parse(question, &a, why), 0);
	CHECK_EQ(policy_eval(p, &a, &v), 0);
	policy_action_done(&a);
	return v.allowed;
}

static void learns(uint32_t verbs, const char *const *paths, const char *pattern)
{
	struct buf quoted = {};

	begin(START);
	for (size_t i = 0; paths[i]; i++)
		path(verbs, paths[i]);
	policy_free(work());
	buf_addf(&quoted, "\"%s\"\n", pattern);
	CASE("%s", pattern);
	CHECK_HAS(text.data, quoted.data);
	buf_done(&quoted);
	end();
}
#define D4 "[0-9][0-9][0-9][0-9]"
#define HEX4 "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
#define HEX8 HEX4 HEX4
#define LEARNS(verbs, pattern, ...) learns(verbs, (const char *const[]){ __VA_ARGS__, NULL }, pattern)

TEST(names_that_will_be_others_become_patterns)
{
	LEARNS(V(READ), "/srv/a/session-" HEX8 "-*/x", "/srv/a/session-1b4e28ba-2fa1-11d2-883f-0016d3cca427/x");
	LEARNS(V(READ), "/srv/a/run-" D4 "*/x", "/srv/a/run-2026-11-24T09:30:00Z/x");
	LEARNS(V(READ), "/srv/a/run-" D4 "*", "/srv/a/run-20261124-093000");
	LEARNS(V(READ), "/opt/python[0-9]*/lib", "/opt/python3.11/lib");
	LEARNS(V(READ), "/opt/tool-[0-9]*/bin/x", "/opt/tool-1.2.3/bin/x");
	LEARNS(V(READ), "/srv/a/" HEX8 HEX8 "*", "/srv/a/da39a3ee5e6b4b0d3255bfef95601890afd80709");
	LEARNS(V(READ), "/srv/a/obj-" HEX8 ".o", "/srv/a/obj-3f2a9c01.o");
	LEARNS(V(READ), "/srv/a/worker." D4 "*", "/srv/a/worker.48213");
	LEARNS(WRITE, "/srv/a/tmp*", "/srv/a/tmpk3x_9qa1");
	LEARNS(WRITE, "/srv/a/.db-*.new", "/srv/a/.db-Xq2R7b.new");
	LEARNS(V(READ), "/srv/a/part-[0-9]*.csv", "/srv/a/part-1.csv", "/srv/a/part-2.csv");
}

TEST(names_that_stay_stay)
{
	static const char *const names[] = {
		"/srv/a/README", "/srv/a/Makefile", "/srv/a/deadbeef", "/srv/a/sha256", "/srv/a/part-1.csv", "/srv/a/x86_64", "/srv/a/CMakeLists.txt",
		"/srv/a/facade", "/srv/a/1234", "/srv/a/libc.so.6", "/srv/a/tmpk3x_9qa1",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		LEARNS(V(READ), names[i], names[i]);
	LEARNS(WRITE, "/srv/a/output", "/srv/a/output");
	LEARNS(V(READ), "/srv/a\\\\x20b/\\\\[x\\\\]\\\\$\\\\xff", "/srv/a b/[x]$\xff");
}

TEST(a_directory_of_which_much_was_used_alike_is_one_rule)
{
	begin(START);
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "/srv/p/a.c", "/srv/p/b/x", "/srv/p/c/y", "/srv/p/d.h" };

		path(V(READ), names[i]);
	}
	path(V(CHANGE), "/srv/p/a.c");
	policy_free(work());
	CHECK_HAS(text.data, "- \"/srv/p\"\n");
	CHECK_HAS(text.data, "change:\n    # 1 time by python3, 2025-11-24 16:00:04; event e4\n    - \"/srv/p/a.c\"\n");
	CHECK_HAS(text.data, "# 4 times, 4 of them different by python3");
	end();
	begin(START);
	path(V(READ), "/srv/p/a.c");
	path(V(READ), "/srv/p/b.c");
	path(V(READ), "/srv/p/c.c");
	policy_free(work());
	CHECK_HAS(text.data, "{path: [\"/srv/p/a.c\", \"/srv/p/b.c\", \"/srv/p/c.c\"]}");
	end();
}

TEST(a_directory_never_becomes_a_rule_where_too_much_lies_below)
{
	static const char *const dirs[] = { "", "/home/u", "/home/u/.config", "/root", "/var/lib", "/opt", "/mnt/x", "/run/user/1000" };
	struct policy *p;
	char name[100];

	begin(START);
	for (size_t d = 0; d < sizeof(dirs) / sizeof(dirs[0]); d++) {
		directory(V(READ), *dirs[d] ? dirs[d] : "/");
		for (int i = 0; i < 9; i++) {
			snprintf(name, sizeof(name), "%s/file%c", dirs[d], 'a' + i);
			path(V(READ), name);
		}
	}
	p = work();
	for (size_t d = 0; d < sizeof(dirs) / sizeof(dirs[0]); d++) {
		snprintf(name, sizeof(name), "read %s/other", dirs[d]);
		CHECK(!allows(p, name));
		snprintf(name, sizeof(name), "read %s/filea", dirs[d]);
		CHECK(allows(p, name));
	}
	CHECK_HAS(report.data, "read /home/u: a rule for a directory has all below it");
	policy_free(p);
	end();
}

TEST(what_lies_in_a_parameters_directory_is_named_by_it)
{
	begin(START "params: {workspace: path}\n");
	path(V(READ), "/srv/ws/a");
	path(V(READ), "/srv/ws/sub/b");
	path(V(READ), "/srv/wsx/c");
	policy_free(work());
	CHECK_HAS(text.data, "- \"$workspace\"\n");
	CHECK_HAS(text.data, "- \"/srv/wsx/c\"\n");
	end();
}

TEST(a_learned_directory_stays_closed_to_credentials)
{
	struct policy *p;

	begin(START "params: {workspace: path}\n");
	path(V(READ) | V(CREATE), "/srv/ws/a");
	path(V(READ) | V(CREATE), "/srv/ws/b");
	path(V(READ), "/srv/ws/.env");
	p = work();
	CHECK(allows(p, "read /srv/ws/c"));
	CHECK(!allows(p, "read /srv/ws/.env"));
	CHECK(!allows(p, "read /srv/ws/x/server.key"));
	CHECK(!allows(p, "create /srv/ws/.git/config"));
	CHECK(!allows(p, "create /srv/ws/.git/hooks/pre-commit"));
	CHECK_HAS(report.data, "read /srv/ws/.env: credentials; 1 time");
	policy_free(p);
	end();
	/* whoever wrote the policy has the last word */
	begin(START "params: {workspace: path}\nfiles: {read: [$workspace], deny: [\"$workspace/x/**/*.key\"]}\n");
	directory(V(CREATE), "/srv/ws/d");
	p = work();
	CHECK(allows(p, "read /srv/ws/.env"));
	policy_free(p);
	end();
}

/* What an attack would be glad of: never learned however often it was seen, and refused by what was learned from all the rest. */
TEST(no_row_of_the_table_is_ever_learned)
{
	static const char *const attacks[] = {
		"read /home/u/.ssh/id_rsa", "read /root/.aws/credentials", "read /srv/x/.env", "read /srv/tls/server.key", "read /etc/shadow",
		"read /run/secrets/token", "unix /run/user/1007/bus", "unix /run/user/1007/systemd/private", "unix /run/dbus/system_bus_socket",
		"unix /run/user/1007/gnupg/S.gpg-agent", "unix /tmp/ssh-abcdefghijkl/agent.77", "unix /tmp/.X11-unix/X1", "unix /srv/x/docker.sock",
		"create /etc/cron.d/x", "change /usr/bin/x", "create /usr/local/bin/x", "change /boot/vmlinuz", "create /srv/r/.git/hooks/pre-push",
		"change /srv/r/.git/config", "change /home/u/.bashrc", "create /srv/r/.vscode/tasks.json", "read /dev/sda1", "read /dev/mem",
		"execute /usr/bin/sudo", "read /proc/kcore", "connect 169.254.169.254:80", "connect [fd00:ec2::254]:80", "connect 169.254.9.9:80",
		"connect 127.0.0.1:2375", "read /var/lib/bailiff/journal", "change /sys/fs/cgroup/x",
	};
	const char *question, *could;
	struct policy *p;
	size_t count = 0;

	begin("version: 1\npolicy: t\nopen: [devices, privileges, limits, session, labels]\n");
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]) || policy_deputy(count, &could); i++) {
		struct policy_action a;
		char why[200];

		question = i < sizeof(attacks) / sizeof(attacks[0]) ? attacks[i] : policy_deputy(count++, &could);
		CHECK_EQ(policy_action_parse(question, &a, why), 0);
		if (a.path)
			path(1u << a.verb, a.path);
		else
			peer(question);
		policy_action_done(&a);
	}
	path(V(READ), "/srv/fine");
	p = work();
	CHECK(allows(p, "read /srv/fine"));
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		CHECK(!allows(p, attacks[i]));
	for (size_t i = 0; (question = policy_deputy(i, &could)); i++)
		CHECK(!allows(p, question));
	CHECK_EQ(policy_rule_count(p), 1);
	policy_free(p);
	end();
}

TEST(addresses_become_places)
{
	begin(START);
	peer("connect 127.0.0.1:5432");
	peer("connect [::1]:5432");
	peer("connect 127.0.0.1:40001");
	peer("connect 127.0.0.1:40002");
	peer("connect 127.0.0.1:40003");
	peer("connect 10.1.2.3:443");
	peer("connect 10.1.2.4:443");
	peer("connect 10.1.2.5:443");
	peer("connect 10.1.2.6:443");
	peer("connect 10.9.9.9:443");
	peer("connect 10.9.9.9:22");
	peer("send 10.0.0.53:53");
	peer("listen 0.0.0.0:8080");
	policy_free(work());
	CHECK_HAS(text.data, "{to: \"@loopback\", ports: [5432, 32768-60999]}");
	CHECK_HAS(text.data, "{to: \"10.1.2.0/24\", ports: [443]}");
	CHECK_HAS(text.data, "{to: \"10.9.9.9\", ports: [22, 443]}");
	CHECK_HAS(text.data, "{to: \"10.0.0.53\", ports: [53], proto: udp}");
	CHECK_HAS(text.data, "listen:\n    # 1 time by python3, 2025-11-24 16:00:12; event e12\n    - {to: \"0.0.0.0\", ports: [8080]}");
	end();
}

TEST(a_renamed_file_may_keep_what_it_gets)
{
	struct policy *p;

	begin(START);
	path(V(READ) | V(CHANGE), "/srv/a/db");
	path(V(CREATE), "/srv/a/db.new");
	renamed("/srv/a/db.new", "/srv/a/db", false);
	p = work();
	CHECK(allows(p, "read /srv/a/db.new"));
	CHECK(allows(p, "change /srv/a/db.new"));
	CHECK(!strstr(report.data ? report.data : "", "EXDEV"));
	policy_free(p);
	end();
	begin(START);
	path(V(EXECUTE), "/srv/a/tool");
	renamed("/srv/a/new", "/srv/a/tool", false);
	p = work();
	CHECK(!allows(p, "execute /srv/a/new"));
	CHECK_HAS(report.data, "rename /srv/a/new to /srv/a/tool: the new name would grant");
	policy_free(p);
	end();
}

TEST(what_is_made_is_there_in_the_next_run)
{
	struct policy *p;

	begin(START);
	seen((struct learn_seen){ .verbs = V(CREATE), .path = "/srv/a/db", .path_len = 9, .makes = true });
	seen((struct learn_seen){ .verbs = V(CREATE), .path = "/srv/a/lock", .path_len = 11, .makes = true });
	path(V(REMOVE), "/srv/a/lock");
	renamed("/srv/b/new", "/srv/b/file", false);
	p = work();
	CHECK(allows(p, "read /srv/a/db"));
	CHECK(allows(p, "change /srv/a/db"));
	CHECK(!allows(p, "remove /srv/a/db"));
	CHECK(!allows(p, "change /srv/a/lock"));
	CHECK(allows(p, "remove /srv/b/file"));
	policy_free(p);
	end();
}

TEST(directories_are_renamed_within_one_rule)
{
	begin(START);
	directory(V(CREATE), "/srv/m/.a-x");
	renamed("/srv/m/.a-x", "/srv/m/a", true);
	policy_free(work());
	CHECK_HAS(text.data, "create:\n    # ");
	CHECK_HAS(text.data, "- \"/srv/m\"\n");
	end();
}

TEST(no_rule_is_covered_by_another_or_by_the_policy)
{
	begin(START);
	directory(V(READ), "/srv/d");
	path(V(READ), "/srv/d/a/b");
	path(V(READ), "/usr/share/x");
	path(V(READ), "/opt/t-1.2/x");
	path(V(READ), "/opt/t-7/x");
	policy_free(work());
	CHECK_HAS(text.data, "- \"/srv/d\"\n");
	CHECK(!strstr(text.data, "/srv/d/a"));
	CHECK(!strstr(text.data, "/usr/share"));
	CHECK(!strstr(text.data, "t-7"));
	CHECK_HAS(report.data, "by preset base, files.read.");
	end();
}

TEST(rules_go_where_the_policy_has_its_own)
{
	static const char *const texts[] = {
		"version: 1\npolicy: t\nuses: [base]\nfiles: {read: [/srv/z]}  # mine\n",
		"version: 1\npolicy: t\nuses: [base]\nfiles:\n  read: [/srv/z,]\n  # behind\nrecord: [exec]",
		"version: 1\npolicy: t\nuses: [base]\nfiles:\n  read:\n  - /srv/z # dash at the margin\n\n# far\nsockets:\n    unix:\n      - /run/z\n",
		"version: 1\npolicy: t\nuses: [base]\nfiles:\n    read:\n        - path: [/srv/z]\n          why: \"\xc3\xa4\"\nnetwork: {connect: []}\n",
		"\xef\xbb\xbfversion: 1\r\npolicy: t\r\nuses: [base]\r\nsockets: {unix: [/run/z]}\r\n",
		"version: 1\npolicy: t\nuses: [base]\nfiles:\n  write: [/srv/z]\ntests:\n  - {\"read /srv/a\": allowed}\n",
	};
	struct policy *p;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		begin(texts[i]);
		path(V(READ), "/srv/a");
		path(V(EXECUTE), "/srv/a");
		path(V(UNIX), "/run/a");
		peer("connect 10.0.0.1:1");
		p = work();
		CHECK(allows(p, "read /srv/a"));
		CHECK(allows(p, "execute /srv/a"));
		CHECK(allows(p, "unix /run/a"));
		CHECK(allows(p, "connect 10.0.0.1:1"));
		policy_free(p);
		end();
	}
}

TEST(the_same_record_gives_the_same_bytes)
{
	struct buf first = {};

	for (int round = 0; round < 2; round++) {
		begin(START);
		for (int i = 0; i < 200; i++) {
			char name[64];

			snprintf(name, sizeof(name), "/srv/%d/%d/f%d", i % 7, i % 3, i);
			path(1u << i % 5, name);
		}
		policy_free(work());
		if (round)
			CHECK_STR(text.data, first.data);
		else
			buf_add(&first, text.data, text.len);
		end();
	}
	buf_done(&first);
}

/* Random trees of random names: learned policies allow what they were learned from (work() looks) and no attack. */
TEST(whatever_was_seen_is_allowed_and_no_attack_is)
{
	static const char *const parts[] = { "a", "b", "run-12345", "run-77", "3f2a9c01", "v1.2", "tmpabcdefgh", "x.key", ".env", ".ssh", "src", "home", "etc" };
	static const char *const attacks[] = {
		"read /home/u/.ssh/id_rsa", "read /etc/shadow", "create /etc/cron.d/x", "unix /run/docker.sock", "connect 169.254.169.254:80", "change /usr/bin/ls",
		"read /home/u/p/.env", "read /srv/src/.env", "read /srv/a/b/x.key",
	};
	unsigned seed = 7;

	for (int round = 0; round < 300; round++) {
		struct policy *p;

		begin(round % 2 ? START : START "params: {workspace: path}\n");
		for (int i = 0; i < 40; i++) {
			struct buf name = {};

			buf_add_str(&name, rand_r(&seed) % 3 ? "/srv" : "/srv/ws");
			for (int k = rand_r(&seed) % 4; k >= 0; k--)
				buf_addf(&name, "/%s", parts[rand_r(&seed) % (sizeof(parts) / sizeof(parts[0]))]);
			if (rand_r(&seed) % 8)
				directory(1 + rand_r(&seed) % 31, name.data);
			else
				renamed(name.data, "/srv/to/there", true);
			buf_done(&name);
		}
		p = work();
		for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
			CHECK(!allows(p, attacks[i]));
		policy_free(p);
		end();
	}
}

TEST(rules_that_nothing_used_are_named_and_those_that_cannot_be_told)
{
	struct policy_action a;
	struct tighten *t;
	char why[200];
	size_t unused;

	begin("version: 1\npolicy: t\nuses: [base]\nfiles: {read: [{path: /srv/a, id: used}, {path: /srv/b, id: idle}], execute: [{path: /srv/x, id: code}]}\n"
	      "network: {connect: [{to: 10.0.0.1, ports: [1], id: idle-peer}], listen: [{to: 10.0.0.1, ports: [2], id: unseen}]}\nrecord: [open, connect]\n");
	CHECK_EQ(tighten_new(base, &t), 0);
	CHECK_EQ(policy_action_parse("read /srv/a/x", &a, why), 0);
	CHECK_EQ(tighten_see(t, &a), 0);
	policy_action_done(&a);
	tighten_report(t, &text, &unused);
	CHECK_EQ(unused, 2);
	CHECK_HAS(text.data, "no recorded action needed:\n  idle (t.yaml:4)\n  idle-peer (t.yaml:5)\n");
	CHECK_HAS(text.data, "every use:\n  code (t.yaml:4)\n  unseen (t.yaml:5); with record: [listen]");
	CHECK(!strstr(text.data, "  used "));
	tighten_free(t);
	end();
}

TEST(the_manual_has_the_tables)
{
	struct buf rows = {};
	char *manual;
	size_t len;

	CHECK_EQ(file_slurp("docs/policy.md", 1 << 20, &manual, &len), 0);
	learn_general_document(&rows);
	CHECK_HAS(manual, rows.data);
	buf_reset(&rows);
	learn_never_document(&rows);
	CHECK_HAS(manual, rows.data);
	buf_done(&rows);
	free(manual);
}

TEST_MAIN()
