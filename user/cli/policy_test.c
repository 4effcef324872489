/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy test: the questions of `tests:`, each with the answer that it gets and the rule that gives it. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = { POLICY_OPTION_PARAM, POLICY_OPTION_JSON };
static const struct cli_spec spec = {
	.usage = "bailiff policy test FILE|preset:NAME [--param NAME=VALUE]... [--json]",
	.about = "Run the tests of a policy and print each. With preset:NAME those that a preset carries, asked of base and that preset alone.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 every test got its answer, 1 one did not or the policy is wrong, 2 usage",
};

static const char *answer(bool allowed)
{
	return allowed ? "allowed" : "refused";
}

static void result_print(struct buf *out, const struct policy *p, const struct policy_test_result *r)
{
	struct policy_rule_info rule;

	buf_add_str(out, r->allowed == r->wanted ? "ok      " : "not ok  ");
	buf_add_terminal(out, r->question, strlen(r->question));
	buf_addf(out, ": %s", answer(r->allowed));
	if (r->allowed != r->wanted)
		buf_addf(out, ", and line %u wants it %s", r->line, answer(r->wanted));
	if (policy_rule(p, r->rule, &rule)) {
		buf_add_str(out, ": the class is open\n");
		return;
	}
	buf_add_str(out, " by ");
	rule.why = NULL;
	policy_rule_print(out, &rule);
	buf_add_char(out, '\n');
}

static void result_json(struct json *j, const struct policy *p, const struct policy_test_result *r)
{
	struct policy_rule_info rule;

	json_begin_object(j, NULL);
	json_bool(j, "ok", r->allowed == r->wanted);
	json_str(j, "question", r->question);
	json_u64(j, "line", r->line);
	json_str(j, "wanted", answer(r->wanted));
	json_str(j, "verdict", answer(r->allowed));
	if (!policy_rule(p, r->rule, &rule))
		policy_rule_json(j, "rule", &rule);
	json_end_object(j);
}

/* Prints all of them; how many got another answer, or -errno. */
static int tests_run(const struct policy *p, bool as_json, struct buf *out)
{
	size_t count = policy_test_count(p);
	struct policy_test_result r;
	struct json j;
	int failed = 0;

	json_init(&j, out);
	if (as_json)
		json_begin_array(&j, NULL);
	for (size_t i = 0; i < count; i++) {
		int err = policy_test_ask(p, i, &r);

		if (err)
			return err;
		failed += r.allowed != r.wanted;
		if (as_json)
			result_json(&j, p, &r);
		else
			result_print(out, p, &r);
	}
	if (as_json) {
		json_end_array(&j);
		buf_add_char(out, '\n');
	} else {
		buf_addf(out, "%zu test%s, %d failed\n", count, PLURAL(count), failed);
	}
	return out->err ? out->err : failed;
}

static int test_run(char **rest, size_t count, const struct policy_options *o)
{
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	int code = policy_from_file_or_say(rest[0], o, &p), failed;

	(void)count;
	if (code)
		return code;
	failed = tests_run(p, o->json, &out);
	policy_free(p);
	if (failed < 0)
		return log_err(failed, "%s", rest[0]), CLI_FAILED;
	fputs(out.data, stdout);
	return failed ? CLI_FAILED : CLI_OK;
}

const struct policy_command policy_test_command = { .spec = &spec, .run = test_run, .operands_max = 1 };
