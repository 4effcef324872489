/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy schema: what editors complete and check a policy by. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = {
	{ "binding", 0, NULL, OPTION_FLAG, offsetof(struct policy_options, binding), "of bindings, not of policies" },
};
static const struct cli_spec spec = {
	.usage = "bailiff policy schema [--binding]",
	.about = "Print the JSON Schema (2020-12) of the policy language, for editors. It knows the form of a policy; `bailiff policy check` knows all.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 printed, 2 usage",
};

static int run(char **rest, size_t count, const struct policy_options *o)
{
	_buf_ struct buf out = {};
	int err = o->binding ? binding_schema(&out) : policy_schema(&out);

	(void)rest;
	(void)count;
	if (err)
		return log_err(err, "schema"), CLI_FAILED;
	fputs(out.data, stdout);
	return CLI_OK;
}

const struct policy_command policy_schema_command = { .spec = &spec, .run = run };
