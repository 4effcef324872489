/* SPDX-License-Identifier: Apache-2.0 */
/* The subset construction, between dfa.c, which makes one state after the other, and dense.c and sparse.c, which make them small. */
#ifndef POLICY_DFA_H
#define POLICY_DFA_H

#include "policy/nfa.h"

struct list {
	uint32_t *items;
	size_t count, cap;
};
void list_done(struct list *l);
bool list_add(struct compiler *c, struct list *l, uint32_t item);

/* A state's bytes lead to `fall`, except those of the classes of its edges. State 0 is the start. */
struct dfa_edge {
	uint32_t class, to;
};
struct dfa_state {
	uint32_t row, fall, edges, edge_count;	/* edges: the first one */
};
struct dfa_result {
	uint8_t class_of[256];
	uint32_t class_count;
	struct dfa_state *states;
	size_t state_count;
	struct dfa_edge *edges;
	size_t edge_count;
	bool too_big;		/* more states than allowed: the rest is not filled */
};
/* Numbers of the rules with patterns of this depth, presets first, in the order of the text. */
bool rules_of_depth(struct compiler *c, enum depth depth, struct list *out);
bool dfa_build(struct compiler *c, const struct nfa *n, size_t state_limit, struct dfa_result *out);
void dfa_result_done(struct dfa_result *r);

#endif
