/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an earlier engine left: sandboxes that live on in the kernel get their names and policies back from their files; what is in a
 * file or a cgroup and not in the kernel any more is killed and removed, for nothing would judge it.
 */
#include <stdio.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

struct adoption {
	struct engine *engine;
	struct kernel_sandbox *rows;
	size_t count, reopened;
};

static struct kernel_sandbox *row_of(struct adoption *a, uint64_t kernel_id)
{
	for (size_t i = 0; i < a->count; i++) {
		if (a->rows[i].id == kernel_id)
			return &a->rows[i];
	}
	return NULL;
}

/* Policies as far as they can be had back; a number that the kernel never reached was never in force. */
static void revive_policies(struct engine *e, struct session *s, uint32_t in_force)
{
	while (s->generation && s->generation->number > in_force && s->generation->older) {
		struct session_generation *g = s->generation;

		s->generation = g->older;
		session_generation_free(g);
	}
	for (struct session_generation *g = s->generation; g; g = g->older) {
		int err = generation_revive(g, (const char *const *)e->own);

		g->ledger.inherited = true;
		if (err)
			log_warn(err, "sandbox %s: policy generation %u cannot be had back; its rules have numbers only", s->id, g->number);
	}
}

/* The kernel has it: enforcement never paused. */
static void take_over(struct adoption *a, struct session *s, struct kernel_sandbox *row)
{
	struct engine *e = a->engine;

	revive_policies(e, s, row->generation);
	s->cgroup_id = row->cgroup_id;
	s->deadline_ns = row->deadline_ns;
	if (row->state == SANDBOX_ENDING) {
		s->state = SESSION_ENDING;
		if (!s->end_reason[0])
			snprintf(s->end_reason, sizeof(s->end_reason), SESSION_EMPTY);
	}
	registry_bind(e->sessions, s, row->id);
	row->id = 0;
}

/*
 * Observe-only: the rows died with the engine, the cgroups did not. They get new rows; what happened meanwhile is not in the record, and the
 * notice about the time without an engine says how long that was.
 */
static int reopen(struct engine *e, struct session *s)
{
	_cleanup_(policy_image_done) struct policy_image img = { 0 };
	_cleanup_(diags_done) struct diags diags = { 0 };
	struct kernel_sandbox row;
	char why[256];
	uint64_t id;
	int err;

	revive_policies(e, s, UINT32_MAX);
	if (!s->generation->policy || cgroup_id_of(e->cgroups, s->id, 0, &s->cgroup_id))
		return -ENOENT;
	err = policy_compile(s->generation->policy, &img, &diags);
	if (!err)
		err = engine_attach(e, why);
	if (!err)
		err = kernel_sandbox_new(e->kernel, &img, s->stage, s->cgroup_id, s->deadline_ns, &id);
	if (err)
		return err;
	registry_bind(e->sessions, s, id);
	if (!kernel_sandbox_get(e->kernel, id, &row))
		s->generation->number = row.generation;
	err = kernel_cgroup_govern(e->kernel, s->cgroup_id, id, 0);
	for (struct session_command *c = s->commands; c && !err; c = c->older) {
		uint64_t cgroup;

		if (c->alive && !cgroup_id_of(e->cgroups, s->id, c->number, &cgroup))
			err = kernel_cgroup_govern(e->kernel, cgroup, id, c->number);
	}
	return err;
}

/* In a file and not in the kernel: nothing judges it, so nothing of it may go on. */
static void bury(struct engine *e, struct session *s)
{
	struct event_notice n = { .kind = NOTICE_SESSION_END, .time_ns = clock_boot_ns() };
	char text[200];
	int err;

	(void)cgroup_kill(e->cgroups, s->id);
	err = cgroup_remove(e->cgroups, s->id, 0);
	snprintf(text, sizeof(text), "sandbox %s was found without its kernel side; what lived in it was killed", s->id);
	n.text = text;
	(void)spine_notice(&e->spine, &n);
	log_warn(err, "%s", text);
	(void)session_forget(e->state_dir, s->id);
	registry_remove(e->sessions, s);
}

static void on_file(void *ctx, const char *name)
{
	struct adoption *a = ctx;
	struct engine *e = a->engine;
	struct kernel_sandbox *row;
	struct session *s;
	int err = session_load(e->state_dir, name, e->boot_id, &s);
	uint64_t kernel_id;

	if (err) {
		if (err != -ESTALE)
			log_warn(err, "sandbox %s: its file cannot be read back", name);
		(void)session_forget(e->state_dir, name);
		return;
	}
	kernel_id = s->kernel_id;
	s->kernel_id = 0;	/* registry_bind sets it */
	if (registry_add(e->sessions, s)) {
		session_free(s);
		return;
	}
	row = row_of(a, kernel_id);
	if (row)
		take_over(a, s, row);
	else if (s->enforced || e->enforcing || reopen(e, s))
		bury(e, s);
	else
		a->reopened++;
}

/* ---- rows without a file ---- */
struct named {
	uint64_t cgroup_id;
	char name[ULID_CHARS + 1];
};

static void on_cgroup(void *ctx, const char *name, uint64_t cgroup_id)
{
	struct named *n = ctx;

	if (n->cgroup_id == cgroup_id && ulid_valid(name))
		snprintf(n->name, sizeof(n->name), "%s", name);
}

/*
 * The engine died between making the row and writing the file, or somebody removed the file. With nobody in it the row goes; with members it
 * stays enforced and is ended, for nobody can name it or its rules any more.
 */
static void adopt_nameless(struct adoption *a, struct kernel_sandbox *row)
{
	struct engine *e = a->engine;
	struct named n = { .cgroup_id = row->cgroup_id };
	struct session *s;

	(void)cgroup_list(e->cgroups, on_cgroup, &n);
	if (!n.name[0] && ulid_make(&e->ids, clock_wall_ms(), n.name))
		return;
	s = session_new(n.name);
	if (!s || registry_add(e->sessions, s)) {
		session_free(s);
		return;
	}
	snprintf(s->name, sizeof(s->name), "unknown");
	s->stage = row->stage;
	s->enforced = e->enforcing;
	registry_bind(e->sessions, s, row->id);
	end_begin(e, s, "found in the kernel without a name");
}

/* ---- cgroups without either ---- */
static void on_leftover(void *ctx, const char *name, uint64_t cgroup_id)
{
	struct engine *e = ctx;
	int err;

	(void)cgroup_id;
	if (!ulid_valid(name) || registry_find(e->sessions, name))
		return;
	(void)cgroup_kill(e->cgroups, name);
	err = cgroup_remove(e->cgroups, name, 0);
	log_warn(err, "cgroup %s of no sandbox was found; it is killed and removed", name);
}

static void tell_absence(struct engine *e, size_t sandboxes)
{
	struct event_notice n = { .kind = NOTICE_ENGINE_ABSENT, .time_ns = clock_boot_ns(), .count = sandboxes,
		.from_ns = e->adoption.beat_ns };

	n.until_ns = n.time_ns;
	(void)spine_notice(&e->spine, &n);
}

int adopt_all(struct engine *e)
{
	_free_ struct kernel_sandbox *rows = calloc(MAX_SANDBOXES, sizeof(*rows));
	struct adoption a = { .engine = e, .rows = rows };
	int err;

	if (!rows)
		return -ENOMEM;
	a.count = kernel_sandbox_list(e->kernel, rows, MAX_SANDBOXES);
	err = session_files(e->state_dir, on_file, &a);
	if (err)
		return err;
	if (a.count || a.reopened)
		tell_absence(e, a.count + a.reopened);
	account_drain_all(e);	/* while every name can be had: ending below forgets some */
	for (size_t i = 0; i < a.count; i++) {
		if (rows[i].id)
			adopt_nameless(&a, &rows[i]);
	}
	for (struct session *s = registry_first(e->sessions); s; s = s->next) {
		if (s->state == SESSION_ENDED || !s->kernel_id || !s->generation)
			continue;
		if (s->generation->older)
			account_retired(e, s, s->generation->older);	/* a reload may have been under way */
		coverage_notice(e, s);
		flow_save(e, s);
		kernel_counters_settled(e->kernel, s->kernel_id);
		flow_adopted(e, s);
	}
	return cgroup_list(e->cgroups, on_leftover, e);
}
