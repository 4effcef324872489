/* SPDX-License-Identifier: Apache-2.0 */
/* Every thing that can be lost, retried or degraded in user space, by name: one table makes status, the metrics page and the manual. */
#ifndef BASE_COUNTER_H
#define BASE_COUNTER_H

#include <stdatomic.h>
#include "base/base.h"

/* X(symbol, name, what it counts) */
#define COUNTERS(X) \
	X(EVENTS_DECODED, "events_decoded", "kernel records decoded") \
	X(EVENTS_BAD, "events_bad", "kernel records that did not decode; each is in the record as a gap") \
	X(EVENTS_LOST, "events_lost", "records missing from the per-CPU sequences") \
	X(EVENTS_LATE, "events_late", "records that arrived after their gap was declared") \
	X(JOURNAL_LINES, "journal_lines", "lines written to the journal") \
	X(JOURNAL_BYTES, "journal_bytes", "bytes written to the journal") \
	X(JOURNAL_DROPPED, "journal_dropped", "events the journal had no room for; each drop is itself recorded") \
	X(JOURNAL_ERRORS, "journal_errors", "failed writes or syncs of the journal") \
	X(SINK_DELIVERED, "sink_delivered", "events a sink's receiver took responsibility for") \
	X(SINK_RETRIED, "sink_retried", "batches sent again") \
	X(SINK_REJECTED, "sink_rejected", "events a receiver can never take; each is in the record") \
	X(CONTROL_REFUSED, "control_refused", "control requests refused (no right, malformed)") \
	X(REDACTED, "redacted", "secrets replaced before encoding") \
	X(TRUNCATED, "truncated", "fields cut to their limit before encoding")
enum counter_id {
#define X(symbol, name, text) COUNT_##symbol,
	COUNTERS(X)
#undef X
	COUNTER_COUNT,
};
struct counter_info {
	const char *name, *text;
};
extern const struct counter_info counter_table[COUNTER_COUNT];
extern _Atomic uint64_t counter_values[COUNTER_COUNT];

static inline void count_add(enum counter_id id, uint64_t n)
{
	atomic_fetch_add_explicit(&counter_values[id], n, memory_order_relaxed);
}

#endif
