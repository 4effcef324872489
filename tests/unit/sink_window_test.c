/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges in hand: order, halving, what is open and for how long. */
#include <stdio.h>
#include <stdio.h>
#include "sink/window.h"
#include "tests/unit/test.h"

static struct range *push_open(struct window *w, uint64_t first, uint64_t end, const char *channel, uint64_t id, uint64_t ms)
{
	struct range *r = window_push(w, first, end);

	r->state = RANGE_OPEN;
	r->sent_ms = ms;
	r->ticket.id = id;
	snprintf(r->ticket.channel, sizeof(r->ticket.channel), "%s", channel);
	return r;
}

TEST(the_cursor_moves_only_over_what_is_done_in_front)
{
	struct window w = {};

	window_push(&w, 1, 10);
	push_open(&w, 10, 20, "a", 0, 5);
	window_push(&w, 20, 30)->state = RANGE_DONE;
	CHECK_EQ(window_settle(&w), 0);
	w.r[0].state = RANGE_DONE;
	CHECK_EQ(window_settle(&w), 10);
	CHECK_EQ(w.n, 2);
	w.r[0].state = RANGE_DONE;
	CHECK_EQ(window_settle(&w), 30);
	CHECK_EQ(w.n, 0);
}

TEST(halving_ends_at_one_line_and_keeps_all_lines_in_order)
{
	struct window w = {};
	uint64_t at = 100;
	unsigned singles = 0;

	window_push(&w, 100, 1100);
	window_push(&w, 1100, 1101)->state = RANGE_DONE;
	while (window_halve(&w, window_ready(&w)))
		;
	CHECK_EQ(w.r[0].end - w.r[0].first, 1);
	CHECK(w.n <= 13);
	for (size_t i = 0; i < w.n; i++) {
		CHECK_EQ(w.r[i].first, at);
		at = w.r[i].end;
		singles += w.r[i].end - w.r[i].first == 1;
	}
	CHECK_EQ(at, 1101);
	CHECK_EQ(w.r[w.n - 1].state, RANGE_DONE);
	CHECK(singles >= 2);
}

TEST(a_full_window_takes_no_more_and_halves_no_more)
{
	struct window w = {};

	for (unsigned i = 0; i < WINDOW_RANGES; i++)
		CHECK(window_push(&w, 1 + 10 * i, 11 + 10 * i));
	CHECK(!window_push(&w, 1, 2));
	CHECK(!window_halve(&w, &w.r[0]));
}

TEST(old_and_forgotten_ones_are_ready_again)
{
	struct window w = {};
	struct range *last;

	CHECK_EQ(window_oldest_ms(&w), UINT64_MAX);
	push_open(&w, 1, 2, "a", 0, 10);
	push_open(&w, 2, 3, "b", 0, 20);
	last = push_open(&w, 3, 4, "a", 0, 30);
	CHECK_EQ(window_open(&w), 3);
	CHECK_EQ(window_oldest_ms(&w), 10);
	CHECK_EQ(window_forget(&w, "a", last), 1);
	CHECK(window_ready(&w) == &w.r[0]);
	CHECK_EQ(w.r[2].state, RANGE_OPEN);
	CHECK_EQ(window_expire(&w, 20), 1);
	CHECK_EQ(w.r[1].state, RANGE_READY);
	CHECK_EQ(w.r[2].state, RANGE_OPEN);
}

TEST(questions_are_gathered_by_channel)
{
	struct window w = {};
	struct sink_ticket t[WINDOW_RANGES];
	size_t index[WINDOW_RANGES];

	push_open(&w, 1, 2, "a", 7, 0);
	push_open(&w, 2, 3, "b", 1, 0);
	window_push(&w, 3, 4);
	push_open(&w, 4, 5, "a", 8, 0);
	CHECK_EQ(window_tickets(&w, t, index, 0), 2);
	CHECK_EQ(t[1].id, 8);
	CHECK_EQ(index[1], 3);
	CHECK_EQ(window_tickets(&w, t, index, 1), 1);
	CHECK_STR(t[0].channel, "b");
}

TEST_MAIN()
