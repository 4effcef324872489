/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiff why: inside a sandbox its own last refusals, from a file that the kernel itself writes while it is read, with no engine in the way; outside
 * those of an event or a sandbox, from the journal (why_record.c). Where Bailiff refused nothing it says so, and what else might have (why_not.c).
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "cli/why.h"

#define WHY_FILE "/sys/fs/bpf/bailiff/why"
#define WHY_BYTES 65536

struct why_options {
	const char *file, *dir;
};

static const struct cli_option options[] = {
	{ "file", 0, "FILE", OPTION_TEXT, offsetof(struct why_options, file), "inside: what to read instead of " WHY_FILE },
	{ "dir", 0, "DIR", OPTION_TEXT, offsetof(struct why_options, dir), "outside: read the journal in this directory" },
};
static const struct cli_spec spec = {
	.usage = "bailiff why [VERB OBJECT] | bailiff why EVENT|SANDBOX",
	.about = "Why something was refused. Inside a sandbox: its own last refusals, newest first, each with the rule, where it stands, whom\n"
		 "to ask and at most one place where the same is allowed; with VERB OBJECT (read /etc/shadow, connect 192.0.2.1:443) that\n"
		 "one, or what else may have refused it. Outside: the refusal with this event id, or the last ones of this sandbox.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 told why, 1 Bailiff did not refuse it, 2 usage, 125 it cannot be told: not in a sandbox, no file, no journal",
};

/* ---- inside ---- */

/* The kernel writes bytes that are not plain as \xNN; what is text in them is shown as text. */
static void print_line(const char *line, size_t n)
{
	_buf_ struct buf plain = {}, out = {};

	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (line[i] == '\\' && i + 3 < n && sscanf(line + i, "\\x%2x", &byte) == 1 && byte >= 0x80) {
			buf_add_char(&plain, byte);
			i += 3;
		} else {
			buf_add_char(&plain, line[i]);
		}
	}
	for (size_t at = 0; at < plain.len;) {	/* what the kernel escaped stays as it is */
		unsigned columns;

		at += buf_add_terminal_char(&out, plain.data + at, plain.len - at, &columns);
	}
	printf("%s\n", out.data ? out.data : "");
}

static int read_file(const char *path, char **text, size_t *len)
{
	int err = file_slurp(path, WHY_BYTES, text, len);

	if (err == -ENOENT)
		log_err(0, "%s is not there: outside a sandbox say which, `bailiff why EVENT|SANDBOX`; `bailiff doctor` says whether this kernel has it",
			path);
	else if (err)
		log_err(err, "%s", path);
	return err;
}

/* Lines that are about the object, or all. */
static size_t print_lines(const char *text, const char *object)
{
	size_t printed = 0;

	for (const char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (object && !memmem(line, end - line, object, strlen(object)))
			continue;
		print_line(line, end - line);
		printed++;
	}
	return printed;
}

/* As the kernel has it: a path absolute, its links followed, in quotes; else the word. */
static void object_text(const char *word, struct buf *out)
{
	_free_ char *full = NULL, *dir = NULL;
	const char *slash;

	full = realpath(word, NULL);
	slash = strrchr(word, '/');
	if (!full && slash) {	/* what is not there yet lies in a directory that is */
		_free_ char *parent = strndup(word, slash > word ? slash - word : 1);

		dir = parent ? realpath(parent, NULL) : NULL;
		if (dir && asprintf(&full, "%s%s", dir[1] ? dir : "", slash) < 0)
			full = NULL;
	}
	if (full || slash)
		policy_why_quote(full ? full : word, strlen(full ? full : word), out);
	else
		buf_addf(out, " %s: refused ", word);
}

static int why_inside(const struct why_options *o, const char *verb, const char *word)
{
	_free_ char *text = NULL;
	_buf_ struct buf object = {};
	size_t len;

	if (read_file(o->file ? o->file : WHY_FILE, &text, &len))
		return CLI_NOT_STARTED;
	if (!strncmp(text, "not in a sandbox", 16) || !len) {
		log_err(0, "not in a sandbox; outside say which: bailiff why EVENT|SANDBOX");
		return CLI_NOT_STARTED;
	}
	if (word)
		object_text(word, &object);
	if (object.err)
		return log_err(object.err, "why"), CLI_NOT_STARTED;
	if (strncmp(text, "nothing was refused", 19) && print_lines(text, object.data))
		return CLI_OK;
	why_not(verb, word);
	return CLI_FAILED;
}

int cmd_why(int argc, char **argv)
{
	struct why_options o = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count == 1)
		return why_record(o.dir, rest[0]);
	if (!count || count == 2)
		return why_inside(&o, count ? rest[0] : NULL, count ? rest[1] : NULL);
	log_err(0, "usage: %s", spec.usage);
	return CLI_USAGE;
}
