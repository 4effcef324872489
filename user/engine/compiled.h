/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last few policies, compiled: whoever starts the same agent again, or a thousand of them, pays for one compilation. Two policies are the
 * same when text, file name and parameters are; the file name is in what events say of a rule.
 */
#ifndef ENGINE_COMPILED_H
#define ENGINE_COMPILED_H

#include "policy/policy.h"

#define COMPILED_KEPT	8
#define COMPILED_WORDS	(1u << 19)	/* 2 MiB of images; the last one stays whatever its size */

struct compiled {
	struct buf key;
	struct policy *policy;		/* NULL: a free place */
	struct policy_image image;
	struct diags diags;		/* warnings */
	uint64_t used;
};
struct compiled_cache {
	struct compiled places[COMPILED_KEPT];
	uint64_t uses;
};

/* NULL: not there. What is found or kept is good until the next compiled_keep(). */
struct compiled *compiled_find(struct compiled_cache *c, const struct buf *key);
/* Takes what *from holds, in place of what was used least recently. */
struct compiled *compiled_keep(struct compiled_cache *c, struct compiled *from);
void compiled_drop(struct compiled *p);
void compiled_done(struct compiled_cache *c);

#endif
