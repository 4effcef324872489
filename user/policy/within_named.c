/* SPDX-License-Identifier: Apache-2.0 */
/* A policy and its ceiling where names and amounts rule: finite lists are gone through by the oracle, patterns are compared as patterns. */
#include "policy/within.h"

static void ask(struct within *w, const struct policy_action *a)
{
	struct policy_verdict inside, above;
	_buf_ struct buf what = {};

	if (policy_eval(&w->inside, a, &inside) || policy_eval(&w->above, a, &above) || !inside.allowed || above.allowed)
		return;
	if (inside.rule == RULE_NONE && open_is_said(w, a->verb))
		return;
	policy_action_print(a, &what);
	within_say(w, inside.rule < w->inside.rule_count ? w->inside.rules[inside.rule] : NULL, above.rule, what.data ? what.data : "");
}

static void ask_name(struct within *w, unsigned verb, const char *name)
{
	ask(w, &(struct policy_action){ .verb = verb, .name = name });
}

static void calls_prove(struct within *w)
{
	for (size_t i = 0; guarded_call(i); i++)
		ask_name(w, PV_CALL, guarded_call(i));
	for (size_t i = 0; call_groups[i]; i++)
		ask_name(w, PV_CALL, call_groups[i]);
	for (size_t i = 0; i < w->above.rule_count; i++) {
		const struct rule *rule = w->above.rules[i];

		for (size_t k = 0; rule->class == PC_CALLS && rule->deny && k < rule->name_count; k++)
			ask_name(w, PV_CALL, rule->names[k]);
	}
}

/* What is over the ceiling's limit has to be over one of the policy's. */
static void limits_prove(struct within *w)
{
	for (size_t i = 0; i < w->above.rule_count; i++) {
		const struct rule *rule = w->above.rules[i];

		if (rule->class == PC_LIMITS)
			ask(w, &(struct policy_action){ .verb = PV_LIMIT, .name = rule->word, .amount = rule->most + 1 });
	}
}

/* ---- patterns ---- */

/* All that the pattern matches lies at or below its part without wildcards; what covers that covers it. */
static bool pattern_covers(const struct rule *above, const char *text, unsigned verb)
{
	_free_ char *literal = calloc(1, strlen(text) + 2);
	bool covered = false;
	size_t len = 0;

	if (!literal)
		return false;
	(void)pattern_literal(text, literal, &len);
	for (size_t i = 0; i < above->node_count && !covered; i++)
		covered = !strcmp(above->nodes[i].text, text) || path_matches(above->nodes[i].text, literal, len);
	for (size_t i = 0; i < above->name_count && !covered && verb == PV_USE; i++)
		covered = device_in_group(above->names[i], literal, len);
	return covered;
}

static bool name_covers(const struct rule *above, const char *name, unsigned verb)
{
	for (size_t i = 0; i < above->name_count; i++) {
		if (verb == PV_VARIABLE ? wildcard_matches(above->names[i], name) : !strcmp(above->names[i], name))
			return true;
	}
	return false;
}

static bool covered(const struct within *w, unsigned verb, const char *name, const char *pattern)
{
	for (size_t i = 0; i < w->above.rule_count; i++) {
		const struct rule *above = w->above.rules[i];

		if (!(above->verbs & 1u << verb))
			continue;
		if (name ? name_covers(above, name, verb) : pattern_covers(above, pattern, verb))
			return true;
	}
	return w->above.open & 1u << verb_class(verb);
}

static void rule_prove(struct within *w, const struct rule *rule, unsigned verb)
{
	uint32_t by = RULE_DEFAULT + verb_class(verb);

	for (size_t i = 0; i < rule->name_count; i++) {
		if (!covered(w, verb, rule->names[i], NULL))
			within_say(w, rule, by, rule->names[i]);
	}
	for (size_t i = 0; i < rule->node_count; i++) {
		if (!covered(w, verb, NULL, rule->nodes[i].text))
			within_say(w, rule, by, rule->nodes[i].text);
	}
}

static void patterns_prove(struct within *w)
{
	static const unsigned verbs[] = { PV_USE, PV_SET_ID, PV_VARIABLE, PV_KEEP };

	for (size_t i = 0; i < w->inside.rule_count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(verbs); k++) {
			if (w->inside.rules[i]->verbs & 1u << verbs[k])
				rule_prove(w, w->inside.rules[i], verbs[k]);
		}
	}
}

/* ---- labels: each of the ceiling's has to be here, given as easily and leaving as little ---- */

static bool then_within(const struct label_then *then, const struct label_then *above)
{
	bool good = then->class == above->class;

	for (size_t i = 0; i < then->only_count && good; i++) {
		bool found = false;

		for (size_t k = 0; k < above->only_count; k++)
			found |= !strcmp(above->only[k], then->only[i]);
		good = found;
	}
	return good;
}

static bool label_within(const struct rule *rule, const struct rule *above)
{
	bool good = rule->class == PC_LABELS && !strcmp(rule->names[0], above->names[0]);

	for (size_t i = 0; i < above->node_count && good; i++)
		good = pattern_covers(rule, above->nodes[i].text, PV_COUNT);
	for (size_t i = 0; i < above->then_count && good; i++) {
		bool found = false;

		for (size_t k = 0; k < rule->then_count; k++)
			found |= then_within(&rule->thens[k], &above->thens[i]);
		good = found;
	}
	return good;
}

static void labels_prove(struct within *w)
{
	for (uint32_t i = 0; i < w->above.rule_count; i++) {
		bool found = false;

		for (size_t k = 0; k < w->inside.rule_count && w->above.rules[i]->class == PC_LABELS; k++)
			found |= label_within(w->inside.rules[k], w->above.rules[i]);
		if (w->above.rules[i]->class == PC_LABELS && !found && !(w->above.open & 1u << PC_LABELS))
			within_say(w, NULL, i, w->above.rules[i]->names[0]);
	}
}

void within_named(struct within *w)
{
	calls_prove(w);
	for (size_t i = 0; capability_words[i]; i++)
		ask_name(w, PV_CAPABILITY, capability_words[i]);
	for (size_t i = 0; family_words[i]; i++)
		ask_name(w, PV_FAMILY, family_words[i]);
	limits_prove(w);
	patterns_prove(w);
	labels_prove(w);
}
