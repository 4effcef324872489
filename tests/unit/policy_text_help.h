/* SPDX-License-Identifier: Apache-2.0 */
/* Policies from texts. */
#ifndef TESTS_UNIT_POLICY_TEXT_HELP_H
#define TESTS_UNIT_POLICY_TEXT_HELP_H

#include "base/file.h"
#include "policy/binding.h"
#include "policy/policy.h"
#include "policy_random.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"

static inline struct policy *load_for(const char *text, const struct policy_param *params, size_t count, bool only_check)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .params = params, .param_count = count,
					.only_check = only_check };
	_buf_ struct buf said = {};
	struct diags d = {};
	struct policy *p = NULL;
	int err = policy_load(&source, &p, &d);

	diags_print(&d, &said);
	diags_done(&d);
	if (err)
		CHECK_STR(said.data, "");
	return p;
}

static inline struct policy *load(const char *text, const struct policy_param *params, size_t count)
{
	return load_for(text, params, count, false);
}

static inline const char *only_id(const char *text, const struct policy_param *params, size_t count)
{
	static char id[128];
	struct policy *p = load(text, params, count);
	struct policy_rule_info info;

	CHECK_EQ(policy_rule_count(p), 1);
	CHECK_OK(policy_rule(p, 0, &info));
	snprintf(id, sizeof(id), "%s", info.id);
	policy_free(p);
	return id;
}

#endif
