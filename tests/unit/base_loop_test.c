/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: descriptors, timers and signals arrive; sources go away from inside any callback. And the log's one line. */
#include "base/base.h"
#include "base/counter.h"
#include "base/log.h"
#include "base/loop.h"
#include "test.h"
#include <fcntl.h>
#include <sys/epoll.h>

struct scene {
	struct loop *loop;
	struct loop_source *a, *b;
	int fired_a, fired_b, ticks, signals;
};

static void stop_after_ticks(void *ctx)
{
	struct scene *s = ctx;

	if (++s->ticks == 3)
		loop_stop(s->loop);
}

TEST(loop_timer_repeats_and_stops)
{
	struct scene s = {};

	CHECK_OK(loop_new(&s.loop));
	CHECK_OK(loop_add_timer(s.loop, 0, 1, stop_after_ticks, &s, &s.a));
	CHECK_OK(loop_run(s.loop));
	CHECK_EQ(s.ticks, 3);
	loop_free(s.loop);
}

static void remove_both(struct scene *s)
{
	loop_remove(s->a);
	loop_remove(s->b);
	loop_remove(s->b);	/* twice is fine until the batch is over */
	loop_stop(s->loop);
}

static void on_a(void *ctx, int fd, uint32_t events)
{
	struct scene *s = ctx;

	CHECK(fd >= 0 && events & EPOLLIN);
	s->fired_a++;
	remove_both(s);
}

static void on_b(void *ctx, int fd, uint32_t events)
{
	struct scene *s = ctx;

	CHECK(fd >= 0 && events & EPOLLIN);
	s->fired_b++;
	remove_both(s);
}

TEST(loop_source_removed_by_another_does_not_fire)
{
	struct scene s = {};
	int p[2], q[2];

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	CHECK_OK(loop_new(&s.loop));
	CHECK_OK(loop_add_fd(s.loop, p[0], EPOLLIN, on_a, &s, &s.a));
	CHECK_OK(loop_add_fd(s.loop, q[0], EPOLLIN, on_b, &s, &s.b));
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(write(q[1], "x", 1), 1);	/* both ready in one batch */
	CHECK_OK(loop_run(s.loop));
	CHECK_EQ(s.fired_a + s.fired_b, 1);
	loop_free(s.loop);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void on_signal(void *ctx, const struct signalfd_siginfo *info)
{
	struct scene *s = ctx;

	CHECK_EQ(info->ssi_signo, SIGUSR1);
	s->signals++;
	loop_remove(s->a);
	loop_stop(s->loop);
}

TEST(loop_signal_arrives_as_an_event)
{
	struct scene s = {};

	CHECK_OK(loop_new(&s.loop));
	CHECK_OK(loop_add_signal(s.loop, SIGUSR1, on_signal, &s, &s.a));
	CHECK_OK(raise(SIGUSR1));
	CHECK_OK(loop_run(s.loop));
	CHECK_EQ(s.signals, 1);
	loop_free(s.loop);
}

TEST(loop_says_what_it_cannot_watch)
{
	struct scene s = {};

	CHECK_OK(loop_new(&s.loop));
	CHECK_EQ(loop_add_fd(s.loop, -1, EPOLLIN, on_a, &s, NULL), -EBADF);
	CHECK_EQ(loop_add_signal(s.loop, 9999, on_signal, &s, NULL), -EINVAL);
	loop_remove(NULL);
	loop_free(s.loop);
	loop_free(NULL);
}

TEST(log_is_one_escaped_line_and_hands_the_error_back)
{
	int saved = dup(STDERR_FILENO), p[2];
	char line[4096] = "";

	CHECK_OK(pipe(p));
	dup2(p[1], STDERR_FILENO);
	log_open("/usr/bin/bailiffd");
	CHECK_EQ(log_err(-ENOENT, "cannot open %s", "/a\nb\x1b[31m"), -ENOENT);
	log_warn(0, "low");
	log_debug("not shown");
	dup2(saved, STDERR_FILENO);
	CHECK(read(p[0], line, sizeof(line) - 1) > 0);
	CHECK_STR(line, "bailiffd: cannot open /a\\x0ab\\x1b[31m: No such file or directory\nbailiffd: warning: low\n");
	close(saved);
	close(p[0]);
	close(p[1]);
}

TEST(counters_have_names_and_add_up)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		CHECK(counter_table[i].name[0] && counter_table[i].text[0]);
	count_add(COUNT_REDACTED, 2);
	count_add(COUNT_REDACTED, 3);
	CHECK_EQ(counter_values[COUNT_REDACTED], 5);
}

TEST_MAIN()
