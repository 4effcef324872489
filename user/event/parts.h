/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the event room: what its files give each other. */
#ifndef EVENT_PARTS_H
#define EVENT_PARTS_H

#include "event/event.h"
#include "event/fields.h"
#include "event/proctree.h"
#include "event/redact.h"

/* Bytes of a record; not terminated. */
struct bytes {
	const char *p;
	size_t n;
};

/* A record whose every length and number was checked; strings point into it. Fields of other types are zero. */
struct event {
	struct rec_head head;
	uint8_t verdict, class_id, verb, reason;
	uint16_t operation, syscall, verbs;
	uint32_t rule;
	int32_t error;
	uint64_t repeats, first_ns, arg;
	struct rec_addr addr;
	struct bytes path, path2, argv;
	uint32_t argv_total;
	uint32_t status;
};
int event_decode(const void *record, size_t size, struct event *out);

const char *operation_name(unsigned operation);		/* "open", ... */
const char *verb_name(unsigned verb);			/* "read", ... */
const char *syscall_name(unsigned number);		/* NULL: not known */
const char *signal_name(unsigned number);		/* "SIGKILL"; NULL */
const char *capability_name(unsigned number);		/* "SYS_ADMIN"; NULL */

/* How an operation shows in OCSF. */
struct operation_info {
	enum event_class class_id;
	uint8_t activity;	/* 99: the operation's name is the activity's */
	uint8_t file_type;	/* 0 not told, 1 file, 2 folder, 7 link */
};
const struct operation_info *operation_info(unsigned operation);

struct events {
	struct field_plan *plan;
	struct proctree *processes;
	struct event_source source;
	char *host, *boot_id, *version;
	uint8_t key[32];
	struct redact_key redact;
	int64_t wall_offset_ns;
	uint32_t tag;			/* of host and boot: in every uid */
	uint64_t notice_number;		/* of the last notice: makes its uid */
	/* one event at a time: its values and what they point to */
	struct field_set set;
	struct buf message, command_line, labels, claimed, extra;
	char uid[27], actor_uid[40], process_uid[40], user[12], ip[48], arg[80], needs[96], rule_number[16], status[16], sandbox_number[24];
};

uint64_t events_wall_ms(const struct events *e, uint64_t boot_ns);
/* 26 sortable characters (as ULID): milliseconds, tag, ring, cpu, number. */
void events_make_uid(struct events *e, uint64_t ms, unsigned ring, unsigned cpu, uint64_t number);
/* Fields that every event has, from class_id, activity and severity. */
void events_set_base(struct events *e, const char *code, enum event_class class_id, unsigned activity, unsigned severity, uint64_t ms);
void events_set_activity_name(struct events *e, const char *name);
int events_set_sandbox(struct events *e, uint64_t sandbox, uint32_t generation, struct event_sandbox *found);	/* 0, -ENOENT */
void events_set_command(struct events *e, uint64_t sandbox, uint32_t command);
/* What a rule number means; unknown ones get "#number". */
void events_find_rule(struct events *e, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out);
/* Message and encoding: the end of every event. */
int events_finish(struct events *e, struct buf *line);

#endif
