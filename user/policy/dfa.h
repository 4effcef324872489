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

/* byte_class.c: bytes that no pattern tells apart are one class. */
struct byte_classes {
	uint8_t of_byte[256];
	uint32_t count, slash;
	struct byte_set *of_set;	/* of each byte set of the positions: the classes in it, as bits */
	int *only;			/* of each byte set: its only class, or -1 */
};
bool byte_classes_find(struct compiler *c, const struct nfa *n, struct byte_classes *out);
void byte_classes_done(struct byte_classes *k);

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
	uint32_t anchors[ANCHORS_MAX];	/* the state at each anchor of the compiler */
	bool too_big;		/* more states than allowed: the rest is not filled */
};
/* Numbers of the rules with patterns of this depth: literal ones, presets, ours in the order of the text. */
bool rules_of_depth(struct compiler *c, enum depth depth, struct list *out);
size_t literal_rules(const struct compiler *c, const struct list *rules);	/* how many of them come first */
bool dfa_build(struct compiler *c, const struct nfa *n, size_t state_limit, struct dfa_result *out);
void dfa_result_done(struct dfa_result *r);
void dfa_row_expand(const struct dfa_result *r, size_t state, const uint32_t *block, uint32_t *out);	/* dense.c; out: class_count numbers */
/* minimise.c: the block of each state; blocks are numbered by their first states. -ENOMEM. */
int dfa_blocks(const struct dfa_result *r, uint32_t *block, uint32_t *count);

#endif
