/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of `bailiff policy diff`: the two sides, and what words and JSON share. */
#ifndef CLI_POLICY_DIFF_H
#define CLI_POLICY_DIFF_H

#include "cli/policy.h"

struct diff_side {
	struct policy *policy;
	struct policy_image image;
};
void policy_diff_print(struct buf *out, const struct diff_side s[2], const struct policy_diff *d);
void policy_diff_json(struct buf *out, const struct diff_side s[2], const struct policy_diff *d);

/* ---- policy_diff_text.c ---- */
#define SPAN_TEXT 96
size_t diff_verbs_words(uint32_t verbs, const char *out[PV_COUNT]);	/* change, create and remove together are "write" */
void diff_span_text(const struct policy_span *s, char out[SPAN_TEXT]);	/* "10.0.0.1", "10.0.0.0/8" or "10.0.0.1-10.0.0.7" */
uint32_t diff_opened(const struct policy_diff *d, bool allows);		/* classes whose default changed that way */
extern const char *const diff_says_words[RULE_SAYS];

#endif
