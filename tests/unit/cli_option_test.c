/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: what is taken, what is left for the command, what is refused. */
#include "tests/unit/test.h"
#include "cli/option.h"

struct options {
	bool json, all;
	const char *name;
	struct cli_list params;
	struct cli_number count, wait;
};

static const struct cli_option table[] = {
	{ "json", 'j', NULL, OPTION_FLAG, offsetof(struct options, json), "" },
	{ "all", 'a', NULL, OPTION_FLAG, offsetof(struct options, all), "" },
	{ "name", 'n', "NAME", OPTION_TEXT, offsetof(struct options, name), "" },
	{ "param", 0, "K=V", OPTION_LIST, offsetof(struct options, params), "" },
	{ "count", 0, "N", OPTION_NUMBER, offsetof(struct options, count), "" },
	{ "wait", 0, "TIME", OPTION_DURATION, offsetof(struct options, wait), "" },
};

#define WORDS_MAX 12

/* Parses "a b c"; the rest comes back joined the same way. */
static int parse(const char *line, size_t operands, struct options *o, char rest[200])
{
	struct cli_spec spec = { .usage = "test", .options = table, .option_count = ARRAY_SIZE(table), .operands = operands };
	static char copy[200];
	char *argv[WORDS_MAX + 1] = {}, **words = NULL;
	int argc = 0, err;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok(copy, " "); w && argc < WORDS_MAX; w = strtok(NULL, " "))
		argv[argc++] = w;
	*o = (struct options){};
	rest[0] = '\0';
	err = cli_parse(&spec, argc, argv, o, &words, &count);
	for (size_t i = 0; !err && i < count; i++)
		snprintf(rest + strlen(rest), 200 - strlen(rest), "%s%s", i ? " " : "", words[i]);
	if (!err)
		CHECK(!words[count]);
	free(words);
	return err;
}

TEST(options_end_where_the_command_begins)
{
	static const struct { const char *line, *rest; size_t operands; bool json; } rows[] = {
		{ "run --json -- cmd --all", "cmd --all", 0, true },
		{ "run --json cmd --all -a", "cmd --all -a", 0, true },
		{ "run -- --json", "--json", 0, false },
		{ "run -- -- x", "-- x", 0, false },
		{ "run - x", "- x", 0, false },
		{ "run", "", 0, false },
		{ "run -ja -- x", "x", 0, true },
		{ "exec ID --json -- cmd -x", "ID cmd -x", 1, true },
		{ "exec --json ID cmd --all", "ID cmd --all", 1, true },
		{ "exec ID", "ID", 1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct options o;
		char rest[200];

		CASE("%s", rows[i].line);
		CHECK_OK(parse(rows[i].line, rows[i].operands, &o, rest));
		CHECK_STR(rest, rows[i].rest);
		CHECK_EQ(o.json, rows[i].json);
		CHECK(!o.all || strstr(rows[i].line, "-ja"));
	}
}

TEST(values_stand_in_the_same_word_or_the_next)
{
	static const char *const lines[] = { "x --name v", "x --name=v", "x -n v", "x -nv", "x -jn v", "x -jnv", "x --name other --name v" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct options o;
		char rest[200];

		CASE("%s", lines[i]);
		CHECK_OK(parse(lines[i], 0, &o, rest));
		CHECK_STR(o.name, "v");
		CHECK_STR(rest, "");
	}
}

TEST(values_may_look_like_options)
{
	struct options o;
	char rest[200];

	CHECK_OK(parse("x --name --json --param=a=b=c --param -", 0, &o, rest));
	CHECK_STR(o.name, "--json");
	CHECK(!o.json);
	CHECK_EQ(o.params.count, 2);
	CHECK_STR(o.params.items[0], "a=b=c");
	CHECK_STR(o.params.items[1], "-");
	free(o.params.items);
}

TEST(misuse_is_refused)
{
	static const char *const lines[] = { "x --nme v", "x -z", "x -jz", "x --name", "x -n", "x --json=1", "x --count x", "x --count -1", "x --count 1x",
					     "x --count 99999999999999999999999", "x --wait 5", "x --wait s", "x --wait 1y", "x --wait 5sm", "x --wait 1h-1m" };

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct options o;
		char rest[200];

		CASE("%s", lines[i]);
		CHECK_EQ(parse(lines[i], 0, &o, rest), -EINVAL);
	}
	for (size_t operands = 1; operands < 3; operands++) {
		struct options o;
		char rest[200];

		CHECK_EQ(parse("x --json", operands, &o, rest), -EINVAL);
		CHECK_EQ(parse("x -- cmd", operands, &o, rest), -EINVAL);
	}
}

TEST(durations_are_sums_of_units)
{
	static const struct { const char *text; uint64_t ms; int err; } rows[] = {
		{ "500ms", 500, 0 }, { "90s", 90000, 0 }, { "10m", 600000, 0 }, { "1h30m", 5400000, 0 }, { "7d", 604800000, 0 }, { "0s", 0, 0 },
		{ "1d2h3m4s5ms", 93784005, 0 }, { "", 0, -EINVAL }, { "5", 0, -EINVAL }, { "5sm", 0, -EINVAL }, { "m", 0, -EINVAL }, { "1 s", 0, -EINVAL },
		{ "99999999999999999999s", 0, -ERANGE }, { "18446744073709551615d", 0, -ERANGE }, { "213503982334d213503982334d", 0, -ERANGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ms = 1;

		CASE("%s", rows[i].text);
		CHECK_EQ(cli_parse_duration(rows[i].text, &ms), rows[i].err);
		CHECK_EQ(ms, rows[i].err ? 1 : rows[i].ms);
	}
}

static const char *nth(const void *t, size_t i)
{
	return ((const char *const *)t)[i];
}

TEST(misspelt_words_find_what_was_meant)
{
	static const char *const names[] = { "run", "create", "exec", "policy", "doctor" };
	static const struct { const char *word, *meant; } rows[] = {
		{ "rnu", "run" }, { "exce", "exec" }, { "dcotor", "doctor" }, { "polcy", "policy" }, { "crate", "create" }, { "xyzzy", NULL },
		{ "averyveryverylongwordindeedthatnobodymeans", NULL }, { "run", "run" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *meant = cli_suggest(rows[i].word, nth, names, ARRAY_SIZE(names));

		CASE("%s", rows[i].word);
		if (rows[i].meant)
			CHECK_STR(meant, rows[i].meant);
		else
			CHECK(!meant);
	}
}

TEST_MAIN()
