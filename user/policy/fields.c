/* SPDX-License-Identifier: Apache-2.0 */
/* A text as a tree, maps read by a table of keys, and the simple values that keys of every class have: a text, a list, a word out of a list. */
#include <stdio.h>
#include "policy/model.h"

static void say_yaml(struct reader *r, const struct yaml_error *why)
{
	READ_ERROR(r, why, CODE("yaml") "%s%s%s", why->text, why->help[0] ? HELP : "", why->help);
	if (why->other.text)
		diag_note(r->d, PLACE(r->file, &why->other), "%s", why->other.text);
}

bool read_tree(struct reader *r, const char *text, size_t len, struct yaml_node **out)
{
	_cleanup_(yaml_errors_done) struct yaml_errors errors = {};
	int err = yaml_parse_all(text, len, out, &errors);

	if (err == -ENOMEM)
		r->d->err = err;
	for (size_t i = 0; i < errors.count; i++)
		say_yaml(r, &errors.items[i]);
	return !err;
}

void key_needed(struct reader *r, const struct yaml_node *map, const char *name, const char *text, const char *help)
{
	const struct yaml_node *at = map->kind == YAML_MAP && map->count ? map->keys[0] : map;
	const char *const words[] = { name, NULL };

	if (map->kind != YAML_MAP || yaml_get(map, name))
		return;
	for (size_t i = 0; i < map->count; i++) {
		if (word_nearest(map->keys[i]->text, words))
			return;
	}
	READ_ERROR(r, at, CODE("missing-key") "%s" HELP "%s", text, help);
}

void say_unbuilt(struct reader *r, const struct yaml_node *at, const char *todo, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_at(r->d, r->src->only_check, PLACE(r->file, at), CODE("not-built") "%s" HELP "%s", text,
		r->src->only_check ? "no engine of this version loads it" : todo);
}

static void field_unknown(struct reader *r, const struct yaml_node *key, const char *what, const struct field *fields, size_t count)
{
	const char *words[32] = {}, *meant;
	_buf_ struct buf all = {};

	for (size_t i = 0; i < count && i < ARRAY_SIZE(words) - 1; i++) {
		words[i] = fields[i].name;
		if (fields[i].read && !fields[i].unbuilt && !fields[i].misplaced)
			buf_addf(&all, "%s%s", all.len ? " " : "", fields[i].name);
	}
	meant = word_nearest(key->text, words);
	if (meant)
		READ_ERROR(r, key, CODE("unknown-key") "unknown key \"%.60s\" in %s" HELP "did you mean \"%s\"?", key->text, what, meant);
	else
		READ_ERROR(r, key, CODE("unknown-key") "unknown key \"%.60s\" in %s" HELP "it may have %s", key->text, what, all.data ? all.data : "");
}

static const struct field *field_find(const struct field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(fields[i].name, name))
			return &fields[i];
	}
	return NULL;
}

static bool is_class(const char *word)
{
	for (int i = 0; i < PC_COUNT; i++) {
		if (!strcmp(class_table[i].word, word))
			return true;
	}
	return false;
}

static bool keys_check(struct reader *r, const struct yaml_node *map, const char *what, const struct field *fields, size_t count)
{
	bool good = true;

	for (size_t i = 0; i < map->count; i++) {
		const struct field *f = field_find(fields, count, map->keys[i]->text);

		if (f && f->read)
			continue;
		if (f && is_class(f->name))
			READ_ERROR(r, map->keys[i], CODE("not-built") "class %s is not built yet" HELP "remove its rules and list it in open:", f->name);
		else if (f)
			READ_ERROR(r, map->keys[i], CODE("not-built") "\"%s\" is not built yet" HELP "remove it", f->name);
		else
			field_unknown(r, map->keys[i], what, fields, count);
		good = false;
	}
	return good;
}

static const struct yaml_node *key_of(const struct yaml_node *map, const struct yaml_node *value)
{
	size_t i = 0;

	while (map->items[i] != value)
		i++;
	return map->keys[i];
}

bool read_fields(struct reader *r, const struct yaml_node *map, const char *what, const struct field *fields, size_t count, void *into)
{
	bool good;

	if (map->kind != YAML_MAP) {
		READ_ERROR(r, map, CODE("not-a-map") "%s is a map" HELP "write {key: value} or \"key: value\" lines", what);
		return false;
	}
	good = keys_check(r, map, what, fields, count);
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *value = fields[i].read ? yaml_get(map, fields[i].name) : NULL;

		if (value && !fields[i].read(r, value, into))
			good = false;
		else if (value && fields[i].unbuilt)
			say_unbuilt(r, key_of(map, value), "remove it", "\"%s\" is not built yet", fields[i].name);
	}
	return good;
}

bool read_text(struct reader *r, const struct yaml_node *n, const char *what, char **out)
{
	if (n->kind != YAML_SCALAR || !n->len) {
		READ_ERROR(r, n, CODE("not-a-text") "%s is a text" HELP "write it on one line, in quotes if it has one of : # [ ] { }", what);
		return false;
	}
	free(*out);
	*out = diag_strdup(r->d, n->text);
	return *out;
}

bool read_is_list(struct reader *r, const struct yaml_node *n, const char *what)
{
	if (n->kind != YAML_LIST)
		READ_ERROR(r, n, CODE("not-a-list") "%s is a list" HELP "write [a, b] or one \"- a\" a line", what);
	return n->kind == YAML_LIST;
}

/* Nobody reads a list of hundreds. */
static void words_join(const char *const *words, struct buf *out)
{
	size_t count = 0;

	while (words[count])
		count++;
	if (count > 64)
		buf_addf(out, "%zu words, which `bailiff policy schema` lists", count);
	for (size_t i = 0; i < count && count <= 64; i++)
		buf_addf(out, "%s%s", i ? " " : "", words[i]);
}

int read_word(struct reader *r, const struct yaml_node *n, const char *what, const char *const *words)
{
	_buf_ struct buf all = {};
	const char *meant;

	words_join(words, &all);
	if (n->kind != YAML_SCALAR) {
		READ_ERROR(r, n, CODE("not-a-word") "%s is one word" HELP "it is one of %s", what, all.data ? all.data : "");
		return -1;
	}
	for (int i = 0; words[i]; i++) {
		if (!strcmp(words[i], n->text))
			return i;
	}
	meant = word_nearest(n->text, words);
	if (meant)
		READ_ERROR(r, n, CODE("unknown-word") "\"%.60s\" is not %s" HELP "did you mean \"%s\"?", n->text, what, meant);
	else
		READ_ERROR(r, n, CODE("unknown-word") "\"%.60s\" is not %s" HELP "it is one of %s", n->text, what, all.data ? all.data : "");
	return -1;
}
