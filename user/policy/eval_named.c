/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle's part for what is judged by name or amount: devices, calls, privileges, limits, sessions, families of sockets, and what a label
 * leaves. As plain as the rest; the kernel side of these is not built, so nobody else answers yet.
 */
#include "policy/model.h"

static bool nodes_match(const struct rule *rule, const struct policy_action *a)
{
	for (size_t i = 0; i < rule->node_count; i++) {
		if (path_matches(rule->nodes[i].text, a->path, a->path_len))
			return true;
	}
	return false;
}

static bool name_matches(const struct rule *rule, const char *name, const struct policy_action *a)
{
	switch (a->verb) {
	case PV_USE:
		return device_in_group(name, a->path, a->path_len);
	case PV_CALL:
		return rule->deny ? !strcmp(name, a->name) : call_in_group(name, a->name);
	case PV_VARIABLE:
		return wildcard_matches(name, a->name);
	default:
		return !strcmp(name, a->name);
	}
}

bool named_matches(const struct rule *rule, const struct policy_action *a)
{
	if (a->verb == PV_LIMIT)
		return !strcmp(rule->word, a->name) && a->amount > rule->most;
	for (size_t i = 0; i < rule->name_count; i++) {
		if (name_matches(rule, rule->names[i], a))
			return true;
	}
	return nodes_match(rule, a);
}

/* Most calls are ordinary, what is not limited is not limited, and metadata is judged only where a policy wants that. */
bool is_guarded(const struct policy_action *a)
{
	return a->verb != PV_LIMIT && (a->verb != PV_CALL || call_is_guarded(a->name));
}

static bool leaves(const struct label_then *then, const struct policy *p, uint32_t rule)
{
	for (size_t i = 0; i < then->only_count && rule < p->rule_count; i++) {
		if (!strcmp(then->only[i], p->rules[rule]->id))
			return true;
	}
	return false;
}

bool policy_has_label(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i]->class == PC_LABELS && !strcmp(p->rules[i]->names[0], name))
			return true;
	}
	return false;
}

uint32_t label_refuses(const struct policy *p, const struct policy_action *a, uint32_t allowed_by)
{
	for (uint32_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];

		if (rule->class != PC_LABELS || strcmp(rule->names[0], a->after))
			continue;
		for (size_t k = 0; k < rule->then_count; k++) {
			if (rule->thens[k].class == verb_class(a->verb) && !leaves(&rule->thens[k], p, allowed_by))
				return i;
		}
	}
	return RULE_NONE;
}
