/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records of the kernel's per-CPU sequences are in the record, and which never came. Pure: no clock, no I/O.
 *
 * A stream is one ring on one CPU, numbered from 1. What arrives out of order leaves a hole; a hole that is still open after the
 * grace period is declared: exactly so many records are missing. A record that comes after that is late, and said to be.
 * The state (seqtrack_streams) goes into heartbeats; a successor resumes from it, so that a gap across a crash has its exact count.
 */
#ifndef ENGINE_SEQTRACK_H
#define ENGINE_SEQTRACK_H

#include "base/base.h"

#define SEQ_GRACE_MS	1000
#define SEQ_HOLES_MAX	64	/* open holes of one stream; the oldest is declared when another one comes */
#define SEQ_CPUS_MAX	8192	/* a stream beyond it is not believed: -EINVAL */

struct seq_hole {
	uint64_t first, last;
	uint64_t since_ms;
};

struct seq_stream {
	uint32_t ring, cpu;
	uint64_t high;			/* the highest number seen */
	bool blind;			/* what came before cannot be told: the first number seen starts the stream */
	size_t hole_count;
	struct seq_hole holes[SEQ_HOLES_MAX];	/* in order, apart from each other, all below high */
};

/* first..first + count - 1 of this stream are lost. */
struct seq_gap {
	uint32_t ring, cpu;
	uint64_t first, count;
};
typedef void (*seq_gap_fn)(void *ctx, const struct seq_gap *gap);

enum seq_fate { SEQ_NEW, SEQ_LATE };

struct seqtrack;
int seqtrack_new(seq_gap_fn fn, void *ctx, struct seqtrack **out);
void seqtrack_free(struct seqtrack *t);
/* Streams met from now on begin blind: an earlier engine drained them, and nothing says how far. */
void seqtrack_begin_blind(struct seqtrack *t);
/* A record is safe. *fate is SEQ_LATE when its gap had been declared (or it came twice). */
int seqtrack_see(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t seq, uint64_t now_ms, enum seq_fate *fate);
/* The kernel says that this stream got as far as seq: what lies between is a hole too. */
int seqtrack_reached(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t seq, uint64_t now_ms);
/* Declare the holes that are older than the grace period; with all, each one. */
void seqtrack_expire(struct seqtrack *t, uint64_t now_ms, bool all);
/* Next number that has not been seen: everything below is safe, declared or an open hole. */
const struct seq_stream *seqtrack_stream(const struct seqtrack *t, size_t i);	/* NULL behind the last */

/* Resuming: set a stream as a heartbeat tells it, take away what a gap notice after that heartbeat declared. */
int seqtrack_restore(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t high);
int seqtrack_restore_hole(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last, uint64_t now_ms);
int seqtrack_declared(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t count, uint64_t now_ms);

#endif
