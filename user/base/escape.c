/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text from anywhere, made safe for JSON and for terminals. The JSON half is the hot path of every event: plain text is copied
 * sixteen bytes at a time, and only what needs care is looked at byte by byte.
 */
#include "base/buf.h"
#include <stdio.h>

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

static const char hex_digits[] = "0123456789abcdef";

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
	return json_put_hex(d + 3, &byte, 1);
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

char *json_put_part(char *d, const uint8_t **from, const uint8_t *stop, const uint8_t *end)
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

	return json_put_part(d, &s, s + n, s + n);
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

/* How many columns a character fills, by the ranges that matter: marks that combine fill none, East Asian wide ones and emoji two. */
static unsigned char_columns(uint32_t c)
{
	static const struct {
		uint32_t first, last;
		unsigned columns;
	} ranges[] = {
		{ 0x300, 0x36f, 0 }, { 0x483, 0x489, 0 }, { 0x591, 0x5bd, 0 }, { 0x610, 0x61a, 0 }, { 0x64b, 0x65f, 0 }, { 0x93c, 0x93c, 0 },
		{ 0x94d, 0x94d, 0 }, { 0xe31, 0xe31, 0 }, { 0xe34, 0xe3a, 0 }, { 0xe47, 0xe4e, 0 }, { 0x1100, 0x115f, 2 }, { 0x1ab0, 0x1aff, 0 },
		{ 0x1dc0, 0x1dff, 0 }, { 0x20d0, 0x20ff, 0 }, { 0x231a, 0x231b, 2 }, { 0x2e80, 0x303e, 2 }, { 0x3041, 0x33ff, 2 },
		{ 0x3400, 0x4dbf, 2 }, { 0x4e00, 0x9fff, 2 }, { 0xa000, 0xa4cf, 2 }, { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 },
		{ 0xfe20, 0xfe2f, 0 }, { 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 }, { 0xffe0, 0xffe6, 2 }, { 0x1f300, 0x1f64f, 2 },
		{ 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x1fa70, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges) && c >= ranges[i].first; i++) {
		if (c <= ranges[i].last)
			return ranges[i].columns;
	}
	return 1;
}

unsigned buf_add_terminal_char(struct buf *b, const void *p, size_t n, unsigned *columns)
{
	const uint8_t *s = p;
	uint32_t c = 0;
	unsigned len = utf8_decode(s, n, &c);
	char shown[16];

	if (len && !char_hidden(c)) {
		if (b)
			buf_add(b, s, len);
		*columns = char_columns(c);
		return len;
	}
	if (c == '\t')
		*columns = snprintf(shown, sizeof(shown), "    ");
	else if (!len || c < 0x20 || c == 0x7f)
		*columns = snprintf(shown, sizeof(shown), "\\x%02x", *s);
	else
		*columns = snprintf(shown, sizeof(shown), "\\u{%x}", c);
	if (b)
		buf_add_str(b, shown);
	return len ? len : 1;
}
