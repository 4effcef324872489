/* SPDX-License-Identifier: Apache-2.0 */
/* Terminal modes, sizes and pairs. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "cli/terminal.h"

/*
 * The open file behind fd is shared with the shell: non-blocking there would break it. Through /proc the same terminal opens anew,
 * whatever its name is here; where that fails we use fd itself and write little at a time.
 */
int terminal_open(struct terminal *t, int fd)
{
	char path[40];

	*t = (struct terminal){ .fd = -1 };
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	t->fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (t->fd < 0) {
		t->blocking = true;
		t->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	if (t->fd < 0 || tcgetattr(t->fd, &t->saved)) {
		int err = -errno;

		base_close_p(&t->fd);
		t->fd = -1;
		return err;
	}
	return 0;
}

void terminal_close(struct terminal *t)
{
	terminal_restore(t);
	base_close_p(&t->fd);
	t->fd = -1;
}

bool terminal_foreground(const struct terminal *t)
{
	pid_t group = t->fd >= 0 ? tcgetpgrp(t->fd) : -1;

	return t->fd >= 0 && (group < 0 || group == getpgrp());	/* not our controlling terminal: nobody stops us */
}

void terminal_raw(struct terminal *t, bool keep_output)
{
	struct termios now;

	if (t->fd < 0 || t->raw || !terminal_foreground(t) || tcgetattr(t->fd, &now))
		return;
	t->saved = now;	/* a shell may have changed it while we were stopped */
	cfmakeraw(&now);
	if (keep_output)
		now.c_oflag = t->saved.c_oflag;
	t->raw = !tcsetattr(t->fd, TCSANOW, &now);
}

void terminal_restore(struct terminal *t)
{
	if (t->fd < 0 || !t->raw)
		return;
	if (terminal_foreground(t))
		(void)tcsetattr(t->fd, TCSANOW, &t->saved);	/* else it is another job's by now */
	t->raw = false;
}

void terminal_copy_size(const struct terminal *t, int master)
{
	struct winsize size;

	if (t->fd >= 0 && master >= 0 && !ioctl(t->fd, TIOCGWINSZ, &size))
		(void)ioctl(master, TIOCSWINSZ, &size);
}

static int set_up(const struct terminal *t, bool output_only, uid_t owner, int master, int slave)
{
	struct termios modes = t->saved;

	if (output_only)
		modes.c_oflag &= ~OPOST;
	terminal_copy_size(t, master);
	if (tcsetattr(slave, TCSANOW, &modes) || fchown(slave, owner, -1))
		return -errno;
	return 0;
}

int terminal_pty(const struct terminal *t, bool output_only, uid_t owner, int *master, int *slave)
{
	_close_ int m = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	_close_ int s = -1;
	int err;

	if (m < 0 || unlockpt(m))
		return -errno;
	s = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);	/* without a name: there may be another devpts where we look */
	if (s < 0)
		return -errno;
	err = set_up(t, output_only, owner, m, s);
	if (err)
		return err;
	*master = steal_fd(&m);
	*slave = steal_fd(&s);
	return 0;
}
