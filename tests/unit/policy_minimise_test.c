/* SPDX-License-Identifier: Apache-2.0 */
/* States that no path tells apart are one: compared with the plain way to find them, and at a cost that long names do not square. */
#include <time.h>
#include "policy/dfa.h"
#include "test.h"
#include "policy_random.h"

#define STATES 40
#define CLASSES 4

struct machine {
	struct dfa_state states[STATES];
	struct dfa_edge edges[STATES * CLASSES];
	struct dfa_result r;
};

/* Few rows and near targets, so that many states are equal and chains are long. */
static void machine_draw(struct random *r, struct machine *m)
{
	size_t n = 1 + random_below(r, STATES), edges = 0;

	for (size_t i = 0; i < n; i++) {
		m->states[i] = (struct dfa_state){ .row = random_chance(r, 80) ? 0 : random_below(r, 3), .fall = random_below(r, n), .edges = edges };
		for (uint32_t k = 0; k < CLASSES; k++) {
			if (random_chance(r, 60))
				continue;
			m->edges[edges++] = (struct dfa_edge){ k, random_chance(r, 50) ? (i + 1) % n : random_below(r, n) };
			m->states[i].edge_count++;
		}
	}
	m->r = (struct dfa_result){ .class_count = CLASSES, .states = m->states, .state_count = n, .edges = m->edges, .edge_count = edges };
}

/* Two states are apart if their rows are, or a byte leads to two that are. */
static void apart_find(const struct machine *m, bool apart[STATES][STATES])
{
	size_t n = m->r.state_count;
	uint32_t same[STATES], x[CLASSES], y[CLASSES];
	bool more = true;

	for (size_t i = 0; i < n; i++)
		same[i] = i;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++)
			apart[i][k] = m->states[i].row != m->states[k].row;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < n * n; i++) {
			bool *cell = &apart[i / n][i % n], before = *cell;

			dfa_row_expand(&m->r, i / n, same, x);
			dfa_row_expand(&m->r, i % n, same, y);
			for (int c = 0; c < CLASSES; c++)
				*cell |= apart[x[c]][y[c]];
			more |= *cell != before;
		}
	}
}

TEST(blocks_are_those_states_that_no_path_tells_apart)
{
	struct random r = { .state = random_seed() };
	size_t joined = 0;

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 400; i++) {
		bool apart[STATES][STATES] = {};
		uint32_t block[STATES], count, next = 0;
		struct machine m;

		machine_draw(&r, &m);
		apart_find(&m, apart);
		CHECK_OK(dfa_blocks(&m.r, block, &count));
		for (size_t s = 0; s < m.r.state_count; s++) {
			CHECK(block[s] <= next);	/* numbered by first states */
			next += block[s] == next;
			for (size_t k = 0; k < s; k++)
				CHECK_EQ(block[s] == block[k], !apart[s][k]);
		}
		CHECK_EQ(count, next);
		joined += m.r.state_count - count;
	}
	CHECK(joined > 100);
}

/* A fuzzer's find: a few names of thousands of bytes took ten seconds. */
TEST(long_names_before_two_stars_do_not_cost_their_square)
{
	_buf_ struct buf text = {};
	struct policy_source source = { .file = "long.yaml" };
	struct policy_image img = {};
	struct diags d = {};
	struct timespec begin, end;
	struct policy *p;

	buf_add_str(&text, "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\nfiles:\n  read:\n");
	for (int i = 0; i < 8; i++) {
		buf_add_str(&text, "    - '");
		for (int k = 0; k < 18 * 201; k++)
			buf_add_char(&text, k % 201 ? 'a' + i : '/');
		buf_addf(&text, "/**/x%d'\n", i);
	}
	source.text = text.data;
	source.len = text.len;
	CHECK_OK(policy_load(&source, &p, &d));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	CHECK_EQ(policy_compile(p, &img, &d), -E2BIG);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	CHECK(end.tv_sec - begin.tv_sec < 5);	/* it takes a tenth of one */
	policy_free(p);
	diags_done(&d);
}

TEST_MAIN()
