/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox_here(): which sandbox, policy slot and stage govern the current task. A bystander pays one read of its own task
 * (bpf_storage == NULL); a task with storage of somebody else's pays one look-up more.
 */
#ifndef SANDBOX_BPF_H
#define SANDBOX_BPF_H

#include "maps.bpf.h"

struct here {
	__u64 sandbox;
	__u32 index, command;
	__u32 slot, stage;
	__u32 dead;	/* 0, or the builtin rule that refuses everything, + 1 */
	__u32 generation;
};

/*
 * The slot that is in force now, where rules end: by the kernel's own wall clock (bpf_ktime_get_tai_ns: since 6.1, c8996c98f703), so that nobody has
 * to be there when the time comes. The sandbox is moved on for good. Global, so that it is verified once a program.
 */
noinline int slot_now(__u32 index, __u32 number)
{
	struct sandbox *sb = bpf_map_lookup_elem(&sandboxes, &index);
	__u64 now = bpf_ktime_get_tai_ns();
	__u32 at = number, i;

	for (i = 0; i < ENDS_MAX; i++) {
		struct policy_slot *slot = bpf_map_lookup_elem(&slots, &at);

		if (!slot || !slot->next || now < slot->end_ns)
			break;
		at = slot->next;
	}
	if (sb && at != number)
		__sync_val_compare_and_swap(&sb->slot, number, at);	/* not if a reload was faster */
	return at;
}

/* What the label says, looked up: a sandbox that is gone or ending refuses, for its members must not outlive it as free tasks. */
static __always_inline void here_fill(struct here *h, const struct member *m)
{
	__u32 index = m->index;
	struct sandbox *sb = bpf_map_lookup_elem(&sandboxes, &index);
	struct policy_slot *slot;

	h->sandbox = m->sandbox;
	h->index = index;
	h->command = m->command;
	h->dead = B_ENDED + 1;
	h->slot = 0;	/* no sandbox's: nothing is counted there */
	h->generation = 0;
	h->stage = STAGE_ENFORCE;
	if (!sb || sb->id != m->sandbox)
		return;
	h->slot = *(volatile __u32 *)&sb->slot;
	h->stage = sb->stage;
	slot = bpf_map_lookup_elem(&slots, &h->slot);
	if (!slot)
		return;
	h->generation = slot->generation;
	if (slot->next)
		h->slot = slot_now(index, h->slot);
	if (sb->state != SANDBOX_LIVE)
		return;
	h->dead = sb->deadline_ns && bpf_ktime_get_boot_ns() >= sb->deadline_ns ? B_DEADLINE + 1 : 0;
}

/*
 * The label of a task. Before 6.2 (4279adb094a1) its storage cannot be read while another task was preempted in the middle of a look-up, of
 * anybody's program, on this processor. Then the thread's entry says it, or, for a worker of the kernel's own that has none, its process's.
 */
static __always_inline const struct member *member_of(struct task_struct *task)
{
	const struct member *m = bpf_task_storage_get(&members, task, 0, 0);
	__u32 pid = task->pid;

	if (m)
		return m;
	m = bpf_map_lookup_elem(&member_pids, &pid);
	if (m)
		return m;
	pid = task->tgid;
	return bpf_map_lookup_elem(&member_pids, &pid);
}

static __always_inline bool sandbox_here(struct here *h)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct member *m = task->bpf_storage ? member_of(task) : NULL;

	if (!m)
		return false;
	here_fill(h, m);
	return true;
}

/* Is this task of the same sandbox? A task without a label is an outsider. */
static __always_inline bool same_sandbox(const struct here *h, struct task_struct *other)
{
	const struct member *m = other->bpf_storage ? member_of(other) : NULL;

	return m && m->sandbox == h->sandbox;
}

/*
 * Credentials that are not the task's own: overlayfs copying up, under an access that was judged (KERNEL.md 2.4). Not in an io_uring worker: there
 * a request may carry credentials that the process itself had, and nothing tells the two apart.
 */
static __always_inline bool credentials_lent(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return !(task->flags & PF_IO_WORKER) && BPF_CORE_READ(task, cred) != BPF_CORE_READ(task, real_cred);
}

static __always_inline void count_lost(__u32 which)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &which);

	if (n)
		__sync_fetch_and_add(n, 1);
}

static __always_inline __u32 arena_word(struct arena *a, __u32 i)
{
	asm volatile("" : "+r"(i));
	i &= ARENA_WORDS - 1;
	return a->words[i];
}

#endif
