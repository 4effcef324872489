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
	unsigned end_line, end_column;	/* behind the last character that is meant; 0: not known */
	char text[200];			/* what is wrong */
	char help[200];			/* what to do; may be empty */
	struct {	/* the other place that it is about: where a list begins that never ends, where a key stands already */
		unsigned line, column, end_line, end_column;
		const char *text;	/* NULL: there is none */
	} other;
};

/*
 * All that is refused, for whoever tells it to an author: a key that is there twice (the first stays) and an anchor (the value stays) do not
 * hinder the reading of the rest. 0 with a tree, and perhaps errors; -EBADMSG with errors alone; -ENOMEM.
 */
#define YAML_MAX_ERRORS 64
struct yaml_errors {
	struct yaml_error *items;
	size_t count;
};
int yaml_parse_all(const char *text, size_t len, struct yaml_node **out, struct yaml_errors *errors);
void yaml_errors_done(struct yaml_errors *errors);
/* 0, -EBADMSG with *why filled, -ENOMEM. An empty document is an error. */
int yaml_parse(const char *text, size_t len, struct yaml_node **out, struct yaml_error *why);
/* libyaml exports a yaml_free of its own and calls it through its PLT: ours must not be the symbol that it finds. */
void yaml_free(struct yaml_node *n) __asm__("bailiff_yaml_free");
/* ---- text by line and column, counted as nodes count (yaml_text.c) ---- */
size_t yaml_bom(const char *text, size_t len);	/* bytes before the first line: 3 for a byte order mark, else 0 */
size_t yaml_line_break(const char *s, size_t n);	/* how many bytes of a line break stand here; 0: none does */
void yaml_position(const char *text, size_t len, size_t offset, unsigned *line, unsigned *column);

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);		/* NULL when absent */

#endif
