/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy show: the effective policy, and the presets. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = {
	POLICY_OPTION_PARAM,
	{ "canonical", 0, NULL, OPTION_FLAG, offsetof(struct policy_options, canonical), "as the policy text that the digest is of" },
	POLICY_OPTION_JSON,
};
static const struct cli_spec spec = {
	.usage = "bailiff policy show FILE|preset:NAME [--param NAME=VALUE]... [--canonical|--json]",
	.about = "Print the effective policy: presets united, parameters put in, each rule with its id and its place. With preset:NAME the text of a\n"
		 "preset (base, python, git).",
	.options = options,
	.option_count = ARRAY_SIZE(options),
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
			policy_rule_json(&j, NULL, &rule);
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

const struct policy_command policy_show_command = { &spec, policy_show_run, 1 };
