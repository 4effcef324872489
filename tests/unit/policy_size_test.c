/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes and times are bounded: what ten thousand rules cost, and what is too big is refused by name. */
#include "policy/policy.h"
#include "test.h"
#include "policy_compile_help.h"

static void many_rules(struct buf *text, const char *prefix, int count)
{
	buf_add_str(text, HEAD "files:\n  read:\n");
	for (int i = 0; i < count; i++)
		buf_addf(text, "    - {path: %s/d%d/team%d/proj%d/rel%d/f%d.bin, id: r%d}\n", prefix, i % 7, i % 90, i % 1100, i % 9000, i, i);
	CHECK_OK(text->err);
}

TEST(ten_thousand_literal_rules_compile_in_a_second_to_eight_megabytes)
{
	_buf_ struct buf text = {};
	struct policy_image img = { 0 };
	struct policy *p;
	double best = 1e9;

	many_rules(&text, "/srv", 10000);
	p = load(text.data, text.len);
	CHECK_EQ(policy_rule_count(p), 10000);
	for (int tries = 0; tries < 5 && best >= 1.0; tries++) {	/* a neighbour on the other half of the core is not our cost */
		double start = cpu_seconds();

		policy_image_done(&img);
		compile(p, &img);
		start = cpu_seconds() - start;
		best = start < best ? start : best;
	}
	printf("# %.2f s, %zu KiB\n", best, img.count / 256);
#ifndef __SANITIZE_ADDRESS__
	CHECK(best < 1.0);
#endif
	CHECK(img.count <= 2u << 20);
	for (int i = 0; i < 10000; i += 37) {
		struct policy_verdict v;
		struct policy_rule_info info;
		struct policy_action a;
		char path[128], why[200], id[16];

		snprintf(path, sizeof(path), "read /srv/d%d/team%d/proj%d/rel%d/f%d.bin/x", i % 7, i % 90, i % 1100, i % 9000, i);
		CHECK_OK(policy_action_parse(path, &a, why));
		CHECK_OK(policy_image_eval(&img, &a, &v));
		CHECK(v.allowed);
		CHECK_OK(policy_rule(p, v.rule, &info));
		snprintf(id, sizeof(id), "r%d", i);
		CHECK_STR(info.id, id);
		a.path_len -= 3;	/* "fileN.bi" */
		CHECK_OK(policy_image_eval(&img, &a, &v));
		CHECK_EQ(v.rule, RULE_BUILTIN(FILES_DEFAULT));
		policy_action_done(&a);
	}
	policy_image_done(&img);
	policy_free(p);
}

TEST(ten_thousand_rules_in_a_workspace_compile_in_a_second_and_are_shared)
{
	struct policy_param here = { "workspace", "/srv/ws/1" }, there = { "workspace", "/srv/ws/another" };
	struct policy_image one = {}, two = {};
	_buf_ struct buf text = {};
	double best = 1e9;
	struct policy *p;

	many_rules(&text, "$workspace", 10000);
	buf_add_str(&text, "params: {workspace: path}\n");
	CHECK_OK(text.err);
	p = load_given(text.data, &here, 1);
	for (int tries = 0; tries < 5 && best >= 1.0; tries++) {
		double start = cpu_seconds();

		policy_image_done(&one);
		compile(p, &one);
		start = cpu_seconds() - start;
		best = start < best ? start : best;
	}
	printf("# %.2f s, %zu KiB\n", best, one.count / 256);
#ifndef __SANITIZE_ADDRESS__
	CHECK(best < 1.0);
#endif
	policy_free(p);
	p = load_given(text.data, &there, 1);
	compile(p, &two);
	CHECK(share_words(&one, &two));
	policy_image_done(&one);
	policy_image_done(&two);
	policy_free(p);
}

static void refused_as_too_big(const char *text, size_t len, const char *place, const char *says)
{
	struct policy_image img = { .count = 77 };
	_buf_ struct buf said = {};
	struct diags d = {};
	struct policy *p = load(text, len);
	double start = cpu_seconds();

	CHECK_EQ(policy_compile(p, &img, &d), -E2BIG);
	start = cpu_seconds() - start;
#ifndef __SANITIZE_ADDRESS__
	CHECK(start < 5.0);
#endif
	CHECK_EQ(img.count, 77);
	CHECK_EQ(d.errors, 1);
	diags_print(&d, &said);
	CHECK_HAS(said.data, place);
	CHECK_HAS(said.data, says);
	diags_done(&d);
	policy_free(p);
}

TEST(a_policy_that_is_too_big_is_refused_by_the_name_of_its_rule)
{
	static const char deep[] = HEAD "files:\n  read:\n    - '**/ok'\n    - '**/*a????????????????b'\n    - /srv\n";
	static const char shallow[] = HEAD "files:\n  read:\n    - '/ok/*'\n    - '/*a????????????????????????b'\n    - /srv\n";
	_buf_ struct buf many = {};

	refused_as_too_big(deep, strlen(deep), "p.yaml:7:7: ", "the patterns with \"**\" need more than 8192 states");
	refused_as_too_big(shallow, strlen(shallow), "p.yaml:7:7: ", "the paths make too large an automaton");
	many_rules(&many, "/srv", 30000);
	refused_as_too_big(many.data, many.len, "p.yaml:", "the paths are too long all together");
}

TEST(many_separate_names_anywhere_fit)
{
	_buf_ struct buf text = {};
	struct policy_image img;
	struct policy *p;

	buf_add_str(&text, HEAD "files:\n  deny:\n");
	for (int i = 0; i < 60; i++)
		buf_addf(&text, "    - \"**/.secret%d\"\n", i * 17);
	p = load(text.data, text.len);
	compile(p, &img);
	CHECK(img.layout.glob_states < 8192);
	policy_image_done(&img);
	policy_free(p);
}

TEST_MAIN()
