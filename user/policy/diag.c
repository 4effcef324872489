/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about a policy text, and the growing arrays of everybody who may run out of memory while making them. */
#include <stdio.h>
#include "policy/model.h"

#define DIAGS_MAX 200	/* enough for a person; a hostile text does not fill our memory with complaints */

void diags_done(struct diags *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->items[i].file);
		free(d->items[i].text);
	}
	free(d->items);
	*d = (struct diags){};
}

/* Arrays grow when their count reaches a power of two: no capacity to carry about. */
void *vec_push(struct diags *d, void *items, size_t *count, size_t size)
{
	void **base = items, *grown;

	if (!(*count & (*count - 1))) {
		grown = reallocarray(*base, *count ? *count * 2 : 1, size);
		if (!grown) {
			d->err = -ENOMEM;
			return NULL;
		}
		*base = grown;
	}
	grown = (char *)*base + *count * size;
	memset(grown, 0, size);
	(*count)++;
	return grown;
}

char *diag_strdup(struct diags *d, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		d->err = -ENOMEM;
	return copy;
}

void diag_add(struct diags *d, bool warning, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	struct diag *item;
	char text[1024];
	va_list ap;

	if (!warning)
		d->errors++;
	if (d->count >= DIAGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	item = vec_push(d, &d->items, &d->count, sizeof(*item));
	if (!item)
		return;
	item->warning = warning;
	item->line = line;
	item->column = column;
	item->file = diag_strdup(d, file);
	item->text = diag_strdup(d, d->count == DIAGS_MAX ? "too many findings: the rest is not shown" : text);
}

int diags_add(struct diags *to, const struct diags *from)
{
	for (size_t i = 0; i < from->count; i++) {
		const struct diag *d = &from->items[i];

		diag_add(to, d->warning, d->file ? d->file : "", d->line, d->column, "%s", d->text ? d->text : "");
	}
	return to->err;
}

/* Ours first, then the presets; in the order of the text. */
static int diag_order(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;
	const char *xf = x->file ? x->file : "", *yf = y->file ? y->file : "";
	bool x_preset = !strncmp(xf, "preset:", 7), y_preset = !strncmp(yf, "preset:", 7);

	if (x_preset != y_preset)
		return x_preset - y_preset;
	if (strcmp(xf, yf))
		return strcmp(xf, yf);
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->text && y->text ? strcmp(x->text, y->text) : 0;
}

void diags_sort(struct diags *d)
{
	if (d->count > 1)
		qsort(d->items, d->count, sizeof(d->items[0]), diag_order);
}

void diags_print(const struct diags *d, struct buf *out)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct diag *item = &d->items[i];

		if (item->file)
			buf_add_terminal(out, item->file, strlen(item->file));
		if (item->line)
			buf_addf(out, ":%u:%u", item->line, item->column);
		buf_add_str(out, item->warning ? ": warning: " : ": error: ");
		if (item->text)
			buf_add_terminal(out, item->text, strlen(item->text));
		buf_add_char(out, '\n');
	}
}
