/* SPDX-License-Identifier: Apache-2.0 */
/* What two policies say differently that is no path and no address: names, amounts, what is recorded and done. */
#include "policy/policy.h"
#include "test.h"
#include "policy_diff_help.h"

static void names_describe(const struct policy_difference *f, struct buf *out)
{
	buf_addf(out, "%c%s", f->allows ? '+' : '-', policy_verb_word(__builtin_ctz(f->verbs)));
	for (size_t i = 0; i < f->region_count; i++)
		buf_addf(out, " %s%s", f->regions[i].pattern, f->regions[i].whole ? "" : "...");
	for (size_t i = 0; i < f->name_count; i++)
		buf_addf(out, " %s", f->names[i]);
}

static const struct {
	const char *claim, *a, *b, *says;
} named_rows[] = {
	{ "a group is its nodes", "devices: ['@tty']\n", "devices: [/dev/pts, /dev/tty, /dev/ptmx]\n", "" },
	{ "a device that is in a pattern already", "devices: ['/dev/nvidia*']\n", "devices: ['/dev/nvidia*', /dev/nvidia0]\n", "" },
	{ "a device that came", "devices: [/dev/null]\n", "devices: ['@std']\n", "+use /dev/zero /dev/full /dev/random /dev/urandom" },
	{ "a group of calls stands for its calls", "calls: {allow: ['@perf']}\n", "calls: {allow: ['@userns']}\n", "+call @userns; -call @perf" },
	{ "a call refused out of a group", "calls: {allow: ['@userns']}\n", "calls: {allow: ['@userns'], refuse: [setns, userfaultfd]}\n",
	  "-call setns; -call userfaultfd" },
	{ "capabilities by one rule are one item", "", "privileges: {capabilities: [{capability: [CAP_KILL, CAP_BPF]}]}\n", "+capability CAP_KILL CAP_BPF" },
	{ "a variable that a pattern has already", "session: {environment: ['A*']}\n", "session: {environment: ['A*', AB]}\n", "" },
	{ "variables of a wider pattern", "session: {environment: ['AB*']}\n", "session: {environment: ['A*']}\n", "+variable /A*..." },
	{ "what is kept", "session: {keep: [/srv/a]}\n", "session: {keep: [/srv]}\n", "+keep /srv..." },
	{ "set-id programs", "privileges: {set_id: [/usr/bin/su]}\n", "privileges: {capabilities: [CAP_KILL]}\n", "-set-id /usr/bin/su; +capability CAP_KILL" },
	{ "a family", "", "sockets: {families: [raw]}\n", "+family raw" },
};

TEST(classes_that_are_ruled_by_name_are_decided_too)
{
	for (size_t i = 0; i < ARRAY_SIZE(named_rows); i++) {
		_buf_ struct buf says = {}, a = {}, b = {};
		struct sides s = {};

		CASE("%s", named_rows[i].claim);
		buf_addf(&a, "version: 1\npolicy: p\nopen: []\n%s", named_rows[i].a);
		buf_addf(&b, "version: 1\npolicy: p\nopen: []\n%s", named_rows[i].b);
		sides_open(&s, a.data, b.data);
		for (size_t k = 0; k < s.diff.count; k++) {
			buf_add_str(&says, k ? "; " : "");
			names_describe(&s.diff.items[k], &says);
		}
		CHECK_STR(says.data ? says.data : "", named_rows[i].says);
		CHECK_EQ(policy_diff_same(&s.diff), !named_rows[i].says[0]);
		sides_done(&s);
	}
}

static const struct {
	const char *claim, *a, *b, *says;
	bool matters;
} setting_rows[] = {
	{ "a limit that was raised", "limits: {memory: 2G}\n", "limits: {memory: 4G}\n", "limits.memory 2G 4G", true },
	{ "the least of a limit is the limit", "limits: {memory: 2G}\n", "limits: {memory: 2048M}\n", "", false },
	{ "a limit that went", "limits: {memory: 2G, cpus: 2}\n", "limits: {memory: 2G}\n", "limits.cpus 2 -", true },
	{ "another workspace", "session: {workspace: copy}\n", "session: {workspace: ephemeral}\n", "session.workspace copy ephemeral", true },
	{ "what follows a refusal", "on_refusal: [{match: files, do: kill}]\n", "on_refusal: [{match: files, do: kill, alert: high}]\n",
	  "on_refusal files: kill -; on_refusal - files: kill, alert high", true },
	{ "the order of what follows a refusal", "on_refusal: [{match: read, do: kill}, {match: files, do: ask}, {match: unix, do: kill}]\n",
	  "on_refusal: [{match: unix, do: kill}, {match: read, do: kill}, {match: files, do: ask}]\n",
	  "the order of on_refusal read, files, unix unix, read, files", true },
	{ "an owner", "owner: x\n", "", "owner x -", false },
	{ "metadata", "", "files: {metadata: strict}\n", "files.metadata - strict", true },
};

TEST(what_is_no_action_differs_too)
{
	for (size_t i = 0; i < ARRAY_SIZE(setting_rows); i++) {
		_buf_ struct buf says = {}, a = {}, b = {};
		struct sides s = {};

		CASE("%s", setting_rows[i].claim);
		buf_addf(&a, "version: 1\npolicy: p\nopen: []\n%s", setting_rows[i].a);
		buf_addf(&b, "version: 1\npolicy: p\nopen: []\n%s", setting_rows[i].b);
		sides_open(&s, a.data, b.data);
		for (size_t k = 0; k < s.diff.setting_count; k++)
			buf_addf(&says, "%s%s %s %s", k ? "; " : "", s.diff.settings[k].what, s.diff.settings[k].was ? s.diff.settings[k].was : "-",
				 s.diff.settings[k].is ? s.diff.settings[k].is : "-");
		CHECK_STR(says.data ? says.data : "", setting_rows[i].says);
		CHECK_EQ(policy_diff_same(&s.diff), !setting_rows[i].matters);
		sides_done(&s);
	}
}

TEST(what_is_recorded_differs_too)
{
	struct sides s = {};

	sides_open(&s, HEAD "record: [exec]\n", HEAD "calls: {allow: ['@io_uring']}\nrecord: [exec, open]\n");
	CHECK_EQ(s.diff.count, 1);
	CHECK_STR(s.diff.items[0].names[0], "@io_uring");
	CHECK(s.diff.items[0].allows);
	CHECK_EQ(s.diff.record_is & ~s.diff.record_was, 1u << RECORD_OPEN);
	sides_done(&s);
}

TEST_MAIN()
