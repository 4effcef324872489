/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard, against other processes: looking into them, steering, signalling and re-ranking them succeeds free, is refused to a member on an
 * outsider and the engine, and is a member's right within its sandbox. As root and as a user on its own processes. vm: --cpus 1
 */
#include <linux/kcmp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include "tests/vm/guarded.h"

static pid_t target;	/* who is acted on */

/* ---- looking and steering ---- */

static int trace(long how)
{
	if (how == PTRACE_SEIZE ? ptrace(PTRACE_SEIZE, target, 0, 0) : ptrace(PTRACE_ATTACH, target, 0, 0))
		return -errno;
	if (how == PTRACE_SEIZE && ptrace(PTRACE_INTERRUPT, target, 0, 0))
		return -errno;
	waitpid(target, NULL, __WALL);
	return rc(ptrace(PTRACE_DETACH, target, 0, 0));
}

static int copy_memory(long write)
{
	static char here[8];
	struct iovec local = { here, 1 }, remote = { here, 1 };

	if (write)
		return rc(process_vm_writev(target, &local, 1, &remote, 1, 0));
	return rc(process_vm_readv(target, &local, 1, &remote, 1, 0));
}

static int compare(long arg)
{
	(void)arg;
	return rc(syscall(SYS_kcmp, getpid(), target, KCMP_FILE, 0, 0));
}

static int take_fd(long arg)
{
	int pidfd = syscall(SYS_pidfd_open, target, 0);

	(void)arg;
	return pidfd < 0 ? -errno : rc(syscall(SYS_pidfd_getfd, pidfd, 0, 0));
}

static int robust_list(long arg)
{
	void *head;
	size_t len;

	(void)arg;
	return rc(syscall(SYS_get_robust_list, target, &head, &len));
}

/* ---- signals ---- */

static int signal_kill(long sig)
{
	return rc(kill(target, sig));
}

static int signal_thread(long group)
{
	return rc(group ? syscall(SYS_tgkill, target, target, SIGURG) : syscall(SYS_tkill, target, SIGURG));
}

static int signal_group(long arg)
{
	(void)arg;
	return rc(kill(-target, SIGURG));
}

static int signal_pidfd(long arg)
{
	int pidfd = syscall(SYS_pidfd_open, target, 0);

	(void)arg;
	return pidfd < 0 ? -errno : rc(syscall(SYS_pidfd_send_signal, pidfd, SIGURG, NULL, 0));
}

static int signal_queue(long thread)
{
	siginfo_t info = { .si_signo = SIGURG, .si_code = SI_QUEUE };

	if (thread)
		return rc(syscall(SYS_rt_tgsigqueueinfo, target, target, SIGURG, &info));
	return rc(syscall(SYS_rt_sigqueueinfo, target, SIGURG, &info));
}

/* The kernel signals the owner of a file. */
static int own_file(long how)
{
	struct f_owner_ex ex = { F_OWNER_PID, target };
	int ends[2], pid = how == 1 ? -target : target;

	if (pipe(ends))
		return -errno;
	if (how <= 1)
		return rc(fcntl(ends[0], F_SETOWN, pid));
	if (how == 2)
		return rc(fcntl(ends[0], F_SETOWN_EX, &ex));
	ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
	return rc(ioctl(ends[0], how == 3 ? FIOSETOWN : SIOCSPGRP, &pid));
}

/* ---- rank ---- */

static int nice_value(long which)
{
	return rc(setpriority(which, target, 1));
}

static int affinity(long arg)
{
	cpu_set_t set;

	(void)arg;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return rc(sched_setaffinity(target, sizeof(set), &set));
}

static int scheduler(long attr)
{
	uint32_t a[12] = { 48 /* size */, SCHED_BATCH };	/* struct sched_attr */
	struct sched_param p = { 0 };

	return rc(attr ? syscall(SYS_sched_setattr, target, a, 0) : sched_setscheduler(target, SCHED_BATCH, &p));
}

static int io_rank(long arg)
{
	(void)arg;
	return rc(syscall(SYS_ioprio_set, 1 /* a process */, target, 2 << 13 | 7));
}

static int limits(long arg)
{
	struct rlimit lim = { 10, 10 };

	(void)arg;
	return rc(prlimit(target, RLIMIT_MSGQUEUE, &lim, NULL));
}

#define ACT(name, act, arg, rule, op) { name, act, arg, rule, op, EPERM, 0, 0, NULL }
#define SIGNAL(name, act, arg) ACT(name, act, arg, "guard.signal", ACT_SIGNAL)
#define RANK(name, act, arg) ACT(name, act, arg, "guard.signal", ACT_PRIORITY)
#define LOOK(name, act, arg) ACT(name, act, arg, "guard.ptrace", ACT_PTRACE)
static const struct guarded acts[] = {
	LOOK("attach", trace, PTRACE_ATTACH), LOOK("seize", trace, PTRACE_SEIZE), LOOK("read memory", copy_memory, 0),
	LOOK("write memory", copy_memory, 1), LOOK("kcmp", compare, 0), LOOK("pidfd_getfd", take_fd, 0), LOOK("robust list", robust_list, 0),
	SIGNAL("kill", signal_kill, SIGURG), SIGNAL("kill 0", signal_kill, 0), SIGNAL("tgkill", signal_thread, 1), SIGNAL("tkill", signal_thread, 0),
	SIGNAL("group", signal_group, 0), SIGNAL("pidfd", signal_pidfd, 0), SIGNAL("sigqueue", signal_queue, 0),
	SIGNAL("tgsigqueue", signal_queue, 1), SIGNAL("F_SETOWN", own_file, 0), SIGNAL("F_SETOWN group", own_file, 1),
	SIGNAL("F_SETOWN_EX", own_file, 2), ACT("FIOSETOWN", own_file, 3, "guard.signal", ACT_IOCTL),
	ACT("SIOCSPGRP", own_file, 4, "guard.signal", ACT_IOCTL),
	RANK("nice", nice_value, PRIO_PROCESS), RANK("nice group", nice_value, PRIO_PGRP), RANK("affinity", affinity, 0),
	RANK("scheduler", scheduler, 0), RANK("sched_setattr", scheduler, 1), RANK("ioprio", io_rank, 0), RANK("prlimit", limits, 0),
};
#define NACTS (sizeof(acts) / sizeof(acts[0]))

static void loosen(void)
{
	CHECK_EQ(system("[ ! -e /proc/sys/kernel/yama/ptrace_scope ] || echo 0 >/proc/sys/kernel/yama/ptrace_scope"), 0);
}

TEST(an_outsider_is_neither_watched_nor_steered_nor_signalled)
{
	loosen();
	for (uid_t uid = 0; uid <= 1000; uid += 1000) {
		for (size_t i = 0; i < NACTS; i++) {
			struct guarded g = acts[i];

			g.uid = uid;
			target = outsider_start(uid);
			check_guarded(NULL, &g);
			CHECK_EQ(waitpid(target, NULL, WNOHANG), 0);
			outsider_stop(target);
		}
	}
}

TEST(observed_they_pass_and_are_told)
{
	loosen();
	target = outsider_start(0);
	CHECK_GUARDED_OBSERVED(acts);
	outsider_stop(target);
}

/* ---- the engine: this process. Not even observed is it touched ---- */

static int on_engine(void *arg)
{
	const struct guarded *g = arg;

	target = getppid();
	return g->act(g->arg);
}

TEST(the_engine_is_out_of_reach_in_every_stage)
{
	/* F_SETOWN knows numbers, not processes: it is refused by its own rule; the rest is told in observe */
	for (size_t i = 0; i < NACTS; i++) {
		struct ruled *r;

		if (acts[i].act == own_file || acts[i].act == signal_group || (acts[i].act == nice_value && acts[i].arg == PRIO_PGRP))
			continue;
		CASE("%s", acts[i].name);
		r = ruled_new(guarded_policy, STAGE_OBSERVE);
		govern_forget();
		CHECK_EQ(ruled_run(r, on_engine, (void *)&acts[i]), -EPERM);
		CHECK_STR(ruled_last(r, acts[i].op), "guard.self");
		CHECK_EQ(ruled_refused(r, "guard.self"), 1);
		CHECK_EQ(govern_seen_count, 1);
		ruled_free(r);
	}
}

/* ---- within the sandbox ---- */

static int on_own_child(void *arg)
{
	const struct guarded *g = arg;
	int err;

	target = outsider_start(0);	/* of this member: one too */
	err = g->act(g->arg);
	outsider_stop(target);
	return err;
}

static int on_oneself(void *arg)
{
	struct sched_param p = { 0 };
	int ends[2];

	(void)arg;
	if (pipe(ends) || fcntl(ends[0], F_SETOWN, getpid()) || fcntl(ends[0], F_SETOWN, 0) || raise(SIGURG) || kill(0, SIGURG))
		return -errno;
	return rc(sched_setscheduler(0, SCHED_BATCH, &p));
}

static int traced_by_member(void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (!pid)
		_exit(ptrace(PTRACE_TRACEME, 0, 0, 0) ? errno : 0);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EPROTO;
}

TEST(members_may_do_all_that_to_members)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE);

	loosen();
	govern_forget();
	for (size_t i = 0; i < NACTS; i++) {
		if (acts[i].act == own_file)
			continue;	/* nobody but oneself */
		CASE("%s", acts[i].name);
		CHECK_EQ(ruled_run(r, on_own_child, (void *)&acts[i]), 0);
	}
	CASE("to oneself");
	setpgid(0, 0);
	CHECK_EQ(ruled_run(r, traced_by_member, NULL), 0);
	check_silent(r);
	ruled_free(r);
}

static int own_group(void *arg)
{
	setpgid(0, 0);
	return on_oneself(arg);
}

TEST(a_process_signals_and_ranks_itself)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(ruled_run(r, own_group, NULL), 0);
	check_silent(r);
	ruled_free(r);
}

TEST(another_sandbox_is_outside)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE), *other = ruled_new(guarded_policy, STAGE_ENFORCE);
	struct guarded g = acts[7];
	int pidfd;

	target = outsider_start(0);
	pidfd = syscall(SYS_pidfd_open, target, 0);
	CHECK_EQ(kernel_member_label(govern_kernel, pidfd, other->id, 1), 0);
	close(pidfd);
	check_guarded(NULL, &g);
	outsider_stop(target);
	ruled_free(other);
	ruled_free(r);
}

/* ---- everybody, and the parent ---- */

static int kill_all(void *arg)
{
	(void)arg;
	return rc(kill(-1, SIGURG));
}

/* The call itself says nothing (0 where it signalled nobody): each process it would have reached is refused and counted. */
TEST(kill_of_everybody_reaches_nobody)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE);
	pid_t a = outsider_start(0), b = outsider_start(1000);

	govern_forget();
	CHECK_EQ(ruled_run(r, kill_all, NULL), 0);
	CHECK(!outsider_signalled(a) && !outsider_signalled(b));
	CHECK(ruled_refused(r, "guard.signal") >= 2);
	CHECK_EQ(ruled_refused(r, "guard.self"), 1);
	CHECK_EQ(free_run(kill_all, NULL), 0);
	CHECK(outsider_signalled(a) && outsider_signalled(b));
	outsider_stop(a);
	outsider_stop(b);
	ruled_free(r);
}

static int trace_me(long arg)
{
	(void)arg;
	return rc(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

static int trace_me_run(void *arg)
{
	return trace_me((long)arg);
}

/* The parent that would trace has to be an outsider and not the engine. */
static int spawn_between(void *r)
{
	return ruled_run(r, trace_me_run, NULL);
}

TEST(an_outsider_is_not_made_a_tracer)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(free_run(trace_me_run, NULL), 0);
	CHECK_EQ(free_run(spawn_between, r), -EPERM);
	check_record(r, &(struct expect){ .rule = "guard.ptrace", .path = "", .op = ACT_PTRACE, .verb = VERB_CALL, .err = EPERM });
	ruled_free(r);
}

TEST_MAIN()
