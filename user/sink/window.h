/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the journal a sink has in hand: ranges of lines in order, each to be sent, sent and open, or done. No bytes of events are kept; a range
 * is read again when it has to be sent again. Pure.
 */
#ifndef SINK_WINDOW_H
#define SINK_WINDOW_H

#include "sink/dialect.h"

#define WINDOW_RANGES	64	/* open ones, and the halves of one that is being divided */

enum range_state { RANGE_READY, RANGE_OPEN, RANGE_DONE };

struct range {
	uint64_t first, end;		/* lines [first, end) */
	enum range_state state;
	bool sent_before;
	struct sink_ticket ticket;
	uint64_t sent_ms, events;	/* of an open one; events: what of the lines went */
	size_t limit;			/* an event may be so long */
	char head[160];			/* signed state of the journal that went along; empty: none, or not taken */
};
struct window {
	struct range r[WINDOW_RANGES];
	size_t n;
	char told[160];			/* the newest state in what was settled: the receiver has it */
};

struct range *window_push(struct window *w, uint64_t first, uint64_t end);	/* NULL: full */
struct range *window_ready(struct window *w);				/* the first one to send, or NULL */
bool window_halve(struct window *w, struct range *r);			/* false: it is one line, or there is no room */
size_t window_open(const struct window *w);
uint64_t window_oldest_ms(const struct window *w);			/* when the oldest open one was sent; UINT64_MAX */
/* Open ones that were sent up to then, or on this channel (but for `but`): to be sent again. Returns how many. */
size_t window_expire(struct window *w, uint64_t sent_until_ms);
size_t window_forget(struct window *w, const char *channel, const struct range *but);
uint64_t window_settle(struct window *w);	/* drop the done ones at the front: the end of the last one dropped, 0 for none */
/* Tickets of the first open range's channel; index[i] is the range of out[i]. */
size_t window_tickets(struct window *w, struct sink_ticket *out, size_t *index, size_t from);

#endif
