/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For one generation of one sandbox's policy: what the kernel counted under each rule, and how much of that the detailed events in
 * the record cover. The difference is written as `counted` notices, so that the record holds every refusal exactly, whatever
 * was folded or found no room. Pure.
 */
#ifndef SANDBOX_LEDGER_H
#define SANDBOX_LEDGER_H

#include "base/base.h"
#include "bpf/abi.h"

#define LEDGER_QUIET_MS	(FOLD_WINDOW_NS / 1000000 + 5000)	/* a folded rest that no further refusal flushed by now needs a notice */
#define LEDGER_LOUD_MS	60000	/* under a flood that never lets up a notice comes this often */

struct ledger_row {
	struct counter counted;		/* by the kernel, since this generation began */
	struct counter covered;		/* by detailed events, repeats included */
	struct counter told;		/* counted, as the last notice said it */
	uint64_t moved_ms;		/* when covered last grew */
	uint64_t told_ms;		/* when told was written, at first when anything was counted */
};

struct ledger {
	size_t nrules;			/* rows: the policy's rules, then the builtin ones */
	struct ledger_row *rows;
	bool inherited;			/* events of an earlier engine cover some of it: how many is not known here */
};

int ledger_init(struct ledger *l, size_t nrules);
void ledger_done(struct ledger *l);
/* A detailed event under this rule (a policy's number or RULE_BUILTIN) is in the record and stands for n refusals. */
void ledger_cover(struct ledger *l, uint32_t rule, enum verdict verdict, uint64_t n, uint64_t now_ms);
/* The kernel's counters. Cells never go back: what would is ignored and reported as -ERANGE. */
int ledger_count(struct ledger *l, const struct counter *rules, const struct counter *builtin, uint64_t now_ms);
struct counter ledger_total(const struct ledger *l);

/* Call fn for each rule that needs a notice now; last: for each rule that ever counted anything. fn returning 0 marks it told. */
typedef int (*ledger_fn)(void *ctx, uint32_t rule, const struct ledger_row *row);
void ledger_due(struct ledger *l, uint64_t now_ms, bool last, ledger_fn fn, void *ctx);

#endif
