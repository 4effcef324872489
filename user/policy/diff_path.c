/* SPDX-License-Identifier: Apache-2.0 */
/* Paths that two images judge differently: every pair of states that some clean path reaches is looked at once. */
#include "policy/diff.h"

struct search {
	struct diff_places places;
	struct product product;
	struct automaton a, b;
	uint32_t *first;	/* of each group: the pair that a shortest path reaches */
	int err;
};

static void search_done(struct search *s)
{
	product_done(&s->product);
	automaton_done(&s->a);
	automaton_done(&s->b);
	intern_done(&s->places.groups);
	free(s->first);
}

static int group_note(struct search *s, const struct diff_group *g, uint32_t pair)
{
	size_t before = s->places.groups.count;
	uint32_t number, *grown;

	if (intern_add(&s->places.groups, g, sizeof(*g), &number))
		return -ENOMEM;
	if (s->places.groups.count == before)
		return 0;
	if (!(before & (before - 1))) {
		grown = reallocarray(s->first, before ? before * 2 : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->first = grown;
	}
	s->first[number] = pair;
	return 0;
}

static bool is_deny(const struct policy *p, uint32_t rule)
{
	return rule < p->rule_count && p->rules[rule]->deny;
}

/* The group of a verb whose answers differ. */
static struct diff_group group_of(const struct differ *d, uint32_t verb, const struct verdict_row *was, const struct verdict_row *is)
{
	struct diff_group g = { .verb = verb, .allows = is->allowed >> verb & 1 };

	g.by_is = g.allows ? !is_deny(d->a, was->rule[verb]) : is_deny(d->b, is->rule[verb]);
	g.rule = (g.by_is ? is : was)->rule[verb];
	return g;
}

bool diff_group_has(const struct diff_places *places, const struct diff_group *g, const struct verdict_row *was, const struct verdict_row *is)
{
	struct diff_group here = group_of(places->d, g->verb, was, is);

	return (was->allowed ^ is->allowed) >> g->verb & 1 && !memcmp(&here, g, sizeof(here));
}

static bool pair_visit(uint32_t number, const uint32_t *pair, void *ctx)
{
	struct search *s = ctx;
	struct verdict_row was = automaton_row(&s->a, pair[0]), is = automaton_row(&s->b, pair[1]);
	uint32_t differ = was.allowed ^ is.allowed;

	for (uint32_t v = 0; v < VERB_PATH_COUNT && !s->err; v++) {
		struct diff_group g = group_of(s->places.d, v, &was, &is);

		if (differ & 1u << v)
			s->err = group_note(s, &g, number);
	}
	return !s->err;
}

static void rules_take(const struct search *s, const struct diff_group *g, uint32_t number, struct policy_difference *f)
{
	uint32_t pair[2];

	memcpy(pair, intern_get(&s->product.tuples, number, NULL), sizeof(pair));
	f->was = automaton_row(&s->a, pair[0]).rule[g->verb];
	f->is = automaton_row(&s->b, pair[1]).rule[g->verb];
}

static int found_take(struct search *s)
{
	struct diff_places *places = &s->places;

	places->found_count = places->groups.count;
	places->found = calloc(places->found_count + 1, sizeof(*places->found));
	for (uint32_t i = 0; places->found && i < places->found_count; i++) {
		struct policy_difference *f = &places->found[i];
		struct buf path = {};
		struct diff_group g;

		memcpy(&g, intern_get(&places->groups, i, NULL), sizeof(g));
		*f = (struct policy_difference){ .allows = g.allows, .verbs = 1u << g.verb, .by_is = g.by_is };
		rules_take(s, &g, s->first[i], f);
		if (product_path(&s->product, s->first[i], &path))
			return -ENOMEM;
		f->path = path.data;
		f->path_len = path.len;
	}
	return places->found ? 0 : -ENOMEM;
}

/* ---- verbs that say the same are one item ---- */

static bool regions_equal(const struct policy_difference *x, const struct policy_difference *y)
{
	if (x->region_count != y->region_count)
		return false;
	for (size_t i = 0; i < x->region_count; i++) {
		const struct policy_region *p = &x->regions[i], *q = &y->regions[i];

		if (strcmp(p->pattern, q->pattern) || p->whole != q->whole || !p->but != !q->but || (p->but && strcmp(p->but, q->but)))
			return false;
	}
	return true;
}

static bool differences_join(struct policy_difference *into, const struct policy_difference *more)
{
	if (into->allows != more->allows || into->was != more->was || into->is != more->is || !into->path || strcmp(into->path, more->path) ||
	    !regions_equal(into, more))
		return false;
	into->verbs |= more->verbs;
	return true;
}

static int found_give(struct search *s)
{
	struct policy_diff *out = s->places.d->out;

	for (size_t i = 0; i < s->places.found_count; i++) {
		struct policy_difference *f = &s->places.found[i], *place = NULL;
		bool joined = false;

		for (size_t k = 0; k < out->count && !joined; k++)
			joined = differences_join(&out->items[k], f);
		if (joined)
			continue;
		place = difference_add((struct differ *)s->places.d, f->allows, f->verbs, f->was, f->is);
		if (!place)
			return -ENOMEM;
		*place = *f;
		*f = (struct policy_difference){};
	}
	return 0;
}

static void found_done(struct search *s)
{
	for (size_t i = 0; s->places.found && i < s->places.found_count; i++)
		difference_done(&s->places.found[i]);
	free(s->places.found);
}

int diff_paths(struct differ *d)
{
	_cleanup_(search_done) struct search s = { .places.d = d };
	int err = automaton_make(d->a_image, &s.a);

	if (!err)
		err = automaton_make(d->b_image, &s.b);
	if (err)
		return err;
	s.product = (struct product){ .of = { &s.a, &s.b }, .width = 2, .limit = DIFF_STATES_MAX, .visit = pair_visit, .ctx = &s };
	s.places.a = &s.a;
	s.places.b = &s.b;
	err = product_walk(&s.product);
	if (!err)
		err = s.err;
	if (!err)
		err = found_take(&s);
	if (!err)
		err = diff_regions(&s.places);
	if (!err)
		err = found_give(&s);
	found_done(&s);
	return err;
}
