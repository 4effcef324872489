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

static bool network_hit(const struct policy *p, uint32_t number, const struct policy_action *a)
{
	struct rule *const only = p->rules[number];
	struct policy alone = { .rules = (struct rule **)&only, .rule_count = 1 };
	struct policy_verdict v;

	return !policy_eval(&alone, a, &v) && v.allowed;
}

/* How near an allow is: 0 not at all. *missing: what keeps it from allowing. */
static unsigned path_nearness(const struct rule *rule, const struct policy_action *a, const char **missing)
{
	bool verb = rule->verbs & 1u << a->verb;
	size_t most = 0;

	if (path_hit(rule, a)) {
		*missing = verb ? "nothing" : "verb";
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
	if (network_hit(p, number, a))
		return 3000;
	if (!(rule->verbs & 1u << a->verb))
		return 0;
	*missing = "protocol";
	other.proto = a->proto == 17 ? 6 : 17;
	if (network_hit(p, number, &other))
		return 2000;
	*missing = "port";
	other = *a;
	other.port = rule->port_count ? rule->ports[0].first : a->port;
	return network_hit(p, number, &other) ? 1000 : 0;
}

static void nearest_find(const struct policy *p, const struct policy_action *a, struct policy_explanation *out)
{
	unsigned best = 0, near;
	const char *missing = NULL;

	for (uint32_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];

		if (rule->deny || (rule->class_id == CLASS_NETWORK) != (a->verb >= VERB_PATH_COUNT) ||
		    (rule->class_id == CLASS_SOCKETS) != (a->verb == VERB_UNIX))
			continue;
		near = a->verb < VERB_PATH_COUNT ? path_nearness(rule, a, &missing) : network_nearness(p, i, a, &missing);
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
