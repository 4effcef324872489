/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events -> our tree. Strict on purpose: whatever YAML lets an author say in two ways, or say without seeing it, is an
 * error that tells what to write instead. Memory and depth are bounded whatever the text.
 */
#include "base/yaml.h"
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

struct reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	size_t nodes;
	struct yaml_error why;		/* the latest */
	struct yaml_errors *errors;
};

static int build(struct reader *r, yaml_event_t *ev, unsigned depth, struct yaml_node **out);

static const yaml_mark_t nowhere;	/* the first place of the file; as an end: none */

static int fail(struct reader *r, yaml_mark_t from, yaml_mark_t to, const char *help, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int fail(struct reader *r, yaml_mark_t from, yaml_mark_t to, const char *help, const char *fmt, ...)
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

static int error_keep(struct reader *r)
{
	struct yaml_error *grown = reallocarray(r->errors->items, r->errors->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	r->errors->items = grown;
	grown[r->errors->count++] = r->why;
	r->why = (struct yaml_error){};
	return 0;
}

/* What fail() said hinders nothing: noted, and on. */
static int forgive(struct reader *r, int err)
{
	return err == -EBADMSG && r->errors->count < YAML_MAX_ERRORS ? error_keep(r) : err;
}

void yaml_free(struct yaml_node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++) {
		yaml_free(n->items[i]);
		if (n->keys)
			yaml_free(n->keys[i]);
	}
	free(n->items);
	free(n->keys);
	free(n->text);
	free(n);
}

static void yaml_free_p(struct yaml_node **n)
{
	yaml_free(*n);
}
#define _yaml_ _cleanup_(yaml_free_p)

static void event_done(yaml_event_t *ev)
{
	yaml_event_delete(ev);
}
#define _event_ _cleanup_(event_done)

/* ---- what libyaml refuses, said so that an author can mend it ---- */

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

static void note_beginning(struct reader *r)
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

static struct saying syntax_saying(const struct reader *r, const char *problem)
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

static int fail_syntax(struct reader *r)
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
			return fail(r, at, at, "save the file as UTF-8", "not UTF-8");
	}
	note_beginning(r);
	return fail(r, at, at, say.help, "%s", say.text);
}

static int next_event(struct reader *r, yaml_event_t *ev)
{
	return yaml_parser_parse(&r->parser, ev) ? 0 : fail_syntax(r);
}

/* ---- the tree ---- */

static int node_new(struct reader *r, const yaml_event_t *ev, enum yaml_kind kind, struct yaml_node **out)
{
	struct yaml_node *n;

	if (++r->nodes > YAML_MAX_NODES)
		return fail(r, ev->start_mark, ev->end_mark, "split the policy", "too many values (more than %d)", YAML_MAX_NODES);
	n = calloc(1, sizeof(*n));
	if (!n)
		return -ENOMEM;
	n->kind = kind;
	n->line = ev->start_mark.line + 1;
	n->column = ev->start_mark.column + 1;
	n->end_line = ev->end_mark.line + 1;
	n->end_column = ev->end_mark.column + 1;
	*out = n;
	return 0;
}

/* An event's start is its anchor's; the anchor ends where its name does. */
static yaml_mark_t decoration_end(const yaml_event_t *ev, const yaml_char_t *name)
{
	yaml_mark_t to = ev->start_mark;

	to.index += 1 + strlen((const char *)name);
	to.column += 1 + strlen((const char *)name);
	return to;
}

/* An anchor hinders nothing. A tag says that the value is something else than it looks. */
static int refuse_decoration(struct reader *r, const yaml_event_t *ev, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	int err = 0;

	if (anchor) {
		(void)fail(r, ev->start_mark, decoration_end(ev, anchor), "write the value out, or quote it if the & belongs to it",
			   "anchors (&name) are not supported");
		err = forgive(r, -EBADMSG);
	}
	if (err || !tag)
		return err;
	return fail(r, ev->start_mark, ev->start_mark, "remove it, or quote the value if the ! belongs to it", "tags (!name) are not supported");
}

static int build_scalar(struct reader *r, yaml_event_t *ev, struct yaml_node **out)
{
	_yaml_ struct yaml_node *n = NULL;
	int err = refuse_decoration(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);

	if (!err)
		err = node_new(r, ev, YAML_SCALAR, &n);
	if (err)
		return err;
	n->len = ev->data.scalar.length;
	if (memchr(ev->data.scalar.value, '\0', n->len))
		return fail(r, ev->start_mark, ev->end_mark, "remove the \\0", "a NUL character in a value");
	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	n->text = malloc(n->len + 1);
	if (!n->text)
		return -ENOMEM;
	memcpy(n->text, ev->data.scalar.value, n->len + 1);
	*out = steal(&n);
	return 0;
}

/* Room for one more; arrays double at powers of two, so no capacity is stored. */
static int grow(struct yaml_node ***array, size_t count)
{
	struct yaml_node **bigger;

	if (count & (count - 1) || count == 1)
		return 0;	/* 0 makes room for 2, then 2, 4, 8 ... double */
	bigger = realloc(*array, (count ? count * 2 : 2) * sizeof(**array));
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	return 0;
}

static int list_add(struct reader *r, struct yaml_node *list, yaml_event_t *ev, unsigned depth)
{
	int err = grow(&list->items, list->count);

	if (!err)
		err = build(r, ev, depth, &list->items[list->count]);
	if (!err)
		list->count++;
	return err;
}

static int map_add(struct reader *r, struct yaml_node *map, yaml_event_t *ev, unsigned depth)
{
	_yaml_ struct yaml_node *key = NULL;
	_event_ yaml_event_t value = {};
	int err;

	if (ev->type != YAML_SCALAR_EVENT && ev->type != YAML_ALIAS_EVENT)
		return fail(r, ev->start_mark, ev->end_mark, "write \"word: value\", or quote the key", "a key must be a word, not a list or a map");
	err = build(r, ev, depth, &key);
	if (!err)
		err = next_event(r, &value);
	if (!err)
		err = grow(&map->keys, map->count);
	if (!err)
		err = grow(&map->items, map->count);
	if (!err)
		err = build(r, &value, depth, &map->items[map->count]);
	if (!err)
		map->keys[map->count++] = steal(&key);
	return err;
}

static int key_order(const void *a, const void *b)
{
	const struct yaml_node *x = *(struct yaml_node *const *)a, *y = *(struct yaml_node *const *)b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

static int say_twice(struct reader *r, const struct yaml_node *first, const struct yaml_node *again)
{
	yaml_mark_t from = { .line = again->line - 1, .column = again->column - 1 };

	(void)fail(r, from, nowhere, "keep one", "the key \"%.80s\" stands here twice, first on line %u", again->text, first->line);
	r->why.end_line = again->end_line;
	r->why.end_column = again->end_column;
	r->why.other.line = first->line;
	r->why.other.column = first->column;
	r->why.other.end_line = first->end_line;
	r->why.other.end_column = first->end_column;
	r->why.other.text = "it stands here first";
	return forgive(r, -EBADMSG);
}

/* Take the pairs out whose key was marked by making it no scalar. */
static void drop_marked(struct yaml_node *map)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->count; i++) {
		if (map->keys[i]->kind != YAML_SCALAR) {
			yaml_free(map->keys[i]);
			yaml_free(map->items[i]);
			continue;
		}
		map->keys[kept] = map->keys[i];
		map->items[kept++] = map->items[i];
	}
	map->count = kept;
}

/* Keys that repeat an earlier one, by sorting: a map of 100,000 keys must not cost 10^10 comparisons. The first of each stays. */
static int refuse_duplicates(struct reader *r, struct yaml_node *map)
{
	_free_ struct yaml_node **sorted = NULL;
	size_t first = 0;
	int err = 0;

	if (map->count < 2)
		return 0;
	sorted = malloc(map->count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, map->keys, map->count * sizeof(*sorted));
	qsort(sorted, map->count, sizeof(*sorted), key_order);
	for (size_t i = 1; i < map->count && !err; i++) {
		if (strcmp(sorted[i]->text, sorted[first]->text)) {
			first = i;
			continue;
		}
		err = say_twice(r, sorted[first], sorted[i]);
		sorted[i]->kind = YAML_LIST;
	}
	drop_marked(map);
	return err;
}

/* All children up to the closing event; ev opened the collection. */
static int fill(struct reader *r, struct yaml_node *n, unsigned depth)
{
	for (;;) {
		_event_ yaml_event_t ev = {};
		int err = next_event(r, &ev);

		if (err)
			return err;
		if (ev.type == YAML_SEQUENCE_END_EVENT || ev.type == YAML_MAPPING_END_EVENT) {
			n->end_line = ev.end_mark.line + 1;
			n->end_column = ev.end_mark.column + 1;
			return n->kind == YAML_MAP ? refuse_duplicates(r, n) : 0;
		}
		err = n->kind == YAML_MAP ? map_add(r, n, &ev, depth + 1) : list_add(r, n, &ev, depth + 1);
		if (err)
			return err;
	}
}

static int build_collection(struct reader *r, yaml_event_t *ev, unsigned depth, struct yaml_node **out)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	_yaml_ struct yaml_node *n = NULL;
	int err;

	if (depth >= YAML_MAX_DEPTH)
		return fail(r, ev->start_mark, ev->end_mark, "a policy needs far fewer", "nested deeper than %d levels", YAML_MAX_DEPTH);
	err = map ? refuse_decoration(r, ev, ev->data.mapping_start.anchor, ev->data.mapping_start.tag) :
		    refuse_decoration(r, ev, ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	if (!err)
		err = node_new(r, ev, map ? YAML_MAP : YAML_LIST, &n);
	if (!err)
		err = fill(r, n, depth);
	if (!err)
		*out = steal(&n);
	return err;
}

static int build(struct reader *r, yaml_event_t *ev, unsigned depth, struct yaml_node **out)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return build_scalar(r, ev, out);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return build_collection(r, ev, depth, out);
	case YAML_ALIAS_EVENT:
		return fail(r, ev->start_mark, ev->end_mark, explain_byte('*').help, "%s", explain_byte('*').text);
	default:
		return fail(r, ev->start_mark, ev->end_mark, "write one", "a value is missing here");
	}
}

/* ---- the document ---- */

static int expect_start(struct reader *r)
{
	_event_ yaml_event_t stream = {}, doc = {};
	int err = next_event(r, &stream);

	if (!err)
		err = next_event(r, &doc);
	if (err)
		return err;
	if (doc.type != YAML_DOCUMENT_START_EVENT)
		return fail(r, nowhere, nowhere, "begin with \"version: 1\"", "the file is empty");
	if (doc.data.document_start.tag_directives.start != doc.data.document_start.tag_directives.end)
		return fail(r, doc.start_mark, doc.start_mark, "remove it", "%%TAG is not supported");
	return 0;
}

static int expect_end(struct reader *r)
{
	_event_ yaml_event_t doc = {}, end = {};
	int err = next_event(r, &doc);

	if (!err)
		err = next_event(r, &end);
	if (!err && end.type != YAML_STREAM_END_EVENT)
		return fail(r, end.start_mark, end.end_mark, "one document a file", "a second document starts here");
	return err;
}

static int read_document(struct reader *r, struct yaml_node **out)
{
	_yaml_ struct yaml_node *root = NULL;
	_event_ yaml_event_t ev = {};
	int err = expect_start(r);

	if (!err)
		err = next_event(r, &ev);
	if (!err)
		err = build(r, &ev, 0, &root);
	if (!err)
		err = expect_end(r);
	if (err)
		return err;
	if (root->kind == YAML_SCALAR && !root->quoted && !root->len)
		return fail(r, ev.start_mark, ev.end_mark, "begin with \"version: 1\"", "the document is empty");
	*out = steal(&root);
	return 0;
}

int yaml_parse_all(const char *text, size_t len, struct yaml_node **out, struct yaml_errors *errors)
{
	struct reader r = { .text = text, .len = len, .errors = errors };
	size_t bom = yaml_bom(text, len);
	int err;

	*errors = (struct yaml_errors){};
	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text + bom, len - bom);
	err = read_document(&r, out);
	yaml_parser_delete(&r.parser);
	if (err == -EBADMSG && error_keep(&r))
		err = -ENOMEM;
	return err;
}

void yaml_errors_done(struct yaml_errors *errors)
{
	free(errors->items);
	*errors = (struct yaml_errors){};
}

int yaml_parse(const char *text, size_t len, struct yaml_node **out, struct yaml_error *why)
{
	_cleanup_(yaml_errors_done) struct yaml_errors errors = {};
	struct yaml_node *root = NULL;
	int err = yaml_parse_all(text, len, &root, &errors);

	*why = (struct yaml_error){};
	if (!err && errors.count)
		err = -EBADMSG;
	if (err == -EBADMSG)
		*why = errors.items[0];
	if (err)
		yaml_free(root);
	else
		*out = root;
	return err;
}

const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key)
{
	if (map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->count; i++) {
		if (!strcmp(map->keys[i]->text, key))
			return map->items[i];
	}
	return NULL;
}
