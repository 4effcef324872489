/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the host's engine when none runs. One starter at a time (a lock file in run_dir); the engine gets a session of its own, a clean
 * environment and nothing of ours but the pipe on which it says that it is ready, or why not.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"

#define PATIENCE_SECONDS 300	/* attaching is verification of every program: seconds, and many under emulation; one that dies is seen at once */
#define NOTE_SECONDS 10		/* then it is said that there is something to wait for */
#define READY_FD 3
#define LOG_NAME "engine.log"

struct starter {
	const struct where *where;
	int run_dir;
	char program[4096];
	int64_t since;			/* monotonic ms */
	bool noted;
};

/* ---- in the engine's process ---- */

static void fresh_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int open_streams(const struct starter *s)
{
	_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_close_ int log = openat(s->run_dir, LOG_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return -errno;
	return dup2(log >= 0 ? log : null, STDOUT_FILENO) < 0 || dup2(STDOUT_FILENO, STDERR_FILENO) < 0 ? -errno : 0;
}

static int become_engine(const struct starter *s, int ready)
{
	char *argv[] = { (char *)s->program, "--on-demand", "--ready-fd", "3", NULL, NULL, NULL };
	char *env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", NULL };

	if (s->where->settings) {
		argv[4] = "--settings";
		argv[5] = (char *)s->where->settings;
	}
	if (dup2(ready, READY_FD) < 0 || (ready == READY_FD && fcntl(ready, F_SETFD, 0)))
		return -errno;
	if (syscall(SYS_close_range, READY_FD + 1, ~0u, 0) || chdir("/"))
		return -errno;
	(void)umask(022);
	fresh_signals();
	execve(s->program, argv, env);
	return -errno;
}

static void engine_process(const struct starter *s, int ready)
{
	int err;

	setsid();
	switch (fork()) {	/* nobody's child: it outlives us, and we do not wait for it */
	case -1:
		dprintf(ready, "fork: %s\n", strerror(errno));
		_exit(1);
	case 0:
		break;
	default:
		_exit(0);
	}
	err = open_streams(s);
	if (!err)
		err = become_engine(s, ready);
	dprintf(ready, "%s: %s\n", s->program, strerror(-err));
	_exit(1);
}

/* ---- waiting for it ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Is there patience left? Where it takes long, whoever sits before it is told, once; a program reads nothing but the lines that it knows. */
static bool patient(struct starter *s)
{
	int64_t waited = now_ms() - s->since;

	if (waited > NOTE_SECONDS * 1000 && !s->noted && isatty(STDERR_FILENO)) {
		log_info("waiting for the engine: the kernel checks its programs, or an earlier one is about to leave");
		s->noted = true;
	}
	return waited < PATIENCE_SECONDS * 1000;
}

/* Its one line, or all it said before it closed the pipe. */
static int read_line(struct starter *s, int fd, char *line, size_t size)
{
	size_t len = 0;

	while (len < size - 1 && !memchr(line, '\n', len)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (!patient(s))
			return -ETIMEDOUT;
		if (poll(&p, 1, 1000) <= 0)
			continue;
		n = read(fd, line + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	line[len] = '\0';
	return 0;
}

/* An engine that died without a word to us may have left one in its log. */
static void last_words(const struct starter *s, char *line, size_t size)
{
	_free_ char *text = NULL;
	char *start;
	size_t len;

	if (file_slurp_at(s->run_dir, LOG_NAME, 1 << 20, &text, &len))
		return;
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	start = strrchr(text, '\n');
	snprintf(line, size, "%s", start ? start + 1 : text);
}

static int wait_ready(struct starter *s, int ready)
{
	char line[1024];
	int err = read_line(s, ready, line, sizeof(line));

	if (err)
		return log_err(err, "the engine did not get ready within %d seconds; see %s/" LOG_NAME, PATIENCE_SECONDS, s->where->run_dir);
	if (!strcmp(line, CONTROL_READY))
		return 0;
	if (!line[0])
		last_words(s, line, sizeof(line));
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, CONTROL_TAKEN))
		return -EAGAIN;
	log_err(0, "the engine did not start: %s", line[0] ? line : "it ended without a word");
	return -ECHILD;
}

static int start(struct starter *s)
{
	_close_ int ready = -1, other = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return log_err(-errno, "a pipe to the engine that is to start");
	ready = ends[0];
	other = ends[1];
	pid = fork();
	if (pid < 0)
		return log_err(-errno, "starting the engine");
	if (!pid)
		engine_process(s, other);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(steal_fd(&other));
	return wait_ready(s, ready);
}

static int lock_run_dir(struct starter *s, int *lock)
{
	int err = dir_make(s->where->run_dir, 0755);

	if (err)
		return log_err(err, "%s", s->where->run_dir);
	s->run_dir = open(s->where->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->run_dir < 0)
		return log_err(-errno, "%s", s->where->run_dir);
	*lock = openat(s->run_dir, "start.lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*lock < 0 || flock(*lock, LOCK_EX))
		return log_err(-errno, "%s/start.lock", s->where->run_dir);
	return 0;
}

/* An engine that is about to leave answers no more, one that loads its programs not yet; meanwhile no other can run: -EAGAIN. */
static int start_or_join(struct starter *s, int *sock)
{
	int err = control_connect(s->where->control, sock);

	if (!err)
		return 0;	/* somebody else was first */
	err = start(s);
	if (err)
		return err;
	err = control_connect(s->where->control, sock);
	return err ? log_err(err, "%s", s->where->control) : 0;
}

static int insist(struct starter *s, int *sock)
{
	unsigned pause_us = 50000;
	int err = cli_find_helper("bailiffd", s->program, sizeof(s->program));

	if (err)
		return log_err(err, "no engine runs, and bailiffd is not beside this program");
	while ((err = start_or_join(s, sock)) == -EAGAIN && patient(s)) {
		usleep(pause_us);
		pause_us = pause_us < 500000 ? 2 * pause_us : pause_us;
	}
	if (err == -EAGAIN)
		log_err(0, "an engine holds %s and does not answer; see %s/" LOG_NAME, s->where->run_dir, s->where->run_dir);
	return err;
}

int starter_run(const struct where *w, int *sock)
{
	struct starter s = { .where = w, .run_dir = -1, .since = now_ms() };
	_close_ int lock = -1;
	int err = lock_run_dir(&s, &lock);

	if (!err)
		err = insist(&s, sock);
	base_close_p(&s.run_dir);
	return err;
}
