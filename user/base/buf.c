/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer, the JSON writer and the escaping for terminals. The writer is the hot path of every event: plain
 * text is copied eight bytes at a time, and only what needs care is looked at byte by byte.
 */
#include "base/buf.h"
#include <stdio.h>

#define ESCAPE_CHUNK 4096	/* room is reserved for this much input at a time, six bytes for each */
#define ESCAPE_ROOM (ESCAPE_CHUNK * 6 + 32)
#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

static const char hex_digits[] = "0123456789abcdef";

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){};
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data)
		b->data[0] = '\0';
}

static int buf_grow(struct buf *b, size_t more)
{
	size_t need, cap = b->cap ? b->cap : 256;
	char *data;

	if (b->err)
		return b->err;
	if (__builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 4)
		return b->err = -ENOMEM;
	while (cap <= need)
		cap *= 2;
	data = realloc(b->data, cap);
	if (!data)
		return b->err = -ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int buf_reserve(struct buf *b, size_t more)
{
	if (b->err)
		return b->err;
	return more < b->cap - b->len ? 0 : buf_grow(b, more);
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	if (buf_reserve(b, n))
		return;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

char *json_put_u64(char *d, uint64_t v)
{
	static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
				    "5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	char tmp[20], *p = tmp + sizeof(tmp);
	size_t n;

	while (v >= 100) {
		p -= 2;
		memcpy(p, pairs + v % 100 * 2, 2);
		v /= 100;
	}
	if (v >= 10) {
		p -= 2;
		memcpy(p, pairs + v * 2, 2);
	} else {
		*--p = '0' + v;
	}
	n = tmp + sizeof(tmp) - p;
	memcpy(d, p, n);
	return d + n;
}

static char *put_hex(char *d, const void *p, size_t n)
{
	const uint8_t *s = p;

	for (size_t i = 0; i < n; i++) {
		*d++ = hex_digits[s[i] >> 4];
		*d++ = hex_digits[s[i] & 15];
	}
	return d;
}

static void buf_end_at(struct buf *b, char *end)
{
	*end = '\0';
	b->len = end - b->data;
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	if (!buf_reserve(b, 20))
		buf_end_at(b, json_put_u64(b->data + b->len, v));
}

void buf_add_hex(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n > SIZE_MAX / 2 ? SIZE_MAX : n * 2))
		buf_end_at(b, put_hex(b->data + b->len, p, n));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (buf_reserve(b, 128))
		return;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->err = -EINVAL;
		return;
	}
	if ((size_t)n >= b->cap - b->len) {
		if (buf_reserve(b, n))
			return;
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += n;
}

/* ---- characters ---- */

/* Decode one character of s[0..n), n > 0. Its length, or 0 when the first byte starts no valid UTF-8 (RFC 3629: no overlong form, no surrogate). */
static unsigned utf8_decode(const uint8_t *s, size_t n, uint32_t *out)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	uint32_t c = len == 1 ? s[0] : s[0] & (0x7f >> len);

	if (!len || len > n)
		return 0;
	for (unsigned i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*out = c;
	return len;
}

/* Characters that show nothing, or change how others show: they hide text from people and carry text to models. */
static bool char_hidden(uint32_t c)
{
	static const uint32_t ranges[][2] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f }, { 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x061c, 0x061c },
		{ 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
		{ 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	};

	if (c >= 0xd800 && c < 0xf900)
		return true;	/* private use (surrogates do not decode): no two fonts agree */
	for (size_t i = 0; i < ARRAY_SIZE(ranges) && c >= ranges[i][0]; i++) {
		if (c <= ranges[i][1])
			return true;
	}
	return c >= 0xf0000;
}

static char *put_u16_escape(char *d, uint32_t unit)
{
	*d++ = '\\';
	*d++ = 'u';
	*d++ = hex_digits[unit >> 12];
	*d++ = hex_digits[unit >> 8 & 15];
	*d++ = hex_digits[unit >> 4 & 15];
	*d++ = hex_digits[unit & 15];
	return d;
}

/* The text \xNN inside a JSON string. */
static char *put_byte_escape(char *d, uint8_t byte)
{
	memcpy(d, "\\\\x", 3);
	return put_hex(d + 3, &byte, 1);
}

static char *put_ascii_escape(char *d, uint8_t c, bool before_x)
{
	static const char short_form[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };

	if (c == '\0' || (c == '\\' && before_x))
		return put_byte_escape(d, c);
	if (c >= 32 && c != 0x7f && c != '"' && c != '\\') {
		*d++ = c;
		return d;
	}
	if (c == 0x7f || (c < 32 && !short_form[c]))
		return put_u16_escape(d, c);
	*d++ = '\\';
	*d++ = c < 32 ? short_form[c] : (char)c;
	return d;
}

/* One character that the fast loop does not copy. Takes at most 6 bytes of output for each byte taken; gives the bytes taken. */
static unsigned put_char_json(char **out, const uint8_t *s, size_t n)
{
	char *d = *out;
	uint32_t c;
	unsigned len;

	if (s[0] < 0x80) {
		*out = put_ascii_escape(d, s[0], n > 1 && s[1] == 'x');
		return 1;
	}
	len = utf8_decode(s, n, &c);
	if (!len) {
		*out = put_byte_escape(d, s[0]);
		return 1;
	}
	if (!char_hidden(c)) {
		memcpy(d, s, len);
		*out = d + len;
	} else if (c < 0x10000) {
		*out = put_u16_escape(d, c);
	} else {
		d = put_u16_escape(d, 0xd800 + ((c - 0x10000) >> 10));
		*out = put_u16_escape(d, 0xdc00 + ((c - 0x10000) & 0x3ff));
	}
	return len;
}

/* 1 to 7 bytes of s as a word, first byte lowest, spaces behind: overlapping loads instead of a loop. */
static inline uint64_t load_tail(const uint8_t *s, size_t n)
{
	uint64_t fill = 0x2020202020202020ull << (8 * n);
	uint32_t lo, hi;
	uint16_t half;

	if (n >= 4) {
		memcpy(&lo, s, 4);
		memcpy(&hi, s + n - 4, 4);
		return fill | lo | (uint64_t)hi << (8 * (n - 4));
	}
	if (n == 1)
		return fill | s[0];
	memcpy(&half, s, 2);
	return fill | half | (uint64_t)s[n - 1] << (8 * (n - 1));
}

/* High bits mark bytes that JSON text cannot hold as they are: below space, quote, backslash, DEL and above. The lowest mark is exact. */
static inline uint64_t special_bytes(uint64_t w)
{
	uint64_t quote = w ^ ONES * '"', slash = w ^ ONES * '\\';

	return ((w - ONES * 32) | (quote - ONES) | (slash - ONES) | (w + ONES) | w) & HIGHS;
}

typedef signed char v16 __attribute__((vector_size(16)));
typedef uint64_t v2 __attribute__((vector_size(16)));

/*
 * Copy s[0..n), 16 <= n, and tell whether all of it was plain: the last step overlaps, and nothing branches on what was read.
 * Signed comparison: bytes from 0x80 are below space too.
 */
static bool copy_plain_long(char *d, const uint8_t *s, size_t n)
{
	v16 special = {}, w;
	v2 any;

	for (size_t i = 0;;) {
		memcpy(&w, s + i, 16);
		memcpy(d + i, &w, 16);
		special |= (w < 32) | (w == '"') | (w == '\\') | (w == 0x7f);
		if (i == n - 16)
			break;
		i = i + 16 < n - 16 ? i + 16 : n - 16;
	}
	any = (v2)special;
	return !(any[0] | any[1]);
}

/* The same for any n: most strings of an event pass here and are done. Writes up to 8 bytes more than n. */
static inline bool copy_plain(char *d, const uint8_t *s, size_t n)
{
	uint64_t w, last;

	if (n >= 16)
		return copy_plain_long(d, s, n);
	if (n < 8) {
		w = n ? load_tail(s, n) : 0x2020202020202020ull;
		memcpy(d, &w, 8);
		return !special_bytes(w);
	}
	memcpy(&w, s, 8);
	memcpy(&last, s + n - 8, 8);
	memcpy(d, &w, 8);
	memcpy(d + n - 8, &last, 8);
	return !(special_bytes(w) | special_bytes(last));
}

/* Escape from s until `stop` is reached; characters may reach up to `end`. d has room for 6 * (stop - s) + 32. */
static __attribute__((noinline, cold)) char *put_escaped(char *d, const uint8_t **from, const uint8_t *stop, const uint8_t *end)
{
	const uint8_t *s = *from;

	while (s < stop) {
		size_t n = end - s < 8 ? end - s : 8, plain;
		uint64_t w, marks;

		if (n == 8)
			memcpy(&w, s, 8);
		else
			w = load_tail(s, n);
		marks = special_bytes(w);
		plain = marks ? (size_t)__builtin_ctzll(marks) >> 3 : n;
		memcpy(d, &w, 8);
		d += plain;
		s += plain;
		if (plain < n)
			s += put_char_json(&d, s, end - s);
	}
	*from = s;
	return d;
}

static inline char *put_json_text(char *d, const uint8_t **from, const uint8_t *stop, const uint8_t *end)
{
	size_t n = stop - *from;

	if (!copy_plain(d, *from, n))
		return put_escaped(d, from, stop, end);
	*from = stop;
	return d + n;
}

char *json_put_text(char *d, const void *p, size_t n)
{
	const uint8_t *s = p;

	return put_json_text(d, &s, s + n, s + n);
}

/* ---- JSON ---- */

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
		d = put_json_text(d, &s, s + n, s + n);
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
		d = put_json_text(d, &s, s + ESCAPE_CHUNK, end);
		buf_end_at(j->b, d);
		if (buf_reserve(j->b, ESCAPE_ROOM))
			return;
		d = j->b->data + j->b->len;
	}
	if (n)
		d = put_json_text(d, &s, end, end);
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
	d = put_hex(d, p, n);
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

/* ---- terminals ---- */

void buf_add_terminal(struct buf *b, const void *p, size_t n)
{
	const uint8_t *s = n ? p : "", *end = s + n;

	while (s < end) {
		uint32_t c = 0;
		unsigned len = utf8_decode(s, end - s, &c);
		bool ambiguous = c == '\\' && end - s > 1 && (s[1] == 'x' || s[1] == 'u');

		if (!len || c < 0x20 || c == 0x7f || ambiguous)
			buf_addf(b, "\\x%02x", *s);
		else if (char_hidden(c))
			buf_addf(b, "\\u{%x}", c);
		else
			buf_add(b, s, len);
		s += len ? len : 1;
	}
}
