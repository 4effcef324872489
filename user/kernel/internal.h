/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the kernel room share, and nobody else sees. */
#ifndef KERNEL_INTERNAL_H
#define KERNEL_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "kernel/kernel.h"

#define MAX_PROGRAMS 96

/* The pinned maps by role; every one is opened by name, whoever loaded it. */
enum map_id {
	MAP_ARENA, MAP_SLOTS, MAP_SANDBOXES, MAP_COUNTERS, MAP_MEMBERS, MAP_SOCKET_OWNERS, MAP_MEMBER_PIDS, MAP_GOVERNED, MAP_FOLDS,
	MAP_DECISIONS, MAP_TELEMETRY, MAP_SEQUENCES, MAP_LOST, MAP_SCRATCHES, MAP_CLAIMS, MAP_HOST, MAP_WHYS, MAP_COUNT,
};
extern const char *const map_names[MAP_COUNT];

/* A span of arena words or counter cells. */
struct span {
	uint32_t base, size, refs;
	uint64_t stamp;		/* of what lies in it, as its owner says; 0: not known */
};
struct spans {
	struct span *items;	/* sorted by base */
	size_t count;
	uint32_t limit;
};
int spans_take(struct spans *s, uint32_t size, uint64_t stamp, uint32_t *base);	/* first fit; -ENOSPC, -ENOMEM */
int spans_mark(struct spans *s, uint32_t base, uint32_t size);	/* known to be taken; counts references to an equal span */
void spans_drop(struct spans *s, uint32_t base);		/* one reference less */
void spans_done(struct spans *s);

struct kernel {
	char pin_dir[200];
	struct kernel_options options;
	bool adopted, loaded, attached;
	int why_err;			/* of why_open() */
	int maps[MAP_COUNT];
	/* shared memory of the maps of the same name */
	uint32_t *arena;
	struct policy_slot *slots;
	struct sandbox *sandboxes;
	struct counter *counters;
	struct host_state *host;
	struct why_ring *whys;
	struct spans arena_spans, counter_spans;
	uint32_t *parting;		/* by sandbox index: the slot of one that ended, until a grace period has passed; 0: none */
	size_t parting_count;
	int grace_outer, grace_inner;
	struct bpf_object *objects[8];
	struct bpf_link *links[MAX_PROGRAMS];
	size_t link_count;
	struct ring_buffer *rings[RING_COUNT];
	kernel_record_fn fn;
	void *fn_ctx;
	unsigned drained, drain_limit;
};

/* ---- programs.c: the families ---- */
struct family {
	const char *name;
	struct bpf_object *(*open)(const struct bpf_object_open_opts *opts);
	bool enforcing;		/* LSM and typed tracepoints; else the raw tracepoints of observe-only */
	const char *rows;	/* capabilities that stand or fall with it, for coverage */
};
extern const struct family families[];
extern const size_t family_count;
int family_load(const struct family *f, const char *pin_root, const struct kernel_options *o, struct bpf_object **out);
void programs_log(void);		/* what libbpf says goes our way, from now on */
int programs_load(struct kernel *k, char why[256]);
int programs_attach(struct kernel *k, char why[256]);
int programs_detach(struct kernel *k);
size_t programs_expected(const struct kernel *k);	/* links of a complete set on this kernel */
void programs_free(struct kernel *k);

/* ---- ksyms.c ---- */
enum ksym { KSYM_RENAME_LOCK, KSYM_MOUNT_LOCK, KSYM_ENTER_RECUR, KSYM_COUNT };
int ksyms_get(const uint64_t **out);	/* addresses by enum ksym; 0: this kernel has none of that name, or does not tell it */

/* ---- preempt.c ---- */
/* By /proc/version, what debugfs says of the model in force and the kernel's command line; both may be NULL. */
bool preempts_anywhere(const char *version, const char *model, const char *cmdline);
bool lsm_programs_skipped(void);	/* now and then on this kernel: nothing can be promised */

/* ---- pins.c ---- */
int pins_dir(const char *pin_dir, char why[256]);	/* make it, on a bpffs */
int pins_open_maps(struct kernel *k);			/* all maps by name */
size_t pins_count_links(const char *pin_dir);
int pins_remove(const char *pin_dir);			/* everything of ours below it */

/* ---- publish.c ---- */
int publish_open(struct kernel *k);		/* mmap */
void publish_grace(struct kernel *k);		/* returns when every program that was running has ended */
int publish_take_over(struct kernel *k);	/* of maps of our own version: drop what a dead engine left half done, rebuild the span tables */
void publish_close(struct kernel *k);
size_t publish_living(const struct kernel *k);

/* ---- why.c ---- */
int why_open(struct kernel *k);		/* pin it, or keep what is pinned; a failure is no failure of the kernel side */
int why_probe(void);			/* load and attach, and throw away */

/* ---- rings.c ---- */
int rings_open(struct kernel *k);
void rings_close(struct kernel *k);

#endif
