/* SPDX-License-Identifier: Apache-2.0 */
/* Named byte strings, written and read. A message is hostile: every length is checked against what is left before it is used. */
#include "base/kv.h"
#include <endian.h>

#define KV_HEAD_BYTES 8
#define KV_PAIR_BYTES 6

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void add16(struct buf *b, uint16_t v)
{
	v = htole16(v);
	buf_add(b, &v, sizeof(v));
}

static void add32(struct buf *b, uint32_t v)
{
	v = htole32(v);
	buf_add(b, &v, sizeof(v));
}

void kv_begin(struct buf *b)
{
	buf_reset(b);
	add32(b, KV_MAGIC);
	add32(b, 0);	/* counted up by kv_add */
}

void kv_add(struct buf *b, const char *key, const void *value, size_t n)
{
	size_t kn = strlen(key);
	uint32_t count;

	if (b->err)
		return;
	count = get32((const uint8_t *)b->data + 4);
	if (count >= KV_MAX_PAIRS || kn > UINT16_MAX || n > KV_MAX_BYTES || b->len + KV_PAIR_BYTES + kn + n > KV_MAX_BYTES) {
		b->err = -E2BIG;
		return;
	}
	add16(b, kn);
	add32(b, n);
	buf_add(b, key, kn);
	buf_add(b, value, n);
	if (b->err)
		return;
	count = htole32(count + 1);
	memcpy(b->data + 4, &count, sizeof(count));
}

void kv_add_str(struct buf *b, const char *key, const char *value)
{
	if (value)
		kv_add(b, key, value, strlen(value));
}

void kv_add_u64(struct buf *b, const char *key, uint64_t v)
{
	char text[24];
	struct buf t = { .data = text, .cap = sizeof(text) };	/* 20 digits fit: never grows */

	buf_add_u64(&t, v);
	kv_add(b, key, text, t.len);
}

int kv_end(struct buf *b)
{
	return b->err;
}

/* Take one pair from p[*at..n), its value copied to *copy, which always has room. */
static int take_pair(const uint8_t *p, size_t n, size_t *at, struct kv_pair *out, char **copy)
{
	size_t left = n - *at;

	if (left < KV_PAIR_BYTES)
		return -EBADMSG;
	out->key_len = get16(p + *at);
	out->value_len = get32(p + *at + 2);
	left -= KV_PAIR_BYTES;
	if (out->key_len > left || out->value_len > left - out->key_len)
		return -EBADMSG;
	out->key = (const char *)p + *at + KV_PAIR_BYTES;
	memcpy(*copy, out->key + out->key_len, out->value_len);
	out->value = *copy;
	*copy += out->value_len;
	*(*copy)++ = '\0';
	*at += KV_PAIR_BYTES + out->key_len + out->value_len;
	return 0;
}

int kv_parse(const void *p, size_t n, struct kv *out)
{
	_free_ struct kv_pair *pairs = NULL;
	_free_ char *copy = NULL;
	size_t at = KV_HEAD_BYTES, count;
	char *fill;
	int err;

	if (n < KV_HEAD_BYTES || n > KV_MAX_BYTES || get32(p) != KV_MAGIC)
		return -EBADMSG;
	count = get32((const uint8_t *)p + 4);
	if (count > KV_MAX_PAIRS || count > (n - KV_HEAD_BYTES) / KV_PAIR_BYTES)
		return -EBADMSG;
	pairs = calloc(count + 1, sizeof(*pairs));
	fill = copy = malloc(n);	/* a pair's own six bytes make room for its NUL */
	if (!pairs || !copy)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		err = take_pair(p, n, &at, &pairs[i], &fill);
		if (err)
			return err;
	}
	if (at != n)
		return -EBADMSG;
	*out = (struct kv){ .pairs = steal(&pairs), .count = count, .copy = steal(&copy) };
	return 0;
}

void kv_done(struct kv *m)
{
	free(m->pairs);
	free(m->copy);
	*m = (struct kv){};
}

const struct kv_pair *kv_find(const struct kv *m, const char *key, const struct kv_pair *after)
{
	size_t len = strlen(key);

	for (size_t i = after ? after - m->pairs + 1 : 0; i < m->count; i++) {
		const struct kv_pair *p = &m->pairs[i];

		if (p->key_len == len && !memcmp(p->key, key, len))
			return p;
	}
	return NULL;
}

const char *kv_get(const struct kv *m, const char *key)
{
	const struct kv_pair *p = kv_find(m, key, NULL);

	return p && !memchr(p->value, '\0', p->value_len) ? p->value : NULL;
}

int kv_get_u64(const struct kv *m, const char *key, uint64_t *out)
{
	const struct kv_pair *p = kv_find(m, key, NULL);
	uint64_t v = 0;

	if (!p)
		return -ENOENT;
	if (!p->value_len)
		return -EINVAL;
	for (size_t i = 0; i < p->value_len; i++) {
		unsigned digit = (unsigned char)p->value[i] - '0';

		if (digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v))
			return -EINVAL;
	}
	*out = v;
	return 0;
}
