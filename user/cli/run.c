/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff run: a sandbox, one command in it, and what came of it. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/session.h"

struct run_options {
	struct session_options session;
};

static const struct cli_option options[] = { SESSION_OPTIONS(struct run_options, session) };
static const struct cli_spec spec = {
	.usage = "bailiff run -p FILE [options] -- COMMAND [ARG...]",
	.about = "Run a command in a sandbox of its own: from its first instruction on, the kernel refuses what the policy\n"
		 "does not allow. Starts the engine if none runs. Input, output, terminal, signals and exit code pass through.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "The command gets no descriptors but 0-2, a terminal of its own in place of yours, a core limit of 0, and with\n"
		"--user also HOME, USER, LOGNAME and SHELL of that account. When standard input is no terminal, nothing that is\n"
		"typed reaches the command. A signal that a process sends to bailiff goes to the command, one from a key to its\n"
		"whole job. What the command leaves running stays governed until it ends; `bailiff end ID` ends it.\n"
		"\n"
		"exit code: the command's, 128 + the signal it died of, or\n"
		"  125  it was not started: usage, policy, engine, kernel\n"
		"  126  it was found but could not be executed\n"
		"  127  it was not found",
};

static void print_summary(const char *id, const struct kv *m)
{
	uint64_t refused = 0, would = 0, events = 0, members = 0;
	char left[64] = "";

	(void)kv_get_u64(m, "refused", &refused);
	(void)kv_get_u64(m, "would", &would);
	(void)kv_get_u64(m, "events", &events);
	(void)kv_get_u64(m, "members", &members);
	if (members)
		snprintf(left, sizeof(left), ", %llu process%s still running", (unsigned long long)members, members == 1 ? "" : "es");
	log_info("sandbox %s: %llu refused, %llu would be refused, %llu event%s%s; bailiff tail --sandbox %s", id, (unsigned long long)refused,
		 (unsigned long long)would, (unsigned long long)events, PLURAL(events), left, id);
}

/* The engine may have been replaced meanwhile: its successor knows the sandbox. */
static int ask_summary(struct client *c, const struct buf *request, struct control_message *m)
{
	struct client again;
	int err = control_call(c->sock, request, NULL, 0, m);

	if (err != -ENOLINK && err != -EPIPE && err != -ECONNRESET)
		return err;
	control_message_done(m);
	*m = (struct control_message){};
	if (client_open(&again, CLIENT_TRY))
		return err;
	err = control_call(again.sock, request, NULL, 0, m);
	client_close(&again);
	return err;
}

/* To whoever reads the end of a failed command, a model as likely as a person. */
static void print_why(const char *id, const struct kv *m)
{
	const char *why = kv_get(m, "why");
	uint64_t more = 0;

	if (!why)
		return;
	(void)kv_get_u64(m, "why_more", &more);
	if (more)
		log_info("%s (and %llu more: bailiff why %s)", why, (unsigned long long)more, id);
	else
		log_info("%s", why);
}

static void summarize(struct client *c, const char *id, bool failed)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {};
	int err = client_request(&b, "summary", id);

	if (!err)
		err = ask_summary(c, &b, &m);
	if (err)
		log_err(0, "sandbox %s: no summary: %s; what was recorded: bailiff tail --sandbox %s", id,
			kv_get(&m.kv, "error") ? kv_get(&m.kv, "error") : "no engine answers", id);
	if (err)
		return;
	if (failed)
		print_why(id, &m.kv);
	print_summary(id, &m.kv);
}

static int run_in(struct client *c, const struct run_options *o, const struct account *user, char **argv)
{
	_cleanup_(session_done) struct session s = {};
	struct session_start start;
	struct launch l;
	int code;

	if (session_create(c, &o->session, false, -1, &s))
		return CLI_NOT_STARTED;
	start = (struct session_start){ .client = c, .id = s.id, .user = o->session.user, .argv = argv };
	l = (struct launch){ .argv = argv, .user = user, .filter = s.filter, .filter_bytes = s.filter_bytes, .cgroup = s.cgroup,
			     .tail_hint = s.id, .govern = session_govern, .ctx = &start };
	code = launch_run(&l);
	if (code != CLI_NOT_STARTED || start.started)
		summarize(c, s.id, code != CLI_OK);
	return code;
}

static int run_with(const struct run_options *o, char **argv)
{
	_cleanup_(account_done) struct account user = {};
	struct client c;
	int code;

	if (o->session.user && account_find(o->session.user, &user))
		return CLI_NOT_STARTED;
	if (client_open(&c, CLIENT_START))
		return CLI_NOT_STARTED;
	code = run_in(&c, o, o->session.user ? &user : NULL, argv);
	client_close(&c);
	return code;
}

int cmd_run(int argc, char **argv)
{
	struct run_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count), code = CLI_NOT_STARTED;

	if (err > 0)
		code = CLI_OK;
	else if (!err && !count)
		log_err(0, "which command? usage: %s", spec.usage);
	else if (!err)
		code = run_with(&o, rest);
	free(o.session.params.items);
	return code;
}
