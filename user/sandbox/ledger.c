/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/ledger.h"

int ledger_init(struct ledger *l, size_t nrules)
{
	struct ledger_row *rows = calloc(nrules + B_COUNT, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	l->nrules = nrules;
	l->rows = rows;
	return 0;
}

void ledger_done(struct ledger *l)
{
	free(l->rows);
	*l = (struct ledger){ 0 };
}

static struct ledger_row *row_of(struct ledger *l, uint32_t rule)
{
	if (rule >= BUILTIN_BASE)
		return l->rows && rule - BUILTIN_BASE < B_COUNT ? &l->rows[l->nrules + (rule - BUILTIN_BASE)] : NULL;
	return rule < l->nrules ? &l->rows[rule] : NULL;
}

void ledger_cover(struct ledger *l, uint32_t rule, enum verdict verdict, uint64_t n, uint64_t now_ms)
{
	struct ledger_row *r = row_of(l, rule);

	if (!r)
		return;
	if (verdict == VERDICT_DENY || verdict == VERDICT_KILL)
		r->covered.refused += n;
	else if (verdict == VERDICT_WOULD_DENY)
		r->covered.would += n;
	r->moved_ms = now_ms;
}

static int count_row(struct ledger_row *r, const struct counter *c, uint64_t now_ms)
{
	if (c->refused < r->counted.refused || c->would < r->counted.would)
		return -ERANGE;
	if (!r->told_ms && (c->refused || c->would))
		r->told_ms = now_ms;
	r->counted = *c;
	return 0;
}

int ledger_count(struct ledger *l, const struct counter *rules, const struct counter *builtin, uint64_t now_ms)
{
	int err = 0;

	for (size_t i = 0; l->rows && i < l->nrules + B_COUNT; i++) {
		const struct counter *c = i < l->nrules ? &rules[i] : &builtin[i - l->nrules];
		int bad = count_row(&l->rows[i], c, now_ms);

		err = err ? err : bad;
	}
	return err;
}

struct counter ledger_total(const struct ledger *l)
{
	struct counter sum = { 0 };

	for (size_t i = 0; l->rows && i < l->nrules + B_COUNT; i++) {
		sum.refused += l->rows[i].counted.refused;
		sum.would += l->rows[i].counted.would;
	}
	return sum;
}

static bool more(const struct counter *a, const struct counter *b)
{
	return a->refused > b->refused || a->would > b->would;
}

static bool row_due(const struct ledger_row *r, uint64_t now_ms, bool last)
{
	if (last)
		return r->counted.refused || r->counted.would;
	if (!more(&r->counted, &r->told) || !more(&r->counted, &r->covered))
		return false;	/* said already, or the events say it all */
	return now_ms - r->moved_ms >= LEDGER_QUIET_MS || now_ms - r->told_ms >= LEDGER_LOUD_MS;
}

void ledger_due(struct ledger *l, uint64_t now_ms, bool last, ledger_fn fn, void *ctx)
{
	for (size_t i = 0; l->rows && i < l->nrules + B_COUNT; i++) {
		struct ledger_row *r = &l->rows[i];
		uint32_t rule = i < l->nrules ? i : BUILTIN_BASE + (i - l->nrules);

		if (!row_due(r, now_ms, last) || fn(ctx, rule, r))
			continue;
		r->told = r->counted;
		r->told_ms = now_ms;
	}
}
