/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing: a policy's image goes into arena words that no slot points at, its slot is filled while no sandbox points at it, and one
 * store of a slot number puts it in force. What it replaces is reused only after a grace period: a program that runs now may still read it.
 */
#include <sys/timex.h>
#include <time.h>
#include "base/base.h"
#include "kernel/internal.h"

/* A write to a map of maps returns only after every program that was running has ended (kernel/bpf/syscall.c, maybe_wait_bpf_programs). */
void publish_grace(struct kernel *k)
{
	__u32 zero = 0;

	(void)bpf_map_update_elem(k->grace_outer, &zero, &k->grace_inner, BPF_ANY);
}

/* After a grace period: all slots of the policy, whichever is in force. */
static void slot_retire(struct kernel *k, uint32_t number)
{
	number = k->slots[number].first;
	while (number) {
		struct policy_slot *s = &k->slots[number];

		spans_drop(&k->arena_spans, s->arena_base);
		spans_drop(&k->arena_spans, s->anchors_off);
		spans_drop(&k->arena_spans, s->texts_off);
		spans_drop(&k->arena_spans, s->hint_off);
		spans_drop(&k->counter_spans, s->counter_base);
		s->in_use = 0;
		number = s->next;
		s->first = s->next = 0;
	}
}

/* Rows that ended and their slots, which wait for the grace period together: nobody waits for it while a sandbox ends. */
static void grace_pass(struct kernel *k)
{
	size_t i;

	publish_grace(k);
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

/* ---- slots ---- */

#define ANCHORS_STAMP UINT64_MAX	/* no image's */
#define TOLD_STAMP (UINT64_MAX - 1)	/* nor this: texts and hints */

static void image_move(struct policy_image *img, uint32_t base)
{
	if (img->base != base)
		policy_image_relocate(img, base - img->base);
	img->slot.arena_base = base;
}

/*
 * An equal image that is in force already is shared: a thousand sandboxes of one policy cost one, each with its own workspace. Whose stamp
 * differs is another; the stamp of what an earlier engine published is not known.
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

static int place_words(struct kernel *k, struct policy_image *img)
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

/* The anchors are each sandbox's own, and of no size that matters. They say where the words lie, so they come second. */
static int place_image(struct kernel *k, struct policy_image *img)
{
	int err = place_words(k, img);

	img->slot.anchors_off = img->slot.anchors_words = 0;
	if (err || !img->anchor_words)
		return err;
	err = spans_take(&k->arena_spans, img->anchor_words, ANCHORS_STAMP, &img->slot.anchors_off);
	if (err) {
		spans_drop(&k->arena_spans, img->slot.arena_base);
		return err;
	}
	img->slot.anchors_words = img->anchor_words;
	memcpy(k->arena + img->slot.anchors_off, img->anchors, img->anchor_words * sizeof(*img->anchors));
	return 0;
}

/* Words that hold no place: an equal region is shared. Without room the slot does without. */
static void place_told(struct kernel *k, const __u32 *words, size_t count, uint32_t *off, uint32_t *got)
{
	*off = *got = 0;
	if (!count)
		return;
	for (size_t i = 0; i < k->arena_spans.count && !*off; i++) {
		struct span *span = &k->arena_spans.items[i];

		if (span->size != count || (span->stamp && span->stamp != TOLD_STAMP) || memcmp(k->arena + span->base, words, count * sizeof(*words)))
			continue;
		span->refs++;
		*off = span->base;
	}
	if (!*off && spans_take(&k->arena_spans, count, TOLD_STAMP, off))
		return;
	*got = count;
	memcpy(k->arena + *off, words, count * sizeof(*words));
}

static void unplace_image(struct kernel *k, const struct policy_image *img)
{
	spans_drop(&k->arena_spans, img->slot.arena_base);
	spans_drop(&k->arena_spans, img->slot.anchors_off);
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

/* Since the epoch, as the kernel's programs read the time: leap seconds included, as many as this host knows of. */
static uint64_t end_ns(int64_t end_s)
{
	struct timex t = { 0 };

	if (!end_s)
		return 0;
	if (adjtimex(&t) < 0)
		t.tai = 0;	/* early by as much, never late */
	return (end_s + t.tai) * 1000000000ull;
}

/* The counters that all slots of a policy add to: the first one takes them. */
static int counters_place(struct kernel *k, const struct policy_image *img, const struct policy_slot *before, uint32_t *base)
{
	uint32_t cells = img->slot.nrules + B_COUNT;
	int err;

	if (before) {
		*base = before->counter_base;
		return spans_mark(&k->counter_spans, *base, cells);
	}
	err = spans_take(&k->counter_spans, cells, 0, base);
	if (!err)
		memset(k->counters + *base, 0, cells * sizeof(*k->counters));
	return err;
}

/* One image into a free slot; before: the one that it follows in time, NULL for the first. */
static int slot_place(struct kernel *k, struct policy_image *img, struct policy_slot *before, uint32_t *number)
{
	uint32_t slot, base;
	int err = slot_free_number(k, &slot);

	if (!err)
		err = place_image(k, img);
	if (err)
		return err;
	err = counters_place(k, img, before, &base);
	if (err) {
		unplace_image(k, img);
		return err;
	}
	k->slots[slot] = img->slot;
	k->slots[slot].counter_base = base;
	k->slots[slot].arena_words = img->count;
	place_told(k, img->texts, img->text_words, &k->slots[slot].texts_off, &k->slots[slot].texts_words);
	place_told(k, img->hint, img->hint_words, &k->slots[slot].hint_off, &k->slots[slot].hint_words);
	k->slots[slot].in_use = 1;
	k->slots[slot].end_ns = end_ns(img->end_s);
	k->slots[slot].first = before ? before->first : slot;
	if (before)
		before->next = slot;
	*number = slot;
	return 0;
}

static int slot_try(struct kernel *k, struct policy_image *img, uint32_t generation, uint32_t *number)
{
	struct policy_slot *before = NULL;
	uint32_t first = 0, slot;

	for (; img; img = img->next) {
		int err = slot_place(k, img, before, &slot);

		if (err && first)
			slot_retire(k, first);
		if (err)
			return err;
		first = first ? first : slot;
		before = &k->slots[slot];
		before->generation = generation;
	}
	*number = first;
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
	memset(&k->whys[sb - k->sandboxes], 0, sizeof(*k->whys));
	*id = next_id(k);
	__atomic_store_n(&sb->id, *id, __ATOMIC_RELEASE);
	return 0;
}

/* The slot before stays, as the only place where its last counts are, until they are settled: whoever is killed here loses none. */
int kernel_sandbox_reload(struct kernel *k, uint64_t id, struct policy_image *img, uint32_t *generation)
{
	struct sandbox *sb = sandbox_find(k, id);
	uint32_t fresh;
	int err;

	if (!sb || sb->state != SANDBOX_LIVE)
		return -ENOENT;
	kernel_counters_settled(k, id);
	err = slot_fill(k, img, k->slots[sb->slot].generation + 1, &fresh);
	if (err)
		return err;
	sb->replaced = sb->slot;
	__atomic_store_n(&sb->slot, fresh, __ATOMIC_RELEASE);
	grace_pass(k);
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
	uint32_t slot;

	if (!sb)
		return -ENOENT;
	if (sb->members)
		return -EBUSY;
	kernel_counters_settled(k, id);
	slot = sb->slot;
	__atomic_store_n(&sb->state, SANDBOX_FREE, __ATOMIC_RELEASE);
	__atomic_store_n(&sb->id, 0, __ATOMIC_RELEASE);
	k->parting[sb - k->sandboxes] = slot;
	k->parting_count++;
	return 0;
}

static void sandbox_view(struct kernel *k, const struct sandbox *sb, struct kernel_sandbox *out)
{
	*out = (struct kernel_sandbox){
		.id = sb->id, .cgroup_id = sb->cgroup_id, .deadline_ns = sb->deadline_ns, .stage = sb->stage, .index = sb - k->sandboxes,
		.generation = k->slots[sb->slot].generation, .members = sb->members, .state = sb->state,
		.killed = sb->killed,
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
	struct policy_slot *s = sb && sb->replaced ? &k->slots[sb->replaced] : NULL;

	return s ? copy_cells(k->counters + s->counter_base, s->nrules, rules, nrules, builtin) : -ENOENT;
}

void kernel_counters_settled(struct kernel *k, uint64_t id)
{
	struct sandbox *sb = sandbox_find(k, id);
	uint32_t slot = sb ? sb->replaced : 0;

	if (!slot)
		return;
	sb->replaced = 0;
	slot_retire(k, slot);
}
