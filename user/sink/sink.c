/* SPDX-License-Identifier: Apache-2.0 */
/* A sink's life: its options checked, its thread started and ended, its status given out. What the thread does is turn.c. */
#include <stdio.h>
#include <time.h>
#include "base/hash.h"
#include "sink/thread.h"

#define BACKOFF_MAX_MS	60000u
#define ASK_MAX_MS	10000u
#define ACK_TIMEOUT_MS	300000u

static const struct sink_dialect *const dialects[] = { &sink_hec, &sink_webhook, &sink_datadog };

static const struct sink_dialect *dialect_find(const char *type)
{
	for (size_t i = 0; type && i < ARRAY_SIZE(dialects); i++) {
		if (!strcmp(dialects[i]->type, type))
			return dialects[i];
	}
	return NULL;
}

static void *run(void *arg)
{
	struct sink *s = arg;

	while (!sink_stopping(s))
		sink_turn(s);
	sink_settle(s);
	return NULL;
}

static void sink_free(struct sink *s)
{
	if (s->feed.d)
		s->feed.dialect->close(s->feed.d);
	journal_cursor_close(s->feed.cursor);
	buf_done(&s->feed.body);
	free(s);
}

static int setup(struct sink *s, const struct sink_options *o, const char *journal_dir, const char **why)
{
	struct feed *f = &s->feed;
	int err;

	f->dialect = dialect_find(o->type);
	if (!f->dialect)
		return *why = "there is no sink of this type; there are: splunk-hec, webhook, datadog", -EINVAL;
	if (!o->name || snprintf(s->name, sizeof(s->name), "%s", o->name) >= (int)sizeof(s->name))
		return *why = "a sink needs a name of at most 64 bytes", -EINVAL;
	f->filter = o->filter;
	s->ack_timeout_ms = o->ack_timeout_ms ? o->ack_timeout_ms : ACK_TIMEOUT_MS;
	s->ask_max_ms = o->ack_poll_ms ? o->ack_poll_ms : ASK_MAX_MS;
	s->backoff_max_ms = o->backoff_max_ms ? o->backoff_max_ms : BACKOFF_MAX_MS;
	err = journal_cursor_open(journal_dir, s->name, &f->cursor);
	if (err == -EINVAL)
		*why = "a sink's name has letters, digits, - _ and . only: it names a file";
	if (err)
		return err;
	f->at = s->status.committed_seq = journal_cursor_committed(f->cursor);
	(void)hash_random(&s->random, sizeof(s->random));	/* only for jitter */
	return f->dialect->open(o, &s->stop, &f->d, why);
}

static int start_thread(struct sink *s)
{
	pthread_condattr_t attr;
	int err = pthread_condattr_init(&attr);

	if (err)
		return -err;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&s->thread, NULL, run, s);
}

int sink_start(const struct sink_options *o, struct journal *journal, const char *journal_dir, const struct sink_callbacks *cb, struct sink **out,
	       const char **why)
{
	struct sink *s = calloc(1, sizeof(*s));
	const char *reason = NULL;
	int err;

	if (!s)
		return -ENOMEM;
	s->feed.journal = journal;
	s->cb = *cb;
	err = setup(s, o, journal_dir, &reason);
	if (!err)
		err = start_thread(s);
	if (why)
		*why = reason;
	if (err)
		sink_free(s);
	else
		*out = s;
	return err;
}

static uint64_t lag(const struct sink *s)
{
	uint64_t durable = s->feed.journal ? journal_durable_seq(s->feed.journal) : 0;
	uint64_t done = s->status.committed_seq ? s->status.committed_seq : 1;

	return durable > done ? durable - done : 0;
}

void sink_status(struct sink *s, struct sink_status *out)
{
	pthread_mutex_lock(&s->lock);
	*out = s->status;
	out->lag = lag(s);
	pthread_mutex_unlock(&s->lock);
}

int sink_drain(struct sink *s, unsigned timeout_ms)
{
	uint64_t until = sink_clock_ms() + timeout_ms, target = s->feed.journal ? journal_durable_seq(s->feed.journal) : 0;
	struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
	int err = 0;

	pthread_mutex_lock(&s->lock);
	while (!err && s->status.committed_seq < target)
		err = pthread_cond_timedwait(&s->wake, &s->lock, &t);
	pthread_mutex_unlock(&s->lock);
	return -err;
}

void sink_stop(struct sink *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->stop, true);
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	sink_free(s);
}
