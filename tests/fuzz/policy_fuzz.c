/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a policy: loaded, its tests run, compiled, printed and loaded again. Wrong texts say where; right ones mean the same
 * to the oracle and to the image.
 */
#include "policy/policy.h"
#include "findings.h"

static const struct policy_param params[] = { { "workspace", "/srv/ws" }, { "home", "/home/\377[u]" }, { "db", "10.0.0.0/8" } };

static int load(const char *text, size_t len, bool only_check, struct policy **p, struct diags *d)
{
	struct policy_source source = { .text = text, .file = "fuzz.yaml", .len = len, .params = params, .param_count = ARRAY_SIZE(params),
					.only_check = only_check };

	return policy_load(&source, p, d);
}

static void compare(const struct policy *p, const struct policy_image *img)
{
	static const char *const questions[] = {
		"read /", "read /srv/ws/.env", "write /srv/ws/a/b", "execute /usr/bin/python3", "unix /run/x", "read /a/b/c/d/e", "remove /home/x/.ssh",
		"connect 10.0.0.1:443", "send 169.254.169.254:53", "listen 127.0.0.1:3000", "connect [::1]:80", "connect 0.0.0.0:22",
	};
	struct policy_action actions[POLICY_QUESTION_MAX];
	struct policy_verdict x, y;
	char why[200];
	size_t count;

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		if (policy_question_parse(questions[i], actions, &count, why))
			abort();
		for (size_t k = 0; k < count; k++) {
			if (policy_eval(p, &actions[k], &x) || policy_image_eval(img, &actions[k], &y) || x.allowed != y.allowed ||
			    x.rule != y.rule)
				abort();
		}
		policy_question_done(actions, count);
	}
}

static void reload(const struct policy *p, bool only_check)
{
	_buf_ struct buf canonical = {}, again = {};
	struct diags d = {};
	struct policy *q;

	if (policy_canonical(p, &canonical) || load(canonical.data, canonical.len, only_check, &q, &d) || policy_canonical(q, &again) ||
	    canonical.len != again.len || memcmp(canonical.data, again.data, canonical.len))
		abort();
	policy_free(q);
	diags_done(&d);
}

static void use(const struct policy *p, struct diags *d)
{
	_buf_ struct buf shown = {};
	struct policy_image img;
	size_t count;
	int err = policy_compile(p, &img, d);

	if (err && (err != -E2BIG || !d->errors))
		abort();
	if (!err) {
		policy_image_relocate(&img, 4096);
		compare(p, &img);
		policy_image_done(&img);
	}
	if (policy_tests_run(p, d, &count) && !d->errors)
		abort();
	if (policy_show(p, &shown))
		abort();
	reload(p, false);
}

/* The whole language, as `policy check` has it: no image to compare with, but tests, forms and a second reading. */
static void check(const char *text, size_t len)
{
	_buf_ struct buf shown = {};
	struct diags d = {};
	struct policy *p = NULL;
	size_t count;

	if (!load(text, len, true, &p, &d)) {
		if ((policy_tests_run(p, &d, &count) && !d.errors) || policy_show(p, &shown))
			abort();
		reload(p, true);
	}
	findings_show(&d);
	policy_free(p);
	diags_done(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags d = {};
	struct policy *p = NULL;
	int err = load((const char *)data, size, false, &p, &d);

	if (err ? err != -EINVAL || !d.errors || p : d.errors)
		abort();
	if (!err)
		use(p, &d);
	findings_show(&d);
	check((const char *)data, size);
	policy_free(p);
	diags_done(&d);
	return 0;
}
