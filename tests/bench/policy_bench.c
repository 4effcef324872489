/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy of so many rules costs, natively: CPU time from text to image, the image's bytes, and a decision, by the C twin of what the
 * kernel runs (policy_image_eval). The least of several runs; prints `name native value`, times in ns.
 */
#include <stdio.h>
#include <time.h>
#include "tests/bench/bench.h"

#define RUNS 5
#define DECISIONS 100000

static unsigned long long cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void print(const char *what, long rules, unsigned long long value)
{
	printf("policy-%s-%ld native %llu\n", what, rules, value);
	fflush(stdout);
}

static unsigned long long least(unsigned long long a, unsigned long long b)
{
	return a < b ? a : b;
}

static void compile(const struct buf *text, struct policy_image *img)
{
	struct policy_source src = { .text = text->data, .len = text->len, .file = "bench.yaml" };
	struct diags diags = {};
	struct policy *p;

	bench_must(!policy_load(&src, &p, &diags), "policy");
	bench_must(!policy_compile(p, img, &diags), "policy");
	policy_free(p);
	diags_done(&diags);
}

static void measure_compile(const struct buf *text, long rules, struct policy_image *img)
{
	unsigned long long best = ~0ull;

	for (int i = 0; i < RUNS; i++) {
		unsigned long long begin = cpu_ns();

		policy_image_done(img);
		compile(text, img);
		best = least(best, cpu_ns() - begin);
	}
	print("compile", rules, best);
	print("bytes", rules, img->count * sizeof(img->words[0]));
}

static void measure_decision(const struct policy_image *img, const char *name, long rules, const char *question, bool allowed)
{
	unsigned long long best = ~0ull;
	struct policy_action a;
	struct policy_verdict v;
	char why[200];

	bench_must(!policy_action_parse(question, &a, why), question);
	for (int i = 0; i < RUNS; i++) {
		unsigned long long begin = cpu_ns();

		for (int k = 0; k < DECISIONS; k++)
			bench_must(!policy_image_eval(img, &a, &v) && v.allowed == allowed, question);
		best = least(best, (cpu_ns() - begin) / DECISIONS);
	}
	policy_action_done(&a);
	print(name, rules, best);
}

int main(void)
{
	static const long counts[] = { 10, 100, 1000, 10000 };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct policy_image img = {};
		_buf_ struct buf text = {};

		bench_policy(&text, counts[i], false);
		measure_compile(&text, counts[i], &img);
		measure_decision(&img, "read", counts[i], "read /srv/team5/project5/data/file5", true);
		measure_decision(&img, "refusal", counts[i], "read /srv/team5/project5/data/files", false);
		measure_decision(&img, "connect", counts[i], "connect 127.0.0.1:7001", true);
		policy_image_done(&img);
	}
	return 0;
}
