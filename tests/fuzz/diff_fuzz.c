/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any two texts as policies, a line "%%" between them (without one: the same twice), compared as `policy diff` does. A policy differs in
 * nothing from itself; what is said of policies that an engine loads holds for the oracle, and nothing that it judges otherwise goes unsaid.
 */
#include "cli/policy_diff.h"
#include "../unit/policy_diff_agree.h"
#include "../unit/policy_random.h"

#define ACTIONS 100
#define WORDS_MAX 16384	/* the preset base is more, and takes seconds under sanitizers; policy_diff_test has those */

static int load(const char *text, size_t len, bool only_check, struct policy **out)
{
	static const struct policy_param params[] = { { "workspace", "/srv/ws" }, { "w", "/a/b" }, { "n", "10.0.0.0/8" } };
	struct policy_source source = { .text = text, .file = "fuzz.yaml", .len = len, .params = params, .param_count = ARRAY_SIZE(params),
					.only_check = only_check };
	struct diags d = {};
	int err = policy_load(&source, out, &d);

	diags_done(&d);
	return err;
}

/* *enforced: all that it says is in the image too; what is not built is compared as written. */
static bool open_side(struct sides *s, int side, const char *text, size_t len, bool *enforced)
{
	struct policy *p = NULL;
	struct diags d = {};
	int err = load(text, len, true, &s->p[side]);

	if (!err)
		err = policy_compile(s->p[side], &s->img[side], &d);
	diags_done(&d);
	*enforced &= !load(text, len, false, &p);
	policy_free(p);
	return !err && policy_image_words(&s->img[side]) <= WORDS_MAX;
}

static bool canonical_equal(const struct sides *s)
{
	_buf_ struct buf a = {}, b = {};

	if (policy_canonical(s->p[0], &a) || policy_canonical(s->p[1], &b))
		abort();
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

static void show(const struct sides *s)
{
	const struct diff_side sides[] = { { s->p[0], s->img[0] }, { s->p[1], s->img[1] } };
	_buf_ struct buf words = {}, document = {};

	policy_diff_print(&words, sides, &s->diff);
	policy_diff_json(&document, sides, &s->diff);
	if (words.err || document.err || policy_diff_identical(&s->diff) != !strcmp(words.data, "they allow and refuse the same\n") ||
	    policy_diff_same(&s->diff) != (strstr(document.data, "\"same\":true") != NULL))
		abort();
}

static void ask(const struct sides *s, const struct policy_action *a, bool enforced)
{
	uint32_t rule;
	bool was = side_allows(s, 0, a, &rule), is = side_allows(s, 1, a, &rule);

	if (was != is && (enforced && a->verb < VERB_CALL ? !diff_has(s, a, is) : policy_diff_same(&s->diff)))
		abort();
}

static void questions_ask(const struct sides *s, bool enforced, const uint8_t *data, size_t size)
{
	static const char *const questions[] = {
		"read /srv/ws/.env", "write /srv/ws/a/b", "execute /usr/bin/python3", "unix /run/x", "read /b", "connect 10.1.0.1:443", "use /dev/x1",
		"call unshare", "call userfaultfd", "capability CAP_KILL", "set-id /usr/bin/su", "keep /srv/ws/out", "variable AB", "family raw",
		"memory 3G", "stat /srv/ws",
	};
	struct policy_action actions[POLICY_QUESTION_MAX];
	struct random r = { .bytes = data, .byte_count = size };
	char why[200];
	size_t count;

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		if (policy_question_parse(questions[i], actions, &count, why))
			abort();
		for (size_t k = 0; k < count; k++)
			ask(s, &actions[k], enforced);
		policy_question_done(actions, count);
	}
	for (int i = 0; i < ACTIONS; i++) {
		random_action(&r, "", &actions[0]);
		ask(s, &actions[0], enforced);
		policy_action_done(&actions[0]);
	}
}

static void compare(struct sides *s, bool enforced, const uint8_t *data, size_t size)
{
	bool equal = canonical_equal(s);
	int err = policy_diff(s->p[0], &s->img[0], s->p[1], &s->img[1], &s->diff);

	if (err == -E2BIG)
		return;
	if (err || (equal ? !policy_diff_same(&s->diff) : policy_diff_identical(&s->diff)))
		abort();
	for (size_t i = 0; enforced && i < s->diff.count; i++) {
		if (!diff_confirmed(s, &s->diff.items[i]))
			abort();
	}
	questions_ask(s, enforced, data, size);
	show(s);
	policy_diff_done(&s->diff);
}

static void itself(const struct sides *s)
{
	struct policy_diff d;
	int err = policy_diff(s->p[0], &s->img[0], s->p[0], &s->img[0], &d);

	if (err == -E2BIG)
		return;
	if (err || !policy_diff_identical(&d))
		abort();
	policy_diff_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line = size ? memmem(text, size, "\n%%\n", 4) : NULL, *second = line ? line + 4 : text;
	struct sides s = {};
	bool enforced = true;

	if (open_side(&s, 0, text, line ? (size_t)(line + 1 - text) : size, &enforced)) {
		itself(&s);
		if (open_side(&s, 1, second, text + size - second, &enforced))
			compare(&s, enforced, data, size);
	}
	for (int i = 0; i < 2; i++) {
		policy_image_done(&s.img[i]);
		policy_free(s.p[i]);
	}
	return 0;
}
