/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiff journal: verify and pubkey are done by bailiff-view, since they need the cryptographic library; export prints lines as they
 * stand, which needs nothing. No engine is in the way of any of them.
 */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "cli/where.h"
#include "journal/journal.h"

static int exec_view(int argc, char **argv);
static int export(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *text;
} subcommands[] = {
	{ "verify", exec_view, "check that nobody changed or lost a part; needs the public key only" },
	{ "export", export, "print the lines as they are recorded" },
	{ "pubkey", exec_view, "print the public key that verifies this host's journal" },
};

static void print_usage(FILE *to)
{
	fprintf(to, "usage: bailiff journal COMMAND [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		fprintf(to, "  %-8s %s\n", subcommands[i].name, subcommands[i].text);
	fprintf(to, "\n`bailiff journal COMMAND --help` says more. exit code: 0 done, intact; 1 tampered with or damaged; 2 usage; 125 it could not run\n");
}

/* The helper gets the words as they are: bailiff-view journal verify ... */
static int exec_view(int argc, char **argv)
{
	_free_ char **words = calloc(argc + 3, sizeof(*words));
	int err;

	if (!words)
		return log_err(-ENOMEM, "bailiff journal"), CLI_NOT_STARTED;
	words[1] = "journal";
	for (int i = 0; i < argc; i++)
		words[2 + i] = argv[i];
	err = cli_exec_helper("bailiff-view", words);
	log_err(err, "cannot run bailiff-view, which belongs beside this program or in libexec/bailiff");
	return CLI_NOT_STARTED;
}

/* ---- export ---- */

struct export_options {
	const char *since, *dir;
	struct cli_number seq;
};

static const struct cli_option options[] = {
	{ "since", 0, "TIME", OPTION_TEXT, offsetof(struct export_options, since), "events from then on: 2026-11-24T08:00:00Z, or 90s, 10m, 2h, 7d ago" },
	{ "seq", 0, "N", OPTION_NUMBER, offsetof(struct export_options, seq), "lines from number N on" },
};
static const struct cli_spec spec = {
	.usage = "bailiff journal export [DIR] [--since TIME] [--seq N]",
	.about = "Print the journal in DIR (default: this host's), one JSON event a line, exactly the bytes that were signed. Lines without a\n"
		 "time are printed whatever --since says.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 printed, 1 part of the journal is damaged (`bailiff journal verify` says where), 2 usage, 125 there is no journal to read",
};

static int print_lines(struct journal_cursor *c, uint64_t since_ms)
{
	struct journal_line l;
	int got;

	while ((got = journal_cursor_read(c, &l)) == 1) {
		uint64_t ms;

		if (since_ms && !journal_line_u64(l.text, l.len, "time", &ms) && ms < since_ms)
			continue;
		if (fwrite(l.text, 1, l.len, stdout) != l.len || putchar('\n') == EOF)
			return -errno;
	}
	return fflush(stdout) ? -errno : got;
}

static int export_dir(const char *dir, const struct export_options *o, uint64_t since_ms)
{
	struct journal_cursor *c;
	int err = journal_cursor_open(dir, NULL, &c);

	if (err) {
		log_err(err, "%s", dir);
		return CLI_NOT_STARTED;
	}
	if (o->seq.given)
		err = journal_cursor_seek(c, o->seq.value ? o->seq.value : 1);
	if (!err)
		err = print_lines(c, since_ms);
	journal_cursor_close(c);
	if (err == -EPIPE)
		return CLI_OK;	/* who reads has enough */
	if (err)
		log_err(err, "%s", dir);
	return err ? CLI_FAILED : CLI_OK;
}

static int export(int argc, char **argv)
{
	struct cli_spec here = spec;
	struct export_options o = {};
	_cleanup_(where_done) struct where w = {};
	_free_ char **rest = NULL;
	uint64_t since_ms = 0;
	size_t count;
	int err;

	here.operands = argc > 1 && argv[1][0] != '-';	/* DIR may stand first or last */
	err = cli_parse(&here, argc, argv, &o, &rest, &count);
	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count > 1 || (o.since && cli_parse_since(o.since, &since_ms))) {
		log_err(0, count > 1 ? "usage: %s" : "--since: neither a time (2026-11-24T08:00:00Z) nor a duration (2h); usage: %s", spec.usage);
		return CLI_USAGE;
	}
	if (!count && where_load(&w))
		return CLI_NOT_STARTED;
	return export_dir(count ? rest[0] : w.journal_dir, &o, since_ms);
}

int cmd_journal(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
		if (!strcmp(subcommands[i].name, name))
			return subcommands[i].run(argc - 1, argv + 1);
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_usage(stdout);
		return CLI_OK;
	}
	if (*name)
		log_err(0, "there is no `bailiff journal %s`", name);
	print_usage(stderr);
	return CLI_USAGE;
}
