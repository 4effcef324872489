/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy to an image: the parts are compiled apart and laid one behind the other as bpf/abi.h says. The classes of bytes come first, so
 * that no state of either automaton is at word 0: the kernel takes 0 for "no walk".
 */
#include "policy/compile.h"

struct parts {
	struct sparse_image sparse;
	struct dense_image dense;
	struct net_image net;
};

static void parts_done(struct parts *parts)
{
	sparse_image_done(&parts->sparse);
	dense_image_done(&parts->dense);
	net_image_done(&parts->net);
}

static unsigned bits_for(size_t count)
{
	unsigned bits = 0;

	while ((size_t)1 << bits < count)
		bits++;
	return bits;
}

static void classes_put(struct compiler *c, struct words *w, const struct dense_image *dense, struct policy_image *img)
{
	img->slot.class_off = w->count;
	for (unsigned i = 0; i < 256; i += 4)
		words_push(c, w, dense->class_of[i] | dense->class_of[i + 1] << 8 | dense->class_of[i + 2] << 16 |
				 (uint32_t)dense->class_of[i + 3] << 24);
}

static void rows_put(struct compiler *c, struct words *w, struct policy_image *img)
{
	img->slot.row_off = w->count;
	img->layout.rows = c->rows.count;
	for (uint32_t i = 0; i < c->rows.count; i++) {
		struct row row = row_get(c, i);

		for (int v = 0; v < VERB_PATH_COUNT; v++)
			words_push(c, w, (uint32_t)row.deny[v] << 16 | row.allow[v]);
		words_fill(c, w, UINT32_MAX, 8 - VERB_PATH_COUNT);
	}
}

static void dense_put(struct compiler *c, struct words *w, const struct dense_image *dense, struct policy_image *img)
{
	unsigned shift = bits_for(dense->class_count);
	uint32_t first = w->count, stride = (1u << shift) + 1;

	img->slot.class_shift = shift;
	img->slot.glob_start = first;
	img->layout.glob_states = dense->state_count;
	for (uint32_t i = 0; i < c->anchor_count; i++)
		img->layout.glob_anchors[i] = first + stride * dense->anchors[i];
	for (uint32_t i = 0; i < dense->state_count && !c->err; i++) {
		for (uint32_t k = 0; k < 1u << shift; k++)	/* no byte has a class behind the last: any state will do */
			words_push(c, w, first + stride * (k < dense->class_count ? dense->next[i * dense->class_count + k] : i));
		words_push(c, w, dense->rows[i]);
	}
}

static void sparse_put(struct compiler *c, struct words *w, const struct sparse_image *sparse, struct policy_image *img)
{
	uint32_t states = w->count, edges = states + 3 * sparse->state_count;

	img->slot.trie_start = states + 3 * sparse->start;
	img->layout.trie_off = states;
	for (uint32_t i = 0; i < c->anchor_count; i++)
		img->layout.trie_anchors[i] = states + 3 * sparse->anchors[i];
	img->layout.trie_states = sparse->state_count;
	img->layout.edge_off = edges;
	img->layout.edges = sparse->edge_count;
	for (size_t i = 0; i < sparse->state_count && !c->err; i++) {
		words_push(c, w, edges + 2 * sparse->states[i].base);
		words_push(c, w, states + 3 * sparse->states[i].fall);
		words_push(c, w, sparse->states[i].row);
	}
	for (size_t i = 0; i < sparse->edge_count && !c->err; i++) {
		bool used = sparse->check[i] != UINT32_MAX;

		words_push(c, w, used ? states + 3 * sparse->check[i] : UINT32_MAX);
		words_push(c, w, used ? states + 3 * sparse->next[i] : 0);
	}
}

/* Starts, padded with all ones, then sets, padded with the last: what is looked up behind the end is the last range. */
static void ranges_put(struct compiler *c, struct words *w, const struct net_ranges *ranges, bool v6, __u32 *off, __u32 *bits)
{
	*bits = bits_for(ranges->count);
	*off = w->count;
	if (*bits > NET_BITS_MAX)
		compile_too_big(c, NULL, "the network rules make more than %u ranges of addresses", 1u << NET_BITS_MAX);
	for (size_t i = 0; i < (size_t)1 << *bits && !c->err; i++) {
		addr_num first = i < ranges->count ? ranges->first[i] : (addr_num)-1;

		for (int shift = v6 ? 96 : 0; shift >= 0; shift -= 32)
			words_push(c, w, (uint32_t)(first >> shift));
	}
	for (size_t i = 0; i < (size_t)1 << *bits && !c->err; i++)
		words_push(c, w, ranges->set[i < ranges->count ? i : ranges->count - 1]);
}

static void table_put(struct compiler *c, struct words *w, const uint32_t *table, size_t count)
{
	size_t size = (size_t)1 << bits_for(count);

	for (size_t i = 0; i < size && !c->err; i++)
		words_push(c, w, i < count ? table[2 * i] : 0xffff);
	for (size_t i = 0; i < size && !c->err; i++)
		words_push(c, w, table[2 * (i < count ? i : count - 1) + 1]);
}

/* The sets point at tables that come behind them. */
static void sets_put(struct compiler *c, struct words *w, const struct net_image *net, struct policy_image *img)
{
	_free_ uint32_t *at = calloc(net->tables.count + 1, sizeof(*at)), *bits = calloc(net->tables.count + 1, sizeof(*bits));
	uint32_t off = w->count + 8 * net->sets.count, planes[4];
	size_t len;

	if (!at || !bits) {
		compile_fail(c, -ENOMEM);
		return;
	}
	for (uint32_t i = 0; i < net->tables.count; i++) {
		(void)intern_get(&net->tables, i, &len);
		bits[i] = bits_for(len / 8);
		at[i] = off;
		off += 2u << bits[i];
	}
	img->slot.netset_off = w->count;
	img->layout.net_sets = net->sets.count;
	for (uint32_t i = 0; i < net->sets.count; i++) {
		memcpy(planes, intern_get(&net->sets, i, NULL), sizeof(planes));
		for (int plane = 0; plane < 4; plane++) {
			words_push(c, w, at[planes[plane]]);
			words_push(c, w, bits[planes[plane]]);
		}
	}
	for (uint32_t i = 0; i < net->tables.count && !c->err; i++) {
		const uint32_t *table = intern_get(&net->tables, i, &len);

		table_put(c, w, table, len / 8);
	}
}

/* By rule and then by builtin: the verbs whose refusal kills. Only where any does. */
static void kills_put(struct compiler *c, struct words *w, struct policy_image *img)
{
	const struct policy *p = c->p;
	bool any = false;

	for (size_t i = 0; i < p->refusal_count; i++)
		any |= p->refusals[i].action == REFUSAL_KILL;
	if (!any)
		return;
	img->slot.kill_off = w->count;
	for (uint32_t i = 0; i < p->rule_count + B_COUNT && !c->err; i++) {
		uint32_t rule = i < p->rule_count ? i : BUILTIN_BASE + (i - p->rule_count), verbs = 0;

		for (unsigned verb = 0; verb < VERB_COUNT; verb++)
			verbs |= policy_refusal_kills(p, rule, verb) ? 1u << verb : 0;
		words_push(c, w, verbs);
	}
}

static void slot_fill(const struct policy *p, struct policy_slot *slot)
{
	slot->nrules = p->rule_count;
	slot->record = p->record;
	slot->flags = (p->open & 1u << PC_FILES ? SLOT_OPEN_FILES : 0) | (p->open & 1u << PC_NETWORK ? SLOT_OPEN_NETWORK : 0) |
		      (p->open & 1u << PC_SOCKETS ? SLOT_OPEN_SOCKETS : 0) | (p->io_uring ? SLOT_IO_URING : 0);
}

static void image_assemble(struct compiler *c, const struct parts *parts, struct words *w, struct policy_image *img)
{
	classes_put(c, w, &parts->dense, img);
	rows_put(c, w, img);
	dense_put(c, w, &parts->dense, img);
	sparse_put(c, w, &parts->sparse, img);
	ranges_put(c, w, &parts->net.v4, false, &img->slot.net4_off, &img->slot.net4_bits);
	ranges_put(c, w, &parts->net.v6, true, &img->slot.net6_off, &img->slot.net6_bits);
	sets_put(c, w, &parts->net, img);
	kills_put(c, w, img);
	slot_fill(c->p, &img->slot);
	anchors_put(c, img);
	texts_put(c, img);
	hint_put(c, img);
}

static __u64 stamp_of(const struct words *w)
{
	__u64 stamp = 0xcbf29ce484222325;	/* FNV-1a, by words */

	for (size_t i = 0; i < w->count; i++)
		stamp = (stamp ^ w->data[i]) * 0x100000001b3;
	return stamp ? stamp : 1;
}

int compile_image(const struct policy *p, struct policy_image *out, struct diags *diags)
{
	_cleanup_(parts_done) struct parts parts = {};
	struct compiler c = { .p = p, .d = diags };
	struct policy_image img = {};
	struct words w = {};

	anchors_find(&c);
	if (row_index(&c, row_none()) == ROW_EMPTY && !c.err && compile_dense(&c, &parts.dense) && compile_sparse(&c, &parts.sparse) &&
	    compile_network(&c, &parts.net))
		image_assemble(&c, &parts, &w, &img);
	intern_done(&c.rows);
	img.words = w.data;
	if (c.err) {
		policy_image_done(&img);
		return c.err;
	}
	img.count = w.count;
	img.stamp = stamp_of(&w);
	*out = img;
	return 0;
}

/* ---- moving an image ---- */

static void words_shift(__u32 *words, size_t count, size_t every, __u32 by)
{
	for (size_t i = 0; i < count; i++)
		words[i * every] += by;
}

void policy_image_relocate(struct policy_image *img, __u32 base)
{
	struct policy_slot *s = &img->slot;
	const struct policy_layout *l = &img->layout;
	__u32 *glob = img->words + (s->glob_start - img->base), *trie = img->words + l->trie_off, *edge = img->words + l->edge_off;
	__u32 classes = 1u << s->class_shift;

	for (__u32 i = 0; i < l->glob_states; i++)
		words_shift(glob + (size_t)i * (classes + 1), classes, 1, base);
	words_shift(trie, l->trie_states, 3, base);
	words_shift(trie + 1, l->trie_states, 3, base);
	for (__u32 i = 0; i < l->edges; i++) {
		if (edge[2 * i] != UINT32_MAX)
			words_shift(edge + 2 * i, 2, 1, base);
	}
	for (size_t at = 0; img->anchor_words; at += img->anchors[at + ANCHOR_NEXT]) {
		words_shift(img->anchors + at + ANCHOR_TRIE, 2, 1, base);
		if (!img->anchors[at + ANCHOR_NEXT])
			break;
	}
	words_shift(img->words + (s->netset_off - img->base), l->net_sets * 4, 2, base);
	s->class_off += base;
	s->row_off += base;
	s->glob_start += base;
	s->trie_start += base;
	s->net4_off += base;
	s->net6_off += base;
	s->netset_off += base;
	s->kill_off += s->kill_off ? base : 0;
	img->base += base;
}
