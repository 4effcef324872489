/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One component of a path as a pattern: what will be another name next time. Each rule needs its reason, for each opens names that nobody saw;
 * what it puts in never reaches past the component.
 */
#include <ctype.h>
#include "policy/learn_parts.h"

#define HASH_MIN 8
#define LONG_NUMBER 5
#define TEMP_MIN 6

void name_escape(const char *name, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = name[i];

		if (c < 0x21 || c >= 0x7f)
			buf_addf(out, "\\x%02x", c);
		else if (strchr("*?[]\\$", c))
			buf_addf(out, "\\%c", c);
		else
			buf_add_char(out, c);
	}
}

static size_t span(const char *s, const char *set)
{
	return strspn(s, set);
}
#define DIGITS "0123456789"
#define HEX_LOW DIGITS "abcdef"
#define ALNUM_LOW DIGITS "abcdefghijklmnopqrstuvwxyz"
#define ALNUM ALNUM_LOW "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* 2026-11-24, 20261124-093000, 2026-11-24T09:30:00Z */
static size_t date_length(const char *s)
{
	size_t year = span(s, DIGITS), n = 0;

	if (year == 8 && (!strncmp(s, "20", 2) || !strncmp(s, "19", 2)))
		n = 8;
	else if (year == 4 && strchr("-_", s[4]) && s[4] && span(s + 5, DIGITS) == 2 && s[7] == s[4] && span(s + 8, DIGITS) >= 2)
		n = 10;
	while (n && s[n] && strchr("T-_:.", s[n]) && isdigit((unsigned char)s[n + 1]))
		n += 1 + span(s + n + 1, DIGITS);
	return n && s[n] == 'Z' ? n + 1 : n;
}

/* 1.2, 3.11.4: digits with dots between. */
static size_t version_length(const char *s)
{
	size_t n = span(s, DIGITS), dots = 0;

	while (n && s[n] == '.' && isdigit((unsigned char)s[n + 1])) {
		n += 1 + span(s + n + 1, DIGITS);
		dots++;
	}
	return dots ? n : 0;
}

static size_t uuid_length(const char *s)
{
	static const unsigned char groups[] = { 8, 4, 4, 4, 12 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		if (span(s + n, HEX_LOW) != groups[i] || (i < 4 && s[n + groups[i]] != '-'))
			return 0;
		n += groups[i] + (i < 4);
	}
	return n;
}

/* A whole word of hex digits, some of them letters and some not: a hash's prefix or all of it. */
static size_t hash_length(const char *s)
{
	size_t n = span(s, HEX_LOW), digits = 0;

	if (n < HASH_MIN || n != span(s, ALNUM))
		return 0;
	for (size_t i = 0; i < n; i++)
		digits += isdigit((unsigned char)s[i]) != 0;
	return digits && digits < n ? n : 0;
}

static size_t number_length(const char *s)
{
	size_t n = span(s, DIGITS);

	return n >= LONG_NUMBER && n == span(s, ALNUM) ? n : 0;
}

static size_t temp_length(const char *s);

#define HEX "[0-9a-f]"
#define DIGIT "[0-9]"

/* What of a name is replaced: tried in this order at the start of each word of letters and digits. */
static const struct general {
	const char *name;
	size_t (*length)(const char *s);
	const char *set;	/* what the first `digits` of it are one of */
	size_t digits;
	const char *rest;	/* for the others; all of it where it is no longer */
	bool temp, anywhere;	/* temp: only in names that were made and taken away; anywhere: also inside a word */
	const char *becomes, *reason;
} generals[] = {
	{ "uuid", uuid_length, HEX, 8, "-*", false, false, "`session-1b4e28ba-2fa1-...` -> `session-`, eight `[0-9a-f]`, `-*`", "made anew each time" },
	{ "date", date_length, DIGIT, 4, "*", false, false, "`run-2026-11-24T09:30:00Z` -> `run-`, four `[0-9]`, `*`", "a directory or file for each run" },
	{ "version", version_length, DIGIT, 1, "*", false, true, "`python3.11` -> `python[0-9]*`", "another one after an update" },
	{ "hash", hash_length, HEX, 16, "*", false, false, "`obj-3f2a9c01.o` -> `obj-`, eight `[0-9a-f]`, `.o`; sixteen and `*` when it is longer",
	  "named by content: another one after each change; eight digits or more, of which some are letters" },
	{ "number", number_length, DIGIT, 4, "*", false, false, "`worker.48213` -> `worker.`, four `[0-9]`, `*`", "a process id or a time; five digits or more" },
	{ "temporary", temp_length, NULL, 0, "*", true, false, "`tmpk3x_9qa1` -> `tmp*`, `.db-Xq2R7b` -> `.db-*`",
	  "made and taken away again under a name by chance: `tmp` and six more, or six to sixteen letters and digits that are no word" },
};

/* mkstemp's six, tempfile's eight: by chance, and so with a digit or a capital behind a small letter. */
static size_t temp_length(const char *s)
{
	size_t n = span(s, ALNUM "_");
	bool chance = false;

	if (!strncmp(s, "tmp", 3) && n >= 3 + TEMP_MIN)
		return n;
	if (n < TEMP_MIN || n > 16)
		return 0;
	for (size_t i = 1; i < n; i++)
		chance |= isdigit((unsigned char)s[i]) || (isupper((unsigned char)s[i]) && islower((unsigned char)s[i - 1]));
	return chance ? n : 0;
}

static const struct general *general_at(const char *name, size_t at, bool temp, size_t *n)
{
	bool starts = !at || !isalnum((unsigned char)name[at - 1]), number = !at || !isdigit((unsigned char)name[at - 1]);

	for (size_t i = 0; i < ARRAY_SIZE(generals); i++) {
		if ((generals[i].temp && !temp) || (!starts && !(generals[i].anywhere && number)))
			continue;
		*n = generals[i].length(name + at);
		if (*n)
			return &generals[i];
	}
	return NULL;
}

/* What stands in for n bytes. Of a temporary name "tmp" is always the same. */
static void general_put(const struct general *g, const char *name, size_t n, struct buf *out)
{
	if (g->temp && !strncmp(name, "tmp", 3))
		buf_add_str(out, "tmp");
	for (size_t i = 0; i < n && i < g->digits; i++)
		buf_add_str(out, g->set);
	if (n > g->digits)
		buf_add_str(out, g->rest);
}

bool name_generalise(const char *name, uint32_t verbs, struct buf *out)
{
	bool temp = verbs & 1u << VERB_CREATE && verbs & 1u << VERB_REMOVE, changed = false;
	size_t len = strlen(name), n;

	for (size_t i = 0; i < len; i += n) {
		const struct general *g = general_at(name, i, temp, &n);

		if (!g) {
			n = 1;
			name_escape(name + i, 1, out);
			continue;
		}
		changed = true;
		general_put(g, name + i, n, out);
		temp = temp && !g->temp;	/* one star is enough, and two may not touch */
	}
	return changed;
}

bool name_numbers(const char *name, struct buf *out)
{
	bool changed = false;

	for (size_t n; *name; name += n) {
		n = span(name, DIGITS);
		if (n)
			buf_add_str(out, "[0-9]*");
		else
			name_escape(name, n = 1, out);
		changed |= isdigit((unsigned char)*name) != 0;
	}
	return changed;
}

void learn_general_document(struct buf *out)
{
	buf_add_str(out, "| What | Becomes | Because |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(generals); i++)
		buf_addf(out, "| %s | %s | %s |\n", generals[i].name, generals[i].becomes, generals[i].reason);
}
