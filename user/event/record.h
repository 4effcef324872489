/* SPDX-License-Identifier: Apache-2.0 */
/* One record on its way to a line: what record.c (types and rules), subject.c (who) and object.c (what) give each other. */
#ifndef EVENT_RECORD_H
#define EVENT_RECORD_H

#include "event/parts.h"

struct work {
	struct events *e;
	const struct event *ev;
	struct field_set *set;
	struct proc *proc;
	enum event_class class_id;
	struct event_sandbox sandbox;
	struct event_rule rule;
	struct bytes program;		/* its name, for people */
	unsigned redacted;
};

struct bytes base_name(struct bytes path);
static inline void work_set_bytes(struct work *w, enum event_field f, struct bytes b)
{
	if (b.n)
		field_bytes(w->set, f, b.p, b.n);
}

/* ---- subject.c: needs class_id, proc and sandbox ---- */
struct bytes program_name(const struct proc *p);	/* the program file's name, else what the process calls itself */
void subject_set_user(struct work *w);
void subject_set_actor(struct work *w, bool refusal);	/* who did it; of a refusal also command line and ancestry */
void subject_set_parent(struct work *w);		/* of an exec the actor is the parent */
void subject_set_process(struct work *w);		/* of exec and exit: the process itself */

/* ---- object.c ---- */
enum event_class object_class(const struct event *ev);	/* the OCSF class that can hold what the record has */
void object_set(struct work *w);
void object_set_needs(struct work *w);
void object_set_arg(struct work *w);
void object_say(struct work *w);			/* " /path", " 1.2.3.4:5", " process 7": appended to the message */
void say_bytes(struct buf *b, struct bytes text);	/* a long path loses its middle */

#endif
