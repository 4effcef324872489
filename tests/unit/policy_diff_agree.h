/* SPDX-License-Identifier: Apache-2.0 */
/* Do the differences of two policies say what the oracle says of both? Answers alone, for tests and fuzz targets alike. */
#ifndef TESTS_UNIT_POLICY_DIFF_AGREE_H
#define TESTS_UNIT_POLICY_DIFF_AGREE_H

#include "policy/policy.h"

struct sides {
	struct policy *p[2];
	struct policy_image img[2];
	struct policy_diff diff;
};

static inline bool side_allows(const struct sides *s, int side, const struct policy_action *a, uint32_t *rule)
{
	struct policy_verdict v;

	if (policy_eval(s->p[side], a, &v))
		abort();
	*rule = v.rule;
	return v.allowed;
}

static inline bool side_denies(const struct sides *s, int side, uint32_t rule)
{
	struct policy_rule_info info;

	return rule < policy_rule_count(s->p[side]) && !policy_rule(s->p[side], rule, &info) && info.deny;
}

/* Does this action differ because of the rule that makes this difference? */
static inline bool diff_belongs(const struct sides *s, const struct policy_difference *f, const struct policy_action *a)
{
	uint32_t was, is;
	bool before = side_allows(s, 0, a, &was), after = side_allows(s, 1, a, &is);
	bool by_is = after ? !side_denies(s, 0, was) : side_denies(s, 1, is);

	return before != after && after == f->allows && by_is == f->by_is && (by_is ? is == f->is : was == f->was);
}

/* Both sides say what the difference says of them. */
static inline bool diff_action_confirmed(const struct sides *s, const struct policy_difference *f, const struct policy_action *a)
{
	uint32_t was, is;

	return side_allows(s, 0, a, &was) == !f->allows && side_allows(s, 1, a, &is) == f->allows && was == f->was && is == f->is;
}

/* Of its example, and of the ends of each of its spans. */
static inline bool diff_confirmed(const struct sides *s, const struct policy_difference *f)
{
	for (int v = 0; v < VERB_CALL; v++) {
		struct policy_action a = { .verb = v, .path = f->path, .path_len = f->path_len, .proto = f->proto };

		if (!(f->verbs & 1u << v))
			continue;
		if (f->path && !diff_action_confirmed(s, f, &a))
			return false;
		for (size_t i = 0; i < 4 * f->span_count; i++) {
			memcpy(a.addr, i & 1 ? f->spans[i / 4].last : f->spans[i / 4].first, 16);
			a.port = i & 2 ? f->port_last : f->port_first;
			if (!diff_action_confirmed(s, f, &a))
				return false;
		}
	}
	return true;
}

static inline bool diff_spans_have(const struct policy_difference *f, const struct policy_action *a)
{
	for (size_t i = 0; i < f->span_count; i++) {
		if (memcmp(a->addr, f->spans[i].first, 16) >= 0 && memcmp(a->addr, f->spans[i].last, 16) <= 0)
			return true;
	}
	return false;
}

/* Is an action that the two judge differently in one of the differences? */
static inline bool diff_has(const struct sides *s, const struct policy_action *a, bool allows)
{
	enum verb verb = a->verb == VERB_SEND ? VERB_CONNECT : a->verb;

	for (size_t i = 0; i < s->diff.count; i++) {
		const struct policy_difference *f = &s->diff.items[i];

		if (f->allows != allows || !(f->verbs & 1u << verb))
			continue;
		if (a->path ? diff_belongs(s, f, a) :
			      f->proto == a->proto && a->port >= f->port_first && a->port <= f->port_last && diff_spans_have(f, a))
			return true;
	}
	return false;
}

#endif
