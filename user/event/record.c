/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ring record to one line: who (from the head and the process tree), what (by type, into the fields of its OCSF class),
 * under which rule, and a sentence that says it.
 */
#include "event/parts.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define MESSAGE_PATH 240	/* bytes of a path in a message; the path's own field has all of it */
#define SHOWN_COMMAND_LINE 120
#define ANCESTORS 4

/* A record on its way. */
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

static struct bytes base_name(struct bytes path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	if (!slash || slash + 1 == path.p + path.n)
		return path;
	return (struct bytes){ slash + 1, path.p + path.n - slash - 1 };
}

static struct bytes program_path(const struct proc *p)
{
	return p && p->program ? (struct bytes){ p->program->bytes, p->program->path_len } : (struct bytes){};
}

/* The program file's name, else what the process calls itself. */
static struct bytes program_name(const struct proc *p)
{
	struct bytes path = program_path(p);

	return path.n ? base_name(path) : (struct bytes){ p->comm, strlen(p->comm) };
}

static void set_bytes(struct work *w, enum event_field f, struct bytes b)
{
	if (b.n)
		field_bytes(w->set, f, b.p, b.n);
}

/* "pid-start" in hex: one process for ever. */
static void process_uid(char out[40], uint32_t tgid, uint64_t start_ns)
{
	static const char digits[] = "0123456789abcdef";
	char *d = json_put_u64(out, tgid);
	int shift = 60;

	*d++ = '-';
	while (shift && !(start_ns >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*d++ = digits[start_ns >> shift & 15];
	*d = '\0';
}

/* ---- who ---- */

static void set_user(struct work *w)
{
	char *end = json_put_u64(w->e->user, w->ev->head.uid);

	field_bytes(w->set, F_ACTOR_USER, w->e->user, end - w->e->user);
}

/* Grandparents and further, as far as they are known: [{"pid":1,"name":"x"}, ...] */
static void set_ancestry(struct work *w, const struct proc *parent)
{
	struct buf *b = &w->e->extra;
	struct json j;

	buf_reset(b);
	json_init(&j, b);
	json_begin_array(&j, NULL);
	for (int i = 0; i < ANCESTORS && parent; i++) {
		const struct proc *next = proctree_parent(w->e->processes, parent);
		struct bytes name;

		if (!next || next == parent)
			break;
		name = program_name(next);
		json_begin_object(&j, NULL);
		json_u64(&j, "pid", next->tgid);
		json_strn(&j, "name", name.p, name.n);
		json_end_object(&j);
		parent = next;
	}
	json_end_array(&j);
	if (!b->err && b->len > 2)
		field_bytes(w->set, F_ACTOR_ANCESTRY, b->data, b->len);
}

static void set_actor_self(struct work *w, bool refusal)
{
	const struct rec_head *h = &w->ev->head;
	const struct proc *parent = proctree_parent(w->e->processes, w->proc);
	const struct program *g = w->proc->program;

	process_uid(w->e->actor_uid, h->tgid, h->start_ns);
	field_u64(w->set, F_ACTOR_PID, h->tgid);
	field_str(w->set, F_ACTOR_UID, w->e->actor_uid);
	field_str(w->set, F_ACTOR_NAME, w->proc->comm);
	set_bytes(w, F_ACTOR_PATH, program_path(w->proc));
	if (w->class_id != EVENT_CLASS_PROCESS || w->ev->operation != ACT_EXEC)
		field_str(w->set, F_ACTOR_SANDBOX, w->sandbox.name);
	if (!refusal)
		return;
	field_u64(w->set, F_ACTOR_PARENT_PID, h->parent_tgid);
	if (parent)
		set_bytes(w, F_ACTOR_PARENT_NAME, program_name(parent));
	if (g && g->command_line_len)
		field_bytes(w->set, F_ACTOR_CMD_LINE, g->bytes + g->path_len,
			    g->command_line_len < SHOWN_COMMAND_LINE ? g->command_line_len : SHOWN_COMMAND_LINE);
	set_ancestry(w, parent);
}

/* Of an exec the actor is the parent, of an exit nobody but the user. */
static void set_actor_parent(struct work *w)
{
	const struct rec_head *h = &w->ev->head;
	const struct proc *parent = proctree_parent(w->e->processes, w->proc);

	process_uid(w->e->actor_uid, h->parent_tgid, h->parent_start_ns);
	field_u64(w->set, F_ACTOR_PID, h->parent_tgid);
	field_str(w->set, F_ACTOR_UID, w->e->actor_uid);
	if (parent)
		set_bytes(w, F_ACTOR_NAME, program_name(parent));
}

static void set_process_self(struct work *w)
{
	const struct rec_head *h = &w->ev->head;

	process_uid(w->e->process_uid, h->tgid, h->start_ns);
	field_u64(w->set, F_PROCESS_PID, h->tgid);
	field_str(w->set, F_PROCESS_UID, w->e->process_uid);
	set_bytes(w, F_PROCESS_NAME, program_name(w->proc));
	set_bytes(w, F_PROCESS_PATH, program_path(w->proc));
	field_str(w->set, F_PROCESS_SANDBOX, w->sandbox.name);
}

/* ---- what ---- */

static void set_file(struct work *w)
{
	const struct event *ev = w->ev;
	unsigned type = operation_info(ev->operation)->file_type;

	if (ev->path.n) {
		set_bytes(w, F_FILE_NAME, base_name(ev->path));
		set_bytes(w, F_FILE_PATH, ev->path);
	} else {
		field_str(w->set, F_FILE_NAME, "unknown");
	}
	field_u64(w->set, F_FILE_TYPE_ID, type);
	if (!ev->path2.n)
		return;
	set_bytes(w, F_FILE_RESULT_NAME, base_name(ev->path2));
	set_bytes(w, F_FILE_RESULT_PATH, ev->path2);
	field_u64(w->set, F_FILE_RESULT_TYPE_ID, type);
}

static const char *family_name(unsigned family)
{
	static const char *const names[] = {
		[1] = "unix", [2] = "inet", [10] = "inet6", [16] = "netlink", [17] = "packet", [31] = "bluetooth", [38] = "alg",
		[40] = "vsock", [44] = "xdp",
	};

	return family < ARRAY_SIZE(names) ? names[family] : NULL;
}

/* IPv4 is stored mapped; it shows as the caller said it. */
static bool is_v4(const struct rec_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->addr, mapped, sizeof(mapped));
}

static bool has_address(const struct rec_addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static void format_ip(struct events *e, const struct rec_addr *a)
{
	char *d = e->ip;

	if (!is_v4(a)) {
		(void)inet_ntop(AF_INET6, a->addr, e->ip, sizeof(e->ip));
		return;
	}
	for (int i = 12; i < 16; i++) {
		d = json_put_u64(d, a->addr[i]);
		*d++ = '.';
	}
	d[-1] = '\0';
}

static void set_network(struct work *w)
{
	const struct event *ev = w->ev;
	bool incoming = ev->operation == ACT_LISTEN || ev->operation == ACT_BIND || ev->operation == ACT_ACCEPT;

	if (has_address(&ev->addr)) {
		format_ip(w->e, &ev->addr);
		field_str(w->set, F_DST_IP, w->e->ip);
		field_u64(w->set, F_DST_PORT, ev->addr.port);
		field_u64(w->set, F_CONN_PROTOCOL, ev->addr.proto);
		field_u64(w->set, F_CONN_DIRECTION, incoming ? 1 : 2);
		return;
	}
	if (ev->path.n)
		set_bytes(w, F_DST_NAME, ev->path);
	else
		field_str(w->set, F_DST_NAME, family_name(ev->addr.family) ? family_name(ev->addr.family) : "unknown");
	field_u64(w->set, F_CONN_DIRECTION, 4);
}

static void set_kernel(struct work *w)
{
	field_str(w->set, F_KERNEL_NAME, operation_name(w->ev->operation));
	field_u64(w->set, F_KERNEL_TYPE_ID, 2);
	set_bytes(w, F_KERNEL_PATH, w->ev->path);
}

/* A decision about a process: a refused exec is about oneself, the others name their target in arg. */
static void set_process_target(struct work *w)
{
	const struct event *ev = w->ev;

	if (ev->operation != ACT_EXEC) {
		field_u64(w->set, F_PROCESS_PID, ev->arg >> 32);
		return;
	}
	field_u64(w->set, F_PROCESS_PID, ev->head.tgid);
	set_bytes(w, F_PROCESS_NAME, base_name(ev->path));
	set_bytes(w, F_PROCESS_PATH, ev->path);
	field_str(w->set, F_PROCESS_SANDBOX, w->sandbox.name);
}

/* What the operation's argument means, where that is known. */
static void set_arg(struct work *w)
{
	const struct event *ev = w->ev;
	unsigned low = ev->arg;
	char *out = w->e->arg;
	size_t room = sizeof(w->e->arg);

	if (ev->operation == ACT_SIGNAL)
		snprintf(out, room, "%s", signal_name(low) ? signal_name(low) : "signal");
	else if (ev->operation == ACT_SOCKET)
		snprintf(out, room, "%s", family_name(ev->addr.family) ? family_name(ev->addr.family) : "family");
	else if (ev->operation == ACT_IOCTL)
		snprintf(out, room, "0x%x", low);
	else if (ev->arg && ev->operation != ACT_PTRACE && ev->operation != ACT_PRIORITY)
		snprintf(out, room, "%llu", (unsigned long long)ev->arg);
	else
		return;
	field_str(w->set, F_SB_ARG, out);
}

/* The class that can hold what the record has: OCSF has no file event without a name and no network event without a peer. */
static enum event_class class_of(const struct event *ev)
{
	enum event_class c = operation_info(ev->operation)->class_id;

	if (c == EVENT_CLASS_FILE && !ev->path.n && !ev->reason)
		return EVENT_CLASS_KERNEL;
	if (c == EVENT_CLASS_NETWORK && !ev->path.n && !ev->addr.family)
		return EVENT_CLASS_KERNEL;
	if (c == EVENT_CLASS_PROCESS && ev->head.type == REC_DECISION && ev->operation != ACT_EXEC && !(ev->arg >> 32))
		return EVENT_CLASS_KERNEL;
	return c;
}

static void set_object(struct work *w)
{
	switch (w->class_id) {
	case EVENT_CLASS_FILE:
		set_file(w);
		return;
	case EVENT_CLASS_NETWORK:
		set_network(w);
		return;
	case EVENT_CLASS_PROCESS:
		set_process_target(w);
		return;
	default:
		set_kernel(w);
		return;
	}
}

/* ---- the sentence ---- */

static void say_bytes(struct buf *b, struct bytes text)
{
	if (text.n <= MESSAGE_PATH) {
		buf_add(b, text.p, text.n);
		return;
	}
	buf_add(b, text.p, MESSAGE_PATH / 2);
	buf_add_str(b, "...");
	buf_add(b, text.p + text.n - MESSAGE_PATH / 2, MESSAGE_PATH / 2);
}

static void say_object(struct work *w)
{
	struct buf *b = &w->e->message;
	const struct event *ev = w->ev;

	if (w->class_id == EVENT_CLASS_NETWORK && has_address(&ev->addr)) {
		buf_add_char(b, ' ');
		if (!is_v4(&ev->addr))
			buf_add_char(b, '[');
		buf_add_str(b, w->e->ip);
		if (!is_v4(&ev->addr))
			buf_add_char(b, ']');
		buf_add_char(b, ':');
		buf_add_u64(b, ev->addr.port);
	} else if (ev->path.n) {
		buf_add_char(b, ' ');
		say_bytes(b, ev->path);
	} else if (w->class_id == EVENT_CLASS_FILE) {
		buf_add_str(b, " a path that cannot be told");
	} else if (w->class_id == EVENT_CLASS_PROCESS) {
		buf_add_str(b, " process ");
		buf_add_u64(b, ev->arg >> 32);
	}
	if (ev->path2.n) {
		buf_add_str(b, " to ");
		say_bytes(b, ev->path2);
	}
}

/* Opening is said by the right that it needed: read, change. */
static const char *action_word(const struct event *ev)
{
	if (ev->operation == ACT_OPEN && ev->head.type == REC_DECISION)
		return verb_name(ev->verb);
	return operation_name(ev->operation);
}

static void say_action(struct work *w, const char *verdict)
{
	struct buf *b = &w->e->message;

	buf_add_str(b, verdict);
	buf_add_str(b, action_word(w->ev));
	if (field_has(w->set, F_SB_ARG) && (w->ev->operation == ACT_SIGNAL || w->ev->operation == ACT_SOCKET)) {
		buf_add_char(b, ' ');
		buf_add_str(b, w->e->arg);
	}
	say_object(w);
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
	set_arg(w);
	set_repeats(w);
	set_rule(w);
	set_object(w);
	set_actor_self(w, true);
	say_action(w, would ? "would refuse: " : "refused: ");
	say_rule(w);
}

/* A flow or a file that was allowed. */
static void set_access(struct work *w)
{
	field_u64(w->set, F_ACTION_ID, 1);
	if (w->ev->rule != RULE_NONE)
		set_rule(w);
	set_object(w);
	set_actor_self(w, false);
	say_action(w, "");
}

static void set_exec(struct work *w)
{
	const struct event *ev = w->ev;
	struct buf *b = &w->e->message;

	set_actor_parent(w);
	set_process_self(w);
	set_bytes(w, F_PROCESS_CMD_LINE, (struct bytes){ w->e->command_line.data, w->e->command_line.len });
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

	set_process_self(w);
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

static unsigned severity_of(const struct event *ev)
{
	unsigned severity = ev->class_id == CLASS_GUARD ? 4 : 3;

	if (ev->head.type != REC_DECISION)
		return 1;
	return ev->verdict == VERDICT_WOULD_DENY ? severity - 1 : severity;
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
			severity_of(w->ev), ms);
	events_set_activity_name(w->e, operation_name(w->ev->operation));
	(void)events_set_sandbox(w->e, h->sandbox, h->generation, &w->sandbox);
	events_set_command(w->e, h->sandbox, h->command);
	if (h->generation)
		field_u64(w->set, F_SB_GENERATION, h->generation);
	field_u64(w->set, F_SEQ_RING, h->ring);
	field_u64(w->set, F_SEQ_CPU, h->cpu);
	field_u64(w->set, F_SEQ_N, h->seq);
	set_user(w);
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
	w.class_id = class_of(&ev);
	set_common(&w);
	setters[ev.head.type](&w);
	return events_finish(e, line);
}
