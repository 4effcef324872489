/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer and the JSON writer on top of it. A buffer remembers its first failure (err, -ENOMEM):
 * a caller appends freely and checks once at the end. data is always NUL-terminated behind len once anything was appended.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include "base/base.h"

struct buf {
	char *data;
	size_t len, cap;
	int err;
};

void buf_done(struct buf *b);
void buf_reset(struct buf *b);		/* keeps the memory */
int buf_reserve(struct buf *b, size_t more);	/* room for `more` bytes and a NUL */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_hex(struct buf *b, const void *p, size_t n);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define _buf_ _cleanup_(buf_done)

/*
 * JSON writer: commas and nesting are its business (up to 32 levels; more is -EOVERFLOW in the buffer). Strings are bytes from
 * anywhere. A byte that is not part of valid UTF-8, and NUL, is written as the text \xNN ("\\xNN" in the JSON); a backslash that stands
 * before an x is written \x5c, so that the text reads back in one way only and nothing is lost. Control characters, DEL, C1 controls,
 * bidi and other invisible characters are written as \u escapes: no attacker-chosen string reaches a terminal, a SIEM or a model raw.
 */
struct json {
	struct buf *b;
	unsigned depth;
	uint32_t comma;		/* bit per level: an element was written */
};

void json_init(struct json *j, struct buf *b);
/* Not json_object and json_array: jansson exports those, and calls its own through its PLT. Key NULL inside arrays and at the top. */
void json_begin_object(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_begin_array(struct json *j, const char *key);
void json_end_array(struct json *j);
void json_str(struct json *j, const char *key, const char *value);	/* NULL value: nothing is written */
void json_strn(struct json *j, const char *key, const void *value, size_t n);
void json_u64(struct json *j, const char *key, uint64_t v);
void json_i64(struct json *j, const char *key, int64_t v);
void json_bool(struct json *j, const char *key, bool v);
void json_hex(struct json *j, const char *key, const void *p, size_t n);
void json_raw(struct json *j, const char *key, const char *json, size_t n);	/* already JSON */

/* For writers that reserve by themselves: write at d, give the end. Text needs 6 * n + 32 bytes of room, a number 20, hex 2 * n. */
char *json_put_text(char *d, const void *p, size_t n);
char *json_put_u64(char *d, uint64_t v);
char *json_put_hex(char *d, const void *p, size_t n);
/* From *from until stop is reached (*from says where that was); a character may reach up to end. */
char *json_put_part(char *d, const uint8_t **from, const uint8_t *stop, const uint8_t *end);
static inline void buf_end_at(struct buf *b, char *end)
{
	*end = '\0';
	b->len = end - b->data;
}

/* The same for a terminal: invalid bytes and controls (newlines too) become \xNN, invisible characters \u{N}; a backslash before x or u, \x5c. */
void buf_add_terminal(struct buf *b, const void *p, size_t n);
/*
 * One character of p[0..n), n > 0, for a line that is quoted as it is: only what a terminal must not get is escaped, a tab becomes four
 * spaces. Gives the bytes it took and how many columns it fills; b NULL: only that.
 */
unsigned buf_add_terminal_char(struct buf *b, const void *p, size_t n, unsigned *columns);

#endif
