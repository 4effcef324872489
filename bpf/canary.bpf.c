// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does an LSM program refuse here? Programs load and attach also where `bpf` is not in the kernel's list of LSMs, and are then never
 * called. This one refuses one prctl option, that no kernel has, to one process, with an errno that prctl itself never gives.
 */
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define CANARY_OPTION 0x6261696c
#define EXFULL 54

volatile const __u32 canary_tgid = 0;

SEC("lsm/task_prctl")
int BPF_PROG(on_canary, int option)
{
	return option == CANARY_OPTION && bpf_get_current_pid_tgid() >> 32 == canary_tgid ? -EXFULL : 0;
}
