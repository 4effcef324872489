/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop. A removed source leaves epoll at once, but its memory stays until the batch of events that
 * may still name it is done: that is what makes removal safe from any callback.
 */
#include "base/loop.h"
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_SIGNAL };

struct loop_source {
	struct loop *loop;
	struct loop_source *next, *prev;	/* on loop->sources, or loop->removed by next alone */
	enum source_kind kind;
	bool removed;
	int fd;			/* ours for timers and signals */
	void *ctx;
	union {
		loop_fd_fn on_fd;
		loop_timer_fn on_timer;
		loop_signal_fn on_signal;
	};
};

struct loop {
	int epoll;
	bool stop;
	struct loop_source *sources, *removed;
};

int loop_new(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0) {
		int err = -errno;

		free(l);
		return err;
	}
	*out = l;
	return 0;
}

static void free_removed(struct loop *l)
{
	while (l->removed) {
		struct loop_source *s = l->removed;

		l->removed = s->next;
		free(s);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->sources)
		loop_remove(l->sources);
	free_removed(l);
	close(l->epoll);
	free(l);
}

static int source_add(struct loop *l, const struct loop_source *proto, uint32_t events, struct loop_source **out)
{
	struct loop_source *s = malloc(sizeof(*s));
	struct epoll_event ev = { .events = events, .data.ptr = s };

	if (!s)
		return -ENOMEM;
	*s = *proto;
	s->loop = l;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &ev)) {
		int err = -errno;

		free(s);
		return err;
	}
	s->next = l->sources;
	if (s->next)
		s->next->prev = s;
	l->sources = s;
	if (out)
		*out = s;
	return 0;
}

int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fd_fn fn, void *ctx, struct loop_source **out)
{
	struct loop_source s = { .kind = SOURCE_FD, .fd = fd, .ctx = ctx, .on_fd = fn };

	return source_add(l, &s, epoll_events, out);
}

int loop_change_fd(struct loop_source *s, uint32_t epoll_events)
{
	struct epoll_event ev = { .events = epoll_events, .data.ptr = s };

	return epoll_ctl(s->loop->epoll, EPOLL_CTL_MOD, s->fd, &ev) ? -errno : 0;
}

static struct timespec timespec_ms(uint64_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

int loop_add_timer(struct loop *l, uint64_t first_ms, uint64_t every_ms, loop_timer_fn fn, void *ctx, struct loop_source **out)
{
	_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	struct itimerspec when = { .it_value = timespec_ms(first_ms), .it_interval = timespec_ms(every_ms) };
	struct loop_source s = { .kind = SOURCE_TIMER, .fd = fd, .ctx = ctx, .on_timer = fn };
	int err;

	if (!first_ms)
		when.it_value.tv_nsec = 1;	/* zero would mean never */
	if (fd < 0 || timerfd_settime(fd, 0, &when, NULL))
		return -errno;
	err = source_add(l, &s, EPOLLIN, out);
	if (!err)
		fd = -1;	/* the source's now */
	return err;
}

int loop_add_signal(struct loop *l, int signo, loop_signal_fn fn, void *ctx, struct loop_source **out)
{
	struct loop_source s = { .kind = SOURCE_SIGNAL, .ctx = ctx, .on_signal = fn };
	_close_ int fd = -1;
	sigset_t set;
	int err;

	sigemptyset(&set);
	if (sigaddset(&set, signo))
		return -errno;
	err = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (err)
		return -err;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	s.fd = fd;
	err = source_add(l, &s, EPOLLIN, out);
	if (!err)
		fd = -1;
	return err;
}

void loop_remove(struct loop_source *s)
{
	struct loop *l;

	if (!s || s->removed)
		return;
	l = s->loop;
	s->removed = true;
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL);	/* the caller may have closed its own fd already */
	if (s->kind != SOURCE_FD)
		close(s->fd);
	if (s->prev)
		s->prev->next = s->next;
	else
		l->sources = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->next = l->removed;
	l->removed = s;
}

static void source_fire(struct loop_source *s, uint32_t events)
{
	struct signalfd_siginfo info;
	uint64_t expirations;

	switch (s->kind) {
	case SOURCE_FD:
		s->on_fd(s->ctx, s->fd, events);
		return;
	case SOURCE_TIMER:
		if (read(s->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
			s->on_timer(s->ctx);
		return;
	case SOURCE_SIGNAL:
		while (!s->removed && read(s->fd, &info, sizeof(info)) == sizeof(info))
			s->on_signal(s->ctx, &info);
		return;
	}
}

int loop_run(struct loop *l)
{
	struct epoll_event events[64];

	while (!l->stop) {
		int n = epoll_wait(l->epoll, events, ARRAY_SIZE(events), -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n && !l->stop; i++) {
			struct loop_source *s = events[i].data.ptr;

			if (!s->removed)
				source_fire(s, events[i].events);
		}
		free_removed(l);
	}
	l->stop = false;	/* may run again; a stop before the run counts */
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}
