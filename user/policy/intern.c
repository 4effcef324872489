/* SPDX-License-Identifier: Apache-2.0 */
/* Byte strings to small numbers, each distinct string once: what makes equal things one thing throughout the compiler. */
#include "policy/compile.h"

static uint32_t bytes_hash(const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t h = len * 0x9e3779b97f4a7c15ull, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdull;
		h ^= h >> 32;
	}
	for (; len; p++, len--)
		h = (h ^ *p) * 0xff51afd7ed558ccdull;
	h ^= h >> 32;
	return (uint32_t)(h * 0xc4ceb9fe1a85ec53ull >> 32);
}

static int slots_grow(struct intern *t)
{
	size_t count = t->slot_count ? t->slot_count * 2 : 64;
	struct intern_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->count; i++) {
		size_t at = t->entries[i].hash & (count - 1);

		while (slots[at].entry)
			at = (at + 1) & (count - 1);
		slots[at] = (struct intern_slot){ t->entries[i].hash, i + 1 };
	}
	free(t->slots);
	t->slots = slots;
	t->slot_count = count;
	return 0;
}

static int room_make(struct intern *t, size_t len)
{
	struct intern_entry *entries;
	size_t cap = t->cap ? t->cap : 1024;
	char *bytes;

	if (!(t->count & (t->count - 1))) {
		entries = reallocarray(t->entries, t->count ? t->count * 2 : 1, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		t->entries = entries;
	}
	while (cap - t->used < len)
		cap *= 2;
	if (cap == t->cap)
		return 0;
	bytes = realloc(t->bytes, cap);
	if (!bytes)
		return -ENOMEM;
	t->bytes = bytes;
	t->cap = cap;
	return 0;
}

int intern_add(struct intern *t, const void *key, size_t len, uint32_t *index)
{
	uint32_t hash = bytes_hash(key, len);
	size_t at;

	if (t->count * 2 >= t->slot_count && slots_grow(t))
		return -ENOMEM;
	for (at = hash & (t->slot_count - 1); t->slots[at].entry; at = (at + 1) & (t->slot_count - 1)) {
		const struct intern_entry *e = &t->entries[t->slots[at].entry - 1];

		if (t->slots[at].hash == hash && e->len == len && !memcmp(t->bytes + e->at, key, len)) {
			*index = t->slots[at].entry - 1;
			return 0;
		}
	}
	if (room_make(t, len))
		return -ENOMEM;
	if (len)
		memcpy(t->bytes + t->used, key, len);
	t->entries[t->count] = (struct intern_entry){ .at = t->used, .len = len, .hash = hash };
	t->used += len;
	*index = t->count++;
	t->slots[at] = (struct intern_slot){ hash, t->count };
	return 0;
}

const void *intern_get(const struct intern *t, uint32_t index, size_t *len)
{
	if (len)
		*len = t->entries[index].len;
	return t->bytes + t->entries[index].at;
}

void intern_reset(struct intern *t)
{
	t->used = t->count = 0;
	if (t->slots)
		memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
}

void intern_done(struct intern *t)
{
	free(t->bytes);
	free(t->entries);
	free(t->slots);
	*t = (struct intern){};
}
