/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that end: one image for each time in between, bounded, and what explains them. (The judges prove what each allows.) */
#include "policy/policy.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"
#define DAY_S 86400
#define FIRST_DAY_S 4007836800	/* 2097-01-01 */

static struct policy *load(const char *text, int64_t now_s, struct diags *d)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .now_s = now_s };
	struct policy *p = NULL;

	(void)policy_load(&source, &p, d);
	return p;
}

/* A rule for each of the first n days of 2097. */
static struct policy *many_ends(unsigned n)
{
	_buf_ struct buf text = {};
	struct diags d = {};
	struct policy *p;

	buf_add_str(&text, HEAD "files:\n  read:\n");
	for (unsigned i = 1; i <= n; i++)
		buf_addf(&text, "    - {path: /d%u, until: 2097-01-%02u}\n    - {path: /e%u, until: 2097-01-%02u}\n", i, i, i, i);
	p = load(text.data, 0, &d);
	CHECK(p);
	diags_done(&d);
	return p;
}

TEST(there_is_an_image_for_each_time_between_two_ends)
{
	struct policy *p = many_ends(ENDS_MAX);
	struct policy_image img = {}, *one = &img;
	struct diags d = {};
	size_t n = 0, words = 0;

	CHECK_OK(policy_compile(p, &img, &d));
	for (; one->next; one = one->next, n++) {
		CHECK_EQ(one->end_s, FIRST_DAY_S + (int64_t)(n + 1) * DAY_S);
		CHECK_EQ(one->slot.nrules, img.slot.nrules);
		CHECK(policy_image_at(&img, one->end_s - 1) == one);
		CHECK(policy_image_at(&img, one->end_s) == one->next);
		words += one->count;
	}
	CHECK_EQ(n, ENDS_MAX);
	CHECK_EQ(one->end_s, 0);
	CHECK_EQ(policy_image_words(&img), words + one->count);
	policy_image_done(&img);
	CHECK(!img.next && !img.words);
	policy_free(p);
}

TEST(one_end_too_many_is_an_error_that_names_the_rule)
{
	struct policy *p = many_ends(ENDS_MAX + 1);
	struct policy_image img = {};
	_buf_ struct buf said = {};
	struct diags d = {};

	CHECK_EQ(policy_compile(p, &img, &d), -E2BIG);
	diags_print(&d, &said);
	CHECK_HAS(said.data, "p.yaml:36:7: error: rules of this policy end at more than 15 different times\n");
	CHECK(!img.words && !img.next);
	diags_done(&d);
	policy_free(p);
}

TEST(who_ends_nothing_has_one_image)
{
	static const char *const texts[] = { HEAD "files: {read: [/a]}\n", HEAD "files: {read: [/a], deny: [{path: /a/b, until: 2097-01-01}]}\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct policy_image img = {};
		struct diags d = {};
		struct policy *p = load(texts[i], 0, &d);

		CHECK_OK(policy_compile(p, &img, &d));
		CHECK(!img.next);
		CHECK_EQ(img.end_s, 0);
		policy_image_done(&img);
		policy_free(p);
		diags_done(&d);
	}
}

TEST(the_next_end_is_told_and_denies_have_one_too)
{
	struct diags d = {};
	struct policy *p = load(HEAD "files: {read: [{path: /a, until: 2097-01-02}], deny: [{path: /a/b, until: 2097-01-01}]}\n", 0, &d);

	CHECK_EQ(policy_next_end(p, 0), FIRST_DAY_S + DAY_S);
	CHECK_EQ(policy_next_end(p, FIRST_DAY_S + DAY_S), FIRST_DAY_S + 2 * DAY_S);
	CHECK_EQ(policy_next_end(p, FIRST_DAY_S + 2 * DAY_S), 0);
	policy_free(p);
	diags_done(&d);
}

TEST(a_rule_that_has_ended_loads_nowhere_whichever_it_is)
{
	static const char *const texts[] = { HEAD "files: {read: [{path: /a, until: 2097-01-01}]}\n",
		HEAD "files: {read: [/a], deny: [{path: /a/b, until: 2097-01-01}]}\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct diags d = {};

		CHECK(!load(texts[i], FIRST_DAY_S + DAY_S, &d));
		CHECK_EQ(d.errors, 1);
		CHECK_STR(d.items[0].code, "expired");
		diags_done(&d);
	}
}

TEST(an_explanation_says_that_the_nearest_allow_has_ended)
{
	static const struct {
		const char *text, *question;
	} rows[] = {
		{ HEAD "files: {read: [{path: /a, id: r, until: 2097-01-01}]}\n", "read /a/b" },
		{ HEAD "network: {connect: [{to: 10.0.0.0/8, id: r, until: 2097-01-01}]}\n", "connect 10.1.2.3:80" },
		{ HEAD "calls: {allow: [{group: '@io_uring', id: r, until: 2097-01-01}]}\n", "call io_uring_setup" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_explanation e;
		struct policy_action a;
		struct diags d = {};
		struct policy *p = load(rows[i].text, 0, &d);
		char why[200];

		CASE("%s", rows[i].question);
		CHECK_OK(policy_action_parse(rows[i].question, &a, why));
		CHECK_OK(policy_explain(p, &a, &e));
		CHECK(e.verdict.allowed);
		a.at_s = FIRST_DAY_S + DAY_S;
		CHECK_OK(policy_explain(p, &a, &e));
		CHECK(!e.verdict.allowed && e.has_nearest);
		CHECK_STR(e.nearest.id, "r");
		CHECK_STR(e.missing, "time");
		policy_action_done(&a);
		policy_free(p);
		diags_done(&d);
	}
}

TEST_MAIN()
