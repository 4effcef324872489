/* SPDX-License-Identifier: Apache-2.0 */
/* Names and directories as rules: what becomes a pattern, what never does. */
#include "policy/learn.h"
#include "policy_learn_help.h"

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

TEST_MAIN()
