/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with a YAML text, said so that an author can mend it: libyaml's own words are for whoever knows its parser. */
#include <stdarg.h>
#include <stdio.h>
#include "base/yaml_reader.h"

int yaml_fail(struct yaml_reader *r, yaml_mark_t from, yaml_mark_t to, const char *help, const char *fmt, ...)
{
	va_list ap;

	r->why.line = from.line + 1;
	r->why.column = from.column + 1;
	if (to.index > from.index) {
		r->why.end_line = to.line + 1;
		r->why.end_column = to.column + 1;
	}
	snprintf(r->why.help, sizeof(r->why.help), "%s", help);
	va_start(ap, fmt);
	vsnprintf(r->why.text, sizeof(r->why.text), fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

int yaml_error_keep(struct yaml_reader *r)
{
	struct yaml_error *grown = reallocarray(r->errors->items, r->errors->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	r->errors->items = grown;
	grown[r->errors->count++] = r->why;
	r->why = (struct yaml_error){};
	return 0;
}

struct saying {
	const char *text, *help;
};

/* By libyaml's words. */
static const struct {
	const char *problem;
	struct saying say;
} syntax_texts[] = {
	{ "did not find expected key", { "this line does not fit the map around it", "check its indentation, and the quotes of the line before" } },
	{ "did not find expected '-' indicator", { "this line does not fit the list around it", "start it with \"- \" or check its indentation" } },
	{ "did not find expected ',' or ']'", { "a list in [brackets] is not finished", "a comma or \"]\" is missing before this" } },
	{ "did not find expected ',' or '}'", { "a map in {braces} is not finished", "a comma or \"}\" is missing before this" } },
	{ "did not find expected node content", { "a value is expected here", "write one, or close the list or map before this" } },
	{ "could not find expected ':'", { "a key without its colon", "write \"key: value\"" } },
	{ "mapping values are not allowed in this context", { "a second \": \" on this line", "quote the value, or check the indentation" } },
	{ "block sequence entries are not allowed in this context", { "a list item (\"- \") cannot stand here", "start it on a line of its own" } },
	{ "block mapping entries are not allowed in this context", { "a map cannot start here", "start it on a line of its own" } },
	{ "mapping keys are not allowed in this context", { "a key cannot start here", "check the indentation" } },
	{ "found unexpected end of stream", { "the text ends inside a quoted string", "the closing quote is missing" } },
	{ "found unexpected document indicator", { "a document marker inside a quoted string", "the closing quote is missing" } },
	{ "found unknown escape character", { "an unknown escape after \"\\\"", "double it (\"\\\\\") or use single quotes" } },
	{ "found a tab character that violates indentation", { "a tab in the indentation", "use spaces" } },
	{ "found a tab character where an indentation space is expected", { "a tab in the indentation", "use spaces" } },
	{ "control characters are not allowed", { "a control character", "remove it, or write it as an escape in double quotes" } },
	{ "did not find expected <document start>", { "text after the end of the document", "one document a file" } },
};

/* What stands at the place of the error explains more than the parser's state. */
static struct saying explain_byte(unsigned char c)
{
	switch (c) {
	case '\t':
		return (struct saying){ "a tab in the indentation", "use spaces" };
	case '@':
		return (struct saying){ "a value that starts with \"@\" needs quotes", "write \"@name\"" };
	case '`':
		return (struct saying){ "a value that starts with \"`\" needs quotes", "write it in quotes" };
	case '%':
		return (struct saying){ "a line or value that starts with \"%\" needs quotes", "write it in quotes" };
	case '*':
		return (struct saying){ "a value that starts with \"*\" needs quotes", "YAML reads * as an alias: write \"*...\"" };
	case '&':
		return (struct saying){ "a value that starts with \"&\" needs quotes", "YAML reads & as an anchor: write \"&...\"" };
	}
	return (struct saying){ NULL, NULL };
}

/* What has no end is told where it starts: behind it is the end of the text, or the next line, which helps nobody. */
static bool starts_there(const yaml_parser_t *p)
{
	return p->context && p->problem && (strstr(p->context, "alias") || strstr(p->context, "anchor") || strstr(p->context, "simple key") ||
					    (strstr(p->context, "quoted scalar") && strstr(p->problem, "unexpected")));
}

static void note_beginning(struct yaml_reader *r)
{
	const yaml_parser_t *p = &r->parser;

	if (p->error != YAML_PARSER_ERROR || !p->context || !strstr(p->context, "parsing a flow") ||
	    p->context_mark.index >= p->problem_mark.index)
		return;
	r->why.other.line = p->context_mark.line + 1;
	r->why.other.column = p->context_mark.column + 1;
	r->why.other.end_line = p->context_mark.line + 1;
	r->why.other.end_column = p->context_mark.column + 2;
	r->why.other.text = "it begins here";
}

static struct saying syntax_saying(const struct yaml_reader *r, const char *problem)
{
	struct saying say = { NULL, NULL };

	if (r->parser.error == YAML_SCANNER_ERROR && strstr(problem, "cannot start any token"))
		say = explain_byte(r->parser.buffer.pointer[0]);
	if (r->parser.error == YAML_SCANNER_ERROR && r->parser.context && strstr(r->parser.context, "alias"))
		say = explain_byte('*');
	if (r->parser.error == YAML_SCANNER_ERROR && r->parser.context && strstr(r->parser.context, "anchor"))
		say = explain_byte('&');
	for (size_t i = 0; !say.text && i < ARRAY_SIZE(syntax_texts); i++) {
		if (!strcmp(problem, syntax_texts[i].problem))
			say = syntax_texts[i].say;
	}
	return say.text ? say : (struct saying){ problem, "" };
}

int yaml_fail_syntax(struct yaml_reader *r)
{
	yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";
	struct saying say = syntax_saying(r, problem);
	yaml_mark_t at = starts_there(p) ? p->context_mark : p->problem_mark;
	unsigned line, column;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) {	/* the reader runs ahead of the parser: only the byte is known */
		yaml_position(r->text, r->len, p->problem_offset + yaml_bom(r->text, r->len), &line, &column);
		at = (yaml_mark_t){ .line = line - 1, .column = column - 1 };
		if (strstr(problem, "UTF-8") || strstr(problem, "Unicode"))
			return yaml_fail(r, at, at, "save the file as UTF-8", "not UTF-8");
	}
	note_beginning(r);
	return yaml_fail(r, at, at, say.help, "%s", say.text);
}

int yaml_fail_alias(struct yaml_reader *r, const yaml_event_t *ev)
{
	struct saying say = explain_byte('*');

	return yaml_fail(r, ev->start_mark, ev->end_mark, say.help, "%s", say.text);
}
