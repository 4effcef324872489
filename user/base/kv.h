/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flat list of named byte strings, the message of the control socket: u32 magic, u32 count, then per pair u16 key length,
 * u32 value length, key bytes, value bytes (all little-endian, at most KV_MAX_PAIRS pairs, KV_MAX_BYTES in all). Keys may repeat (arguments do).
 */
#ifndef BASE_KV_H
#define BASE_KV_H

#include "base/buf.h"

#define KV_MAGIC	0x31564b42u	/* "BKV1" */
#define KV_MAX_PAIRS	4096
#define KV_MAX_BYTES	(4u << 20)

struct kv_pair {
	const char *key;	/* not NUL-terminated; into the message */
	const char *value;	/* into copy: NUL-terminated behind value_len */
	uint32_t key_len, value_len;
};
struct kv {
	struct kv_pair *pairs;
	size_t count;
	char *copy;		/* all values, each NUL-terminated */
};

void kv_begin(struct buf *b);		/* empties b */
void kv_add(struct buf *b, const char *key, const void *value, size_t n);
void kv_add_str(struct buf *b, const char *key, const char *value);	/* NULL: not written */
void kv_add_u64(struct buf *b, const char *key, uint64_t v);
int kv_end(struct buf *b);		/* writes the count; 0 or the buffer's error, -E2BIG */

/* Parse p[0..n); *out borrows p and owns its tables. -EBADMSG for anything malformed. */
int kv_parse(const void *p, size_t n, struct kv *out);
void kv_done(struct kv *m);
const char *kv_get(const struct kv *m, const char *key);	/* first value, NUL-terminated; NULL when absent or with a NUL inside (use kv_find) */
const struct kv_pair *kv_find(const struct kv *m, const char *key, const struct kv_pair *after);	/* after NULL: the first */
int kv_get_u64(const struct kv *m, const char *key, uint64_t *out);	/* -ENOENT, -EINVAL; untouched on failure */

#endif
