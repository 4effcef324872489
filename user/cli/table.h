/* SPDX-License-Identifier: Apache-2.0 */
/* A list for people (aligned columns, escaped for terminals) or for programs (a JSON array), from pairs that are messages themselves. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "base/kv.h"

struct table_column {
	const char *key;	/* in the message, and in JSON */
	const char *title;	/* NULL: in JSON only */
	enum { COLUMN_TEXT, COLUMN_NUMBER, COLUMN_TIME /* ms since 1970 */, COLUMN_BOOL } kind;
};

/* Every pair of m called `key` is a row; a row that does not parse is an error. */
int table_print(const struct kv *m, const char *key, const struct table_column *columns, size_t count, struct buf *out);
int table_json(const struct kv *m, const char *key, const struct table_column *columns, size_t count, struct json *j);	/* elements of an open array */

#endif
