// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where LSM programs do not load: exec and exit of the sandbox's cgroups, seen by raw tracepoints and judged by nobody (--allow-degraded).
 * Membership is the cgroup alone, so a process that leaves it is lost from sight; coverage says so. On any kernel with BTF.
 */
#define WALK_FOR_THE_RECORD
#include "exec.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline bool governed_here(struct who *who)
{
	__u64 id = bpf_get_current_cgroup_id();
	struct member *m = bpf_map_lookup_elem(&governed, &id);

	if (!m)
		return false;
	who->sandbox = m->sandbox;
	who->command = m->command;
	return true;
}

SEC("raw_tp/sched_process_exec")
int observe_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct linux_binprm *bprm = (void *)ctx->args[2];
	struct who who = {};

	if (governed_here(&who))
		record_exec(&who, BPF_CORE_READ(bprm, file));
	return 0;
}

SEC("raw_tp/sched_process_exit")
int observe_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct rec_exit e = {};
	struct who who = {};

	if (!governed_here(&who) || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	head_fill(&e.h, REC_EXIT, RING_TELEMETRY, sizeof(e), &who);
	e.status = BPF_CORE_READ(task, exit_code);
	head_number(&e.h, RING_TELEMETRY);
	submit(&telemetry, &e, sizeof(e), BPF_RB_NO_WAKEUP, KC_TELEMETRY_LOST);
	return 0;
}
