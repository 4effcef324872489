/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verdicts from maps: look-ups only, no effects, callable from a test program. Missing data never means allow. The layout is abi.h's;
 * user/policy/image_eval.c is the same in C and policy/eval.c the oracle of both.
 */
#ifndef DECIDE_BPF_H
#define DECIDE_BPF_H

#include "match.bpf.h"

/* A number in a row: policy rules first, then the builtins (abi.h). */
static __always_inline __u32 rule_of_cell(__u32 n, __u32 nrules)
{
	return n < nrules ? n : BUILTIN_BASE + (n - nrules);
}

/* One path verb at a pair of states. */
static __always_inline void decide_verb(struct arena *a, struct policy_slot *slot, __u32 trie, __u32 glob, __u32 verb, struct ruling *out)
{
	__u32 t = arena_word(a, slot->row_off + 8 * arena_word(a, trie + 2) + verb);
	__u32 g = arena_word(a, slot->row_off + 8 * arena_word(a, glob + (1u << (slot->class_shift & 15))) + verb);
	__u32 deny = t >> 16 < g >> 16 ? t >> 16 : g >> 16;
	__u32 allow = (t & 0xffff) < (g & 0xffff) ? t & 0xffff : g & 0xffff;
	bool open = slot->flags & (verb == VERB_UNIX ? SLOT_OPEN_SOCKETS : SLOT_OPEN_FILES);

	out->verb = verb;
	out->refused = deny < RULE_RECORD || (allow == RULE_NONE && !open);
	out->required |= deny == RULE_RECORD;
	if (deny < RULE_RECORD)
		out->rule = rule_of_cell(deny, slot->nrules);
	else if (allow != RULE_NONE)
		out->rule = rule_of_cell(allow, slot->nrules);
	else if (open)
		out->rule = RULE_NONE;
	else
		out->rule = verb == VERB_UNIX ? RULE_BUILTIN(UNIX_DEFAULT) : RULE_BUILTIN(FILES_DEFAULT);
}

/* Path verbs, written out: a loop here is one that 6.1 does not take. */
#define EACH_PATH_VERB(X) X(VERB_READ) X(VERB_CHANGE) X(VERB_CREATE) X(VERB_REMOVE) X(VERB_EXECUTE) X(VERB_UNIX)

/*
 * All verbs of the mask at the states of walk `which`, into the scratch's ruling; the first that is refused decides. `required` is added to. A
 * walk that did not run (state 0) refuses: word 0 of the arena is no state. Global, so that it is verified once a program.
 */
noinline int decide_path(__u32 index, __u32 which, __u32 slot_index, __u32 verbs)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct scratch *s = scratch_get(index);
	__u32 zero = 0;
	struct arena *a = bpf_map_lookup_elem(&arena, &zero);
	struct ruling *out;
	struct walk *w;

	if (!s)
		return 0;
	w = which ? &s->walks[1] : &s->walks[0];
	out = &s->ruling;
	out->refused = 1;
	out->rule = RULE_BUILTIN(FILES_DEFAULT);
	out->verb = VERB_READ;
	if (!slot || !a || !w->trie || !w->glob)
		return 0;
#define X(v) \
	if (verbs & 1u << (v)) { \
		decide_verb(a, slot, w->trie, w->glob, v, out); \
		if (out->refused) \
			return 0; \
	}
	EACH_PATH_VERB(X)
#undef X
	return 0;
}

/* Which path verbs are allowed at the states of walk `which`, as bits in the ruling: for name changes. */
noinline int path_rights(__u32 index, __u32 which, __u32 slot_index)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct scratch *s = scratch_get(index);
	__u32 zero = 0;
	struct arena *a = bpf_map_lookup_elem(&arena, &zero);
	struct ruling one;
	struct walk *w;

	if (!s)
		return 0;
	w = which ? &s->walks[1] : &s->walks[0];
	s->ruling.rights = 0;
	if (!slot || !a || !w->trie || !w->glob)
		return 0;
#define X(v) \
	one.required = 0; \
	decide_verb(a, slot, w->trie, w->glob, v, &one); \
	if (!one.refused) \
		s->ruling.rights |= 1u << (v) | (one.required ? 0 : 1u << (RIGHTS_UNRECORDED + (v)));
	EACH_PATH_VERB(X)
#undef X
	return 0;
}

/* ---- addresses ---- */

#define SEARCH_STEPS 20	/* tables of up to 2^20 ranges; the loop ends at step 0 */

struct search {
	struct arena *arena;
	__u32 off, step, index, width;	/* width: words a start, 1 or 4 */
	__u32 key[4];
};

/* One halving: go right if the start there is not above the key. */
static long search_step(__u32 i, struct search *s)
{
	__u32 at = s->index + s->step, k;
	__s32 order = 0;

	if (!s->step)
		return 1;
	if (s->width == 1) {
		order = arena_word(s->arena, s->off + at) <= s->key[0] ? -1 : 1;
	} else {
#pragma unroll
		for (k = 0; k < 4; k++) {
			__u32 w = arena_word(s->arena, s->off + at * 4 + k);

			if (!order && w != s->key[k])
				order = w < s->key[k] ? -1 : 1;
		}
	}
	if (order <= 0)
		s->index = at;
	s->step >>= 1;
	return 0;
}

/* The index of the last start <= key; the first start of every table is 0. */
static __always_inline __u32 search_run(struct search *s, __u32 off, __u32 bits)
{
	s->off = UNKNOWN(off);
	s->index = UNKNOWN(0);
	s->step = UNKNOWN(bits ? 1u << ((bits - 1) & 31) : 0);
	bpf_loop(SEARCH_STEPS, search_step, s, 0);
	return s->index;
}

static __always_inline __u32 be32_at(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

static __always_inline bool addr_is_v4(const struct rec_addr *a)
{
	return !be32_at(a->addr) && !be32_at(a->addr + 4) && be32_at(a->addr + 8) == 0xffff;
}

/* Which set of rules holds for the address: its row in the slot's table of planes. */
static __always_inline __u32 address_set(const struct policy_slot *slot, struct search *s, const struct rec_addr *addr)
{
	__u32 set;

	if (addr_is_v4(addr)) {
		s->width = UNKNOWN(1);
		s->key[0] = be32_at(addr->addr + 12);
		set = search_run(s, slot->net4_off, slot->net4_bits);
		return arena_word(s->arena, slot->net4_off + (1u << (slot->net4_bits & 31)) + set);
	}
	s->width = UNKNOWN(4);
	s->key[0] = be32_at(addr->addr);
	s->key[1] = be32_at(addr->addr + 4);
	s->key[2] = be32_at(addr->addr + 8);
	s->key[3] = be32_at(addr->addr + 12);
	set = search_run(s, slot->net6_off, slot->net6_bits);
	return arena_word(s->arena, slot->net6_off + (4u << (slot->net6_bits & 31)) + set);
}

/* What a cell says: a refusal before an allowance; with neither, the policy's default (out holds its refusal). */
static __always_inline void ruling_of_cell(const struct policy_slot *slot, __u32 cell, struct ruling *out)
{
	__u32 deny = cell >> 16, allow = cell & 0xffff;

	out->required = deny == RULE_RECORD;
	if (deny < RULE_RECORD) {
		out->rule = rule_of_cell(deny, slot->nrules);
	} else if (allow != RULE_NONE) {
		out->rule = rule_of_cell(allow, slot->nrules);
		out->refused = 0;
	} else if (slot->flags & SLOT_OPEN_NETWORK) {
		out->rule = RULE_NONE;
		out->refused = 0;
	}
}

/*
 * An address, port and protocol; listen picks the listen rules, else connect and send. Global, so that it is verified once a program.
 */
noinline int decide_address(struct rec_addr *addr, __u32 slot_index, __u32 listen, struct ruling *out)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct search s = {};
	__u32 zero = 0, set, table, bits, plane;

	if (!out)
		return 0;
	out->refused = 1;
	out->rule = RULE_BUILTIN(NETWORK_DEFAULT);
	s.arena = bpf_map_lookup_elem(&arena, &zero);
	if (!slot || !s.arena || !addr)
		return 0;
	set = address_set(slot, &s, addr);
	plane = (addr->proto == IPPROTO_UDP) + 2 * !!listen;
	table = arena_word(s.arena, slot->netset_off + 8 * set + 2 * plane);
	bits = arena_word(s.arena, slot->netset_off + 8 * set + 2 * plane + 1) & 31;
	s.width = UNKNOWN(1);
	s.key[0] = addr->port;
	ruling_of_cell(slot, arena_word(s.arena, table + (1u << bits) + search_run(&s, table, bits)), out);
	return 0;
}

#endif
