/* SPDX-License-Identifier: Apache-2.0 */
/* Bindings: what they say, what is wrong with them, and which one a sandbox has. */
#include "policy/binding.h"
#include "test.h"

#define BINDING(name, rest) "version: 1\nbind: " name "\npolicy: agent\nstage: enforce\n" rest

static struct binding *load(const char *text)
{
	_buf_ struct buf said = {};
	struct binding *b = NULL;
	struct diags d = {};
	int err = binding_load(text, strlen(text), "b.yaml", &b, &d);

	diags_print(&d, &said);
	diags_done(&d);
	if (err)
		CHECK_STR(said.data, "");
	return b;
}

TEST(a_binding_says_where_a_policy_applies)
{
	struct binding *b = load("version: 1\nbind: coders\nmatch:\n  - {label: {app: coder}, image: 'registry/*'}\n  - {unit: 'agent@*.service', user: ci}\n"
				 "priority: 10\npolicy: coding-agent@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n"
				 "params: {workspace: /srv/ws, db: 10.0.0.1}\nstage: read-only\nshadow: next\non_unbound: hold\non_tighten: recheck\n"
				 "grants: [{rule: reporting-db, by: [oncall], most: 1h}]\n");

	CHECK_STR(b->name, "coders");
	CHECK_EQ(b->match_count, 2);
	CHECK_STR(b->match[0].labels[0].value, "coder");
	CHECK_STR(b->match[1].unit, "agent@*.service");
	CHECK_EQ(b->priority, 10);
	CHECK_STR(b->policy, "coding-agent");
	CHECK(!strncmp(b->digest, "sha256:0123", 11));
	CHECK_EQ(b->param_count, 2);
	CHECK_STR(b->params[1].value, "10.0.0.1");
	CHECK_EQ(b->stage, BINDING_READ_ONLY);
	CHECK_STR(b->shadow, "next");
	CHECK_EQ(b->on_unbound, UNBOUND_HOLD);
	CHECK_EQ(b->on_tighten, TIGHTEN_RECHECK);
	CHECK_STR(b->grants[0].rule, "reporting-db");
	CHECK_STR(b->grants[0].by[0], "oncall");
	CHECK_EQ(b->grants[0].most_s, 3600);
	binding_free(b);
}

static const struct {
	const char *text, *says;
} wrong[] = {
	{ "bind: x\n", "the binding has no \"version\"" },
	{ BINDING("x", ""), "the binding matches nothing" },
	{ BINDING("x", "match: {}\n"), "an empty selector would match every sandbox" },
	{ BINDING("x", "match: []\n"), "an empty list matches nothing" },
	{ BINDING("x", "match: {usr: me}\n"), "unknown key \"usr\" in a selector" },
	{ BINDING("x", "match: {user: me}\nstages: enforce\n"), "unknown key \"stages\" in a binding" },
	{ BINDING("X Y", "match: {user: me}\n"), "\"X Y\" is no name" },
	{ "version: 1\nbind: x\nmatch: {user: me}\npolicy: p@md5:1\nstage: enforce\n", "a policy's digest is sha256: and 64 hex digits" },
	{ "version: 1\nbind: x\nmatch: {user: me}\npolicy: p\nstage: enforced\n", "\"enforced\" is not a stage" },
	{ BINDING("x", "match: {user: me}\nshadow: next\n"), "there is no stage behind enforce" },
	{ BINDING("x", "match: {user: me}\npriority: high\n"), "a priority is a number from 0 to 9999" },
	{ BINDING("x", "match: {user: me}\non_tighten: wait\n"), "is not what happens on a tightening" },
	{ BINDING("x", "match: {user: me}\ngrants: [{rule: r}]\n"), "a grant without \"rule\" and \"by\" grants nothing" },
	{ BINDING("x", "match: {user: me}\ngrants: [{rule: r, by: [o], most: long}]\n"), "a grant's longest time is one like 30m or 2h" },
	{ BINDING("x", "match: {user: me}\nparams: [a]\n"), "params is a map" },
};

TEST(what_is_wrong_with_a_binding_is_said)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_buf_ struct buf said = {};
		struct binding *b = NULL;
		struct diags d = {};

		CASE("%s", wrong[i].text);
		CHECK(binding_is(wrong[i].text, strlen(wrong[i].text)));
		CHECK_EQ(binding_load(wrong[i].text, strlen(wrong[i].text), "b.yaml", &b, &d), -EINVAL);
		diags_print(&d, &said);
		CHECK_HAS(said.data, wrong[i].says);
		diags_done(&d);
	}
}

TEST(the_binding_that_matches_with_the_highest_priority_holds_and_two_are_refused)
{
	struct binding *all[] = {
		load(BINDING("users", "match: {user: '*'}\n")), load(BINDING("ci", "match: {user: ci, label: {team: 'web*'}}\npriority: 5\n")),
		load(BINDING("image", "match: [{image: registry/a}, {image: registry/b, user: ci}]\npriority: 5\n")),
	};
	const struct binding_pair web = { .name = (char *)"team", .value = (char *)"web-1" }, other = { .name = (char *)"team", .value = (char *)"db" };
	const struct {
		struct binding_facts facts;
		int err;
		const char *name;
	} rows[] = {
		{ { .user = "me" }, 0, "users" },
		{ { .user = "ci" }, 0, "users" },
		{ { .user = "ci", .labels = &web, .label_count = 1 }, 0, "ci" },
		{ { .user = "ci", .labels = &other, .label_count = 1 }, 0, "users" },
		{ { .image = "registry/a" }, 0, "image" },
		{ { .image = "registry/b" }, -ENOENT, NULL },
		{ { .image = "registry/b", .user = "ci" }, 0, "image" },
		{ { .image = "registry/b", .user = "ci", .labels = &web, .label_count = 1 }, -ENOTUNIQ, "bindings ci (b.yaml) and image (b.yaml) both match" },
		{ {}, -ENOENT, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct binding *found = NULL;
		char why[200] = "";

		CASE("%zu", i);
		CHECK_EQ(binding_resolve((const struct binding *const *)all, ARRAY_SIZE(all), &rows[i].facts, &found, why), rows[i].err);
		if (!rows[i].err)
			CHECK_STR(found->name, rows[i].name);
		else if (rows[i].name)
			CHECK_HAS(why, rows[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		binding_free(all[i]);
}

TEST_MAIN()
