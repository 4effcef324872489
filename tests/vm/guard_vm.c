/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard, against the host: each act of root that changes mounts, namespaces or the kernel itself succeeds free and is refused in a sandbox
 * whose policy allows all that a policy can; observed, it passes and is told. By the 64-bit and the 32-bit table. vm: --cpus 1 --modules af_key
 */
#include <bpf/bpf.h>
#include <linux/fanotify.h>
#include <linux/perf_event.h>
#include <linux/reboot.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <glob.h>
#include <net/if.h>
#include <pty.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include "tests/vm/guarded.h"

static int ns_fd = -1, group_fd = -1;
static __u32 map_id;

static void prepare(void)
{
	mkdir("/tmp/m", 0777);
	mkdir("/tmp/n", 0777);
	umount2("/tmp/m", MNT_DETACH);
	CHECK_EQ(mount("m", "/tmp/m", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mount(NULL, "/tmp/m", NULL, MS_PRIVATE, NULL), 0);
	if (ns_fd < 0)
		ns_fd = open("/proc/1/ns/uts", O_RDONLY | O_CLOEXEC);
	mkdir("/sys/fs/cgroup/elsewhere", 0755);
	if (group_fd < 0)
		group_fd = open("/sys/fs/cgroup/elsewhere", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(ns_fd >= 0 && group_fd >= 0);
	govern_start();
	CHECK_EQ(bpf_map_get_next_id(0, &map_id), 0);
}

/* ---- mounts and roots ---- */

static int mount_new(long arg)
{
	(void)arg;
	return mount("t", "/tmp/n", "tmpfs", 0, NULL) ? -errno : rc(umount("/tmp/n"));
}

static int mount_bind(long arg)
{
	return mount("/tmp/m", "/tmp/n", NULL, MS_BIND | arg, NULL) ? -errno : rc(umount2("/tmp/n", MNT_DETACH));
}

static int mount_flags(long flags)
{
	return rc(mount("none", "/tmp/m", NULL, flags, NULL));
}

static int mount_moved(long arg)
{
	(void)arg;
	return mount("/tmp/m", "/tmp/n", NULL, MS_MOVE, NULL) ? -errno : rc(mount("/tmp/n", "/tmp/m", NULL, MS_MOVE, NULL));
}

static int unmount(long flags)
{
	return umount2("/tmp/m", flags) ? -errno : rc(mount("m", "/tmp/m", "tmpfs", 0, NULL));
}

static int new_fs(long arg)
{
	(void)arg;
	return rc(syscall(SYS_fsopen, "tmpfs", 0));
}

static int tree_clone(long arg)
{
	(void)arg;
	return rc(syscall(SYS_open_tree, AT_FDCWD, "/tmp/m", OPEN_TREE_CLONE));
}

static int tree_moved(long arg)
{
	(void)arg;
	if (syscall(SYS_move_mount, AT_FDCWD, "/tmp/m", AT_FDCWD, "/tmp/n", 0))
		return -errno;
	return rc(syscall(SYS_move_mount, AT_FDCWD, "/tmp/n", AT_FDCWD, "/tmp/m", 0));
}

static int tree_attributes(long arg)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID };

	(void)arg;
	return rc(syscall(SYS_mount_setattr, AT_FDCWD, "/tmp/m", 0, &attr, sizeof(attr)));
}

/* The initial root of an initramfs cannot be pivoted; a free one gets as far as learning that. */
static int pivot(long arg)
{
	(void)arg;
	mkdir("/tmp/m/old", 0777);
	return rc(syscall(SYS_pivot_root, "/tmp/m", "/tmp/m/old"));
}

static int change_root(long arg)
{
	(void)arg;
	return rc(chroot("/tmp/m"));
}

/* ---- namespaces ---- */

static int new_ns(long flags)
{
	return rc(unshare(flags));
}

static int clone3_ns(long flags)
{
	struct clone_args a = { .flags = flags & ~CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t pid;

	if (flags & CLONE_INTO_CGROUP) {
		a.flags = CLONE_INTO_CGROUP;
		a.cgroup = group_fd;
	}
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (!pid)
		_exit(0);
	return pid < 0 ? -errno : rc(waitpid(pid, NULL, 0));
}

static int join_ns(long arg)
{
	(void)arg;
	return rc(setns(ns_fd, 0));
}

/* ---- the kernel itself ---- */

static int bpf_call(long cmd)
{
	union bpf_attr attr = {};

	if (cmd == BPF_MAP_CREATE)
		attr.map_type = BPF_MAP_TYPE_ARRAY, attr.key_size = attr.value_size = 4, attr.max_entries = 1;
	else if (cmd == BPF_OBJ_GET)
		attr.pathname = (uintptr_t)GOVERN_PINS "/maps/slots";
	else
		attr.map_id = map_id;
	return rc(syscall(SYS_bpf, cmd, &attr, sizeof(attr)));
}

static int perf_open(long arg)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK };

	(void)arg;
	return rc(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

static int module_file(void)
{
	glob_t g;
	int fd;

	if (glob("/run/vm/modules/*af_key.ko", 0, NULL, &g))
		return -1;
	fd = open(g.gl_pathv[0], O_RDONLY);
	globfree(&g);
	return fd;
}

static int load_finit(long arg)
{
	(void)arg;
	return rc(syscall(SYS_finit_module, module_file(), "", 0));
}

static int load_init(long arg)
{
	static char image[1 << 20];
	ssize_t n = read(module_file(), image, sizeof(image));

	(void)arg;
	return rc(syscall(SYS_init_module, image, n, ""));
}

static int unload(long arg)
{
	(void)arg;
	return syscall(SYS_delete_module, "af_key", 0) ? -errno : load_finit(0);
}

static int load_and_unload(long init)
{
	int err = init ? load_init(0) : load_finit(0);

	return err ? err : rc(syscall(SYS_delete_module, "af_key", 0));
}

static int kexec_unload(long arg)
{
	(void)arg;
	return rc(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static int ring_setup(long flags)
{
	struct uring u;

	return uring_open(&u, flags);
}

static int faults(long arg)
{
	(void)arg;
	return rc(syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY));
}

static int type_char(long arg)
{
	int master, slave;
	char name[64], c = 'x';

	(void)arg;
	if (openpty(&master, &slave, name, NULL, NULL))
		return -errno;
	return rc(ioctl(slave, TIOCSTI, &c));
}

static int host_name(long domain)
{
	return rc(domain ? setdomainname("guest", 5) : sethostname("guest", 5));
}

static int set_clock(long how)
{
	struct timeval tv;
	struct timespec ts;
	struct timex tx = { .modes = ADJ_TICK, .tick = 10000 };

	gettimeofday(&tv, NULL);
	clock_gettime(CLOCK_REALTIME, &ts);
	if (how == 0)
		return rc(settimeofday(&tv, NULL));
	return rc(how == 1 ? clock_settime(CLOCK_REALTIME, &ts) : adjtimex(&tx));
}

static int swap(long off)
{
	return rc(off ? swapoff("/tmp/no-such-swap") : swapon("/tmp/no-such-swap", 0));
}

static int accounting(long arg)
{
	(void)arg;
	return rc(syscall(SYS_acct, NULL));
}

static int cad_off(long arg)
{
	(void)arg;
	return rc(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, NULL));
}

static int ports(long all)
{
	return rc(all ? iopl(3) : ioperm(0x80, 1, 1));
}

static int kernel_log(long action)
{
	static char text[4096];

	return rc(klogctl(action, text, action == 8 ? 4 : sizeof(text)));
}

static int hang_up(long arg)
{
	(void)arg;
	return rc(vhangup());
}

static int watch_all(long arg)
{
	(void)arg;
	return rc(syscall(SYS_fanotify_init, FAN_CLASS_CONTENT, 0));
}

static int device_node(long mode)
{
	return mknod("/tmp/node", mode | 0600, makedev(1, 3)) ? -errno : rc(unlink("/tmp/node"));
}

static int interface_flags(long arg)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK };

	(void)arg;
	return rc(ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCSIFFLAGS, &r));
}

static int write_setting(long path)
{
	int fd = open(guarded_path(path), O_WRONLY);

	return fd < 0 ? -errno : rc(write(fd, "core", 4));
}

#define CAP(name, act, arg) { name, act, arg, "guard.capability", ACT_CAPABLE, EPERM, 0, 0, NULL }
static const struct guarded mounts[] = {
	{ "mount", mount_new, 0, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "bind", mount_bind, 0, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "bind all", mount_bind, MS_REC, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "remount", mount_flags, MS_REMOUNT | MS_NOSUID, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "remount bind", mount_flags, MS_REMOUNT | MS_BIND | MS_RDONLY, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "share", mount_flags, MS_SHARED, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "move", mount_moved, 0, "guard.mount", ACT_MOUNT, EPERM, 0, 0, NULL },
	{ "chroot", change_root, 0, "guard.mount", ACT_CHROOT, EPERM, 0, 0, NULL },
	/* the kernel asks for the capability before it calls the mount's own hook */
	CAP("umount", unmount, 0), CAP("umount lazily", unmount, MNT_DETACH), CAP("fsopen", new_fs, 0), CAP("open_tree", tree_clone, 0),
	CAP("move_mount", tree_moved, 0), CAP("mount_setattr", tree_attributes, 0),
	{ "pivot_root", pivot, 0, "guard.capability", ACT_CAPABLE, EPERM, EINVAL, 0, NULL },
};
static const struct guarded namespaces[] = {
	CAP("unshare mnt", new_ns, CLONE_NEWNS), CAP("unshare uts", new_ns, CLONE_NEWUTS), CAP("unshare ipc", new_ns, CLONE_NEWIPC),
	CAP("unshare pid", new_ns, CLONE_NEWPID), CAP("unshare net", new_ns, CLONE_NEWNET), CAP("unshare cgroup", new_ns, CLONE_NEWCGROUP),
	CAP("unshare time", new_ns, CLONE_NEWTIME), CAP("clone3 mnt", clone3_ns, CLONE_NEWNS), CAP("clone3 pid", clone3_ns, CLONE_NEWPID),
	CAP("setns", join_ns, 0),
	{ "unshare user", new_ns, CLONE_NEWUSER, "guard.namespace", ACT_USERNS, EPERM, 0, 0, NULL },
	{ "clone3 user", clone3_ns, CLONE_NEWUSER, "guard.namespace", ACT_USERNS, EPERM, 0, 0, NULL },
	{ "unshare user", new_ns, CLONE_NEWUSER, "guard.namespace", ACT_USERNS, EPERM, 0, 1000, NULL },
	{ "unshare user and mnt", new_ns, CLONE_NEWUSER | CLONE_NEWNS, "guard.namespace", ACT_USERNS, EPERM, 0, 1000, NULL },
	{ "clone3 user", clone3_ns, CLONE_NEWUSER, "guard.namespace", ACT_USERNS, EPERM, 0, 1000, NULL },
	{ "clone3 into cgroup", clone3_ns, CLONE_INTO_CGROUP, "guard.cgroup", ACT_CLONE_CGROUP, EPERM, 0, 0, NULL },
};
#define CORE_PATTERN "/proc/sys/kernel/core_pattern"
static const struct guarded host_acts[] = {
	{ "bpf", bpf_call, BPF_MAP_CREATE, "guard.bpf", ACT_BPF, EPERM, 0, 0, NULL },
	{ "perf", perf_open, 0, "guard.perf", ACT_PERF, EPERM, 0, 0, NULL },
	CAP("delete_module", unload, 0), CAP("kexec", kexec_unload, 0),
	{ "io_uring", ring_setup, 0, "guard.io_uring", ACT_IO_URING, EPERM, 0, 0, NULL },
	{ "io_uring", ring_setup, 0, "guard.io_uring", ACT_IO_URING, EPERM, 0, 1000, NULL },
	{ "io_uring polled", ring_setup, IORING_SETUP_SQPOLL, "guard.io_uring", ACT_IO_URING, EPERM, 0, 0, NULL },
	{ "userfaultfd", faults, 0, "guard.capability", ACT_USERFAULTFD, EPERM, 0, 0, NULL },
	{ "userfaultfd", faults, 0, "guard.capability", ACT_USERFAULTFD, EPERM, 0, 1000, NULL },
	{ "TIOCSTI", type_char, 0, "guard.tty", ACT_IOCTL, EPERM, 0, 0, NULL },
	CAP("sethostname", host_name, 0), CAP("setdomainname", host_name, 1), CAP("settimeofday", set_clock, 0), CAP("clock_settime", set_clock, 1),
	CAP("adjtimex", set_clock, 2), CAP("acct", accounting, 0), CAP("reboot", cad_off, 0), CAP("iopl", ports, 1), CAP("ioperm", ports, 0),
	CAP("syslog level", kernel_log, 8), CAP("syslog read", kernel_log, 3), CAP("vhangup", hang_up, 0), CAP("fanotify", watch_all, 0),
	CAP("interface", interface_flags, 0),
	{ "swapon", swap, 0, "guard.capability", ACT_CAPABLE, EPERM, ENOENT, 0, NULL },
	{ "swapoff", swap, 1, "guard.capability", ACT_CAPABLE, EPERM, ENOENT, 0, NULL },
	{ "mknod", device_node, S_IFCHR, "guard.capability", ACT_MKNOD, EPERM, 0, 0, NULL },
	{ "mknod", device_node, S_IFBLK, "guard.capability", ACT_MKNOD, EPERM, 0, 0, NULL },
	{ "core_pattern", write_setting, (long)CORE_PATTERN, "guard.capability", ACT_OPEN, EACCES, 0, 0, CORE_PATTERN },
};

/* Settings under which only the guard stands in the way. */
static void loosen(void)
{
	CHECK_EQ(system("echo -1 >/proc/sys/kernel/perf_event_paranoid; echo 1 >/proc/sys/kernel/unprivileged_userns_clone;"
			"[ ! -e /proc/sys/dev/tty/legacy_tiocsti ] || echo 1 >/proc/sys/dev/tty/legacy_tiocsti"), 0);
}

TEST(mounts_and_roots_stay_as_they_are)
{
	prepare();
	CHECK_GUARDED(mounts);
}

TEST(no_new_namespace_is_made_and_none_joined)
{
	prepare();
	loosen();
	CHECK_GUARDED(namespaces);
}

TEST(the_kernel_itself_is_out_of_reach)
{
	prepare();
	loosen();
	CHECK_GUARDED(host_acts);
}

TEST(modules_are_not_loaded)
{
	static const struct guarded loads[] = { CAP("finit_module", load_and_unload, 0), CAP("init_module", load_and_unload, 1) };

	prepare();
	syscall(SYS_delete_module, "af_key", 0);
	CHECK_GUARDED(loads);
	CHECK_GUARDED_OBSERVED(loads);
	CHECK_EQ(load_finit(0), 0);
}

TEST(observed_they_pass_and_are_told)
{
	prepare();
	loosen();
	CHECK_GUARDED_OBSERVED(mounts);
	CHECK_GUARDED_OBSERVED(namespaces);
	CHECK_GUARDED_OBSERVED(host_acts);
}

TEST_MAIN()
