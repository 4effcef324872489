/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a sink: sink.c owns its life and its thread, turn.c is what the thread does, mood.c what it tells about itself. */
#ifndef SINK_THREAD_H
#define SINK_THREAD_H

#include <pthread.h>
#include "sink/feed.h"
#include "sink/window.h"

enum trouble { TROUBLE_NONE, TROUBLE_SEND, TROUBLE_ACK };

struct sink {
	char name[65];
	struct sink_callbacks cb;
	unsigned ack_timeout_ms, ask_max_ms, backoff_max_ms;
	pthread_t thread;
	_Atomic bool stop;

	/* the thread's own */
	struct feed feed;
	struct window window;
	uint64_t not_before, ask_at, take_at;	/* on sink_clock_ms() */
	unsigned backoff_ms, ask_ms;
	enum trouble trouble;
	bool weaker, unstored, restarted, skipped;	/* told once each */
	unsigned random;

	pthread_mutex_t lock;		/* for what follows */
	pthread_cond_t wake;
	struct sink_status status;
};

uint64_t sink_clock_ms(void);
static inline bool sink_stopping(const struct sink *s)
{
	return atomic_load_explicit(&s->stop, memory_order_relaxed);
}

/* turn.c: one step; returns soon after sink_stop(). */
void sink_turn(struct sink *s);
void sink_settle(struct sink *s);	/* move the cursor over what is done */

/* mood.c */
void sink_trouble(struct sink *s, enum trouble kind, const char *why);	/* the health callback once, until healed */
void sink_healed(struct sink *s, enum trouble kind);
void sink_note(struct sink *s, bool *told, const char *why);		/* it goes on, but something is to be known: once */
void sink_count(struct sink *s, uint64_t delivered, uint64_t retried, uint64_t rejected);

#endif
