/* SPDX-License-Identifier: Apache-2.0 */
/* Where learned rules go, what they are about, and that they are the same each time. */
#include "policy/learn.h"
#include "policy_learn_help.h"

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

TEST(a_preset_that_allows_much_of_what_was_learned_is_named)
{
	_buf_ struct buf said = {};
	struct policy *p;

	begin(START);
	for (int i = 0; i < 7; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/home/u/.ccache/%c/entry", 'a' + i);
		path(V(READ), name);
	}
	path(V(READ), "/srv/data/x");
	p = work();
	learn_presets(learn, "# ", &said);
	CHECK_STR(said.data, "# the preset build allows 7 of the 8 things learned: with it in \"uses:\" they need no rule\n");
	policy_free(p);
	end();
	begin(START);
	path(V(READ), "/srv/data/x");
	p = work();
	buf_reset(&said);
	learn_presets(learn, "# ", &said);
	CHECK_EQ(said.len, 0);
	policy_free(p);
	end();
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
