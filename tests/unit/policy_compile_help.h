/* SPDX-License-Identifier: Apache-2.0 */
/* Texts to policies to images, for tests that look at images. */
#ifndef TESTS_UNIT_POLICY_COMPILE_HELP_H
#define TESTS_UNIT_POLICY_COMPILE_HELP_H

#include <time.h>
#include "policy/policy.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"

static inline struct policy *load(const char *text, size_t len)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = len };
	_buf_ struct buf said = {};
	struct diags d = {};
	struct policy *p = NULL;

	if (policy_load(&source, &p, &d)) {
		diags_print(&d, &said);
		CHECK_STR(said.data, "");
	}
	diags_done(&d);
	return p;
}

static inline struct policy *load_given(const char *text, const struct policy_param *params, size_t count)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .params = params, .param_count = count };
	struct diags d = {};
	struct policy *p = NULL;

	CHECK_OK(policy_load(&source, &p, &d));
	diags_done(&d);
	return p;
}

static inline void compile(const struct policy *p, struct policy_image *img)
{
	struct diags d = {};

	CHECK_OK(policy_compile(p, img, &d));
	CHECK_EQ(d.count, 0);
	diags_done(&d);
}

static inline bool share_words(const struct policy_image *a, const struct policy_image *b)
{
	return a->count == b->count && a->stamp == b->stamp && !memcmp(a->words, b->words, a->count * sizeof(__u32)) &&
	       !memcmp(&a->slot, &b->slot, sizeof(a->slot));
}

static inline double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

#endif
