/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why an action is refused, and the allow that comes closest: the next step of whoever was refused. Answers come from the
 * oracle; closeness is a matter of taste and decides nothing.
 */
#include "policy/model.h"

static size_t shared_components(const char *text, const char *path, size_t len)
{
	size_t shared = 0, i = 0;

	for (; i < len && text[i] && text[i] == path[i]; i++)
		shared += i && path[i] == '/';
	return shared + (i > 1 && (i == len || path[i] == '/') && (!text[i] || text[i] == '/'));
}

static bool path_hit(const struct rule *rule, const struct policy_action *a)
{
	for (size_t i = 0; i < rule->path_count; i++) {
		if (path_matches(rule->paths[i].text, a->path, a->path_len))
			return true;
	}
	return false;
}

static bool alone_allows(const struct policy *p, uint32_t number, const struct policy_action *a)
{
	struct rule *const only = p->rules[number];
	struct policy alone = { .rules = (struct rule **)&only, .rule_count = 1, .metadata_strict = p->metadata_strict };
	struct policy_action plain = *a;
	struct policy_verdict v;

	plain.after = NULL;
	return !policy_eval(&alone, &plain, &v) && v.allowed && v.rule == 0;
}

/* How near an allow is: 0 not at all. *missing: what keeps it from allowing. */
static unsigned path_nearness(const struct policy *p, uint32_t number, const struct policy_action *a, const char **missing)
{
	const struct rule *rule = p->rules[number];
	bool verb = rule->verbs & 1u << a->verb;
	size_t most = 0;

	if (path_hit(rule, a)) {
		*missing = !verb ? "verb" : rule_has_ended(rule, a) ? "time" : rule->by_count && !alone_allows(p, number, a) ? "program" : "nothing";
		return verb ? 3000 : 2000;
	}
	*missing = "path";
	for (size_t i = 0; verb && i < rule->path_count; i++) {
		size_t shared = shared_components(rule->paths[i].text, a->path, a->path_len);

		most = shared > most ? shared : most;
	}
	return most < 1000 ? most : 1000;
}

static unsigned network_nearness(const struct policy *p, uint32_t number, const struct policy_action *a, const char **missing)
{
	const struct rule *rule = p->rules[number];
	struct policy_action other = *a;

	*missing = "nothing";
	if (alone_allows(p, number, a))
		return 3000;
	if (!(rule->verbs & 1u << a->verb))
		return 0;
	*missing = "time";
	other.at_s = 0;
	if (alone_allows(p, number, &other))
		return 2500;
	*missing = "protocol";
	other.proto = a->proto == 17 ? 6 : 17;
	if (alone_allows(p, number, &other))
		return 2000;
	*missing = "port";
	other = *a;
	other.port = rule->port_count ? rule->ports[0].first : a->port;
	return alone_allows(p, number, &other) ? 1000 : 0;
}

/* Judged by name: near is what lists something of the kind at all, nearer what has a deny in front of it. */
static unsigned named_nearness(const struct policy *p, uint32_t number, const struct policy_action *a, const char **missing)
{
	struct policy_action early = *a;
	bool hit;

	early.at_s = 0;
	hit = alone_allows(p, number, &early);
	*missing = hit ? rule_has_ended(p->rules[number], a) ? "time" : "nothing" : "name";
	return hit ? 3000 : 1;
}

static unsigned nearness(const struct policy *p, uint32_t number, const struct policy_action *a, const char **missing)
{
	const struct rule *rule = p->rules[number];

	if (rule->deny || rule->class != verb_class(a->verb) || (a->verb >= PV_CALL && !(rule->verbs & 1u << a->verb)))
		return 0;
	if (a->verb < VERB_PATH_COUNT)
		return rule->path_count ? path_nearness(p, number, a, missing) : 0;
	return a->verb < PV_CALL ? network_nearness(p, number, a, missing) : named_nearness(p, number, a, missing);
}

static void nearest_find(const struct policy *p, const struct policy_action *a, struct policy_explanation *out)
{
	unsigned best = 0, near;
	const char *missing = NULL;

	for (uint32_t i = 0; i < p->rule_count; i++) {
		near = nearness(p, i, a, &missing);
		if (near <= best)
			continue;
		best = near;
		out->missing = missing;
		out->has_nearest = !policy_rule(p, i, &out->nearest);
	}
}

int policy_explain(const struct policy *p, const struct policy_action *a, struct policy_explanation *out)
{
	struct policy_explanation e = {};
	int err = policy_eval(p, a, &e.verdict);

	if (err)
		return err;
	e.has_rule = !policy_rule(p, e.verdict.rule, &e.rule);
	if (!e.verdict.allowed)
		nearest_find(p, a, &e);
	*out = e;
	return 0;
}
