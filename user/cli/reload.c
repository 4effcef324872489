/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff reload: another policy for a sandbox that lives, all at once. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/session.h"

struct reload_options {
	const char *policy;
	struct cli_list params;
};

static const struct cli_option options[] = {
	{ "policy", 'p', "FILE", OPTION_TEXT, offsetof(struct reload_options, policy), "the new policy (required)" },
	{ "param", 0, "NAME=VALUE", OPTION_LIST, offsetof(struct reload_options, params), "a parameter of the policy; may be repeated" },
};
static const struct cli_spec spec = {
	.usage = "bailiff reload ID -p FILE [options]",
	.about = "Replace the policy of a living sandbox. Until the one write that changes over the old policy is in force, from then on the\n"
		 "new one; a policy with errors changes nothing. Prints the new policy's digest and generation.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 replaced, 1 not replaced (the old policy stays in force), 2 usage",
};

static int build(struct buf *b, const char *id, const struct reload_options *o)
{
	int err = client_request(b, "reload", id);

	return err ? err : session_add_policy(b, o->policy, &o->params);
}

static int reload(const char *id, const struct reload_options *o)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {};
	struct client c;
	int err = build(&b, id, o);

	if (!err)
		err = client_open(&c, CLIENT_ASK);
	if (err)
		return err;
	err = client_call(&c, "reload", &b, NULL, 0, &m);
	if (!err)
		printf("%s generation %s\n", kv_get(&m.kv, "digest") ?: "", kv_get(&m.kv, "generation") ?: "");
	client_close(&c);
	return err;
}

int cmd_reload(int argc, char **argv)
{
	struct reload_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count), code = CLI_USAGE;

	if (err > 0)
		code = CLI_OK;
	else if (!err && (count > 1 || !o.policy))
		log_err(0, "usage: %s", spec.usage);
	else if (!err)
		code = reload(rest[0], &o) ? CLI_FAILED : CLI_OK;
	free(o.params.items);
	return code;
}
