/* SPDX-License-Identifier: Apache-2.0 */
/* One segment read from end to end and checked against its leaf hashes and its own checkpoints: what recovery and verify both rely on. */
#ifndef JOURNAL_SCAN_H
#define JOURNAL_SCAN_H

#include "base/buf.h"
#include "journal/segment.h"
#include "journal/tree.h"

#define DAMAGE_MAX 400

struct segment_scan {
	uint64_t first;
	struct journal_header header;
	bool has_header;
	uint64_t lines, leaves;		/* whole lines; whole stored hashes */
	uint64_t good_leaves;		/* of them in front of the first that is missing (never written: zeros) */
	uint64_t size, torn_bytes;	/* bytes of those lines; bytes behind them that are no line */
	struct tree tree;		/* of the lines */
	struct buf missing;		/* hashes of the lines from good_leaves on */
	uint64_t checkpoints;		/* valid ones, in front of any damage */
	struct journal_checkpoint last;	/* the last valid one, if any */
	bool ends_signed;		/* it is the last line */
	char damage[DAMAGE_MAX];	/* the first thing that is wrong; empty: nothing is */
};

/* 0 also for a damaged segment; -errno when it cannot be read. Of the states, those of this segment are looked for. */
int segment_scan(int dirfd, uint64_t first, struct segment_state *states, size_t count, struct segment_scan *out);
void segment_scan_done(struct segment_scan *s);

#endif
