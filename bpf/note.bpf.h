/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * note(): a refusal into its sandbox's own ring, for `bailiff why`. What was refused before by the same rule and object is counted there, so
 * that repeats push nothing out, and no rule gets more than WHY_OF_RULE places.
 */
#ifndef NOTE_BPF_H
#define NOTE_BPF_H

#include "path.bpf.h"

static __always_inline __u64 mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* Rule, verb, object: what is one refusal, however often it happens. */
static __always_inline __u64 object_key(const struct report *r)
{
	__u64 h = mix(r->hash, (__u64)r->operation << 48 | (__u64)r->verb << 40 | r->rule);

	h = mix(h, r->arg);
	h = mix(h, (__u64)r->addr.port << 32 | (__u32)r->addr.family << 16 | r->addr.proto);
	h = mix(h, *(__u64 *)&r->addr.addr[0]);
	return mix(h, *(__u64 *)&r->addr.addr[8]);
}

/*
 * The next two search without a branch: eight entries with two each are more paths than a verifier walks. A mask is made opaque, or the compiler
 * sees the choice in it and makes the branch after all; what is read is read where it stands, or the stack holds all of it at once.
 */
#define READ_NOW(x) (*(const volatile typeof(x) *)&(x))

/* Where the next one goes: a free place, else the oldest; of the rule's own ones, once it has enough. */
static __always_inline __u32 note_place(const struct why_ring *ring, __u32 rule)
{
	__s64 oldest = 1ll << 62, own_oldest = oldest, at, less, mask;
	__u64 own = 0, is_own;
	__u32 i;

#pragma unroll
	for (i = 0; i < WHY_ENTRIES; i++) {
		const struct why_entry *e = &ring->entries[i];

		is_own = ((__u64)(READ_NOW(e->rule) ^ rule) - 1) >> 63;
		OPAQUE(is_own);
		is_own &= READ_NOW(e->key);
		OPAQUE(is_own);
		is_own &= 1;
		own += is_own;
		at = READ_NOW(e->time_ns) << 3 | i;
		less = at - oldest;
		mask = less >> 63;
		OPAQUE(mask);
		oldest += less & mask;
		mask = is_own - 1;
		OPAQUE(mask);
		at |= mask & 1ll << 61;
		less = at - own_oldest;
		mask = less >> 63;
		OPAQUE(mask);
		own_oldest += less & mask;
	}
	return (own >= WHY_OF_RULE ? own_oldest : oldest) & (WHY_ENTRIES - 1);
}

/* The place where this key is noted already, or WHY_ENTRIES. */
static __always_inline __u32 note_found(const struct why_ring *ring, __u64 key)
{
	__u64 differs, negative, same, found = 0;
	__u32 i;

#pragma unroll
	for (i = 0; i < WHY_ENTRIES; i++) {
		differs = READ_NOW(ring->entries[i].key) ^ key;
		negative = -differs;
		OPAQUE(negative);
		same = ((differs | negative) >> 63) - 1;	/* all ones: it is */
		OPAQUE(same);
		found |= (i + 1) & same;
	}
	return found ? (found - 1) & (WHY_ENTRIES - 1) : WHY_ENTRIES;
}

/* The end of a walked text, as words: both sides are aligned, which a copy of bytes would not use. */
static __always_inline void note_end(char *to, const struct scratch *s, __u32 which, __u32 bytes)
{
	const __u64 *from = (const void *)(s->text + which * TEXT_SPAN + TEXT_END - bytes);
	__u64 *out = (void *)to;
	__u32 i;

#pragma unroll
	for (i = 0; i < bytes / 8; i++)
		out[i] = from[i];
}

static __always_inline void note_text(struct why_entry *e, const struct scratch *s, __u32 paths)
{
	e->len = TEXT_END - s->walks[0].pos;
	if (paths < 2) {
		note_end(e->text, s, 0, WHY_TEXT_BYTES);
		return;
	}
	e->len2 = TEXT_END - s->walks[1].pos;
	note_end(e->text, s, 0, WHY_TEXT_BYTES / 2);
	note_end(e->text + WHY_TEXT_BYTES / 2, s, 1, WHY_TEXT_BYTES / 2);
}

static __always_inline void note_fill(struct why_entry *e, const struct report *r, const struct scratch *s, __u32 paths)
{
	e->time_ns = bpf_ktime_get_boot_ns();
	e->arg = r->arg;
	e->rule = r->rule;
	e->error = r->error;
	e->times = 1;
	e->generation = r->generation;
	e->operation = r->operation;
	e->class_id = r->class_id;
	e->verb = r->verb;
	e->reason = r->reason;
	e->len = e->len2 = 0;
	e->addr = r->addr;
	if (s)
		note_text(e, s, paths);
}

/* Is it noted already? Then it is counted there. */
static __always_inline bool noted(struct why_ring *ring, __u64 key)
{
	__u32 place = note_found(ring, key);
	struct why_entry *e;

	if (place >= WHY_ENTRIES)
		return false;
	e = &ring->entries[place];
	e->time_ns = bpf_ktime_get_boot_ns();
	__sync_fetch_and_add(&e->times, 1);
	return true;
}

/* Read by nobody until its key is there; s NULL: it has no path. */
static __always_inline void note(const struct report *r, __u64 object, const struct scratch *s, __u32 paths)
{
	__u64 key = mix(object, r->generation) | 1;	/* a rule's number is one policy's */
	__u32 index = r->index, place;
	struct why_ring *ring = bpf_map_lookup_elem(&whys, &index);
	struct why_entry *e;

	if (!ring || noted(ring, key))
		return;
	if (__sync_val_compare_and_swap(&ring->busy, 0, 1)) {
		count_lost(KC_WHY_LOST);
		return;
	}
	place = note_place(ring, r->rule);
	e = &ring->entries[place & (WHY_ENTRIES - 1)];
	*(volatile __u64 *)&e->key = 0;
	note_fill(e, r, s, paths);
	barrier();
	*(volatile __u64 *)&e->key = key;
	*(volatile __u32 *)&ring->busy = 0;
}

#endif
