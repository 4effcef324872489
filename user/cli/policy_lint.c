/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiff policy lint: what a policy opens that reaches further than it reads, whether by a rule (also one that says i_accept) or by an open
 * class. The oracle is asked one question a row; a socket or host that a row does not name is not found.
 */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"
#include "policy/learn.h"

static const struct cli_option options[] = { POLICY_OPTION_PARAM, POLICY_OPTION_JSON };
static const struct cli_spec spec = {
	.usage = "bailiff policy lint FILE|preset:NAME [--param NAME=VALUE]... [--json]",
	.about = "Name what the policy lets an agent reach that acts with more rights than the agent has (Docker, buses, key agents, the cloud's\n"
		 "metadata service, files that others run later), and what it could do there. And a policy without tests.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 nothing found, 1 something to look at or the policy is wrong, 2 usage",
};

#define DEPUTIES_MAX 64

struct finding {
	const char *question, *could;
	struct policy_rule_info rule;
	bool open;	/* no rule: the class is */
	uint32_t number;
};

/* One for each rule and consequence: the same said again helps nobody. */
static bool is_said(const struct finding *found, size_t count, const struct finding *f)
{
	for (size_t i = 0; i < count; i++) {
		if (found[i].number == f->number && !strcmp(found[i].could, f->could))
			return true;
	}
	return false;
}

static int question_ask(const struct policy *p, const char *question, struct policy_verdict *v)
{
	struct policy_action a;
	char why[200];
	int err = policy_action_parse(question, &a, why);

	if (!err) {
		err = policy_eval(p, &a, v);
		policy_action_done(&a);
	}
	return err;
}

static int findings_collect(const struct policy *p, struct finding found[DEPUTIES_MAX], size_t *count)
{
	struct finding f = {};

	*count = 0;
	for (size_t i = 0; i < DEPUTIES_MAX && (f.question = policy_deputy(i, &f.could)); i++) {
		struct policy_verdict v;
		int err = question_ask(p, f.question, &v);

		if (err)
			return err;
		f.number = v.rule;
		f.open = policy_rule(p, v.rule, &f.rule) != 0;
		if (v.allowed && !is_said(found, *count, &f))
			found[(*count)++] = f;
	}
	return 0;
}

static void findings_print(struct buf *out, const char *file, const struct policy *p, const struct finding *found, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct finding *f = &found[i];

		buf_add_terminal(out, f->open ? file : f->rule.file, strlen(f->open ? file : f->rule.file));
		if (!f->open)
			buf_addf(out, ":%u:%u", f->rule.line, f->rule.column);
		buf_addf(out, ": %s is allowed by %s: who can do that %s\n", f->question, f->open ? "the open class" : f->rule.id, f->could);
	}
	if (policy_test_count(p))
		return;
	buf_add_terminal(out, file, strlen(file));
	buf_add_str(out, ": no tests: add tests: [{\"read /etc/shadow\": refused}, ...], so that a change that opens too much is noticed\n");
}

static void findings_json(struct buf *out, const struct policy *p, const struct finding *found, size_t count)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_bool(&j, "has_tests", policy_test_count(p) > 0);
	json_begin_array(&j, "findings");
	for (size_t i = 0; i < count; i++) {
		json_begin_object(&j, NULL);
		json_str(&j, "action", found[i].question);
		json_str(&j, "could", found[i].could);
		if (!found[i].open)
			policy_rule_json(&j, "rule", &found[i].rule);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static int lint_run(char **rest, size_t words, const struct policy_options *o)
{
	struct finding found[DEPUTIES_MAX];
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	size_t count = 0;
	int code = policy_from_file_or_say(rest[0], o, &p), err;

	(void)words;
	if (code)
		return code;
	err = findings_collect(p, found, &count);
	code = count || !policy_test_count(p) ? CLI_FAILED : CLI_OK;
	if (!err && o->json)
		findings_json(&out, p, found, count);
	else if (!err)
		findings_print(&out, rest[0], p, found, count);
	policy_free(p);
	if (err || out.err)
		return log_err(err ? err : out.err, "%s", rest[0]), CLI_FAILED;
	fputs(out.data ? out.data : "", stdout);
	return code;
}

const struct policy_command policy_lint_command = { .spec = &spec, .run = lint_run, .operands_max = 1 };
