/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which values of parameters are anchors, and which patterns begin at one. Two policies that differ only in such values compile to the
 * same words, as long as nothing else that they say tells the values apart.
 */
#include "policy/nfa.h"

static size_t name_length(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

/* The parameter that a pattern begins with, by its value; NULL: none, or one that is no anchor. */
static const char *value_of(const struct policy *p, const struct pattern *pattern, const char **rest)
{
	size_t len;

	if (pattern->source[0] != '$')
		return NULL;
	len = name_length(pattern->source + 1);
	*rest = pattern->source + 1 + len;
	for (size_t i = 0; i < p->param_count; i++) {
		const struct param *param = &p->params[i];

		if (strlen(param->name) == len && !memcmp(param->name, pattern->source + 1, len))
			return param->value;
	}
	return NULL;
}

/* Is the text the value and then the rest? Whatever else a source may come to mean is a path like any other. */
static bool is_value_and_rest(const char *text, const char *value, const char *rest)
{
	size_t len = strlen(text), tail = strlen(rest);
	const char *end = text + len - tail;

	if (len < tail || strcmp(end, rest))
		return false;
	while (text < end && *value) {
		if (pattern_byte_take(&text) != (uint8_t)*value++)
			return false;
	}
	return text == end && !*value;
}

uint32_t anchor_of(const struct compiler *c, const struct pattern *pattern, const char **rest)
{
	const char *tail, *value = value_of(c->p, pattern, &tail);

	*rest = pattern->text;
	for (uint32_t i = 0; value && i < c->anchor_count; i++) {
		if (strcmp(c->anchors[i].value, value))
			continue;
		if (!is_value_and_rest(pattern->text, value, tail))
			return 0;
		*rest = tail;
		return i + 1;
	}
	return 0;
}

static bool begins_with(const struct pattern *items, size_t count, const struct param *param)
{
	size_t len = strlen(param->name);

	for (size_t i = 0; i < count; i++) {
		if (items[i].source[0] == '$' && name_length(items[i].source + 1) == len && !memcmp(items[i].source + 1, param->name, len))
			return true;
	}
	return false;
}

static bool is_used(const struct policy *p, const struct param *param)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		if (begins_with(p->rules[i]->paths, p->rules[i]->path_count, param) ||
		    begins_with(p->rules[i]->excepts, p->rules[i]->except_count, param))
			return true;
	}
	return false;
}

static bool is_known(const struct compiler *c, const char *value)
{
	for (size_t i = 0; i < c->anchor_count; i++) {
		if (!strcmp(c->anchors[i].value, value))
			return true;
	}
	return false;
}

/* In the order in which the parameters are declared, which their values do not change. "/" is where all paths begin anyway. */
void anchors_find(struct compiler *c)
{
	const struct policy *p = c->p;

	for (size_t i = 0; i < p->param_count && c->anchor_count < ANCHORS_MAX; i++) {
		const struct param *param = &p->params[i];

		if (param->type != PARAM_PATH || !param->value || !param->value[1] || is_known(c, param->value) || !is_used(p, param))
			continue;
		c->anchors[c->anchor_count++] = (struct anchor){ param->value, strlen(param->value) };
	}
}

/* ---- the block that the kernel reads ---- */

static int anchor_order(const void *a, const void *b, void *compiler)
{
	const struct compiler *c = compiler;
	const struct anchor *x = &c->anchors[*(const uint32_t *)a], *y = &c->anchors[*(const uint32_t *)b];

	return x->len != y->len ? (x->len > y->len ? -1 : 1) : strcmp(x->value, y->value);
}

static uint64_t path_hash(const struct anchor *a)
{
	uint64_t hash = PATH_HASH_START;

	for (size_t i = 0; i < a->len; i++)
		hash = (hash ^ (uint8_t)a->value[i]) * PATH_HASH_TIMES;
	return hash;
}

static void anchor_put(struct compiler *c, struct words *w, uint32_t number, const struct policy_image *img, bool last)
{
	const struct anchor *a = &c->anchors[number];
	uint64_t hash = path_hash(a);
	size_t bytes = (a->len + 7) / 8 * 2;

	words_push(c, w, a->len);
	words_push(c, w, last ? 0 : ANCHOR_BYTES + bytes);
	words_push(c, w, hash);
	words_push(c, w, hash >> 32);
	words_push(c, w, img->layout.trie_anchors[number]);
	words_push(c, w, img->layout.glob_anchors[number]);
	if (words_fill(c, w, 0, bytes))
		memcpy(w->data + w->count - bytes, a->value, a->len);
}

void anchors_put(struct compiler *c, struct policy_image *img)
{
	struct words w = {};
	uint32_t order[ANCHORS_MAX];

	for (uint32_t i = 0; i < c->anchor_count; i++)
		order[i] = i;
	qsort_r(order, c->anchor_count, sizeof(order[0]), anchor_order, c);
	for (size_t i = 0; i < c->anchor_count; i++)
		anchor_put(c, &w, order[i], img, i + 1 == c->anchor_count);
	img->anchors = w.data;
	img->anchor_words = w.count;
}
