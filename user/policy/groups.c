/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that the language knows: groups of devices and of calls, capabilities, socket families. What a group holds is said here once, for
 * the oracle, for ceilings and for whoever builds its kernel side.
 */
#include "policy/model.h"

/* ---- devices: nodes by pattern ---- */

const char *const device_groups[] = { "@std", "@tty", "@gpu", "@kvm", "@fuse", NULL };

static const struct {
	const char *group, *pattern;
} device_nodes[] = {
	{ "@std", "/dev/null" }, { "@std", "/dev/zero" }, { "@std", "/dev/full" }, { "@std", "/dev/random" }, { "@std", "/dev/urandom" },
	{ "@tty", "/dev/tty" }, { "@tty", "/dev/ptmx" }, { "@tty", "/dev/pts" },
	{ "@gpu", "/dev/dri" }, { "@gpu", "/dev/nvidia*" }, { "@gpu", "/dev/nvidia-caps" }, { "@gpu", "/dev/kfd" },
	{ "@kvm", "/dev/kvm" }, { "@fuse", "/dev/fuse" },
};

bool device_in_group(const char *group, const char *path, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(device_nodes); i++) {
		if (!strcmp(device_nodes[i].group, group) && path_matches(device_nodes[i].pattern, path, len))
			return true;
	}
	return false;
}

const char *device_group_node(const char *group, size_t i)
{
	for (size_t k = 0; k < ARRAY_SIZE(device_nodes); k++) {
		if (!strcmp(device_nodes[k].group, group) && !i--)
			return device_nodes[k].pattern;
	}
	return NULL;
}

/* ---- calls ---- */

const char *const call_groups[] = { "@io_uring", "@userns", "@mount-own", "@ptrace-own", "@perf", "@keyring", "@raw-socket", "@clock", NULL };

/* What is refused unless its group is allowed. Group NULL: what no policy can open. Every other call is ordinary. */
static const struct {
	const char *group, *call;
} guarded_calls[] = {
	{ "@io_uring", "io_uring_setup" }, { "@io_uring", "io_uring_enter" }, { "@io_uring", "io_uring_register" },
	{ "@userns", "unshare" }, { "@userns", "setns" },
	{ "@mount-own", "mount" }, { "@mount-own", "umount2" }, { "@mount-own", "pivot_root" }, { "@mount-own", "move_mount" },
	{ "@mount-own", "open_tree" }, { "@mount-own", "fsopen" }, { "@mount-own", "fsmount" }, { "@mount-own", "fsconfig" },
	{ "@mount-own", "fspick" }, { "@mount-own", "mount_setattr" }, { "@mount-own", "chroot" },
	{ "@ptrace-own", "ptrace" }, { "@ptrace-own", "process_vm_readv" }, { "@ptrace-own", "process_vm_writev" }, { "@ptrace-own", "kcmp" },
	{ "@ptrace-own", "pidfd_getfd" },
	{ "@perf", "perf_event_open" },
	{ "@keyring", "add_key" }, { "@keyring", "request_key" }, { "@keyring", "keyctl" },
	{ "@clock", "clock_settime" }, { "@clock", "settimeofday" }, { "@clock", "clock_adjtime" }, { "@clock", "adjtimex" },
	{ NULL, "bpf" }, { NULL, "init_module" }, { NULL, "finit_module" }, { NULL, "delete_module" }, { NULL, "kexec_load" },
	{ NULL, "kexec_file_load" }, { NULL, "reboot" }, { NULL, "swapon" }, { NULL, "swapoff" }, { NULL, "acct" }, { NULL, "quotactl" },
	{ NULL, "open_by_handle_at" }, { NULL, "iopl" }, { NULL, "ioperm" }, { NULL, "syslog" },
};

bool call_in_group(const char *group, const char *call)
{
	if (!strcmp(group, call))
		return true;	/* the group itself may be asked about: "call @raw-socket" */
	for (size_t i = 0; i < ARRAY_SIZE(guarded_calls); i++) {
		if (guarded_calls[i].group && !strcmp(guarded_calls[i].group, group) && !strcmp(guarded_calls[i].call, call))
			return true;
	}
	return false;
}

bool call_is_guarded(const char *call)
{
	for (size_t i = 0; i < ARRAY_SIZE(guarded_calls); i++) {
		if (!strcmp(guarded_calls[i].call, call))
			return true;
	}
	return call[0] == '@';
}

const char *guarded_call(size_t i)
{
	return i < ARRAY_SIZE(guarded_calls) ? guarded_calls[i].call : NULL;
}

/* ---- capabilities and families ---- */

const char *const capability_words[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
	"CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
	"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE", NULL,
};

/* Beside TCP, UDP and unix sockets, which have rules of their own. */
const char *const family_words[] = {
	"netlink:route", "netlink:generic", "netlink:audit", "netlink:netfilter", "netlink:sock_diag", "netlink:uevent", "netlink:xfrm",
	"packet", "raw", "icmp", "sctp", "mptcp", "vsock", "alg", "xdp", "can", "bluetooth", "tipc", "rds", "unix:abstract", NULL,
};

/* ---- "*" in names of variables ---- */

bool wildcard_matches(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text || *pattern) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*text && *pattern == *text) {
			pattern++;
			text++;
		} else if (star && *retry) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	return true;
}
