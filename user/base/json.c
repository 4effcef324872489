/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: keys, commas and nesting. Room is reserved before each value, so that writing it checks nothing. */
#include "base/buf.h"

#define ESCAPE_CHUNK 4096	/* room is reserved for this much input at a time, six bytes for each */
#define ESCAPE_ROOM (ESCAPE_CHUNK * 6 + 32)

void json_init(struct json *j, struct buf *b)
{
	*j = (struct json){ .b = b };
}

/* Comma and key; gives where the value goes, with room for `room` bytes, or NULL. */
static char *json_begin(struct json *j, const char *key, size_t room)
{
	struct buf *b = j->b;
	size_t n = key ? strlen(key) : 0;
	const uint8_t *s = (const uint8_t *)key;
	char *d;

	if (n > ESCAPE_CHUNK)
		b->err = b->err ? b->err : -E2BIG;
	if (buf_reserve(b, n * 6 + 40 + room))
		return NULL;
	d = b->data + b->len;
	if (j->comma & 1u << (j->depth & 31))
		*d++ = ',';
	j->comma |= 1u << (j->depth & 31);
	if (key) {
		*d++ = '"';
		d = json_put_part(d, &s, s + n, s + n);
		*d++ = '"';
		*d++ = ':';
	}
	return d;
}

static void json_open(struct json *j, const char *key, char bracket)
{
	char *d = json_begin(j, key, 1);

	if (!d)
		return;
	*d++ = bracket;
	buf_end_at(j->b, d);
	if (j->depth >= 31) {
		j->b->err = -EOVERFLOW;
		return;
	}
	j->depth++;
	j->comma &= ~(1u << j->depth);
}

static void json_close(struct json *j, char bracket)
{
	if (!j->depth && !j->b->err)
		j->b->err = -EINVAL;
	if (j->b->err)
		return;
	j->depth--;
	buf_add_char(j->b, bracket);
}

void json_begin_object(struct json *j, const char *key)
{
	json_open(j, key, '{');
}

void json_end_object(struct json *j)
{
	json_close(j, '}');
}

void json_begin_array(struct json *j, const char *key)
{
	json_open(j, key, '[');
}

void json_end_array(struct json *j)
{
	json_close(j, ']');
}

void json_str(struct json *j, const char *key, const char *value)
{
	if (value)
		json_strn(j, key, value, strlen(value));
}

void json_strn(struct json *j, const char *key, const void *value, size_t n)
{
	const uint8_t *s = n ? value : "", *end = s + n;
	char *d = json_begin(j, key, (n < ESCAPE_CHUNK ? n * 6 : ESCAPE_CHUNK * 6) + 32);

	if (!d)
		return;
	*d++ = '"';
	while (end - s > ESCAPE_CHUNK) {
		d = json_put_part(d, &s, s + ESCAPE_CHUNK, end);
		buf_end_at(j->b, d);
		if (buf_reserve(j->b, ESCAPE_ROOM))
			return;
		d = j->b->data + j->b->len;
	}
	if (n)
		d = json_put_part(d, &s, end, end);
	*d++ = '"';
	buf_end_at(j->b, d);
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
	char *d = json_begin(j, key, 20);

	if (d)
		buf_end_at(j->b, json_put_u64(d, v));
}

void json_i64(struct json *j, const char *key, int64_t v)
{
	char *d = json_begin(j, key, 21);

	if (!d)
		return;
	if (v < 0)
		*d++ = '-';
	buf_end_at(j->b, json_put_u64(d, v < 0 ? -(uint64_t)v : (uint64_t)v));
}

void json_bool(struct json *j, const char *key, bool v)
{
	json_raw(j, key, v ? "true" : "false", v ? 4 : 5);
}

void json_hex(struct json *j, const char *key, const void *p, size_t n)
{
	char *d = json_begin(j, key, n > SIZE_MAX / 4 ? SIZE_MAX / 2 : n * 2 + 2);

	if (!d)
		return;
	*d++ = '"';
	d = json_put_hex(d, p, n);
	*d++ = '"';
	buf_end_at(j->b, d);
}

void json_raw(struct json *j, const char *key, const char *json, size_t n)
{
	char *d = json_begin(j, key, n > SIZE_MAX / 2 ? SIZE_MAX / 2 : n);

	if (!d)
		return;
	memcpy(d, json, n);
	buf_end_at(j->b, d + n);
}
