/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of commands: one table a command makes the parser and the help. Values land in a struct of the command's, by offset.
 * Options are taken until `--` or, once the command has its leading operands, until the first word that is none.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include "base/base.h"

enum cli_option_kind {
	OPTION_FLAG,	/* bool */
	OPTION_TEXT,	/* const char *, the last one given */
	OPTION_LIST,	/* struct cli_list, all of them */
	OPTION_NUMBER,	/* struct cli_number */
	OPTION_DURATION,	/* struct cli_number, in milliseconds */
};

struct cli_list {
	const char **items;
	size_t count;
};
struct cli_number {
	bool given;
	uint64_t value;
};

struct cli_option {
	const char *name;
	char letter;		/* 0: none */
	const char *arg;	/* as the help calls it; NULL for a flag */
	enum cli_option_kind kind;
	size_t offset;
	const char *text;
};

struct cli_spec {
	const char *usage;	/* "bailiff run -p POLICY [options] -- COMMAND [ARG...]" */
	const char *about;	/* a sentence or two */
	const struct cli_option *options;
	size_t option_count;
	size_t operands;	/* leading words that must be there and may stand before or between the options */
	const char *more;	/* exit codes and what else has to be said */
};

/*
 * Parse argv[1..] into `into`. The operands come first in *rest, then the words that ended the options, then NULL; *rest is the caller's to
 * free and borrows argv. 0: go on; 1: the help was asked for and printed; -EINVAL: logged; -ENOMEM.
 */
int cli_parse(const struct cli_spec *spec, int argc, char **argv, void *into, char ***rest, size_t *rest_count);
void cli_print_help(const struct cli_spec *spec);

int cli_parse_duration(const char *text, uint64_t *ms);	/* "500ms", "90s", "1h30m", "7d"; -EINVAL, -ERANGE */
int cli_parse_since(const char *text, uint64_t *ms);	/* "2026-11-24T08:00:00Z" or a duration ago, as milliseconds since the epoch; -EINVAL */
/* The name that `word` was probably meant to be, or NULL. */
const char *cli_suggest(const char *word, const char *(*name)(const void *table, size_t i), const void *table, size_t count);

#endif
