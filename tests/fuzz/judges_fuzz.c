/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the choices that policies and actions are drawn by. The oracle, the compiled images and the comparison of two policies give
 * each action one and the same answer: millions of actions a minute, of policies that the fuzzer bends towards code not yet seen.
 */
#include "policy/policy.h"
#include "../unit/policy_diff_agree.h"
#include "../unit/policy_random.h"

#define ACTIONS 5000	/* to draw, load and compile two policies takes longer than these */
#define COMPARED 500
#define COMPARES 8	/* one pair of so many: to compare two takes as long as many actions */

static uint64_t digest(const uint8_t *data, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * 0x100000001b3ull;
	return hash;
}

static bool draw(struct random *r, struct sides *s, int side)
{
	_buf_ struct buf text = {};
	struct diags d = {};
	int err = random_policy_load(r, "", &text, &s->p[side]);

	if (!err)
		err = policy_compile(s->p[side], &s->img[side], &d);
	if (err && err != -EINVAL && err != -E2BIG)
		abort();
	diags_done(&d);
	return !err;
}

static void images_agree(const struct sides *s, const struct policy_action *a)
{
	struct policy_verdict x, y;

	for (int i = 0; i < 2; i++) {
		if (policy_eval(s->p[i], a, &x) || policy_image_eval(policy_image_at(&s->img[i], a->at_s), a, &y) || x.allowed != y.allowed ||
		    x.rule != y.rule || x.recorded != (y.allowed && y.recorded))
			abort();
	}
}

/* What differs now is in the differences; what a rule's end changes is compared as written. */
static void differences_agree(const struct sides *s, struct policy_action *a)
{
	uint32_t rule;
	bool was, is;

	a->at_s = 0;
	was = side_allows(s, 0, a, &rule);
	is = side_allows(s, 1, a, &rule);
	if (was != is && !diff_has(s, a, is))
		abort();
}

static void compare(struct sides *s, struct random *r)
{
	int err = policy_diff(s->p[0], &s->img[0], s->p[1], &s->img[1], &s->diff);

	if (err == -E2BIG)
		return;
	if (err)
		abort();
	for (size_t i = 0; i < s->diff.count; i++) {
		if (!diff_confirmed(s, &s->diff.items[i]))
			abort();
	}
	for (int i = 0; i < COMPARED; i++) {
		struct policy_action a;

		random_action(r, "", &a);
		differences_agree(s, &a);
		policy_action_done(&a);
	}
	policy_diff_done(&s->diff);
}

static void judge(const struct sides *s, struct random *r)
{
	for (int i = 0; i < ACTIONS; i++) {
		struct policy_action a;

		random_action(r, "", &a);
		images_agree(s, &a);
		policy_action_done(&a);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct random r = { .state = digest(data, size), .bytes = data, .byte_count = size, .ends = true, .params = true };
	struct sides s = {};

	if (draw(&r, &s, 0) && draw(&r, &s, 1)) {
		judge(&s, &r);
		if (!random_below(&r, COMPARES))
			compare(&s, &r);
	}
	for (int i = 0; i < 2; i++) {
		policy_image_done(&s.img[i]);
		policy_free(s.p[i]);
	}
	return 0;
}
