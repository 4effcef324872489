/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor's table and its compilation by libseccomp. Arguments are compared in their low 32 bits only, as the kernel reads them
 * here: garbage in the upper half must neither slip a forbidden value past nor refuse an allowed one.
 */
#include "sandbox/seccomp.h"
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include "base/file.h"

#define KEYS		"the kernel's key rings outlive a session and are shared"
#define OBSOLETE	"no hook, no capability, no present use"

const struct seccomp_call seccomp_calls[] = {
	{ "lookup_dcookie",	EPERM, SECCOMP_ALWAYS, "@perf", OBSOLETE },

	{ "open_by_handle_at",	EPERM, SECCOMP_ALWAYS, "@handle", "opens a file without its path" },
	{ "fanotify_init",	EPERM, SECCOMP_ALWAYS, "@handle", "watches, and may hold, other programs' opens" },

	{ "syslog",		EPERM, SECCOMP_ALWAYS, "@host", "the kernel's log, and clearing it" },

	{ "add_key",		EPERM, SECCOMP_ALWAYS, "@keyring", KEYS },
	{ "request_key",	EPERM, SECCOMP_ALWAYS, "@keyring", KEYS },
	{ "keyctl",		EPERM, SECCOMP_ALWAYS, "@keyring", KEYS },

	{ "modify_ldt",		EPERM, SECCOMP_ALWAYS, "@cpu-emulation", OBSOLETE },
	{ "vm86",		EPERM, SECCOMP_ALWAYS, "@cpu-emulation", OBSOLETE },
	{ "vm86old",		EPERM, SECCOMP_ALWAYS, "@cpu-emulation", OBSOLETE },
	{ "sysfs",		EPERM, SECCOMP_ALWAYS, "@obsolete", OBSOLETE },
	{ "uselib",		EPERM, SECCOMP_ALWAYS, "@obsolete", OBSOLETE },
	{ "nfsservctl",		EPERM, SECCOMP_ALWAYS, "@obsolete", OBSOLETE },
	{ "personality",	EPERM, SECCOMP_PERSONALITY, "@obsolete", "modes that make readable memory executable or page zero mappable" },

	{ "memfd_secret",	EPERM, SECCOMP_ALWAYS, "@anonymous", "memory that no examiner can read" },
};
const size_t seccomp_call_count = ARRAY_SIZE(seccomp_calls);

static int refuse_masked(scmp_filter_ctx f, int nr, int error, unsigned arg, uint32_t mask, uint32_t value)
{
	struct scmp_arg_cmp cmp = { .arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value };

	return seccomp_rule_add_array(f, SCMP_ACT_ERRNO(error), nr, 1, &cmp);
}

/*
 * Refused: any forbidden bit, unless all bits are set (the question). A rule may compare an argument only once, so: not all forbidden bits are
 * equal, which is that somewhere in their circle a set one is followed by a clear one; or all are set, hence the top one, and an allowed one is
 * clear. Few rules, since the kernel compiles them at each start.
 */
static int refuse_personality(scmp_filter_ctx f, int nr, int error)
{
	const uint32_t top = 1u << 31, allowed = PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE;
	uint32_t before = top;
	int err = 0;

	for (uint32_t bit = 1; !err && bit; bit <<= 1) {
		if (bit & allowed) {
			err = refuse_masked(f, nr, error, 0, top | bit, top);
			continue;
		}
		err = refuse_masked(f, nr, error, 0, before | bit, before);
		before = bit;
	}
	return err;
}

static int refuse_call(scmp_filter_ctx f, const struct seccomp_call *c)
{
	int nr = seccomp_syscall_resolve_name(c->name);

	if (nr == __NR_SCMP_ERROR)
		return -ENOSYS;	/* a name this libseccomp is too old for: half a floor is none */
	if (c->when == SECCOMP_PERSONALITY)
		return refuse_personality(f, nr, c->error);
	return seccomp_rule_add_array(f, SCMP_ACT_ERRNO(c->error), nr, 0, NULL);
}

/* A 64-bit process enters the kernel by the 32-bit table as well (int $0x80): it gets rules of its own numbers. */
static int add_architectures(scmp_filter_ctx f)
{
	int err = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);	/* a tree of numbers: fewer steps a call */
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

int seccomp_floor_build(struct buf *out)
{
	_cleanup_(release) scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int err;

	if (!f)
		return -ENOMEM;
	err = add_architectures(f);
	for (size_t i = 0; !err && i < seccomp_call_count; i++)
		err = refuse_call(f, &seccomp_calls[i]);
	return err ? err : export(f, out);
}
