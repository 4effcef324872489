/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff ps: the sandboxes that live. */
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/option.h"
#include "cli/table.h"

struct ps_options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, NULL, OPTION_FLAG, offsetof(struct ps_options, json), "a JSON array" },
};
static const struct cli_spec spec = {
	.usage = "bailiff ps [--json]",
	.about = "List the sandboxes of this host.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 listed, 1 not (no engine runs), 2 usage",
};

static const struct table_column columns[] = {
	{ "id", "ID", COLUMN_TEXT },
	{ "name", "NAME", COLUMN_TEXT },
	{ "stage", "STAGE", COLUMN_TEXT },
	{ "policy", "POLICY", COLUMN_TEXT },
	{ "digest", NULL, COLUMN_TEXT },
	{ "state", "STATE", COLUMN_TEXT },
	{ "held", NULL, COLUMN_BOOL },
	{ "members", "MEMBERS", COLUMN_NUMBER },
	{ "commands", "COMMANDS", COLUMN_NUMBER },
	{ "refused", "REFUSED", COLUMN_NUMBER },
	{ "would", "WOULD", COLUMN_NUMBER },
	{ "started_ms", "STARTED", COLUMN_TIME },
};

static int format(const struct kv *m, bool json, struct buf *out)
{
	struct json j;
	int err;

	if (!json)
		return table_print(m, "sandbox", columns, ARRAY_SIZE(columns), out);
	json_init(&j, out);
	json_begin_array(&j, NULL);
	err = table_json(m, "sandbox", columns, ARRAY_SIZE(columns), &j);
	json_end_array(&j);
	buf_add_char(out, '\n');
	return err ? err : out->err;
}

static int list(struct client *c, bool json)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {}, out = {};
	int err = client_request(&b, "list", NULL);

	if (!err)
		err = client_call(c, "ps", &b, NULL, 0, &m);
	if (err)
		return err;
	err = format(&m.kv, json, &out);
	if (!err)
		err = write_full(STDOUT_FILENO, out.data, out.len);
	if (kv_get(&m.kv, "trouble"))
		log_warn(0, "%s", kv_get(&m.kv, "trouble"));
	return err ? log_err(err, "ps") : 0;
}

int cmd_ps(int argc, char **argv)
{
	struct ps_options o = {};
	_free_ char **rest = NULL;
	struct client c;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count) {
		log_err(0, "usage: %s", spec.usage);
		return CLI_USAGE;
	}
	if (client_open(&c, CLIENT_ASK))
		return CLI_FAILED;
	err = list(&c, o.json);
	client_close(&c);
	return err ? CLI_FAILED : CLI_OK;
}
