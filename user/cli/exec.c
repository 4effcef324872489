/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff exec: one more command in a sandbox that lives. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/session.h"

struct exec_options {
	const char *user, *call, *trace;
};

static const struct cli_option options[] = {
	{ "user", 0, "USER[:GROUP]", OPTION_TEXT, offsetof(struct exec_options, user), "run as this account or number" },
	{ "call", 0, "ID", OPTION_TEXT, offsetof(struct exec_options, call), "the tool call this command belongs to, for the record" },
	{ "trace", 0, "TRACEPARENT", OPTION_TEXT, offsetof(struct exec_options, trace), "its W3C trace context, for the record" },
};
static const struct cli_spec spec = {
	.usage = "bailiff exec ID [options] -- COMMAND [ARG...]",
	.about = "Run a command in a living sandbox, as `bailiff run` would: governed by the sandbox's policy, under an exec id of its own.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: the command's, 128 + the signal it died of, or\n"
		"  125  it was not started: usage, no such sandbox, engine, kernel\n"
		"  126  it was found but could not be executed\n"
		"  127  it was not found",
};

static bool is_hex(const char *p, size_t n)
{
	return strspn(p, "0123456789abcdef") >= n;
}

/* version-traceid-parentid-flags (W3C Trace Context, section 3.2): a trace that no collector would take is a mistake to be told at once. */
static int check_trace(const char *t)
{
	bool good = strlen(t) >= 55 && is_hex(t, 2) && t[2] == '-' && is_hex(t + 3, 32) && t[35] == '-' && is_hex(t + 36, 16) && t[52] == '-' &&
		    is_hex(t + 53, 2) && (t[55] ? t[55] == '-' && strncmp(t, "00", 2) : true) && strncmp(t, "ff", 2) &&
		    strspn(t + 3, "0") < 32 && strspn(t + 36, "0") < 16;

	return good ? 0 : (log_err(0, "--trace: \"%s\" is no traceparent (00-TRACE-PARENT-FLAGS)", t), -EINVAL);
}

static int exec_in(struct client *c, const struct exec_options *o, const struct account *user, char **words)
{
	_cleanup_(session_done) struct session s = {};
	struct session_start start;
	struct launch l;

	if (session_filter(c, words[0], &s))
		return CLI_NOT_STARTED;
	start = (struct session_start){ .client = c, .id = s.id, .call = o->call, .trace = o->trace, .user = o->user, .argv = words + 1 };
	l = (struct launch){ .argv = words + 1, .user = user, .filter = s.filter, .filter_bytes = s.filter_bytes, .tail_hint = s.id,
			     .govern = session_govern, .ctx = &start };
	return launch_run(&l);
}

static int exec_with(const struct exec_options *o, char **words)
{
	_cleanup_(account_done) struct account user = {};
	struct client c;
	int code;

	if ((o->user && account_find(o->user, &user)) || (o->trace && check_trace(o->trace)))
		return CLI_NOT_STARTED;
	if (client_open(&c, CLIENT_ASK))
		return CLI_NOT_STARTED;
	code = exec_in(&c, o, o->user ? &user : NULL, words);
	client_close(&c);
	return code;
}

int cmd_exec(int argc, char **argv)
{
	struct exec_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_NOT_STARTED;
	if (count < 2) {
		log_err(0, "which command? usage: %s", spec.usage);
		return CLI_NOT_STARTED;
	}
	return exec_with(&o, rest);
}
