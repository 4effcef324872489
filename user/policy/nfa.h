/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The positions that patterns can be at, as a forest of what was read so far: patterns with a common beginning share its
 * positions. Between nfa.c, which makes it, and dfa.c, which runs all of it at once.
 */
#ifndef POLICY_NFA_H
#define POLICY_NFA_H

#include "policy/compile.h"

struct byte_set {
	uint64_t bits[4];
};
enum position_kind { POSITION_BYTE, POSITION_STAR, POSITION_GLOBSTAR };

/*
 * BYTE: a byte of `set` has just been read. STAR: any bytes but "/" follow. GLOBSTAR: whole components follow; it has three
 * phases: at a boundary, behind a "/", inside a component.
 */
enum phase { PHASE_HERE, PHASE_SLASH, PHASE_INSIDE, PHASE_BELOW };
struct position {
	enum position_kind kind;
	uint32_t set;		/* BYTE: number of its byte_set */
	uint32_t first, last, sibling;	/* 0: none */
	uint32_t group;		/* 0: shared by the rules without `except`; else the private group's number, from 1 */
	bool is_except, ends;	/* ends: a pattern is complete here */
	uint32_t row;		/* shared: the rules that are complete here */
	struct row reach;	/* shared: the rules that may still become so, at or behind this position */
};

/* A rule with `except` has positions of its own, since what it rules depends on two answers. Roots: [0] of paths from "/", [i] behind anchor i; 0: none. */
struct group {
	uint32_t main_roots[ANCHORS_MAX + 1], except_roots[ANCHORS_MAX + 1];
	uint32_t row;
	struct row reach;
};
struct nfa {
	struct position *positions;	/* [0] is nobody */
	size_t position_count, position_cap;
	uint32_t shared_roots[ANCHORS_MAX + 1];
	struct group *groups;	/* [0] is nobody */
	size_t group_count;
	struct intern sets;
	uint32_t set_not_slash;
	const struct rule *rule;	/* that is being put in */
};
/*
 * The patterns that belong to one automaton, of the first `count` rules of `rules`; the shallow one has Bailiff's own places too. An error
 * if there are more positions than memory should hold.
 */
bool nfa_build(struct compiler *c, enum depth depth, const uint32_t *rules, size_t count, struct nfa *out);
void nfa_done(struct nfa *n);
uint8_t pattern_byte_take(const char **s);	/* one byte of a pattern's text, escaped or not */

static inline bool set_contains(const struct byte_set *s, uint8_t byte)
{
	return s->bits[byte >> 6] >> (byte & 63) & 1;
}

#endif
