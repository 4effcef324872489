/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer, and numbers as text. The first failure stays; everything after it does nothing. */
#include "base/buf.h"
#include <stdio.h>

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

char *json_put_hex(char *d, const void *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *s = p;

	for (size_t i = 0; i < n; i++) {
		*d++ = digits[s[i] >> 4];
		*d++ = digits[s[i] & 15];
	}
	return d;
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	if (!buf_reserve(b, 20))
		buf_end_at(b, json_put_u64(b->data + b->len, v));
}

void buf_add_hex(struct buf *b, const void *p, size_t n)
{
	if (!buf_reserve(b, n > SIZE_MAX / 2 ? SIZE_MAX : n * 2))
		buf_end_at(b, json_put_hex(b->data + b->len, p, n));
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
