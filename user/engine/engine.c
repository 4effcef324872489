/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's life once it is open (open.c): callbacks only. Closing lets go and changes nothing that is in force. */
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

/* ---- callbacks ---- */
static void on_ring(void *ctx, int fd, uint32_t events)
{
	struct engine *e = ctx;

	(void)fd, (void)events;
	(void)account_drain(e);
	/* while lines wait for the disk the rings are left alone, and must not wake us */
	if (spine_blocked(&e->spine))
		(void)loop_change_fd(e->ring, 0);
}

static void on_drain(void *ctx)
{
	struct engine *e = ctx;

	if (!spine_blocked(&e->spine))
		(void)loop_change_fd(e->ring, EPOLLIN);
	(void)account_drain(e);
}

void engine_timers(struct engine *e)
{
	bool wanted = registry_living(e->sessions);

	if (wanted && !e->drain)
		(void)loop_add_timer(e->loop, ENGINE_DRAIN_MS, ENGINE_DRAIN_MS, on_drain, e, &e->drain);	/* without it the tick drains */
	if (wanted || !e->drain)
		return;
	loop_remove(e->drain);
	e->drain = NULL;
}

static void on_durable(void *ctx, int fd, uint32_t events)
{
	struct engine *e = ctx;
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	if (!spine_blocked(&e->spine))
		(void)loop_change_fd(e->ring, EPOLLIN);
}

static void count_all(struct engine *e)
{
	for (struct session *s = registry_first(e->sessions); s; s = s->next) {
		if (s->state == SESSION_ENDED)
			continue;
		account_session(e, s);
		account_notices(e, s);
		account_ends(e, s);
	}
	e->counted_ms = clock_mono_ms();
}

static void detach(struct engine *e)
{
	int err;

	if (!e->attached || registry_living(e->sessions))
		return;
	account_drain_all(e);
	end_settle(e);
	err = kernel_detach(e->kernel);
	e->attached = err != 0;
	if (err)
		log_warn(err, "the kernel's programs cannot be detached; they stay and cost other processes little");
}

/* Nothing to govern for long enough: take the programs off the host, and go if nobody wants an engine that waits and the record is delivered. */
static void rest(struct engine *e, uint64_t now)
{
	if (registry_living(e->sessions) || now - e->busy_ms < e->settings->linger_seconds * 1000)
		return;
	detach(e);
	if (e->on_demand && !sinks_busy(e))
		engine_stop(e);
}

static void on_tick(void *ctx)
{
	struct engine *e = ctx;
	uint64_t now = clock_mono_ms();
	size_t living;

	kernel_beat(e->kernel);
	flow_tick(e);
	registry_trim(e->sessions);
	engine_timers(e);
	living = registry_living(e->sessions);
	if (living) {
		e->busy_ms = now;
		account_drain_all(e);
	}
	if (living && now - e->counted_ms >= ENGINE_COUNT_MS)
		count_all(e);
	if (now - e->beat_ms >= (living ? ENGINE_HEARTBEAT_MS : ENGINE_IDLE_BEAT_MS))
		account_heartbeat(e);
	trouble_tick(e);
	spine_tick(&e->spine);
	server_tick(e->server, now);
	account_ends_keep(e);
	end_release(e);
	kernel_tidy(e->kernel);
	rest(e, now);
}

int engine_attach(struct engine *e, char why[256])
{
	int err;

	if (e->attached)
		return 0;
	err = kernel_attach(e->kernel, why);
	e->attached = !err;
	malloc_trim(0);		/* loading takes more memory than all that comes after it */
	return err;
}

int engine_sources(struct engine *e)
{
	int err = loop_add_fd(e->loop, kernel_ring_fd(e->kernel), EPOLLIN, on_ring, e, &e->ring);

	if (!err)
		err = loop_add_fd(e->loop, journal_durable_fd(e->spine.journal), EPOLLIN, on_durable, e, NULL);
	engine_timers(e);
	if (!err)
		err = loop_add_timer(e->loop, ENGINE_TICK_MS, ENGINE_TICK_MS, on_tick, e, NULL);
	return err;
}

int engine_run(struct engine *e)
{
	return loop_run(e->loop);
}

void engine_stop(struct engine *e)
{
	e->leave = true;
	loop_stop(e->loop);
}

/* ---- closing ---- */
static void tell_stop(struct engine *e)
{
	struct event_notice n = { .kind = NOTICE_ENGINE_STOP, .time_ns = clock_boot_ns(), .count = registry_living(e->sessions) };

	account_drain_all(e);
	count_all(e);
	detach(e);
	/* the rings end with the last sandbox: what is missing now never comes. Else a successor finds the holes in the heartbeat */
	seqtrack_expire(e->spine.seq, clock_mono_ms(), !e->attached);
	(void)spine_notice(&e->spine, &n);
	account_heartbeat(e);
	account_ends_keep(e);		/* two looks, for the lines are to be on the disk in between */
	if (!journal_flush(e->spine.journal))
		account_ends_keep(e);
}

void engine_close(struct engine *e)
{
	if (!e)
		return;
	server_close(e->server);
	e->server = NULL;
	if (e->leave && e->kernel && e->spine.journal)
		tell_stop(e);
	if (e->kernel && e->spine.journal)
		end_settle(e);
	end_forget(e);		/* what is not on the disk now, a successor tells */
	sinks_close(e);		/* behind the last notice, which they are to deliver */
	spine_close(&e->spine);
	trouble_free(e->trouble);	/* behind the journal's thread */
	kernel_close(e->kernel);
	while (e->waiters) {
		struct engine_waiter *w = e->waiters;

		e->waiters = w->next;
		free(w);
	}
	if (e->sessions)
		registry_free(e->sessions);
	loop_free(e->loop);
	cgroups_close(e->cgroups);
	if (e->state_dir >= 0)
		close(e->state_dir);
	own_free(e);
	compiled_done(&e->compiled);
	buf_done(&e->floor);
	free(e);
}
