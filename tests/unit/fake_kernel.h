/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel side for tests of the engine, without BPF: the functions of kernel/kernel.h on a piece of shared memory. It outlives the process
 * that opened it, as pins do, so that an engine can be killed and a successor finds what was there. The test reads and changes it
 * while an engine runs in a child: records to deliver, counters, what fails. Include it in one file of a test.
 */
#ifndef TESTS_UNIT_FAKE_KERNEL_H
#define TESTS_UNIT_FAKE_KERNEL_H

#include <signal.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include "kernel/kernel.h"

#define FAKE_ROWS	64
#define FAKE_CELLS	256
#define FAKE_RING_BYTES	(4u << 20)
#define FAKE_CPUS	4

struct fake_row {
	struct why_entry why;		/* key 0: nothing was refused */
	struct kernel_sandbox sandbox;
	struct counter cells[FAKE_CELLS], retired[FAKE_CELLS];	/* the policy's rules, then the builtin ones */
	size_t nrules, retired_nrules;
	bool has_retired;
};

struct fake {
	bool can_enforce, attached, fail_label, fail_reload, die_in_reload;
	bool no_floor;			/* for the suite's libseccomp: a machine it has no calls of */
	int64_t ahead_s;		/* for the suite's clock: of the wall's */
	unsigned loads, attaches, detaches, labels, governs, forgets;
	uint64_t beat_ns, next_id;
	struct fake_row rows[FAKE_ROWS];
	uint64_t governed[4 * FAKE_ROWS];
	uint64_t sequences[RING_COUNT][FAKE_CPUS];
	uint64_t lost[KC_COUNT];
	_Atomic uint32_t put, taken;	/* bytes of the ring: u32 size and record, never wrapping */
	uint8_t ring[FAKE_RING_BYTES];
};

static struct fake *fake;
static int fake_ring_fd = -1;

struct kernel {
	struct kernel_options options;
};

/* Once, before any engine. */
static inline void fake_init(void)
{
	fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fake == MAP_FAILED)
		abort();
	fake_ring_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

static inline void fake_reset(void)
{
	uint64_t n;

	memset(fake, 0, sizeof(*fake));
	fake->can_enforce = true;
	(void)!read(fake_ring_fd, &n, sizeof(n));
}

/* What a program would submit: numbered, unless the record has a number already. lose: numbered and never delivered. */
static inline void fake_submit(struct rec_head *h, bool lose)
{
	uint64_t one = 1;
	uint32_t at = fake->put;

	if (!h->seq)
		h->seq = ++fake->sequences[h->ring][h->cpu];
	if (lose)
		return;
	if (at + 4 + h->size > FAKE_RING_BYTES)
		abort();
	memcpy(fake->ring + at, &h->size, 4);
	memcpy(fake->ring + at + 4, h, h->size);
	fake->put = at + 4 + h->size;
	(void)!write(fake_ring_fd, &one, sizeof(one));
}

static inline struct fake_row *fake_row(uint64_t id)
{
	for (size_t i = 0; id && i < FAKE_ROWS; i++) {
		if (fake->rows[i].sandbox.id == id)
			return &fake->rows[i];
	}
	return NULL;
}

static inline size_t fake_living(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_ROWS; i++)
		n += fake->rows[i].sandbox.id != 0;
	return n;
}

static inline bool fake_governs(uint64_t cgroup)
{
	for (size_t i = 0; i < 4 * FAKE_ROWS; i++) {
		if (cgroup && fake->governed[i] == cgroup)
			return true;
	}
	return false;
}

/* ---- kernel/kernel.h ---- */
int kernel_open(const struct kernel_options *o, struct kernel **out, struct kernel_adoption *found, char why[256])
{
	struct kernel *k = calloc(1, sizeof(*k));

	why[0] = 0;
	*found = (struct kernel_adoption){ 0 };
	k->options = *o;
	if (fake->attached && fake_living() && !o->observe_only) {
		*found = (struct kernel_adoption){ .adopted = true, .beat_ns = fake->beat_ns, .sandboxes = fake_living() };
	} else {
		memset(fake->rows, 0, sizeof(fake->rows));
		memset(fake->governed, 0, sizeof(fake->governed));
		memset(fake->sequences, 0, sizeof(fake->sequences));
		fake->taken = fake->put;
		fake->attached = false;
		fake->loads++;
	}
	*out = k;
	return 0;
}

int kernel_attach(struct kernel *k, char why[256])
{
	(void)k;
	why[0] = 0;
	if (!fake->attached)
		fake->attaches++;
	fake->attached = true;
	return 0;
}

int kernel_detach(struct kernel *k)
{
	(void)k;
	if (fake_living())
		return -EBUSY;
	fake->attached = false;
	fake->detaches++;
	return 0;
}

void kernel_close(struct kernel *k)
{
	free(k);
}

static struct coverage_row fake_rows[] = {
	{ "enforcement", COVERAGE_FULL, "a fake that holds", "" },
	{ "files", COVERAGE_FULL, "a fake that holds", "" },
	{ "network sockets", COVERAGE_FULL, "a fake that holds", "" },
	{ "seccomp", COVERAGE_DEGRADED, "a fake that is not recorded", "" },
	{ "devices", COVERAGE_MISSING, "not built yet", "" },
};

void kernel_coverage(const struct kernel *k, bool anew, const struct coverage_row **rows, size_t *count)
{
	(void)anew;
	fake_rows[0].state = k->options.observe_only ? COVERAGE_MISSING : COVERAGE_FULL;
	snprintf(fake_rows[0].how, sizeof(fake_rows[0].how), "%s", k->options.observe_only ? "the fake refuses" : "a fake that holds");
	*rows = fake_rows;
	*count = sizeof(fake_rows) / sizeof(fake_rows[0]);
}

int kernel_probe(const struct coverage_row **rows, size_t *count)
{
	struct kernel k = { .options.observe_only = !fake->can_enforce };

	kernel_coverage(&k, true, rows, count);
	return 0;
}

bool kernel_can_enforce(void)
{
	return fake->can_enforce;
}

int kernel_sandbox_new(struct kernel *k, struct policy_image *img, enum stage stage, uint64_t cgroup_id, uint64_t deadline_ns, uint64_t *id)
{
	struct fake_row *r;

	(void)k;
	for (r = fake->rows; r < fake->rows + FAKE_ROWS && r->sandbox.id; r++)
		;
	if (r == fake->rows + FAKE_ROWS || img->slot.nrules + B_COUNT > FAKE_CELLS)
		return -ENOSPC;
	memset(r, 0, sizeof(*r));
	r->nrules = img->slot.nrules;
	*id = 1000 + ++fake->next_id;
	r->sandbox = (struct kernel_sandbox){ .id = *id, .cgroup_id = cgroup_id, .deadline_ns = deadline_ns, .stage = stage, .generation = 1,
		.index = r - fake->rows, .state = SANDBOX_LIVE };
	return 0;
}

int kernel_sandbox_reload(struct kernel *k, uint64_t id, struct policy_image *img, uint32_t *generation)
{
	struct fake_row *r = fake_row(id);

	(void)k;
	if (!r || fake->fail_reload)
		return r ? -ENOSPC : -ENOENT;
	memcpy(r->retired, r->cells, sizeof(r->cells));
	r->retired_nrules = r->nrules;
	r->has_retired = true;
	memset(r->cells, 0, sizeof(r->cells));
	r->nrules = img->slot.nrules;
	*generation = ++r->sandbox.generation;
	if (fake->die_in_reload)
		raise(SIGKILL);		/* behind the flip */
	return 0;
}

int kernel_sandbox_end(struct kernel *k, uint64_t id)
{
	struct fake_row *r = fake_row(id);

	(void)k;
	if (!r)
		return -ENOENT;
	r->sandbox.state = SANDBOX_ENDING;
	return 0;
}

int kernel_sandbox_free(struct kernel *k, uint64_t id)
{
	struct fake_row *r = fake_row(id);

	(void)k;
	if (!r)
		return -ENOENT;
	if (r->sandbox.members)
		return -EBUSY;
	r->sandbox.id = 0;
	return 0;
}

int kernel_sandbox_get(struct kernel *k, uint64_t id, struct kernel_sandbox *out)
{
	struct fake_row *r = fake_row(id);

	(void)k;
	if (!r)
		return -ENOENT;
	*out = r->sandbox;
	return 0;
}

size_t kernel_sandbox_list(struct kernel *k, struct kernel_sandbox *out, size_t max)
{
	size_t n = 0;

	(void)k;
	for (size_t i = 0; i < FAKE_ROWS; i++) {
		if (fake->rows[i].sandbox.id && n < max)
			out[n++] = fake->rows[i].sandbox;
	}
	return n;
}

int kernel_cgroup_govern(struct kernel *k, uint64_t cgroup_id, uint64_t id, uint32_t command)
{
	(void)k, (void)command;
	if (!fake_row(id))
		return -ENOENT;
	fake->governs++;
	for (size_t i = 0; i < 4 * FAKE_ROWS; i++) {
		if (!fake->governed[i]) {
			fake->governed[i] = cgroup_id;
			return 0;
		}
	}
	return -ENOSPC;
}

int kernel_cgroup_forget(struct kernel *k, uint64_t cgroup_id)
{
	(void)k;
	for (size_t i = 0; i < 4 * FAKE_ROWS; i++) {
		if (fake->governed[i] == cgroup_id) {
			fake->governed[i] = 0;
			fake->forgets++;
		}
	}
	return 0;
}

int kernel_member_label(struct kernel *k, int pidfd, uint64_t id, uint32_t command)
{
	(void)k, (void)pidfd, (void)id, (void)command;
	if (fake->fail_label)
		return -ENOMEM;
	fake->labels++;
	return 0;
}

static inline int fake_copy(const struct counter *cells, size_t have, struct counter *rules, size_t nrules, struct counter *builtin)
{
	if (have != nrules)
		return -EINVAL;
	memcpy(rules, cells, nrules * sizeof(*rules));
	memcpy(builtin, cells + nrules, B_COUNT * sizeof(*builtin));
	return 0;
}

int kernel_counters(struct kernel *k, uint64_t id, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT])
{
	struct fake_row *r = fake_row(id);

	(void)k;
	return r ? fake_copy(r->cells, r->nrules, rules, nrules, builtin) : -ENOENT;
}

int kernel_counters_retired(struct kernel *k, uint64_t id, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT])
{
	struct fake_row *r = fake_row(id);

	(void)k;
	return r && r->has_retired ? fake_copy(r->retired, r->retired_nrules, rules, nrules, builtin) : -ENOENT;
}

void kernel_counters_settled(struct kernel *k, uint64_t id)
{
	struct fake_row *r = fake_row(id);

	(void)k;
	if (r)
		r->has_retired = false;
}

int kernel_why(const struct kernel *k, uint64_t id, struct why_entry out[WHY_ENTRIES])
{
	struct fake_row *r = fake_row(id);

	(void)k;
	if (r && r->why.key)
		out[0] = r->why;
	return r ? r->why.key != 0 : -ENOENT;
}

int kernel_ring_fd(struct kernel *k)
{
	(void)k;
	return fake_ring_fd;
}

int kernel_drain(struct kernel *k, kernel_record_fn fn, void *ctx)
{
	uint64_t n;
	int taken = 0;

	(void)k;
	(void)!read(fake_ring_fd, &n, sizeof(n));
	while (fake->taken != fake->put && taken < KERNEL_DRAIN_MAX) {
		static __u8 copy[1 << 16] __attribute__((aligned(8)));
		uint32_t at = fake->taken, size;

		memcpy(&size, fake->ring + at, 4);
		memcpy(copy, fake->ring + at + 4, size);
		fake->taken = at + 4 + size;
		fn(ctx, copy, size);
		taken++;
	}
	return taken;
}

uint64_t kernel_lost(struct kernel *k, enum kernel_counter which)
{
	(void)k;
	return fake->lost[which];
}

uint64_t kernel_sequence(struct kernel *k, uint32_t ring, uint32_t cpu)
{
	(void)k;
	return cpu < FAKE_CPUS ? fake->sequences[ring][cpu] : 0;
}

void kernel_tidy(struct kernel *k)
{
	(void)k;
}

void kernel_beat(struct kernel *k)
{
	struct timespec t;

	(void)k;
	clock_gettime(CLOCK_BOOTTIME, &t);
	fake->beat_ns = t.tv_sec * 1000000000ull + t.tv_nsec;
}

#endif
