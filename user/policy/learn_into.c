/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned rules put into a policy's own text, so that its remarks, order and hand stay: behind the last item of the list that they belong to,
 * as a new list at the end of their class, or as a new class at the end. Lists and maps in brackets get their items in brackets.
 */
#include <stdio.h>
#include "policy/learn_parts.h"

/* What comes first where several things come to one place: items of a list, a list of a class, a class. */
enum rank { RANK_ITEMS, RANK_KEY, RANK_CLASS };
struct insertion {
	size_t at;
	enum rank rank;
	unsigned order;
	struct buf text;
};

struct putting {
	const struct learn *l;
	const char *text;
	size_t len;
	struct insertion *items;
	size_t count;
	struct diags d;
	char *why;
};

/* ---- places in the text ---- */

static size_t line_start(const struct putting *p, unsigned line)
{
	size_t at = yaml_bom(p->text, p->len), n;

	for (unsigned i = 1; i < line && at < p->len; i++) {
		while (at < p->len && !yaml_line_break(p->text + at, p->len - at))
			at++;
		n = at < p->len ? yaml_line_break(p->text + at, p->len - at) : 0;
		at += n;
	}
	return at;
}

static size_t offset_of(const struct putting *p, unsigned line, unsigned column)
{
	size_t at = line_start(p, line);

	for (unsigned i = 1; i < column && at < p->len; i++) {
		at++;
		while (at < p->len && ((unsigned char)p->text[at] & 0xc0) == 0x80)
			at++;
	}
	return at;
}

static bool is_flow(const struct putting *p, const struct yaml_node *n)
{
	size_t at = offset_of(p, n->line, n->column);

	return n->kind != YAML_SCALAR && at < p->len && (p->text[at] == '[' || p->text[at] == '{');
}

/* The last line of a node: libyaml ends one in block style where the next begins. */
static unsigned last_line(const struct putting *p, const struct yaml_node *n)
{
	if (n->kind == YAML_SCALAR || is_flow(p, n) || !n->count)
		return n->end_line;
	return last_line(p, n->items[n->count - 1]);
}

/* ---- what is put there ---- */

static struct insertion *insertion_new(struct putting *p, size_t at, enum rank rank)
{
	struct insertion *i = vec_push(&p->d, &p->items, &p->count, sizeof(*i));

	if (!i)
		return NULL;
	*i = (struct insertion){ .at = at, .rank = rank, .order = p->count };
	return i;
}

static bool is_of(const struct learned *rule, enum policy_class class, const char *word)
{
	return rule->class == class && !strcmp(rule->word, word);
}

static void evidence_line(const struct putting *p, const struct learned *rule, unsigned indent, struct buf *out)
{
	buf_addf(out, "%*s# ", (int)indent, "");
	if (!strcmp(rule->word, "deny"))
		buf_add_str(out, "learned directories stay closed to this");
	else
		evidence_print(p->l, &rule->e, out);
	buf_add_char(out, '\n');
}

static void block_items(const struct putting *p, enum policy_class class, const char *word, unsigned indent, struct buf *out)
{
	for (size_t i = 0; i < p->l->rule_count; i++) {
		const struct learned *rule = p->l->rules[i];

		if (!is_of(rule, class, word))
			continue;
		evidence_line(p, rule, indent, out);
		buf_addf(out, "%*s- ", (int)indent, "");
		learned_print(rule, out);
		buf_add_char(out, '\n');
	}
}

static void flow_items(const struct putting *p, enum policy_class class, const char *word, unsigned indent, bool first, struct buf *out)
{
	for (size_t i = 0; i < p->l->rule_count; i++) {
		const struct learned *rule = p->l->rules[i];

		if (!is_of(rule, class, word))
			continue;
		buf_add_str(out, first ? "\n" : ",\n");
		first = false;
		evidence_line(p, rule, indent, out);
		buf_addf(out, "%*s", (int)indent, "");
		learned_print(rule, out);
	}
	buf_addf(out, "\n%*s", indent > 2 ? (int)indent - 2 : 0, "");
}

static unsigned indent_of_line(const struct putting *p, unsigned line)
{
	size_t at = line_start(p, line), n = 0;

	while (at + n < p->len && p->text[at + n] == ' ')
		n++;
	return n;
}

/* Before the bracket that ends it; a comma that stands there already is one. */
static void into_brackets(struct putting *p, const struct yaml_node *n, enum policy_class class, const char *word, bool key)
{
	size_t end = offset_of(p, n->end_line, n->end_column), before;
	unsigned indent = indent_of_line(p, n->line) + 4;
	struct insertion *i = end ? insertion_new(p, end - 1, key ? RANK_KEY : RANK_ITEMS) : NULL;
	bool first;

	if (!i)
		return;
	for (before = end - 1; before && strchr(" \t\r\n", p->text[before - 1]);)
		before--;
	first = !before || strchr("[{,", p->text[before - 1]);
	if (!key) {
		flow_items(p, class, word, indent, first, &i->text);
		return;
	}
	buf_addf(&i->text, "%s%s: [", first ? "" : ", ", word);
	flow_items(p, class, word, indent, true, &i->text);
	buf_add_char(&i->text, ']');
}

/* The start of the line behind a node's last. */
static size_t behind(const struct putting *p, const struct yaml_node *n)
{
	return line_start(p, last_line(p, n) + 1);
}

static bool has_key(const struct learn *l, enum policy_class class, const char *word)
{
	for (size_t i = 0; i < l->rule_count; i++) {
		if (is_of(l->rules[i], class, word))
			return true;
	}
	return false;
}

static int key_put(struct putting *p, const struct yaml_node *map, const struct rule_key *key)
{
	const struct yaml_node *list = yaml_get(map, key->word);
	struct insertion *i;
	unsigned indent;

	if (list && list->kind != YAML_LIST) {
		snprintf(p->why, 200, "line %u: write %s as a list, so that rules can be added to it", list->line, key->word);
		return -EOPNOTSUPP;
	}
	if (list && is_flow(p, list)) {
		into_brackets(p, list, key->class, key->word, false);
	} else if (list) {
		i = insertion_new(p, behind(p, list), RANK_ITEMS);
		if (i)
			block_items(p, key->class, key->word, indent_of_line(p, list->items[0]->line), &i->text);
	} else if (is_flow(p, map)) {
		into_brackets(p, map, key->class, key->word, true);
	} else {
		i = insertion_new(p, behind(p, map), RANK_KEY);
		indent = map->keys[0]->column - 1;
		if (i) {
			buf_addf(&i->text, "%*s%s:\n", (int)indent, "", key->word);
			block_items(p, key->class, key->word, indent + 2, &i->text);
		}
	}
	return p->d.err;
}

static int class_put(struct putting *p, const struct yaml_node *root, enum policy_class class)
{
	const struct yaml_node *map = yaml_get(root, class_table[class].word);
	struct insertion *fresh = NULL;
	int err = 0;

	for (const struct rule_key *key = rule_keys; key->word && !err; key++) {
		if (key->class != class || !has_key(p->l, class, key->word))
			continue;
		if (map && map->kind == YAML_MAP) {
			err = key_put(p, map, key);
			continue;
		}
		if (!fresh) {
			fresh = insertion_new(p, p->len, RANK_CLASS);
			if (fresh)
				buf_addf(&fresh->text, "%s:\n", class_table[class].word);
		}
		if (fresh) {
			buf_addf(&fresh->text, "  %s:\n", key->word);
			block_items(p, class, key->word, 4, &fresh->text);
		}
	}
	return err ? err : p->d.err;
}

static int insertion_order(const void *a, const void *b)
{
	const struct insertion *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->rank != y->rank ? (int)x->rank - (int)y->rank : (int)x->order - (int)y->order;
}

static void text_make(struct putting *p, struct buf *out)
{
	size_t at = 0;

	if (p->count)
		qsort(p->items, p->count, sizeof(*p->items), insertion_order);
	for (size_t i = 0; i < p->count; i++) {
		const struct insertion *it = &p->items[i];
		bool bracket = it->at < p->len && strchr("]}", p->text[it->at]);

		buf_add(out, p->text + at, it->at - at);
		at = it->at;
		if (!bracket && out->len && out->data[out->len - 1] != '\n')
			buf_add_char(out, '\n');
		if (it->text.err)
			out->err = it->text.err;
		buf_add(out, it->text.data, it->text.len);
	}
	buf_add(out, p->text + at, p->len - at);
	if (out->len && out->data[out->len - 1] != '\n')
		buf_add_char(out, '\n');
}

int learn_into(const struct learn *l, const char *text, size_t len, struct buf *out, char why[200])
{
	struct putting p = { .l = l, .text = text, .len = len, .why = why };
	struct yaml_node *root = NULL;
	struct yaml_error wrong;
	int err = yaml_parse(text, len, &root, &wrong);

	*why = '\0';
	if (!err && (root->kind != YAML_MAP || is_flow(&p, root))) {
		snprintf(why, 200, "the policy as a whole stands in brackets");
		err = -EOPNOTSUPP;
	}
	for (int i = 0; !err && i < PC_COUNT; i++)
		err = class_put(&p, root, i);
	if (!err)
		text_make(&p, out);
	for (size_t i = 0; i < p.count; i++)
		buf_done(&p.items[i].text);
	free(p.items);
	diags_done(&p.d);
	yaml_free(root);
	return err ? err : out->err;
}
