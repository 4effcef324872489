/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy: the table of its subcommands, and check. None needs root or an engine. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

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
	bool binding;
	struct diags diags;
	size_t rules, tests, image_bytes;
};

static void check_print(const char *file, int code, const struct check_result *r, bool as_json)
{
	_buf_ struct buf out = {};
	struct json j;

	if (!as_json) {
		diags_show(&r->diags, policy_colour(), &out);
		if (out.data)
			fputs(out.data, stderr);
		if (!code && r->binding)
			printf("%s: fine: a binding\n", file);
		else if (!code)
			printf("%s: fine: %zu rule%s, %zu test%s, %zu KiB compiled\n", file, r->rules, PLURAL(r->rules), r->tests, PLURAL(r->tests),
			       (r->image_bytes + 1023) / 1024);
		return;
	}
	json_init(&j, &out);
	json_begin_object(&j, NULL);
	json_bool(&j, "ok", !code);
	json_str(&j, "file", file);
	if (!code && !r->binding) {
		json_u64(&j, "rules", r->rules);
		json_u64(&j, "tests", r->tests);
		json_u64(&j, "image_bytes", r->image_bytes);
	}
	diags_json(&r->diags, &j, "findings");
	json_end_object(&j);
	if (out.data)
		puts(out.data);
}

static int check_policy(const struct policy *p, struct check_result *r)
{
	struct policy_image img = {};
	int err = policy_compile(p, &img, &r->diags);

	r->rules = policy_rule_count(p);
	r->image_bytes = policy_image_words(&img) * sizeof(img.words[0]);
	policy_image_done(&img);
	if (!err)
		err = policy_tests_run(p, &r->diags, &r->tests);
	return err ? CLI_FAILED : CLI_OK;
}

static int policy_check_run(char **rest, size_t count, const struct policy_options *o)
{
	struct check_result r = {};
	struct policy *p = NULL;
	int code;

	(void)count;
	r.binding = policy_binding_check(rest[0], &r.diags, &code);
	if (!r.binding)
		code = policy_from_file(rest[0], o, &p, &r.diags);
	if (!code && !r.binding)
		code = check_policy(p, &r);
	if (code != CLI_USAGE)
		check_print(rest[0], code, &r, o->json);
	policy_free(p);
	diags_done(&r.diags);
	return code;
}

/* ---- the table ---- */

static const struct policy_command check_command = { .spec = &check_spec, .run = policy_check_run, .operands_max = 1 };

static const struct {
	const char *name;
	const struct policy_command *command;	/* NULL: the helper's */
	const char *text;
} subcommands[] = {
	{ "check",   &check_command,         "is it right, and do its tests hold" },
	{ "explain", &policy_explain_command, "what it says to an action, and why" },
	{ "test",    &policy_test_command,   "its tests, one by one, or those of a preset" },
	{ "diff",    &policy_diff_command,   "what another one newly allows and newly refuses" },
	{ "show",    &policy_show_command,   "what it comes to, rule by rule; the presets" },
	{ "lint",    &policy_lint_command,   "what it opens that reaches further than it reads" },
	{ "fmt",     &policy_fmt_command,    "its text in one layout" },
	{ "init",    &policy_init_command,   "a first policy for a project" },
	{ "schema",  &policy_schema_command, "what editors complete and check a policy by" },
	{ "digest",  NULL,                   "its name in every event: the hash of what it does" },
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
	const struct policy_command *command = subcommands[which].command;
	struct cli_spec spec = *command->spec;
	struct policy_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err, code = CLI_USAGE;

	if (command->run_bare && (argc == 1 || (argc == 2 && argv[1][0] == '-')))
		spec.operands = 0;
	err = cli_parse(&spec, argc, argv, &o, &rest, &count);
	if (err > 0)
		code = CLI_OK;
	else if (!err && !count && command->run_bare)
		code = command->run_bare(&o);
	else if (!err && (count > command->operands_max || (o.json && o.canonical)))
		log_err(0, "usage: %s", command->spec->usage);
	else if (!err)
		code = command->run(rest, count, &o);
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
		return subcommands[i].command ? subcommand_run(i, argc - 1, argv + 1) : digest_delegate(argv);
	}
	meant = cli_suggest(argv[1], subcommand_name, NULL, ARRAY_SIZE(subcommands));
	log_err(0, "unknown subcommand \"%s\"%s%s%s", argv[1], meant ? "; did you mean `bailiff policy " : "", meant ? meant : "",
		meant ? "`?" : "; `bailiff policy --help` lists them");
	return CLI_USAGE;
}
