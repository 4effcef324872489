/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy diff: what another policy newly allows and newly refuses, in words and as JSON. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy_diff.h"

#define CLI_TROUBLE 2	/* as diff(1) has it: 1 is "they differ" */

static const struct cli_option options[] = { POLICY_OPTION_PARAM, POLICY_OPTION_JSON };
static const struct cli_spec spec = {
	.usage = "bailiff policy diff OLD NEW [--param NAME=VALUE]... [--json]",
	.about = "What NEW allows and OLD refuses, and the other way round: decided on the compiled policies, so that order, spelling and comments\n"
		 "do not count. Paths come with a shortest example and, where a rule's pattern says it, all of what differs; addresses and ports\n"
		 "exactly. Then what is limited, recorded and done otherwise, and at last every rule that came, went or changed. A parameter is\n"
		 "given to both that have it.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 2,
	.more = "exit code: 0 they allow the same, 1 they differ, 2 usage, or one of them is wrong",
};

static void side_done(struct diff_side *s)
{
	policy_image_done(&s->image);
	policy_free(s->policy);
}

static int side_open(const char *file, const struct policy_options *o, struct diff_side *s)
{
	_buf_ struct buf said = {};
	struct diags d = {};
	int err = policy_from_file_or_say(file, o, &s->policy);

	if (err)
		return CLI_TROUBLE;
	err = policy_compile(s->policy, &s->image, &d);
	diags_print(&d, &said);
	if (said.data)
		fputs(said.data, stderr);
	diags_done(&d);
	return err ? CLI_TROUBLE : CLI_OK;
}

static int sides_compare(const struct diff_side s[2], bool as_json)
{
	_buf_ struct buf out = {};
	struct policy_diff d = {};
	int err = policy_diff(s[0].policy, &s[0].image, s[1].policy, &s[1].image, &d);
	bool same = !err && policy_diff_same(&d);

	if (!err && as_json)
		policy_diff_json(&out, s, &d);
	else if (!err)
		policy_diff_print(&out, s, &d);
	policy_diff_done(&d);
	if (!err)
		err = out.err;
	if (err) {
		log_err(err, err == -E2BIG ? "the two are too large to be compared" : "policy diff");
		return CLI_TROUBLE;
	}
	fputs(out.data, stdout);
	if (as_json)
		putchar('\n');
	return same ? CLI_OK : CLI_FAILED;
}

static int diff_run(char **rest, size_t count, const struct policy_options *o)
{
	struct diff_side s[2] = {};
	int code = side_open(rest[0], o, &s[0]);

	(void)count;
	if (!code)
		code = side_open(rest[1], o, &s[1]);
	if (!code)
		code = sides_compare(s, o->json);
	side_done(&s[0]);
	side_done(&s[1]);
	return code;
}

const struct policy_command policy_diff_command = { .spec = &spec, .run = diff_run, .operands_max = 2 };
