/* SPDX-License-Identifier: Apache-2.0 */
/* The compiler's own header: rows, interning, and the parts of an image before they are put together (layout: bpf/abi.h). */
#ifndef POLICY_COMPILE_H
#define POLICY_COMPILE_H

#include "policy/model.h"

#define DENSE_STATES_MAX 8192		/* of the finished automaton */
#define DENSE_RAW_MAX	(4 * DENSE_STATES_MAX)	/* while it is being made */
#define SPARSE_RAW_MAX	(1u << 20)
#define RAW_WORK_MAX	(1u << 22)	/* positions looked at while either is being made: bounds the time that a policy can cost */
#define IMAGE_WORDS_MAX	(1u << 21)	/* 8 MiB: half of what a host has for all its policies */
#define NET_BITS_MAX	20		/* the kernel halves a table at most so often */
#define CELL_NONE	((uint16_t)RULE_NONE)
#define CELL_RECORD	((uint16_t)RULE_RECORD)

/* ---- intern.c: byte strings to numbers 0, 1, 2, ... in the order of their first coming ---- */
struct intern_entry {
	size_t at;
	uint32_t len, hash;
};
struct intern_slot {
	uint32_t hash, entry;	/* entry + 1; 0: free. The hash is here too, so that a look in vain touches nothing else */
};
struct intern {
	char *bytes;
	size_t used, cap;
	struct intern_entry *entries;
	size_t count;
	struct intern_slot *slots;	/* open addressing */
	size_t slot_count;
};
int intern_add(struct intern *t, const void *key, size_t len, uint32_t *index);
const void *intern_get(const struct intern *t, uint32_t index, size_t *len);	/* until the next intern_add */
void intern_reset(struct intern *t);	/* empty, keeps the memory */
void intern_done(struct intern *t);

/* ---- the compiler ---- */
struct row {
	uint16_t deny[VERB_PATH_COUNT], allow[VERB_PATH_COUNT];	/* rule numbers or CELL_NONE; deny also CELL_RECORD */
};
struct words {
	uint32_t *data;
	size_t count, cap;
};
struct anchor {
	const char *value;
	size_t len;
};
struct compiler {
	const struct policy *p;
	struct diags *d;
	int err;		/* the first failure: -ENOMEM, or -E2BIG once a diag says why */
	struct intern rows;
	struct anchor anchors[ANCHORS_MAX];
	size_t anchor_count;
};
#define ROW_EMPTY 0u		/* the first row of every image: nothing matched */

int compile_image(const struct policy *p, struct policy_image *out, struct diags *diags);	/* compile.c: of all rules, as if none ended */
bool compile_fail(struct compiler *c, int err);		/* remembers the first; false */
bool compile_too_big(struct compiler *c, const struct rule *rule, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
bool words_push(struct compiler *c, struct words *w, uint32_t word);
bool words_fill(struct compiler *c, struct words *w, uint32_t word, size_t count);

struct row row_none(void);
struct row row_of_deny(uint32_t number, uint32_t verbs);
struct row row_of_rule(uint32_t number, const struct rule *rule);
void row_merge(struct row *into, const struct row *more);	/* the smallest number of each cell */
uint32_t row_index(struct compiler *c, struct row row);		/* a deny hides the allow beside it */
struct row row_get(const struct compiler *c, uint32_t index);
uint32_t row_union(struct compiler *c, uint32_t a, uint32_t b);

/*
 * anchor.c: a parameter's value is an anchor, a path at which the patterns that begin with the parameter are entered. Its bytes are in no
 * automaton: the kernel compares them (abi.h). Numbered from 1; 0 is where paths begin.
 */
void anchors_find(struct compiler *c);
uint32_t anchor_of(const struct compiler *c, const struct pattern *pattern, const char **rest);	/* rest: what follows the anchor */
void anchors_put(struct compiler *c, struct policy_image *img);

/*
 * Paths are run through two automata side by side, because one for all would multiply: what holds for good below a directory times
 * every name that "**" looks for. SHALLOW: patterns without "**", literal paths first of all, many and sparse. DEEP: patterns with "**",
 * few and dense. A rule with `except` goes where its deepest pattern goes.
 */
enum depth { SHALLOW, DEEP };
enum depth rule_depth(const struct rule *rule, const struct pattern *pattern);	/* pattern NULL: of the whole rule */

/* States {edges, fall, row}, then the edge area that they share; bases are of entries. */
struct sparse_state {
	uint32_t base, fall, row;
};
struct sparse_image {
	struct sparse_state *states;
	size_t state_count;
	uint32_t start, anchors[ANCHORS_MAX];
	uint32_t *check, *next;	/* check 0xffffffff: a free entry */
	size_t edge_count, edge_cap;
};
bool compile_sparse(struct compiler *c, struct sparse_image *out);
void sparse_image_done(struct sparse_image *t);

/* A minimal automaton, next[state * class_count + class]; state 0 is the start. */
struct dense_image {
	uint8_t class_of[256];
	uint32_t class_count;
	uint32_t *next, *rows;
	size_t state_count;
	uint32_t anchors[ANCHORS_MAX];
};
bool compile_dense(struct compiler *c, struct dense_image *out);
void dense_image_done(struct dense_image *g);

/* Addresses: ranges by their first address, each with a set; a set has a port table for each plane. */
struct net_image {
	struct net_ranges {
		addr_num *first;
		uint32_t *set;
		size_t count;
	} v4, v6;
	struct intern sets;	/* four numbers of tables each */
	struct intern tables;	/* {uint32 first port, uint32 cell} each range */
};
bool compile_network(struct compiler *c, struct net_image *out);
void net_image_done(struct net_image *n);

/* why.c: what the kernel tells whoever is refused */
void texts_put(struct compiler *c, struct policy_image *img);
void hint_put(struct compiler *c, struct policy_image *img);

#endif
