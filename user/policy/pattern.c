/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path patterns as an author writes them: checked here once, so that whoever reads a pattern's text later may rely on it. The
 * text always starts with "/", has no empty, "." or ".." component, "**" only as a whole component, and only complete sets and
 * escapes. A parameter's value is bytes: whatever in it would mean something in a pattern is escaped.
 */
#include <ctype.h>
#include <stdio.h>
#include "policy/model.h"

#define ESCAPABLE "*?[]\\$"

bool path_is_clean(const char *path, size_t len)
{
	size_t start = 1;

	if (!len || path[0] != '/' || memchr(path, '\0', len))
		return false;
	if (len == 1)
		return true;
	for (size_t i = 1; i <= len; i++) {
		if (i < len && path[i] != '/')
			continue;
		if (i == start || (i == start + 1 && path[start] == '.') || (i == start + 2 && !memcmp(path + start, "..", 2)))
			return false;
		start = i + 1;
	}
	return true;
}

/* ---- escapes ---- */

/* The escape at s ("\*" or "\x41"): how many characters it takes and which byte it is; 0 if it is none. */
static size_t escape_read(const char *s, unsigned char *byte)
{
	char digits[3] = {};

	if (s[1] && strchr(ESCAPABLE, s[1])) {
		*byte = s[1];
		return 2;
	}
	if (s[1] != 'x' || !isxdigit((unsigned char)s[2]) || !isxdigit((unsigned char)s[3]))
		return 0;
	memcpy(digits, s + 2, 2);
	*byte = strtoul(digits, NULL, 16);
	return *byte && *byte != '/' ? 4 : 0;
}

static bool utf8_is_valid(const unsigned char *s)
{
	while (*s) {
		unsigned more = *s < 0x80 ? 0 : *s >= 0xc2 && *s < 0xe0 ? 1 : *s >= 0xe0 && *s < 0xf0 ? 2 : *s >= 0xf0 && *s < 0xf5 ? 3 : 9;
		unsigned long code = more ? *s & (0x3f >> more) : *s;

		if (more == 9)
			return false;
		for (s++; more; more--, s++) {
			if ((*s & 0xc0) != 0x80)
				return false;
			code = code << 6 | (*s & 0x3f);
		}
		if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
			return false;
	}
	return true;
}

/* A parameter's bytes as pattern text that matches exactly them, and that is valid UTF-8 without control characters. */
static void escape_value(struct buf *out, const char *value)
{
	bool utf8 = utf8_is_valid((const unsigned char *)value);

	for (const unsigned char *s = (const unsigned char *)value; *s; s++) {
		if (strchr(ESCAPABLE, *s))
			buf_addf(out, "\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f || (*s >= 0x80 && !utf8))
			buf_addf(out, "\\x%02x", *s);
		else
			buf_add_char(out, *s);
	}
}

/* ---- what a component may be ---- */

/* One member of a set at *s, moved past it; -1 with the reason. */
static int set_member(const char **s, const char **why)
{
	unsigned char byte = **s;
	size_t n = 1;

	*why = NULL;
	if (byte == '\\' && !(n = escape_read(*s, &byte)))
		*why = "an escape that means nothing in a set" HELP "\"\\\" goes before one of * ? [ ] \\ $, or before x and two hex digits";
	else if (byte == '/' || !byte)
		*why = "a \"[\" without its \"]\" in the same component" HELP "write \"\\[\" for the character";
	else if (n == 1 && byte == '[')
		*why = "a \"[\" inside a set" HELP "write \"\\[\" for the character";
	else if (n == 1 && byte >= 0x80)
		*why = "a set holds single bytes and this character is several" HELP "write each as \"\\\", x and two hex digits";
	*s += n;
	return *why ? -1 : byte;
}

/* A set at s; its length, or 0 with the reason. */
static size_t set_check(const char *s, const char **why)
{
	const char *p = s + 1;
	int first, last;

	p += *p == '!' || *p == '^';
	if (*p == ']') {
		*why = "an empty set \"[]\"" HELP "write \"\\]\" for the character";
		return 0;
	}
	while (*p != ']') {
		first = last = set_member(&p, why);
		if (first >= 0 && *p == '-' && p[1] != ']') {
			p++;
			last = set_member(&p, why);
		}
		if (first < 0 || last < 0)
			return 0;
		if (last < first) {
			*why = "a range in a set runs backwards" HELP "write the smaller byte first";
			return 0;
		}
	}
	return p + 1 - s;
}

/* One character of a component other than "/"; its length, or 0 with the reason. */
static size_t item_check(const char *s, const char **why)
{
	unsigned char byte;
	size_t n;

	switch (*s) {
	case '\\':
		n = escape_read(s, &byte);
		if (!n)
			*why = s[1] ? "an escape that means nothing" HELP "\"\\\" goes before one of * ? [ ] \\ $, or before x and two hex digits (not 00, not 2f)" :
				      "a \"\\\" at the end" HELP "write \"\\\\\" for the character";
		return n;
	case '[':
		return set_check(s, why);
	case ']':
		*why = "a \"]\" without its \"[\"" HELP "write \"\\]\" for the character";
		return 0;
	case '$':
		*why = "a parameter stands at the start of a path" HELP "write \"\\$\" for the character";
		return 0;
	}
	return 1;
}

/* What is wrong with a pattern: why (NULL: nothing), and which bytes of it. */
struct flaw {
	const char *why, *at;
	size_t len;
};

static const char *component_check(const char *s, size_t len, struct flaw *flaw)
{
	const char *why = NULL;
	size_t n;

	*flaw = (struct flaw){ .at = s, .len = len };
	if (!len)
		return "an empty component (\"//\", or a \"/\" at the end)" HELP "a directory already means itself and all below";
	if ((len == 1 && *s == '.') || (len == 2 && !memcmp(s, "..", 2)))
		return "\".\" and \"..\" mean nothing in a policy" HELP "write the path that they lead to";
	if (len == 2 && !memcmp(s, "**", 2))
		return NULL;
	for (const char *end = s + len; s < end; s += n) {
		*flaw = (struct flaw){ .at = s, .len = *s == '[' || *s == '\\' ? (size_t)(end - s) : 1 + (s[1] == '*') };
		if (s[0] == '*' && s[1] == '*' && s + 1 < end)
			return "\"**\" is a whole component, as in /a/**/b" HELP "write \"*\" inside one";
		n = item_check(s, &why);
		if (!n)
			return why;
	}
	return NULL;
}

/* All components of "", "/a/b" or (from a leading "**") "a/b". */
static struct flaw text_check(const char *s)
{
	struct flaw flaw = {};
	size_t len;

	while (*s && !flaw.why) {
		s += *s == '/';
		len = strcspn(s, "/");
		flaw.why = component_check(s, len, &flaw);
		if (flaw.why && !len)
			flaw = (struct flaw){ flaw.why, s - 1, *s ? 2 : 1 };	/* the slashes */
		s += len;
	}
	return flaw;
}

/* ---- from a node to a pattern ---- */

static size_t name_length(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

/* "$name" and what follows it. */
static bool parameter_put(struct reader *r, const struct yaml_node *n, struct buf *text, const char **rest)
{
	size_t len = name_length(n->text + 1);
	struct param *param = param_find(r->p, n->text + 1, len);

	*rest = n->text + 1 + len;
	if (!param)
		return param_unknown(r, n, n->text + 1, len);
	param->used = true;
	if (param->type != PARAM_PATH) {
		READ_ERROR(r, n, CODE("param-type") "$%s is an address, and a path is needed here" HELP "declare a parameter of type path", param->name);
		return false;
	}
	if (**rest && **rest != '/') {
		READ_ERROR_PART(r, n, *rest - n->text, strlen(*rest), CODE("bad-path") "after $%s comes \"/\" or the end, not \"%.40s\""
			   HELP "a parameter is whole components: declare another one", param->name, *rest);
		return false;
	}
	if (!param->value)
		return false;	/* said where it is declared */
	if (strcmp(param->value, "/") || !**rest)
		escape_value(text, param->value);
	return true;
}

static bool pattern_begin(struct reader *r, const struct yaml_node *n, struct buf *text, const char **rest)
{
	*rest = n->text;
	if (n->text[0] == '$')
		return parameter_put(r, n, text, rest);
	if (n->text[0] == '/' && !n->text[1]) {
		buf_add_char(text, '/');
		*rest = "";
	} else if (!strcmp(n->text, "**") || !strncmp(n->text, "**/", 3)) {
		buf_add_char(text, '/');
	} else if (n->text[0] != '/') {
		READ_ERROR(r, n, CODE("bad-path") "a path starts with \"/\", \"**\" or a parameter, not \"%.80s\""
			   HELP "%s", n->text,
			   n->text[0] == '~' ? "declare params: {home: path} and write $home" : "write it from the root: /...");
		return false;
	}
	return true;
}

bool pattern_read(struct reader *r, const struct yaml_node *n, struct pattern *out)
{
	_buf_ struct buf text = {};
	struct flaw flaw;
	const char *rest;

	if (n->kind != YAML_SCALAR) {
		READ_ERROR(r, n, CODE("not-a-text") "a path is one string" HELP "write /a/b; several paths are a list");
		return false;
	}
	if (!pattern_begin(r, n, &text, &rest))
		return false;
	flaw = text_check(rest);
	if (flaw.why) {
		READ_ERROR_PART(r, n, flaw.at - n->text, flaw.len, CODE("bad-path") "%s", flaw.why);
		return false;
	}
	buf_add_str(&text, rest);
	if (text.err || text.len > PATH_BYTES) {
		READ_ERROR(r, n, CODE("bad-path") "a path of more than %d bytes cannot be opened and so not be ruled" HELP "rule a directory above it", PATH_BYTES);
		return false;
	}
	out->source = n->text[0] == '*' ? diag_strdup(r->d, text.data) : diag_strdup(r->d, n->text);
	out->text = steal(&text.data);
	return out->source;
}

bool pattern_literal(const char *text, char *out, size_t *len)
{
	size_t n = 0, whole = 0, step;
	unsigned char byte;

	for (; *text; text += step) {
		if (strchr("*?[", *text))
			break;
		step = 1;
		byte = *text;
		if (byte == '\\')
			step = escape_read(text, &byte);
		else if (byte == '/')
			whole = n;
		out[n++] = byte;
	}
	*len = *text ? whole : n;
	if (!*len)
		out[(*len)++] = '/';
	return !*text;
}
