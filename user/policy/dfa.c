/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All patterns at once. A state is the row of everything that a parent directory matched (`below`: it holds for good) and the
 * set of positions that may still matter: a position whose rules can change nothing any more, because rules with smaller numbers
 * hold already, is dropped, or k patterns with "**" would make 2^k states.
 */
#include "policy/dfa.h"

#define ELEMENT(position, phase) ((position) << 2 | (phase))

struct group_state {
	uint32_t mark;
	bool main, except, below, dropped;
};
struct dfa {
	struct compiler *c;
	const struct nfa *n;
	struct dfa_result *out;
	struct intern states;		/* {below, elements...}, elements sorted */
	struct byte_classes classes;
	struct list now;		/* the state that is being left */
	struct list common, slash, by_class[256];	/* where its bytes lead; by_class: beyond common */
	struct list touched;		/* classes whose by_class is not empty */
	struct list set;		/* the state that is being made */
	uint32_t *mark, mark_now;	/* element -> the last set that took it */
	size_t work;			/* elements taken so far, again ones too */
	struct list sinks;		/* by row of `below`: the state that nothing leaves + 1; most bytes of a literal path lead there */
	struct group_state *groups;
};

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

/* ---- making a state ---- */

static const struct position *position_of(const struct dfa *f, uint32_t element)
{
	return &f->n->positions[element >> 2];
}

/* At a place where the next byte is the next item's: everywhere but behind the "/" of a "**". */
static bool is_ready(uint32_t element)
{
	return (element & 3) == PHASE_HERE || (element & 3) == PHASE_INSIDE;
}

static bool is_complete(const struct dfa *f, uint32_t element)
{
	return is_ready(element) && position_of(f, element)->ends;
}

static void set_take(struct dfa *f, uint32_t element)
{
	f->work++;
	if (f->mark[element] == f->mark_now)
		return;
	f->mark[element] = f->mark_now;
	list_add(f->c, &f->set, element);
}

/* What stars and "**" reach without a byte. */
static void set_close(struct dfa *f)
{
	for (size_t i = 0; i < f->set.count; i++) {
		uint32_t element = f->set.items[i], child;

		if (!is_ready(element))
			continue;
		for (child = position_of(f, element)->first; child; child = f->n->positions[child].sibling) {
			if (f->n->positions[child].kind != POSITION_BYTE)
				set_take(f, ELEMENT(child, PHASE_HERE));
		}
	}
}

static struct group_state *group_seen(struct dfa *f, uint32_t group)
{
	struct group_state *g = &f->groups[group];

	if (g->mark != f->mark_now)
		*g = (struct group_state){ .mark = f->mark_now };
	return g;
}

/* Which private groups are decided: a match below that no exception can undo any more is one for good. */
static void groups_settle(struct dfa *f, uint32_t *below)
{
	for (size_t i = 0; i < f->set.count; i++) {
		const struct position *at = position_of(f, f->set.items[i]);
		struct group_state *g = group_seen(f, at->group);
		bool is_below = (f->set.items[i] & 3) == PHASE_BELOW;

		g->dropped |= at->is_except && is_below;
		g->except |= at->is_except;
		g->main |= !at->is_except;
		g->below |= !at->is_except && is_below;
	}
	for (size_t i = 0; i < f->set.count; i++) {
		uint32_t group = position_of(f, f->set.items[i])->group;
		struct group_state *g = &f->groups[group];

		if (!group || g->dropped)
			continue;
		if (g->below && !g->except)
			*below = row_union(f->c, *below, f->n->groups[group].row);
		g->dropped = !g->main || (g->below && !g->except);
	}
}

/* Could a rule within reach still change a row that holds at least `below`? */
static bool is_relevant(const struct row *reach, const struct row *below)
{
	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (reach->deny[v] < below->deny[v] || (below->deny[v] == CELL_NONE && reach->allow[v] < below->allow[v]))
			return true;
	}
	return false;
}

static bool is_kept(const struct dfa *f, uint32_t element, const struct row *below)
{
	const struct position *at = position_of(f, element);
	const struct group_state *g = &f->groups[at->group];

	if (!at->group)
		return is_relevant(&at->reach, below);
	if (g->dropped || (g->below && !at->is_except && (element & 3) != PHASE_BELOW))
		return false;
	return is_relevant(&f->n->groups[at->group].reach, below);
}

static int element_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static uint32_t row_here(struct dfa *f, uint32_t below)
{
	uint32_t row = below;

	f->mark_now++;
	for (size_t i = 0; i < f->set.count; i++) {
		uint32_t element = f->set.items[i];
		const struct position *at = position_of(f, element);
		bool hit = is_complete(f, element) || (element & 3) == PHASE_BELOW;

		if (hit && !at->group)
			row = row_union(f->c, row, at->row);
		else if (hit && at->is_except)
			group_seen(f, at->group)->except = true;
		else if (hit)
			group_seen(f, at->group)->main = true;
	}
	for (size_t i = 0; i < f->set.count; i++) {
		uint32_t group = position_of(f, f->set.items[i])->group;
		const struct group_state *g = group_seen(f, group);

		if (group && g->main && !g->except)
			row = row_union(f->c, row, f->n->groups[group].row);
	}
	return row;
}

static void state_add(struct dfa *f, uint32_t row)
{
	struct dfa_state *place = vec_push(f->c->d, &f->out->states, &f->out->state_count, sizeof(*place));

	if (place)
		place->row = row;
	else
		compile_fail(f->c, -ENOMEM);
}

/* The set that was taken becomes a state: closed, pruned, sorted, numbered. */
static uint32_t set_settle(struct dfa *f, uint32_t below)
{
	uint32_t state = 0, count = f->states.count, kept = 0;
	struct row row;

	set_close(f);
	groups_settle(f, &below);
	row = row_get(f->c, below);
	for (size_t i = 0; i < f->set.count; i++) {
		if (is_kept(f, f->set.items[i], &row))
			f->set.items[kept++] = f->set.items[i];
	}
	f->set.count = kept;
	if (kept > 1)
		qsort(f->set.items, kept, sizeof(uint32_t), element_order);
	list_add(f->c, &f->set, below);	/* last, so that the elements need not move */
	if (f->c->err || intern_add(&f->states, f->set.items, f->set.count * sizeof(uint32_t), &state)) {
		compile_fail(f->c, -ENOMEM);
		return 0;
	}
	f->set.count--;
	if (state == count)
		state_add(f, row_here(f, below));
	return state;
}

static void set_begin(struct dfa *f)
{
	f->mark_now++;
	f->set.count = 0;
}

static uint32_t sink_make(struct dfa *f, uint32_t below)
{
	while (f->sinks.count <= below) {
		if (!list_add(f->c, &f->sinks, 0))
			return 0;
	}
	if (!f->sinks.items[below]) {
		set_begin(f);
		f->sinks.items[below] = set_settle(f, below) + 1;
	}
	return f->sinks.items[below] - 1;
}

static uint32_t set_make(struct dfa *f, const struct list *a, const struct list *b, uint32_t below)
{
	if (!a->count && (!b || !b->count))
		return sink_make(f, below);
	set_begin(f);
	for (size_t i = 0; i < a->count; i++)
		set_take(f, a->items[i]);
	for (size_t i = 0; b && i < b->count; i++)
		set_take(f, b->items[i]);
	return set_settle(f, below);
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
		list_add(f->c, &f->slash, ELEMENT(at->is_except ? g->except_root : g->main_root, PHASE_BELOW));
}

/* Take the state apart: its elements into now, the lists empty. Returns its `below`. */
static uint32_t state_open(struct dfa *f, uint32_t state)
{
	size_t len;
	const uint32_t *key = intern_get(&f->states, state, &len);

	f->now.count = f->common.count = f->slash.count = 0;
	for (size_t i = 0; i < f->touched.count; i++)
		f->by_class[f->touched.items[i]].count = 0;
	f->touched.count = 0;
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

	for (size_t i = 0; i < f->now.count; i++) {
		uint32_t element = f->now.items[i];
		const struct position *at = position_of(f, element);

		loops_leave(f, element, at);
		if (is_ready(element))
			children_leave(f, at);
		if (is_complete(f, element))
			completed_leave(f, at, &slash_below);
	}
	to = set_make(f, &f->common, NULL, below);
	if (f->c->err)
		return;
	f->out->states[state].fall = to;
	f->out->states[state].edges = f->out->edge_count;
	to = set_make(f, &f->slash, NULL, slash_below);
	edge_add(f, state, f->classes.slash, to);
	for (size_t i = 0; i < f->touched.count && !f->c->err; i++) {
		to = set_make(f, &f->common, &f->by_class[f->touched.items[i]], below);
		edge_add(f, state, f->touched.items[i], to);
	}
}

static void start_make(struct dfa *f)
{
	set_begin(f);
	set_take(f, ELEMENT(1u, PHASE_HERE));
	for (size_t i = 1; i < f->n->group_count; i++) {
		set_take(f, ELEMENT(f->n->groups[i].main_root, PHASE_HERE));
		set_take(f, ELEMENT(f->n->groups[i].except_root, PHASE_HERE));
	}
	(void)set_settle(f, ROW_EMPTY);
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
	for (uint32_t i = 0; i < f.states.count && !c->err; i++) {
		if (f.states.count > state_limit || f.work > RAW_WORK_MAX) {
			out->too_big = true;
			return true;
		}
		state_leave(&f, i);
	}
	return !c->err;
}
