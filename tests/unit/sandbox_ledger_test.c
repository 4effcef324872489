/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"
#include "sandbox/ledger.h"
#include "tests/unit/test.h"

#define RULES 3

struct notes {
	size_t count;
	uint32_t rule;
	uint64_t refused, would, covered;
	int answer;
};

static int note(void *ctx, uint32_t rule, const struct ledger_row *row)
{
	struct notes *n = ctx;

	n->count++;
	n->rule = rule;
	n->refused = row->counted.refused;
	n->would = row->counted.would;
	n->covered = row->covered.refused;
	return n->answer;
}

struct cells {
	struct counter rules[RULES], builtin[B_COUNT];
};

TEST(ledger_says_nothing_while_the_events_cover_every_refusal)
{
	struct ledger l;
	struct cells c = { .rules[1] = { .refused = 5 } };
	struct notes n = { 0 };

	CHECK_OK(ledger_init(&l, RULES));
	ledger_cover(&l, 1, VERDICT_DENY, 1, 100);
	ledger_cover(&l, 1, VERDICT_DENY, 4, 100);
	CHECK_OK(ledger_count(&l, c.rules, c.builtin, 100));
	ledger_due(&l, 1000000, false, note, &n);
	CHECK_EQ(n.count, 0);
	ledger_done(&l);
}

TEST(ledger_tells_a_folded_rest_once_when_it_has_been_quiet)
{
	struct ledger l;
	struct cells c = { .rules[2] = { .refused = 1000 } };
	struct notes n = { 0 };

	CHECK_OK(ledger_init(&l, RULES));
	ledger_cover(&l, 2, VERDICT_DENY, 1, 100);
	CHECK_OK(ledger_count(&l, c.rules, c.builtin, 100));
	ledger_due(&l, 100 + LEDGER_QUIET_MS - 1, false, note, &n);
	CHECK_EQ(n.count, 0);
	ledger_due(&l, 100 + LEDGER_QUIET_MS, false, note, &n);
	CHECK_EQ(n.count, 1);
	CHECK_EQ(n.rule, 2);
	CHECK_EQ(n.refused, 1000);
	CHECK_EQ(n.covered, 1);
	ledger_due(&l, 1000000, false, note, &n);
	CHECK_EQ(n.count, 1);
	ledger_done(&l);
}

TEST(ledger_tells_a_flood_that_never_lets_up_now_and_then)
{
	struct ledger l;
	struct cells c = { 0 };
	struct notes n = { 0 };

	CHECK_OK(ledger_init(&l, RULES));
	for (uint64_t now = 1000; now <= 1000 + 3 * LEDGER_LOUD_MS; now += 1000) {
		c.builtin[B_SELF].would += 500;
		ledger_cover(&l, RULE_BUILTIN(SELF), VERDICT_WOULD_DENY, 1, now);
		CHECK_OK(ledger_count(&l, c.rules, c.builtin, now));
		ledger_due(&l, now, false, note, &n);
	}
	CHECK_EQ(n.count, 3);
	CHECK_EQ(n.rule, RULE_BUILTIN(SELF));
	ledger_done(&l);
}

TEST(ledger_asks_again_when_the_notice_could_not_be_written)
{
	struct ledger l;
	struct cells c = { .rules[0] = { .would = 7 } };
	struct notes n = { .answer = -ENOBUFS };

	CHECK_OK(ledger_init(&l, RULES));
	CHECK_OK(ledger_count(&l, c.rules, c.builtin, 1));
	ledger_due(&l, 100000, false, note, &n);
	n.answer = 0;
	ledger_due(&l, 100000, false, note, &n);
	ledger_due(&l, 100000, false, note, &n);
	CHECK_EQ(n.count, 2);
	CHECK_EQ(n.would, 7);
	ledger_done(&l);
}

TEST(ledger_last_word_names_every_rule_that_ever_refused)
{
	struct ledger l;
	struct cells c = { .rules[0] = { .refused = 1 }, .builtin[B_MOUNT] = { .refused = 2 } };
	struct notes n = { 0 };

	CHECK_OK(ledger_init(&l, RULES));
	ledger_cover(&l, 0, VERDICT_DENY, 1, 1);
	CHECK_OK(ledger_count(&l, c.rules, c.builtin, 1));
	ledger_due(&l, 2, true, note, &n);
	CHECK_EQ(n.count, 2);
	CHECK_EQ(ledger_total(&l).refused, 3);
	ledger_done(&l);
}

TEST(ledger_a_counter_that_goes_back_is_reported_and_not_believed)
{
	struct ledger l;
	struct cells c = { .rules[0] = { .refused = 9 } };

	CHECK_OK(ledger_init(&l, RULES));
	CHECK_OK(ledger_count(&l, c.rules, c.builtin, 1));
	c.rules[0].refused = 8;
	CHECK_EQ(ledger_count(&l, c.rules, c.builtin, 1), -ERANGE);
	CHECK_EQ(ledger_total(&l).refused, 9);
	ledger_done(&l);
}

TEST(ledger_ignores_rules_that_the_policy_does_not_have)
{
	struct ledger l;

	CHECK_OK(ledger_init(&l, RULES));
	ledger_cover(&l, RULES, VERDICT_DENY, 1, 1);
	ledger_cover(&l, BUILTIN_BASE + B_COUNT, VERDICT_DENY, 1, 1);
	ledger_cover(&l, RULE_NONE, VERDICT_DENY, 1, 1);
	CHECK_EQ(ledger_total(&l).refused, 0);
	ledger_done(&l);
}

TEST_MAIN()
