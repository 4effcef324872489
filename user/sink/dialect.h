/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of receiver has to know how to do; the thread (sink.c) does everything else. All of it runs on that thread. */
#ifndef SINK_DIALECT_H
#define SINK_DIALECT_H

#include <stdatomic.h>
#include "base/buf.h"
#include "sink/sink.h"

enum sink_verdict {
	SINK_DONE,	/* the receiver has taken responsibility */
	SINK_OPEN,	/* it has taken the batch; its ticket tells when it takes responsibility */
	SINK_AGAIN,
	SINK_SMALLER,	/* not as a whole */
	SINK_TOO_LONG,	/* the same, because of its size in bytes */
	SINK_NEVER,
};

/* By which a batch's confirmation is asked for. Tickets with the same channel live and die together. */
struct sink_ticket {
	char channel[40];
	uint64_t id;
};

struct sink_answer {
	enum sink_verdict verdict;
	long wait_ms;		/* -1: our own back-off; else the receiver's wish, or 0: at once */
	bool forgot;		/* the receiver has begun this ticket's channel anew: older tickets of it mean nothing any more */
	bool weaker;		/* from now on it promises less than was asked for; why says what */
	long status;
	char why[256];
};

struct sink_dialect {
	const char *type;
	int (*open)(const struct sink_options *o, const _Atomic bool *abort, void **out, const char **why);
	void (*close)(void *d);
	int (*encode)(void *d, const struct journal_line *line, size_t limit, struct buf *body);	/* add one event, cut to limit bytes if it is longer */
	int (*seal)(void *d, const char *head, struct buf *body);	/* the last event added ends the batch: let it carry the chain's head */
	/* fresh: this batch was sent before, so nothing said about that may be taken for this. */
	void (*send)(void *d, const struct buf *body, bool fresh, struct sink_ticket *ticket, struct sink_answer *a);
	/* NULL where nothing is ever open. Ask about n tickets of one channel; true where confirmed. The verdict is SINK_DONE or SINK_AGAIN. */
	void (*ask)(void *d, const struct sink_ticket *tickets, size_t n, bool *confirmed, struct sink_answer *a);
};

extern const struct sink_dialect sink_hec, sink_webhook, sink_datadog;

/* cut.c: an event of at most `limit` bytes that says that it was cut and how long it was; the longest texts lose first. */
int event_cut(const char *line, size_t n, size_t limit, struct buf *out);
void event_uid(const char *line, size_t n, char *out, size_t size);	/* its metadata.uid, or "" */

#endif
