/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of fields: the canonical schema of an event. docs/events.md, the encoder, the tests against OCSF and every
 * projection of a sink come from it. Order is the order in a line; the fields of one object stand together.
 *
 * An event is a set of values, one for each field it has. The encoder writes them by the table and knows nothing else.
 */
#ifndef EVENT_FIELDS_H
#define EVENT_FIELDS_H

#include "base/buf.h"

#define OCSF_VERSION "1.8.0"

enum field_type { FIELD_STRING, FIELD_UINT, FIELD_INT, FIELD_BOOL, FIELD_TIME, FIELD_JSON };

/* OCSF classes that we emit; bits of a field's `classes`. X(symbol, class_uid, name) */
#define EVENT_CLASSES(X) \
	X(FILE,    1001, "File System Activity") \
	X(KERNEL,  1003, "Kernel Activity") \
	X(PROCESS, 1007, "Process Activity") \
	X(LOG,     1008, "Event Log Activity") \
	X(NETWORK, 4001, "Network Activity") \
	X(CONFIG,  5019, "Device Config State Change") \
	X(APP,     6002, "Application Lifecycle")
enum event_class {
#define X(symbol, uid, name) EVENT_CLASS_##symbol,
	EVENT_CLASSES(X)
#undef X
	EVENT_CLASS_COUNT,
};
enum {
#define X(symbol, uid, name) IN_##symbol = 1 << EVENT_CLASS_##symbol,
	EVENT_CLASSES(X)
#undef X
	IN_ALL = (1 << EVENT_CLASS_COUNT) - 1,
	IN_RECORDS = IN_FILE | IN_KERNEL | IN_PROCESS | IN_NETWORK,	/* made from ring records */
	IN_NOTICES = IN_LOG | IN_CONFIG | IN_APP,			/* made by user space */
};

enum field_need { FIELD_OPTIONAL, FIELD_REQUIRED };	/* in every event of its classes */

/* X(symbol, path, type, classes, need, what it says) */
#define EVENT_FIELDS(X) \
	X(METADATA_UID, "metadata.uid", STRING, IN_ALL, REQUIRED, "the event's id: sorts by time; drop duplicates by it") \
	X(METADATA_VERSION, "metadata.version", STRING, IN_ALL, REQUIRED, "OCSF version") \
	X(METADATA_CODE, "metadata.event_code", STRING, IN_ALL, REQUIRED, "kind: decision; exec, exit, connect, open and so on; or the name of a notice") \
	X(METADATA_PROFILES, "metadata.profiles", JSON, IN_ALL, OPTIONAL, "OCSF profiles used") \
	X(PRODUCT_NAME, "metadata.product.name", STRING, IN_ALL, REQUIRED, "Bailiff") \
	X(PRODUCT_VERSION, "metadata.product.version", STRING, IN_ALL, REQUIRED, "version of the engine") \
	X(TIME, "time", TIME, IN_ALL, REQUIRED, "when it happened, milliseconds since the epoch") \
	X(CLASS_UID, "class_uid", UINT, IN_ALL, REQUIRED, "OCSF class") \
	X(CATEGORY_UID, "category_uid", UINT, IN_ALL, REQUIRED, "OCSF category") \
	X(ACTIVITY_ID, "activity_id", UINT, IN_ALL, REQUIRED, "OCSF activity of the class") \
	X(ACTIVITY_NAME, "activity_name", STRING, IN_ALL, OPTIONAL, "with activity 99: what was done") \
	X(TYPE_UID, "type_uid", UINT, IN_ALL, REQUIRED, "class_uid * 100 + activity_id") \
	X(SEVERITY_ID, "severity_id", UINT, IN_ALL, REQUIRED, "1 informational, 2 low, 3 medium, 4 high; 5 critical and 6 fatal where a policy's on_refusal says so") \
	X(MESSAGE, "message", STRING, IN_ALL, REQUIRED, "one sentence for people") \
	X(STATUS_ID, "status_id", UINT, IN_ALL, OPTIONAL, "2: the action failed because it was refused") \
	X(STATUS_CODE, "status_code", STRING, IN_ALL, OPTIONAL, "what the caller got: EACCES, EPERM, EXDEV; a sink's HTTP status") \
	X(ACTION_ID, "action_id", UINT, IN_RECORDS, OPTIONAL, "1 allowed, 2 denied, 3 observed (would have been denied)") \
	X(DISPOSITION_ID, "disposition_id", UINT, IN_RECORDS, OPTIONAL, "of decisions: 2 blocked, 15 detected") \
	X(IS_ALERT, "is_alert", BOOL, IN_RECORDS, OPTIONAL, "true for a refusal") \
	X(COUNT, "count", UINT, IN_ALL, OPTIONAL, "how many equal actions this event stands for, when more than one") \
	X(START_TIME, "start_time", TIME, IN_ALL, OPTIONAL, "the first of them; of a notice: from when on") \
	X(END_TIME, "end_time", TIME, IN_NOTICES, OPTIONAL, "of a notice: until when") \
	X(EXIT_CODE, "exit_code", UINT, IN_PROCESS, OPTIONAL, "of a process that ended by itself") \
	X(APP_NAME, "app.name", STRING, IN_APP, REQUIRED, "the sandbox, or bailiffd") \
	X(APP_UID, "app.uid", STRING, IN_APP, OPTIONAL, "the sandbox's id") \
	X(LOG_NAME, "log_name", STRING, IN_LOG, REQUIRED, "bailiff") \
	X(POLICY_NAME, "policy.name", STRING, IN_RECORDS, OPTIONAL, "the policy that judged") \
	X(POLICY_UID, "policy.uid", STRING, IN_RECORDS, OPTIONAL, "its digest") \
	X(DEVICE_HOSTNAME, "device.hostname", STRING, IN_ALL, REQUIRED, "the host") \
	X(DEVICE_TYPE_ID, "device.type_id", UINT, IN_ALL, REQUIRED, "0: not told") \
	X(DEVICE_BOOT_UID, "device.boot_uid", STRING, IN_NOTICES, OPTIONAL, "boot id: sequence numbers and kernel times count from it") \
	X(ACTOR_PID, "actor.process.pid", UINT, IN_RECORDS, OPTIONAL, "who did it: thread group id on the host") \
	X(ACTOR_UID, "actor.process.uid", STRING, IN_RECORDS, OPTIONAL, "pid and start time: one process, whatever later gets its pid") \
	X(ACTOR_NAME, "actor.process.name", STRING, IN_RECORDS, OPTIONAL, "what it calls itself") \
	X(ACTOR_PATH, "actor.process.path", STRING, IN_RECORDS, OPTIONAL, "its program file") \
	X(ACTOR_CMD_LINE, "actor.process.cmd_line", STRING, IN_RECORDS, OPTIONAL, "its arguments, secrets replaced; on refusals") \
	X(ACTOR_SANDBOX, "actor.process.sandbox", STRING, IN_RECORDS, OPTIONAL, "name of its sandbox") \
	X(ACTOR_PARENT_PID, "actor.process.parent_process.pid", UINT, IN_RECORDS, OPTIONAL, "its parent; on refusals") \
	X(ACTOR_PARENT_NAME, "actor.process.parent_process.name", STRING, IN_RECORDS, OPTIONAL, "its parent's program; on refusals") \
	X(ACTOR_ANCESTRY, "actor.process.ancestry", JSON, IN_RECORDS, OPTIONAL, "the parent's parent and further up; on refusals") \
	X(ACTOR_USER, "actor.user.uid", STRING, IN_RECORDS, REQUIRED, "its user id on the host") \
	X(ACTOR_INVOKED_BY, "actor.invoked_by", STRING, IN_CONFIG | IN_APP | IN_LOG, OPTIONAL, "who asked for it") \
	X(PROCESS_PID, "process.pid", UINT, IN_PROCESS, REQUIRED, "the process it is about: started, ended, traced, signalled") \
	X(PROCESS_UID, "process.uid", STRING, IN_PROCESS, OPTIONAL, "pid and start time") \
	X(PROCESS_NAME, "process.name", STRING, IN_PROCESS, OPTIONAL, "the program's name") \
	X(PROCESS_PATH, "process.path", STRING, IN_PROCESS, OPTIONAL, "the program's file") \
	X(PROCESS_CMD_LINE, "process.cmd_line", STRING, IN_PROCESS, OPTIONAL, "its arguments, secrets replaced") \
	X(PROCESS_SANDBOX, "process.sandbox", STRING, IN_PROCESS, OPTIONAL, "name of its sandbox") \
	X(FILE_NAME, "file.name", STRING, IN_FILE, REQUIRED, "last component; unknown when the path cannot be told") \
	X(FILE_PATH, "file.path", STRING, IN_FILE, OPTIONAL, "as the sandbox sees it; a byte that is not UTF-8 reads \\xNN") \
	X(FILE_TYPE_ID, "file.type_id", UINT, IN_FILE, REQUIRED, "0 not told, 1 file, 2 folder, 7 symbolic link") \
	X(FILE_RESULT_NAME, "file_result.name", STRING, IN_FILE, OPTIONAL, "of a rename or link: the other name") \
	X(FILE_RESULT_PATH, "file_result.path", STRING, IN_FILE, OPTIONAL, "of a rename or link: the other path") \
	X(FILE_RESULT_TYPE_ID, "file_result.type_id", UINT, IN_FILE, OPTIONAL, "as file.type_id") \
	X(KERNEL_NAME, "kernel.name", STRING, IN_KERNEL, REQUIRED, "the operation") \
	X(KERNEL_TYPE_ID, "kernel.type_id", UINT, IN_KERNEL, REQUIRED, "2: system call") \
	X(KERNEL_PATH, "kernel.path", STRING, IN_KERNEL, OPTIONAL, "what it was about, when that has a path") \
	X(KERNEL_CALL, "kernel.system_call", STRING, IN_KERNEL, OPTIONAL, "the system call it came by") \
	X(DST_IP, "dst_endpoint.ip", STRING, IN_NETWORK, OPTIONAL, "the peer; of listen and bind the own address") \
	X(DST_PORT, "dst_endpoint.port", UINT, IN_NETWORK, OPTIONAL, "its port") \
	X(DST_NAME, "dst_endpoint.name", STRING, IN_NETWORK, OPTIONAL, "a unix socket's path (abstract: @name), or the address family") \
	X(CONN_DIRECTION, "connection_info.direction_id", UINT, IN_NETWORK, REQUIRED, "1 inbound, 2 outbound, 4 local") \
	X(CONN_PROTOCOL, "connection_info.protocol_num", UINT, IN_NETWORK, OPTIONAL, "6 TCP, 17 UDP") \
	X(SB_ID, "unmapped.sandbox.id", STRING, IN_ALL, OPTIONAL, "the sandbox; one sandbox is one session") \
	X(SB_NAME, "unmapped.sandbox.name", STRING, IN_ALL, OPTIONAL, "what people call it") \
	X(SB_POLICY, "unmapped.sandbox.policy", STRING, IN_NOTICES, OPTIONAL, "name of its policy") \
	X(SB_DIGEST, "unmapped.sandbox.digest", STRING, IN_NOTICES, OPTIONAL, "digest of its policy; on records: policy.uid") \
	X(SB_STAGE, "unmapped.sandbox.stage", STRING, IN_ALL, OPTIONAL, "observe or enforce") \
	X(SB_AGENT, "unmapped.sandbox.agent", STRING, IN_ALL, OPTIONAL, "the agent, as its starter named it") \
	X(SB_SESSION, "unmapped.sandbox.session", STRING, IN_ALL, OPTIONAL, "the starter's own session id") \
	X(SB_LABELS, "unmapped.sandbox.labels", JSON, IN_ALL, OPTIONAL, "bound from outside") \
	X(SB_EXEC, "unmapped.sandbox.exec", UINT, IN_ALL, OPTIONAL, "exec id: which command of the sandbox; 1 is the first") \
	X(SB_CALL, "unmapped.sandbox.call", STRING, IN_ALL, OPTIONAL, "tool call id, from whoever started the command") \
	X(SB_TRACE, "unmapped.sandbox.trace", STRING, IN_ALL, OPTIONAL, "trace id, from whoever started the command") \
	X(SB_SPAN, "unmapped.sandbox.span", STRING, IN_ALL, OPTIONAL, "span id, from whoever started the command") \
	X(SB_GENERATION, "unmapped.sandbox.generation", UINT, IN_ALL, OPTIONAL, "of the policy: counts up with each reload") \
	X(SB_OPERATION, "unmapped.sandbox.operation", STRING, IN_ALL, OPTIONAL, "what was attempted") \
	X(SB_VERB, "unmapped.sandbox.verb", STRING, IN_ALL, OPTIONAL, "of paths: the right that it needed: read, change, create, remove, execute, unix") \
	X(SB_NEEDS, "unmapped.sandbox.needs", STRING, IN_ALL, OPTIONAL, "of paths: all rights it needed: read,change; at the other path: remove>create") \
	X(SB_SYSCALL, "unmapped.sandbox.syscall", STRING, IN_ALL, OPTIONAL, "the system call it came by") \
	X(SB_REASON, "unmapped.sandbox.reason", STRING, IN_ALL, OPTIONAL, "why a path could not be told; of a notice: one sentence more") \
	X(SB_ARG, "unmapped.sandbox.arg", STRING, IN_ALL, OPTIONAL, "the operation's own argument: signal, capability, ioctl, target") \
	X(SB_KILLED, "unmapped.sandbox.killed", UINT, IN_ALL, OPTIONAL, "of a refusal: 1, the process was killed for it; at a session's end: how many were") \
	X(SB_REPEATS, "unmapped.sandbox.repeats", UINT, IN_ALL, OPTIONAL, "equal refusals folded into this event, besides itself") \
	X(SB_SIGNAL, "unmapped.sandbox.signal", STRING, IN_ALL, OPTIONAL, "the signal that ended a process") \
	X(RULE_ID, "unmapped.sandbox.rule.id", STRING, IN_ALL, OPTIONAL, "the rule that decided; #number when it is not known any more") \
	X(RULE_FILE, "unmapped.sandbox.rule.file", STRING, IN_ALL, OPTIONAL, "where it is written") \
	X(RULE_LINE, "unmapped.sandbox.rule.line", UINT, IN_ALL, OPTIONAL, "on which line") \
	X(RULE_WHY, "unmapped.sandbox.rule.why", STRING, IN_ALL, OPTIONAL, "its reason, in its author's words") \
	X(RULE_OWNER, "unmapped.sandbox.rule.owner", STRING, IN_ALL, OPTIONAL, "whom to ask") \
	X(RULE_TICKET, "unmapped.sandbox.rule.ticket", STRING, IN_ALL, OPTIONAL, "where it was agreed") \
	X(RULE_PRESET, "unmapped.sandbox.rule.preset", STRING, IN_ALL, OPTIONAL, "the preset it comes from") \
	X(SEQ_RING, "unmapped.sandbox.seq.ring", UINT, IN_RECORDS, REQUIRED, "0 decisions, 1 telemetry") \
	X(SEQ_CPU, "unmapped.sandbox.seq.cpu", UINT, IN_RECORDS, REQUIRED, "the CPU whose sequence this is") \
	X(SEQ_N, "unmapped.sandbox.seq.n", UINT, IN_RECORDS, REQUIRED, "its number: the next one is the next record, a missing one is a lost record") \
	X(GAP_RING, "unmapped.sandbox.gap.ring", UINT, IN_LOG, OPTIONAL, "a range of records: ring") \
	X(GAP_CPU, "unmapped.sandbox.gap.cpu", UINT, IN_LOG, OPTIONAL, "CPU") \
	X(GAP_FIRST, "unmapped.sandbox.gap.first", UINT, IN_LOG, OPTIONAL, "first number") \
	X(GAP_LAST, "unmapped.sandbox.gap.last", UINT, IN_LOG, OPTIONAL, "last number") \
	X(SB_REFUSED, "unmapped.sandbox.refused", UINT, IN_NOTICES, OPTIONAL, "exact total of refusals") \
	X(SB_WOULD, "unmapped.sandbox.would", UINT, IN_NOTICES, OPTIONAL, "exact total of actions that would have been refused") \
	X(SB_COUNTS, "unmapped.sandbox.counts", JSON, IN_NOTICES, OPTIONAL, "by rule: [refused, would]; rule@generation: of an earlier policy") \
	X(SB_COVERAGE, "unmapped.sandbox.coverage", JSON, IN_NOTICES, OPTIONAL, "by capability: [full, degraded, missing or open, how]") \
	X(SB_STREAMS, "unmapped.sandbox.streams", JSON, IN_LOG, OPTIONAL, "recorded so far: [ring, cpu, number, holes as [first, last] ...]") \
	X(SB_BYTES, "unmapped.sandbox.bytes", UINT, IN_NOTICES, OPTIONAL, "bytes it is about") \
	X(SB_SINK, "unmapped.sandbox.sink", STRING, IN_NOTICES, OPTIONAL, "the sink it is about") \
	X(SB_EVENT, "unmapped.sandbox.event", STRING, IN_NOTICES, OPTIONAL, "metadata.uid of the event it is about") \
	X(SB_TRUNCATED, "unmapped.sandbox.truncated", UINT, IN_ALL, OPTIONAL, "bytes of arguments that were not kept") \
	X(SB_REDACTED, "unmapped.sandbox.redacted", UINT, IN_ALL, OPTIONAL, "secrets replaced in this event") \
	X(CLAIMED, "unmapped.claimed", JSON, IN_ALL, OPTIONAL, "what the process or its environment says about itself: never to be trusted")
enum event_field {
#define X(symbol, path, type, classes, need, text) F_##symbol,
	EVENT_FIELDS(X)
#undef X
	FIELD_COUNT,
};

struct field_info {
	const char *path;
	enum field_type type;
	unsigned classes;
	enum field_need need;
	const char *text;
};
extern const struct field_info field_table[FIELD_COUNT];

struct class_info {
	unsigned uid;
	const char *name;
};
extern const struct class_info event_class_table[EVENT_CLASS_COUNT];

/* ---- one event's values ---- */
struct field_value {
	union {
		const char *p;		/* FIELD_STRING, FIELD_JSON: bytes that outlive the set */
		uint64_t u;
		int64_t i;
	};
	size_t n;
};
#define FIELD_WORDS ((FIELD_COUNT + 63) / 64)
struct field_set {
	uint64_t present[FIELD_WORDS];
	struct field_value values[FIELD_COUNT];
};

static inline void field_mark(struct field_set *s, enum event_field f)
{
	s->present[f / 64] |= 1ull << (f % 64);
}

static inline bool field_has(const struct field_set *s, enum event_field f)
{
	return s->present[f / 64] >> (f % 64) & 1;
}

static inline void field_u64(struct field_set *s, enum event_field f, uint64_t v)
{
	s->values[f].u = v;
	field_mark(s, f);
}

static inline void field_bytes(struct field_set *s, enum event_field f, const char *p, size_t n)
{
	s->values[f] = (struct field_value){ .p = p, .n = n };
	field_mark(s, f);
}

/* NULL and "": the event has no such field. */
static inline void field_str(struct field_set *s, enum event_field f, const char *text)
{
	if (text && *text)
		field_bytes(s, f, text, strlen(text));
}

/* The table as the encoder uses it: made once, read only after that. */
struct field_plan;
int field_plan_new(struct field_plan **out);
void field_plan_free(struct field_plan *p);
/* Append the set as one JSON object. 0, or -ENOMEM (line's error). */
int field_encode(const struct field_plan *p, const struct field_set *s, struct buf *line);
/* The table as docs/events.md. */
void fields_document(struct buf *out);

#endif
