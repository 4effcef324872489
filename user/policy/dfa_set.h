/* SPDX-License-Identifier: Apache-2.0 */
/* The subset construction's own header: sets of positions on their way to states. Between dfa_set.c, dfa.c and dfa_anchor.c. */
#ifndef POLICY_DFA_SET_H
#define POLICY_DFA_SET_H

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
	uint32_t anchor_rows[ANCHORS_MAX], anchor_below[ANCHORS_MAX];	/* the row at an anchor, the state behind its "/" */
};

static inline const struct position *position_of(const struct dfa *f, uint32_t element)
{
	return &f->n->positions[element >> 2];
}

/* At a place where the next byte is the next item's: everywhere but behind the "/" of a "**". */
static inline bool is_ready(uint32_t element)
{
	return (element & 3) == PHASE_HERE || (element & 3) == PHASE_INSIDE;
}

static inline bool is_complete(const struct dfa *f, uint32_t element)
{
	return is_ready(element) && position_of(f, element)->ends;
}

/* dfa_set.c: f->set is what is being made */
void dfa_set_begin(struct dfa *f);
void dfa_set_take(struct dfa *f, uint32_t element);
void dfa_set_close(struct dfa *f);			/* what stars and "**" reach without a byte */
uint32_t dfa_set_row(struct dfa *f, uint32_t below);	/* what holds at f->set itself */
uint32_t dfa_set_settle(struct dfa *f, uint32_t below);	/* the set that was taken becomes a state: closed, pruned, sorted, numbered */
uint32_t dfa_set_make(struct dfa *f, const struct list *a, const struct list *b, uint32_t below);
void dfa_state_add(struct dfa *f, uint32_t row);	/* unnumbered, with no edges yet */

/* dfa.c: where the bytes lead from the elements in f->now, into f->common, f->slash, f->by_class */
void dfa_leave_begin(struct dfa *f);
void dfa_leave(struct dfa *f, uint32_t *slash_below);
void dfa_roots_take(struct dfa *f, uint32_t anchor);	/* of the patterns that begin there; 0: at the root */

/* dfa_anchor.c */
bool dfa_anchors_begin(struct dfa *f);			/* the states below the anchors, before the others are made from them */
void dfa_anchors_end(struct dfa *f);			/* and the anchors themselves */

#endif
