/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door to libyaml: one document as a tree, with line and column for every node; every scalar stays text. Duplicate keys,
 * anchors, aliases, tags, several documents, non-scalar keys and depth over YAML_MAX_DEPTH are errors.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/base.h"

#define YAML_MAX_DEPTH 16
#define YAML_MAX_NODES 200000

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column;		/* from 1, in characters as editors count */
	unsigned end_line, end_column;
	bool quoted;			/* scalar in quotes: never null, never a word */
	char *text;			/* scalar; NUL-terminated, no NUL inside (that is an error) */
	size_t len;
	size_t count;			/* list items or map pairs */
	struct yaml_node **keys;	/* map: scalars */
	struct yaml_node **items;	/* list items or map values */
};

struct yaml_error {
	unsigned line, column;
	char text[200];
};

/* 0, -EBADMSG with *why filled, -ENOMEM. An empty document is an error. */
int yaml_parse(const char *text, size_t len, struct yaml_node **out, struct yaml_error *why);
/* libyaml exports a yaml_free of its own and calls it through its PLT: ours must not be the symbol that it finds. */
void yaml_free(struct yaml_node *n) __asm__("bailiff_yaml_free");
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);		/* NULL when absent */

#endif
