/* SPDX-License-Identifier: GPL-2.0-only */
/* The record of an exec, for the programs that enforce and for those that can only observe. */
#ifndef EXEC_BPF_H
#define EXEC_BPF_H

#include "emit.bpf.h"

/* argv as the new image sees it; what cannot be read is left out and its length says so. */
static __always_inline __u32 copy_argv(struct scratch *s, __u32 at, struct rec_exec *e)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 start = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
	__u32 len = end - start;

	e->argv_total = len;
	asm volatile("" : "+r"(len), "+r"(at));
	if (len > ARGV_BYTES)
		len = ARGV_BYTES;
	if (at > sizeof(*e) + PATH_BYTES)
		return 0;
	if (bpf_probe_read_user(s->record + at, len, (void *)start))
		return 0;
	return len;
}

static __always_inline void exec_fill(struct scratch *s, __u32 index, const struct who *who, struct file *file)
{
	struct rec_exec *e = (void *)s->record;
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	__u32 len;

	__builtin_memset(e, 0, sizeof(*e));
	head_fill(&e->h, REC_EXEC, RING_TELEMETRY, sizeof(*e), who);
	e->inode = BPF_CORE_READ(inode, i_ino);
	e->dev = BPF_CORE_READ(inode, i_sb, s_dev);
	s->walks[0].proc_root = 0;
	walk_from(&s->walks[0], BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry));
	path_walk(index, 0);
	len = e->path_len = s->walks[0].why ? 0 : copy_text(s, sizeof(*e), 0);
	e->argv_len = copy_argv(s, sizeof(*e) + len, e);
	len += e->argv_len;
	asm volatile("" : "+r"(len));
	if (len > PATH_BYTES + ARGV_BYTES)
		return;
	e->h.size += len;
	head_number(&e->h, RING_TELEMETRY);
	submit(&telemetry, s->record, sizeof(*e) + len, BPF_RB_NO_WAKEUP, KC_TELEMETRY_LOST);
}

static __always_inline void record_exec(const struct who *who, struct file *file)
{
	struct scratch *s;
	__s32 index = scratch_claim();

	if (index < 0) {
		count_lost(KC_TELEMETRY_LOST);
		return;
	}
	s = scratch_get(index);
	if (s)
		exec_fill(s, index, who, file);
	scratch_release(index);
}

#endif
