/* SPDX-License-Identifier: Apache-2.0 */
/* From lines of the journal to the body of a request: the next lines as a batch, or the same lines again. Holds one batch at a time. */
#ifndef SINK_FEED_H
#define SINK_FEED_H

#include "sink/dialect.h"

struct feed {
	struct journal *journal;	/* NULL: only its files */
	struct journal_cursor *cursor;
	const struct sink_dialect *dialect;
	void *d;

	struct sink_filter filter;

	struct buf body;
	uint64_t events;		/* in the body */
	uint64_t first, end;		/* the lines that it was made of; 0, 0: none */
	size_t limit;
	char head[160];			/* of the journal, in the body; empty: none */

	struct journal_line held;	/* read, and part of no batch yet */
	bool has_held;
	uint64_t at;			/* the line that is read next (that of held, if any) */
};

int feed_next(struct feed *f, uint64_t from, uint64_t *first, uint64_t *end);	/* 1: lines [*first, *end); 0: none now; -errno */
int feed_load(struct feed *f, uint64_t first, uint64_t end, size_t limit);
int feed_line(struct feed *f, uint64_t seq, struct journal_line *out);		/* 1, 0, -errno */
bool feed_waiting(struct feed *f);	/* is there a line that no batch has yet? */
void feed_drop(struct feed *f);

#endif
