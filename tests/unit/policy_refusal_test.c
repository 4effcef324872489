/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a refusal: the first entry that matches, asked of the policy and of its image. */
#include "policy/policy.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n" \
	"files: {read: [/], deny: [{path: /a, id: a}, {path: /b, id: b}]}\nnetwork: {deny: [{to: 10.0.0.0/8, id: net}]}\n"

static struct policy *load(const char *text)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text) };
	_buf_ struct buf said = {};
	struct diags d = {};
	struct policy *p = NULL;

	if (policy_load(&source, &p, &d)) {
		diags_print(&d, &said);
		CHECK_STR(said.data, "");
	}
	diags_done(&d);
	return p;
}

static uint32_t rule_number(const struct policy *p, const char *id)
{
	struct policy_rule_info info;

	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		if (!policy_rule(p, i, &info) && !strcmp(info.id, id))
			return i;
	}
	for (uint32_t i = BUILTIN_BASE; i < BUILTIN_BASE + B_COUNT; i++) {
		if (!policy_rule(p, i, &info) && !strcmp(info.id, id))
			return i;
	}
	CHECK(!"there is such a rule");
	return 0;
}

static bool image_kills(const struct policy_image *img, uint32_t rule, unsigned verb)
{
	uint32_t cell = rule < BUILTIN_BASE ? rule : img->slot.nrules + (rule - BUILTIN_BASE);

	return img->slot.kill_off && img->words[img->slot.kill_off - img->base + cell] >> verb & 1;
}

TEST(the_first_entry_that_matches_says_what_follows)
{
	static const struct {
		const char *entries, *rule;
		unsigned verb;
		bool kills;
		unsigned alert;
	} rows[] = {
		{ "{match: a, do: kill}", "a", VERB_READ, true, 0 },
		{ "{match: a, do: kill}", "b", VERB_READ, false, 0 },
		{ "{match: a, do: kill, alert: critical}", "a", VERB_CHANGE, true, 5 },
		{ "{match: a, do: deny, alert: informational}, {match: '*', do: kill, alert: fatal}", "a", VERB_READ, false, 1 },
		{ "{match: a, do: deny, alert: low}, {match: '*', do: kill, alert: fatal}", "b", VERB_READ, true, 6 },
		{ "{match: files, do: kill}", "b", VERB_READ, true, 0 },
		{ "{match: files, do: kill}", "files.default", VERB_CREATE, true, 0 },
		{ "{match: files, do: kill}", "files.name", VERB_CREATE, true, 0 },
		{ "{match: files, do: kill}", "net", VERB_CONNECT, false, 0 },
		{ "{match: files, do: kill}", "guard.self", VERB_READ, false, 0 },
		{ "{match: guard, do: kill}", "guard.self", VERB_READ, true, 0 },
		{ "{match: guard, do: kill}", "files.default", VERB_READ, false, 0 },
		{ "{match: calls, do: kill}", "guard.mount", VERB_CALL, true, 0 },
		{ "{match: calls, do: kill}", "guard.signal", VERB_CALL, false, 0 },
		{ "{match: privileges, do: kill}", "guard.capability", VERB_CALL, true, 0 },
		{ "{match: sockets, do: kill}", "sockets.family", VERB_CALL, true, 0 },
		{ "{match: guard.mount, do: kill}", "guard.mount", VERB_CALL, true, 0 },
		{ "{match: guard.mount, do: kill}", "guard.namespace", VERB_CALL, false, 0 },
		{ "{match: write, do: kill}", "a", VERB_REMOVE, true, 0 },
		{ "{match: write, do: kill}", "a", VERB_READ, false, 0 },
		{ "{match: read, do: kill}", "a", VERB_READ, true, 0 },
		{ "{match: connect, do: kill}", "net", VERB_SEND, true, 0 },
		{ "{match: connect, do: kill}", "network.default", VERB_LISTEN, false, 0 },
		{ "{match: send, do: kill}", "net", VERB_CONNECT, false, 0 },
		{ "{match: network, do: deny}", "net", VERB_CONNECT, false, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_image img = {};
		char text[600];
		struct policy *p;
		struct diags d = {};
		uint32_t rule;

		CASE("%s of %s, verb %u", rows[i].entries, rows[i].rule, rows[i].verb);
		snprintf(text, sizeof(text), "%son_refusal: [%s]\n", HEAD, rows[i].entries);
		p = load(text);
		CHECK_OK(policy_compile(p, &img, &d));
		rule = rule_number(p, rows[i].rule);
		CHECK_EQ(policy_refusal_kills(p, rule, rows[i].verb), rows[i].kills);
		CHECK_EQ(policy_refusal_alert(p, rule, rows[i].verb), rows[i].alert);
		CHECK_EQ(image_kills(&img, rule, rows[i].verb), rows[i].kills);
		policy_image_relocate(&img, 5000);
		CHECK_EQ(image_kills(&img, rule, rows[i].verb), rows[i].kills);
		policy_image_done(&img);
		policy_free(p);
	}
}

TEST(who_kills_for_nothing_pays_for_nothing)
{
	static const char *const entries[] = { "", "on_refusal: []\n", "on_refusal: [{match: '*', do: deny, alert: high}]\n" };

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		struct policy_image img = {};
		char text[600];
		struct policy *p;
		struct diags d = {};

		CASE("%s", entries[i]);
		snprintf(text, sizeof(text), "%s%s", HEAD, entries[i]);
		p = load(text);
		CHECK_OK(policy_compile(p, &img, &d));
		CHECK_EQ(img.slot.kill_off, 0);
		policy_image_relocate(&img, 5000);
		CHECK_EQ(img.slot.kill_off, 0);
		policy_image_done(&img);
		policy_free(p);
	}
}

TEST_MAIN()
