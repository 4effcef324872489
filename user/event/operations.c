/* SPDX-License-Identifier: Apache-2.0 */
/* Operations, verbs and signals by name, and where each operation belongs in OCSF. */
#include "event/parts.h"

static const struct {
	const char *name;
	struct operation_info info;
} operations[ACT_COUNT] = {
#define FILE_OP(symbol, activity, type) [ACT_##symbol].info = { EVENT_CLASS_FILE, activity, type }
#define NET_OP(symbol, activity) [ACT_##symbol].info = { EVENT_CLASS_NETWORK, activity, 0 }
#define PROCESS_OP(symbol, activity) [ACT_##symbol].info = { EVENT_CLASS_PROCESS, activity, 0 }
#define KERNEL_OP(symbol) [ACT_##symbol].info = { EVENT_CLASS_KERNEL, 4, 0 }
	FILE_OP(OPEN, 14, 0),
	FILE_OP(CREATE, 1, 1),
	FILE_OP(MKDIR, 1, 2),
	FILE_OP(MKNOD, 1, 0),
	FILE_OP(SYMLINK, 1, 7),
	FILE_OP(LINK, 1, 0),
	FILE_OP(RENAME, 5, 0),
	FILE_OP(UNLINK, 4, 0),
	FILE_OP(RMDIR, 4, 2),
	FILE_OP(TRUNCATE, 3, 1),
	FILE_OP(CHMOD, 7, 0),
	FILE_OP(CHOWN, 7, 0),
	FILE_OP(SETATTR, 6, 0),
	FILE_OP(SETXATTR, 6, 0),
	FILE_OP(WATCH, 2, 0),
	FILE_OP(MAP_EXEC, 99, 1),
	FILE_OP(PROTECT_EXEC, 99, 1),
	FILE_OP(RECEIVE, 99, 0),
	FILE_OP(PROC, 14, 0),
	PROCESS_OP(EXEC, 1),
	PROCESS_OP(EXIT, 2),
	PROCESS_OP(PTRACE, 3),
	PROCESS_OP(SIGNAL, 99),
	PROCESS_OP(PRIORITY, 99),
	NET_OP(CONNECT, 1),
	NET_OP(SEND, 6),
	NET_OP(BIND, 99),
	NET_OP(LISTEN, 7),
	NET_OP(ACCEPT, 1),
	NET_OP(UNIX_CONNECT, 1),
	NET_OP(UNIX_SEND, 6),
	KERNEL_OP(SOCKET),
	KERNEL_OP(SETSOCKOPT),
	KERNEL_OP(MOUNT),
	KERNEL_OP(UMOUNT),
	KERNEL_OP(MOVE_MOUNT),
	KERNEL_OP(PIVOT_ROOT),
	KERNEL_OP(CHROOT),
	KERNEL_OP(USERNS),
	KERNEL_OP(BPF),
	KERNEL_OP(PERF),
	KERNEL_OP(MODULE),
	KERNEL_OP(IO_URING),
	KERNEL_OP(USERFAULTFD),
	KERNEL_OP(CGROUP),
	KERNEL_OP(CLONE_CGROUP),
	KERNEL_OP(IOCTL),
	KERNEL_OP(CAPABLE),
	KERNEL_OP(KEY),
	KERNEL_OP(SETTIME),
	KERNEL_OP(FORK),
#define X(symbol, text) [ACT_##symbol].name = text,
	OPERATIONS(X)
#undef X
};

const char *operation_name(unsigned operation)
{
	return operation < ACT_COUNT ? operations[operation].name : NULL;
}

const struct operation_info *operation_info(unsigned operation)
{
	return &operations[operation < ACT_COUNT ? operation : ACT_IOCTL].info;
}

const char *verb_name(unsigned verb)
{
	static const char *const names[VERB_COUNT] = {
		[VERB_READ] = "read", [VERB_CHANGE] = "change", [VERB_CREATE] = "create", [VERB_REMOVE] = "remove",
		[VERB_EXECUTE] = "execute", [VERB_UNIX] = "unix", [VERB_CONNECT] = "connect", [VERB_SEND] = "send",
		[VERB_LISTEN] = "listen", [VERB_CALL] = "call",
	};

	return verb < VERB_COUNT ? names[verb] : NULL;
}

/* The numbers that every Linux architecture shares; above them real-time signals, which have no names. */
const char *signal_name(unsigned number)
{
	static const char *const names[] = {
		[1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT", [7] = "SIGBUS",
		[8] = "SIGFPE", [9] = "SIGKILL", [10] = "SIGUSR1", [11] = "SIGSEGV", [12] = "SIGUSR2", [13] = "SIGPIPE",
		[14] = "SIGALRM", [15] = "SIGTERM", [16] = "SIGSTKFLT", [17] = "SIGCHLD", [18] = "SIGCONT", [19] = "SIGSTOP",
		[20] = "SIGTSTP", [21] = "SIGTTIN", [22] = "SIGTTOU", [23] = "SIGURG", [24] = "SIGXCPU", [25] = "SIGXFSZ",
		[26] = "SIGVTALRM", [27] = "SIGPROF", [28] = "SIGWINCH", [29] = "SIGIO", [30] = "SIGPWR", [31] = "SIGSYS",
	};

	return number < ARRAY_SIZE(names) ? names[number] : NULL;
}

/* In the order of their numbers; without their common CAP_. */
const char *capability_name(unsigned number)
{
	static const char *const names[] = {
		"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
		"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE",
		"SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME",
		"SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG",
		"WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
	};

	return number < ARRAY_SIZE(names) ? names[number] : NULL;
}
