/* SPDX-License-Identifier: Apache-2.0 */
/* Two texts, compiled and compared. */
#ifndef TESTS_UNIT_POLICY_DIFF_HELP_H
#define TESTS_UNIT_POLICY_DIFF_HELP_H

#include "policy_diff_agree.h"
#include "policy_random.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"

/* given: of both sides, or NULL */
static inline void sides_open_given(struct sides *s, const char *a, const char *b, const struct random_given *given)
{
	const char *texts[] = { a, b };
	struct policy_param params[RANDOM_PARAMS];

	for (int i = 0; i < 2; i++) {
		struct policy_source source = { .text = texts[i], .len = strlen(texts[i]), .file = i ? "b.yaml" : "a.yaml", .only_check = true };
		struct diags d = {};

		if (given)
			random_give(&given[i], params, &source);
		CHECK_OK(policy_load(&source, &s->p[i], &d));
		CHECK_OK(policy_compile(s->p[i], &s->img[i], &d));
		diags_done(&d);
	}
	CHECK_OK(policy_diff(s->p[0], &s->img[0], s->p[1], &s->img[1], &s->diff));
}

static inline void sides_open(struct sides *s, const char *a, const char *b)
{
	sides_open_given(s, a, b, NULL);
}

static inline void sides_done(struct sides *s)
{
	policy_diff_done(&s->diff);
	for (int i = 0; i < 2; i++) {
		policy_image_done(&s->img[i]);
		policy_free(s->p[i]);
	}
}

#endif
