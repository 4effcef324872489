/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff tail: the journal for people. Reads the files as any stranger could, with no engine in the way. */
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/statvfs.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "cli/where.h"
#include "event/event.h"
#include "journal/journal.h"

#define LAST_LINES 20

struct tail_options {
	bool follow, json;
	const char *sandbox, *dir, *colour;
	struct cli_number last;
};

static const struct cli_option options[] = {
	{ "follow", 'f', NULL, OPTION_FLAG, offsetof(struct tail_options, follow), "go on with what comes" },
	{ "json", 0, NULL, OPTION_FLAG, offsetof(struct tail_options, json), "the events as they are recorded, one a line" },
	{ "sandbox", 0, "ID|NAME", OPTION_TEXT, offsetof(struct tail_options, sandbox), "only what concerns this sandbox" },
	{ "lines", 'n', "N", OPTION_NUMBER, offsetof(struct tail_options, last), "begin with the last N events (20; with --sandbox all)" },
	{ "dir", 0, "DIR", OPTION_TEXT, offsetof(struct tail_options, dir), "read the journal in this directory" },
	{ "color", 0, "WHEN", OPTION_TEXT, offsetof(struct tail_options, colour), "auto (default: on a terminal, unless NO_COLOR is set), always, never" },
};
static const struct cli_spec spec = {
	.usage = "bailiff tail [-f] [options]",
	.about = "Print what was recorded: time, sandbox, what was attempted and by whom, and for a refusal the rule with its file and line.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 printed, 1 not (no journal), or part of it is damaged (`bailiff journal verify` says where), 2 usage",
};

struct tail {
	const struct tail_options *o;
	struct journal_cursor *cursor;
	bool colour;
	uint64_t damaged;
	struct buf out;
};

static bool concerns(const struct tail_options *o, const struct event_view *v)
{
	if (!o->sandbox)
		return true;
	return (v->sandbox && !strcmp(v->sandbox, o->sandbox)) || (v->sandbox_uid && !strcmp(v->sandbox_uid, o->sandbox));
}

/* 1: an event that was asked for, *v to be released; 0: not; the journal's own lines are no events. */
static int take(struct tail *t, const struct journal_line *line, struct event_view *v)
{
	int err;

	if (t->o->sandbox && !memmem(line->text, line->len, t->o->sandbox, strlen(t->o->sandbox)))
		return 0;	/* parsing costs a hundred times as much as looking */
	err = event_view_parse(line->text, line->len, v);
	if (err == -EBADMSG)
		t->damaged++;
	if (err)
		return err == -ENOMEM ? err : 0;
	if (concerns(t->o, v))
		return 1;
	event_view_done(v);
	return 0;
}

static void print_event(struct tail *t, const struct journal_line *line, const struct event_view *v)
{
	if (!t->o->json) {
		event_print_line(v, t->colour, &t->out);
		return;
	}
	buf_add(&t->out, line->text, line->len);
	buf_add_char(&t->out, '\n');
}

static int flush(struct tail *t)
{
	int err = t->out.err ? t->out.err : write_full(STDOUT_FILENO, t->out.data, t->out.len);

	buf_reset(&t->out);
	return err;
}

/* Everything from the cursor to the end; the first `skip` events that were asked for are left out. With count: only counted. */
static int read_all(struct tail *t, uint64_t skip, uint64_t *count)
{
	struct journal_line line;
	int got;

	while ((got = journal_cursor_read(t->cursor, &line)) == 1) {
		struct event_view v;
		int found = take(t, &line, &v);

		if (found < 0)
			return found;
		if (!found)
			continue;
		if (count)
			++*count;
		else if (skip)
			skip--;
		else
			print_event(t, &line, &v);
		event_view_done(&v);
		if (t->out.len > 65536 && flush(t))
			return -EPIPE;
	}
	return got ? got : flush(t);
}

/* Go to where the last n events begin: a window at the end, doubled until they are in it. *skip: events in it that are too many. */
static int seek_last(struct tail *t, uint64_t n, uint64_t *skip)
{
	uint64_t window = n, end, start, count;
	int err = journal_cursor_seek(t->cursor, UINT64_MAX);

	end = journal_cursor_next(t->cursor);
	do {
		window = window < UINT64_MAX / 2 ? window * 2 + 16 : UINT64_MAX;
		start = end > window ? end - window : 0;
		count = 0;
		if (!err)
			err = journal_cursor_seek(t->cursor, start);
		if (!err)
			err = read_all(t, 0, &count);
	} while (!err && count < n && start);
	t->damaged = 0;	/* seen again when it is printed */
	*skip = count > n ? count - n : 0;
	return err ? err : journal_cursor_seek(t->cursor, start);
}

static int follow(struct tail *t, int changes)
{
	for (;;) {
		char events[4096] __attribute__((aligned(8)));
		int err;

		if (read(changes, events, sizeof(events)) < 0 && errno != EINTR)
			return -errno;
		err = read_all(t, 0, NULL);
		if (err)
			return err;
	}
}

/* What happens now may be missing from what is read here. */
static void warn_full(const char *dir)
{
	struct statvfs fs;

	if (!statvfs(dir, &fs) && !fs.f_bavail && fs.f_blocks)
		log_warn(0, "%s: its file system is full: newer events wait in memory or are only counted", dir);
}

static int print(struct tail *t, const char *dir)
{
	_close_ int changes = -1;
	uint64_t skip = 0;
	int err = 0;

	if (t->o->follow) {	/* watch first: nothing that comes while we read is missed */
		changes = inotify_init1(IN_CLOEXEC);
		if (changes < 0 || inotify_add_watch(changes, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
			return -errno;
	}
	if (t->o->last.given || !t->o->sandbox)
		err = seek_last(t, t->o->last.given ? t->o->last.value : LAST_LINES, &skip);
	if (!err)
		err = read_all(t, skip, NULL);
	return err || !t->o->follow ? err : follow(t, changes);
}

static int tail_dir(const struct tail_options *o, const char *dir)
{
	bool forced = o->colour && !strcmp(o->colour, "always"), never = o->colour && !strcmp(o->colour, "never");
	struct tail t = { .o = o, .colour = forced || (!never && isatty(STDOUT_FILENO) && !getenv("NO_COLOR")) };
	int err = journal_cursor_open(dir, NULL, &t.cursor);

	if (err)
		return log_err(err, "%s: no journal to read", dir);
	warn_full(dir);
	err = print(&t, dir);
	if (err)
		log_err(err, "%s", dir);
	else if (t.damaged)
		err = log_err(-EBADMSG, "%s: %llu line%s cannot be read; `bailiff journal verify` says where", dir, (unsigned long long)t.damaged, PLURAL(t.damaged));
	journal_cursor_close(t.cursor);
	buf_done(&t.out);
	return err;
}

static int check_colour(const char *when)
{
	if (!when || !strcmp(when, "auto") || !strcmp(when, "always") || !strcmp(when, "never"))
		return 0;
	log_err(0, "--color %s: write auto, always or never", when);
	return -EINVAL;
}

int cmd_tail(int argc, char **argv)
{
	struct tail_options o = {};
	_free_ char **rest = NULL;
	struct where w = {};
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count || check_colour(o.colour)) {
		if (count)
			log_err(0, "usage: %s", spec.usage);
		return CLI_USAGE;
	}
	if (!o.dir && where_load(&w))
		return CLI_FAILED;
	err = tail_dir(&o, o.dir ? o.dir : w.journal_dir);
	where_done(&w);
	return err ? CLI_FAILED : CLI_OK;
}
