/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff: what people type. argv[1] names a row of the command table. */
#include <fcntl.h>
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/option.h"

static int cmd_help(int argc, char **argv);

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
};

static const struct command commands[] = {
	{ "run",     cmd_run,     "run a command in a sandbox of its own" },
	{ "create",  cmd_create,  "make an empty sandbox and print its id" },
	{ "exec",    cmd_exec,    "run a command in a living sandbox" },
	{ "reload",  cmd_reload,  "replace the policy of a living sandbox" },
	{ "end",     cmd_end,     "end a sandbox and everything in it" },
	{ "ps",      cmd_ps,      "list the sandboxes" },
	{ "doctor",  cmd_doctor,  "what this kernel lets us enforce" },
	{ "tail",    cmd_tail,    "print what was recorded, as it comes" },
	{ "learn",   cmd_learn,   "from the record to the smallest policy that would have allowed it" },
	{ "why",     cmd_why,     "why something was refused: inside a sandbox, or of an event or a sandbox" },
	{ "policy",  cmd_policy,  "check, explain and show policies" },
	{ "journal", cmd_journal, "verify and export the record" },
	{ "version", cmd_version, "versions of this program and of the engine" },
	{ "help",    cmd_help,    "this list, or the help of one command" },
};

static const char *command_name(const void *table, size_t i)
{
	return ((const struct command *)table)[i].name;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *meant = cli_suggest(name, command_name, commands, ARRAY_SIZE(commands));

	if (meant)
		log_err(0, "unknown command \"%s\"; did you mean `bailiff %s`?", name, meant);
	else
		log_err(0, "unknown command \"%s\"; `bailiff help` lists them", name);
	return CLI_USAGE;
}

static void print_commands(FILE *to)
{
	fprintf(to, "usage: bailiff COMMAND [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].text);
	fprintf(to, "\n`bailiff help COMMAND` says more, exit codes included. As root: the engine answers nobody else.\n");
}

static int cmd_help(int argc, char **argv)
{
	const struct command *c = argc > 1 ? find_command(argv[1]) : NULL;
	char *args[] = { argv[1], "--help", NULL };

	if (c && c->run != cmd_help)
		return c->run(2, args);
	if (argc > 1 && !c && argv[1][0] != '-')
		return unknown_command(argv[1]);
	print_commands(stdout);
	return CLI_OK;
}

/* Whoever starts us with 0-2 closed must not have a file of ours land there. */
static int fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *c;
	int err;

	log_open("bailiff");
	err = fill_standard_descriptors();
	if (err) {
		log_err(err, "/dev/null");
		return CLI_NOT_STARTED;
	}
	if (argc < 2) {
		print_commands(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return cmd_help(1, argv);
	if (!strcmp(argv[1], "--version"))
		return cmd_version(1, argv + 1);
	c = find_command(argv[1]);
	return c ? c->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
