/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings about a policy text, as they are collected; diag_print.c shows them. And the growing arrays of everybody who may run out of
 * memory while making them.
 */
#include <stdio.h>
#include "policy/model.h"

#define DIAGS_MAX 200	/* enough for a person; a hostile text does not fill our memory with complaints */

static void diag_done(struct diag *d)
{
	if (d->note)
		diag_done(d->note);
	free(d->note);
	free(d->file);
	free(d->text);
	free(d->help);
	free(d->quote);
}

void diags_done(struct diags *d)
{
	for (size_t i = 0; i < d->count; i++)
		diag_done(&d->items[i]);
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

/* ---- one finding ---- */

/* "code\xfetext\xffhelp": neither byte occurs in UTF-8, so that nothing an author wrote can be taken for them. */
static void text_split(struct diags *d, struct diag *item, char *all)
{
	char *text = strpbrk(all, CODE("")), *help = strpbrk(all, HELP);

	if (help)
		*help++ = '\0';
	if (text && (!help || text < help)) {
		*text++ = '\0';
		snprintf(item->code, sizeof(item->code), "%s", all);
	} else {
		text = all;
	}
	item->text = diag_strdup(d, text);
	if (help)
		item->help = diag_strdup(d, help);
}

static void diag_fill(struct diags *d, struct diag *item, const struct text_place *at, char *text)
{
	item->file = diag_strdup(d, at->file);
	item->line = at->line;
	item->column = at->column;
	item->end_line = at->end_line;
	item->end_column = at->end_column;
	text_split(d, item, text);
}

void diag_vat(struct diags *d, bool warning, struct text_place at, const char *fmt, va_list ap)
{
	struct diag *item;
	char text[2048];

	if (!warning)
		d->errors++;
	if (d->count >= DIAGS_MAX)
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	item = vec_push(d, &d->items, &d->count, sizeof(*item));
	if (!item)
		return;
	item->warning = warning;
	if (d->count == DIAGS_MAX)
		snprintf(text, sizeof(text), CODE("too-many") "too many findings: the rest is not shown");
	diag_fill(d, item, &at, text);
}

void diag_at(struct diags *d, bool warning, struct text_place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	diag_vat(d, warning, at, fmt, ap);
	va_end(ap);
}

void diag_add(struct diags *d, bool warning, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	struct text_place at = { .file = file, .line = line, .column = column };
	va_list ap;

	va_start(ap, fmt);
	diag_vat(d, warning, at, fmt, ap);
	va_end(ap);
}

void diag_note(struct diags *d, struct text_place at, const char *fmt, ...)
{
	struct diag *last = d->count ? &d->items[d->count - 1] : NULL;
	char text[512];
	va_list ap;

	if (!last || last->note || d->count == DIAGS_MAX)
		return;
	last->note = calloc(1, sizeof(*last->note));
	if (!last->note) {
		d->err = -ENOMEM;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_fill(d, last->note, &at, text);
}

/* ---- many ---- */

static bool copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return *to || !from;
}

static bool diag_copy(struct diag *to, const struct diag *from)
{
	bool good;

	*to = *from;
	to->note = NULL;
	good = copy_text(&to->file, from->file);	/* each, also behind a failure: none may stay the other's */
	good &= copy_text(&to->text, from->text);
	good &= copy_text(&to->help, from->help);
	good &= copy_text(&to->quote, from->quote);
	if (!from->note || !good)
		return good;
	to->note = calloc(1, sizeof(*to->note));
	return to->note && diag_copy(to->note, from->note);
}

int diags_add(struct diags *to, const struct diags *from)
{
	to->errors += from->errors;
	for (size_t i = 0; i < from->count && to->count < DIAGS_MAX; i++) {
		struct diag *item = vec_push(to, &to->items, &to->count, sizeof(*item));

		if (item && !diag_copy(item, &from->items[i]))
			to->err = -ENOMEM;
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
