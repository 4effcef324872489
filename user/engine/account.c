/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records come in, and what the kernel counted is compared with what their events cover: the difference is written as `counted` notices, so
 * that the record holds every refusal.
 */
#include <stdio.h>
#include "base/counter.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

#define ACCOUNT_ROUNDS 16	/* of draining at one go: a flood is not waited out */

static void cover(struct session *s, const void *record, size_t size)
{
	const struct rec_decision *d = record;
	struct session_generation *g;

	if (size < sizeof(*d))
		return;
	g = session_generation_find(s, d->h.generation);
	if (g)
		ledger_cover(&g->ledger, d->rule, d->verdict, 1 + d->repeats, clock_mono_ms());
}

static void on_record(void *ctx, const void *record, size_t size)
{
	struct engine *e = ctx;
	struct rec_head head;
	struct session *s;

	if (spine_record(&e->spine, record, size, &head))
		return;	/* counted there; its refusals stay uncovered and are told by their rule's counter */
	s = registry_find_kernel(e->sessions, head.sandbox);
	if (!s)
		return;
	s->events++;
	if (head.type == REC_DECISION)
		cover(s, record, size);
}

/* How far the kernel numbered, read before the rings are emptied: what does not come out of them by then is lost. */
static void reach(struct engine *e, uint64_t *numbers, size_t cpus, bool tell)
{
	for (uint32_t ring = 0; ring < RING_COUNT; ring++) {
		for (uint32_t cpu = 0; cpu < cpus; cpu++) {
			uint64_t *n = &numbers[ring * cpus + cpu];

			if (tell)
				spine_reached(&e->spine, ring, cpu, *n);
			else
				*n = kernel_sequence(e->kernel, ring, cpu);
		}
	}
}

int account_drain(struct engine *e)
{
	int r = 0;

	for (int round = 0; round < ACCOUNT_ROUNDS && !spine_blocked(&e->spine); round++) {
		r = kernel_drain(e->kernel, on_record, e);
		if (r < 0)
			return log_err(r, "the kernel's rings cannot be read");
		if (r < KERNEL_DRAIN_MAX)
			return 0;
	}
	return -EAGAIN;
}

void account_drain_all(struct engine *e)
{
	size_t cpus = sysconf(_SC_NPROCESSORS_CONF);
	_free_ uint64_t *numbers = calloc(RING_COUNT * cpus, sizeof(*numbers));

	if (numbers)
		reach(e, numbers, cpus, false);
	if (!account_drain(e) && numbers)
		reach(e, numbers, cpus, true);
}

void account_session(struct engine *e, struct session *s)
{
	struct session_generation *g = s->generation;
	struct counter builtin[B_COUNT] = { 0 };
	_free_ struct counter *rules = NULL;
	int err;

	if (!s->kernel_id || !g || !g->ledger.rows)
		return;
	rules = calloc(g->ledger.nrules + 1, sizeof(*rules));
	err = rules ? kernel_counters(e->kernel, s->kernel_id, rules, g->ledger.nrules, builtin) : -ENOMEM;
	if (!err)
		err = ledger_count(&g->ledger, rules, builtin, clock_mono_ms());
	if (err)
		log_warn(err, "sandbox %s: its counters cannot be read", s->id);
}

struct telling {
	struct engine *engine;
	struct session *session;
	struct session_generation *generation;
};

void account_retired(struct engine *e, struct session *s, struct session_generation *g)
{
	struct counter builtin[B_COUNT] = { 0 };
	_free_ struct counter *rules = g->ledger.rows ? calloc(g->ledger.nrules + 1, sizeof(*rules)) : NULL;
	int err = -ENOENT;

	if (rules)
		err = kernel_counters_retired(e->kernel, s->kernel_id, rules, g->ledger.nrules, builtin);
	if (err == -ENOENT)
		return;		/* settled */
	if (!err)
		err = ledger_count(&g->ledger, rules, builtin, clock_mono_ms());
	if (err)
		log_warn(err, "sandbox %s: the last counts of policy generation %u cannot be read", s->id, g->number);
}

static int tell_count(void *ctx, uint32_t rule, const struct ledger_row *row)
{
	struct telling *t = ctx;
	struct event_count count = { .generation = t->generation->number, .rule = rule, .refused = row->counted.refused,
		.would = row->counted.would };
	struct event_notice n = { .kind = NOTICE_COUNTED, .time_ns = clock_boot_ns(), .sandbox = t->session->kernel_id,
		.generation = t->generation->number, .counts = &count, .count_count = 1 };
	uint64_t counted = row->counted.refused + row->counted.would, covered = row->covered.refused + row->covered.would;

	if (!t->generation->ledger.inherited)
		n.count = counted > covered ? counted - covered : 0;	/* how many have no event of their own */
	return spine_notice(&t->engine->spine, &n);
}

void account_notices(struct engine *e, struct session *s)
{
	for (struct session_generation *g = s->generation; g; g = g->older) {
		struct telling t = { e, s, g };

		ledger_due(&g->ledger, clock_mono_ms(), false, tell_count, &t);
	}
}

static void tell_end_of(struct engine *e, const struct session *s, const struct policy_rule_info *rule)
{
	struct event_notice n = { .kind = NOTICE_RULE_EXPIRED, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id, .generation = s->generation->number };
	_buf_ struct buf text = {};

	buf_addf(&text, "%s %s", rule->deny ? "deny" : "allow", rule->id);
	if (rule->line)
		buf_addf(&text, " (%s:%u)", rule->file, rule->line);
	buf_add_str(&text, rule->deny ? "; it goes on, for time alone opens nothing" : "; what it opened and is open stays open");
	n.text = text.data;
	(void)spine_notice(&e->spine, &n);
}

void account_ends(struct engine *e, struct session *s)
{
	struct session_generation *g = s->generation;
	int64_t now_s = clock_wall_ms() / 1000, end_s;

	if (s->state != SESSION_LIVE || !g || !g->policy)
		return;
	end_s = policy_next_end(g->policy, g->ends_told_s);
	if (!end_s || end_s > now_s)
		return;
	for (uint32_t i = 0; i < policy_rule_count(g->policy); i++) {
		struct policy_rule_info info;

		end_s = policy_rule_end(g->policy, i);
		if (end_s > g->ends_told_s && end_s <= now_s && !policy_rule(g->policy, i, &info))
			tell_end_of(e, s, &info);
	}
	g->ends_told_s = now_s;
	g->ends_line = 0;
}

void account_ends_keep(struct engine *e)
{
	uint64_t durable = journal_durable_seq(e->spine.journal);

	if (spine_blocked(&e->spine))
		return;		/* what was told has no line yet */
	for (struct session *s = registry_first(e->sessions); s; s = s->next) {
		struct session_generation *g = s->generation;

		if (s->state != SESSION_LIVE || !g || g->ends_kept_s == g->ends_told_s)
			continue;
		g->ends_line = g->ends_line ? g->ends_line : e->spine.next_line;
		if (g->ends_line > durable)
			continue;
		g->ends_kept_s = g->ends_told_s;
		flow_save(e, s);
	}
}

void account_heartbeat(struct engine *e)
{
	size_t living = registry_living(e->sessions);
	char text[200];
	int n = snprintf(text, sizeof(text), "%zu sandbox%s; kernel:", living, living == 1 ? "" : "es");

	static const struct {
		enum kernel_counter id;
		const char *name;
	} shown[] = { { KC_DECISION_LOST, "decisions lost" }, { KC_TELEMETRY_LOST, "telemetry lost" }, { KC_FOLDED, "folded" } };

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		n += snprintf(text + n, sizeof(text) - n, "%s %s %llu", i ? "," : "", shown[i].name,
			(unsigned long long)kernel_lost(e->kernel, shown[i].id));
	(void)spine_heartbeat(&e->spine, text);	/* logged there */
	e->beat_ms = clock_mono_ms();
}
