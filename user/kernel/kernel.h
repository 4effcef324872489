/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only room with libbpf: loads and pins the programs, adopts what a dead engine left, publishes policies, labels
 * members, reads the rings. Single-threaded; the engine's main thread owns it.
 */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "base/buf.h"
#include "bpf/abi.h"
#include "policy/policy.h"

struct kernel;
struct kernel_options {
	const char *pin_dir;		/* /sys/fs/bpf/bailiff */
	size_t decision_ring_bytes, telemetry_ring_bytes;	/* 0: 1 MiB, 8 MiB; powers of two */
	bool observe_only;		/* load the tracepoint programs alone: no LSM here and --allow-degraded was said */
};

/* Per capability, found by loading and attaching. */
enum coverage_state { COVERAGE_FULL, COVERAGE_DEGRADED, COVERAGE_MISSING };
struct coverage_row {
	const char *name;		/* "files", "network", ... */
	enum coverage_state state;
	char how[160];			/* by what, or what is missing */
	char change[160];		/* what the host's owner can change; empty */
};

struct kernel_adoption {
	bool adopted;			/* programs of an earlier engine were in force and are ours now */
	uint64_t beat_ns;		/* its last sign of life */
	size_t sandboxes;		/* living ones found */
};

/*
 * Open: adopt a complete set of pins of our ABI version, all or nothing; otherwise load anew (only if no sandbox lives). A set that is
 * incomplete or of another version while sandboxes live is -EUCLEAN with the reason in why. Programs are attached by kernel_attach().
 */
int kernel_open(const struct kernel_options *o, struct kernel **out, struct kernel_adoption *found, char why[256]);
int kernel_attach(struct kernel *k, char why[256]);	/* all programs; idempotent; pins the links */
int kernel_detach(struct kernel *k);			/* only without sandboxes */
void kernel_close(struct kernel *k);			/* lets go; what is pinned stays in force */
/* Load, attach and throw away without touching pins: what this kernel lets us do. Rows live as long as the process. */
int kernel_probe(const struct coverage_row **rows, size_t *count);
/* The same rows for what an open kernel side has in force. anew: try again whether a program refuses, which takes a tenth of a second; else as
 * the last try found it. Good until the next call of either. */
void kernel_coverage(const struct kernel *k, bool anew, const struct coverage_row **rows, size_t *count);
bool kernel_can_enforce(void);				/* from kernel_probe: LSM programs load and attach */

/* ---- sandboxes ---- */
struct kernel_sandbox {
	uint64_t id, cgroup_id, deadline_ns;
	enum stage stage;
	uint32_t index, generation, members, state;
	uint32_t killed;	/* processes that a refusal killed (on_refusal) */
};
/* Publish img, which is moved to where it is put, in a free slot and open a sandbox on it. id is the kernel's; the caller keeps its own names. */
int kernel_sandbox_new(struct kernel *k, struct policy_image *img, enum stage stage, uint64_t cgroup_id, uint64_t deadline_ns, uint64_t *id);
int kernel_sandbox_reload(struct kernel *k, uint64_t id, struct policy_image *img, uint32_t *generation);
int kernel_sandbox_end(struct kernel *k, uint64_t id);	/* from now on every hook refuses its members; the row stays until free */
int kernel_sandbox_free(struct kernel *k, uint64_t id);	/* when nothing of it lives */
void kernel_tidy(struct kernel *k);	/* what ended sandboxes held is given back once no program can see it: waits for that, so now and then */
int kernel_sandbox_get(struct kernel *k, uint64_t id, struct kernel_sandbox *out);
size_t kernel_sandbox_list(struct kernel *k, struct kernel_sandbox *out, size_t max);	/* living and ending ones, as found in the maps */
/* A task that enters this cgroup by any hand becomes a member of sandbox id with this command number. */
int kernel_cgroup_govern(struct kernel *k, uint64_t cgroup_id, uint64_t id, uint32_t command);
int kernel_cgroup_forget(struct kernel *k, uint64_t cgroup_id);
int kernel_member_label(struct kernel *k, int pidfd, uint64_t id, uint32_t command);	/* in force at its next instruction */
/* Exact counts per rule of the generation in force (a reload starts new cells). */
int kernel_counters(struct kernel *k, uint64_t id, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT]);
/* The final counts of the generation that the last reload of this sandbox replaced, also if another engine did it; -ENOENT without one. */
int kernel_counters_retired(struct kernel *k, uint64_t id, struct counter *rules, size_t nrules, struct counter builtin[B_COUNT]);

void kernel_counters_settled(struct kernel *k, uint64_t id);	/* they are kept elsewhere now */

/* The last refusals of a sandbox, newest first, as it can read them itself: how many, or -ENOENT. */
int kernel_why(const struct kernel *k, uint64_t id, struct why_entry out[WHY_ENTRIES]);

/* ---- rings ---- */
typedef void (*kernel_record_fn)(void *ctx, const void *record, size_t size);
int kernel_ring_fd(struct kernel *k);			/* epoll this: a decision is waiting */
#define KERNEL_DRAIN_MAX 8192
/* Some telemetry, all decisions, the rest of the telemetry; the number of records handed over (KERNEL_DRAIN_MAX or more: come again soon) or -errno. */
int kernel_drain(struct kernel *k, kernel_record_fn fn, void *ctx);
uint64_t kernel_lost(struct kernel *k, enum kernel_counter which);
uint64_t kernel_sequence(struct kernel *k, uint32_t ring, uint32_t cpu);	/* the last number given there; 0: none */
void kernel_beat(struct kernel *k);			/* write the sign of life */

#endif
