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

/* From here on the thread's /proc is a member's. */
static __always_inline void member_enter(struct task_struct *task, const struct member *m)
{
	__u32 pid = task->pid;
	__u64 sandbox = m->sandbox;

	if (bpf_map_update_elem(&member_pids, &pid, &sandbox, BPF_ANY))
		count_lost(KC_PID_MAP_FULL);
	members_add(m, 1);
}

/* The child gets its label before it can run; without one it would be free, so a fork that cannot be labelled fails. */
SEC("lsm/task_alloc")
int BPF_PROG(on_task_alloc, struct task_struct *child, unsigned long clone_flags, int prev)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	struct here h;
	struct member *m, copy;

	if (prev || !parent->bpf_storage)
		return prev;
	m = bpf_task_storage_get(&members, parent, 0, 0);
	if (!m)
		return 0;
	here_fill(&h, m);
	if (h.dead) {
		dead_refuse(&h, ACT_FORK);
		return -EPERM;
	}
	if (clone_flags & CLONE_INTO_CGROUP && guard_refuse(&h, RULE_BUILTIN(CGROUP), ACT_CLONE_CGROUP, 0))
		return -EPERM;
	copy = *m;
	if (!bpf_task_storage_get(&members, child, &copy, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		count_lost(KC_LABEL_FAILED);
		return -EAGAIN;
	}
	return 0;
}

/* The pid exists only now; the child has not run yet. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	struct member *m;

	if (!child->bpf_storage)
		return 0;
	m = bpf_task_storage_get(&members, child, 0, 0);
	if (m)
		member_enter(child, m);
	return 0;
}

/* Moved into a governed cgroup by any hand: a member from now on. Whose member it already is stays; a new exec id is taken over. */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(on_cgroup_attach, struct cgroup *to, const char *path, struct task_struct *task, bool threadgroup)
{
	__u64 id = BPF_CORE_READ(to, kn, id);
	struct member *rule = bpf_map_lookup_elem(&governed, &id), *m, fresh;

	if (!rule)
		return 0;
	fresh = *rule;
	m = bpf_task_storage_get(&members, task, 0, 0);
	if (m) {
		if (m->sandbox == fresh.sandbox)
			m->command = fresh.command;
		return 0;
	}
	if (!bpf_task_storage_get(&members, task, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE)) {
		count_lost(KC_LABEL_FAILED);
		return 0;	/* the engine labels the command it starts again, and sees this fail */
	}
	member_enter(task, &fresh);
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
	__u32 pid;

	if (!task->bpf_storage)
		return 0;
	m = bpf_task_storage_get(&members, task, 0, 0);
	if (!m)
		return 0;
	here_fill(&h, m);
	if (!BPF_CORE_READ(task, signal, live.counter) && !(h.dead == B_ENDED + 1) && records(h.slot, RECORD_EXIT))
		record_exit(task, &h);
	pid = task->pid;
	bpf_map_delete_elem(&member_pids, &pid);
	members_add(m, -1);
	return 0;
}

/* What ran: path and arguments, once the new image is in place. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	struct here h;

	if (!sandbox_here(&h))
		return 0;
	/* exec by a thread gives it the leader's pid */
	if (old_pid != task->pid) {
		__u32 old = old_pid;

		bpf_map_delete_elem(&member_pids, &old);
	}
	if (!h.dead && records(h.slot, RECORD_EXEC)) {
		struct who who = { h.sandbox, h.command, h.generation };

		record_exec(&who, BPF_CORE_READ(bprm, file));
	}
	return 0;
}
