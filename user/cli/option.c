/* SPDX-License-Identifier: Apache-2.0 */
/* Options from tables: parsing, help, and what a misspelt word was meant to be. */
#include <stdio.h>
#include <time.h>
#include "base/log.h"
#include "cli/option.h"

/* The words are wrong, no call failed: no errno text. */
#define usage_error(...) (log_err(0, __VA_ARGS__), -EINVAL)

/* ---- suggestions ---- */

#define WORD_MAX 32

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance, one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], n = strlen(b);

	if (strlen(a) > WORD_MAX || n > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= n; i++)
		row[i] = i;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t k = 1; k <= n; k++) {
			size_t above = row[k];

			row[k] = min3(above + 1, row[k - 1] + 1, diagonal + (a[i - 1] != b[k - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

const char *cli_suggest(const char *word, const char *(*name)(const void *table, size_t i), const void *table, size_t count)
{
	size_t best = strlen(word) / 3 + 2;	/* further off is no misspelling */
	const char *found = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, name(table, i));

		if (d < best) {
			best = d;
			found = name(table, i);
		}
	}
	return found;
}

static const char *option_name(const void *table, size_t i)
{
	return ((const struct cli_option *)table)[i].name;
}

/* ---- values ---- */

static int parse_digits(const char **text, uint64_t *out)
{
	uint64_t v = 0;

	if (**text < '0' || **text > '9')
		return -EINVAL;
	for (; **text >= '0' && **text <= '9'; (*text)++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, **text - '0', &v))
			return -ERANGE;
	}
	*out = v;
	return 0;
}

int cli_parse_duration(const char *text, uint64_t *ms)
{
	static const struct { const char *name; uint64_t ms; } units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	uint64_t total = 0;

	do {
		size_t len, i = 0;
		uint64_t v;
		int err = parse_digits(&text, &v);

		if (err)
			return err;
		len = strspn(text, "mshd");
		while (i < ARRAY_SIZE(units) && (strlen(units[i].name) != len || strncmp(text, units[i].name, len)))
			i++;
		if (i == ARRAY_SIZE(units))
			return -EINVAL;
		if (__builtin_mul_overflow(v, units[i].ms, &v) || __builtin_add_overflow(total, v, &total))
			return -ERANGE;
		text += len;
	} while (*text);
	*ms = total;
	return 0;
}

static int parse_number(const char *text, uint64_t *out)
{
	uint64_t v;
	int err = parse_digits(&text, &v);

	if (err || *text)
		return err ? err : -EINVAL;
	*out = v;
	return 0;
}

static int list_add(struct cli_list *l, const char *value)
{
	const char **more = realloc(l->items, (l->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	l->items = more;
	l->items[l->count++] = value;
	return 0;
}

static int set_number(const struct cli_option *o, const char *value, struct cli_number *to)
{
	bool duration = o->kind == OPTION_DURATION;
	uint64_t v;
	int err = duration ? cli_parse_duration(value, &v) : parse_number(value, &v);

	if (err == -ERANGE)
		return usage_error("--%s: %s is too much", o->name, value);
	if (err)
		return usage_error("--%s: \"%s\" is not %s", o->name, value, duration ? "a time such as 90s, 10m or 1h30m" : "a number");
	*to = (struct cli_number){ .given = true, .value = v };
	return 0;
}

static int set_option(const struct cli_option *o, const char *value, void *into)
{
	void *to = (char *)into + o->offset;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)to = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)to = value;
		return 0;
	case OPTION_LIST:
		return list_add(to, value);
	case OPTION_NUMBER:
	case OPTION_DURATION:
		return set_number(o, value, to);
	}
	return -EINVAL;
}

/* ---- words ---- */

struct cursor {
	const struct cli_spec *spec;
	char **argv;
	int argc, at;
	void *into;
};

static int unknown_option(const struct cli_spec *s, const char *word)
{
	const char *meant = word[1] == '-' ? cli_suggest(word + 2, option_name, s->options, s->option_count) : NULL;

	if (meant)
		return usage_error("unknown option %s; did you mean --%s?", word, meant);
	return usage_error("unknown option %s; usage: %s", word, s->usage);
}

/* The value of an option is what follows in the same word, or the next word. */
static int take_value(struct cursor *c, const struct cli_option *o, const char *attached)
{
	if (o->kind == OPTION_FLAG) {
		if (attached)
			return usage_error("--%s takes no value", o->name);
		return set_option(o, NULL, c->into);
	}
	if (!attached && c->at == c->argc)
		return usage_error("--%s needs a value: %s", o->name, o->arg);
	return set_option(o, attached ? attached : c->argv[c->at++], c->into);
}

static int take_long(struct cursor *c, const char *word)
{
	const char *name = word + 2, *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);

	for (size_t i = 0; i < c->spec->option_count; i++) {
		const struct cli_option *o = &c->spec->options[i];

		if (strlen(o->name) == len && !strncmp(o->name, name, len))
			return take_value(c, o, equals ? equals + 1 : NULL);
	}
	return unknown_option(c->spec, word);
}

/* Letters may be run together; the first that takes a value ends the word. */
static int take_letters(struct cursor *c, const char *word)
{
	for (const char *letter = word + 1; *letter; letter++) {
		const struct cli_option *o = NULL;
		int err;

		for (size_t i = 0; i < c->spec->option_count && !o; i++)
			o = c->spec->options[i].letter == *letter ? &c->spec->options[i] : NULL;
		if (!o)
			return unknown_option(c->spec, word);
		if (o->kind != OPTION_FLAG)
			return take_value(c, o, letter[1] ? letter + 1 : NULL);
		err = set_option(o, NULL, c->into);
		if (err)
			return err;
	}
	return 0;
}

static bool is_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* Options and leading operands; *rest has room for all words. */
static int take_words(struct cursor *c, char **rest, size_t *count)
{
	while (c->at < c->argc) {
		char *word = c->argv[c->at];
		int err;

		if (word[0] != '-' || !word[1]) {
			if (*count == c->spec->operands)
				return 0;
			rest[(*count)++] = word;
			c->at++;
			continue;
		}
		c->at++;
		if (!strcmp(word, "--"))
			return 0;
		if (is_help(word)) {
			cli_print_help(c->spec);
			return 1;
		}
		err = word[1] == '-' ? take_long(c, word) : take_letters(c, word);
		if (err)
			return err;
	}
	return 0;
}

int cli_parse(const struct cli_spec *spec, int argc, char **argv, void *into, char ***rest, size_t *rest_count)
{
	struct cursor c = { .spec = spec, .argv = argv, .argc = argc, .at = 1, .into = into };
	_free_ char **words = calloc(argc + 1, sizeof(*words));
	size_t count = 0;
	int err;

	if (!words)
		return -ENOMEM;
	err = take_words(&c, words, &count);
	if (err)
		return err;
	if (count < spec->operands)
		return usage_error("too few words; usage: %s", spec->usage);
	while (c.at < argc)
		words[count++] = argv[c.at++];
	*rest = steal(&words);
	*rest_count = count;
	return 0;
}

/* ---- help ---- */

#define HELP_COLUMN 28

static void print_option(const struct cli_option *o)
{
	char head[80];
	int n = o->letter ? snprintf(head, sizeof(head), "  -%c, --%s", o->letter, o->name) : snprintf(head, sizeof(head), "      --%s", o->name);

	if (o->arg)
		snprintf(head + n, sizeof(head) - n, " %s", o->arg);
	printf("%-*s  %s\n", HELP_COLUMN, head, o->text);
}

void cli_print_help(const struct cli_spec *spec)
{
	printf("usage: %s\n\n%s\n", spec->usage, spec->about);
	if (spec->option_count)
		printf("\noptions:\n");
	for (size_t i = 0; i < spec->option_count; i++)
		print_option(&spec->options[i]);
	if (spec->more)
		printf("\n%s\n", spec->more);
}

/* UTC only: a record is read on other hosts than it is written on. */
int cli_parse_since(const char *text, uint64_t *ms)
{
	struct timespec now;
	struct tm t = {};
	uint64_t ago;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);

	if (end && (!strcmp(end, "Z") || !*end)) {
		*ms = timegm(&t) * 1000ull;
		return 0;
	}
	if (cli_parse_duration(text, &ago))
		return -EINVAL;
	clock_gettime(CLOCK_REALTIME, &now);
	*ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000;
	*ms = ago < *ms ? *ms - ago : 0;
	return 0;
}
