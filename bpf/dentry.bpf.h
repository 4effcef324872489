/* SPDX-License-Identifier: GPL-2.0-only */
/* The verdict for hooks that give a dentry and no mount: times, extended attributes, access lists. */
#ifndef DENTRY_BPF_H
#define DENTRY_BPF_H

#include "judge.bpf.h"

struct mount_search {
	__u64 next, head, s_root, ns;	/* list nodes; the superblock's root; the caller's mount namespace */
	__u64 exact, other;		/* found: a mount of the whole file system, of a part of it */
};

static long search_mount(__u32 i, struct mount_search *m)
{
	__u64 mount = m->next - bpf_core_field_offset(struct mount, mnt_instance);
	struct mount *at = (void *)mount;

	if (m->next == m->head || !m->next)
		return 1;
	if ((__u64)BPF_CORE_READ(at, mnt_ns) == m->ns) {
		if ((__u64)BPF_CORE_READ(at, mnt.mnt_root) == m->s_root) {
			m->exact = mount;
			return 1;
		}
		m->other = mount;
	}
	m->next = (__u64)BPF_CORE_READ(at, mnt_instance.next);
	return 0;
}

/*
 * The mount by which this namespace sees a superblock: one of the whole file system if there is one, else one of a part (if the object is
 * not below it the walk ends detached, and that refuses).
 */
static __always_inline __u64 mount_of(struct dentry *dentry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);
	struct mount_search m = {};

	m.head = (__u64)sb + bpf_core_field_offset(struct super_block, s_mounts);
	m.next = (__u64)BPF_CORE_READ(sb, s_mounts.next) + loop_zero;
	m.s_root = (__u64)BPF_CORE_READ(sb, s_root);
	m.ns = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
	m.exact = UNKNOWN(0);
	m.other = UNKNOWN(0);
	bpf_loop(4096, search_mount, &m, 0);
	return m.exact ? m.exact : m.other;
}

static __always_inline int judge_dentry(struct dentry *dentry, enum operation op)
{
	struct here h;
	struct object o = { .verbs = 1u << VERB_CHANGE, .op = op, .dentry = dentry };
	__u64 mount;

	if (!sandbox_here(&h) || credentials_lent())
		return 0;
	if (BPF_CORE_READ(dentry, d_sb, s_flags) & SB_NOUSER && !h.dead)
		return judge_internal(&h, &o);
	mount = mount_of(dentry);
	if (!mount)
		return refuse_unknown(&h, &o, REASON_DETACHED);
	o.mnt = (void *)(mount + bpf_core_field_offset(struct mount, mnt));
	return judge(&h, &o);
}

#endif
