/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A walked path through a policy's automata (abi.h): from their start, or from behind the value of a parameter that the path lies under.
 */
#ifndef MATCH_BPF_H
#define MATCH_BPF_H

#include "path.bpf.h"

/* ---- the automata ---- */

#define RUN_STEP 16

struct states {
	__u32 trie, glob, class_off;
	__u64 hash;
};

static __always_inline __u32 arena_byte(struct arena *a, __u32 i)
{
	asm volatile("" : "+r"(i));
	i &= ARENA_WORDS * sizeof(__u32) - 1;
	return ((const __u8 *)a->words)[i];
}

static __always_inline void run_byte(struct arena *a, struct states *st, __u32 byte)
{
	__u32 edge = arena_word(a, st->trie) + 2 * byte;

	st->glob = arena_word(a, st->glob + arena_byte(a, st->class_off * sizeof(__u32) + byte));
	st->trie = arena_word(a, arena_word(a, edge) == st->trie ? edge + 1 : st->trie + 1);
	st->hash = (st->hash ^ byte) * PATH_HASH_TIMES;
}

static __always_inline void states_load(struct states *st, const struct walk *w)
{
	st->trie = w->trie;
	st->glob = w->glob;
	st->class_off = w->class_off;
	st->hash = w->hash;
}

static __always_inline void states_store(struct walk *w, const struct states *st)
{
	w->trie = st->trie;
	w->glob = st->glob;
	w->hash = st->hash;
}

/*
 * What the path is longer than whole steps by comes first, byte by byte; then each turn takes one whole step, written out, with one check of its
 * bounds for all of it.
 */
static __always_inline void run_rest(struct loop *l, struct states *st, __u32 pos, __u32 rest)
{
	__u32 k;

	for (k = 0; k < RUN_STEP && k < rest && pos < TEXT_END; k++, pos++)
		run_byte(l->arena, st, (__u8)l->s->text[text_at(l->which, pos)]);
}

static long run_step(__u32 i, struct loop *l)
{
	struct scratch *s = l->s;
	const __u8 *text;
	struct states st;
	struct walk *w;
	__u32 pos, k;

	if (!s || !l->arena)
		return 1;
	w = l->which ? &s->walks[1] : &s->walks[0];
	pos = w->from + (i ? (TEXT_END - w->from) % RUN_STEP + (i - 1) * RUN_STEP : 0);
	if (pos < TEXT_SLACK || pos > TEXT_END - (i ? RUN_STEP : 1))
		return 1;
	states_load(&st, w);
	if (i) {
		text = (const __u8 *)s->text + text_at(l->which, pos);
#pragma unroll
		for (k = 0; k < RUN_STEP; k++)
			run_byte(l->arena, &st, text[k]);
	} else {
		run_rest(l, &st, pos, (TEXT_END - pos) % RUN_STEP);
	}
	states_store(w, &st);
	return 0;
}

/* ---- anchors ---- */

/* A value and a path, 8 bytes at a time: side by side in map memory, whatever their alignment. */
struct same {
	struct scratch *s;
	struct arena *arena;
	__u32 which, value, pos, len;	/* word of the first byte of the value, place of the first byte of the path */
};

/* Do they agree in word i, as far as they go? */
static __always_inline bool same_word(const struct same *c, __u32 i)
{
	__u32 at = c->value + 2 * i, pos = c->pos + 8 * i, left = c->len - 8 * i;
	__u64 differ;

	asm volatile("" : "+r"(at));
	at &= ARENA_WORDS - 2;
	if (pos < TEXT_SLACK || pos > TEXT_END)
		return false;
	differ = *(const __u64 *)&c->arena->words[at] ^ *(const __u64 *)(c->s->text + text_at(c->which, pos));
	return !(left < 8 ? differ & ((1ull << (left * 8 & 63)) - 1) : differ);
}

static long same_step(__u32 i, struct same *c)
{
	struct walk *w;

	if (!c->s || !c->arena || !same_word(c, i))
		return 1;
	w = c->which ? &c->s->walks[1] : &c->s->walks[0];
	w->same++;
	return 0;
}

/* Do the first len bytes agree? The first word by itself, for most paths lie elsewhere. */
static __always_inline bool same_bytes(struct same *c, struct walk *w)
{
	__u32 words = (c->len + 7) / 8;

	if (!same_word(c, 0))
		return false;
	if (words < 2)
		return true;
	w->same = 0;
	bpf_loop(words, same_step, c, 0);
	return w->same == words;
}

/* Is the anchor at this word of the arena the path or a parent of it? Then the walk starts there. The word of the next to try, 0: none. */
noinline int anchor_try(__u32 index, __u32 which, __u32 at)
{
	struct scratch *s = scratch_get(index);
	__u32 zero = 0, len, next, path_len, end;
	struct same c = { .s = s, .arena = bpf_map_lookup_elem(&arena, &zero), .which = which };
	struct walk *w;

	if (!s || !c.arena)
		return 0;
	w = which ? &s->walks[1] : &s->walks[0];
	len = arena_word(c.arena, at + ANCHOR_LEN);
	next = arena_word(c.arena, at + ANCHOR_NEXT);
	next = next ? at + next : 0;
	path_len = TEXT_END - w->pos;
	c.value = at + ANCHOR_BYTES;
	c.pos = w->pos;
	c.len = len < path_len ? len : path_len;
	if (!same_bytes(&c, w))
		return next;
	if (path_len < len) {
		w->above |= arena_byte(c.arena, c.value * sizeof(__u32) + path_len) == '/';
		return next;
	}
	end = w->pos + len;
	if (end < TEXT_SLACK || end > TEXT_END)
		return next;
	if (end < TEXT_END && s->text[text_at(which, end)] != '/')
		return next;
	w->from = end;
	w->trie = arena_word(c.arena, at + ANCHOR_TRIE);
	w->glob = arena_word(c.arena, at + ANCHOR_GLOB);
	w->hash = (__u64)arena_word(c.arena, at + ANCHOR_HASH_HIGH) << 32 | arena_word(c.arena, at + ANCHOR_HASH_LOW);
	return 0;
}

/* Run the walked text through a slot's automata. A missing slot leaves states 0, which refuse (decide.bpf.h). */
noinline int path_run(__u32 index, __u32 which, __u32 slot_index)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct scratch *s = scratch_get(index);
	__u32 zero = 0;
	struct loop l = { .s = s, .arena = bpf_map_lookup_elem(&arena, &zero), .which = which };
	struct states st;
	struct walk *w;
	__u32 anchor, try;

	if (!s)
		return 0;
	w = which ? &s->walks[1] : &s->walks[0];
	w->trie = w->glob = 0;
	if (!slot || !l.arena)
		return 0;
	w->trie = slot->trie_start;
	w->glob = slot->glob_start;
	w->class_off = slot->class_off;
	w->hash = PATH_HASH_START;
	w->from = w->pos;
	w->above = 0;
	anchor = slot->anchors_off;
#pragma unroll
	for (try = 0; try < ANCHORS_MAX; try++)
		if (anchor)
			anchor = anchor_try(index, which, anchor);
	if (w->pos >= TEXT_END) {
		/* the root itself */
		states_load(&st, w);
		run_byte(l.arena, &st, '/');
		states_store(w, &st);
		return 0;
	}
	bpf_loop(PATH_BYTES / RUN_STEP + 2, run_step, &l, 0);
	states_load(&st, w);
	run_byte(l.arena, &st, '/');
	w->below_trie = st.trie;
	w->below_glob = st.glob;
	return 0;
}

#endif
