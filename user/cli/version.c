/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff version: ours, and the running engine's. */
#include <stdio.h>
#include "base/log.h"
#include "bpf/abi.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/option.h"

static const struct cli_spec spec = {
	.usage = "bailiff version",
	.about = "Print the version of this program and, as root, that of the engine that runs.",
	.more = "exit code: 0, 2 usage",
};

static void print_engine(void)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {};
	struct client c;

	if (geteuid() || client_open(&c, CLIENT_TRY))
		return;
	if (!client_request(&b, "hello", NULL) && !client_call(&c, "hello", &b, NULL, 0, &m))
		printf("engine %s abi %s pid %s\n", kv_get(&m.kv, "version") ?: "?", kv_get(&m.kv, "abi") ?: "?", kv_get(&m.kv, "pid") ?: "?");
	client_close(&c);
}

int cmd_version(int argc, char **argv)
{
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, NULL, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count) {
		log_err(0, "usage: %s", spec.usage);
		return CLI_USAGE;
	}
	printf("bailiff %s abi %u\n", BAILIFF_VERSION, BAILIFF_ABI_VERSION);
	fflush(stdout);
	print_engine();
	return CLI_OK;
}
