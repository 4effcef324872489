/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine of engine_world.h wrote down, and refusals for it to write. */
#ifndef TESTS_UNIT_ENGINE_RECORD_H
#define TESTS_UNIT_ENGINE_RECORD_H

#include "tests/unit/engine_world.h"

/* Lines of the journal that hold each of these texts. */
static inline size_t lines(struct world *w, const char *a, const char *b, const char *c)
{
	struct journal_cursor *cursor;
	struct journal_line line;
	size_t n = 0;
	int r;

	CHECK_OK(journal_cursor_open(w->journal, NULL, &cursor));
	while ((r = journal_cursor_read(cursor, &line)) == 1)
		n += memmem(line.text, line.len, a, strlen(a)) && (!b || memmem(line.text, line.len, b, strlen(b))) &&
		     (!c || memmem(line.text, line.len, c, strlen(c)));
	journal_cursor_close(cursor);
	CHECK_EQ(r, 0);
	return n;
}

static inline void wait_lines(struct world *w, size_t wanted, const char *a, const char *b, const char *c)
{
	size_t n = 0;

	for (int i = 0; i < 2000 && (n = lines(w, a, b, c)) < wanted; i++)
		usleep(10000);
	CHECK_EQ(n, wanted);
}

static inline uint64_t kernel_id(size_t nth)
{
	for (size_t i = 0; i < FAKE_ROWS; i++) {
		if (fake->rows[i].sandbox.id && !nth--)
			return fake->rows[i].sandbox.id;
	}
	return 0;
}

static inline uint32_t rule_number(const char *text, const char *id)
{
	struct policy_source src = { .text = text, .file = "demo.yaml", .len = strlen(text) };
	struct diags d = { 0 };
	struct policy_rule_info info;
	struct policy *p;
	uint32_t rule = RULE_NONE;

	CHECK_OK(policy_load(&src, &p, &d));
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		if (!policy_rule(p, i, &info) && !strcmp(info.id, id))
			rule = i;
	}
	policy_free(p);
	diags_done(&d);
	CHECK(rule != RULE_NONE);
	return rule;
}

struct refusal {
	struct rec_decision d;
	char path[16];
};

static inline void refuse(uint64_t sandbox, uint32_t rule, uint64_t repeats, bool lose)
{
	struct fake_row *row = fake_row(sandbox);
	struct refusal r = {
		.d = {
			.h = { .type = REC_DECISION, .ring = RING_DECISIONS, .size = sizeof(r), .cpu = 1, .command = 1, .sandbox = sandbox,
				.generation = row->sandbox.generation, .tgid = 4242, .pid = 4242, .parent_tgid = 1, .comm = "cat",
				.time_ns = clock_boot_ns(), .start_ns = 5, .parent_start_ns = 1 },
			.verdict = VERDICT_DENY, .class_id = CLASS_FILES, .verb = VERB_READ, .operation = ACT_OPEN, .rule = rule,
			.error = -EACCES, .repeats = repeats, .first_ns = repeats ? clock_boot_ns() - 1000 : 0, .path_len = 11,
		},
		.path = "/usr/secret",
	};

	if (rule >= BUILTIN_BASE)
		rule += row->nrules - BUILTIN_BASE;	/* its cell: builtin ones stand behind the policy's */
	CHECK(rule < FAKE_CELLS);
	row->cells[rule].refused += 1 + repeats;
	r.d.h.size = sizeof(r.d) + r.d.path_len;
	fake_submit(&r.d.h, lose);
}

#endif
