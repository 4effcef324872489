/* SPDX-License-Identifier: Apache-2.0 */
/* Observations against the policy: what is covered, what must not be learned, what is wanted; and what renames want besides. */
#include "policy/learn_parts.h"

const char *denied_by(const struct policy *p, const struct policy_action *a)
{
	const struct rule *rule;
	struct policy_verdict v;

	if (policy_eval(p, a, &v))
		return "it means nothing";
	if (v.allowed || (v.rule >= p->rule_count && v.rule != RULE_BUILTIN(SELF)))
		return NULL;
	if (v.rule == RULE_BUILTIN(SELF))
		return "Bailiff's own place";
	rule = p->rules[v.rule];
	return rule->why ? rule->why : rule->id;
}

/* Allowed by the policy already? Then it is said by which rule. */
static bool is_covered(struct learn *l, const struct policy_action *a, const struct evidence *e)
{
	struct policy_rule_info rule = {};
	struct policy_verdict v;
	_buf_ struct buf by = {};

	if (policy_eval(l->base, a, &v) || !v.allowed)
		return false;
	(void)policy_rule(l->base, v.rule, &rule);
	if (rule.preset)
		buf_addf(&by, "preset %s, ", rule.preset);
	buf_add_str(&by, rule.id ? rule.id : "an open class");
	learn_remark(l, true, e, "", by.err ? "" : by.data);
	return true;
}

static void action_remark(struct learn *l, const struct policy_action *a, const struct evidence *e, const char *why)
{
	_buf_ struct buf text = {};

	policy_action_print(a, &text);
	if (!text.err)
		learn_remark(l, false, e, text.data, why);
}

/*
 * What is made in one run is there in the next: a file is then opened to be changed, and a rename puts what it replaces away. What was taken away
 * again is not.
 */
static void place_later(struct learn *l, struct place *p)
{
	struct policy_verdict v;

	for (unsigned verb = 0; verb < VERB_PATH_COUNT && p->wanted & 1u << VERB_CREATE && !(p->verbs & 1u << VERB_REMOVE); verb++) {
		struct policy_action a = { .verb = verb, .path = p->path, .path_len = p->len };

		if (!(p->later & ~p->verbs & 1u << verb) || (!policy_eval(l->base, &a, &v) && v.allowed) || denied_by(l->base, &a) ||
		    never_path(l, verb, p->path, p->len))
			continue;
		p->wanted |= 1u << verb;
		p->e[verb] = p->e[VERB_CREATE];
	}
}

static void place_judge(struct learn *l, struct place *p)
{
	bool learned = false, refused = false;

	for (unsigned verb = 0; verb < VERB_PATH_COUNT; verb++) {
		struct policy_action a = { .verb = verb, .path = p->path, .path_len = p->len };
		const char *why;

		if (!(p->verbs & 1u << verb) || is_covered(l, &a, &p->e[verb]))
			continue;
		why = denied_by(l->base, &a);
		why = why ? why : never_path(l, verb, p->path, p->len);
		if (!why && (p->directory || verb == VERB_CREATE || verb == VERB_REMOVE))
			why = broad_path(p->path, p->len);
		if (why)
			action_remark(l, &a, &p->e[verb], why);
		else
			p->wanted |= 1u << verb;
		refused |= why != NULL;
		learned |= !why;
	}
	place_later(l, p);
	l->totals.learned += learned;
	l->totals.refused += refused && !learned;
	l->totals.covered += !learned && !refused;
}

static void peer_judge(struct learn *l, struct peer *p)
{
	struct policy_action a = { .verb = p->listens ? VERB_LISTEN : VERB_CONNECT, .port = p->port, .proto = p->proto };
	const char *why;

	memcpy(a.addr, p->addr, sizeof(a.addr));
	if (is_covered(l, &a, &p->e)) {
		l->totals.covered++;
		return;
	}
	why = denied_by(l->base, &a);
	why = why ? why : never_peer(l, p);
	if (why)
		action_remark(l, &a, &p->e, why);
	p->wanted = !why;
	l->totals.learned += !why;
	l->totals.refused += why != NULL;
}

/* ---- renames: a new name may grant nothing that the old one lacked ---- */

static struct place *place_find(struct learn *l, const char *path, size_t len)
{
	struct place key = { .path = (char *)path, .len = len };
	size_t low = 0, high = l->place_count;

	while (low < high) {
		size_t mid = (low + high) / 2;
		struct place *p = &l->places[mid];

		if (p->len == len && !memcmp(p->path, path, len))
			return p;
		if (place_order(p, &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static bool has_right(const struct learn *l, const char *path, size_t len, unsigned verb)
{
	struct policy_action a = { .verb = verb, .path = path, .path_len = len };
	struct policy_verdict v;

	if (policy_eval(l->base, &a, &v) || denied_by(l->base, &a))
		return false;
	return v.allowed || learned_allows(l, path, len, verb);
}

/* True: something more is wanted. Never to execute what had no right to be executed: a program gets EXDEV then, and copies. */
static bool renaming_close(struct learn *l, struct renaming *r)
{
	struct place *from = place_find(l, r->from, r->from_len);
	bool more = false;

	r->fails = false;
	for (unsigned verb = 0; verb <= VERB_EXECUTE; verb++) {
		if (!has_right(l, r->to, r->to_len, verb) || has_right(l, r->from, r->from_len, verb))
			continue;
		if (!from || verb == VERB_EXECUTE || never_path(l, verb, r->from, r->from_len) || from->wanted & 1u << verb) {
			r->fails = true;
			continue;
		}
		from->wanted |= 1u << verb;
		more = true;
	}
	return more;
}

static bool renamings_close(struct learn *l)
{
	bool more = false;

	for (size_t i = 0; i < l->renaming_count; i++)
		more |= renaming_close(l, &l->renamings[i]);
	return more;
}

static void renamings_remark(struct learn *l)
{
	for (size_t i = 0; i < l->renaming_count; i++) {
		const struct renaming *r = &l->renamings[i];
		_buf_ struct buf text = {};

		if (!r->fails)
			continue;
		buf_add_str(&text, "rename ");
		buf_add_terminal(&text, r->from, r->from_len);
		buf_add_str(&text, " to ");
		buf_add_terminal(&text, r->to, r->to_len);
		if (!text.err)
			learn_remark(l, false, &(struct evidence){ .count = 1 }, text.data, "the new name would grant what the old one lacks: EXDEV, programs copy then");
	}
}

/* Each round wants more of something, and there are so many verbs of so many places; a few rounds do. */
#define ROUNDS 8

int learn_work(struct learn *l)
{
	int err;

	places_unite(l);
	peers_unite(l);
	l->totals.seen = l->place_count + l->peer_count;
	for (size_t i = 0; i < l->place_count; i++)
		place_judge(l, &l->places[i]);
	for (size_t i = 0; i < l->peer_count; i++)
		peer_judge(l, &l->peers[i]);
	for (int round = 0; round < ROUNDS; round++) {
		rules_drop(l);
		err = learn_tree(l);
		if (err || !renamings_close(l))
			break;
	}
	renamings_remark(l);
	if (!err)
		err = learn_net(l);
	l->totals.rules = l->rule_count;
	return err ? err : l->d.err;
}

void learn_totals(const struct learn *l, struct learn_totals *out)
{
	*out = l->totals;
}
