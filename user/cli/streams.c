/* SPDX-License-Identifier: Apache-2.0 */
/* Planning and keeping the descriptors 0-2 of a command. */
#include <fcntl.h>
#include <sys/stat.h>
#include "cli/streams.h"

#define QUIET_MS 100	/* others still hold the terminal: how long they may be silent before we leave */

static bool is_socket(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISSOCK(st.st_mode);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/*
 * Without a terminal on 0 nothing is typed for the command: what is typed then may be meant for others in our pipeline (a password,
 * say), and taking it would hand it to the sandbox.
 */
static int open_terminal(struct streams *s, const bool tty[3], uid_t owner)
{
	int shown = tty[1] ? 1 : tty[2] ? 2 : 0, err;

	err = terminal_open(&s->terminal, shown);
	if (!err)
		err = terminal_pty(&s->terminal, !tty[0], owner, &s->master, &s->slave);
	if (!err)
		err = relay_add(&s->relay, s->master, s->terminal.fd, RELAY_DISCARD | (s->terminal.blocking ? RELAY_SMALL : 0), NULL);
	if (!err && tty[0])
		err = relay_add(&s->relay, s->terminal.fd, s->master, RELAY_INPUT, &s->keys);
	s->keep_output = !tty[1];
	if (s->keys)
		s->keys->paused = true;
	for (int fd = 0; fd < 3; fd++) {
		if (tty[fd])
			s->give[fd] = s->slave;
	}
	return err;
}

static int open_pipe(struct streams *s, int fd)
{
	int ends[2], ours = fd ? 0 : 1;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	s->give[fd] = ends[!ours];
	if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) < 0) {
		int err = -errno;

		close(ends[ours]);
		return err;
	}
	return fd ? relay_add(&s->relay, ends[0], fd, RELAY_OWN_IN, NULL) : relay_add(&s->relay, fd, ends[1], RELAY_INPUT | RELAY_OWN_OUT, NULL);
}

static int open_pipes(struct streams *s)
{
	for (int fd = 0; fd < 3; fd++) {
		int err;

		if (!is_socket(fd))
			continue;
		if (fd == 2 && same_file(1, 2)) {	/* one pipe keeps the order of what is written */
			s->give[2] = s->give[1];
			continue;
		}
		err = open_pipe(s, fd);
		if (err)
			return err;
	}
	return 0;
}

int streams_open(struct streams *s, uid_t owner)
{
	bool tty[3];
	int err = 0;

	*s = (struct streams)STREAMS_NONE;
	for (int fd = 0; fd < 3; fd++)
		tty[fd] = isatty(fd);
	if (tty[0] || tty[1] || tty[2])
		err = open_terminal(s, tty, owner);
	return err ? err : open_pipes(s);
}

/* The slave stays open: else the master would report an end whenever the command has its terminal closed for a moment. */
static void close_given(struct streams *s)
{
	for (int fd = 0; fd < 3; fd++) {
		bool shared = fd == 2 && s->give[2] == s->give[1];

		if (s->give[fd] >= 0 && s->give[fd] != s->slave && !shared)
			close(s->give[fd]);
	}
	s->give[0] = s->give[1] = s->give[2] = -1;
}

static bool relayed(const struct streams *s, int fd)
{
	for (size_t i = 0; i < s->relay.count; i++) {
		if (s->relay.channels[i]->in == fd || s->relay.channels[i]->out == fd)
			return true;
	}
	return false;
}

int streams_let_go(struct streams *s)
{
	_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	close_given(s);
	if (null < 0)
		return -errno;
	for (int fd = 0; fd < 2; fd++) {	/* 2 we need for our own last line */
		if (!relayed(s, fd) && !isatty(fd) && dup2(null, fd) < 0)
			return -errno;
	}
	return 0;
}

void streams_attend(struct streams *s)
{
	bool front = terminal_foreground(&s->terminal);

	terminal_copy_size(&s->terminal, s->master);
	if (!s->keys)
		return;
	s->keys->paused = !front;
	if (front)
		terminal_raw(&s->terminal, s->keep_output);
}

/* The terminal's line discipline hands bytes on a little after they were written: only its end, or silence, says that this was all. */
void streams_drain(struct streams *s, bool (*interrupted)(void *ctx), void *ctx)
{
	struct pollfd p[RELAY_POLLS];
	int n;

	base_close_p(&s->slave);
	s->slave = -1;
	if (s->keys)
		s->keys->paused = true;
	while (relay_has_output(&s->relay) && !interrupted(ctx)) {
		bool written = true;

		relay_poll(&s->relay, p);
		for (size_t i = 0; i < s->relay.count; i++)
			written &= !s->relay.channels[i]->len;
		n = poll(p, RELAY_POLLS, QUIET_MS);
		if (!n && written)
			return;
		if (n > 0)
			relay_serve(&s->relay, p);
	}
}

void streams_done(struct streams *s)
{
	close_given(s);
	relay_done(&s->relay);
	base_close_p(&s->master);
	base_close_p(&s->slave);
	s->master = s->slave = -1;
	terminal_close(&s->terminal);
}
