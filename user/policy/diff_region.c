/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where paths differ, in the words of the rules that decide there: each pattern of such a rule is run beside the two images, and either
 * every path that it matches differs in that way, or one that does not is named.
 */
#include "policy/diff.h"

#define REGION_WORK (1u << 22)	/* tuples looked at for all patterns together; beyond that only the examples are given */

/* What one pattern is to one group. */
struct relation {
	bool meets, whole;
	uint32_t but;		/* the first tuple outside of the group; 0: none */
};
struct region_search {
	struct diff_places *places;
	struct product product;
	struct automaton pattern;
	bool *live;		/* of the pattern's states: it may still match */
	struct relation *relations;	/* of each group */
	struct intern seen;	/* pairs of rows: the first path to one says all of it */
	int err;
};

static void region_search_done(struct region_search *s)
{
	product_done(&s->product);
	automaton_done(&s->pattern);
	intern_done(&s->seen);
	free(s->live);
	free(s->relations);
}

static int pattern_automaton(const struct pattern *pattern, struct automaton *out)
{
	struct rule rule = { .file = "", .word = "read", .paths = (struct pattern *)pattern, .path_count = 1, .verbs = 1u << VERB_READ };
	struct rule *rules[] = { &rule };
	char *files[] = { "" };
	struct policy alone = { .rules = rules, .rule_count = 1, .files = files, .file_count = 1 };
	struct policy_image img = {};
	struct diags d = {};
	int err = policy_compile(&alone, &img, &d);

	if (!err)
		err = automaton_make(&img, out);
	policy_image_done(&img);
	diags_done(&d);
	return err;
}

/* Backwards from the states that match, until nothing is added. */
static int live_find(struct region_search *s)
{
	const struct automaton *p = &s->pattern;
	bool more = true;

	s->live = calloc(p->state_count, sizeof(*s->live));
	if (!s->live)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->state_count; i++)
		s->live[i] = p->row[i] != ROW_NO_PATH && automaton_row(p, i).allowed;
	while (more) {
		more = false;
		for (uint32_t i = p->state_count; i--;) {
			for (uint32_t k = 0; k < p->class_count && !s->live[i]; k++) {
				uint32_t to = p->next[(size_t)i * p->class_count + k];

				s->live[i] = to != STATE_DEAD && s->live[to];
				more |= s->live[i];
			}
		}
	}
	return 0;
}

static bool tuple_wanted(const uint32_t *tuple, void *ctx)
{
	const struct region_search *s = ctx;

	return s->live[tuple[2]];
}

static bool is_own_place(const struct verdict_row *was, const struct verdict_row *is, uint32_t verb)
{
	bool refused = !((was->allowed | is->allowed) >> verb & 1);

	return refused && (was->rule[verb] == RULE_BUILTIN(SELF) || is->rule[verb] == RULE_BUILTIN(SELF));
}

static bool tuple_visit(uint32_t number, const uint32_t *tuple, void *ctx)
{
	struct region_search *s = ctx;
	uint32_t rows[2] = { s->places->a->row[tuple[0]], s->places->b->row[tuple[1]] }, ignored;
	size_t before = s->seen.count;
	struct verdict_row was, is;

	if (!automaton_row(&s->pattern, tuple[2]).allowed)
		return true;
	s->err = intern_add(&s->seen, rows, sizeof(rows), &ignored);
	if (s->err || s->seen.count == before)
		return !s->err;
	was = automaton_row(s->places->a, tuple[0]);
	is = automaton_row(s->places->b, tuple[1]);
	for (uint32_t i = 0; i < s->places->groups.count; i++) {
		struct relation *r = &s->relations[i];
		struct diff_group g;

		memcpy(&g, intern_get(&s->places->groups, i, NULL), sizeof(g));
		if (is_own_place(&was, &is, g.verb))
			continue;	/* refused by every policy: not worth a reservation */
		if (diff_group_has(s->places, &g, &was, &is)) {
			r->meets = true;
			continue;
		}
		if (r->whole)
			r->but = number;
		r->whole = false;
	}
	return true;
}

static int relations_find(struct region_search *s, const struct pattern *pattern, size_t *work)
{
	int err = pattern_automaton(pattern, &s->pattern);

	if (!err)
		err = live_find(s);
	if (err)
		return err;
	s->relations = calloc(s->places->groups.count, sizeof(*s->relations));
	if (!s->relations)
		return -ENOMEM;
	for (size_t i = 0; i < s->places->groups.count; i++)
		s->relations[i].whole = true;
	s->product = (struct product){
		.of = { s->places->a, s->places->b, &s->pattern }, .width = 3, .limit = *work, .wanted = tuple_wanted, .visit = tuple_visit,
		.ctx = s,
	};
	err = product_walk(&s->product);
	*work -= s->product.tuples.count < *work ? s->product.tuples.count : *work;
	return err ? err : s->err;
}

static int region_add(const struct region_search *s, struct policy_difference *f, const struct pattern *pattern, const struct relation *r)
{
	struct diags ignored = {};
	struct policy_region *region = vec_push(&ignored, &f->regions, &f->region_count, sizeof(*region));
	struct buf but = {};

	if (!region)
		return -ENOMEM;
	region->pattern = pattern->text;
	region->whole = r->whole;
	if (!r->whole && product_path(&s->product, r->but, &but)) {
		buf_done(&but);
		return -ENOMEM;
	}
	region->but = but.data;
	return 0;
}

static bool is_by(const struct policy_difference *f, bool by_is, uint32_t rule)
{
	return f->by_is == by_is && (by_is ? f->is : f->was) == rule;
}

/* One pattern of a rule that makes differences. */
static int pattern_place(struct diff_places *places, const struct pattern *pattern, uint32_t rule, bool by_is, size_t *work)
{
	_cleanup_(region_search_done) struct region_search s = { .places = places };
	int err = relations_find(&s, pattern, work);

	for (size_t i = 0; i < places->found_count && !err; i++) {
		if (is_by(&places->found[i], by_is, rule) && s.relations[i].meets)
			err = region_add(&s, &places->found[i], pattern, &s.relations[i]);
	}
	return err;
}

static int rule_place(struct diff_places *places, const struct policy *p, uint32_t rule, bool by_is, size_t *work)
{
	bool any = false;
	int err = 0;

	for (size_t i = 0; i < places->found_count && !any; i++)
		any = is_by(&places->found[i], by_is, rule);
	for (size_t k = 0; any && k < p->rules[rule]->path_count && !err; k++)
		err = pattern_place(places, &p->rules[rule]->paths[k], rule, by_is, work);
	return err;
}

int diff_regions(struct diff_places *places)
{
	const struct policy *sides[] = { places->d->a, places->d->b };
	size_t work = REGION_WORK;
	int err = 0;

	for (int side = 0; side < 2; side++) {
		for (uint32_t i = 0; i < sides[side]->rule_count && !err; i++)
			err = rule_place(places, sides[side], i, side, &work);
	}
	return err == -E2BIG ? 0 : err;	/* the examples stand, and say enough */
}
