/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two processes on the command's side. Both run with every signal blocked until the command gets the mask that its starter had; the
 * keeper stays so, and survives whatever its terminal or its group is sent.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/file.h"
#include "cli/cli.h"
#include "cli/launch.h"

static void tell(const struct keeper_pipes *p, enum keeper_kind kind, int value, int error)
{
	struct keeper_message m = { kind, value, error };

	(void)write_full(p->report, &m, sizeof(m));	/* nobody listens: they are gone, and the pipe's end says what to do */
}

static bool wait_for_go(const struct keeper_pipes *p)
{
	char c;

	return read_full(p->go, &c, 1) == 1;
}

/* ---- the command ---- */

__attribute__((noreturn)) static void fail(const struct keeper_pipes *p, enum keeper_step step, int err)
{
	tell(p, KEEPER_FAILED, step, -err);
	_exit(CLI_NOT_STARTED);
}

static int give_streams(const struct streams *io)
{
	for (int fd = 0; fd < 3; fd++) {
		if (io->give[fd] >= 0 && dup2(io->give[fd], fd) < 0)
			return -errno;
	}
	return syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) ? -errno : 0;
}

static int set_limits(void)
{
	struct rlimit none = {};

	/* core_pattern may name a helper, which the kernel would run outside the sandbox */
	return setrlimit(RLIMIT_CORE, &none) ? -errno : 0;
}

static int load_filter(const struct launch *l)
{
	struct sock_fprog prog = { .len = l->filter_bytes / sizeof(struct sock_filter), .filter = (void *)l->filter };

	if (!prog.len || !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
		return 0;
	if (errno != EACCES)
		return -errno;
	/* Without the privilege to load it the kernel asks that set-id programs be off for good. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
		return -errno;
	return 0;
}

static int become_user(const struct account *a)
{
	int err = a ? account_become(a) : 0;

	return err || !a ? err : account_environment(a);
}

static void check(const struct keeper_pipes *p, enum keeper_step step, int err)
{
	if (err)
		fail(p, step, err);
}

/*
 * All that needs privilege comes before READY, while the process is not yet a member: as one it would be refused, on the record. What is
 * left after the byte is execvp().
 */
__attribute__((noreturn)) static void command_run(const struct launch *l, const struct streams *io, const struct keeper_pipes *p,
						  const struct keeper_origin *origin)
{
	check(p, STEP_TERMINAL, setpgid(0, 0) || (io->slave >= 0 && tcsetpgrp(io->slave, getpid())) ? -errno : 0);
	check(p, STEP_STREAMS, give_streams(io));
	check(p, STEP_LIMITS, set_limits());
	check(p, STEP_FILTER, load_filter(l));
	check(p, STEP_USER, become_user(l->user));
	tell(p, KEEPER_READY, 0, 0);
	if (!wait_for_go(p))
		_exit(CLI_NOT_STARTED);
	if (origin->child_ignored)
		(void)signal(SIGCHLD, SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &origin->mask, NULL);
	execvp(l->argv[0], l->argv);
	fail(p, STEP_EXEC, -errno);
}

/* ---- the keeper ---- */

static void close_all_but(int a, int b)
{
	int low = a < b ? a : b, high = a < b ? b : a;

	if (low > 3)
		(void)syscall(SYS_close_range, 3, low - 1, 0);
	if (high > low + 1)
		(void)syscall(SYS_close_range, low + 1, high - 1, 0);
	(void)syscall(SYS_close_range, high + 1, ~0u, 0);
}

/* Whatever we held of the command's would keep its readers from seeing it end. */
static void let_go(const struct keeper_pipes *p)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd < 3 && null >= 0; fd++)
		(void)dup2(null, fd);
	close_all_but(p->go, p->report);
}

/* As waitpid() would say it. */
static int status_of(const siginfo_t *i)
{
	switch (i->si_code) {
	case CLD_EXITED:
		return (i->si_status & 0xff) << 8;
	case CLD_STOPPED:
	case CLD_TRAPPED:
		return i->si_status << 8 | 0x7f;
	case CLD_CONTINUED:
		return 0xffff;
	default:
		return i->si_status | (i->si_code == CLD_DUMPED ? 0x80 : 0);
	}
}

/* The end is looked at and not taken, so that the number names this process until our starter is done with it. */
static void watch(pid_t pid, const struct keeper_pipes *p)
{
	for (;;) {
		siginfo_t i = {};

		if (waitid(P_PID, pid, &i, WEXITED | WSTOPPED | WCONTINUED | WNOWAIT)) {
			if (errno == EINTR)
				continue;
			return;
		}
		tell(p, KEEPER_STATUS, status_of(&i), 0);
		if (i.si_code == CLD_EXITED || i.si_code == CLD_KILLED || i.si_code == CLD_DUMPED)
			return;
		(void)waitid(P_PID, pid, &i, WSTOPPED | WCONTINUED | WNOHANG);
	}
}

/* A fork whose child is born in the cgroup. Where that is not possible it is born in ours, and the engine moves it. */
static pid_t fork_into(const char *cgroup)
{
	_close_ int fd = cgroup ? open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct clone_args args = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = fd };
	pid_t pid = -1;

	if (fd >= 0)
		pid = syscall(SYS_clone3, &args, sizeof(args));
	return pid >= 0 ? pid : fork();
}

__attribute__((noreturn)) void keeper_run(const struct launch *l, const struct streams *io, const struct keeper_pipes *p,
					  const struct keeper_origin *origin)
{
	pid_t pid;

	if (setsid() < 0 || (io->slave >= 0 && ioctl(io->slave, TIOCSCTTY, 0)))
		fail(p, STEP_TERMINAL, -errno);
	pid = fork_into(l->cgroup);
	if (pid < 0)
		fail(p, STEP_FORK, -errno);
	if (!pid)
		command_run(l, io, p, origin);
	let_go(p);
	tell(p, KEEPER_PID, pid, 0);
	(void)wait_for_go(p);	/* until then the number stays the command's, dead or alive */
	watch(pid, p);
	(void)wait_for_go(p);
	(void)waitpid(pid, NULL, WNOHANG);
	_exit(0);
}
