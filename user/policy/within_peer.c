/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy and its ceiling where the peer is a name: domains and @same-sandbox. Each name that the policy allows has to be covered by one rule
 * of the ceiling, and each deny of the ceiling that could meet it by one of the policy's: one at a time, so some that would hold are refused.
 */
#include "policy/within.h"

static bool circumstances_cover(const struct rule *wide, const struct rule *narrow)
{
	return !(narrow->verbs & ~wide->verbs) && !(narrow->protos & ~wide->protos) && ports_cover(wide, narrow);
}

static bool has_domain(const struct rule *rule, const char *domain)
{
	for (size_t i = 0; i < rule->domain_count; i++) {
		if (domain_covers(rule->domains[i], domain) || !strcmp(rule->domains[i], domain))
			return true;
	}
	return false;
}

static bool peer_covers(const struct rule *wide, const char *domain)
{
	if (!domain)
		return wide->same_sandbox;
	return has_domain(wide, domain) || (!wide->deny && ranges_cover_internet(wide->ranges, wide->range_count));
}

/* Some rule of the other side that holds for this peer (NULL: @same-sandbox) wherever `rule` does. */
static bool is_covered(const struct policy *by, bool deny, const struct rule *rule, const char *domain)
{
	for (size_t i = 0; i < by->rule_count; i++) {
		const struct rule *wide = by->rules[i];

		if (wide->class == PC_NETWORK && wide->deny == deny && circumstances_cover(wide, rule) && peer_covers(wide, domain))
			return true;
	}
	return by->open & 1u << PC_NETWORK && !deny;
}

static void allow_prove(struct within *w, const struct rule *rule)
{
	for (size_t i = 0; i < rule->domain_count; i++) {
		if (!is_covered(&w->above, false, rule, rule->domains[i]))
			within_say(w, rule, RULE_BUILTIN(NETWORK_DEFAULT), rule->domains[i]);
	}
	if (rule->same_sandbox && !is_covered(&w->above, false, rule, NULL))
		within_say(w, rule, RULE_BUILTIN(NETWORK_DEFAULT), "@same-sandbox");
}

/* One of the policy's denies that refuses all these addresses. */
static bool range_denied(const struct policy *p, const struct rule *deny, const struct addr_range *range)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *own = p->rules[i];

		if (own->class == PC_NETWORK && own->deny && circumstances_cover(own, deny) && ranges_cover(own->ranges, own->range_count, range))
			return true;
	}
	return false;
}

static void deny_prove(struct within *w, uint32_t number, bool by_name)
{
	const struct rule *deny = w->above.rules[number];

	for (size_t i = 0; i < deny->domain_count; i++) {
		if (!is_covered(&w->inside, true, deny, deny->domains[i]))
			within_say(w, NULL, number, deny->domains[i]);
	}
	if (deny->same_sandbox && !is_covered(&w->inside, true, deny, NULL))
		within_say(w, NULL, number, "@same-sandbox");
	for (size_t i = 0; i < deny->range_count && by_name; i++) {
		if (!range_meets_internet(&deny->ranges[i]) || range_denied(&w->inside, deny, &deny->ranges[i]))
			continue;
		within_say(w, NULL, number, "an address that a domain name may have");
		break;
	}
}

void within_peers(struct within *w)
{
	bool network = w->inside.open & 1u << PC_NETWORK, by_name = false;

	for (size_t i = 0; i < w->inside.rule_count; i++) {
		const struct rule *rule = w->inside.rules[i];

		if (rule->class != PC_NETWORK || rule->deny)
			continue;
		network = true;
		by_name |= rule->domain_count;
		allow_prove(w, rule);
	}
	for (uint32_t i = 0; i < w->above.rule_count && network; i++) {
		if (w->above.rules[i]->class == PC_NETWORK && w->above.rules[i]->deny)
			deny_prove(w, i, by_name);
	}
}
