/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of verdicts, each distinct one once, and what the parts of the compiler share: failing, and growing words. */
#include <stdio.h>
#include "policy/compile.h"

bool compile_fail(struct compiler *c, int err)
{
	if (!c->err)
		c->err = err;
	if (err == -ENOMEM)
		c->d->err = err;
	return false;
}

bool compile_too_big(struct compiler *c, const struct rule *rule, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!c->err && rule)
		diag_at(c->d, false, PLACE(rule->file, rule), CODE("too-big") "%s", text);
	else if (!c->err)
		diag_at(c->d, false, (struct text_place){ .file = c->p->files[0] }, CODE("too-big") "%s", text);
	policy_quote(c->p, c->d);
	return compile_fail(c, -E2BIG);
}

bool words_fill(struct compiler *c, struct words *w, uint32_t word, size_t count)
{
	size_t cap = w->cap ? w->cap : 4096;
	uint32_t *data;

	if (c->err)
		return false;
	if (count > IMAGE_WORDS_MAX - w->count)
		return compile_too_big(c, NULL, "the compiled policy is larger than %u MiB: fewer or shorter rules are needed",
				       IMAGE_WORDS_MAX >> 18);
	while (cap - w->count < count)
		cap *= 2;
	if (cap != w->cap) {
		data = reallocarray(w->data, cap, sizeof(*data));
		if (!data)
			return compile_fail(c, -ENOMEM);
		w->data = data;
		w->cap = cap;
	}
	for (size_t i = 0; i < count; i++)
		w->data[w->count++] = word;
	return true;
}

bool words_push(struct compiler *c, struct words *w, uint32_t word)
{
	return words_fill(c, w, word, 1);
}

struct row row_none(void)
{
	struct row row;

	memset(&row, 0xff, sizeof(row));
	return row;
}

struct row row_of_deny(uint32_t number, uint32_t verbs)
{
	struct row row = row_none();

	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (verbs & 1u << v)
			row.deny[v] = number;
	}
	return row;
}

struct row row_of_rule(uint32_t number, const struct rule *rule)
{
	struct row row = row_none();

	if (rule->deny)
		return row_of_deny(number, rule->verbs);
	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (!(rule->verbs & 1u << v))
			continue;
		row.allow[v] = number;
		row.deny[v] = rule->record_required ? CELL_RECORD : CELL_NONE;
	}
	return row;
}

void row_merge(struct row *into, const struct row *more)
{
	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (more->deny[v] < into->deny[v])
			into->deny[v] = more->deny[v];
		if (more->allow[v] < into->allow[v])
			into->allow[v] = more->allow[v];
	}
}

uint32_t row_index(struct compiler *c, struct row row)
{
	uint32_t index = ROW_EMPTY;

	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (row.deny[v] < CELL_RECORD)
			row.allow[v] = CELL_NONE;
	}
	if (intern_add(&c->rows, &row, sizeof(row), &index))
		compile_fail(c, -ENOMEM);
	return index;
}

struct row row_get(const struct compiler *c, uint32_t index)
{
	struct row row;

	memcpy(&row, intern_get(&c->rows, index, NULL), sizeof(row));
	return row;
}

uint32_t row_union(struct compiler *c, uint32_t a, uint32_t b)
{
	struct row row, more;

	if (a == b || b == ROW_EMPTY)
		return a;
	row = row_get(c, a);
	more = row_get(c, b);
	row_merge(&row, &more);
	return row_index(c, row);
}
