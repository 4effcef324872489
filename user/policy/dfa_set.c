/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of positions, and the state that it becomes: what can change nothing any more is dropped, what holds for good is in `below`, and equal
 * sets are one state.
 */
#include "policy/dfa_set.h"

void dfa_set_take(struct dfa *f, uint32_t element)
{
	f->work++;
	if (f->mark[element] == f->mark_now)
		return;
	f->mark[element] = f->mark_now;
	list_add(f->c, &f->set, element);
}

/* What stars and "**" reach without a byte. */
void dfa_set_close(struct dfa *f)
{
	for (size_t i = 0; i < f->set.count; i++) {
		uint32_t element = f->set.items[i], child;

		if (!is_ready(element))
			continue;
		for (child = position_of(f, element)->first; child; child = f->n->positions[child].sibling) {
			if (f->n->positions[child].kind != POSITION_BYTE)
				dfa_set_take(f, ELEMENT(child, PHASE_HERE));
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
		if (reach->deny[v] < below->deny[v] || (below->deny[v] >= CELL_RECORD && reach->allow[v] < below->allow[v]))
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

uint32_t dfa_set_row(struct dfa *f, uint32_t below)
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

void dfa_state_add(struct dfa *f, uint32_t row)
{
	struct dfa_state *place = vec_push(f->c->d, &f->out->states, &f->out->state_count, sizeof(*place));

	if (place)
		place->row = row;
	else
		compile_fail(f->c, -ENOMEM);
}

/* The set that was taken becomes a state: closed, pruned, sorted, numbered. */
uint32_t dfa_set_settle(struct dfa *f, uint32_t below)
{
	uint32_t state = 0, count = f->states.count, kept = 0;
	struct row row;

	dfa_set_close(f);
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
		dfa_state_add(f, dfa_set_row(f, below));
	return state;
}

void dfa_set_begin(struct dfa *f)
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
		dfa_set_begin(f);
		f->sinks.items[below] = dfa_set_settle(f, below) + 1;
	}
	return f->sinks.items[below] - 1;
}

uint32_t dfa_set_make(struct dfa *f, const struct list *a, const struct list *b, uint32_t below)
{
	if (!a->count && (!b || !b->count))
		return sink_make(f, below);
	dfa_set_begin(f);
	for (size_t i = 0; i < a->count; i++)
		dfa_set_take(f, a->items[i]);
	for (size_t i = 0; b && i < b->count; i++)
		dfa_set_take(f, b->items[i]);
	return dfa_set_settle(f, below);
}
