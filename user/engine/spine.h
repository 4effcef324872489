/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a ring record or a notice to a queued line of the journal, with an exact account of what did not get there. What the journal has
 * no room for waits here, in order, and while anything waits the rings are left alone (spine_blocked): they have room of their
 * own, and what does not fit there is counted by the kernel.
 */
#ifndef ENGINE_SPINE_H
#define ENGINE_SPINE_H

#include "engine/seqtrack.h"
#include "event/event.h"
#include "journal/journal.h"

#define SPINE_BACKLOG_BYTES (40u << 20)	/* of lines that wait for room in the journal */

struct spine {
	struct events *events;
	struct journal *journal;
	struct seqtrack *seq;
	struct buf line;
	uint64_t next_line;		/* behind the last line that the journal took from us; 0: none yet */
	struct buf backlog;		/* u32 length and line, in order */
	size_t backlog_at;		/* what lies before is in the journal */
	uint64_t dropped, bad;		/* records since the last notice about them */
	int64_t wall_offset_ns;
	char boot_id[40];
};

struct spine_options {
	const char *host, *boot_id;
	const char *key_dir;		/* holds the key of the redacting hash beside the journal's */
	struct event_source source;
	struct journal_options journal;
};

int spine_open(struct spine *s, const struct spine_options *o, struct journal_recovery *found);
/*
 * Sequence numbers go on where the journal says that an earlier engine of this boot stopped; -ENODATA when it does not say (then streams
 * begin blind, and the caller writes so).
 */
int spine_resume(struct spine *s, const char *journal_dir, uint64_t next_seq);
void spine_close(struct spine *s);

bool spine_blocked(struct spine *s);	/* lines wait for room: do not drain now */
/* 0: the record is queued and *head filled. -EBADMSG, -ENOBUFS: counted; its number stays a hole and becomes a gap. */
int spine_record(struct spine *s, const void *record, size_t size, struct rec_head *head);
/* The kernel gave this number: if its record does not come, it is lost. Call for numbers read before a complete drain. */
void spine_reached(struct spine *s, uint32_t ring, uint32_t cpu, uint64_t seq);
int spine_notice(struct spine *s, const struct event_notice *n);	/* -EOVERFLOW when even the backlog is full */
int spine_heartbeat(struct spine *s, const char *text);
void spine_tick(struct spine *s);		/* declares gaps, tells drops, empties the backlog, follows the wall clock */

#endif
