/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a sandbox. In the kernel it is done at once: every hook refuses its members. Killing, the last records, the final
 * counts and the removal of its traces follow as fast as processes die; the loop never waits for them.
 */
#include <stdio.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

static void answer_waiters(struct engine *e, struct session *s, const char *trouble)
{
	struct engine_waiter **p = &e->waiters;

	while (*p) {
		struct engine_waiter *w = *p;
		uint64_t conn = w->conn;
		_buf_ struct buf b = { 0 };

		if (w->session != s) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		free(w);
		kv_begin(&b);
		kv_add_u64(&b, "ok", !trouble);
		if (trouble) {
			kv_add_str(&b, "error", trouble);
			kv_add_u64(&b, "errno", EBUSY);
		}
		kv_add_u64(&b, "killed", s->killed);
		server_reply(e->server, conn, &b);
		p = &e->waiters;	/* the answer may have closed the connection, and that changes the list */
	}
}

/* Also of policies that were replaced so long ago that their rules have no names any more, as one. */
static size_t all_counts(const struct session *s, struct event_count *out)
{
	size_t n = s->retired.refused || s->retired.would;

	if (n && out)
		out[0] = (struct event_count){ .refused = s->retired.refused, .would = s->retired.would, .rule = RULE_NONE };
	for (const struct session_generation *g = s->generation; g; g = g->older) {
		for (size_t i = 0; g->ledger.rows && i < g->ledger.nrules + B_COUNT; i++) {
			const struct counter *c = &g->ledger.rows[i].counted;

			if (!c->refused && !c->would)
				continue;
			if (out)
				out[n] = (struct event_count){ .generation = g->number, .refused = c->refused, .would = c->would,
					.rule = i < g->ledger.nrules ? i : BUILTIN_BASE + (i - g->ledger.nrules) };
			n++;
		}
	}
	return n;
}

static void tell_end(struct engine *e, struct session *s)
{
	_free_ struct event_count *counts = calloc(all_counts(s, NULL) + 1, sizeof(*counts));
	struct event_notice n = { .kind = NOTICE_SESSION_END, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id,
		.generation = s->generation ? s->generation->number : 0, .text = s->end_reason, .count = s->events };
	struct kernel_sandbox row;

	if (s->kernel_id && !kernel_sandbox_get(e->kernel, s->kernel_id, &row))
		n.killed = row.killed;

	if (counts) {
		n.counts = counts;
		n.count_count = all_counts(s, counts);
	}
	(void)spine_notice(&e->spine, &n);
}

static void let_go(struct engine *e, struct session *s)
{
	uint64_t cgroup;

	for (struct session_command *c = s->commands; c; c = c->older) {
		if (c->alive)
			start_forget(e, s, c);
		c->alive = false;
	}
	registry_unwatch(e->sessions, s->watch);
	cgroup_unwatch(e->cgroups, s->watch);
	s->watch = -1;
	if (!cgroup_id_of(e->cgroups, s->id, 0, &cgroup))
		(void)kernel_cgroup_forget(e->kernel, cgroup);
	loop_remove(s->while_source);
	s->while_source = NULL;
	if (s->while_fd >= 0)
		close(s->while_fd);
	s->while_fd = -1;
}

/* What a successor needs to end it again, should we be killed before its last line is on the disk. It may then be told twice, never not at all. */
struct engine_trace {
	struct engine_trace *next;
	uint64_t kernel_id, line;	/* line: its end is told by an earlier one; 0: not known yet */
	char id[ULID_CHARS + 1];
};

static void trace_drop(struct engine *e, const char *id, uint64_t kernel_id)
{
	int err = kernel_sandbox_free(e->kernel, kernel_id);

	if (err)
		log_err(err, "sandbox %s: its row in the kernel stays", id);
	(void)session_forget(e->state_dir, id);
}

static void trace_keep(struct engine *e, const struct session *s)
{
	struct engine_trace *t = calloc(1, sizeof(*t)), **last = &e->traces;

	if (!t) {
		trace_drop(e, s->id, s->kernel_id);
		return;
	}
	t->kernel_id = s->kernel_id;
	memcpy(t->id, s->id, sizeof(t->id));
	while (*last)
		last = &(*last)->next;
	*last = t;
}

void end_release(struct engine *e)
{
	uint64_t durable = journal_durable_seq(e->spine.journal);

	if (!spine_blocked(&e->spine)) {
		for (struct engine_trace *t = e->traces; t; t = t->next)
			t->line = t->line ? t->line : e->spine.next_line;
	}
	while (e->traces && e->traces->line && e->traces->line <= durable) {
		struct engine_trace *t = e->traces;

		e->traces = t->next;
		trace_drop(e, t->id, t->kernel_id);
		free(t);
	}
}

void end_settle(struct engine *e)
{
	if (e->traces && !journal_flush(e->spine.journal))
		end_release(e);
}

void end_forget(struct engine *e)
{
	while (e->traces) {
		struct engine_trace *t = e->traces;

		e->traces = t->next;
		free(t);
	}
}

/* Nothing of it lives: the last records, the last counts, then its traces go; what a successor needs goes when they are on the disk. */
static void finish(struct engine *e, struct session *s)
{
	int err;

	(void)account_drain(e);
	account_session(e, s);
	why_keep(e, s);
	let_go(e, s);
	tell_end(e, s);
	trace_keep(e, s);
	err = cgroup_remove(e->cgroups, s->id, 0);
	if (err)
		log_err(err, "sandbox %s: its cgroup stays", s->id);
	registry_bind(e->sessions, s, 0);
	s->ended_ms = clock_wall_ms();
	e->busy_ms = clock_mono_ms();
	answer_waiters(e, s, NULL);
	session_shed(s);
	registry_ended(e->sessions, s);
}

static uint32_t members_left(struct engine *e, const struct session *s)
{
	struct kernel_sandbox row;

	if (!s->enforced)
		return 0;	/* the cgroup alone is the membership there */
	return kernel_sandbox_get(e->kernel, s->kernel_id, &row) ? 0 : row.members;
}

static void say_stuck(struct engine *e, struct session *s, uint32_t members)
{
	char text[200];

	s->stuck = true;
	snprintf(text, sizeof(text), "%u task%s of it still %s %s its cgroup; all that they try is refused", members, PLURAL(members), members == 1 ? "lives" : "live",
		cgroup_populated(e->cgroups, s->id, 0) ? "in" : "outside");
	log_warn(0, "sandbox %s: %s", s->id, text);
	answer_waiters(e, s, text);
}

/* True when it is gone. */
bool end_go_on(struct engine *e, struct session *s)
{
	int populated = cgroup_populated(e->cgroups, s->id, 0);
	uint32_t members = members_left(e, s);

	if (!populated && !members) {
		finish(e, s);
		return true;
	}
	if (populated)
		(void)cgroup_kill(e->cgroups, s->id);	/* again: something may have been moved in meanwhile */
	if (!s->stuck && clock_mono_ms() - s->ending_ms > ENGINE_STUCK_MS)
		say_stuck(e, s, members);
	return false;
}

static struct session *first_ending(struct engine *e, const struct session *after)
{
	struct session *s = after ? after->next : registry_first(e->sessions);

	while (s && s->state != SESSION_ENDING)
		s = s->next;
	return s;
}

/* Finished sessions stay in the list for their summary, so that the walk holds; one that falls off its end is never an ending one. */
static void on_pulse(void *ctx)
{
	struct engine *e = ctx;
	size_t left = 0;

	for (struct session *s = first_ending(e, NULL), *next; s; s = next) {
		next = first_ending(e, s);
		left += !end_go_on(e, s);
	}
	if (!left) {
		loop_remove(e->pulse);
		e->pulse = NULL;
	}
}

static void end_in_kernel(struct engine *e, struct session *s)
{
	int err = kernel_sandbox_end(e->kernel, s->kernel_id);

	if (err)
		log_err(err, "sandbox %s: the kernel does not end it", s->id);
}

void end_resume(struct engine *e, struct session *s)
{
	int err;

	end_in_kernel(e, s);
	err = cgroup_kill(e->cgroups, s->id);
	if (err)
		log_err(err, "sandbox %s: its cgroup cannot be killed", s->id);
	s->ending_ms = clock_mono_ms();
	if (end_go_on(e, s) || e->pulse)
		return;
	err = loop_add_timer(e->loop, ENGINE_PULSE_MS, ENGINE_PULSE_MS, on_pulse, e, &e->pulse);
	if (err)
		log_err(err, "sandbox %s: its end waits for the next tick", s->id);
}

void end_begin(struct engine *e, struct session *s, const char *reason)
{
	if (s->state != SESSION_LIVE)
		return;
	s->state = SESSION_ENDING;
	snprintf(s->end_reason, sizeof(s->end_reason), "%s", reason);
	s->killed = cgroup_processes(e->cgroups, s->id);
	flow_save(e, s);
	end_resume(e, s);
}

/* Nothing to kill, and for a successor nothing to know: it would find the cgroup as empty. Members outside it are ended the long way. */
void end_empty(struct engine *e, struct session *s, const char *reason)
{
	if (members_left(e, s)) {
		end_begin(e, s, reason);
		return;
	}
	s->state = SESSION_ENDING;
	snprintf(s->end_reason, sizeof(s->end_reason), "%s", reason);
	end_in_kernel(e, s);
	finish(e, s);
}

int end_wait(struct engine *e, struct session *s, uint64_t conn)
{
	struct engine_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct engine_waiter){ .conn = conn, .session = s, .next = e->waiters };
	e->waiters = w;
	return 0;
}
