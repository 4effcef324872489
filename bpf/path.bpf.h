/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a dentry and a mount to what a policy can match: our own walk to the top of the mount tree, written right to left into claimed
 * scratch, for match.bpf.h to run forward through the policy's automata. The path is the kernel's object, never a caller's string.
 * What cannot be told exactly (too long, too deep, detached, changing under us) is a reason to refuse, never a shorter path.
 */
#ifndef PATH_BPF_H
#define PATH_BPF_H

#include "sandbox.bpf.h"

#ifdef WALK_FOR_THE_RECORD
/* Nothing is decided by these walks: a path that mixes two moments is still the best there is, and kernels without these symbols have one too. */
#define walk_stamp() 0
#else
/* Where the kernel keeps them; the loader fills it in. BTF knows no addresses but those of functions and per-CPU variables. */
volatile const struct lock_places lock_places SEC(".rodata.locks");
#endif

#define WALK_RETRIES 5

/* ---- scratch ---- */

/*
 * Claim a buffer: its index, or -1 when all of this CPU are taken (refuse, and say so). Global: eight outcomes
 * are one unknown number to its caller's verification.
 */
noinline int scratch_claim(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct claims *c = bpf_map_lookup_elem(&claims, &cpu);
	__s32 i;

	if (!c)
		return -1;
#pragma unroll
	for (i = 0; i < SCRATCH_PER_CPU; i++)
		if (!(__sync_fetch_and_or(&c->bits, 1u << i) & 1u << i))
			return cpu * SCRATCH_PER_CPU + i;
	count_lost(KC_NO_BUFFER);
	return -1;
}

static __always_inline void scratch_release(__u32 index)
{
	__u32 cpu = index / SCRATCH_PER_CPU;
	struct claims *c = bpf_map_lookup_elem(&claims, &cpu);

	if (c)
		__sync_fetch_and_and(&c->bits, ~(1u << (index & (SCRATCH_PER_CPU - 1))));
}

/* A claimed buffer by its index. */
static __always_inline struct scratch *scratch_get(__u32 index)
{
	return bpf_map_lookup_elem(&scratches, &index);
}

/* Where byte `pos` of text 0 or 1 lies. */
static __always_inline __u32 text_at(__u32 which, __u32 pos)
{
	return (which ? TEXT_SPAN : 0) + pos;
}

/* ---- the walk ---- */

/* The loop's state is in the scratch, that is in map memory: no verifier takes its scalars for constants (KERNEL.md 0.1, 0.2). */
struct loop {
	struct scratch *s;
	struct arena *arena;
	__u32 which;
};

static __always_inline long cross_mount(struct walk *w)
{
	struct mount *m = (void *)w->mount;
	struct mount *up = BPF_CORE_READ(m, mnt_parent);

	if ((__u64)up == w->mount) {
		w->done = 1;
		return 1;
	}
	w->dentry = (__u64)BPF_CORE_READ(m, mnt_mountpoint);
	w->mount = (__u64)up;
	w->root = (__u64)BPF_CORE_READ(up, mnt.mnt_root);
	return 0;
}

static __always_inline long stop(struct walk *w, __u32 why)
{
	w->why = why;
	return 1;
}

/* What a step needs of a dentry, in one read: the fields lie side by side in every kernel of the matrix, and the offsets say if not. */
struct dentry_part {
	__u64 parent;
	__u32 hash, len;	/* struct qstr */
	__u64 name;
};

static __always_inline void dentry_read(struct dentry_part *out, __u64 at)
{
	struct dentry *dentry = (void *)at;
	__u64 from = bpf_core_field_offset(struct dentry, d_parent);

	if (bpf_core_field_offset(struct dentry, d_name) == from + sizeof(out->parent)) {
		/* what cannot be read has no parent, and the walk ends as unreadable */
		if (bpf_probe_read_kernel(out, sizeof(*out), (void *)(at + from)))
			__builtin_memset(out, 0, sizeof(*out));
		return;
	}
	out->parent = (__u64)BPF_CORE_READ(dentry, d_parent);
	out->len = BPF_CORE_READ(dentry, d_name.len);
	out->name = (__u64)BPF_CORE_READ(dentry, d_name.name);
}

/* One component, right to left. */
static long climb(__u32 i, struct loop *l)
{
	struct scratch *s = l->s;
	struct walk *w;
	struct dentry_part d;
	__u32 pos, len;

	if (!s)
		return 1;
	w = l->which ? &s->walks[1] : &s->walks[0];
	if (w->dentry == w->root)
		return cross_mount(w);
	dentry_read(&d, w->dentry);
	if (!d.parent)
		return stop(w, REASON_UNREADABLE);
	if (d.parent == w->dentry)
		return stop(w, REASON_DETACHED);	/* a root that is not its mount's: bind source gone, kernel-internal */
	pos = w->pos;
	if (pos < TEXT_SLACK + 2 || pos > TEXT_END)
		return stop(w, REASON_TOO_LONG);
	if (w->proc_root && d.parent == w->proc_root) {
		/* /proc/<pid of a member> is one place to a policy: /proc/self */
		pos -= 5;
		__builtin_memcpy(s->text + text_at(l->which, pos), "/self", 5);
	} else {
		len = d.len & 255;
		pos -= len;
		if (bpf_probe_read_kernel(s->text + text_at(l->which, pos), len, (void *)d.name))
			return stop(w, REASON_UNREADABLE);
		pos--;
		s->text[text_at(l->which, pos)] = '/';
	}
	if (pos < TEXT_SLACK)
		return stop(w, REASON_TOO_LONG);
	w->pos = pos;
	w->dentry = d.parent;
	return 0;
}

#ifndef WALK_FOR_THE_RECORD
static __always_inline __u32 seq_read(__u64 lock)
{
	__u32 seq = 1;

	/* seqlock_t begins with its seqcount */
	bpf_probe_read_kernel(&seq, sizeof(seq), (void *)lock);
	return seq;
}

/* Both stamps in one; odd in bit 0 of either half while a change is on its way. */
static __always_inline __u64 walk_stamp(void)
{
	return (__u64)seq_read(lock_places.rename) << 32 | seq_read(lock_places.mount);
}
#endif

/* The mount at the top decides whether the path means anything here. */
static __always_inline void top_trust(struct walk *w)
{
	struct task_struct *task = LOOK_AT(bpf_get_current_task_btf());
	struct mount *m = (void *)w->mount;
	__u64 ns = (__u64)BPF_CORE_READ(m, mnt_ns);

	if (ns == MNT_NS_INTERNAL) {
		w->internal = 1;
		w->why = REASON_NONE;
		return;
	}
	/* NULL: lazily unmounted; another: a tree that is not attached here */
	if (!w->why && (!ns || ns != (__u64)task->nsproxy->mnt_ns))
		w->why = REASON_DETACHED;
}

/*
 * Walk from walks[which].from_dentry and from_mount into text `which` of a claimed scratch. On return walks[which].why says
 * whether the path is known and pos is its first byte. A rename or mount anywhere meanwhile makes us start again, for the text
 * could mix two states of the tree.
 * Global, so that it is verified once a program.
 */
noinline int path_walk(__u32 index, __u32 which)
{
	struct scratch *s = scratch_get(index);
	struct loop l = { .s = s, .which = which };
	struct mount *m;
	__u64 stamp;
	__u32 try;
	struct walk *w;

	if (!s)
		return 0;
	w = which ? &s->walks[1] : &s->walks[0];
	m = (void *)w->from_mount;
#pragma unroll
	for (try = 0; try < WALK_RETRIES; try++) {
		stamp = walk_stamp();
		w->dentry = w->from_dentry;
		w->mount = w->from_mount;
		w->root = (__u64)BPF_CORE_READ(m, mnt.mnt_root);
		w->pos = TEXT_END;
		w->why = REASON_NONE;
		w->done = w->internal = 0;
		bpf_loop(WALK_STEPS, climb, &l, 0);
		if (stamp & 0x100000001ull || walk_stamp() != stamp)
			continue;
		if (!w->why && !w->done)
			w->why = REASON_TOO_DEEP;
		/* a walk that ended below its mount's root may be in a mount of the kernel's own (pipe, memfd) */
		if (w->done || w->why == REASON_DETACHED)
			top_trust(w);
		return 0;
	}
	w->why = REASON_RACED;
	count_lost(KC_RACED);
	return 0;
}

/* Set out: an object as hooks name it. Addresses go through map memory, for a global function takes no kernel pointers. */
static __always_inline void walk_from(struct walk *w, const struct vfsmount *mnt, const struct dentry *dentry)
{
	w->from_dentry = (__u64)dentry;
	w->from_mount = (__u64)mnt - bpf_core_field_offset(struct mount, mnt);
}

#endif
