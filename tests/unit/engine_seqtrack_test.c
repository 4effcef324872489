/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/seqtrack.h"
#include "tests/unit/test.h"

struct told {
	struct seq_gap gaps[256];
	size_t count;
	uint64_t lost;
};

static void note(void *ctx, const struct seq_gap *gap)
{
	struct told *t = ctx;

	if (t->count < 256)
		t->gaps[t->count] = *gap;
	t->count++;
	t->lost += gap->count;
}

static struct seqtrack *make(struct told *t)
{
	struct seqtrack *s;

	memset(t, 0, sizeof(*t));
	CHECK_OK(seqtrack_new(note, t, &s));
	return s;
}

static enum seq_fate see(struct seqtrack *s, uint32_t ring, uint32_t cpu, uint64_t seq, uint64_t now)
{
	enum seq_fate fate;

	CHECK_OK(seqtrack_see(s, ring, cpu, seq, now, &fate));
	return fate;
}

TEST(seqtrack_a_complete_sequence_has_no_gap)
{
	struct told t;
	struct seqtrack *s = make(&t);

	for (uint64_t i = 1; i <= 1000; i++)
		CHECK_EQ(see(s, 0, 0, i, i), SEQ_NEW);
	seqtrack_expire(s, 1000000, true);
	CHECK_EQ(t.count, 0);
	seqtrack_free(s);
}

TEST(seqtrack_order_inside_a_cpu_may_be_mixed_within_the_grace_second)
{
	static const uint64_t order[] = { 2, 1, 5, 3, 4, 9, 8, 7, 6 };
	struct told t;
	struct seqtrack *s = make(&t);

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		CHECK_EQ(see(s, 0, 3, order[i], 10 * i), SEQ_NEW);
	seqtrack_expire(s, 100000, false);
	CHECK_EQ(t.count, 0);
	seqtrack_free(s);
}

TEST(seqtrack_a_hole_is_declared_once_after_the_grace_with_its_exact_range)
{
	struct told t;
	struct seqtrack *s = make(&t);

	see(s, 1, 2, 1, 0);
	see(s, 1, 2, 5, 100);
	seqtrack_expire(s, 100 + SEQ_GRACE_MS - 1, false);
	CHECK_EQ(t.count, 0);
	seqtrack_expire(s, 100 + SEQ_GRACE_MS, false);
	CHECK_EQ(t.count, 1);
	CHECK_EQ(t.gaps[0].ring, 1);
	CHECK_EQ(t.gaps[0].cpu, 2);
	CHECK_EQ(t.gaps[0].first, 2);
	CHECK_EQ(t.gaps[0].count, 3);
	seqtrack_expire(s, 99999, true);
	CHECK_EQ(t.count, 1);
	seqtrack_free(s);
}

TEST(seqtrack_what_comes_after_its_gap_was_declared_is_late)
{
	struct told t;
	struct seqtrack *s = make(&t);

	see(s, 0, 0, 3, 0);
	seqtrack_expire(s, 5000, false);
	CHECK_EQ(t.lost, 2);
	CHECK_EQ(see(s, 0, 0, 1, 5001), SEQ_LATE);
	CHECK_EQ(see(s, 0, 0, 3, 5001), SEQ_LATE);
	CHECK_EQ(see(s, 0, 0, 4, 5001), SEQ_NEW);
	seqtrack_free(s);
}

TEST(seqtrack_streams_of_rings_and_cpus_do_not_mix)
{
	struct told t;
	struct seqtrack *s = make(&t);

	for (uint32_t cpu = 0; cpu < 64; cpu++) {
		CHECK_EQ(see(s, 0, cpu, 1, 0), SEQ_NEW);
		CHECK_EQ(see(s, 1, cpu, 1, 0), SEQ_NEW);
	}
	seqtrack_expire(s, 99999, true);
	CHECK_EQ(t.count, 0);
	seqtrack_free(s);
}

TEST(seqtrack_numbers_that_cannot_be_are_refused)
{
	struct told t;
	struct seqtrack *s = make(&t);
	enum seq_fate fate;

	CHECK_EQ(seqtrack_see(s, 0, 0, 0, 0, &fate), -EINVAL);
	CHECK_EQ(seqtrack_see(s, 0, SEQ_CPUS_MAX, 1, 0, &fate), -EINVAL);
	CHECK_EQ(seqtrack_declared(s, 0, 0, UINT64_MAX, 2, 0), -EINVAL);
	CHECK_EQ(seqtrack_restore_hole(s, 0, 0, 1, 2, 0), -EINVAL);	/* above what was seen */
	CHECK_EQ(t.count, 0);
	seqtrack_free(s);
}

/* Lose a random third, mix the rest, and what is declared must be exactly what was lost. */
TEST(seqtrack_declared_and_seen_together_are_everything_for_random_losses)
{
	enum { N = 20000, NEAR = 16 };
	static uint8_t lost[N + 1];
	static uint64_t order[N];

	for (unsigned seed = 1; seed <= 8; seed++) {
		struct told t;
		struct seqtrack *s = make(&t);
		size_t kept = 0, gone = 0, late = 0;
		uint64_t last = 0;

		srand(seed);
		for (uint64_t i = 1; i <= N; i++) {
			lost[i] = rand() % 3 == 0;
			if (!lost[i])
				order[kept++] = i;
		}
		for (size_t i = 0; i + 1 < kept; i++) {
			size_t k = i + rand() % NEAR;
			uint64_t swap = order[i];

			if (k >= kept)
				k = kept - 1;
			order[i] = order[k];
			order[k] = swap;
		}
		for (size_t i = 0; i < kept; i++) {
			late += see(s, 0, 0, order[i], i) == SEQ_LATE;
			last = order[i] > last ? order[i] : last;
		}
		for (uint64_t i = 1; i <= last; i++)
			gone += lost[i];
		seqtrack_expire(s, 0, true);
		CHECK_EQ(t.lost - late, gone);
		seqtrack_free(s);
	}
}

TEST(seqtrack_many_open_holes_declare_the_oldest_and_lose_none)
{
	struct told t;
	struct seqtrack *s = make(&t);

	for (uint64_t i = 1; i <= 4 * SEQ_HOLES_MAX; i++)
		see(s, 0, 0, 2 * i, 0);
	CHECK_EQ(t.count, 3 * SEQ_HOLES_MAX);
	CHECK_EQ(t.gaps[0].first, 1);
	seqtrack_expire(s, 0, true);
	CHECK_EQ(t.lost, 4 * SEQ_HOLES_MAX);
	seqtrack_free(s);
}

TEST(seqtrack_a_successor_finds_exactly_what_was_drained_and_never_written)
{
	struct told t;
	struct seqtrack *s = make(&t);

	/* the heartbeat said: up to 100, with 40-41 still open; after it a gap notice for 40 and the lines 101, 103 */
	CHECK_OK(seqtrack_restore(s, 0, 1, 100));
	CHECK_OK(seqtrack_restore_hole(s, 0, 1, 40, 41, 0));
	CHECK_OK(seqtrack_declared(s, 0, 1, 40, 1, 0));
	see(s, 0, 1, 101, 0);
	see(s, 0, 1, 103, 0);
	/* and the kernel goes on at 110 */
	see(s, 0, 1, 110, 10);
	seqtrack_expire(s, 10 + SEQ_GRACE_MS, false);
	CHECK_EQ(t.count, 3);
	CHECK_EQ(t.gaps[0].first, 41);
	CHECK_EQ(t.gaps[0].count, 1);
	CHECK_EQ(t.gaps[1].first, 102);
	CHECK_EQ(t.gaps[1].count, 1);
	CHECK_EQ(t.gaps[2].first, 104);
	CHECK_EQ(t.gaps[2].count, 6);
	seqtrack_free(s);
}

TEST(seqtrack_what_the_kernel_says_it_reached_is_a_hole_until_it_comes)
{
	struct told t;
	struct seqtrack *s = make(&t);

	CHECK_OK(seqtrack_restore(s, 0, 0, 10));
	CHECK_OK(seqtrack_reached(s, 0, 0, 15, 0));
	CHECK_OK(seqtrack_reached(s, 0, 0, 12, 0));
	CHECK_EQ(see(s, 0, 0, 14, 1), SEQ_NEW);
	seqtrack_expire(s, SEQ_GRACE_MS, false);
	CHECK_EQ(t.count, 2);
	CHECK_EQ(t.lost, 4);
	seqtrack_free(s);
}

TEST(seqtrack_blind_streams_begin_at_their_first_number)
{
	struct told t;
	struct seqtrack *s = make(&t);

	seqtrack_begin_blind(s);
	see(s, 0, 0, 5000, 0);
	see(s, 0, 0, 5002, 0);
	seqtrack_expire(s, SEQ_GRACE_MS, false);
	CHECK_EQ(t.count, 1);
	CHECK_EQ(t.lost, 1);
	seqtrack_free(s);
}

TEST_MAIN()
