/* SPDX-License-Identifier: Apache-2.0 */
/* Our side of a launch: block signals, fork the keeper, have the command governed, let it go, and stand in for it until it ends. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/launch.h"

struct running {
	const struct launch *l;
	struct streams io;
	struct keeper_origin origin;
	int signals, go, report, pidfd;
	pid_t keeper, pid;
	bool ready, ended;
	int status;			/* once ended */
	int failed_step, failed_error;	/* error 0: none */
};

/* ---- signals ---- */

/* What a kernel sends for a terminal's key went to a whole job, what a process sent went to one process: passed on alike. */
static void pass_on(struct running *r, const struct signalfd_siginfo *info)
{
	pid_t group = r->io.master >= 0 ? tcgetpgrp(r->io.master) : -1;

	if (info->ssi_code == SI_KERNEL)
		(void)kill(-(group > 0 ? group : r->pid), info->ssi_signo);
	else
		(void)syscall(SYS_pidfd_send_signal, r->pidfd, info->ssi_signo, NULL, 0);
}

static void go_on(struct running *r)
{
	streams_attend(&r->io);
	(void)kill(-r->pid, SIGCONT);
}

static void on_signal(struct running *r, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGCHLD:	/* the keeper's state is not the command's */
	case SIGPIPE:
	case SIGTTIN:	/* about our own reading and writing */
	case SIGTTOU:
		return;
	case SIGWINCH:
		if (r->io.master >= 0)
			terminal_copy_size(&r->io.terminal, r->io.master);	/* its kernel side signals the command */
		else
			pass_on(r, info);
		return;
	case SIGCONT:
		go_on(r);
		return;
	default:
		pass_on(r, info);
	}
}

static int open_signals(struct running *r)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS };
	sigset_t all;

	sigfillset(&all);
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		sigdelset(&all, faults[i]);
	if (sigprocmask(SIG_SETMASK, &all, &r->origin.mask))
		return -errno;
	r->origin.child_ignored = signal(SIGCHLD, SIG_DFL) == SIG_IGN;
	r->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signals < 0 ? -errno : 0;
}

static void read_signals(struct running *r)
{
	struct signalfd_siginfo info;

	while (read(r->signals, &info, sizeof(info)) == sizeof(info))
		on_signal(r, &info);
}

static bool is_pending(int sig)
{
	sigset_t set;

	return !sigpending(&set) && sigismember(&set, sig);
}

/*
 * The command stopped: stop by the same signal, so that our shell sees a stopped job. If nobody could wake us (no job control, the signal
 * ignored) the kernel does not stop us, and the command goes on at once, as it would have without us.
 */
static void stop_too(struct running *r, int sig)
{
	sigset_t one;

	if (sig == SIGSTOP && !r->io.keys)
		return;	/* stopped from elsewhere; no terminal is held up by it */
	terminal_restore(&r->io.terminal);
	sigemptyset(&one);
	sigaddset(&one, sig);
	(void)kill(getpid(), sig);
	if (sig != SIGSTOP) {
		(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
		(void)sigprocmask(SIG_BLOCK, &one, NULL);
	}
	if (!is_pending(SIGCONT))
		go_on(r);
}

/* ---- reports of the keeper ---- */

static void on_status(struct running *r, int status)
{
	if (WIFSTOPPED(status)) {
		stop_too(r, WSTOPSIG(status));
	} else if (!WIFCONTINUED(status)) {
		r->status = status;
		r->ended = true;
	}
}

/* One message; 0 or -errno. */
static int read_report(struct running *r)
{
	struct keeper_message m;
	ssize_t n = read_full(r->report, &m, sizeof(m));

	if (n != sizeof(m))
		return n < 0 ? n : -ECHILD;
	switch (m.kind) {
	case KEEPER_PID:
		r->pid = m.value;
		r->pidfd = syscall(SYS_pidfd_open, m.value, 0);
		return r->pidfd < 0 ? -errno : 0;
	case KEEPER_READY:
		r->ready = true;
		return 0;
	case KEEPER_FAILED:
		r->failed_step = m.value;
		r->failed_error = m.error;
		return 0;
	case KEEPER_STATUS:
		on_status(r, m.value);
		return 0;
	}
	return -EPROTO;
}

/* ---- before the command runs ---- */

static void keeper_process(struct running *r, int go, int report)
{
	struct keeper_pipes pipes = { .go = go, .report = report };

	close(r->go);
	close(r->report);
	close(r->signals);
	keeper_run(r->l, &r->io, &pipes, &r->origin);
}

static int fork_keeper(struct running *r)
{
	_close_ int go = -1, report = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	go = ends[0];
	r->go = ends[1];
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	r->report = ends[0];
	report = ends[1];
	r->keeper = fork();
	if (r->keeper < 0)
		return -errno;
	if (!r->keeper)
		keeper_process(r, go, report);
	return streams_let_go(&r->io);
}

/* Until the command waits for its byte. It may be killed meanwhile by anyone: then its pidfd says so. */
static int wait_ready(struct running *r)
{
	while (!r->failed_error && !(r->ready && r->pidfd >= 0)) {
		struct pollfd p[2] = { { .fd = r->report, .events = POLLIN }, { .fd = r->pidfd, .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents) {
			int err = read_report(r);

			if (err)
				return err;
		} else if (p[1].revents) {
			return -ECHILD;
		}
	}
	return 0;
}

static const char *step_text(int step)
{
	static const char *const texts[] = {
		[STEP_FORK] = "fork",
		[STEP_TERMINAL] = "giving the command a terminal",
		[STEP_STREAMS] = "giving the command its streams",
		[STEP_LIMITS] = "setting the command's limits",
		[STEP_FILTER] = "loading the seccomp program",
		[STEP_USER] = "becoming the user",
	};

	return step >= 0 && (size_t)step < ARRAY_SIZE(texts) && texts[step] ? texts[step] : "starting the command";
}

/* 0: the command has its byte and is about to be what the user asked for. Failures are logged. */
static int prepare(struct running *r)
{
	int err = open_signals(r);

	if (!err)
		err = streams_open(&r->io, r->l->user ? r->l->user->uid : geteuid());
	if (!err)
		err = fork_keeper(r);
	if (!err)
		err = wait_ready(r);
	if (err)
		return log_err(err, "starting the command");
	if (r->failed_error)
		return log_err(-r->failed_error, "%s", step_text(r->failed_step));
	err = r->l->govern(r->l->ctx, r->pid, r->pidfd);
	if (err)
		return err;
	err = write_full(r->go, "gg", 2);	/* one for the keeper */
	return err ? log_err(err, "starting the command") : 0;
}

/* ---- while it runs ---- */

static int stand_in(struct running *r)
{
	struct pollfd p[RELAY_POLLS + 2];

	streams_attend(&r->io);
	while (!r->ended) {
		relay_poll(&r->io.relay, p);
		p[RELAY_POLLS] = (struct pollfd){ .fd = r->signals, .events = POLLIN };
		p[RELAY_POLLS + 1] = (struct pollfd){ .fd = r->report, .events = POLLIN };
		if (poll(p, ARRAY_SIZE(p), -1) < 0)
			continue;	/* only EINTR can be */
		relay_serve(&r->io.relay, p);
		if (p[RELAY_POLLS].revents)
			read_signals(r);
		if (p[RELAY_POLLS + 1].revents && read_report(r))
			return log_err(-ECHILD, "the process that kept the command is gone; the command may still run");
	}
	return 0;
}

/* The command is gone; whoever wants us gone as well need not wait until its output has been taken. */
static bool interrupted(void *ctx)
{
	struct running *r = ctx;
	struct signalfd_siginfo info;

	return read(r->signals, &info, sizeof(info)) == sizeof(info) &&
	       (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT);
}

static int exec_failure(const struct running *r)
{
	const char *name = r->l->argv[0];

	if (r->failed_error == ENOENT) {
		log_err(0, "%s: %s", name, strchr(name, '/') && !access(name, F_OK) ? "its interpreter or loader is missing" : "command not found");
		return CLI_NOT_FOUND;
	}
	if ((r->failed_error == EACCES || r->failed_error == EPERM) && r->l->tail_hint)
		log_err(-r->failed_error, "%s: not executed (if the policy refused it, `bailiff tail --sandbox %s` names the rule)", name, r->l->tail_hint);
	else
		log_err(-r->failed_error, "%s: not executed", name);
	return CLI_NOT_EXECUTABLE;
}

static int exit_code(const struct running *r)
{
	if (r->failed_error && r->failed_step == STEP_EXEC)
		return exec_failure(r);
	return WIFSIGNALED(r->status) ? 128 + WTERMSIG(r->status) : WEXITSTATUS(r->status);
}

static void let_all_go(struct running *r)
{
	base_close_p(&r->go);	/* the keeper takes the command's end and leaves */
	while (r->keeper > 0 && waitpid(r->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	streams_done(&r->io);
	base_close_p(&r->report);
	base_close_p(&r->pidfd);
	base_close_p(&r->signals);
}

int launch_run(const struct launch *l)
{
	struct running r = { .l = l, .io = STREAMS_NONE, .signals = -1, .go = -1, .report = -1, .pidfd = -1 };
	int code = CLI_NOT_STARTED;

	if (!prepare(&r) && !stand_in(&r)) {
		streams_drain(&r.io, interrupted, &r);
		terminal_restore(&r.io.terminal);
		code = exit_code(&r);
	}
	let_all_go(&r);
	return code;
}
