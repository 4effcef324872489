/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the rings, each call bounded, so that a flood cannot keep the engine from its other work. */
#include "base/base.h"
#include "kernel/internal.h"

static int on_record(void *ctx, void *record, size_t size)
{
	struct kernel *k = ctx;

	k->fn(k->fn_ctx, record, size);
	return ++k->drained >= k->drain_limit ? -EXFULL : 0;	/* stops behind this record */
}

static int drain_ring(struct kernel *k, unsigned ring, unsigned limit)
{
	int n;

	if (!k->rings[ring])
		return 0;
	k->drained = 0;
	k->drain_limit = limit;
	n = ring_buffer__consume(k->rings[ring]);
	return n < 0 && n != -EXFULL ? n : (int)k->drained;
}

int rings_open(struct kernel *k)
{
	static const enum map_id ids[RING_COUNT] = { [RING_DECISIONS] = MAP_DECISIONS, [RING_TELEMETRY] = MAP_TELEMETRY };
	size_t i;

	for (i = 0; i < RING_COUNT; i++) {
		if (k->maps[ids[i]] < 0)
			continue;
		k->rings[i] = ring_buffer__new(k->maps[ids[i]], on_record, k, NULL);
		if (!k->rings[i])
			return -errno;
	}
	return 0;
}

void rings_close(struct kernel *k)
{
	size_t i;

	for (i = 0; i < RING_COUNT; i++) {
		ring_buffer__free(k->rings[i]);
		k->rings[i] = NULL;
	}
}

int kernel_ring_fd(struct kernel *k)
{
	return k->rings[RING_DECISIONS] ? ring_buffer__epoll_fd(k->rings[RING_DECISIONS]) : ring_buffer__epoll_fd(k->rings[RING_TELEMETRY]);
}

/*
 * A little telemetry goes before the decisions: the exec that tells who was refused is older than the refusal, and nothing woke us for it. The
 * rest comes behind them.
 */
int kernel_drain(struct kernel *k, kernel_record_fn fn, void *ctx)
{
	static const struct {
		unsigned ring, limit;
	} turns[] = { { RING_TELEMETRY, 1024 }, { RING_DECISIONS, KERNEL_DRAIN_MAX }, { RING_TELEMETRY, KERNEL_DRAIN_MAX } };
	size_t i;
	int n, total = 0;

	k->fn = fn;
	k->fn_ctx = ctx;
	for (i = 0; i < ARRAY_SIZE(turns); i++) {
		n = drain_ring(k, turns[i].ring, turns[i].limit);
		if (n < 0)
			return n;
		total += n;
	}
	return total;
}

uint64_t kernel_lost(struct kernel *k, enum kernel_counter which)
{
	__u32 key = which;
	__u64 n = 0;

	(void)bpf_map_lookup_elem(k->maps[MAP_LOST], &key, &n);
	return n;
}

uint64_t kernel_sequence(struct kernel *k, uint32_t ring, uint32_t cpu)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), key;
	struct {
		__u64 n, pad[7];	/* struct sequence of bpf/maps.bpf.h: a cache line each */
	} seq = {};

	if (ring >= RING_COUNT || bpf_obj_get_info_by_fd(k->maps[MAP_SEQUENCES], &info, &len) || info.value_size != sizeof(seq) ||
	    cpu >= info.max_entries / RING_COUNT)
		return 0;
	key = ring * (info.max_entries / RING_COUNT) + cpu;
	return bpf_map_lookup_elem(k->maps[MAP_SEQUENCES], &key, &seq) ? 0 : seq.n;
}
