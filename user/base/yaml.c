/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events -> our tree. Strict on purpose: whatever YAML lets an author say in two ways, or say without seeing it, is an
 * error that tells what to write instead. Memory and depth are bounded whatever the text.
 */
#include "base/yaml_reader.h"

static int build(struct yaml_reader *r, yaml_event_t *ev, unsigned depth, struct yaml_node **out);

static const yaml_mark_t nowhere;	/* the first place of the file; as an end: none */

/* What yaml_fail() said hinders nothing: noted, and on. */
static int forgive(struct yaml_reader *r, int err)
{
	return err == -EBADMSG && r->errors->count < YAML_MAX_ERRORS ? yaml_error_keep(r) : err;
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

static int next_event(struct yaml_reader *r, yaml_event_t *ev)
{
	return yaml_parser_parse(&r->parser, ev) ? 0 : yaml_fail_syntax(r);
}

/* ---- the tree ---- */

static int node_new(struct yaml_reader *r, const yaml_event_t *ev, enum yaml_kind kind, struct yaml_node **out)
{
	struct yaml_node *n;

	if (++r->nodes > YAML_MAX_NODES)
		return yaml_fail(r, ev->start_mark, ev->end_mark, "split the policy", "too many values (more than %d)", YAML_MAX_NODES);
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
static int refuse_decoration(struct yaml_reader *r, const yaml_event_t *ev, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	int err = 0;

	if (anchor) {
		(void)yaml_fail(r, ev->start_mark, decoration_end(ev, anchor), "write the value out, or quote it if the & belongs to it",
			   "anchors (&name) are not supported");
		err = forgive(r, -EBADMSG);
	}
	if (err || !tag)
		return err;
	return yaml_fail(r, ev->start_mark, ev->start_mark, "remove it, or quote the value if the ! belongs to it", "tags (!name) are not supported");
}

static int build_scalar(struct yaml_reader *r, yaml_event_t *ev, struct yaml_node **out)
{
	_yaml_ struct yaml_node *n = NULL;
	int err = refuse_decoration(r, ev, ev->data.scalar.anchor, ev->data.scalar.tag);

	if (!err)
		err = node_new(r, ev, YAML_SCALAR, &n);
	if (err)
		return err;
	n->len = ev->data.scalar.length;
	if (memchr(ev->data.scalar.value, '\0', n->len))
		return yaml_fail(r, ev->start_mark, ev->end_mark, "remove the \\0", "a NUL character in a value");
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

static int list_add(struct yaml_reader *r, struct yaml_node *list, yaml_event_t *ev, unsigned depth)
{
	int err = grow(&list->items, list->count);

	if (!err)
		err = build(r, ev, depth, &list->items[list->count]);
	if (!err)
		list->count++;
	return err;
}

static int map_add(struct yaml_reader *r, struct yaml_node *map, yaml_event_t *ev, unsigned depth)
{
	_yaml_ struct yaml_node *key = NULL;
	_event_ yaml_event_t value = {};
	int err;

	if (ev->type != YAML_SCALAR_EVENT && ev->type != YAML_ALIAS_EVENT)
		return yaml_fail(r, ev->start_mark, ev->end_mark, "write \"word: value\", or quote the key", "a key must be a word, not a list or a map");
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

static int say_twice(struct yaml_reader *r, const struct yaml_node *first, const struct yaml_node *again)
{
	yaml_mark_t from = { .line = again->line - 1, .column = again->column - 1 };

	(void)yaml_fail(r, from, nowhere, "keep one", "the key \"%.80s\" stands here twice, first on line %u", again->text, first->line);
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
static int refuse_duplicates(struct yaml_reader *r, struct yaml_node *map)
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
static int fill(struct yaml_reader *r, struct yaml_node *n, unsigned depth)
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

static int build_collection(struct yaml_reader *r, yaml_event_t *ev, unsigned depth, struct yaml_node **out)
{
	bool map = ev->type == YAML_MAPPING_START_EVENT;
	_yaml_ struct yaml_node *n = NULL;
	int err;

	if (depth >= YAML_MAX_DEPTH)
		return yaml_fail(r, ev->start_mark, ev->end_mark, "a policy needs far fewer", "nested deeper than %d levels", YAML_MAX_DEPTH);
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

static int build(struct yaml_reader *r, yaml_event_t *ev, unsigned depth, struct yaml_node **out)
{
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return build_scalar(r, ev, out);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return build_collection(r, ev, depth, out);
	case YAML_ALIAS_EVENT:
		return yaml_fail_alias(r, ev);
	default:
		return yaml_fail(r, ev->start_mark, ev->end_mark, "write one", "a value is missing here");
	}
}

/* ---- the document ---- */

static int expect_start(struct yaml_reader *r)
{
	_event_ yaml_event_t stream = {}, doc = {};
	int err = next_event(r, &stream);

	if (!err)
		err = next_event(r, &doc);
	if (err)
		return err;
	if (doc.type != YAML_DOCUMENT_START_EVENT)
		return yaml_fail(r, nowhere, nowhere, "begin with \"version: 1\"", "the file is empty");
	if (doc.data.document_start.tag_directives.start != doc.data.document_start.tag_directives.end)
		return yaml_fail(r, doc.start_mark, doc.start_mark, "remove it", "%%TAG is not supported");
	return 0;
}

static int expect_end(struct yaml_reader *r)
{
	_event_ yaml_event_t doc = {}, end = {};
	int err = next_event(r, &doc);

	if (!err)
		err = next_event(r, &end);
	if (!err && end.type != YAML_STREAM_END_EVENT)
		return yaml_fail(r, end.start_mark, end.end_mark, "one document a file", "a second document starts here");
	return err;
}

static int read_document(struct yaml_reader *r, struct yaml_node **out)
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
		return yaml_fail(r, ev.start_mark, ev.end_mark, "begin with \"version: 1\"", "the document is empty");
	*out = steal(&root);
	return 0;
}

int yaml_parse_all(const char *text, size_t len, struct yaml_node **out, struct yaml_errors *errors)
{
	struct yaml_reader r = { .text = text, .len = len, .errors = errors };
	size_t bom = yaml_bom(text, len);
	int err;

	*errors = (struct yaml_errors){};
	if (!yaml_parser_initialize(&r.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text + bom, len - bom);
	err = read_document(&r, out);
	yaml_parser_delete(&r.parser);
	if (err == -EBADMSG && yaml_error_keep(&r))
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
