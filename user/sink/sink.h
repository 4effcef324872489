/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sink carries the journal to one receiver: a durable cursor, a plain blocking thread, a dialect. A dead or slow receiver costs disk and nothing
 * else. At least once, in journal order; the cursor moves when the receiver has taken responsibility and not before.
 *
 * Every answer of a receiver is one of four:
 *	done	it has taken responsibility: the cursor moves (with acknowledgement only once that says so)
 *	again	it heals by waiting or by an operator: back off, honour Retry-After, say so once
 *	smaller	the batch is halved; an event by itself that gets this answer becomes `never`
 *	never	this one event can never be taken: it is reported (rejected) and passed over
 */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "base/base.h"
#include "journal/journal.h"

#define SINK_BATCH_BYTES	(512u << 10)	/* of encoded events, uncompressed */
#define SINK_BATCH_EVENTS	1000u
#define SINK_EVENT_BYTES	(900u << 10)	/* longer events are shortened field by field */
#define SINK_OPEN_BATCHES	32u		/* sent and not confirmed yet */

/* Which lines go to a receiver; zeros: all. What is left out is passed over, and the head of the chain goes along all the same. */
struct sink_filter {
	unsigned min_severity;		/* OCSF severity_id, 1 to 6; the journal's own lines have none and go only where all goes */
	bool security;			/* no telemetry: what was allowed and is on the record because `record:` asks for it */
};

/* Copied. NULL and "" mean the same. */
struct sink_options {
	const char *name;		/* names the cursor too: letters, digits, - and _ */
	const char *type;		/* "splunk-hec", "webhook", "datadog" */
	const char *url;		/* where it listens, https:// (http:// only to a loopback address); what may follow is the type's */
	const char *token_file;		/* token, API key or signing secret; read again whenever the receiver refuses it */
	const char *ca_file;		/* NULL: the system's authorities */
	const char *host;		/* NULL: left out, the receiver decides */
	const char *index, *sourcetype;	/* Splunk's; sourcetype NULL: bailiff:event; index NULL: left out, the token decides */
	const char *source;		/* Splunk's source, Datadog's service (NULL: bailiff) */
	bool ack;			/* Splunk's: wait for indexer acknowledgement */
	bool plain;			/* do not compress */
	struct sink_filter filter;
	unsigned ack_timeout_ms;	/* 0: 300,000; then the batch is sent again */
	unsigned ack_poll_ms;		/* 0: 10,000 at most between two questions */
	unsigned backoff_max_ms;	/* 0: 60,000 */
};

/* An event that the receiver can never take. */
struct sink_rejection {
	const char *sink;
	uint64_t seq;			/* its line in the journal */
	const char *uid;		/* its metadata.uid; "" if it has none */
	long status;			/* of HTTP */
	const char *body;		/* what the receiver said, at most 1,000 bytes, from outside: escape it */
};

/* Called on the sink's thread; must not block for long and must not call the sink. */
struct sink_callbacks {
	void *ctx;
	void (*health)(void *ctx, const char *sink, bool good, const char *why);	/* once per change, not per attempt */
	int (*rejected)(void *ctx, const struct sink_rejection *r);	/* 0: will be recorded; otherwise it is told again later and the sink waits */
};

enum sink_state { SINK_STARTING, SINK_GOOD, SINK_TROUBLED };
struct sink_status {
	enum sink_state state;
	uint64_t delivered, retried, rejected;	/* events taken; batches sent again; events passed over */
	uint64_t committed_seq;			/* everything before it is done */
	uint64_t lag;				/* lines of the journal behind it */
	uint64_t last_success_ms;		/* wall clock; 0: never since start */
	char error[256];			/* of the trouble that lasts; empty when good */
};

struct sink;
/*
 * journal: the open journal (only durable lines are sent, and its head goes along), or NULL to send what journal_dir holds. 0, -EINVAL (the options;
 * why, if not NULL, gets the reason or NULL), -errno. Trouble with the receiver, the token or the CA file is no failure to start: it may heal.
 */
int sink_start(const struct sink_options *o, struct journal *journal, const char *journal_dir, const struct sink_callbacks *cb, struct sink **out,
	       const char **why);
void sink_status(struct sink *s, struct sink_status *out);
/* Until all that is durable now is done: 0; -ETIMEDOUT. For an orderly end: journal_flush(), this, sink_stop(). */
int sink_drain(struct sink *s, unsigned timeout_ms);
void sink_stop(struct sink *s);		/* within about a second; what is not confirmed is sent again next time. Before journal_close(). */

#endif
