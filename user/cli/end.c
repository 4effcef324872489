/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff end: nothing of a sandbox lives when this returns. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/option.h"

struct end_options {
	const char *reason;
};

static const struct cli_option options[] = {
	{ "reason", 0, "TEXT", OPTION_TEXT, offsetof(struct end_options, reason), "why, for the record" },
};
static const struct cli_spec spec = {
	.usage = "bailiff end ID [--reason TEXT]",
	.about = "End a sandbox: kill every process of it, return when none lives, and print how many there were.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 ended, 1 not ended (no such sandbox, no engine), 2 usage",
};

static int end(const char *id, const char *reason)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {};
	uint64_t killed = 0;
	struct client c;
	int err = client_open(&c, CLIENT_ASK);

	if (err)
		return err;
	client_patience(&c, 0);	/* as long as a process takes to die */
	err = client_request(&b, "end", id);
	kv_add_str(&b, "reason", reason);
	if (!err)
		err = client_call(&c, "end", &b, NULL, 0, &m);
	if (!err) {
		(void)kv_get_u64(&m.kv, "killed", &killed);
		printf("%s ended, %llu process%s killed\n", id, (unsigned long long)killed, killed == 1 ? "" : "es");
	}
	client_close(&c);
	return err;
}

int cmd_end(int argc, char **argv)
{
	struct end_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count > 1) {
		log_err(0, "one sandbox at a time; usage: %s", spec.usage);
		return CLI_USAGE;
	}
	return end(rest[0], o.reason) ? CLI_FAILED : CLI_OK;
}
