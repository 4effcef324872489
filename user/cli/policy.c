/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy: check a policy, ask it questions, print what it comes to. Needs neither root nor an engine. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

typedef int (*policy_fn)(char **rest, size_t count, const struct policy_options *o);

/* ---- check ---- */

static const struct cli_option check_options[] = { POLICY_OPTION_PARAM, POLICY_OPTION_JSON };
static const struct cli_spec check_spec = {
	.usage = "bailiff policy check FILE [--param NAME=VALUE]... [--json]",
	.about = "Read a policy as the engine would, compile it, and run its tests. Findings are lines \"file:line:column: error: what\" on stderr.",
	.options = check_options,
	.option_count = ARRAY_SIZE(check_options),
	.operands = 1,
	.more = "exit code: 0 fine (warnings may have come), 1 the policy is wrong or a test failed, 2 usage",
};

struct check_result {
	struct diags diags;
	size_t rules, tests, image_bytes;
};

static void findings_json(struct json *j, const struct diags *d)
{
	json_begin_array(j, "findings");
	for (size_t i = 0; i < d->count; i++) {
		json_begin_object(j, NULL);
		json_str(j, "severity", d->items[i].warning ? "warning" : "error");
		json_str(j, "file", d->items[i].file);
		if (d->items[i].line) {
			json_u64(j, "line", d->items[i].line);
			json_u64(j, "column", d->items[i].column);
		}
		json_str(j, "text", d->items[i].text);
		json_end_object(j);
	}
	json_end_array(j);
}

static void check_print(const char *file, int code, const struct check_result *r, bool as_json)
{
	_buf_ struct buf out = {};
	struct json j;

	if (!as_json) {
		diags_print(&r->diags, &out);
		if (out.data)
			fputs(out.data, stderr);
		if (!code)
			printf("%s: fine: %zu rule%s, %zu test%s, %zu KiB compiled\n", file, r->rules, PLURAL(r->rules), r->tests, PLURAL(r->tests),
			       (r->image_bytes + 1023) / 1024);
		return;
	}
	json_init(&j, &out);
	json_begin_object(&j, NULL);
	json_bool(&j, "ok", !code);
	json_str(&j, "file", file);
	if (!code) {
		json_u64(&j, "rules", r->rules);
		json_u64(&j, "tests", r->tests);
		json_u64(&j, "image_bytes", r->image_bytes);
	}
	findings_json(&j, &r->diags);
	json_end_object(&j);
	if (out.data)
		puts(out.data);
}

static int check_policy(const struct policy *p, struct check_result *r)
{
	struct policy_image img = {};
	int err = policy_compile(p, &img, &r->diags);

	r->rules = policy_rule_count(p);
	r->image_bytes = img.count * sizeof(img.words[0]);
	policy_image_done(&img);
	if (!err)
		err = policy_tests_run(p, &r->diags, &r->tests);
	return err ? CLI_FAILED : CLI_OK;
}

static int policy_check_run(char **rest, size_t count, const struct policy_options *o)
{
	struct check_result r = {};
	struct policy *p = NULL;
	int code = policy_from_file(rest[0], o, &p, &r.diags);

	(void)count;
	if (!code)
		code = check_policy(p, &r);
	if (code != CLI_USAGE)
		check_print(rest[0], code, &r, o->json);
	policy_free(p);
	diags_done(&r.diags);
	return code;
}

/* ---- explain ---- */

static const struct cli_spec explain_spec = {
	.usage = "bailiff policy explain FILE [--param NAME=VALUE]... [--json] QUESTION...",
	.about = "What the policy says to an action, by which rule, and which allow comes closest. A question is like \"read /etc/shadow\" (or change,\n"
		 "create, remove, write, execute, unix) or \"connect 10.0.0.1:443\" (or send, listen; \"/udp\" behind the port).",
	.options = check_options,
	.option_count = ARRAY_SIZE(check_options),
	.operands = 2,
	.more = "exit code: 0 answered, 1 the policy is wrong, 2 usage",
};

static void rule_print(struct buf *out, const struct policy_rule_info *rule)
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

static const char *action_verb(const struct policy_action *a)
{
	static const char *const words[VERB_COUNT] = { "read", "change", "create", "remove", "execute", "unix", "connect", "send", "listen", "call" };

	return words[a->verb];
}

static void answer_print(struct buf *out, const char *question, const struct policy_action *a, const struct policy_explanation *e)
{
	const char *object = strchr(question, ' ');

	buf_add_str(out, action_verb(a));
	buf_add_terminal(out, object, strlen(object));
	buf_addf(out, ": %s by ", e->verdict.allowed ? "allowed" : "refused");
	if (e->has_rule)
		rule_print(out, &e->rule);
	else
		buf_add_str(out, "nothing: the class is open");
	buf_add_char(out, '\n');
	if (!e->has_nearest)
		return;
	buf_add_str(out, "  nearest allow: ");
	rule_print(out, &e->nearest);
	if (strcmp(e->missing, "nothing"))
		buf_addf(out, "\n  it is for another %s\n", e->missing);
	else
		buf_add_str(out, "\n  it would allow this, but the deny wins\n");
}

static void rule_json(struct json *j, const char *key, const struct policy_rule_info *rule)
{
	json_begin_object(j, key);
	json_str(j, "id", rule->id);
	json_str(j, "file", rule->file);
	if (rule->line)
		json_u64(j, "line", rule->line);
	json_str(j, "why", rule->why);
	json_str(j, "owner", rule->owner);
	json_str(j, "ticket", rule->ticket);
	json_end_object(j);
}

static void answer_json(struct json *j, const char *question, const struct policy_action *a, const struct policy_explanation *e)
{
	json_begin_object(j, NULL);
	json_str(j, "question", question);
	json_str(j, "verb", action_verb(a));
	json_str(j, "verdict", e->verdict.allowed ? "allowed" : "refused");
	if (e->has_rule)
		rule_json(j, "rule", &e->rule);
	if (e->has_nearest) {
		rule_json(j, "nearest", &e->nearest);
		json_str(j, "missing", e->missing);
	}
	json_end_object(j);
}

static int question_answer(const struct policy *p, const char *question, bool as_json, struct buf *out, struct json *j)
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
		if (policy_explain(p, &actions[i], &e))
			continue;	/* cannot be: the parser made the action */
		if (as_json)
			answer_json(j, question, &actions[i], &e);
		else
			answer_print(out, question, &actions[i], &e);
	}
	policy_question_done(actions, count);
	return CLI_OK;
}

static int policy_explain_run(char **rest, size_t count, const struct policy_options *o)
{
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	struct json j;
	int code = policy_from_file_or_say(rest[0], o, &p);

	json_init(&j, &out);
	if (o->json)
		json_begin_array(&j, NULL);
	for (size_t i = 1; i < count && !code; i++)
		code = question_answer(p, rest[i], o->json, &out, &j);
	if (o->json)
		json_end_array(&j);
	if (!code && out.data)
		printf("%s%s", out.data, o->json ? "\n" : "");
	policy_free(p);
	return code;
}

/* ---- show ---- */

static const struct cli_option show_options[] = {
	POLICY_OPTION_PARAM,
	{ "canonical", 0, NULL, OPTION_FLAG, offsetof(struct policy_options, canonical), "as the policy text that the digest is of" },
	POLICY_OPTION_JSON,
};
static const struct cli_spec show_spec = {
	.usage = "bailiff policy show FILE|preset:NAME [--param NAME=VALUE]... [--canonical|--json]",
	.about = "Print the effective policy: presets united, parameters put in, each rule with its id and its place. With preset:NAME the text of a\n"
		 "preset (base, python, git).",
	.options = show_options,
	.option_count = ARRAY_SIZE(show_options),
	.operands = 1,
	.more = "exit code: 0 printed, 1 the policy is wrong, 2 usage",
};

static int preset_show(const char *name)
{
	const char *text = policy_preset(name);

	if (!text) {
		log_err(0, "there is no preset \"%s\": there are\n%s", name, policy_preset(NULL));
		return CLI_USAGE;
	}
	fputs(text, stdout);
	return CLI_OK;
}

static void rules_json(const struct policy *p, struct buf *out)
{
	_buf_ struct buf open = {};
	struct policy_rule_info rule;
	struct json j;

	policy_open_classes(p, &open);
	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_str(&j, "policy", policy_name(p));
	json_str(&j, "owner", policy_owner(p));
	json_str(&j, "open", open.data ? open.data : "");
	json_begin_array(&j, "rules");
	for (size_t i = 0; i < policy_rule_count(p); i++) {
		if (!policy_rule(p, i, &rule))
			rule_json(&j, NULL, &rule);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static int policy_show_run(char **rest, size_t count, const struct policy_options *o)
{
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	int code;

	(void)count;
	if (!strncmp(rest[0], "preset:", 7))
		return preset_show(rest[0] + 7);
	code = policy_from_file_or_say(rest[0], o, &p);
	if (code)
		return code;
	if (o->json)
		rules_json(p, &out);
	else if (o->canonical)
		(void)policy_canonical(p, &out);
	else
		(void)policy_show(p, &out);
	policy_free(p);
	if (out.err)
		return log_err(out.err, "%s", rest[0]), CLI_FAILED;
	fputs(out.data, stdout);
	return CLI_OK;
}

/* ---- the table ---- */

static const struct {
	const char *name;
	const struct cli_spec *spec;	/* NULL: the helper's */
	policy_fn run;
	size_t operands_max;
	const char *text;
} subcommands[] = {
	{ "check",   &check_spec,   policy_check_run,   1,        "is it right, and do its tests hold" },
	{ "explain", &explain_spec, policy_explain_run, SIZE_MAX, "what it says to an action, and why" },
	{ "show",    &show_spec,    policy_show_run,    1,        "what it comes to, rule by rule; the text of a preset" },
	{ "digest",  NULL,          NULL,               1,        "its name in every event: the hash of what it does" },
};

static int usage(FILE *to)
{
	fprintf(to, "usage: bailiff policy SUBCOMMAND FILE [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		fprintf(to, "  %-9s %s\n", subcommands[i].name, subcommands[i].text);
	fprintf(to, "\n`bailiff policy SUBCOMMAND --help` says more. The language: docs/policy.md.\n"
		    "exit code: 0 fine, 1 the policy is wrong, 2 usage\n");
	return to == stdout ? CLI_OK : CLI_USAGE;
}

static const char *subcommand_name(const void *table, size_t i)
{
	(void)table;
	return subcommands[i].name;
}

static int subcommand_run(size_t which, int argc, char **argv)
{
	struct policy_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(subcommands[which].spec, argc, argv, &o, &rest, &count), code = CLI_USAGE;

	if (err > 0)
		code = CLI_OK;
	else if (!err && (count > subcommands[which].operands_max || (o.json && o.canonical)))
		log_err(0, "usage: %s", subcommands[which].spec->usage);
	else if (!err)
		code = subcommands[which].run(rest, count, &o);
	free(o.params.items);
	return code;
}

/* `bailiff` links no digests: the helper does, and reads the same command line. */
static int digest_delegate(char **argv)
{
	int err = cli_exec_helper("bailiff-view", argv - 1);

	log_err(err, "bailiff-view");
	return CLI_FAILED;
}

int cmd_policy(int argc, char **argv)
{
	const char *meant;

	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return usage(stdout);
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
		if (strcmp(subcommands[i].name, argv[1]))
			continue;
		return subcommands[i].spec ? subcommand_run(i, argc - 1, argv + 1) : digest_delegate(argv);
	}
	meant = cli_suggest(argv[1], subcommand_name, NULL, ARRAY_SIZE(subcommands));
	log_err(0, "unknown subcommand \"%s\"%s%s%s", argv[1], meant ? "; did you mean `bailiff policy " : "", meant ? meant : "",
		meant ? "`?" : "; `bailiff policy --help` lists them");
	return CLI_USAGE;
}
