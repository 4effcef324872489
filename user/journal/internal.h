/* SPDX-License-Identifier: Apache-2.0 */
/* The open journal, for the files that make it: the queue and its thread (journal.c), beginning and end (open.c), a batch's memory (batch.c). */
#ifndef JOURNAL_INTERNAL_H
#define JOURNAL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include "journal/writer.h"

struct journal {
	int lock_fd, event_fd;
	size_t queue_bytes;
	uint64_t segment_bytes, checkpoint_ms;
	void (*error)(void *ctx, int err, const char *what);
	void (*retired)(void *ctx, const struct journal_retired *r);
	void *ctx;
	_Atomic uint64_t released;
	pthread_t thread;
	_Atomic uint64_t durable;
	struct writer w;		/* the thread's */

	pthread_mutex_t lock;		/* all below */
	pthread_cond_t wake, done;	/* for the thread; for those who flush */
	struct batch in;
	size_t in_flight;		/* bytes that the thread has taken and not made durable yet */
	uint64_t next_seq, segment_queued;	/* bytes of the present segment, written or queued */
	uint64_t first_ms;		/* when the oldest line in the queue came */
	uint64_t checkpoint_due;	/* 0: nothing new to sign */
	bool urgent, stop, dead;	/* dead: the thread gave up */
	uint64_t stop_ms, retry_ms;
	uint64_t errors;		/* failed attempts */
	int first_error;		/* since the last flush */
	int last_error;			/* of the trouble that lasts */
	char head[STATE_TEXT_MAX];
};

uint64_t journal_clock_ms(void);	/* CLOCK_MONOTONIC */

/* ---- batch.c ---- */
int batch_room(struct batch *b, size_t bytes);	/* for so many bytes more and two items */
void batch_trim(struct batch *b);		/* empty it for the next use */

/* ---- journal.c: what the thread runs, and what its writer calls ---- */
void *journal_run(void *journal);
int journal_on_trouble(void *journal, int err, const char *what);
void journal_on_durable(void *journal, uint64_t seq);
void journal_on_retired(void *journal, const struct journal_retired *r);

#endif
