/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership: whatever comes of a member is one, wherever it goes; who is moved or born into a governed cgroup becomes one with every thread; and
 * members are counted as they live. vm: --cpus 2
 */
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include "tests/vm/expect.h"
#include "tests/vm/raw.h"

static const char policy[] =
	"version: 1\npolicy: member\nopen: [devices, privileges, limits, session, labels]\n" NO_NETWORK
	"calls: {allow: [\"@io_uring\"]}\n"
	"files:\n  read: [/]\n  write: [/]\n  execute: [/]\n  deny: [{path: /tmp/secret, id: secret}]\n";

#define SANDBOX_GROUP "/sys/fs/cgroup/sandboxed"
#define ELSEWHERE "/sys/fs/cgroup/elsewhere"

static void prepare(void)
{
	put_file("/tmp/secret", "s", 0644);
	mkdir(SANDBOX_GROUP, 0755);
	mkdir(SANDBOX_GROUP "/a", 0755);
	mkdir(SANDBOX_GROUP "/a/b", 0755);
	mkdir(ELSEWHERE, 0755);
}

/* What every test asks: 0 where the secret opens. */
static int look(void)
{
	int fd = open("/tmp/secret", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : rc(close(fd));
}

static int join_group(const char *group, pid_t pid)
{
	char path[128], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", pid), err;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	err = rc(write(fd, text, n));
	close(fd);
	return err;
}

static uint64_t group_id(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return st.st_ino;
}

static uint32_t members_of(struct ruled *r)
{
	struct kernel_sandbox sb;

	CHECK_EQ(kernel_sandbox_get(govern_kernel, r->id, &sb), 0);
	return sb.members;
}

static bool members_become(struct ruled *r, uint32_t want)
{
	for (int i = 0; i < 500 && members_of(r) != want; i++)
		usleep(10000);
	return members_of(r) == want;
}

/* ---- what comes of a member ---- */

static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static int by_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-look());
	return status_of(pid);
}

static void *look_in_thread(void *out)
{
	*(int *)out = look();
	return NULL;
}

static int by_thread(void)
{
	pthread_t t;
	int out = -EPROTO;

	if (pthread_create(&t, NULL, look_in_thread, &out))
		return -EAGAIN;
	pthread_join(t, NULL);
	return out;
}

static int look_and_leave(void *arg)
{
	(void)arg;
	return -look();
}

/* What vfork(2) is, on a stack of its own. */
static int by_vfork(void)
{
	static char stack[65536];

	return status_of(clone(look_and_leave, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
}

static int by_clone(void)
{
	static char stack[65536];

	return status_of(clone(look_and_leave, stack + sizeof(stack), CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL));
}

static int by_clone_parent(void)
{
	int ends[2], out = -EPROTO;

	if (pipe(ends))
		return -errno;
	if (!syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL)) {
		out = look();
		_exit(write(ends[1], &out, sizeof(out)) != sizeof(out));
	}
	close(ends[1]);
	(void)!read(ends[0], &out, sizeof(out));
	return out;
}

/* cat fails with 1 where it may not read */
static int by_exec(void)
{
	pid_t pid = fork();
	int null = open("/dev/null", O_RDWR);

	if (!pid) {
		dup2(null, 1);
		dup2(null, 2);
		execl("/bin/cat", "cat", "/tmp/secret", NULL);
		_exit(127);
	}
	return status_of(pid) == -1 ? -EACCES : 0;
}

static int by_daemon(void)
{
	int ends[2], out = -EPROTO;

	if (pipe(ends))
		return -errno;
	if (!fork()) {
		setsid();
		if (fork())
			_exit(0);
		close(ends[0]);
		while (getppid() != 1)
			usleep(1000);
		out = look();
		_exit(write(ends[1], &out, sizeof(out)) != sizeof(out));
	}
	close(ends[1]);
	(void)!read(ends[0], &out, sizeof(out));
	return out;
}

static int by_ring(void)
{
	const char *path = "/tmp/secret";
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC, .fd = AT_FDCWD, .addr = (uintptr_t)path };
	struct uring u;
	int err = uring_open(&u, 0);

	err = err ? err : uring_do(&u, &sqe);
	return err < 0 ? err : 0;
}

static int by_polling_ring(void)
{
	const char *path = "/tmp/secret";
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)path };
	struct uring u;
	int err = uring_open(&u, IORING_SETUP_SQPOLL);

	err = err ? err : uring_do(&u, &sqe);
	return err < 0 ? err : 0;
}

static int run_kind(void *kind)
{
	return (*(int (**)(void))kind)();
}

TEST(whatever_comes_of_a_member_is_one)
{
	static int (*const kinds[])(void) = { look, by_fork, by_vfork, by_thread, by_clone, by_clone_parent, by_exec, by_daemon, by_ring,
					      by_polling_ring };
	struct ruled *r;

	prepare();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CASE("kind %zu", i);
		r = ruled_new(policy, STAGE_ENFORCE);
		govern_forget();
		CHECK_REFUSED(r, run_kind, (void *)&kinds[i], EACCES);
		CHECK_EQ(ruled_refused(r, "secret"), 1);
		CHECK_STR(ruled_last(r, ACT_OPEN), "secret");
		CHECK_EQ(govern_seen_count, 1);
		CHECK(members_become(r, 0));
		ruled_free(r);
	}
}

/* ---- leaving by cgroup ---- */

static int inherited_fd;

static int leave_by_open(void *arg)
{
	(void)arg;
	return join_group(ELSEWHERE, getpid());
}

static int leave_by_fd(void *arg)
{
	(void)arg;
	return write(inherited_fd, "0", 1) == 1 ? look() : -ENOTRECOVERABLE;
}

static int write_group_file(void *path)
{
	int fd = open(path, O_WRONLY);

	return fd < 0 ? -errno : rc(close(fd));
}

static int make_group(void *path)
{
	return mkdir(path, 0755) ? -errno : rc(rmdir(path));
}

TEST(a_member_writes_no_cgroup)
{
	static const struct {
		govern_fn act;
		const char *path;
	} acts[] = {
		{ leave_by_open, NULL }, { write_group_file, SANDBOX_GROUP "/cgroup.kill" }, { write_group_file, SANDBOX_GROUP "/cgroup.freeze" },
		{ write_group_file, SANDBOX_GROUP "/cgroup.threads" }, { make_group, SANDBOX_GROUP "/own" },
	};
	struct ruled *r;

	prepare();
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		CASE("act %zu", i);
		r = ruled_new(policy, STAGE_ENFORCE);
		govern_forget();
		CHECK_REFUSED(r, acts[i].act, (void *)acts[i].path, EACCES);
		check_record(r, &(struct expect){ .rule = "guard.cgroup", .op = ACT_CGROUP, .verb = VERB_CALL, .err = EACCES });
		ruled_free(r);
	}
}

static int look_when_told(void *ends)
{
	char c;

	return read(((int *)ends)[0], &c, 1) == 1 ? look() : -EPROTO;
}

TEST(whoever_moves_it_it_stays_a_member)
{
	static const char *const groups[] = { ELSEWHERE, SANDBOX_GROUP "/a", "/sys/fs/cgroup" };
	struct ruled *r;
	int ends[2], result;
	pid_t pid;

	prepare();
	r = ruled_new(policy, STAGE_ENFORCE);
	inherited_fd = open(ELSEWHERE "/cgroup.procs", O_WRONLY);
	CHECK_EQ(free_run(leave_by_fd, NULL), 0);
	CHECK_EQ(ruled_run(r, leave_by_fd, NULL), -EACCES);
	close(inherited_fd);
	for (size_t i = 0; i < 3; i++) {
		CASE("%s", groups[i]);
		CHECK_EQ(pipe(ends), 0);
		pid = ruled_spawn(r, look_when_told, ends, &result);
		CHECK_EQ(join_group(groups[i], pid), 0);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		CHECK_EQ(spawn_result(pid, result), -EACCES);
	}
	ruled_free(r);
}

/* ---- governed cgroups ---- */

#define THREADS 4
struct crowd {
	int go[2], results[THREADS];
	pthread_t threads[THREADS];
};
static struct crowd crowd;

static void *crowd_member(void *out)
{
	char c;

	if (read(crowd.go[0], &c, 1) == 1)
		*(int *)out = look();
	return NULL;
}

/* The number of threads, this one among them, that were refused. */
static int crowd_run(void *ready)
{
	int refused = 0;

	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&crowd.threads[i], NULL, crowd_member, &crowd.results[i]))
			return -EAGAIN;
	if (write(*(int *)ready, "r", 1) != 1)
		return -errno;
	crowd_member(&crowd.results[0]);
	for (int i = 0; i < THREADS; i++) {
		if (i)
			pthread_join(crowd.threads[i], NULL);
		refused += crowd.results[i] == -EACCES;
	}
	return refused;
}

static int crowd_moved(const char *group, struct ruled *r)
{
	int ready[2], result;
	char c;
	pid_t pid;

	CHECK_EQ(pipe(crowd.go) | pipe(ready), 0);
	pid = ruled_spawn(NULL, crowd_run, &ready[1], &result);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(join_group(group, pid), 0);
	if (r)
		CHECK_EQ(members_of(r), THREADS);
	CHECK_EQ(write(crowd.go[1], "xxxx", THREADS), THREADS);
	return spawn_result(pid, result);
}

TEST(a_process_that_is_moved_in_is_a_member_with_every_thread)
{
	struct ruled *r;

	prepare();
	r = ruled_new(policy, STAGE_ENFORCE);
	CHECK_EQ(crowd_moved(SANDBOX_GROUP, NULL), 0);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(SANDBOX_GROUP), r->id, 7), 0);
	CHECK_EQ(crowd_moved(SANDBOX_GROUP, r), THREADS);
	CHECK(members_become(r, 0));
	CASE("nested");
	CHECK_EQ(crowd_moved(SANDBOX_GROUP "/a/b", r), THREADS);
	CHECK(members_become(r, 0));
	CASE("elsewhere");
	CHECK_EQ(crowd_moved(ELSEWHERE, NULL), 0);
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(SANDBOX_GROUP)), 0);
	CHECK_EQ(crowd_moved(SANDBOX_GROUP, NULL), 0);
	ruled_free(r);
}

static int born_in(void *group)
{
	struct clone_args a = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = open(group, O_RDONLY | O_DIRECTORY) };
	pid_t pid = syscall(SYS_clone3, &a, sizeof(a));

	if (!pid)
		_exit(-look());
	return status_of(pid);
}

TEST(a_process_that_an_outsider_bears_in_there_is_a_member)
{
	struct ruled *r;

	prepare();
	r = ruled_new(policy, STAGE_ENFORCE);
	CHECK_EQ(free_run(born_in, SANDBOX_GROUP), 0);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(SANDBOX_GROUP), r->id, 7), 0);
	govern_forget();
	CHECK_EQ(free_run(born_in, SANDBOX_GROUP), -EACCES);
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(govern_seen[0].d.h.command, 7);
	CHECK_EQ(free_run(born_in, SANDBOX_GROUP "/a/b"), -EACCES);
	CHECK_EQ(free_run(born_in, ELSEWHERE), 0);
	CHECK(members_become(r, 0));
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(SANDBOX_GROUP)), 0);
	ruled_free(r);
}

/* Nested governed cgroups carry the numbers of commands; another sandbox's do not take a member over. */
TEST(a_move_gives_a_new_command_but_never_a_new_sandbox)
{
	struct ruled *r, *other;
	int ends[2], result;
	pid_t pid;

	prepare();
	r = ruled_new(policy, STAGE_ENFORCE);
	other = ruled_new("version: 1\npolicy: all\n" OPEN_REST NO_NETWORK "files: {read: [/]}\n", STAGE_ENFORCE);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(SANDBOX_GROUP "/a"), r->id, 9), 0);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(ELSEWHERE), other->id, 1), 0);
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		CASE("elsewhere %d", elsewhere);
		CHECK_EQ(pipe(ends), 0);
		pid = ruled_spawn(r, look_when_told, ends, &result);
		CHECK_EQ(join_group(elsewhere ? ELSEWHERE : SANDBOX_GROUP "/a", pid), 0);
		govern_forget();
		CHECK_EQ(write(ends[1], "x", 1), 1);
		CHECK_EQ(spawn_result(pid, result), -EACCES);
		govern_drain();
		CHECK_EQ(govern_seen[0].d.h.sandbox, r->id);
		CHECK_EQ(govern_seen[0].d.h.command, elsewhere ? 1 : 9);
	}
	CHECK_EQ(members_of(other), 0);
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(SANDBOX_GROUP "/a")), 0);
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(ELSEWHERE)), 0);
	ruled_free(other);
	ruled_free(r);
}

TEST_MAIN()
