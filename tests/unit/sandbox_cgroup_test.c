/* SPDX-License-Identifier: Apache-2.0 */
/* Names and files in a plain directory; what only the kernel does (populated, kill, events) on a real hierarchy, if there is one. */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/file.h"
#include "sandbox/cgroup.h"
#include "tests/unit/test.h"

#define ID "01ARYZ6S41TSV4RRFFQ69G5FAV"

static void put(const char *dir, const char *name, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, text, strlen(text)));
	close(fd);
}

static void drop(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	CHECK_OK(unlink(path));
}

static struct cgroups *in_temp(char dir[64])
{
	struct cgroups *g;

	strcpy(dir, "/tmp/bailiff-cgroup-XXXXXX");
	CHECK(mkdtemp(dir) != NULL);
	CHECK_OK(cgroups_open(dir, "room", &g));
	return g;
}

static void leave_temp(struct cgroups *g, const char *dir)
{
	char path[512];

	cgroups_close(g);
	snprintf(path, sizeof(path), "%s/room", dir);
	CHECK_OK(rmdir(path));
	CHECK_OK(rmdir(dir));
}

TEST(cgroup_mount_is_the_first_v2_one)
{
	char dir[] = "/tmp/bailiff-mi-XXXXXX", path[128], out[256];

	CHECK(mkdtemp(dir) != NULL);
	put(dir, "mountinfo", "24 1 0:22 / /proc rw - proc proc rw\n30 1 0:26 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n"
		"31 1 0:27 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n32 1 0:28 / /other rw - cgroup2 cgroup2 rw\n");
	snprintf(path, sizeof(path), "%s/mountinfo", dir);
	CHECK_OK(cgroup_find_mount(path, out, sizeof(out)));
	CHECK_STR(out, "/sys/fs/cgroup/unified");
	put(dir, "mountinfo", "24 1 0:22 / /proc rw - proc proc rw\n");
	CHECK_EQ(cgroup_find_mount(path, out, sizeof(out)), -ENOENT);
	drop(dir, "mountinfo");
	CHECK_OK(rmdir(dir));
}

TEST(cgroup_directories_nest_commands_and_have_the_inode_as_id)
{
	char dir[64], path[512];
	struct cgroups *g = in_temp(dir);
	uint64_t id, nested;
	struct stat st;

	CHECK_OK(cgroup_make(g, ID, 0, &id));
	CHECK_OK(cgroup_make(g, ID, 3, &nested));
	CHECK(id != nested);
	snprintf(path, sizeof(path), "%s/room/" ID "/c3", dir);
	CHECK_OK(stat(path, &st));
	CHECK_EQ(st.st_ino, nested);
	CHECK_EQ(cgroup_make(g, ID, 0, &id), -EEXIST);
	CHECK_OK(cgroup_remove(g, ID, 3));
	CHECK(stat(path, &st));
	CHECK_OK(cgroup_remove(g, ID, 0));
	CHECK_OK(cgroup_remove(g, ID, 0));	/* gone is as good */
	leave_temp(g, dir);
}

TEST(cgroup_populated_is_read_from_events_and_a_missing_one_is_empty)
{
	char dir[64], sub[256];
	struct cgroups *g = in_temp(dir);
	uint64_t id;

	CHECK_EQ(cgroup_populated(g, ID, 0), 0);
	CHECK_OK(cgroup_make(g, ID, 0, &id));
	snprintf(sub, sizeof(sub), "%s/room/" ID, dir);
	put(sub, "cgroup.events", "populated 1\nfrozen 0\n");
	CHECK_EQ(cgroup_populated(g, ID, 0), 1);
	put(sub, "cgroup.events", "populated 0\nfrozen 0\n");
	CHECK_EQ(cgroup_populated(g, ID, 0), 0);
	put(sub, "cgroup.events", "frozen 0\n");
	CHECK_EQ(cgroup_populated(g, ID, 0), -EBADMSG);
	drop(sub, "cgroup.events");
	CHECK_OK(cgroup_remove(g, ID, 0));
	leave_temp(g, dir);
}

TEST(cgroup_move_and_kill_write_the_kernels_files)
{
	char dir[64], sub[256], name[600];
	struct cgroups *g = in_temp(dir);
	_free_ char *text = NULL, *text2 = NULL;
	uint64_t id;

	CHECK_OK(cgroup_make(g, ID, 0, &id));
	snprintf(sub, sizeof(sub), "%s/room/" ID, dir);
	CHECK_EQ(cgroup_move(g, ID, 0, 12), -ENOENT);	/* no such file in a plain directory: never made up */
	put(sub, "cgroup.procs", "");
	put(sub, "cgroup.kill", "");
	CHECK_OK(cgroup_move(g, ID, 0, 4321));
	CHECK_OK(cgroup_kill(g, ID));
	snprintf(name, sizeof(name), "%s/cgroup.procs", sub);
	CHECK_OK(file_slurp(name, 100, &text, NULL));
	CHECK_STR(text, "4321");
	snprintf(name, sizeof(name), "%s/cgroup.kill", sub);
	CHECK_OK(file_slurp(name, 100, &text2, NULL));
	CHECK_STR(text2, "1");
	drop(sub, "cgroup.procs");
	drop(sub, "cgroup.kill");
	CHECK_OK(cgroup_remove(g, ID, 0));
	leave_temp(g, dir);
}

static void on_watch(void *ctx, int watch)
{
	*(int *)ctx = watch;
}

static bool waited(struct cgroups *g, int ms)
{
	struct pollfd p = { .fd = cgroup_watch_fd(g), .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

TEST(cgroup_watch_tells_which_one_changed)
{
	char dir[64], sub[256];
	struct cgroups *g = in_temp(dir);
	uint64_t id;
	int watch, seen = 0;

	CHECK_OK(cgroup_make(g, ID, 0, &id));
	snprintf(sub, sizeof(sub), "%s/room/" ID, dir);
	put(sub, "cgroup.events", "populated 0\n");
	watch = cgroup_watch(g, ID, 0);
	CHECK(watch >= 0);
	CHECK(!waited(g, 0));
	put(sub, "cgroup.events", "populated 1\n");
	CHECK(waited(g, 1000));
	cgroup_watch_read(g, on_watch, &seen);
	CHECK_EQ(seen, watch);
	cgroup_unwatch(g, watch);
	drop(sub, "cgroup.events");
	CHECK_OK(cgroup_remove(g, ID, 0));
	leave_temp(g, dir);
}

/* ---- a real hierarchy ---- */
static struct cgroups *in_kernel(char *mount, size_t size, char *parent)
{
	struct cgroups *g;

	if (getuid() || cgroup_find_mount("/proc/self/mountinfo", mount, size))
		SKIP("needs root and a cgroup v2 mount");
	sprintf(parent, "bailiff-test-%d", getpid());
	if (cgroups_open(mount, parent, &g))
		SKIP("cgroup v2 at %s is not writable here", mount);
	return g;
}

static void leave_kernel(struct cgroups *g, const char *mount, const char *parent)
{
	char path[600];

	cgroups_close(g);
	snprintf(path, sizeof(path), "%s/%s", mount, parent);
	CHECK_OK(rmdir(path));
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		if (!fork())
			pause();	/* a child of it is moved by nobody and must die all the same */
		pause();
		_exit(0);
	}
	return pid;
}

TEST(cgroup_kill_ends_everything_and_the_watch_says_when)
{
	char mount[256], parent[64];
	struct cgroups *g = in_kernel(mount, sizeof(mount), parent);
	uint64_t id;
	pid_t pid, gate;
	int watch, seen, status, go[2];
	char c;

	CHECK_OK(cgroup_make(g, ID, 0, &id));
	CHECK_OK(cgroup_make(g, ID, 1, &id));
	watch = cgroup_watch(g, ID, 0);
	CHECK(watch >= 0);
	CHECK_OK(pipe(go));
	gate = fork();
	if (!gate) {
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		pid = sleeper();
		waitpid(pid, &status, 0);
		_exit(0);
	}
	CHECK_OK(cgroup_move(g, ID, 1, gate));
	CHECK(cgroup_holds(g, gate));
	CHECK(!cgroup_holds(g, getpid()));
	CHECK_EQ(cgroup_populated(g, ID, 0), 1);
	CHECK_EQ(cgroup_populated(g, ID, 1), 1);
	CHECK_EQ(write(go[1], "x", 1), 1);
	for (int i = 0; i < 100 && cgroup_processes(g, ID) < 3; i++)
		usleep(10000);
	CHECK_EQ(cgroup_processes(g, ID), 3);
	CHECK_EQ(cgroup_remove(g, ID, 0), -EBUSY);
	CHECK_OK(cgroup_kill(g, ID));
	CHECK_EQ(waitpid(gate, &status, 0), gate);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (seen = -2; cgroup_populated(g, ID, 0) && waited(g, 2000);)
		cgroup_watch_read(g, on_watch, &seen);
	CHECK_EQ(cgroup_populated(g, ID, 0), 0);
	CHECK_EQ(cgroup_processes(g, ID), 0);
	CHECK_OK(cgroup_remove(g, ID, 0));
	close(go[0]);
	close(go[1]);
	leave_kernel(g, mount, parent);
}

TEST_MAIN()
