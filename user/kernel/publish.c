/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing: a policy's image goes into arena words that no slot points at, its slot is filled while no sandbox points at it, and one
 * store of a slot number puts it in force. What it replaces is reused only after a grace period: a program that runs now may still read it.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include "base/base.h"
#include "kernel/internal.h"

static size_t map_bytes(enum map_id id)
{
	static const size_t bytes[MAP_COUNT] = {
		[MAP_ARENA] = ARENA_WORDS * sizeof(__u32), [MAP_SLOTS] = MAX_SLOTS * sizeof(struct policy_slot),
		[MAP_SANDBOXES] = MAX_SANDBOXES * sizeof(struct sandbox), [MAP_COUNTERS] = COUNTER_CELLS * sizeof(struct counter),
		[MAP_HOST] = sizeof(struct host_state),
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
		if (!err)
			err = spans_mark(&k->counter_spans, s->counter_base, s->nrules + B_COUNT);
		if (err)
			return err;
	}
	return 0;
}

/* Slots that a dead engine filled and no sandbox points at. */
static void reap_orphans(struct kernel *k)
{
	static uint8_t pointed[MAX_SLOTS];
	size_t i;

	memset(pointed, 0, sizeof(pointed));
	for (i = 0; i < MAX_SANDBOXES; i++)
		if (k->sandboxes[i].id && k->sandboxes[i].slot < MAX_SLOTS)
			pointed[k->sandboxes[i].slot] = 1;
	for (i = 0; i < MAX_SLOTS; i++)
		if (!pointed[i])
			k->slots[i].in_use = 0;
}

/* A write to a map of maps returns only after every program that was running has ended (kernel/bpf/syscall.c, maybe_wait_bpf_programs). */
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

static void grace_wait(struct kernel *k)
{
	__u32 zero = 0;

	(void)bpf_map_update_elem(k->grace_outer, &zero, &k->grace_inner, BPF_ANY);
}

/* After a grace period. */
static void slot_retire(struct kernel *k, uint32_t number)
{
	struct policy_slot *s = &k->slots[number];

	spans_drop(&k->arena_spans, s->arena_base);
	spans_drop(&k->counter_spans, s->counter_base);
	s->in_use = 0;
}

/* Rows that ended and their slots, which wait for the grace period together: nobody waits for it while a sandbox ends. */
static void grace_pass(struct kernel *k)
{
	size_t i;

	grace_wait(k);
	for (i = 0; k->parting_count && i < MAX_SANDBOXES; i++) {
		if (!k->parting[i])
			continue;
		slot_retire(k, k->parting[i]);
		k->parting[i] = 0;
		k->parting_count--;
	}
}

void kernel_tidy(struct kernel *k)
{
	if (k->parting_count)
		grace_pass(k);
}

int publish_open(struct kernel *k)
{
	int err;

	k->arena_spans.limit = ARENA_WORDS;
	k->counter_spans.limit = COUNTER_CELLS;
	k->retired = calloc(MAX_SANDBOXES, sizeof(*k->retired));
	k->parting = calloc(MAX_SANDBOXES, sizeof(*k->parting));
	if (!k->retired || !k->parting)
		return -ENOMEM;
	if ((err = map_memory(k, MAP_ARENA, &k->arena)) || (err = map_memory(k, MAP_SLOTS, &k->slots)) ||
	    (err = map_memory(k, MAP_SANDBOXES, &k->sandboxes)) || (err = map_memory(k, MAP_COUNTERS, &k->counters)) ||
	    (err = map_memory(k, MAP_HOST, &k->host)) || (err = grace_open(k)))
		return err;
	return 0;
}

int publish_take_over(struct kernel *k)
{
	reap_orphans(k);
	return mark_live(k);
}

static void unmap_memory(void *p, enum map_id id)
{
	if (p)
		munmap(p, map_bytes(id));
}

void publish_close(struct kernel *k)
{
	size_t i;

	unmap_memory(k->arena, MAP_ARENA);
	unmap_memory(k->slots, MAP_SLOTS);
	unmap_memory(k->sandboxes, MAP_SANDBOXES);
	unmap_memory(k->counters, MAP_COUNTERS);
	unmap_memory(k->host, MAP_HOST);
	spans_done(&k->arena_spans);
	spans_done(&k->counter_spans);
	for (i = 0; k->retired && i < MAX_SANDBOXES; i++)
		free(k->retired[i].cells);
	free(k->retired);
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

/* ---- slots ---- */

static void image_move(struct policy_image *img, uint32_t base)
{
	if (img->base != base)
		policy_image_relocate(img, base - img->base);
	img->slot.arena_base = base;
}

/*
 * An equal image that is in force already is shared: a thousand sandboxes of one policy cost one. Whose stamp differs is another; the stamp of what an
 * earlier engine published is not known.
 */
static int find_shared(struct kernel *k, struct policy_image *img)
{
	for (size_t i = 0; i < k->arena_spans.count; i++) {
		struct span *span = &k->arena_spans.items[i];

		if (span->size != img->count || (span->stamp && span->stamp != img->stamp))
			continue;
		image_move(img, span->base);
		if (memcmp(k->arena + span->base, img->words, img->count * sizeof(*img->words)))
			continue;
		span->refs++;
		return 0;
	}
	return -ENOENT;
}

static int place_image(struct kernel *k, struct policy_image *img)
{
	uint32_t base;
	int err = find_shared(k, img);

	if (!err)
		return 0;
	err = spans_take(&k->arena_spans, img->count, img->stamp, &base);
	if (err)
		return err;
	image_move(img, base);
	memcpy(k->arena + base, img->words, img->count * sizeof(*img->words));
	return 0;
}

static int slot_free_number(struct kernel *k, uint32_t *out)
{
	uint32_t i;

	for (i = 1; i < MAX_SLOTS; i++) {
		if (k->slots[i].in_use)
			continue;
		*out = i;
		return 0;
	}
	return -ENOSPC;
}

static int slot_try(struct kernel *k, struct policy_image *img, uint32_t generation, uint32_t *number)
{
	uint32_t slot, cells = img->slot.nrules + B_COUNT, base;
	int err = slot_free_number(k, &slot);

	if (!err)
		err = place_image(k, img);
	if (err)
		return err;
	err = spans_take(&k->counter_spans, cells, 0, &base);
	if (err) {
		spans_drop(&k->arena_spans, img->slot.arena_base);
		return err;
	}
	memset(k->counters + base, 0, cells * sizeof(*k->counters));
	k->slots[slot] = img->slot;
	k->slots[slot].generation = generation;
	k->slots[slot].counter_base = base;
	k->slots[slot].arena_words = img->count;
	k->slots[slot].in_use = 1;
	*number = slot;
	return 0;
}

/* Fill a free slot: nobody points there yet. */
static int slot_fill(struct kernel *k, struct policy_image *img, uint32_t generation, uint32_t *number)
{
	int err = slot_try(k, img, generation, number);

	if (err != -ENOSPC || !k->parting_count)
		return err;
	grace_pass(k);
	return slot_try(k, img, generation, number);
}

/* ---- sandboxes ---- */

static struct sandbox *sandbox_find(struct kernel *k, uint64_t id)
{
	size_t i;

	for (i = 0; id && i < MAX_SANDBOXES; i++)
		if (k->sandboxes[i].id == id)
			return &k->sandboxes[i];
	return NULL;
}

static uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Never twice while the host is up: the time, made unique by the last one given. */
static uint64_t next_id(struct kernel *k)
{
	uint64_t now = boot_ns();

	if (now <= k->host->next_sandbox)
		now = k->host->next_sandbox + 1;
	return k->host->next_sandbox = now;
}

static struct sandbox *row_take(struct kernel *k)
{
	size_t i;

	for (i = 0; i < MAX_SANDBOXES; i++)
		if (!k->sandboxes[i].id && !k->parting[i])
			return &k->sandboxes[i];
	return NULL;
}


int kernel_sandbox_new(struct kernel *k, struct policy_image *img, enum stage stage, uint64_t cgroup_id, uint64_t deadline_ns, uint64_t *id)
{
	struct sandbox *sb = row_take(k);
	uint32_t slot;
	int err;

	if (!sb) {
		kernel_tidy(k);
		sb = row_take(k);
	}
	err = sb ? slot_fill(k, img, 1, &slot) : -ENOSPC;
	if (err)
		return err;
	*sb = (struct sandbox){ .cgroup_id = cgroup_id, .deadline_ns = deadline_ns, .slot = slot, .stage = stage, .state = SANDBOX_LIVE };
	*id = next_id(k);
	__atomic_store_n(&sb->id, *id, __ATOMIC_RELEASE);
	return 0;
}

/* The final counts of a slot that no program can see any more, into room that was had before the flip. */
static void keep_retired(struct kernel *k, struct sandbox *sb, uint32_t slot, struct counter *room)
{
	struct policy_slot *s = &k->slots[slot];
	struct retired *r = &k->retired[sb - k->sandboxes];

	memcpy(room, k->counters + s->counter_base, (s->nrules + B_COUNT) * sizeof(*room));
	free(r->cells);
	*r = (struct retired){ .id = sb->id, .cells = room, .nrules = s->nrules };
}

int kernel_sandbox_reload(struct kernel *k, uint64_t id, struct policy_image *img, uint32_t *generation)
{
	struct sandbox *sb = sandbox_find(k, id);
	_free_ struct counter *room = NULL;
	uint32_t old, fresh;
	int err;

	if (!sb || sb->state != SANDBOX_LIVE)
		return -ENOENT;
	old = sb->slot;
	room = calloc(k->slots[old].nrules + B_COUNT, sizeof(*room));
	if (!room)
		return -ENOMEM;
	err = slot_fill(k, img, k->slots[old].generation + 1, &fresh);
	if (err)
		return err;
	__atomic_store_n(&sb->slot, fresh, __ATOMIC_RELEASE);
	grace_pass(k);
	keep_retired(k, sb, old, steal(&room));
	slot_retire(k, old);
	*generation = k->slots[fresh].generation;
	return 0;
}

int kernel_sandbox_end(struct kernel *k, uint64_t id)
{
	struct sandbox *sb = sandbox_find(k, id);

	if (!sb)
		return -ENOENT;
	__atomic_store_n(&sb->state, SANDBOX_ENDING, __ATOMIC_RELEASE);
	return 0;
}

int kernel_sandbox_free(struct kernel *k, uint64_t id)
{
	struct sandbox *sb = sandbox_find(k, id);
	struct retired *r;
	uint32_t slot;

	if (!sb)
		return -ENOENT;
	if (sb->members)
		return -EBUSY;
	slot = sb->slot;
	r = &k->retired[sb - k->sandboxes];
	__atomic_store_n(&sb->state, SANDBOX_FREE, __ATOMIC_RELEASE);
	__atomic_store_n(&sb->id, 0, __ATOMIC_RELEASE);
	k->parting[sb - k->sandboxes] = slot;
	k->parting_count++;
	free(r->cells);
	*r = (struct retired){};
	return 0;
}

static void sandbox_view(struct kernel *k, const struct sandbox *sb, struct kernel_sandbox *out)
{
	*out = (struct kernel_sandbox){
		.id = sb->id, .cgroup_id = sb->cgroup_id, .deadline_ns = sb->deadline_ns, .stage = sb->stage, .index = sb - k->sandboxes,
		.generation = k->slots[sb->slot].generation, .members = sb->members, .state = sb->state,
	};
}

int kernel_sandbox_get(struct kernel *k, uint64_t id, struct kernel_sandbox *out)
{
	struct sandbox *sb = sandbox_find(k, id);

	if (!sb)
		return -ENOENT;
	sandbox_view(k, sb, out);
	return 0;
}

size_t kernel_sandbox_list(struct kernel *k, struct kernel_sandbox *out, size_t max)
{
	size_t i, n = 0;

	for (i = 0; i < MAX_SANDBOXES; i++) {
		if (!k->sandboxes[i].id)
			continue;
		if (n < max)
			sandbox_view(k, &k->sandboxes[i], &out[n]);
		n++;
	}
	return n;
}

/* ---- counters ---- */

static int copy_cells(const struct counter *cells, uint32_t have, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT])
{
	if (nrules != have)
		return -EINVAL;
	memcpy(rules, cells, nrules * sizeof(*rules));
	memcpy(builtin, cells + nrules, B_COUNT * sizeof(*builtin));
	return 0;
}

int kernel_counters(struct kernel *k, uint64_t id, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT])
{
	struct sandbox *sb = sandbox_find(k, id);
	struct policy_slot *s;

	if (!sb)
		return -ENOENT;
	s = &k->slots[sb->slot];
	return copy_cells(k->counters + s->counter_base, s->nrules, rules, nrules, builtin);
}

int kernel_counters_retired(struct kernel *k, uint64_t id, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT])
{
	struct sandbox *sb = sandbox_find(k, id);
	struct retired *r = sb ? &k->retired[sb - k->sandboxes] : NULL;

	if (!r || r->id != id || !r->cells)
		return -ENOENT;
	return copy_cells(r->cells, r->nrules, rules, nrules, builtin);
}
