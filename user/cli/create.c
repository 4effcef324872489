/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff create: a sandbox that stays while it is empty, for commands that come later. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/session.h"

struct create_options {
	struct session_options session;
	struct cli_number while_fd;
};

static const struct cli_option options[] = {
	SESSION_OPTIONS(struct create_options, session),
	{ "while-fd", 0, "N", OPTION_NUMBER, offsetof(struct create_options, while_fd),
	  "end the sandbox when the other end of this inherited pipe or socket closes" },
};
static const struct cli_spec spec = {
	.usage = "bailiff create -p FILE [options]",
	.about = "Make an empty sandbox and print its id. Commands run in it by `bailiff exec ID`. It ends by `bailiff end ID`, by its\n"
		 "deadline, or with --while-fd when whoever holds the other end of that descriptor is gone.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "--user is recorded as the account that commands are meant to run as; each `bailiff exec` says its own.\n"
		"\n"
		"exit code: 0, or 125 when no sandbox was made: usage, policy, engine, kernel",
};

static int check_fd(const struct cli_number *n, int *fd)
{
	*fd = -1;
	if (!n->given)
		return 0;
	if (n->value > INT_MAX || fcntl(n->value, F_GETFD) < 0)
		return log_err(0, "--while-fd %llu: no such descriptor is open", (unsigned long long)n->value), -EBADF;
	*fd = n->value;
	return 0;
}

static int create(const struct create_options *o)
{
	_cleanup_(session_done) struct session s = {};
	struct client c;
	int fd, err = check_fd(&o->while_fd, &fd);

	if (!err)
		err = client_open(&c, CLIENT_START);
	if (err)
		return err;
	err = session_create(&c, &o->session, true, fd, &s);
	client_close(&c);
	if (!err && (printf("%s\n", s.id) < 0 || fflush(stdout)))
		err = log_err(-errno, "printing the id %s", s.id);
	return err;
}

int cmd_create(int argc, char **argv)
{
	struct create_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count), code = CLI_NOT_STARTED;

	if (err > 0)
		code = CLI_OK;
	else if (!err && count)
		log_err(0, "%s: create runs no command; usage: %s", rest[0], spec.usage);
	else if (!err && !create(&o))
		code = CLI_OK;
	free(o.session.params.items);
	return code;
}
