/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff doctor: what this kernel lets us enforce, as found by loading and attaching. */
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/option.h"

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
	.more = "exit code: 0 all that is built is enforced in full, 1 not all of it, 2 it could not be found out, or usage",
};

static void write_row_json(struct json *j, const struct kv *row)
{
	const char *change = kv_get(row, "change");

	json_begin_object(j, NULL);
	json_str(j, "name", kv_get(row, "name"));
	json_str(j, "state", kv_get(row, "state"));
	json_str(j, "how", kv_get(row, "how"));
	json_str(j, "change", change && *change ? change : NULL);
	json_end_object(j);
}

static void add_text(struct buf *out, const char *text, size_t columns)
{
	size_t before = out->len;

	buf_add_terminal(out, text ?: "", strlen(text ?: ""));
	while (!out->err && out->len - before < columns)
		buf_add_char(out, ' ');
}

static void write_row(struct buf *out, const struct kv *row)
{
	const char *change = kv_get(row, "change");

	add_text(out, kv_get(row, "name"), 16);
	buf_add_char(out, ' ');
	add_text(out, kv_get(row, "state"), 9);
	buf_add_char(out, ' ');
	add_text(out, kv_get(row, "how"), 0);
	buf_add_char(out, '\n');
	if (!change || !*change)
		return;
	buf_addf(out, "%27schange: ", "");
	add_text(out, change, 0);
	buf_add_char(out, '\n');
}

/* The same words as bailiffd's own --doctor has: who asks need not know which of the two answered. */
static int write_rows(const struct kv *m, struct json *j, struct buf *out)
{
	for (const struct kv_pair *p = kv_find(m, "row", NULL); p; p = kv_find(m, "row", p)) {
		struct kv row;
		int err = kv_parse(p->value, p->value_len, &row);

		if (err)
			return err;
		if (j)
			write_row_json(j, &row);
		else
			write_row(out, &row);
		kv_done(&row);
	}
	return 0;
}

static int format_json(const struct kv *m, struct buf *out)
{
	struct json j;
	int err;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_str(&j, "kernel", kv_get(m, "kernel"));
	json_str(&j, "lsm", kv_get(m, "lsm"));
	json_str(&j, "trouble", kv_get(m, "trouble"));
	json_begin_array(&j, "coverage");
	err = write_rows(m, &j, NULL);
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
	return err ? err : out->err;
}

static int format(const struct kv *m, bool json, struct buf *out)
{
	int err;

	if (json)
		return format_json(m, out);
	buf_add_str(out, "kernel ");
	add_text(out, kv_get(m, "kernel"), 0);
	buf_add_str(out, ", LSMs: ");
	add_text(out, kv_get(m, "lsm"), 0);
	buf_add_char(out, '\n');
	if (kv_get(m, "trouble")) {
		add_text(out, "record", 16);
		buf_add_str(out, " missing   ");
		add_text(out, kv_get(m, "trouble"), 0);
		buf_add_char(out, '\n');
	}
	err = write_rows(m, NULL, out);
	return err ? err : out->err;
}

static int ask(struct client *c, bool json)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {}, out = {};
	const char *complete;
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
	complete = kv_get(&m.kv, "complete");
	return complete && !strcmp(complete, "1") ? CLI_OK : CLI_FAILED;
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
