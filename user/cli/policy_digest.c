/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy digest: the name of a policy that nobody can choose. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = { POLICY_OPTION_PARAM };
static const struct cli_spec spec = {
	.usage = "bailiff policy digest FILE [--param NAME=VALUE]...",
	.about = "Print the digest of the effective policy: presets united, parameters put in. Two files that do the same have one digest; remarks,\n"
		 "the order of rules, `about` and `tests` do not count, reasons and owners do.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 printed, 1 the policy is wrong, 2 usage",
};

static int digest(const char *file, const struct policy_options *o)
{
	struct policy *p = NULL;
	int code = policy_from_file_or_say(file, o, &p);
	const char *text;

	if (code)
		return code;
	text = policy_digest(p);
	if (text)
		printf("%s\n", text);
	else
		log_err(-ENOMEM, "%s", file);
	policy_free(p);
	return text ? CLI_OK : CLI_FAILED;
}

int cmd_policy_digest(int argc, char **argv)
{
	struct policy_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count), code = CLI_USAGE;

	if (err > 0)
		code = CLI_OK;
	else if (!err && count != 1)
		log_err(0, "usage: %s", spec.usage);
	else if (!err)
		code = digest(rest[0], &o);
	free(o.params.items);
	return code;
}
