/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that compare two policies: images as automata over clean paths, their product, and what is found there. */
#ifndef POLICY_DIFF_H
#define POLICY_DIFF_H

#include "policy/compile.h"

#define DIFF_STATES_MAX (1u << 21)	/* pairs of states: bounds time and memory */
#define DIFF_CELLS_MAX	(1u << 26)	/* of one automaton's table */
#define STATE_DEAD	UINT32_MAX	/* no path begins like this */
#define ROW_NO_PATH	UINT32_MAX	/* a path may go on from here, and cannot end here */

struct verdict_row {
	uint32_t rule[VERB_PATH_COUNT];
	uint32_t allowed;	/* bits 1 << VERB_* */
};

/* One image as a table; only clean paths lead anywhere. State 0 is before the first byte. */
struct automaton {
	uint8_t class_of[256];
	uint32_t class_count;
	uint8_t byte_of[256];	/* of each class: one that reads well */
	uint32_t *next;		/* next[state * class_count + class] */
	uint32_t *row;		/* of each state: number in rows, or ROW_NO_PATH */
	uint32_t state_count;
	struct intern rows;	/* struct verdict_row */
};
/* policy_diff() of the images alone: of paths and addresses (diff.c). */
int policy_diff_images(const struct policy *a, const struct policy_image *a_image, const struct policy *b, const struct policy_image *b_image,
		       struct policy_diff *out);
int automaton_make(const struct policy_image *img, struct automaton *out);	/* -E2BIG, -ENOMEM */
void automaton_done(struct automaton *a);
static inline struct verdict_row automaton_row(const struct automaton *a, uint32_t state)
{
	struct verdict_row row;

	memcpy(&row, intern_get(&a->rows, a->row[state], NULL), sizeof(row));
	return row;
}

/* Automata run side by side, breadth first: the first path to a tuple is a shortest one. */
#define PRODUCT_MAX 3
struct product {
	const struct automaton *of[PRODUCT_MAX];
	unsigned width;
	uint8_t bytes[256];	/* one of each class of bytes that any of them tells apart */
	unsigned byte_count;
	struct intern tuples;
	uint32_t *parent;	/* of each tuple: where its path comes from, and by which byte */
	uint8_t *by;
	size_t limit;
	bool (*wanted)(const uint32_t *tuple, void *ctx);	/* NULL: all; what is not wanted is not gone into */
	bool (*visit)(uint32_t number, const uint32_t *tuple, void *ctx);	/* false: enough */
	void *ctx;
};
int product_walk(struct product *p);	/* 0, -E2BIG at the limit, -ENOMEM */
int product_path(const struct product *p, uint32_t number, struct buf *out);
void product_done(struct product *p);

/* Where the two differ for one verb because of one rule: a deny that came or went, else the allow that did. */
struct diff_group {
	uint32_t verb, allows, by_is, rule;
};

struct differ {
	const struct policy *a, *b;
	const struct policy_image *a_image, *b_image;
	struct policy_diff *out;
};
int diff_paths(struct differ *d);	/* diff_path.c */
int diff_network(struct differ *d);	/* diff_net.c */
int diff_nodes(struct differ *d);	/* diff_named.c: by pattern */
int diff_names(struct differ *d);	/* and by word */
int diff_settings(struct differ *d);	/* diff_rules.c */
int diff_rules(struct differ *d);
void difference_done(struct policy_difference *f);
struct policy_difference *difference_add(struct differ *d, bool allows, uint32_t verbs, uint32_t was, uint32_t is);	/* NULL: no memory */

/* diff_region.c: where the groups lie, in the patterns of the rules that decide there. */
struct diff_places {
	const struct differ *d;
	const struct automaton *a, *b;
	struct intern groups;	/* struct diff_group; [i] is of differences[i] */
	struct policy_difference *found;
	size_t found_count;
};
int diff_regions(struct diff_places *places);
bool diff_group_has(const struct diff_places *places, const struct diff_group *g, const struct verdict_row *was, const struct verdict_row *is);


#endif
