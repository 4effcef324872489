/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Membership: whatever comes of a member is one, wherever it goes. vm: --cpus 2
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include "tests/vm/member.h"
#include "tests/vm/raw.h"

/* ---- what comes of a member ---- */

static int by_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(-member_look());
	return status_of(pid);
}

static void *look_in_thread(void *out)
{
	*(int *)out = member_look();
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
	return -member_look();
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
		out = member_look();
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
		out = member_look();
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
	static int (*const kinds[])(void) = { member_look, by_fork, by_vfork, by_thread, by_clone, by_clone_parent, by_exec, by_daemon, by_ring,
					      by_polling_ring };
	struct ruled *r;

	member_prepare();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CASE("kind %zu", i);
		r = ruled_new(member_policy, STAGE_ENFORCE);
		govern_forget();
		CHECK_REFUSED(r, run_kind, (void *)&kinds[i], EACCES);
		CHECK_EQ(ruled_refused(r, "secret"), 1);
		CHECK_STR(ruled_last(r, ACT_OPEN), "secret");
		CHECK_EQ(govern_seen_count, 1);
		CHECK(ruled_members_become(r, 0));
		ruled_free(r);
	}
}

/* ---- leaving by cgroup ---- */

static int inherited_fd;

static int leave_by_open(void *arg)
{
	(void)arg;
	return group_join(ELSEWHERE, getpid());
}

static int leave_by_fd(void *arg)
{
	(void)arg;
	return write(inherited_fd, "0", 1) == 1 ? member_look() : -ENOTRECOVERABLE;
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

	member_prepare();
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		CASE("act %zu", i);
		r = ruled_new(member_policy, STAGE_ENFORCE);
		govern_forget();
		CHECK_REFUSED(r, acts[i].act, (void *)acts[i].path, EACCES);
		check_record(r, &(struct expect){ .rule = "guard.cgroup", .op = ACT_CGROUP, .verb = VERB_CALL, .err = EACCES });
		ruled_free(r);
	}
}

TEST(whoever_moves_it_it_stays_a_member)
{
	static const char *const groups[] = { ELSEWHERE, SANDBOX_GROUP "/a", "/sys/fs/cgroup" };
	struct ruled *r;
	int ends[2], result;
	pid_t pid;

	member_prepare();
	r = ruled_new(member_policy, STAGE_ENFORCE);
	inherited_fd = open(ELSEWHERE "/cgroup.procs", O_WRONLY);
	CHECK_EQ(free_run(leave_by_fd, NULL), 0);
	CHECK_EQ(ruled_run(r, leave_by_fd, NULL), -EACCES);
	close(inherited_fd);
	for (size_t i = 0; i < 3; i++) {
		CASE("%s", groups[i]);
		CHECK_EQ(pipe(ends), 0);
		pid = ruled_spawn(r, member_look_when_told, ends, &result);
		CHECK_EQ(group_join(groups[i], pid), 0);
		CHECK_EQ(write(ends[1], "x", 1), 1);
		CHECK_EQ(spawn_result(pid, result), -EACCES);
	}
	ruled_free(r);
}

TEST_MAIN()
