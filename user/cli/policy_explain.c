/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy explain: what a policy says to an action. And how a rule is named to people and programs, for its neighbours. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = {
	POLICY_OPTION_PARAM,
	POLICY_OPTION_JSON,
	{ "by", 0, "PROGRAM", OPTION_TEXT, offsetof(struct policy_options, by), "asked by this program: as \"by PROGRAM \" in front of each question" },
	{ "at", 0, "TIME", OPTION_TEXT, offsetof(struct policy_options, at), "as it is then: rules whose `until` has passed allow nothing; a day means its end" },
};
static const struct cli_spec spec = {
	.usage = "bailiff policy explain FILE [--param NAME=VALUE]... [--json] [--by PROGRAM] [--at TIME] QUESTION...",
	.about = "What the policy says to an action, by which rule, and which allow comes closest. A question is like \"read /etc/shadow\" (or change,\n"
		 "create, remove, write, execute, unix) or \"connect 10.0.0.1:443\" (or send, listen; \"/udp\" behind the port).",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 2,
	.more = "exit code: 0 answered, 1 the policy is wrong, 2 usage",
};

void policy_rule_print(struct buf *out, const struct policy_rule_info *rule)
{
	buf_add_str(out, rule->id);
	if (rule->line) {
		buf_add_str(out, " (");
		buf_add_terminal(out, rule->file, strlen(rule->file));
		buf_addf(out, ":%u)", rule->line);
	}
	if (rule->why) {
		buf_add_str(out, ": ");
		buf_add_terminal(out, rule->why, strlen(rule->why));
	}
}

static void answer_print(struct buf *out, const struct policy_action *a, const struct policy_explanation *e)
{
	policy_action_print(a, out);
	buf_addf(out, ": %s by ", e->verdict.allowed ? "allowed" : "refused");
	if (e->has_rule)
		policy_rule_print(out, &e->rule);
	else
		buf_add_str(out, "nothing: the class is open");
	if (e->verdict.recorded)
		buf_add_str(out, "\n  refused while it cannot be recorded");
	buf_add_char(out, '\n');
	if (!e->has_nearest)
		return;
	buf_add_str(out, "  nearest allow: ");
	policy_rule_print(out, &e->nearest);
	if (!strcmp(e->missing, "time"))
		buf_add_str(out, "\n  it has ended\n");
	else if (strcmp(e->missing, "nothing"))
		buf_addf(out, "\n  it is for another %s\n", e->missing);
	else
		buf_add_str(out, "\n  it would allow this, but the deny wins\n");
}

void policy_rule_json(struct json *j, const char *key, const struct policy_rule_info *rule)
{
	json_begin_object(j, key);
	json_str(j, "id", rule->id);
	json_str(j, "file", rule->file);
	if (rule->line)
		json_u64(j, "line", rule->line);
	json_str(j, "preset", rule->preset);
	json_str(j, "why", rule->why);
	json_str(j, "owner", rule->owner);
	json_str(j, "ticket", rule->ticket);
	json_end_object(j);
}

static void answer_json(struct json *j, const char *question, const struct policy_action *a, const struct policy_explanation *e)
{
	json_begin_object(j, NULL);
	json_str(j, "question", question);
	json_str(j, "verb", policy_verb_word(a->verb));
	json_str(j, "verdict", e->verdict.allowed ? "allowed" : "refused");
	if (e->verdict.recorded)
		json_str(j, "record", "required");
	if (e->has_rule)
		policy_rule_json(j, "rule", &e->rule);
	if (e->has_nearest) {
		policy_rule_json(j, "nearest", &e->nearest);
		json_str(j, "missing", e->missing);
	}
	json_end_object(j);
}

static int question_answer(const struct policy *p, const char *question, int64_t at_s, bool as_json, struct buf *out, struct json *j)
{
	struct policy_action actions[POLICY_QUESTION_MAX];
	struct policy_explanation e;
	char why[200];
	size_t count;

	if (policy_question_parse(question, actions, &count, why)) {
		log_err(0, "%s", why);
		return CLI_USAGE;
	}
	for (size_t i = 0; i < count; i++) {
		actions[i].at_s = at_s;
		if (policy_explain(p, &actions[i], &e))
			continue;	/* cannot be: the parser made the action */
		if (as_json)
			answer_json(j, question, &actions[i], &e);
		else
			answer_print(out, &actions[i], &e);
	}
	policy_question_done(actions, count);
	return CLI_OK;
}

static int policy_explain_run(char **rest, size_t count, const struct policy_options *o)
{
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	struct json j;
	int64_t at_s = 0;
	int code;

	if (o->at && !until_parse(o->at, &at_s)) {
		log_err(0, "\"%.80s\" is no time: write 2027-03-31 or 2027-03-31T12:00:00Z", o->at);
		return CLI_USAGE;
	}
	code = policy_from_file_or_say(rest[0], o, &p);
	json_init(&j, &out);
	if (o->json)
		json_begin_array(&j, NULL);
	for (size_t i = 1; i < count && !code; i++) {
		_buf_ struct buf question = {};

		buf_addf(&question, "%s%s%s%s", o->by ? "by " : "", o->by ? o->by : "", o->by ? " " : "", rest[i]);
		code = question.err ? CLI_FAILED : question_answer(p, question.data, at_s, o->json, &out, &j);
	}
	if (o->json)
		json_end_array(&j);
	if (!code && out.data)
		printf("%s%s", out.data, o->json ? "\n" : "");
	policy_free(p);
	return code;
}

const struct policy_command policy_explain_command = { .spec = &spec, .run = policy_explain_run, .operands_max = SIZE_MAX };
