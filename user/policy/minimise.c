/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which states of an automaton no path tells apart: a partition that is split by where the bytes lead until nothing splits. Only states whose
 * successors moved are looked at again, and of a block that splits the largest part stays what it is, so that a state moves at most log n
 * times: without that, a long name is a chain that costs its square.
 */
#include "policy/dfa.h"

struct partition {
	const struct dfa_result *r;
	uint32_t *elems, *loc;		/* states, by block; where each stands */
	uint32_t *block;		/* of each state */
	uint32_t *first, *mid, *end;	/* of each block: [first, mid) have to be looked at again */
	uint32_t *work;			/* blocks that have such; each once */
	uint32_t work_count, count;
	uint32_t *pred_at, *preds;	/* who leads to a state */
	uint32_t *group, *spare, *start, *key;
	struct intern keys;
};

static void partition_done(struct partition *p)
{
	uint32_t *const arrays[] = { p->elems, p->loc, p->first, p->mid, p->end, p->work, p->pred_at, p->preds, p->group, p->spare, p->start, p->key };

	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		free(arrays[i]);
	intern_done(&p->keys);
}

static int partition_make(struct partition *p)
{
	uint32_t **const arrays[] = { &p->elems, &p->loc, &p->first, &p->mid, &p->end, &p->work, &p->group, &p->spare };
	size_t n = p->r->state_count;

	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		*arrays[i] = calloc(n, sizeof(**arrays[i]));
		if (!*arrays[i])
			return -ENOMEM;
	}
	p->start = calloc(n + 1, sizeof(*p->start));
	p->pred_at = calloc(n + 2, sizeof(*p->pred_at));
	p->preds = calloc(n + p->r->edge_count, sizeof(*p->preds));
	p->key = calloc(p->r->class_count, sizeof(*p->key));
	return p->start && p->pred_at && p->preds && p->key ? 0 : -ENOMEM;
}

/* The k-th state that a state leads to, of edge_count + 1. */
static uint32_t successor(const struct dfa_result *r, uint32_t state, uint32_t k)
{
	const struct dfa_state *s = &r->states[state];

	return k < s->edge_count ? r->edges[s->edges + k].to : s->fall;
}

static void preds_find(struct partition *p)
{
	size_t n = p->r->state_count;

	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k <= p->r->states[i].edge_count; k++)
			p->pred_at[successor(p->r, i, k) + 2]++;
	}
	for (size_t i = 2; i < n + 2; i++)
		p->pred_at[i] += p->pred_at[i - 1];
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t k = 0; k <= p->r->states[i].edge_count; k++)
			p->preds[p->pred_at[successor(p->r, i, k) + 1]++] = i;
	}
}

static void place(struct partition *p, uint32_t state, uint32_t at)
{
	p->elems[at] = state;
	p->loc[state] = at;
}

static void mark(struct partition *p, uint32_t state)
{
	uint32_t b = p->block[state], at = p->loc[state], other;

	if (at < p->mid[b])
		return;
	if (p->mid[b] == p->first[b])
		p->work[p->work_count++] = b;
	other = p->elems[p->mid[b]];
	place(p, other, at);
	place(p, state, p->mid[b]++);
}

/* Blocks by row, all to be looked at. */
static int blocks_begin(struct partition *p)
{
	size_t n = p->r->state_count;
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (intern_add(&p->keys, &p->r->states[i].row, sizeof(uint32_t), &p->block[i]))
			return -ENOMEM;
		p->end[p->block[i]]++;
	}
	p->count = p->keys.count;
	for (uint32_t b = 0; b < p->count; b++) {
		p->first[b] = p->mid[b] = at;
		at += p->end[b];
		p->end[b] = at;
		p->work[p->work_count++] = b;
	}
	for (uint32_t i = 0; i < n; i++)
		place(p, i, p->mid[p->block[i]]++);
	return 0;
}

/* Where a state's bytes lead, as a number. */
static int signature(struct partition *p, uint32_t state, uint32_t *out)
{
	dfa_row_expand(p->r, state, p->block, p->key);
	return intern_add(&p->keys, p->key, p->r->class_count * sizeof(*p->key), out);
}

/* A group of those that were looked at, and with the first of them those that were not: they all lead where one of them does. */
static int groups_find(struct partition *p, uint32_t b, uint32_t *count)
{
	bool rest = p->mid[b] < p->end[b];
	uint32_t ignored;

	intern_reset(&p->keys);
	if (rest && signature(p, p->elems[p->mid[b]], &ignored))
		return -ENOMEM;
	for (uint32_t i = p->first[b]; i < p->mid[b]; i++) {
		if (signature(p, p->elems[i], &p->group[i]))
			return -ENOMEM;
	}
	*count = p->keys.count;
	return 0;
}

/* The block's states in the order of their groups, the first one last: its other members lie there. start[g]: where each ends. */
static void groups_sort(struct partition *p, uint32_t b, uint32_t count)
{
	uint32_t first = p->first[b], marked = p->mid[b] - first, at = first;

	memset(p->start, 0, (count + 1) * sizeof(*p->start));
	for (uint32_t i = 0; i < marked; i++) {
		p->spare[i] = p->elems[first + i];
		p->start[p->group[first + i]]++;
	}
	for (uint32_t g = 1; g <= count; g++) {
		uint32_t size = p->start[g % count];

		p->start[g % count] = at;
		at += size;
	}
	for (uint32_t i = 0; i < marked; i++)
		p->group[i + first] = p->start[p->group[i + first]]++;
	for (uint32_t i = 0; i < marked; i++)
		place(p, p->spare[i], p->group[i + first]);
}

/* A part of a block becomes one of its own; its states go behind those that have moved already. */
static void part_move(struct partition *p, uint32_t from, uint32_t to, uint32_t *moved)
{
	uint32_t b = p->count++;

	p->first[b] = p->mid[b] = from;
	p->end[b] = to;
	for (uint32_t i = from; i < to; i++) {
		p->block[p->elems[i]] = b;
		p->spare[(*moved)++] = p->elems[i];
	}
}

/* Where group g lies once its states are sorted. */
static uint32_t group_begin(const struct partition *p, uint32_t b, uint32_t g, uint32_t count)
{
	return g == 1 ? p->first[b] : p->start[(g ? g : count) - 1];
}

static uint32_t group_end(const struct partition *p, uint32_t b, uint32_t g)
{
	return g ? p->start[g] : p->end[b];
}

/* Every group but the largest moves out. How many states did. */
static uint32_t groups_part(struct partition *p, uint32_t b, uint32_t count)
{
	uint32_t keep = 0, moved = 0, from, to;

	for (uint32_t g = 1; g < count; g++) {
		if (group_end(p, b, g) - group_begin(p, b, g, count) > group_end(p, b, keep) - group_begin(p, b, keep, count))
			keep = g;
	}
	for (uint32_t g = 0; g < count; g++) {
		if (g != keep)
			part_move(p, group_begin(p, b, g, count), group_end(p, b, g), &moved);
	}
	from = group_begin(p, b, keep, count);
	to = group_end(p, b, keep);
	p->first[b] = from;
	p->end[b] = to;
	return moved;
}

static int block_split(struct partition *p, uint32_t b)
{
	uint32_t count, moved = 0;
	int err = groups_find(p, b, &count);

	if (err)
		return err;
	if (count > 1) {
		groups_sort(p, b, count);
		moved = groups_part(p, b, count);
	}
	p->mid[b] = p->first[b];
	for (uint32_t i = 0; i < moved; i++) {
		for (uint32_t k = p->pred_at[p->spare[i]]; k < p->pred_at[p->spare[i] + 1]; k++)
			mark(p, p->preds[k]);
	}
	return 0;
}

/* Blocks by their first state. */
static void blocks_number(struct partition *p)
{
	uint32_t known = 0;

	memset(p->start, 0xff, (p->r->state_count + 1) * sizeof(*p->start));
	for (size_t i = 0; i < p->r->state_count; i++) {
		uint32_t b = p->block[i];

		if (p->start[b] == UINT32_MAX)
			p->start[b] = known++;
		p->block[i] = p->start[b];
	}
}

int dfa_blocks(const struct dfa_result *r, uint32_t *block, uint32_t *count)
{
	_cleanup_(partition_done) struct partition p = { .r = r, .block = block };
	int err = partition_make(&p);

	if (err)
		return err;
	preds_find(&p);
	err = blocks_begin(&p);
	while (!err && p.work_count)
		err = block_split(&p, p.work[--p.work_count]);
	if (err)
		return err;
	blocks_number(&p);
	*count = p.count;
	return 0;
}
