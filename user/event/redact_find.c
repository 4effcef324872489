/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where secrets stand: after names, in headers and URLs, behind options, on their own. One pass over the bytes collects spans; writing
 * them out replaces each by its keyed hash. When in doubt a span is too long rather than too short: over-redaction costs a
 * word of evidence, the opposite puts a secret into every SIEM.
 */
#include "event/redact.h"
#include <strings.h>

#define VALUE_MAX 512	/* of a bare word: keeps the pass linear whatever the text */

/* The text while it is scanned. */
struct scan {
	enum redact_form form;
	const char *t;
	size_t n;
	bool cut;
	struct redact_span *spans;
	size_t count, max;
	struct redact_span next;	/* a secret that is still to come: what an option said of its value */
	size_t arg;		/* where the present argument starts */
	bool script;		/* the argument is a shell text: the one before was -c */
	const struct program *program;
	bool login;		/* a sub-command "login" was seen */
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_quote(char c)
{
	return c == '"' || c == '\'' || c == '`';
}

static bool is_name(char c)
{
	return (unsigned)((c | 32) - 'a') < 26u || (unsigned)(c - '0') < 10u || c == '_' || c == '-' || c == '.';
}

static bool is_word(char c)
{
	return is_name(c) && c != '-' && c != '.';
}

/* End of the argument that contains i. */
static size_t arg_end(const struct scan *s, size_t i)
{
	const char *nul = s->form == REDACT_ARGV ? memchr(s->t + i, '\0', s->n - i) : NULL;

	return nul ? (size_t)(nul - s->t) : s->n;
}

static bool value_says_nothing(const char *p, size_t n)
{
	static const char *const plain[] = { "", "true", "false", "none", "null", "yes", "no", "on", "off", "bearer", "basic" };

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		if (strlen(plain[i]) == n && !strncasecmp(plain[i], p, n))
			return true;
	}
	return false;
}

/* Mark t[start..end); where to go on. Beyond the room for spans everything is secret. */
static size_t mark(struct scan *s, size_t start, size_t end)
{
	if (start >= end)
		return end;
	if (s->count == s->max) {
		s->spans[s->max - 1].end = s->n;
		return s->n;
	}
	s->spans[s->count++] = (struct redact_span){ start, end };
	return end;
}

/* ---- values ---- */

/* End of a value in running text: its closing quote, or the first byte that cannot belong to a bare word. */
static size_t value_end(const struct scan *s, size_t *start, bool whole_line)
{
	size_t end = arg_end(s, *start), i = *start;
	bool escaped = i + 1 < end && s->t[i] == '\\' && is_quote(s->t[i + 1]);	/* \"value\": JSON inside a shell text */
	char quote;

	i += escaped;
	quote = i < end && is_quote(s->t[i]) ? s->t[i] : 0;
	if (quote) {
		*start = ++i;
		for (; i < end && s->t[i] != quote; i++)
			i += !escaped && s->t[i] == '\\' && i + 1 < end;
		return i < end ? i - (escaped && s->t[i - 1] == '\\' && i > *start) : end;
	}
	if (whole_line) {
		while (i < end && s->t[i] != '\n' && s->t[i] != '\r' && s->t[i] != '"' && s->t[i] != '\'')
			i++;
		return i;
	}
	end = end - i > VALUE_MAX ? i + VALUE_MAX : end;
	while (i < end && !is_space(s->t[i]) && !is_quote(s->t[i]) && !memchr("&;,)}]|<>\\", s->t[i], 11))
		i++;
	return i;
}

/* A name and its value were found: mark the value if the name, or both together, say secret. */
static size_t mark_value(struct scan *s, enum redact_name judged, size_t start, size_t end)
{
	const char *p = s->t + start;
	size_t n = end - start;

	if (value_says_nothing(p, n))
		return end;
	if (judged == NAME_SECRET || (judged == NAME_MAYBE && redact_random_looking(p, n)))
		return mark(s, start, end);
	return start;
}

/* "Bearer abc": the scheme stays readable. */
static size_t skip_scheme(const struct scan *s, size_t i)
{
	static const char *const schemes[] = { "bearer ", "basic ", "token ", "digest ", "negotiate ", "apikey " };

	for (size_t k = 0; k < ARRAY_SIZE(schemes); k++) {
		size_t n = strlen(schemes[k]);

		if (s->n - i > n && (s->t[i] | 32) == schemes[k][0] && !strncasecmp(s->t + i, schemes[k], n))
			return i + n;
	}
	return i;
}

/* The name that ends before t[i], maybe in quotes (JSON). */
static size_t name_before(const struct scan *s, size_t i, size_t *end)
{
	size_t start;

	if (i > s->arg && is_quote(s->t[i - 1]))
		i--;
	if (i > s->arg && s->t[i - 1] == '\\')
		i--;
	*end = i;
	for (start = i; start > s->arg && is_name(s->t[start - 1]); start--)
		;
	return start;
}

/* t[i] is '=' or ':'. */
static size_t scan_assignment(struct scan *s, size_t i)
{
	size_t name_end, name = name_before(s, i, &name_end), start = i + 1, end;
	enum redact_name judged = redact_judge_name(s->t + name, name_end - name);
	bool header = s->t[i] == ':';

	if (judged == NAME_PLAIN)
		return i + 1;
	while (start < s->n && header && is_space(s->t[start]))
		start++;
	if (!header && name == s->arg && s->form == REDACT_ARGV && !s->script) {	/* --password=all of it */
		end = arg_end(s, start);
		return mark_value(s, judged, start, end);
	}
	if (header && judged == NAME_SECRET) {
		start = skip_scheme(s, start);
		end = value_end(s, &start, name_end == i);
	} else {
		end = value_end(s, &start, false);
	}
	return mark_value(s, judged, start, end);
}

/* ---- URLs ---- */

/* t[i..] is "://": user and password before an @ of the authority. */
static size_t scan_authority(struct scan *s, size_t i)
{
	size_t start = i + 3, end = start, at = 0, colon = 0;

	for (; end < s->n && s->t[end] && !is_space(s->t[end]) && !is_quote(s->t[end]) && !memchr("/?#", s->t[end], 3); end++) {
		if (s->t[end] == '@')
			at = end;
		if (s->t[end] == ':' && !colon)
			colon = end;
	}
	if (!at)
		return start;
	for (size_t k = start; k < at; k++) {	/* https://TOKEN:x-oauth-basic@host */
		if (redact_known_token(s->t + k, at - k, false, false))
			return mark(s, start, at);
	}
	if (colon && colon < at)
		return mark(s, colon + 1, at);
	return redact_random_looking(s->t + start, at - start) ? mark(s, start, at) : start;
}

/* ---- options whose value is the next word ---- */

/* Short options that mean a password for one program only. `apart`: what separates user and password in the value; 0: all of it. */
static const struct program {
	const char *name, *option;
	bool attached_only, login_only;
	char apart;
} programs[] = {
	{ "mysql", "-p", true, false, 0 },	 { "mysqldump", "-p", true, false, 0 },	  { "mysqladmin", "-p", true, false, 0 },
	{ "mariadb", "-p", true, false, 0 },	 { "mariadb-dump", "-p", true, false, 0 }, { "7z", "-p", true, false, 0 },
	{ "sshpass", "-p", false, false, 0 },	 { "mongosh", "-p", false, false, 0 },	  { "mongo", "-p", false, false, 0 },
	{ "redis-cli", "-a", false, false, 0 },	 { "ldapsearch", "-w", false, false, 0 }, { "ldapmodify", "-w", false, false, 0 },
	{ "ldapadd", "-w", false, false, 0 },	 { "ldapwhoami", "-w", false, false, 0 }, { "sqlcmd", "-P", false, false, 0 },
	{ "zip", "-P", false, false, 0 },	 { "unzip", "-P", false, false, 0 },	  { "mosquitto_pub", "-P", false, false, 0 },
	{ "mosquitto_sub", "-P", false, false, 0 }, { "curl", "-u", false, false, ':' },  { "curl", "--user", false, false, ':' },
	{ "curl", "-U", false, false, ':' },	 { "curl", "--proxy-user", false, false, ':' }, { "smbclient", "-U", false, false, '%' },
	{ "docker", "-p", false, true, 0 },	 { "podman", "-p", false, true, 0 },	  { "helm", "-p", false, true, 0 },
};

static void note_program(struct scan *s, const char *word, size_t n)
{
	const char *slash = memrchr(word, '/', n);
	size_t len = slash ? (size_t)(word + n - slash - 1) : n;

	if (slash)
		word = slash + 1;
	if (len == 5 && !memcmp(word, "login", 5))
		s->login = true;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (len && programs[i].name[0] == *word && strlen(programs[i].name) == len && !memcmp(programs[i].name, word, len)) {
			s->program = &programs[i];
			s->login = false;
			return;
		}
	}
}

/* The row of the present program whose option this word is, or begins with. */
static const struct program *program_option(const struct scan *s, const char *word, size_t n)
{
	for (const struct program *p = s->program; p && p < programs + ARRAY_SIZE(programs); p++) {
		size_t len = strlen(p->option);

		if (strcmp(p->name, s->program->name))
			return NULL;
		if (n >= len && !memcmp(word, p->option, len) && (n == len || p->option[1] != '-') &&
		    (!p->login_only || s->login))
			return p;
	}
	return NULL;
}

/* The part of a value that is secret starts here; its end when none is: the program will ask for it. */
static size_t secret_part(const struct scan *s, size_t start, size_t end, char apart)
{
	const char *at = apart ? memchr(s->t + start, apart, end - start) : NULL;

	return !apart ? start : at ? (size_t)(at + 1 - s->t) : end;
}

/* The word that follows the one that ends at `end`; its end. A next argument is one value whatever it holds. */
static size_t next_word(const struct scan *s, size_t end, size_t *start)
{
	*start = end + 1;
	if (end >= s->n || *start >= s->n)
		return *start = s->n;
	if (s->t[end] == '\0')
		return arg_end(s, *start);
	while (*start < s->n && is_space(s->t[*start]))
		(*start)++;
	return *start < s->n ? value_end(s, start, false) : s->n;
}

static bool next_is_secret(const struct scan *s, size_t i, size_t end, size_t start, size_t value)
{
	bool option = s->t[i] == '-';
	enum redact_name judged;

	if (start >= value || s->t[start] == '-')
		return false;
	if (!option && !redact_random_looking(s->t + start, value - start))
		return false;	/* a plain word says little alone */
	judged = redact_judge_name(s->t + i, end - i);
	if (judged == NAME_PLAIN || value_says_nothing(s->t + start, value - start))
		return false;
	return (judged == NAME_SECRET && option) || redact_random_looking(s->t + start, value - start);
}

/* A word starts at i: does it say that its rest, or the next word, is a secret? What it says of the next one waits in s->next. */
static size_t scan_word(struct scan *s, size_t i)
{
	size_t end = i, start, value, len;
	const struct program *option;

	while (end < s->n && s->t[end] && !is_space(s->t[end]) && !is_quote(s->t[end]) && s->t[end] != '=' && s->t[end] != ':')
		end++;
	option = program_option(s, s->t + i, end - i);
	len = option ? strlen(option->option) : 0;
	if (option && end - i > len) {	/* -pVALUE */
		value = arg_end(s, i);
		s->next = (struct redact_span){ secret_part(s, i + len, value, option->apart), value };
		return i;
	}
	if (end < s->n && (s->t[end] == '=' || s->t[end] == ':' || is_quote(s->t[end])))
		return i;
	note_program(s, s->t + i, end - i);
	value = next_word(s, end, &start);
	if (option && !option->attached_only)
		s->next = (struct redact_span){ secret_part(s, start, value, option->apart), value };
	else if (!option && next_is_secret(s, i, end, start, value))
		s->next = (struct redact_span){ start, value };
	return i;
}

/* ---- the pass ---- */

static size_t scan_pem(struct scan *s, size_t i)
{
	static const char begin[] = "-----BEGIN ", stop[] = "-----END ";
	const char *end;
	size_t limit = s->n - i;

	if (limit < sizeof(begin) - 1 || memcmp(s->t + i, begin, sizeof(begin) - 1))
		return i;
	if (!memmem(s->t + i, limit < 64 ? limit : 64, "PRIVATE", 7) && memmem(s->t + i, limit < 64 ? limit : 64, "PUBLIC", 6))
		return i + 1;
	end = memmem(s->t + i, limit, stop, sizeof(stop) - 1);
	end = end ? memmem(end + sizeof(stop) - 1, s->t + s->n - end - (sizeof(stop) - 1), "-----", 5) : NULL;
	return mark(s, i, end ? (size_t)(end + 5 - s->t) : s->n);
}

static void start_arg(struct scan *s, size_t i)
{
	size_t before = i - s->arg;	/* the argument that ended, with its NUL */

	s->script = i && before >= 3 && before <= 6 && s->t[s->arg] == '-' && s->t[i - 2] == 'c';
	s->arg = i;
}

/* Tokens, and what follows the name of a scheme. */
static size_t scan_start(struct scan *s, size_t i, bool inside)
{
	size_t n = redact_known_token(s->t + i, s->n - i, inside, s->cut), start, end;

	if (n)
		return mark(s, i, i + n);
	if (inside)
		return i;
	start = skip_scheme(s, i);
	if (start == i)
		return i;
	end = value_end(s, &start, false);
	return mark_value(s, NAME_MAYBE, start, end) == end ? end : i;
}

static size_t scan_step(struct scan *s, size_t i)
{
	char before = i ? s->t[i - 1] : '\0', c = s->t[i];
	size_t next = i;

	if (before == '\0' && s->form == REDACT_ARGV)
		start_arg(s, i);
	if (i >= s->next.start && i < s->next.end)
		return mark(s, i, s->next.end);
	if (c == '-')
		next = scan_pem(s, i);
	if (next == i)
		next = scan_start(s, i, is_word(before));
	if (next == i && (before == '\0' || is_space(before) || is_quote(before)) && !is_space(c))
		next = scan_word(s, i);
	if (next != i)
		return next;
	if (c == ':' && s->n - i > 3 && s->t[i + 1] == '/' && s->t[i + 2] == '/')
		return scan_authority(s, i);
	if ((c == '=' || c == ':') && i + 1 < s->n)
		return scan_assignment(s, i);
	return i + 1;
}

size_t redact_find(enum redact_form form, const char *t, size_t n, bool cut, struct redact_span *spans, size_t max)
{
	struct scan s = { .form = form, .t = t, .n = n, .cut = cut, .spans = spans, .max = max };

	for (size_t i = 0; i < n;)
		i = scan_step(&s, i);
	return s.count;
}
