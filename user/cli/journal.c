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
#include "event/event.h"
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
	const char *since, *until, *sandbox, *severity;
	struct cli_number seq;
};

static const struct cli_option options[] = {
	{ "since", 0, "TIME", OPTION_TEXT, offsetof(struct export_options, since), "events from then on: 2026-11-24T08:00:00Z, or 90s, 10m, 2h, 7d ago" },
	{ "until", 0, "TIME", OPTION_TEXT, offsetof(struct export_options, until), "events before then, written alike" },
	{ "sandbox", 0, "ID|NAME", OPTION_TEXT, offsetof(struct export_options, sandbox), "only events of this sandbox" },
	{ "severity", 0, "LEVEL", OPTION_TEXT, offsetof(struct export_options, severity),
	  "only events of this level or above: informational, low, medium, high, critical, fatal" },
	{ "seq", 0, "N", OPTION_NUMBER, offsetof(struct export_options, seq), "lines from number N on" },
};
static const struct cli_spec spec = {
	.usage = "bailiff journal export [DIR] [--since TIME] [--until TIME] [--sandbox ID|NAME] [--severity LEVEL] [--seq N]",
	.about = "Print the journal in DIR (default: this host's), one JSON event a line, exactly the bytes that were signed. Lines without a\n"
		 "time are printed whatever --since and --until say; the journal's own lines are no sandbox's and have no severity to ask for.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 printed, 1 part of the journal is damaged (`bailiff journal verify` says where), 2 usage, 125 there is no journal to read",
};

struct filter {
	uint64_t since_ms, until_ms;	/* 0: no limit */
	const char *sandbox;
	unsigned severity;		/* 0: any */
};

static int read_severity(const char *text, unsigned *out)
{
	static const char *const names[] = { "informational", "low", "medium", "high", "critical", "fatal" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i], text)) {
			*out = i + 1;
			return 0;
		}
	}
	return -EINVAL;
}

static bool event_wanted(const struct filter *f, const struct event_view *v)
{
	if (v->severity < f->severity)
		return false;
	if (!f->sandbox)
		return true;
	return (v->sandbox && !strcmp(v->sandbox, f->sandbox)) || (v->sandbox_uid && !strcmp(v->sandbox_uid, f->sandbox));
}

/* 1, 0, -ENOMEM. A line that cannot be read as an event is none that was asked for. */
static int wanted(const struct filter *f, const struct journal_line *l)
{
	struct event_view v;
	uint64_t ms;
	int err;

	if (!journal_line_u64(l->text, l->len, "time", &ms) && (ms < f->since_ms || (f->until_ms && ms >= f->until_ms)))
		return 0;
	if (!f->sandbox && !f->severity)
		return 1;
	if (f->sandbox && !memmem(l->text, l->len, f->sandbox, strlen(f->sandbox)))
		return 0;	/* parsing costs a hundred times as much as looking */
	err = event_view_parse(l->text, l->len, &v);
	if (err)
		return err == -ENOMEM ? err : 0;
	err = event_wanted(f, &v);
	event_view_done(&v);
	return err;
}

static int print_lines(struct journal_cursor *c, const struct filter *f)
{
	struct journal_line l;
	int got;

	while ((got = journal_cursor_read(c, &l)) == 1) {
		int take = wanted(f, &l);

		if (take < 0)
			return take;
		if (!take)
			continue;
		if (fwrite(l.text, 1, l.len, stdout) != l.len || putchar('\n') == EOF)
			return -errno;
	}
	return fflush(stdout) ? -errno : got;
}

static int export_dir(const char *dir, const struct export_options *o, const struct filter *f)
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
		err = print_lines(c, f);
	journal_cursor_close(c);
	if (err == -EPIPE)
		return CLI_OK;	/* who reads has enough */
	if (err)
		log_err(err, "%s", dir);
	return err ? CLI_FAILED : CLI_OK;
}

static int read_filter(const struct export_options *o, struct filter *f)
{
	f->sandbox = o->sandbox;
	if (o->since && cli_parse_since(o->since, &f->since_ms))
		return log_err(0, "--since: neither a time (2026-11-24T08:00:00Z) nor a duration (2h)"), -EINVAL;
	if (o->until && cli_parse_since(o->until, &f->until_ms))
		return log_err(0, "--until: neither a time (2026-11-24T08:00:00Z) nor a duration (2h)"), -EINVAL;
	if (o->severity && read_severity(o->severity, &f->severity))
		return log_err(0, "--severity: informational, low, medium, high, critical or fatal"), -EINVAL;
	return 0;
}

static int export(int argc, char **argv)
{
	struct cli_spec here = spec;
	struct export_options o = {};
	_cleanup_(where_done) struct where w = {};
	_free_ char **rest = NULL;
	struct filter f = {};
	size_t count;
	int err;

	here.operands = argc > 1 && argv[1][0] != '-';	/* DIR may stand first or last */
	err = cli_parse(&here, argc, argv, &o, &rest, &count);
	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count > 1)
		return log_err(0, "usage: %s", spec.usage), CLI_USAGE;
	if (read_filter(&o, &f))
		return CLI_USAGE;
	if (!count && where_load(&w))
		return CLI_NOT_STARTED;
	return export_dir(count ? rest[0] : w.journal_dir, &o, &f);
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
