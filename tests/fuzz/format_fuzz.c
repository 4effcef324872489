/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a text for `policy fmt`: left alone with a reason, or laid out so that only blanks are others, that a second time changes
 * nothing, and that a policy is the policy it was.
 */
#include "policy/policy.h"

static int load(const char *text, size_t len, struct policy **p)
{
	static const struct policy_param params[] = { { "workspace", "/srv/ws" }, { "home", "/home/u" }, { "db", "10.0.0.0/8" } };
	struct policy_source source = { .text = text, .file = "fuzz.yaml", .len = len, .params = params, .param_count = ARRAY_SIZE(params),
					.only_check = true };
	struct diags d = {};
	int err = policy_load(&source, p, &d);

	diags_done(&d);
	return err;
}

static void tidy(const char *text, size_t len, struct buf *out)
{
	unsigned line;
	char why[200];

	if (policy_format(text, len, out, &line, why))
		abort();
}

static size_t ink(const char *text, size_t len, size_t at)
{
	while (at < len && strchr(" \t\r\n", text[at]))
		at++;
	return at;
}

static void only_blanks_differ(const char *text, size_t len, const struct buf *out)
{
	size_t i = ink(text, len, 0), k = ink(out->data, out->len, 0);

	while (i < len && k < out->len && text[i] == out->data[k]) {
		i = ink(text, len, i + 1);
		k = ink(out->data, out->len, k + 1);
	}
	if (i < len || k < out->len)
		abort();
}

static void same_policy(const char *text, size_t len, const struct buf *out)
{
	_buf_ struct buf before = {}, after = {};
	struct policy *p, *q;

	if (load(text, len, &p))
		return;
	if (load(out->data, out->len, &q) || policy_canonical(p, &before) || policy_canonical(q, &after) || before.len != after.len ||
	    memcmp(before.data, after.data, before.len) || strcmp(policy_digest(p), policy_digest(q)))
		abort();
	policy_free(q);
	policy_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_buf_ struct buf once = {}, twice = {};
	const char *text = (const char *)data;
	unsigned line = 0;
	char why[200] = "";
	int err = policy_format(text, size, &once, &line, why);

	if (err == -EBADMSG ? !line || !why[0] : err && err != -EOPNOTSUPP)
		abort();
	if (err)
		return 0;
	only_blanks_differ(text, size, &once);
	tidy(once.data, once.len, &twice);
	if (once.len != twice.len || memcmp(once.data, twice.data, once.len))
		abort();
	same_policy(text, size, &once);
	return 0;
}
