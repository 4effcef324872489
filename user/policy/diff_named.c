/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes that are ruled by name. Devices, set-id programs, what is kept and variables are patterns: they are put into a policy of files that
 * stands in for them, and the automata decide. Calls, capabilities and families are finite: each is asked about.
 */
#include <stdio.h>
#include "policy/diff.h"

/* ---- by pattern ---- */

/* The verb of files that stands in for each; every rule of theirs is an allow. */
static const struct stand_in {
	unsigned verb;
	enum verb as;
} stand_ins[] = {
	{ PV_USE, VERB_READ }, { PV_SET_ID, VERB_CHANGE }, { PV_KEEP, VERB_CREATE }, { PV_VARIABLE, VERB_REMOVE },
};

struct scene {
	struct rule *copies;
	struct rule **rules;
	uint32_t *number;	/* of each copy: the rule's own */
	struct policy policy;
	struct policy_image image;
};

static void scene_done(struct scene *s)
{
	for (size_t i = 0; i < s->policy.rule_count; i++)
		free(s->copies[i].paths);
	policy_image_done(&s->image);
	free(s->copies);
	free(s->rules);
	free(s->number);
}

static const struct stand_in *stand_in_of(const struct differ *d, const struct rule *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++) {
		if (rule->verbs == 1u << stand_ins[i].verb && !rule->by_count && !((d->a->open | d->b->open) >> rule->class & 1))
			return &stand_ins[i];
	}
	return NULL;	/* a class that is open on a side is told as such */
}

static int path_push(struct rule *copy, const char *text)
{
	struct diags ignored = {};
	struct pattern *pattern = vec_push(&ignored, &copy->paths, &copy->path_count, sizeof(*pattern));

	if (pattern)
		pattern->source = pattern->text = (char *)text;
	return pattern ? 0 : -ENOMEM;
}

/* A variable is a path of one name: its "*" means the same there. */
static int variable_push(struct differ *d, struct rule *copy, const char *name)
{
	struct diags ignored = {};
	char **text = vec_push(&ignored, &d->out->texts, &d->out->text_count, sizeof(*text));

	if (!text || asprintf(text, "/%s", name) < 0)
		return -ENOMEM;
	return path_push(copy, *text);
}

static int group_push(struct rule *copy, const char *group)
{
	const char *pattern;
	int err = 0;

	for (size_t i = 0; !err && (pattern = device_group_node(group, i)); i++)
		err = path_push(copy, pattern);
	return err;
}

static int copy_fill(struct differ *d, const struct rule *rule, const struct stand_in *as, struct rule *copy)
{
	int err = 0;

	*copy = (struct rule){ .file = "", .word = rule->word, .verbs = 1u << as->as };
	for (size_t i = 0; i < rule->node_count && !err; i++)
		err = path_push(copy, rule->nodes[i].text);
	for (size_t i = 0; i < rule->name_count && !err; i++)
		err = as->verb == PV_USE ? group_push(copy, rule->names[i]) : variable_push(d, copy, rule->names[i]);
	return err;
}

static int scene_make(struct differ *d, const struct policy *p, struct scene *s)
{
	static char *files[] = { "" };
	struct diags said = {};
	int err = 0;

	s->copies = calloc(p->rule_count + 1, sizeof(*s->copies));
	s->rules = calloc(p->rule_count + 1, sizeof(*s->rules));
	s->number = calloc(p->rule_count + 1, sizeof(*s->number));
	if (!s->copies || !s->rules || !s->number)
		return -ENOMEM;
	s->policy = (struct policy){ .rules = s->rules, .files = files, .file_count = 1 };
	for (uint32_t i = 0; i < p->rule_count && !err; i++) {
		const struct stand_in *as = stand_in_of(d, p->rules[i]);
		size_t n = s->policy.rule_count;

		if (!as)
			continue;
		s->rules[n] = &s->copies[n];
		s->number[n] = i;
		s->policy.rule_count++;
		err = copy_fill(d, p->rules[i], as, &s->copies[n]);
	}
	if (!err)
		err = policy_compile(&s->policy, &s->image, &said);
	diags_done(&said);
	return err;
}

static uint32_t rule_back(const struct scene *s, uint32_t rule, unsigned verb)
{
	return rule < s->policy.rule_count ? s->number[rule] : RULE_DEFAULT + verb_class(verb);
}

/* An item of the scene as one of the policies'. Takes it. */
static int item_take(struct differ *d, const struct scene s[2], struct policy_difference *f)
{
	unsigned verb = PV_USE;
	struct policy_difference *item;

	for (size_t i = 0; i < ARRAY_SIZE(stand_ins); i++) {
		if (f->verbs == 1u << stand_ins[i].as)
			verb = stand_ins[i].verb;
	}
	item = difference_add(d, f->allows, 1u << verb, rule_back(&s[0], f->was, verb), rule_back(&s[1], f->is, verb));
	if (!item)
		return -ENOMEM;
	f->verbs = item->verbs;
	f->was = item->was;
	f->is = item->is;
	*item = *f;
	*f = (struct policy_difference){};
	return 0;
}

int diff_nodes(struct differ *d)
{
	struct scene s[2] = {};
	struct policy_diff found = {};
	int err = scene_make(d, d->a, &s[0]);

	if (!err)
		err = scene_make(d, d->b, &s[1]);
	if (!err && (s[0].policy.rule_count || s[1].policy.rule_count)) {
		struct differ staged = { &s[0].policy, &s[1].policy, &s[0].image, &s[1].image, &found };

		err = diff_paths(&staged);
	}
	for (size_t i = 0; i < found.count && !err; i++)
		err = item_take(d, s, &found.items[i]);
	policy_diff_done(&found);
	scene_done(&s[0]);
	scene_done(&s[1]);
	return err;
}

/* ---- by word ---- */

struct pair {
	struct policy_verdict was, is;
};

static int pair_ask(const struct differ *d, unsigned verb, const char *name, struct pair *out)
{
	struct policy_action a = { .verb = verb, .name = name };
	int err = policy_eval(d->a, &a, &out->was);

	return err ? err : policy_eval(d->b, &a, &out->is);
}

/* What only the class's being open decides is told as such. */
static bool pair_tells(const struct differ *d, unsigned verb, const struct pair *p)
{
	bool by_open = (d->a->open ^ d->b->open) >> verb_class(verb) & 1 && (p->was.rule == RULE_NONE || p->is.rule == RULE_NONE);

	return p->was.allowed != p->is.allowed && !by_open;
}

static bool pairs_equal(const struct pair *x, const struct pair *y)
{
	return x->was.rule == y->was.rule && x->is.rule == y->is.rule;
}

/* A call that goes with its group is not named beside it. */
static bool group_says_it(const struct differ *d, const char *call, const struct pair *p)
{
	struct pair group;

	for (const char *const *g = call_groups; *g; g++) {
		if (strcmp(*g, call) && call_in_group(*g, call) && !pair_ask(d, PV_CALL, *g, &group) && pairs_equal(&group, p))
			return true;
	}
	return false;
}

/* Names that differ by the same rules are one item. */
static int name_note(struct differ *d, unsigned verb, const char *name)
{
	struct policy_difference *item = NULL;
	struct diags ignored = {};
	const char **place;
	struct pair p;
	int err = pair_ask(d, verb, name, &p);

	if (err || !pair_tells(d, verb, &p) || (verb == PV_CALL && group_says_it(d, name, &p)))
		return err;
	for (size_t i = 0; i < d->out->count && !item; i++) {
		struct policy_difference *f = &d->out->items[i];

		if (f->verbs == 1u << verb && f->was == p.was.rule && f->is == p.is.rule)
			item = f;
	}
	for (size_t i = 0; item && i < item->name_count; i++) {
		if (!strcmp(item->names[i], name))
			return 0;
	}
	if (!item)
		item = difference_add(d, p.is.allowed, 1u << verb, p.was.rule, p.is.rule);
	place = item ? vec_push(&ignored, &item->names, &item->name_count, sizeof(*place)) : NULL;
	if (place)
		*place = name;
	return place ? 0 : -ENOMEM;
}

static int words_note(struct differ *d, unsigned verb, const char *const *words)
{
	int err = 0;

	for (; *words && !err; words++)
		err = name_note(d, verb, *words);
	return err;
}

/* Calls beside groups: those that need one, and those that a policy refuses by name. The rest are ordinary on both sides. */
static int calls_note(struct differ *d)
{
	const struct policy *sides[] = { d->a, d->b };
	const char *call;
	int err = words_note(d, PV_CALL, call_groups);

	for (size_t i = 0; !err && (call = guarded_call(i)); i++)
		err = name_note(d, PV_CALL, call);
	for (size_t i = 0; i < 2 * d->a->rule_count + 2 * d->b->rule_count && !err; i++) {
		const struct policy *p = sides[i & 1];
		const struct rule *rule = i / 2 < p->rule_count ? p->rules[i / 2] : NULL;

		for (size_t k = 0; rule && rule->class == PC_CALLS && rule->deny && k < rule->name_count && !err; k++)
			err = name_note(d, PV_CALL, rule->names[k]);
	}
	return err;
}

int diff_names(struct differ *d)
{
	int err = words_note(d, PV_CAPABILITY, capability_words);

	if (!err)
		err = words_note(d, PV_FAMILY, family_words);
	return err ? err : calls_note(d);
}
