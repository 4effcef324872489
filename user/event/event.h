/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event room: a ring record or a notice of the engine in, one line of OCSF 1.8 JSON out:
 *
 *	record -> decode -> process tree -> enrich -> redact -> encode
 *
 * A record is hostile bytes. What the engine knows and a record does not (who a sandbox is, what a rule number means) comes through
 * callbacks; identity that was bound from outside and what a process merely claims never mix. fields.h is the schema.
 * Pure but for memory: no clock, file, descriptor or global. Single-threaded; the engine's main thread owns it.
 */
#ifndef EVENT_EVENT_H
#define EVENT_EVENT_H

#include "base/buf.h"
#include "bpf/abi.h"

/* ---- what the engine knows ---- */
struct event_label {
	const char *key, *value;
};

/* Who a sandbox is. Strings may be NULL (left out) but uid; they must live until the event is made. */
struct event_sandbox {
	const char *uid, *name;			/* ours: sortable, unique across hosts; what people call it */
	const char *policy, *digest;		/* of the generation asked for */
	const char *stage;			/* "observe", "enforce" */
	const char *agent, *session;
	const struct event_label *labels;	/* bound from outside: trusted */
	size_t label_count;
	const struct event_label *claimed;	/* found inside: a claim, kept apart under unmapped.claimed */
	size_t claimed_count;
};

/* What the starter of a command said about it. All may be NULL. */
struct event_command {
	const char *call, *trace, *span;
};

/* What a rule number means: struct policy_rule_info, as far as an event shows it. Builtin rules are known here. */
struct event_rule {
	const char *id, *file, *why, *owner, *ticket, *preset;
	unsigned line, column;
};

/* 0 and *out filled, or -ENOENT: the event then says the bare numbers. */
struct event_source {
	void *ctx;
	int (*sandbox)(void *ctx, uint64_t sandbox, uint32_t generation, struct event_sandbox *out);
	int (*command)(void *ctx, uint64_t sandbox, uint32_t command, struct event_command *out);
	unsigned (*alert)(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, unsigned verb);	/* severity of its refusal; 0: none said */
	int (*rule)(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out);
};

struct event_options {
	const char *host, *boot_id, *version;	/* version: of the product */
	int64_t wall_offset_ns;			/* CLOCK_REALTIME - CLOCK_BOOTTIME */
	const void *redact_key;			/* keyed hash of secrets: 32 bytes, the host's, kept across restarts so that equal secrets correlate */
	size_t redact_key_bytes;
	size_t max_processes;			/* remembered at a time; 0: 16,384 */
	struct event_source source;
};

struct events;
int events_new(const struct event_options *o, struct events **out);	/* copies what it is given */
void events_free(struct events *e);
void events_set_wall_offset(struct events *e, int64_t ns);	/* after a clock step */

/* ---- records ---- */
/* The head alone, checked: size, type and ring fit. For sequence tracking before anything else is done. 0 or -EBADMSG. */
int event_head(const void *record, size_t size, struct rec_head *out);
/* The whole way: *line is emptied and holds one line without its newline. -EBADMSG: not a record (nothing of it was used); -ENOMEM. */
int events_record(struct events *e, const void *record, size_t size, struct buf *line);

/* ---- notices: what user space itself has to say ---- */
/* X(symbol, name, OCSF class, activity, severity, what it says) */
#define EVENT_NOTICES(X) \
	X(ENGINE_START,     "engine.start",     6002, 3, 1, "the engine started") \
	X(ENGINE_STOP,      "engine.stop",      6002, 4, 1, "the engine stopped; sandboxes stay enforced") \
	X(ENGINE_ABSENT,    "engine.absent",    6002, 99, 3, "the host was without an engine; enforcement went on") \
	X(SESSION_START,    "session.start",    6002, 3, 1, "a session started") \
	X(SESSION_END,      "session.end",      6002, 4, 1, "a session ended") \
	X(COMMAND_START,    "command.start",    6002, 99, 1, "a command was started in a sandbox") \
	X(POLICY_LOAD,      "policy.load",      5019, 1, 1, "a policy is in force") \
	X(POLICY_RELOAD,    "policy.reload",    5019, 1, 2, "a policy was replaced") \
	X(RULE_EXPIRED,     "rule.expired",     1008, 99, 2, "a rule is past its until") \
	X(COVERAGE,         "coverage",         5019, 1, 1, "what is enforced here") \
	X(GAP,              "gap",              1008, 99, 4, "records were lost") \
	X(COUNTED,          "counted",          1008, 99, 3, "refusals that have no event of their own") \
	X(HEARTBEAT,        "heartbeat",        1008, 99, 1, "the engine is alive and has recorded up to these sequence numbers") \
	X(JOURNAL_RECOVERY, "journal.recovery", 1008, 99, 3, "the journal was found unfinished and was recovered") \
	X(JOURNAL_DROP,     "journal.drop",     1008, 99, 4, "the journal had no room for events") \
	X(JOURNAL_TROUBLE,  "journal.trouble",  1008, 99, 4, "the journal could not be written, or can be written again") \
	X(JOURNAL_RETIRED,  "journal.retired",  1008, 99, 2, "retention deleted old segments of the journal, or could not") \
	X(SINK_REJECTED,    "sink.rejected",    1008, 99, 3, "a receiver can never take an event") \
	X(SINK_STATE,       "sink.state",       1008, 99, 2, "a sink fell behind or recovered") \
	X(BAD_RECORD,       "record.bad",       1008, 99, 4, "a kernel record could not be decoded") \
	X(TEST,             "test",             1008, 99, 1, "a test event")
enum event_notice_kind {
#define X(symbol, name, class_uid, activity, severity, text) NOTICE_##symbol,
	EVENT_NOTICES(X)
#undef X
	NOTICE_COUNT,
};

/* Exact totals of one rule. */
struct event_count {
	uint32_t generation, rule;	/* RULE_NONE: of all policies that nobody can name rules of any more */
	uint64_t refused, would;
};
struct event_coverage {
	const char *name, *state, *how;		/* state: "full", "degraded", "missing", "open" (left ungoverned by the policy) */
};

/* One ring on one CPU: everything up to high is in the record, but for the holes. */
struct event_range {
	uint64_t first, last;
};
struct event_stream {
	uint32_t ring, cpu;
	uint64_t high;
	const struct event_range *holes;
	size_t hole_count;
};

/* One struct for all kinds: fill what applies, leave the rest zero; zero and NULL are left out. */
struct event_notice {
	enum event_notice_kind kind;
	uint64_t time_ns;			/* CLOCK_BOOTTIME, of what happened; required */
	uint64_t sandbox;			/* kernel id, looked up in the source; 0: about the host */
	uint32_t generation, command;
	const char *text;			/* one sentence more: the reason, the command line; redacted and escaped here */
	const char *actor;			/* who asked for it: "uid 0 pid 4242 bailiff run" */
	uint64_t from_ns, until_ns;		/* CLOCK_BOOTTIME: the time it is about */
	uint64_t count;				/* how many records, lines, events */
	uint64_t bytes;
	uint64_t killed;			/* SESSION_END: processes that died for a refusal */
	bool has_ring;				/* ring, cpu, first_seq, last_seq: a range of records */
	uint32_t ring, cpu;
	uint64_t first_seq, last_seq;
	const struct event_count *counts;	/* COUNTED: one; SESSION_END: all rules with a count */
	size_t count_count;
	const struct event_coverage *coverage;
	size_t coverage_count;
	const struct event_stream *streams;	/* HEARTBEAT: how far each stream is in the record */
	size_t stream_count;
	const char *sink, *event_uid;		/* SINK_*: whose, and about which event */
	int status;				/* HTTP status, exit status, errno: what the kind makes of it */
};
int events_notice(struct events *e, const struct event_notice *n, struct buf *line);

/* ---- reading back ---- */
/* The few fields of a line that a terminal shows. Strings belong to the view; NULL: not in the line. */
struct event_view {
	void *root;
	uint64_t time_ms;
	unsigned class_uid, severity;
	const char *uid, *kind;			/* kind: "decision"; "exec", "exit", "connect", "open" ...; or a notice's name */
	const char *message;
	const char *sandbox, *sandbox_uid, *stage;
	const char *verdict, *operation, *object;	/* verdict: "refused", "would refuse", "allowed" */
	const char *program;
	uint64_t pid, repeats, command;
	const char *rule, *file, *why, *owner, *call;
	const char *status;			/* of a decision: "EACCES" */
	unsigned line;
	/* of a decision: what it was about, in parts */
	const char *verb, *needs;		/* of paths: "read"; "read,change", "remove>create", as the table of fields says */
	const char *path, *path2;		/* with invalid bytes written \xNN: event_text_bytes() */
	const char *ip, *arg, *program_path, *reason;
	uint64_t port, proto, first_ms;		/* first_ms: of what was folded into it */
	bool incoming, directory;
};
/* Undo what json_put_text() writes for bytes that are no UTF-8: into out, room for strlen(text); gives the count. */
size_t event_text_bytes(const char *text, char *out);
int event_view_parse(const char *line, size_t n, struct event_view *out);	/* -ENOMSG: JSON but no event (the journal's own lines); -EBADMSG */
void event_view_done(struct event_view *v);
/* What a line says about sequence numbers: a successor walks from the last heartbeat to the end of the journal and knows what is recorded. */
enum event_seq_kind {
	EVENT_SEQ_RECORD,	/* this number is in the record (first == last) */
	EVENT_SEQ_STREAM,	/* a heartbeat: this far, but for the holes that follow (first == last == high) */
	EVENT_SEQ_HOLE,
	EVENT_SEQ_GAP,		/* declared lost */
};
typedef void (*event_seq_fn)(void *ctx, enum event_seq_kind kind, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last);
/* 0 and *heartbeat, with boot[40] when it is one; -ENOMSG: nothing about sequences in it. Numbers count from boot: compare boot first. */
int event_seq_walk(const char *line, size_t n, event_seq_fn fn, void *ctx, bool *heartbeat, char boot[40]);
void event_print_line(const struct event_view *v, bool colour, struct buf *out);	/* with its newline; local time; escaped for terminals */

#endif
