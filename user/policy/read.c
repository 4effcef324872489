/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a text to a policy: the document's own keys, its presets, and the order in which all that is read. Parameters come
 * first, since every path may name one. A finding never hides another: each value is judged by itself, and what depends on a
 * wrong one is not judged at all.
 */
#include <stdio.h>
#include "policy/model.h"

/* ---- what every key needs ---- */

void say_unbuilt(struct reader *r, const struct yaml_node *at, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(r->d, r->src->only_check, r->file, at->line, at->column, "%s", text);
}

static void field_unknown(struct reader *r, const struct yaml_node *key, const char *what, const struct field *fields, size_t count)
{
	const char *words[32] = {}, *meant;
	_buf_ struct buf all = {};

	for (size_t i = 0; i < count && i < ARRAY_SIZE(words) - 1; i++) {
		words[i] = fields[i].name;
		if (fields[i].read && !fields[i].unbuilt)
			buf_addf(&all, "%s%s", all.len ? " " : "", fields[i].name);
	}
	meant = word_nearest(key->text, words);
	if (meant)
		READ_ERROR(r, key, "unknown key \"%.60s\" in %s: did you mean \"%s\"?", key->text, what, meant);
	else
		READ_ERROR(r, key, "unknown key \"%.60s\" in %s: it may have %s", key->text, what, all.data ? all.data : "");
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
			READ_ERROR(r, map->keys[i], "class %s is not built yet: remove its rules and list it in open:", f->name);
		else if (f)
			READ_ERROR(r, map->keys[i], "\"%s\" is not built yet: remove it", f->name);
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
		READ_ERROR(r, map, "%s is a map: {key: value} or \"key: value\" lines", what);
		return false;
	}
	good = keys_check(r, map, what, fields, count);
	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *value = fields[i].read ? yaml_get(map, fields[i].name) : NULL;

		if (value && !fields[i].read(r, value, into))
			good = false;
		else if (value && fields[i].unbuilt)
			say_unbuilt(r, key_of(map, value), "\"%s\" is not built yet: remove it", fields[i].name);
	}
	return good;
}

bool read_text(struct reader *r, const struct yaml_node *n, const char *what, char **out)
{
	if (n->kind != YAML_SCALAR || !n->len) {
		READ_ERROR(r, n, "%s is a text", what);
		return false;
	}
	free(*out);
	*out = diag_strdup(r->d, n->text);
	return *out;
}

bool read_is_list(struct reader *r, const struct yaml_node *n, const char *what)
{
	if (n->kind != YAML_LIST)
		READ_ERROR(r, n, "%s is a list: [a, b] or one \"- a\" a line", what);
	return n->kind == YAML_LIST;
}

int read_word(struct reader *r, const struct yaml_node *n, const char *what, const char *const *words)
{
	_buf_ struct buf all = {};
	const char *meant;
	int i;

	if (n->kind != YAML_SCALAR) {
		READ_ERROR(r, n, "%s is one word", what);
		return -1;
	}
	for (i = 0; words[i]; i++) {
		if (!strcmp(words[i], n->text))
			return i;
		buf_addf(&all, "%s%s", i ? " " : "", words[i]);
	}
	meant = word_nearest(n->text, words);
	if (meant)
		READ_ERROR(r, n, "\"%.60s\" is not %s: did you mean \"%s\"?", n->text, what, meant);
	else
		READ_ERROR(r, n, "\"%.60s\" is not %s: it is one of %s", n->text, what, all.data ? all.data : "");
	return -1;
}

/* ---- the document's keys ---- */

static bool read_version(struct reader *r, const struct yaml_node *n, void *policy)
{
	(void)policy;
	if (n->kind == YAML_SCALAR && !strcmp(n->text, "1"))
		return true;
	READ_ERROR(r, n, "this program reads version 1 of the language");
	return false;
}

static bool read_name(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;

	if (r->preset)
		return true;	/* known by the name it was asked for */
	if (!read_text(r, n, "the policy's name", &p->name))
		return false;
	if (n->len <= 64 && strspn(n->text, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n->len)
		return true;
	READ_ERROR(r, n, "a policy's name has up to 64 of a-z 0-9 - _ .");
	return false;
}

static bool read_owner(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_text(r, n, "owner", &((struct policy *)policy)->owner);
}

static bool read_about(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;
	_free_ char *ignored = NULL;

	return read_text(r, n, "about", r->preset ? &ignored : &p->about);
}

static bool read_open(struct reader *r, const struct yaml_node *n, void *policy)
{
	const char *words[PC_COUNT + 1] = {};
	struct policy *p = policy;
	bool good = true;

	for (int i = 0; i < PC_COUNT; i++)
		words[i] = class_table[i].word;
	if (!read_is_list(r, n, "open"))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		int word = read_word(r, n->items[i], "a class", words);

		if (word < 0)
			good = false;
		else
			p->open |= 1u << word;
		if (word >= 0 && !r->preset)
			p->own_open |= 1u << word;
	}
	if (!r->preset) {
		p->open_line = n->line;
		p->open_column = n->column;
	}
	return good;
}

static bool read_record(struct reader *r, const struct yaml_node *n, void *policy)
{
	static const char *const words[] = { "exec", "exit", "connect", "listen", "open", "write", "dns", "call", NULL };
	struct policy *p = policy;
	bool good = read_is_list(r, n, "record");

	p->record = 0;
	p->record_given = true;
	for (size_t i = 0; good && i < n->count; i++) {
		int kind = read_word(r, n->items[i], "a kind of record", words);

		if (kind >= RECORD_KINDS)
			say_unbuilt(r, n->items[i], "recording \"%s\" is not built yet: remove it", words[kind]);
		else if (kind >= 0)
			p->record |= 1u << kind;
	}
	return good;
}

static bool call_group_read(struct reader *r, const struct yaml_node *n, struct policy *p)
{
	static const char *const groups[] = { "@io_uring", "@userns", "@mount-own", "@ptrace-own", "@perf", "@keyring", "@raw-socket",
					      "@clock", NULL };
	int group = read_word(r, n, "a group of calls", groups);

	if (group > 0)
		READ_ERROR(r, n, "opening \"%s\" is not built yet: remove it", groups[group]);
	p->io_uring |= group == 0;
	return group == 0;
}

static bool read_calls_allow(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = read_is_list(r, n, "calls.allow");

	for (size_t i = 0; good && i < n->count; i++)
		(void)call_group_read(r, n->items[i], policy);
	return good;
}

static bool read_calls(struct reader *r, const struct yaml_node *n, void *policy)
{
	static const struct field fields[] = { FIELD("allow", read_calls_allow), FIELD("refuse", NULL) };

	return read_fields(r, n, "calls", fields, ARRAY_SIZE(fields), policy);
}

static bool read_uses(struct reader *r, const struct yaml_node *n, void *policy);

static const struct field document_fields[] = {
	FIELD("version", read_version), FIELD("policy", read_name), FIELD("owner", read_owner), FIELD("about", read_about),
	FIELD("params", read_params), FIELD("uses", read_uses), FIELD("open", read_open), FIELD("files", read_files),
	FIELD("network", read_network), FIELD("sockets", read_sockets), FIELD("calls", read_calls), FIELD("record", read_record),
	FIELD("tests", read_tests),
	FIELD("devices", NULL), FIELD("privileges", NULL), FIELD("limits", NULL), FIELD("session", NULL), FIELD("labels", NULL),
	FIELD("within", NULL), FIELD("on_refusal", NULL),
};
static const struct field preset_fields[] = {
	FIELD("version", read_version), FIELD("policy", read_name), FIELD("about", read_about), FIELD("open", read_open),
	FIELD("files", read_files), FIELD("network", read_network), FIELD("sockets", read_sockets), FIELD("calls", read_calls),
};

static void note_lines(struct policy *p, const struct yaml_node *tree)
{
	for (size_t i = 0; tree->kind == YAML_MAP && i < PC_COUNT; i++) {
		for (size_t k = 0; k < tree->count; k++) {
			const struct yaml_node *key = tree->keys[k];
			bool own = !strcmp(key->text, class_table[i].word);

			if (own || (!p->class_line[i] && !strcmp(key->text, "policy")))
				p->class_line[i] = key->line;
		}
	}
}

/* One text; file and preset already stand in the policy, so that rules may point at them. */
static void read_document(struct reader *r, const char *text, size_t len)
{
	struct yaml_error why = {};
	struct yaml_node *tree;
	int err = yaml_parse(text, len, &tree, &why);

	if (err == -ENOMEM)
		r->d->err = err;
	if (err) {
		diag_add(r->d, false, r->file, why.line, why.column, "%s", why.text);
		return;
	}
	if (r->preset)
		read_fields(r, tree, "a preset", preset_fields, ARRAY_SIZE(preset_fields), r->p);
	else
		note_lines(r->p, tree);
	if (!r->preset)
		read_fields(r, tree, "a policy", document_fields, ARRAY_SIZE(document_fields), r->p);
	if (tree->kind == YAML_MAP && !yaml_get(tree, "version"))
		diag_add(r->d, false, r->file, 1, 1, "the first key is \"version: 1\"");
	if (tree->kind == YAML_MAP && !yaml_get(tree, "policy"))
		diag_add(r->d, false, r->file, 1, 1, "the policy has no name: add \"policy: name\"");
	yaml_free(tree);
}

static bool file_add(struct policy *p, struct diags *d, const char *file, const char *preset)
{
	char **files = p->files, **presets = p->presets;
	size_t count = p->file_count;
	char **f = vec_push(d, &files, &count, sizeof(*f)), **name;

	p->files = files;
	if (!f)
		return false;
	name = vec_push(d, &presets, &p->file_count, sizeof(*name));
	p->presets = presets;
	if (!name)
		return false;
	*f = diag_strdup(d, file);
	*name = preset ? diag_strdup(d, preset) : NULL;
	return *f && (*name || !preset);
}

static bool preset_use(struct reader *r, const struct yaml_node *n, int word, const char *const *names)
{
	struct policy *p = r->p;
	_buf_ struct buf file = {};
	struct reader inner = *r;

	for (size_t i = 1; i < p->file_count; i++) {
		if (!strcmp(p->presets[i], names[word])) {
			READ_ERROR(r, n, "preset %s is listed twice", names[word]);
			return false;
		}
	}
	buf_addf(&file, "preset:%s", names[word]);
	if (file.err || !file_add(p, r->d, file.data, names[word]))
		return false;
	inner.file = p->files[p->file_count - 1];
	inner.preset = p->presets[p->file_count - 1];
	read_document(&inner, policy_preset(inner.preset), strlen(policy_preset(inner.preset)));
	return true;
}

static bool read_uses(struct reader *r, const struct yaml_node *n, void *policy)
{
	static const char *const names[] = { "base", "python", "git", "node", "git-https", NULL };
	bool good = true;

	(void)policy;
	if (!read_is_list(r, n, "uses"))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		int word = read_word(r, n->items[i], "a preset", names);

		if (word >= 0 && !policy_preset(names[word]))
			READ_ERROR(r, n->items[i], "preset %s is not built yet: remove it", names[word]);
		good &= word >= 0 && policy_preset(names[word]) && preset_use(r, n->items[i], word, names);
	}
	return good;
}

/* ---- the whole ---- */

static void policy_read(struct policy *p, const struct policy_source *src, struct diags *d)
{
	struct reader r = { .p = p, .d = d, .src = src };

	p->record = 1u << RECORD_EXEC | 1u << RECORD_CONNECT;	/* the default also says dns, which is not built yet */
	p->digest = calloc(1, 80);
	if (!p->digest)
		d->err = -ENOMEM;
	if (!file_add(p, d, src->file ? src->file : "(policy)", NULL))
		return;
	r.file = p->files[0];
	own_places_add(p, src, d);
	read_document(&r, src->text, src->len);
	if (!d->err && !d->errors)
		rules_identify(p, d);
	if (!d->err && !d->errors)
		policy_check(p, d);
}

int policy_load(const struct policy_source *src, struct policy **out, struct diags *diags)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p) {
		diags->err = -ENOMEM;
		return -ENOMEM;
	}
	policy_read(p, src, diags);
	diags_sort(diags);
	if (diags->err || diags->errors) {
		policy_free(p);
		return diags->err ? diags->err : -EINVAL;
	}
	*out = p;
	return 0;
}
