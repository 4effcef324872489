/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory that publishing writes: the maps' pages in this process, what of them is taken, and the map of maps whose writes wait for a grace period.
 * A successor marks what it finds in use and lets go what a dead engine left half done.
 */
#include <sys/mman.h>
#include "base/base.h"
#include "kernel/internal.h"

static size_t map_bytes(enum map_id id)
{
	static const size_t bytes[MAP_COUNT] = {
		[MAP_ARENA] = ARENA_WORDS * sizeof(__u32), [MAP_SLOTS] = MAX_SLOTS * sizeof(struct policy_slot),
		[MAP_SANDBOXES] = MAX_SANDBOXES * sizeof(struct sandbox), [MAP_COUNTERS] = COUNTER_CELLS * sizeof(struct counter),
		[MAP_HOST] = sizeof(struct host_state),
		[MAP_WHYS] = MAX_SANDBOXES * sizeof(struct why_ring),
	};

	return (bytes[id] + 4095) & ~(size_t)4095;
}

static int map_memory(struct kernel *k, enum map_id id, void *out)
{
	void *p;

	if (k->maps[id] < 0) {
		/* observe-only: nothing in the kernel reads it; private memory keeps one code path here */
		p = mmap(NULL, map_bytes(id), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	} else {
		p = mmap(NULL, map_bytes(id), PROT_READ | PROT_WRITE, MAP_SHARED, k->maps[id], 0);
	}
	if (p == MAP_FAILED)
		return -errno;
	*(void **)out = p;
	return 0;
}

static int mark_live(struct kernel *k)
{
	size_t i;
	int err;

	for (i = 0; i < MAX_SLOTS; i++) {
		struct policy_slot *s = &k->slots[i];

		if (!s->in_use)
			continue;
		err = spans_mark(&k->arena_spans, s->arena_base, s->arena_words);
		if (!err && s->anchors_off)
			err = spans_mark(&k->arena_spans, s->anchors_off, s->anchors_words);
		if (!err && s->texts_off)
			err = spans_mark(&k->arena_spans, s->texts_off, s->texts_words);
		if (!err && s->hint_off)
			err = spans_mark(&k->arena_spans, s->hint_off, s->hint_words);
		if (!err)
			err = spans_mark(&k->counter_spans, s->counter_base, s->nrules + B_COUNT);
		if (err)
			return err;
	}
	return 0;
}

/* A policy's slots, whichever of them is in force. */
static void point(const struct kernel *k, uint8_t *pointed, uint32_t number)
{
	size_t left = ENDS_MAX + 1;

	for (number = k->slots[number].first; number && number < MAX_SLOTS && left--; number = k->slots[number].next)
		pointed[number] = 1;
}

/* Slots that a dead engine filled and no sandbox needs. */
static void reap_orphans(struct kernel *k)
{
	static uint8_t pointed[MAX_SLOTS];
	size_t i;

	memset(pointed, 0, sizeof(pointed));
	for (i = 0; i < MAX_SANDBOXES; i++) {
		struct sandbox *sb = &k->sandboxes[i];

		if (!sb->id || sb->slot >= MAX_SLOTS)
			continue;
		if (sb->replaced >= MAX_SLOTS || k->slots[sb->replaced].first == k->slots[sb->slot].first)
			sb->replaced = 0;	/* its engine died before the flip */
		point(k, pointed, sb->slot);
		point(k, pointed, sb->replaced);
	}
	pointed[0] = 0;
	for (i = 0; i < MAX_SLOTS; i++)
		if (!pointed[i])
			k->slots[i].in_use = 0;
}

static int grace_open(struct kernel *k)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	k->grace_inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "grace_inner", 4, 4, 1, NULL);
	if (k->grace_inner < 0)
		return -errno;
	opts.inner_map_fd = k->grace_inner;
	k->grace_outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "grace", 4, 4, 1, &opts);
	return k->grace_outer < 0 ? -errno : 0;
}

int publish_open(struct kernel *k)
{
	int err;

	k->arena_spans.limit = ARENA_WORDS;
	k->counter_spans.limit = COUNTER_CELLS;
	k->parting = calloc(MAX_SANDBOXES, sizeof(*k->parting));
	if (!k->parting)
		return -ENOMEM;
	if ((err = map_memory(k, MAP_ARENA, &k->arena)) || (err = map_memory(k, MAP_SLOTS, &k->slots)) ||
	    (err = map_memory(k, MAP_SANDBOXES, &k->sandboxes)) || (err = map_memory(k, MAP_COUNTERS, &k->counters)) ||
	    (err = map_memory(k, MAP_HOST, &k->host)) || (err = map_memory(k, MAP_WHYS, &k->whys)) || (err = grace_open(k)))
		return err;
	return 0;
}

int publish_take_over(struct kernel *k)
{
	reap_orphans(k);
	publish_grace(k);	/* for counts of a policy that was being replaced */
	return mark_live(k);
}

static void unmap_memory(void *p, enum map_id id)
{
	if (p)
		munmap(p, map_bytes(id));
}

void publish_close(struct kernel *k)
{
	unmap_memory(k->arena, MAP_ARENA);
	unmap_memory(k->slots, MAP_SLOTS);
	unmap_memory(k->sandboxes, MAP_SANDBOXES);
	unmap_memory(k->counters, MAP_COUNTERS);
	unmap_memory(k->host, MAP_HOST);
	unmap_memory(k->whys, MAP_WHYS);
	spans_done(&k->arena_spans);
	spans_done(&k->counter_spans);
	free(k->parting);
	if (k->grace_outer >= 0)
		close(k->grace_outer);
	if (k->grace_inner >= 0)
		close(k->grace_inner);
}

size_t publish_living(const struct kernel *k)
{
	size_t i, n = 0;

	for (i = 0; i < MAX_SANDBOXES; i++)
		n += k->sandboxes[i].id != 0;
	return n;
}
