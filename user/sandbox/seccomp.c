/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor's table and its compilation by libseccomp. Arguments are compared in their low 32 bits only, as the kernel reads them
 * here: garbage in the upper half must neither slip a forbidden value past nor refuse an allowed one.
 */
#include "sandbox/seccomp.h"
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include "base/file.h"

#define NEW_MOUNTS	"the mount calls of the file descriptor kind: no hook, only a capability"
#define NAMESPACES	"a namespace gives objects second names"
#define KERNEL_CODE	"code into the kernel"
#define HOST_CLOCK	"the host's clock"
#define HOST_STATE	"the host's own state"
#define KEYS		"the kernel's key rings outlive a session and are shared"
#define RAW_IO		"the machine's ports"
#define OBSOLETE	"no hook, no capability, no present use"

const struct seccomp_call seccomp_calls[] = {
	{ "open_tree",		EPERM, SECCOMP_ALWAYS, "@mount", NEW_MOUNTS },
	{ "mount_setattr",	EPERM, SECCOMP_ALWAYS, "@mount", NEW_MOUNTS },
	{ "fsopen",		EPERM, SECCOMP_ALWAYS, "@mount", NEW_MOUNTS },
	{ "fsconfig",		EPERM, SECCOMP_ALWAYS, "@mount", NEW_MOUNTS },
	{ "fsmount",		EPERM, SECCOMP_ALWAYS, "@mount", NEW_MOUNTS },
	{ "fspick",		EPERM, SECCOMP_ALWAYS, "@mount", NEW_MOUNTS },

	{ "setns",		EPERM, SECCOMP_ALWAYS, "@namespace", "joining another namespace has no hook" },
	{ "unshare",		EPERM, SECCOMP_NAMESPACE_FLAGS, "@namespace", NAMESPACES },
	{ "clone",		EPERM, SECCOMP_NAMESPACE_FLAGS, "@namespace", NAMESPACES },
	{ "clone3",		ENOSYS, SECCOMP_ALWAYS, "@namespace", "its flags lie in memory; C libraries fall back to clone" },

	{ "init_module",	EPERM, SECCOMP_ALWAYS, "@module", KERNEL_CODE },
	{ "finit_module",	EPERM, SECCOMP_ALWAYS, "@module", KERNEL_CODE },
	{ "delete_module",	EPERM, SECCOMP_ALWAYS, "@module", "no hook, only a capability" },
	{ "kexec_load",		EPERM, SECCOMP_ALWAYS, "@module", KERNEL_CODE },
	{ "kexec_file_load",	EPERM, SECCOMP_ALWAYS, "@module", KERNEL_CODE },
	{ "bpf",		EPERM, SECCOMP_ALWAYS, "@bpf", KERNEL_CODE },
	{ "perf_event_open",	EPERM, SECCOMP_ALWAYS, "@perf", "counters and samples of others" },
	{ "userfaultfd",	EPERM, SECCOMP_ALWAYS, "@perf", "halts the kernel in the middle of a copy" },
	{ "lookup_dcookie",	EPERM, SECCOMP_ALWAYS, "@perf", OBSOLETE },

	{ "open_by_handle_at",	EPERM, SECCOMP_ALWAYS, "@handle", "opens a file without its path" },
	{ "fanotify_init",	EPERM, SECCOMP_ALWAYS, "@handle", "watches, and may hold, other programs' opens" },

	{ "clock_settime",	EPERM, SECCOMP_ALWAYS, "@clock", HOST_CLOCK },
	{ "clock_settime64",	EPERM, SECCOMP_ALWAYS, "@clock", HOST_CLOCK },
	{ "settimeofday",	EPERM, SECCOMP_ALWAYS, "@clock", HOST_CLOCK },
	{ "stime",		EPERM, SECCOMP_ALWAYS, "@clock", HOST_CLOCK },
	{ "adjtimex",		EPERM, SECCOMP_ALWAYS, "@clock", "no hook; what it changes lies in memory" },
	{ "clock_adjtime",	EPERM, SECCOMP_ALWAYS, "@clock", "no hook; what it changes lies in memory" },
	{ "clock_adjtime64",	EPERM, SECCOMP_ALWAYS, "@clock", "no hook; what it changes lies in memory" },

	{ "reboot",		EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "swapon",		EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "swapoff",		EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "acct",		EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "quotactl",		EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "quotactl_fd",	EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "sethostname",	EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "setdomainname",	EPERM, SECCOMP_ALWAYS, "@host", HOST_STATE },
	{ "syslog",		EPERM, SECCOMP_ALWAYS, "@host", "the kernel's log, and clearing it" },
	{ "vhangup",		EPERM, SECCOMP_ALWAYS, "@host", "no hook, only a capability" },

	{ "add_key",		EPERM, SECCOMP_ALWAYS, "@keyring", KEYS },
	{ "request_key",	EPERM, SECCOMP_ALWAYS, "@keyring", KEYS },
	{ "keyctl",		EPERM, SECCOMP_ALWAYS, "@keyring", KEYS },

	{ "iopl",		EPERM, SECCOMP_ALWAYS, "@raw-io", RAW_IO },
	{ "ioperm",		EPERM, SECCOMP_ALWAYS, "@raw-io", RAW_IO },

	{ "modify_ldt",		EPERM, SECCOMP_ALWAYS, "@cpu-emulation", OBSOLETE },
	{ "vm86",		EPERM, SECCOMP_ALWAYS, "@cpu-emulation", OBSOLETE },
	{ "vm86old",		EPERM, SECCOMP_ALWAYS, "@cpu-emulation", OBSOLETE },
	{ "sysfs",		EPERM, SECCOMP_ALWAYS, "@obsolete", OBSOLETE },
	{ "uselib",		EPERM, SECCOMP_ALWAYS, "@obsolete", OBSOLETE },
	{ "nfsservctl",		EPERM, SECCOMP_ALWAYS, "@obsolete", OBSOLETE },
	{ "personality",	EPERM, SECCOMP_PERSONALITY, "@obsolete", "modes that make readable memory executable or page zero mappable" },

	{ "memfd_secret",	EPERM, SECCOMP_ALWAYS, "@anonymous", "memory that no examiner can read" },
	{ "ioctl",		EPERM, SECCOMP_TERMINAL_INPUT, "@tty", "typing into a terminal from inside" },

	{ "io_uring_setup",	EPERM, SECCOMP_UNLESS_IO_URING, "@io_uring", "its operations pass by every seccomp filter" },
	{ "io_uring_enter",	EPERM, SECCOMP_UNLESS_IO_URING, "@io_uring", "a ring made elsewhere" },
	{ "io_uring_register",	EPERM, SECCOMP_UNLESS_IO_URING, "@io_uring", "a ring made elsewhere" },
};
const size_t seccomp_call_count = ARRAY_SIZE(seccomp_calls);

/* CLONE_NEWTIME is not among them: in clone(2) that bit is part of the exit signal, and only unshare takes it. */
static const uint32_t namespace_flags[] = {
	CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
};

static int refuse_masked(scmp_filter_ctx f, int nr, int error, unsigned arg, uint32_t mask, uint32_t value)
{
	struct scmp_arg_cmp cmp = { .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value };

	return seccomp_rule_add_array(f, SCMP_ACT_ERRNO(error), nr, 1, &cmp);
}

static int refuse_namespace_flags(scmp_filter_ctx f, int nr, int error)
{
	int err = nr == SCMP_SYS(unshare) ? refuse_masked(f, nr, error, 0, CLONE_NEWTIME, CLONE_NEWTIME) : 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(namespace_flags); i++)
		err = refuse_masked(f, nr, error, 0, namespace_flags[i], namespace_flags[i]);
	return err;
}

static int refuse_terminal_input(scmp_filter_ctx f, int nr, int error)
{
	int err = refuse_masked(f, nr, error, 1, UINT32_MAX, TIOCSTI);

	return err ? err : refuse_masked(f, nr, error, 1, UINT32_MAX, TIOCLINUX);
}

/*
 * A rule may compare an argument once, so "none of these bits, unless it is all ones (the question)" becomes two families: with the top bit
 * clear, any forbidden bit that is set; with the top bit set, any bit that is clear.
 */
static int refuse_personality(scmp_filter_ctx f, int nr, int error)
{
	const uint32_t top = 1u << 31, allowed = PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE;
	int err = 0;

	for (uint32_t bit = 1; !err && bit < top; bit <<= 1) {
		if (!(bit & allowed))
			err = refuse_masked(f, nr, error, 0, top | bit, bit);
		if (!err)
			err = refuse_masked(f, nr, error, 0, top | bit, top);
	}
	return err;
}

static int refuse_call(scmp_filter_ctx f, const struct seccomp_call *c, bool io_uring)
{
	int nr = seccomp_syscall_resolve_name(c->name);

	if (nr == __NR_SCMP_ERROR)
		return -ENOSYS;	/* a name this libseccomp is too old for: half a floor is none */
	switch (c->when) {
	case SECCOMP_NAMESPACE_FLAGS:
		return refuse_namespace_flags(f, nr, c->error);
	case SECCOMP_TERMINAL_INPUT:
		return refuse_terminal_input(f, nr, c->error);
	case SECCOMP_PERSONALITY:
		return refuse_personality(f, nr, c->error);
	case SECCOMP_UNLESS_IO_URING:
		if (io_uring)
			return 0;
		break;
	case SECCOMP_ALWAYS:
		break;
	}
	return seccomp_rule_add_array(f, SCMP_ACT_ERRNO(c->error), nr, 0, NULL);
}

/* A 64-bit process enters the kernel by the 32-bit table as well (int $0x80): it gets rules of its own numbers. */
static int add_architectures(scmp_filter_ctx f)
{
	int err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);	/* a tree of numbers: an ioctl costs 17 steps, not 58 */
	if (err)
		return err;
	if (seccomp_arch_native() != SCMP_ARCH_X86_64)
		return -ENOSYS;
	return seccomp_arch_add(f, SCMP_ARCH_X86);
}

/* libseccomp writes to a descriptor only. */
static int export(scmp_filter_ctx f, struct buf *out)
{
	_close_ int fd = memfd_create("bailiff-seccomp", MFD_CLOEXEC);
	off_t size;
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	err = seccomp_export_bpf(f, fd);
	if (err)
		return err;
	size = lseek(fd, 0, SEEK_END);
	if (size < 0 || lseek(fd, 0, SEEK_SET))
		return -errno;
	err = buf_reserve(out, size);
	if (err)
		return err;
	n = read_full(fd, out->data + out->len, size);
	if (n != size)
		return n < 0 ? n : -EIO;
	out->len += size;
	return 0;
}

static void release(scmp_filter_ctx *f)
{
	if (*f)
		seccomp_release(*f);
}

int seccomp_floor_build(bool io_uring, struct buf *out)
{
	_cleanup_(release) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int err;

	if (!f)
		return -ENOMEM;
	err = add_architectures(f);
	for (size_t i = 0; !err && i < seccomp_call_count; i++)
		err = refuse_call(f, &seccomp_calls[i], io_uring);
	return err ? err : export(f, out);
}
