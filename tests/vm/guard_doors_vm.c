/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard by other doors: the 32-bit table, io_uring where a policy opens it, /proc and /sys as switches of the host, modules that the kernel
 * would load by itself, our own pins in every stage. vm: --cpus 1
 */
#include <bpf/bpf.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "tests/vm/guarded.h"

static const char with_uring[] =
	"version: 1\npolicy: ring\nopen: [devices, privileges, limits, session, labels]\n"
	"files: {read: [/], write: [/], execute: [/]}\nnetwork: {}\nsockets: {}\ncalls: {allow: [\"@io_uring\"]}\n";
static const char open_files[] =
	"version: 1\npolicy: open\nopen: [files, network, sockets, devices, privileges, calls, limits, session, labels]\n";

static void loosen(void)
{
	CHECK_EQ(system("echo -1 >/proc/sys/kernel/perf_event_paranoid; echo 1 >/proc/sys/kernel/unprivileged_userns_clone;"
			"[ ! -e /proc/sys/dev/tty/legacy_tiocsti ] || echo 1 >/proc/sys/dev/tty/legacy_tiocsti;"
			"[ ! -e /proc/sys/kernel/yama/ptrace_scope ] || echo 0 >/proc/sys/kernel/yama/ptrace_scope"), 0);
	mkdir("/tmp/n", 0777);
}

/* ---- the 32-bit table ---- */

static pid_t target;

static long at(const char *text)
{
	char *page = low_page();

	return (long)strcpy(page, text);
}

static int positive(long r)
{
	return r < 0 ? r : 0;
}

/* arg: the number in the i386 table */
static int call_32(long nr)
{
	uint32_t *page = low_page();
	int master, slave, ends[2];
	long r;

	switch (nr) {
	case 21: /* mount */
		r = ia32(nr, at("t"), at("/tmp/n"), at("tmpfs"), 0, 0);
		return r ? r : rc(umount("/tmp/n"));
	case 52: /* umount2 */
		return ia32(nr, at("/tmp/n"), 0, 0, 0, 0);
	case 61: /* chroot */
		return ia32(nr, at("/tmp"), 0, 0, 0, 0);
	case 310: /* unshare */
		return ia32(nr, CLONE_NEWUSER, 0, 0, 0, 0);
	case 26: /* ptrace */
		r = ia32(nr, 16 /* PTRACE_ATTACH */, target, 0, 0, 0);
		return r;
	case 37: /* kill */
		return ia32(nr, target, SIGURG, 0, 0, 0);
	case 270: /* tgkill */
		return ia32(nr, target, target, SIGURG, 0, 0);
	case 349: /* kcmp */
		return positive(ia32(nr, getpid(), target, 0, 0, 0));
	case 97: /* setpriority */
		return ia32(nr, 0, target, 1, 0, 0);
	case 357: /* bpf */
		page[0] = BPF_MAP_TYPE_ARRAY, page[1] = page[2] = 4, page[3] = 1;
		return positive(ia32(nr, BPF_MAP_CREATE, (long)page, 16, 0, 0));
	case 336: /* perf_event_open */
		page[0] = PERF_TYPE_SOFTWARE, page[1] = sizeof(struct perf_event_attr);
		return positive(ia32(nr, (long)page, 0, -1, -1, 0));
	case 88: /* reboot */
		return ia32(nr, (int)LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0, 0);
	case 74: /* sethostname */
		return ia32(nr, at("guest"), 5, 0, 0, 0);
	case 103: /* syslog */
		return positive(ia32(nr, 8, 0, 4, 0, 0));
	case 425: /* io_uring_setup */
		return positive(ia32(nr, 4, (long)page, 0, 0, 0));
	case 374: /* userfaultfd */
		return positive(ia32(nr, 1 /* UFFD_USER_MODE_ONLY */, 0, 0, 0, 0));
	case 54: /* ioctl */
		return openpty(&master, &slave, NULL, NULL, NULL) ? -errno : ia32(nr, slave, TIOCSTI, at("x"), 0, 0);
	case 221: /* fcntl64 */
		return pipe(ends) ? -errno : ia32(nr, ends[0], F_SETOWN, target, 0, 0);
	case 14: /* mknod */
		r = ia32(nr, at("/tmp/node32"), S_IFCHR | 0600, makedev(1, 3), 0, 0);
		return r ? r : rc(unlink("/tmp/node32"));
	default:
		return -ENOSYS;
	}
}

#define CALL_32(name, nr, rule, op) { name, call_32, nr, rule, op, EPERM, 0, 0, NULL }
static const struct guarded calls_32[] = {
	CALL_32("mount", 21, "guard.mount", ACT_MOUNT), CALL_32("chroot", 61, "guard.mount", ACT_CHROOT),
	CALL_32("unshare", 310, "guard.namespace", ACT_USERNS), CALL_32("ptrace", 26, "guard.ptrace", ACT_PTRACE),
	CALL_32("kcmp", 349, "guard.ptrace", ACT_PTRACE), CALL_32("kill", 37, "guard.signal", ACT_SIGNAL),
	CALL_32("tgkill", 270, "guard.signal", ACT_SIGNAL), CALL_32("setpriority", 97, "guard.signal", ACT_PRIORITY),
	CALL_32("fcntl64", 221, "guard.signal", ACT_SIGNAL), CALL_32("bpf", 357, "guard.bpf", ACT_BPF),
	CALL_32("perf", 336, "guard.perf", ACT_PERF), CALL_32("reboot", 88, "guard.capability", ACT_CAPABLE),
	CALL_32("sethostname", 74, "guard.capability", ACT_CAPABLE), CALL_32("syslog", 103, "guard.capability", ACT_CAPABLE),
	CALL_32("io_uring", 425, "guard.io_uring", ACT_IO_URING), CALL_32("userfaultfd", 374, "guard.capability", ACT_USERFAULTFD),
	CALL_32("TIOCSTI", 54, "guard.tty", ACT_IOCTL), CALL_32("mknod", 14, "guard.capability", ACT_MKNOD),
};

TEST(the_32_bit_table_opens_nothing)
{
	loosen();
	for (size_t i = 0; i < sizeof(calls_32) / sizeof(calls_32[0]); i++) {
		target = outsider_start(0);
		check_guarded(NULL, &calls_32[i]);
		CHECK_EQ(govern_seen[0].d.syscall, 0);	/* no number of the 64-bit table */
		outsider_stop(target);
	}
}

/* ---- io_uring, where it is open ---- */

static int ring_plain(void *flags)
{
	struct io_uring_sqe nop = { .opcode = IORING_OP_NOP };
	struct uring u;
	int err = uring_open(&u, *(const unsigned *)flags);

	return err ? err : uring_do(&u, &nop);
}

TEST(a_policy_that_names_io_uring_opens_it)
{
	struct ruled *r = ruled_new(with_uring, STAGE_ENFORCE);
	unsigned plain = 0, polling = IORING_SETUP_SQPOLL;

	govern_forget();
	CHECK_EQ(ruled_run(r, ring_plain, &plain), 0);
	CHECK_EQ(ruled_run(r, ring_plain, &polling), 0);
	check_silent(r);
	ruled_free(r);
}

static int personality(long flags)
{
	struct io_uring_sqe nop = { .opcode = IORING_OP_NOP, .flags = flags };
	struct uring u;
	int err = uring_open(&u, 0), id;

	if (err)
		return err;
	id = syscall(SYS_io_uring_register, u.fd, IORING_REGISTER_PERSONALITY, NULL, 0);
	if (id < 0)
		return -errno;
	nop.personality = id;
	return uring_do(&u, &nop);
}

static int passthrough(long arg)
{
	struct io_uring_sqe cmd = { .opcode = IORING_OP_URING_CMD, .fd = open("/dev/null", O_RDWR) };
	struct uring u;
	int err = uring_open(&u, 0);

	(void)arg;
	return err ? err : uring_do(&u, &cmd);
}

/*
 * A request that a worker runs carries the credentials that the process had when it asked; made anew since the worker was, they differ from the
 * worker's own. That is no overlay's copy-up: the capability stays closed.
 */
static int worker_with_new_credentials(long arg)
{
	struct io_uring_sqe nop = { .opcode = IORING_OP_NOP, .flags = IOSQE_ASYNC };
	struct io_uring_sqe set = { .opcode = IORING_OP_FSETXATTR, .flags = IOSQE_ASYNC };
	const char *name = "trusted.bailiff", *value = "x";
	struct uring u;
	int err = uring_open(&u, 0), fd = open("/tmp/trusted", O_CREAT | O_RDWR, 0600);

	(void)arg;
	if (err || (err = uring_do(&u, &nop)))
		return err;
	if (prctl(PR_SET_KEEPCAPS, 1) || prctl(PR_SET_KEEPCAPS, 0))
		return -errno;
	set.fd = fd;
	set.addr = (uintptr_t)name;
	set.addr2 = (uintptr_t)value;
	set.len = 1;
	return uring_do(&u, &set);
}

static const struct guarded rings[] = {
	{ "personality", personality, 0, "guard.io_uring", ACT_IO_URING, EPERM, 0, 0, NULL },
	{ "personality of a worker", personality, IOSQE_ASYNC, "guard.io_uring", ACT_IO_URING, EPERM, 0, 0, NULL },
	{ "command", passthrough, 0, "guard.io_uring", ACT_IO_URING, EPERM, 0, 0, NULL },
	{ "trusted xattr by a worker", worker_with_new_credentials, 0, "guard.capability", ACT_CAPABLE, EPERM, 0, 0, NULL },
};

TEST(an_open_ring_lends_no_credentials_and_passes_no_commands)
{
	for (size_t i = 0; i < sizeof(rings) / sizeof(rings[0]); i++)
		check_guarded(with_uring, &rings[i]);
}

/* ---- the kernel's switches, whatever the policy opens ---- */

static int rewrite(long path)
{
	char value[256];
	int in = open(guarded_path(path), O_RDONLY), fd = open(guarded_path(path), O_WRONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(in, value, sizeof(value));
	return n <= 0 ? 0 : rc(write(fd, value, strcspn(value, "\n")));
}

static int open_to_write(long path)
{
	int fd = open(guarded_path(path), O_WRONLY);

	return fd < 0 ? -errno : rc(close(fd));
}

#define SWITCH(path, act) { path, act, (long)path, "guard.capability", ACT_OPEN, EACCES, 0, 0, path }
static const struct guarded switches[] = {
	SWITCH("/proc/sys/kernel/core_pattern", rewrite), SWITCH("/proc/sys/kernel/modprobe", rewrite),
	SWITCH("/proc/sys/vm/overcommit_memory", rewrite), SWITCH("/proc/sysrq-trigger", open_to_write),
	SWITCH("/sys/kernel/mm/transparent_hugepage/defrag", open_to_write), SWITCH("/sys/kernel/tracing/trace_marker", open_to_write),
};

TEST(no_policy_opens_the_switches_of_the_host)
{
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		check_guarded(NULL, &switches[i]);
		check_guarded(open_files, &switches[i]);
	}
	CHECK_GUARDED_OBSERVED(switches);
}

static int write_own(void *path)
{
	return open_to_write((long)path);
}

TEST(a_member_writes_its_own_proc)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(ruled_run(r, write_own, "/proc/self/oom_score_adj"), 0);
	CHECK_EQ(ruled_run(r, write_own, "/proc/self/task/../comm"), 0);
	check_silent(r);
	ruled_free(r);
}

/* ---- a module that the kernel loads by itself ---- */

static int exec_unknown(void *arg)
{
	(void)arg;
	execl("/tmp/unknown", "unknown", NULL);
	return -errno;
}

TEST(a_strange_file_makes_the_kernel_load_nothing)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE);

	put_file("/tmp/unknown", "\x01\x02\x03\x04 no format at all", 0755);
	govern_forget();
	CHECK_EQ(free_run(exec_unknown, NULL), -ENOEXEC);
	CHECK_EQ(ruled_run(r, exec_unknown, NULL), -ENOEXEC);
	check_record(r, &(struct expect){ .rule = "guard.module", .path = "", .op = ACT_MODULE, .verb = VERB_CALL, .err = EPERM });
	ruled_free(r);
}

/* ---- our own pins ---- */

static __u32 map_id;

static int bpf_get(long by_path)
{
	union bpf_attr attr = {};

	if (by_path)
		attr.pathname = (uintptr_t)GOVERN_PINS "/maps/slots";
	else
		attr.map_id = map_id;
	return positive(syscall(SYS_bpf, by_path ? BPF_OBJ_GET : BPF_MAP_GET_FD_BY_ID, &attr, sizeof(attr)) < 0 ? -errno : 0);
}

static int unmount_pins(long arg)
{
	(void)arg;
	return umount("/tmp/n") ? -errno : rc(mount("b", "/tmp/n", "bpf", 0, NULL));
}

#define A_PIN GOVERN_PINS "/links/on_file_open"

static int unlink_pin(long arg)
{
	(void)arg;
	return rc(unlink(A_PIN));
}

static int act_of(void *arg)
{
	const struct guarded *g = arg;

	return g->act(g->arg);
}

TEST(our_own_is_out_of_reach_even_observed)
{
	static const struct guarded own[] = {
		{ "map by number", bpf_get, 0, "guard.self", ACT_BPF, EPERM, 0, 0, NULL },
		{ "map by pin", bpf_get, 1, "guard.self", ACT_BPF, EPERM, 0, 0, NULL },
		{ "umount of a bpffs", unmount_pins, 0, "guard.self", ACT_UMOUNT, EPERM, 0, 0, NULL },
		{ "unlink of a pin", unlink_pin, 0, "guard.self", ACT_UNLINK, EACCES, 0, 0, NULL },
	};
	struct ruled *r;

	loosen();
	govern_start();
	CHECK_EQ(bpf_map_get_next_id(0, &map_id), 0);
	CHECK_EQ(mount("b", "/tmp/n", "bpf", 0, NULL), 0);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		CASE("%s", own[i].name);
		r = ruled_new(guarded_policy, STAGE_OBSERVE);
		govern_forget();
		if (own[i].act != unlink_pin)	/* free, it would end the enforcement that is tested */
			CHECK_EQ(free_run(act_of, (void *)&own[i]), 0);
		CHECK_EQ(ruled_run(r, act_of, (void *)&own[i]), -own[i].err);
		CHECK_STR(ruled_last(r, own[i].op), "guard.self");
		CHECK_EQ(ruled_refused(r, "guard.self"), 1);
		ruled_free(r);
	}
	CHECK_EQ(access(A_PIN, F_OK), 0);
	CHECK_EQ(umount("/tmp/n"), 0);
}

TEST_MAIN()
