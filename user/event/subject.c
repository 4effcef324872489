/* SPDX-License-Identifier: Apache-2.0 */
/* Who: the process of a record, its program, parents and user, from the head and from what the process tree remembers. */
#include "event/record.h"

#define SHOWN_COMMAND_LINE 120
#define ANCESTORS 4

static struct bytes program_path(const struct proc *p)
{
	return p && p->program ? (struct bytes){ p->program->bytes, p->program->path_len } : (struct bytes){};
}

/* The program file's name, else what the process calls itself. */
struct bytes program_name(const struct proc *p)
{
	struct bytes path = program_path(p);

	return path.n ? base_name(path) : (struct bytes){ p->comm, strlen(p->comm) };
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

void subject_set_user(struct work *w)
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

void subject_set_actor(struct work *w, bool refusal)
{
	const struct rec_head *h = &w->ev->head;
	const struct proc *parent = proctree_parent(w->e->processes, w->proc);
	const struct program *g = w->proc->program;

	process_uid(w->e->actor_uid, h->tgid, h->start_ns);
	field_u64(w->set, F_ACTOR_PID, h->tgid);
	field_str(w->set, F_ACTOR_UID, w->e->actor_uid);
	field_str(w->set, F_ACTOR_NAME, w->proc->comm);
	work_set_bytes(w, F_ACTOR_PATH, program_path(w->proc));
	if (w->class_id != EVENT_CLASS_PROCESS || w->ev->operation != ACT_EXEC)
		field_str(w->set, F_ACTOR_SANDBOX, w->sandbox.name);
	if (!refusal)
		return;
	field_u64(w->set, F_ACTOR_PARENT_PID, h->parent_tgid);
	if (parent)
		work_set_bytes(w, F_ACTOR_PARENT_NAME, program_name(parent));
	if (g && g->command_line_len)
		field_bytes(w->set, F_ACTOR_CMD_LINE, g->bytes + g->path_len,
			    g->command_line_len < SHOWN_COMMAND_LINE ? g->command_line_len : SHOWN_COMMAND_LINE);
	set_ancestry(w, parent);
}

/* Of an exec the actor is the parent, of an exit nobody but the user. */
void subject_set_parent(struct work *w)
{
	const struct rec_head *h = &w->ev->head;
	const struct proc *parent = proctree_parent(w->e->processes, w->proc);

	process_uid(w->e->actor_uid, h->parent_tgid, h->parent_start_ns);
	field_u64(w->set, F_ACTOR_PID, h->parent_tgid);
	field_str(w->set, F_ACTOR_UID, w->e->actor_uid);
	if (parent)
		work_set_bytes(w, F_ACTOR_NAME, program_name(parent));
}

void subject_set_process(struct work *w)
{
	const struct rec_head *h = &w->ev->head;

	process_uid(w->e->process_uid, h->tgid, h->start_ns);
	field_u64(w->set, F_PROCESS_PID, h->tgid);
	field_str(w->set, F_PROCESS_UID, w->e->process_uid);
	work_set_bytes(w, F_PROCESS_NAME, program_name(w->proc));
	work_set_bytes(w, F_PROCESS_PATH, program_path(w->proc));
	field_str(w->set, F_PROCESS_SANDBOX, w->sandbox.name);
}
