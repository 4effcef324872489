/* SPDX-License-Identifier: Apache-2.0 */
/* One ring record to one line, by type: who, what, under which rule, and a sentence that says it. */
#include "event/record.h"
#include <stdio.h>

/* ---- the sentence ---- */

/* Opening is said by the right that it needed: read, change. */
static const char *action_word(const struct event *ev)
{
	if (ev->operation == ACT_OPEN && ev->head.type == REC_DECISION)
		return verb_name(ev->verb);
	return operation_name(ev->operation);
}

/* Where the operation alone says too little. */
static bool argument_is_said(unsigned operation)
{
	return operation == ACT_SIGNAL || operation == ACT_SOCKET || operation == ACT_CAPABLE;
}

static void say_action(struct work *w, const char *verdict)
{
	struct buf *b = &w->e->message;

	buf_add_str(b, verdict);
	buf_add_str(b, action_word(w->ev));
	if (field_has(w->set, F_SB_ARG) && argument_is_said(w->ev->operation)) {
		buf_add_char(b, ' ');
		buf_add_str(b, w->e->arg);
	}
	object_say(w);
	buf_add_str(b, " by ");
	say_bytes(b, w->program);
}

static void say_rule(struct work *w)
{
	struct buf *b = &w->e->message;

	buf_add_str(b, " (rule ");
	buf_add_str(b, w->rule.id);
	if (w->rule.file) {
		buf_add_str(b, ", ");
		buf_add_str(b, w->rule.file);
		buf_add_char(b, ':');
		buf_add_u64(b, w->rule.line);
	}
	buf_add_char(b, ')');
}

/* ---- the types ---- */

static void set_rule(struct work *w)
{
	const struct event_rule *r = &w->rule;

	events_find_rule(w->e, w->ev->head.sandbox, w->ev->head.generation, w->ev->rule, &w->rule);
	field_str(w->set, F_RULE_ID, r->id);
	if (w->ev->head.type != REC_DECISION)
		return;		/* what was allowed names its rule; the rest of it is in the policy */
	field_str(w->set, F_RULE_FILE, r->file);
	if (r->line)
		field_u64(w->set, F_RULE_LINE, r->line);
	field_str(w->set, F_RULE_WHY, r->why);
	field_str(w->set, F_RULE_OWNER, r->owner);
	field_str(w->set, F_RULE_TICKET, r->ticket);
	field_str(w->set, F_RULE_PRESET, r->preset);
}

static const char *reason_text(unsigned reason)
{
	static const char *const texts[REASON_COUNT] = {
		[REASON_TOO_LONG] = "the path is longer than the kernel's limit",
		[REASON_DETACHED] = "the file is not below any mount of this root",
		[REASON_RACED] = "names or mounts kept changing while it was read",
		[REASON_UNREADABLE] = "a part of the path could not be read",
		[REASON_TOO_DEEP] = "the path has too many components",
		[REASON_NO_BUFFER] = "no scratch buffer was free",
	};

	return texts[reason];
}

static void set_repeats(struct work *w)
{
	const struct event *ev = w->ev;

	if (!ev->repeats)
		return;
	field_u64(w->set, F_SB_REPEATS, ev->repeats);
	field_u64(w->set, F_COUNT, ev->repeats == UINT64_MAX ? ev->repeats : ev->repeats + 1);
	field_u64(w->set, F_START_TIME, events_wall_ms(w->e, ev->first_ns));
}

static void set_decision(struct work *w)
{
	const struct event *ev = w->ev;
	bool would = ev->verdict == VERDICT_WOULD_DENY;
	struct field_set *s = w->set;

	field_u64(s, F_ACTION_ID, would ? 3 : 2);
	field_u64(s, F_DISPOSITION_ID, would ? 15 : 2);
	if (!would) {
		field_u64(s, F_STATUS_ID, 2);
		field_str(s, F_STATUS_CODE, ev->error < 0 && ev->error > -4096 ? strerrorname_np(-ev->error) : NULL);
		field_u64(s, F_IS_ALERT, 1);
	}
	field_str(s, F_POLICY_NAME, w->sandbox.policy);
	field_str(s, F_POLICY_UID, w->sandbox.digest);
	field_str(s, F_SB_OPERATION, operation_name(ev->operation));
	if (ev->verb < VERB_PATH_COUNT)		/* of the others the operation says it */
		field_str(s, F_SB_VERB, verb_name(ev->verb));
	if (ev->syscall)
		field_str(s, w->class_id == EVENT_CLASS_KERNEL ? F_KERNEL_CALL : F_SB_SYSCALL, syscall_name(ev->syscall - 1));
	field_str(s, F_SB_REASON, reason_text(ev->reason));
	object_set_needs(w);
	object_set_arg(w);
	set_repeats(w);
	set_rule(w);
	object_set(w);
	subject_set_actor(w, true);
	say_action(w, would ? "would refuse: " : "refused: ");
	say_rule(w);
	if (ev->verdict != VERDICT_KILL)
		return;
	field_u64(s, F_SB_KILLED, 1);
	buf_add_str(&w->e->message, "; the process was killed");
}

/* A flow or a file that was allowed. */
static void set_access(struct work *w)
{
	field_u64(w->set, F_ACTION_ID, 1);
	if (w->ev->rule != RULE_NONE)
		set_rule(w);
	object_set(w);
	subject_set_actor(w, false);
	say_action(w, "");
}

static void set_exec(struct work *w)
{
	const struct event *ev = w->ev;
	struct buf *b = &w->e->message;

	subject_set_parent(w);
	subject_set_process(w);
	work_set_bytes(w, F_PROCESS_CMD_LINE, (struct bytes){ w->e->command_line.data, w->e->command_line.len });
	if (ev->argv_total > ev->argv.n)
		field_u64(w->set, F_SB_TRUNCATED, ev->argv_total - ev->argv.n);
	if (w->redacted)
		field_u64(w->set, F_SB_REDACTED, w->redacted);
	buf_add_str(b, "exec ");
	say_bytes(b, ev->path.n ? ev->path : w->program);
}

static void set_exit(struct work *w)
{
	unsigned status = w->ev->status, sig = status & 0x7f;
	struct buf *b = &w->e->message;

	subject_set_process(w);
	say_bytes(b, w->program);
	if (!sig) {
		field_u64(w->set, F_EXIT_CODE, status >> 8 & 0xff);
		buf_add_str(b, " ended with ");
		buf_add_u64(b, status >> 8 & 0xff);
		return;
	}
	snprintf(w->e->arg, sizeof(w->e->arg), "%s%.0u", signal_name(sig) ? signal_name(sig) : "signal ", signal_name(sig) ? 0 : sig);
	field_str(w->set, F_SB_SIGNAL, w->e->arg);
	buf_add_str(b, " was killed by ");
	buf_add_str(b, w->e->arg);
}

/* As the policy says (on_refusal: alert), else by what was tried; less where it was only observed. */
static unsigned severity_of(const struct work *w)
{
	const struct event_source *source = &w->e->source;
	const struct event *ev = w->ev;
	unsigned severity = 0;

	if (ev->head.type != REC_DECISION)
		return 1;
	if (source->alert)
		severity = source->alert(source->ctx, ev->head.sandbox, ev->head.generation, ev->rule, ev->verb);
	if (!severity)
		severity = ev->class_id == CLASS_GUARD ? 4 : 3;
	return ev->verdict == VERDICT_WOULD_DENY && severity > 1 ? severity - 1 : severity;
}

static void (*const setters[REC_TYPES])(struct work *w) = {
	[REC_DECISION] = set_decision, [REC_EXEC] = set_exec, [REC_EXIT] = set_exit, [REC_FLOW] = set_access, [REC_FILE] = set_access,
};

/* The process tree learns from every record, before the event is made. */
static int learn(struct work *w)
{
	struct events *e = w->e;
	const struct event *ev = w->ev;
	bool cut = ev->argv_total > ev->argv.n;

	w->proc = proctree_see(e->processes, &ev->head);
	if (ev->head.type == REC_EXIT)
		proctree_exit(e->processes, w->proc);
	if (ev->head.type != REC_EXEC)
		return 0;
	buf_reset(&e->command_line);
	w->redacted = redact_add(&e->redact, REDACT_ARGV, ev->argv.p, ev->argv.n, cut, &e->command_line);
	if (e->command_line.err)
		return e->command_line.err;
	return proctree_exec(e->processes, w->proc, ev->path.p, ev->path.n, e->command_line.data, e->command_line.len);
}

static void set_common(struct work *w)
{
	const struct rec_head *h = &w->ev->head;
	const struct operation_info *info = operation_info(w->ev->operation);
	unsigned activity = w->class_id == info->class_id ? info->activity : 4;
	uint64_t ms = events_wall_ms(w->e, h->time_ns);

	events_make_uid(w->e, ms, h->ring, h->cpu, h->seq);
	events_set_base(w->e, h->type == REC_DECISION ? "decision" : operation_name(w->ev->operation), w->class_id, activity,
			severity_of(w), ms);
	events_set_activity_name(w->e, operation_name(w->ev->operation));
	(void)events_set_sandbox(w->e, h->sandbox, h->generation, &w->sandbox);
	events_set_command(w->e, h->sandbox, h->command);
	if (h->generation)
		field_u64(w->set, F_SB_GENERATION, h->generation);
	field_u64(w->set, F_SEQ_RING, h->ring);
	field_u64(w->set, F_SEQ_CPU, h->cpu);
	field_u64(w->set, F_SEQ_N, h->seq);
	subject_set_user(w);
	w->program = program_name(w->proc);
}

int events_record(struct events *e, const void *record, size_t size, struct buf *line)
{
	struct event ev;
	struct work w = { .e = e, .ev = &ev, .set = &e->set };
	int err = event_decode(record, size, &ev);

	buf_reset(line);
	if (!err)
		err = learn(&w);
	if (err)
		return err;
	w.class_id = object_class(&ev);
	set_common(&w);
	setters[ev.head.type](&w);
	return events_finish(e, line);
}
