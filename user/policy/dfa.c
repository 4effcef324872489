/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All patterns at once. A state is the row of everything that a parent directory matched (`below`: it holds for good) and the
 * set of positions that may still matter: a position whose rules can change nothing any more, because rules with smaller numbers
 * hold already, is dropped, or k patterns with "**" would make 2^k states.
 */
#include "policy/dfa_set.h"

void list_done(struct list *l)
{
	free(l->items);
	*l = (struct list){};
}

bool list_add(struct compiler *c, struct list *l, uint32_t item)
{
	size_t cap = l->cap ? l->cap * 2 : 64;
	uint32_t *items;

	if (l->count == l->cap) {
		items = reallocarray(l->items, cap, sizeof(*items));
		if (!items)
			return compile_fail(c, -ENOMEM);
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = item;
	return true;
}

void dfa_result_done(struct dfa_result *r)
{
	free(r->states);
	free(r->edges);
	*r = (struct dfa_result){};
}

static void dfa_done(struct dfa *f)
{
	intern_done(&f->states);
	list_done(&f->now);
	list_done(&f->common);
	list_done(&f->slash);
	list_done(&f->set);
	list_done(&f->touched);
	list_done(&f->sinks);
	for (int i = 0; i < 256; i++)
		list_done(&f->by_class[i]);
	byte_classes_done(&f->classes);
	free(f->mark);
	free(f->groups);
}

/* ---- leaving a state ---- */

static void class_leave(struct dfa *f, uint32_t class, uint32_t element)
{
	struct list *to = class == f->classes.slash ? &f->slash : &f->by_class[class];

	if (class != f->classes.slash && !to->count)
		list_add(f->c, &f->touched, class);
	list_add(f->c, to, element);
}

static void children_leave(struct dfa *f, const struct position *at)
{
	for (uint32_t child = at->first; child; child = f->n->positions[child].sibling) {
		const struct position *to = &f->n->positions[child];
		uint32_t element = ELEMENT(child, PHASE_HERE);

		if (to->kind != POSITION_BYTE)
			continue;	/* in the set already */
		if (to->set == f->n->set_not_slash) {
			list_add(f->c, &f->common, element);
		} else if (f->classes.only[to->set] >= 0) {
			class_leave(f, f->classes.only[to->set], element);
		} else {
			for (uint32_t k = 0; k < f->classes.count; k++) {
				if (set_contains(&f->classes.of_set[to->set], k))
					class_leave(f, k, element);
			}
		}
	}
}

/* The bytes that a "*" or "**" takes for itself, and a match that holds for good. */
static void loops_leave(struct dfa *f, uint32_t element, const struct position *at)
{
	uint32_t position = element >> 2, phase = element & 3;

	if (phase == PHASE_BELOW) {
		list_add(f->c, &f->common, element);
		list_add(f->c, &f->slash, element);
	} else if (at->kind == POSITION_STAR) {
		list_add(f->c, &f->common, element);
	} else if (at->kind == POSITION_GLOBSTAR) {
		if (phase != PHASE_HERE)
			list_add(f->c, &f->common, ELEMENT(position, PHASE_INSIDE));
		if (phase != PHASE_SLASH)
			list_add(f->c, &f->slash, ELEMENT(position, PHASE_SLASH));
	}
}

/* A "/" behind a complete pattern: everything below matches. */
static void completed_leave(struct dfa *f, const struct position *at, uint32_t *below)
{
	const struct group *g = &f->n->groups[at->group];

	if (!at->group)
		*below = row_union(f->c, *below, at->row);
	else
		list_add(f->c, &f->slash, ELEMENT(at->is_except ? g->except_roots[0] : g->main_roots[0], PHASE_BELOW));
}

void dfa_leave_begin(struct dfa *f)
{
	f->now.count = f->common.count = f->slash.count = 0;
	for (size_t i = 0; i < f->touched.count; i++)
		f->by_class[f->touched.items[i]].count = 0;
	f->touched.count = 0;
}

void dfa_leave(struct dfa *f, uint32_t *slash_below)
{
	for (size_t i = 0; i < f->now.count; i++) {
		uint32_t element = f->now.items[i];
		const struct position *at = position_of(f, element);

		loops_leave(f, element, at);
		if (is_ready(element))
			children_leave(f, at);
		if (is_complete(f, element))
			completed_leave(f, at, slash_below);
	}
}

/* Take the state apart: its elements into now, the lists empty. Returns its `below`. */
static uint32_t state_open(struct dfa *f, uint32_t state)
{
	size_t len;
	const uint32_t *key = intern_get(&f->states, state, &len);

	dfa_leave_begin(f);
	for (size_t i = 0; i < len / 4 - 1; i++)
		list_add(f->c, &f->now, key[i]);
	return key[len / 4 - 1];
}

static void edge_add(struct dfa *f, uint32_t state, uint32_t class, uint32_t to)
{
	struct dfa_edge *place;

	if (to == f->out->states[state].fall)
		return;
	place = vec_push(f->c->d, &f->out->edges, &f->out->edge_count, sizeof(*place));
	if (!place) {
		compile_fail(f->c, -ENOMEM);
		return;
	}
	*place = (struct dfa_edge){ class, to };
	f->out->states[state].edge_count++;
}

static void state_leave(struct dfa *f, uint32_t state)
{
	uint32_t below = state_open(f, state), slash_below = below, to;

	dfa_leave(f, &slash_below);
	to = dfa_set_make(f, &f->common, NULL, below);
	if (f->c->err)
		return;
	f->out->states[state].fall = to;
	f->out->states[state].edges = f->out->edge_count;
	to = dfa_set_make(f, &f->slash, NULL, slash_below);
	edge_add(f, state, f->classes.slash, to);
	for (size_t i = 0; i < f->touched.count && !f->c->err; i++) {
		to = dfa_set_make(f, &f->common, &f->by_class[f->touched.items[i]], below);
		edge_add(f, state, f->touched.items[i], to);
	}
}

void dfa_roots_take(struct dfa *f, uint32_t anchor)
{
	const struct nfa *n = f->n;

	if (n->shared_roots[anchor])
		dfa_set_take(f, ELEMENT(n->shared_roots[anchor], PHASE_HERE));
	for (size_t i = 1; i < n->group_count; i++) {
		if (n->groups[i].main_roots[anchor])
			dfa_set_take(f, ELEMENT(n->groups[i].main_roots[anchor], PHASE_HERE));
		if (n->groups[i].except_roots[anchor])
			dfa_set_take(f, ELEMENT(n->groups[i].except_roots[anchor], PHASE_HERE));
	}
}

static void start_make(struct dfa *f)
{
	dfa_set_begin(f);
	dfa_roots_take(f, 0);
	(void)dfa_set_settle(f, ROW_EMPTY);
}

bool dfa_build(struct compiler *c, const struct nfa *n, size_t state_limit, struct dfa_result *out)
{
	_cleanup_(dfa_done) struct dfa f = { .c = c, .n = n, .out = out };

	f.mark = calloc(n->position_count * 4, sizeof(*f.mark));
	f.groups = calloc(n->group_count, sizeof(*f.groups));
	if (!f.mark || !f.groups)
		return compile_fail(c, -ENOMEM);
	if (!byte_classes_find(c, n, &f.classes))
		return false;
	memcpy(out->class_of, f.classes.of_byte, sizeof(out->class_of));
	out->class_count = f.classes.count;
	start_make(&f);
	if (!dfa_anchors_begin(&f))
		return false;
	for (uint32_t i = 0; i < f.states.count && !c->err; i++) {
		if (f.states.count > state_limit || f.work > RAW_WORK_MAX) {
			out->too_big = true;
			return true;
		}
		state_leave(&f, i);
	}
	dfa_anchors_end(&f);
	return !c->err;
}
