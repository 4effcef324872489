// SPDX-License-Identifier: GPL-2.0-only
/*
 * Membership: a label in task storage, copied to a child before it can run, given to a task that is moved into a governed cgroup,
 * sticky for life. On 6.1 and later. If it cannot load nothing is enforced, for nobody would be a member.
 */
#include "exec.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline void members_add(const struct member *m, __s32 n)
{
	__u32 index = m->index;
	struct sandbox *sb = bpf_map_lookup_elem(&sandboxes, &index);

	if (sb && sb->id == m->sandbox)
		__sync_fetch_and_add((__s32 *)&sb->members, n);
}

/* From here on the thread's /proc is a member's. What is counted on the way in, and only that, is counted on the way out. */
static __always_inline void member_enter(struct task_struct *task, struct member *m)
{
	__u32 pid = task->pid;

	if (bpf_map_update_elem(&member_pids, &pid, m, BPF_ANY))
		count_lost(KC_PID_MAP_FULL);
	m->counted = 1;
	members_add(m, 1);
}

static __always_inline void member_leave(struct member *m)
{
	if (!m->counted)
		return;
	m->counted = 0;
	members_add(m, -1);
}

/* The number is free only when the parent has seen the task die: until then its /proc stays a member's. */
static __always_inline void member_forget(struct task_struct *task, const struct member *m)
{
	__u32 pid = task->pid;
	struct member *entry = bpf_map_lookup_elem(&member_pids, &pid);

	if (entry && entry->sandbox == m->sandbox)
		bpf_map_delete_elem(&member_pids, &pid);
}

static __always_inline void member_relabel(struct task_struct *task, struct member *m, __u32 command)
{
	__u32 pid = task->pid;
	struct member *entry = bpf_map_lookup_elem(&member_pids, &pid);

	m->command = command;
	if (entry && entry->sandbox == m->sandbox)
		entry->command = command;
}

/* A task that no fork labelled. It may run already: nothing here can refuse. */
static __always_inline void member_adopt(struct task_struct *task, const struct member *as)
{
	struct member fresh = *as, *m;

	fresh.counted = 0;
	m = bpf_task_storage_get(&members, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (m)
		member_enter(task, m);
	else
		count_lost(KC_LABEL_FAILED);	/* the engine labels the command it starts again, and sees this fail */
}

/* The nearest governed cgroup from here up: who enters a nested one enters the sandbox. */
#define CGROUP_LEVELS 32
static __always_inline struct member *governing(struct cgroup *at)
{
	struct cgroup_subsys_state *up;
	struct member *rule;
	__u64 id;
	int i;

	for (i = 0; i < CGROUP_LEVELS && at; i++) {
		id = BPF_CORE_READ(at, kn, id);
		rule = bpf_map_lookup_elem(&governed, &id);
		if (rule)
			return rule;
		up = BPF_CORE_READ(at, self.parent);
		at = up ? (void *)up - bpf_core_field_offset(struct cgroup, self) : NULL;
	}
	return NULL;
}

/* The child gets its label before it can run; without one it would be free, so a fork that cannot be labelled fails. */
SEC("lsm/task_alloc")
int BPF_PROG(on_task_alloc, struct task_struct *child, unsigned long clone_flags, int prev)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct here h;
	const struct member *m;
	struct member label;

	if (prev || !parent->bpf_storage)
		return prev;
	m = member_of(parent);
	if (!m)
		return 0;
	label = *m;
	here_fill(&h, &label);
	if (h.dead) {
		dead_refuse(&h, ACT_FORK);
		return -EPERM;
	}
	if (clone_flags & CLONE_INTO_CGROUP && guard_refuse(&h, RULE_BUILTIN(CGROUP), ACT_CLONE_CGROUP, 0))
		return -EPERM;
	label.counted = 0;	/* a worker of the kernel's own (io_uring) never passes on_fork */
	if (!bpf_task_storage_get(&members, child, &label, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		count_lost(KC_LABEL_FAILED);
		return -EAGAIN;
	}
	return 0;
}

/*
 * The pid exists only now; the child has not run yet. A child without a label: its parent got one in the middle of this fork, or it was born
 * into another cgroup than its parent's (CLONE_INTO_CGROUP by an outsider).
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct member *m;

	if (child->bpf_storage) {
		m = bpf_task_storage_get(&members, child, 0, 0);
		if (m) {
			member_enter(child, m);
			return 0;
		}
	}
	m = parent->bpf_storage ? bpf_task_storage_get(&members, parent, 0, 0) : NULL;
	if (!m && child->cgroups != parent->cgroups)
		m = governing(BPF_CORE_READ(child, cgroups, dfl_cgrp));
	if (m)
		member_adopt(child, m);
	return 0;
}

/*
 * Moved by any hand into a governed cgroup: a member from now on. Whose member it already is stays; a new exec id is taken over. This function
 * is called for every thread of a process; the tracepoint cgroup_attach_task is for the leader alone.
 */
SEC("fentry/cgroup_freezer_migrate_task")
int BPF_PROG(on_cgroup_move, struct task_struct *task, struct cgroup *from, struct cgroup *to)
{
	struct member *rule = governing(to), *m;

	if (!rule)
		return 0;
	m = bpf_task_storage_get(&members, task, 0, 0);
	if (!m)
		member_adopt(task, rule);
	else if (m->sandbox == rule->sandbox)
		member_relabel(task, m, rule->command);
	return 0;
}

static __always_inline bool records(__u32 slot_index, enum record_kind kind)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);

	return slot && slot->record & 1u << kind;
}

static __always_inline void record_exit(struct task_struct *task, const struct here *h)
{
	struct who who = { h->sandbox, h->command, h->generation };
	struct rec_exit e = {};

	head_fill(&e.h, REC_EXIT, RING_TELEMETRY, sizeof(e), &who);
	e.status = task->exit_code;
	head_number(&e.h, RING_TELEMETRY);
	submit(&telemetry, &e, sizeof(e), BPF_RB_NO_WAKEUP, KC_TELEMETRY_LOST);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	struct member *m;
	struct here h;

	if (!task->bpf_storage)
		return 0;
	m = bpf_task_storage_get(&members, task, 0, 0);
	if (!m)
		return 0;
	here_fill(&h, m);
	if (!BPF_CORE_READ(task, signal, live.counter) && !(h.dead == B_ENDED + 1) && records(h.slot, RECORD_EXIT))
		record_exit(task, &h);
	member_leave(m);
	return 0;
}

/* Its parent has seen it die. Who was labelled when it was dead already (a zombie that the engine was told to start) leaves only now. */
SEC("tp_btf/sched_process_free")
int BPF_PROG(on_free, struct task_struct *task)
{
	__u32 pid = task->pid;
	struct member *m;

	if (!task->bpf_storage)
		return 0;
	m = bpf_task_storage_get(&members, task, 0, 0);
	if (m) {
		member_leave(m);
		member_forget(task, m);
	} else {
		bpf_map_delete_elem(&member_pids, &pid);	/* maybe its label cannot be read now; a stranger has no entry */
	}
	return 0;
}

/* Exec by a thread gives it the pid of the leader, which died for it and took its entry along. */
static __always_inline void pid_changed(__u32 old, __u32 new, const struct here *h)
{
	struct member label = { .sandbox = h->sandbox, .index = h->index, .command = h->command };

	bpf_map_delete_elem(&member_pids, &old);
	if (bpf_map_update_elem(&member_pids, &new, &label, BPF_ANY))
		count_lost(KC_PID_MAP_FULL);
}

/* What ran: path and arguments, once the new image is in place. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct here h;

	if (!sandbox_here(&h))
		return 0;
	if (old_pid != task->pid)
		pid_changed(old_pid, task->pid, &h);
	if (!h.dead && records(h.slot, RECORD_EXEC)) {
		struct who who = { h.sandbox, h.command, h.generation };

		record_exec(&who, BPF_CORE_READ(bprm, file));
	}
	return 0;
}
