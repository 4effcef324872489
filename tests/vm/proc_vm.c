/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File systems whose objects are the kernel's, and places that are Bailiff's own: /proc of members and outsiders, bpffs, cgroupfs; also where
 * the class of files is open, and in the observe stage. vm: --cpus 1
 */
#include <sys/mount.h>
#include <sys/syscall.h>
#include "tests/vm/expect.h"

static const char closed[] =
	"version: 1\npolicy: closed\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/proc/uptime, /proc/sys, /sys, /tmp, /dev]\n"
	"  change: [/proc/self/oom_score_adj, /proc/sys/vm, /dev]\n"
	"  write: [/tmp]\n"
	"  execute: [/]\n";
static const char open_class[] = "version: 1\npolicy: open-class\nopen: [files, devices, calls, privileges, limits, session, labels]\n" NO_NETWORK;

struct act {
	const char *path;
	int flags;
	int err;		/* 0: fine */
	struct expect e;
};

static pid_t outsider;

static int open_act(void *arg)
{
	const struct act *a = arg;
	char path[128];

	snprintf(path, sizeof(path), a->path, outsider);
	return rc(open(path, a->flags, 0600));
}

/* Each in a sandbox of its own, so that counts are of this act alone. */
static void check_acts(const char *policy, enum stage stage, struct act *acts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct act *a = &acts[i];
		struct ruled *r = ruled_new(policy, stage);
		int got;

		CASE("%s flags %o", a->path, a->flags);
		CHECK_EQ(free_run(open_act, a), 0);
		govern_forget();
		got = ruled_run(r, open_act, a);
		if (got != -a->err) {
			govern_drain();
			seen_print(r);
		}
		CHECK_EQ(got, -a->err);
		if (a->err)
			check_record(r, &a->e);
		else
			check_silent(r);
		ruled_free(r);
	}
}
#define CHECK_ACTS(policy, stage, acts) check_acts(policy, stage, acts, sizeof(acts) / sizeof(acts[0]))

#define OUTSIDER { "guard.proc", "", "", ACT_PROC, VERB_CALL, REASON_NONE, EACCES }

TEST(members_see_members_and_no_outsider)
{
	static struct act acts[] = {
		{ "/proc/self/status", O_RDONLY, 0, {} },
		{ "/proc/self/environ", O_RDONLY, 0, {} },
		{ "/proc/self/cmdline", O_RDONLY, 0, {} },
		{ "/proc/self/maps", O_RDONLY, 0, {} },
		{ "/proc/self/task", O_RDONLY | O_DIRECTORY, 0, {} },
		{ "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0, {} },
		{ "/proc/thread-self/stat", O_RDONLY, 0, {} },
		{ "/proc/uptime", O_RDONLY, 0, {} },
		{ "/proc/%d/environ", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%d/cmdline", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%d/status", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%d", O_RDONLY | O_DIRECTORY, EACCES, OUTSIDER },
		{ "/proc/%1$d/task/%1$d/stat", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%d/oom_score_adj", O_WRONLY, EACCES, OUTSIDER },
		{ "/proc/self/../%d/stat", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/1/cmdline", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%d/net/dev", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%d/net/stat/arp_cache", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/%1$d/task/%1$d/net/tcp", O_RDONLY, EACCES, OUTSIDER },
		{ "/proc/self/net/dev", O_RDONLY, 0, {} },
		/* /proc/self/ns leads out of procfs: to what may not be joined */
		{ "/proc/self/ns/net", O_RDONLY, EACCES, { "guard.namespace", "", "", ACT_OPEN, VERB_CALL, REASON_NONE, EACCES } },
		/* what is of no process is a path like any other */
		{ "/proc/version", O_RDONLY, EACCES, { "files.default", "/proc/version", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES } },
		{ "/proc", O_RDONLY | O_DIRECTORY, EACCES, { "files.default", "/proc", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES } },
		{ "/proc/sys/kernel/core_pattern", O_WRONLY, EACCES,
		  { "files.default", "/proc/sys/kernel/core_pattern", "", ACT_OPEN, VERB_CHANGE, REASON_NONE, EACCES } },
		/* a member's own is one place, whatever its number */
		{ "/proc/self/oom_score_adj", O_WRONLY, 0, {} },
		{ "/proc/self/oom_score_adj", O_RDWR, EACCES,
		  { "files.default", "/proc/self/oom_score_adj", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES } },
		{ "/proc/self/comm", O_WRONLY, EACCES, { "files.default", "/proc/self/comm", "", ACT_OPEN, VERB_CHANGE, REASON_NONE, EACCES } },
		{ "/proc/self/task/../mem", O_RDWR, EACCES, { "files.default", "/proc/self/mem", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES } },
	};

	outsider = getpid();
	CHECK_ACTS(closed, STAGE_ENFORCE, acts);
}

/* As a shell redirects: the name is asked for with O_CREAT before the kernel looks whether it is there. */
TEST(a_redirection_to_what_the_kernel_made_creates_nothing)
{
	static struct act acts[] = {
		{ "/proc/self/oom_score_adj", O_WRONLY | O_CREAT | O_TRUNC, 0, {} },
		{ "/proc/sys/vm/overcommit_ratio", O_WRONLY | O_CREAT | O_TRUNC, EACCES,
		  { "guard.capability", "/proc/sys/vm/overcommit_ratio", "", ACT_OPEN, VERB_CHANGE, REASON_NONE, EACCES } },
		{ "/proc/self/fd/1", O_WRONLY | O_CREAT | O_APPEND, 0, {} },
		{ "/dev/stderr", O_WRONLY | O_CREAT | O_APPEND, 0, {} },
		{ "/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0, {} },
		{ "/proc/self/comm", O_WRONLY | O_CREAT | O_TRUNC, EACCES,
		  { "files.default", "/proc/self/comm", "", ACT_OPEN, VERB_CHANGE, REASON_NONE, EACCES } },
		{ "/sys/kernel/profiling", O_WRONLY | O_CREAT | O_TRUNC, EACCES,
		  { "files.default", "/sys/kernel/profiling", "", ACT_OPEN, VERB_CHANGE, REASON_NONE, EACCES } },
	};

	CHECK_ACTS(closed, STAGE_ENFORCE, acts);
}

/* The child is dead but not yet waited for: still of the sandbox. */
static int zombie_stat(void *unused)
{
	siginfo_t info;
	pid_t pid = fork();
	char path[64];

	(void)unused;
	if (!pid)
		_exit(0);
	waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return rc(open(path, O_RDONLY));
}

TEST(a_dead_child_is_no_outsider)
{
	struct ruled *r = ruled_new(closed, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(free_run(zombie_stat, NULL), 0);
	CHECK_EQ(ruled_run(r, zombie_stat, NULL), 0);
	check_silent(r);
	ruled_free(r);
}

/* ---- Bailiff's own ---- */

static int list_pins(void *unused)
{
	(void)unused;
	return rc(open(GOVERN_PINS "/links", O_RDONLY | O_DIRECTORY));
}

static int make_pin_dir(void *path)
{
	int err = rc(mkdir(path, 0700));

	return err ? err : rc(rmdir(path));
}

/* There and back, so that the pin is where it was. */
static int rename_pin(void *base)
{
	char from[128], to[128];

	snprintf(from, sizeof(from), "%s/spare", (char *)base);
	snprintf(to, sizeof(to), "%s/moved", (char *)base);
	return rename(from, to) ? -errno : rc(rename(to, from));
}

static int change_pin(void *base)
{
	return rc(chmod(base, 0700));
}

struct own {
	const char *name;
	govern_fn fn;
	void *arg;
	enum operation op;
};

static void check_own(const char *policy, enum stage stage, const struct own *own)
{
	struct ruled *r = ruled_new(policy, stage);
	/* by the kind of file system, so without a path, in whatever stage */
	const struct expect e = { "guard.self", "", "", own->op, VERB_CALL, REASON_NONE, EACCES };

	CASE("%s stage %d", own->name, stage);
	govern_forget();
	CHECK_REFUSED(r, own->fn, own->arg, EACCES);
	check_record(r, &e);
	ruled_free(r);
}

TEST(pins_are_refused_in_every_stage_and_by_whatever_mount)
{
	static const struct own own[] = {
		{ "list", list_pins, NULL, ACT_OPEN },
		{ "mkdir", make_pin_dir, GOVERN_PINS "/new", ACT_MKDIR },
		{ "mkdir elsewhere", make_pin_dir, "/tmp/pins/new", ACT_MKDIR },
		{ "rename", rename_pin, GOVERN_PINS, ACT_RENAME },
		{ "rename elsewhere", rename_pin, "/tmp/pins", ACT_RENAME },
		{ "chmod elsewhere", change_pin, "/tmp/pins", ACT_CHMOD },
	};

	govern_start();
	mkdir("/tmp/pins", 0700);
	mkdir(GOVERN_PINS "/spare", 0700);
	CHECK_EQ(mount(GOVERN_PINS, "/tmp/pins", NULL, MS_BIND, NULL), 0);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		check_own(closed, STAGE_ENFORCE, &own[i]);
		check_own(open_class, STAGE_ENFORCE, &own[i]);
		check_own(closed, STAGE_OBSERVE, &own[i]);
	}
	CHECK_EQ(umount("/tmp/pins"), 0);
	CHECK_EQ(rmdir(GOVERN_PINS "/spare"), 0);
}

static int open_write(void *path)
{
	return rc(open(path, O_WRONLY | O_CREAT, 0600));
}

static int open_read(void *path)
{
	return rc(open(path, O_RDONLY));
}

static int rename_state(void *unused)
{
	(void)unused;
	return rename("/var/lib", "/var/bil") ? -errno : rc(rename("/var/bil", "/var/lib"));
}

TEST(an_open_class_of_files_still_keeps_off_bailiffs_places)
{
	struct ruled *r = ruled_new(open_class, STAGE_ENFORCE);
	static const struct expect journal = { "guard.self", "/var/lib/bailiff/journal", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };

	mkdir("/etc/bailiff", 0700);
	mkdir("/var/lib/bailiff", 0700);
	put_file("/etc/bailiff/bailiff.yaml", "", 0600);
	put_file("/var/lib/bailiff/journal", "", 0600);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_read, "/etc/passwd"), 0);
	CHECK_EQ(ruled_run(r, open_write, "/etc/new"), 0);
	CHECK_EQ(ruled_run(r, open_read, "/etc/bailiff/bailiff.yaml"), 0);
	check_silent(r);
	CHECK_REFUSED(r, open_read, "/var/lib/bailiff/journal", EACCES);
	check_record(r, &journal);
	CHECK_REFUSED(r, open_write, "/etc/bailiff/bailiff.yaml", EACCES);
	CHECK_EQ(ruled_refused(r, "guard.self"), 2);
	/* nor may a parent change its name */
	CHECK_REFUSED(r, rename_state, NULL, EXDEV);
	CHECK_EQ(ruled_refused(r, "files.name"), 1);
	ruled_free(r);
	r = ruled_new(open_class, STAGE_OBSERVE);
	CHECK_REFUSED(r, open_read, "/var/lib/bailiff/journal", EACCES);
	CHECK_EQ(ruled_refused(r, "guard.self"), 1);
	ruled_free(r);
	unlink("/etc/new");
}

static int make_cgroup(void *path)
{
	int err = rc(mkdir(path, 0700));

	return err ? err : rc(rmdir(path));
}

TEST(cgroupfs_may_be_read_and_not_written)
{
	static const struct expect e = { "guard.cgroup", "", "", ACT_CGROUP, VERB_CALL, REASON_NONE, EACCES };
	static const struct { const char *name; govern_fn fn; void *arg; } ways[] = {
		{ "procs", open_write, GOVERN_CGROUP "/cgroup.procs" }, { "mkdir", make_cgroup, GOVERN_CGROUP "/new" },
		{ "elsewhere", open_write, "/tmp/groups/govern/cgroup.procs" }, { "version 1", open_write, "/tmp/groups1/cgroup.procs" },
		{ "mkdir in version 1", make_cgroup, "/tmp/groups1/new" },
	};
	struct ruled *r;
	size_t i;

	mkdir("/tmp/groups", 0700);
	mkdir("/tmp/groups1", 0700);
	CHECK_EQ(mount("/sys/fs/cgroup", "/tmp/groups", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount("cgroup", "/tmp/groups1", "cgroup", 0, "none,name=test"), 0);
	for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		CASE("%s", ways[i].name);
		r = ruled_new(closed, STAGE_ENFORCE);
		govern_forget();
		CHECK_EQ(ruled_run(r, open_read, "/sys/fs/cgroup/cgroup.procs"), 0);
		check_silent(r);
		CHECK_REFUSED(r, ways[i].fn, ways[i].arg, EACCES);
		check_record(r, &e);
		ruled_free(r);
		r = ruled_new(closed, STAGE_OBSERVE);
		CHECK_EQ(ruled_run(r, ways[i].fn, ways[i].arg), 0);
		CHECK(ruled_would(r, "guard.cgroup") > 0);
		ruled_free(r);
	}
	CHECK_EQ(umount("/tmp/groups"), 0);
	CHECK_EQ(umount("/tmp/groups1"), 0);
}

TEST_MAIN()
