/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff doctor: what this kernel lets us enforce, as found by loading and attaching. */
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/option.h"
#include "cli/table.h"

struct doctor_options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, NULL, OPTION_FLAG, offsetof(struct doctor_options, json), "a JSON object" },
};
static const struct cli_spec spec = {
	.usage = "bailiff doctor [--json]",
	.about = "Say what can be enforced on this host: full, degraded (how) or missing (what to change). Asks the engine that runs;\n"
		 "without one, tries it out.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 everything in full, 1 something is degraded or missing, 2 it could not be found out, or usage",
};

static const struct table_column columns[] = {
	{ "name", "CAPABILITY", COLUMN_TEXT },
	{ "state", "STATE", COLUMN_TEXT },
	{ "how", "HOW", COLUMN_TEXT },
	{ "change", "WHAT TO CHANGE", COLUMN_TEXT },
};

static int format_json(const struct kv *m, struct buf *out)
{
	struct json j;
	int err;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_str(&j, "kernel", kv_get(m, "kernel"));
	json_str(&j, "lsm", kv_get(m, "lsm"));
	json_begin_array(&j, "coverage");
	err = table_json(m, "row", columns, ARRAY_SIZE(columns), &j);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
	return err ? err : out->err;
}

static void add_line(struct buf *out, const char *what, const char *value)
{
	buf_addf(out, "%-8s", what);
	buf_add_terminal(out, value ?: "unknown", strlen(value ?: "unknown"));
	buf_add_char(out, '\n');
}

static int format(const struct kv *m, bool json, struct buf *out)
{
	if (json)
		return format_json(m, out);
	add_line(out, "kernel", kv_get(m, "kernel"));
	add_line(out, "lsm", kv_get(m, "lsm"));
	buf_add_char(out, '\n');
	return table_print(m, "row", columns, ARRAY_SIZE(columns), out);
}

static bool all_full(const struct kv *m)
{
	size_t rows = 0, full = 0;

	for (const struct kv_pair *p = kv_find(m, "row", NULL); p; p = kv_find(m, "row", p)) {
		struct kv row;

		rows++;
		if (kv_parse(p->value, p->value_len, &row))
			continue;
		full += kv_get(&row, "state") && !strcmp(kv_get(&row, "state"), "full");
		kv_done(&row);
	}
	return rows && rows == full;
}

static int ask(struct client *c, bool json)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {}, out = {};
	int err = client_request(&b, "coverage", NULL);

	if (!err)
		err = client_call(c, "doctor", &b, NULL, 0, &m);
	if (err)
		return CLI_USAGE;
	err = format(&m.kv, json, &out);
	if (!err)
		err = write_full(STDOUT_FILENO, out.data, out.len);
	if (err)
		return log_err(err, "doctor"), CLI_USAGE;
	return all_full(&m.kv) ? CLI_OK : CLI_FAILED;
}

static int try_out(bool json)
{
	char *argv[] = { "bailiffd", "--doctor", json ? "--json" : NULL, NULL };
	int err = cli_exec_helper("bailiffd", argv);

	log_err(err, "no engine runs, and bailiffd cannot be run to try it out");
	return CLI_USAGE;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options o = {};
	_free_ char **rest = NULL;
	struct client c;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count), code;

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count) {
		log_err(0, "usage: %s", spec.usage);
		return CLI_USAGE;
	}
	err = client_open(&c, CLIENT_TRY);
	if (err == -ENOENT)
		return try_out(o.json);
	if (err)
		return CLI_USAGE;
	code = ask(&c, o.json);
	client_close(&c);
	return code;
}
