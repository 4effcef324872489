/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lines that findings quote: found by number, made safe for a terminal, cut around the words that are meant. Done while the text is
 * at hand, so that a finding can be shown anywhere. Text is hostile: what one finding costs is bounded whatever the line's length.
 */
#include "base/yaml.h"
#include "policy/model.h"

#define QUOTE_COLUMNS 110	/* of a line that are shown */
#define QUOTE_BEFORE 50		/* characters before the words that are meant, where the line has to be cut */
#define COLUMN_MAX 65536	/* behind that a line is not quoted: nobody reads it, and finding the place costs */

struct lines {
	const char *text;
	size_t len, count;
	size_t *starts;
};

static void lines_find(struct lines *all, struct diags *d)
{
	size_t *first = vec_push(d, &all->starts, &all->count, sizeof(*first)), n;

	if (first)
		*first = yaml_bom(all->text, all->len);
	for (size_t at = 0; first && at < all->len; at += n ? n : 1) {
		n = yaml_line_break(all->text + at, all->len - at);
		if (!n)
			continue;
		first = vec_push(d, &all->starts, &all->count, sizeof(*first));
		if (first)
			*first = at + n;
	}
}

/* A line as it is walked over: bytes left, the character that comes next. */
struct walk {
	const char *at;
	size_t left;
	unsigned column;	/* of the next character, from 1 */
	unsigned shown;		/* columns so far */
};

static bool walk_ended(const struct walk *w)
{
	return !w->left || yaml_line_break(w->at, w->left);
}

static void walk_step(struct walk *w, struct buf *out)
{
	unsigned columns, n = buf_add_terminal_char(out, w->at, w->left, &columns);

	w->at += n;
	w->left -= n;
	w->column++;
	w->shown += columns;
}

/* Where the quote starts: at the line's start, unless it is long and the words are far in. */
static bool walk_begin(struct walk *w, const struct lines *all, const struct diag *item, bool *cut)
{
	unsigned from = item->column > QUOTE_BEFORE ? item->column - QUOTE_BEFORE : 1;
	struct walk whole;

	*w = (struct walk){ .at = all->text + all->starts[item->line - 1], .column = 1 };
	w->left = all->len - (w->at - all->text);
	if (item->column > COLUMN_MAX)
		return false;
	for (whole = *w; !walk_ended(&whole) && whole.shown <= QUOTE_COLUMNS;)
		walk_step(&whole, NULL);
	*cut = !walk_ended(&whole) && from > 1;
	while (*cut && w->column < from && !walk_ended(w))
		walk_step(w, NULL);
	w->shown = 0;
	return true;
}

/* Of a finding without an end: up to what ends a word in YAML. */
static bool word_ends(const struct walk *w)
{
	return walk_ended(w) || strchr(" \t,]}#", *w->at);
}

/* Is the next character still one of those that are meant? */
static bool is_marked(const struct walk *w, const struct diag *item)
{
	if (w->column < item->column || walk_ended(w))
		return false;
	if (!item->end_line)
		return !word_ends(w);
	return item->end_line > item->line || w->column < item->end_column;
}

static void quote_words(struct walk *w, struct diag *item, struct buf *out)
{
	bool marking = true;

	item->mark = item->mark_width = 0;
	while (!walk_ended(w) && w->shown < QUOTE_COLUMNS) {
		bool blank = *w->at == ' ' || *w->at == '\t';

		if (w->column == item->column)
			item->mark = w->shown;
		marking &= w->column < item->column || is_marked(w, item);
		walk_step(w, out);
		if (marking && w->column > item->column && !blank)
			item->mark_width = w->shown - item->mark;
	}
	if (w->column <= item->column)
		item->mark = w->shown;	/* behind the last character: something is missing there */
	if (!item->mark_width)
		item->mark_width = 1;
}

static int quote(struct diag *item, const struct lines *all)
{
	_buf_ struct buf out = {};
	struct walk w;
	bool cut;

	if (!item->line || item->line > all->count || !walk_begin(&w, all, item, &cut))
		return 0;
	if (cut)
		buf_add_str(&out, "...");
	quote_words(&w, item, &out);
	if (cut)
		item->mark += 3;
	if (!walk_ended(&w))
		buf_add_str(&out, "...");
	buf_add(&out, "", 0);
	while (out.len && out.data[out.len - 1] == ' ')
		out.data[--out.len] = '\0';
	item->quote = out.err ? NULL : steal(&out.data);
	return out.err;
}

static unsigned characters(const char *s, size_t n)
{
	unsigned count = 0, columns;

	for (size_t i = 0; i < n; count++)
		i += buf_add_terminal_char(NULL, s + i, n - i, &columns);
	return count;
}

struct text_place place_part(const char *file, const struct yaml_node *n, size_t from, size_t bytes)
{
	struct text_place at = PLACE(file, n);
	unsigned quotes = n->quoted;

	if (n->kind != YAML_SCALAR || n->line != n->end_line || from + bytes > n->len ||
	    characters(n->text, n->len) + 2 * quotes != n->end_column - n->column)
		return at;
	at.column += quotes + characters(n->text, from);
	at.end_column = at.column + characters(n->text + from, bytes);
	return at;
}

static bool wants_quote(const struct diag *item, const char *file)
{
	return item->line && !item->quote && item->file && !strcmp(item->file, file);
}

void diags_quote(struct diags *d, const char *file, const char *text, size_t len)
{
	_free_ size_t *starts = NULL;
	struct lines all = { .text = text, .len = len };
	int err = 0;

	if (!d->count || !len)
		return;
	lines_find(&all, d);
	starts = all.starts;
	for (size_t i = 0; i < d->count && !d->err; i++) {
		struct diag *item = &d->items[i];

		if (wants_quote(item, file))
			err = quote(item, &all);
		if (!err && item->note && wants_quote(item->note, file))
			err = quote(item->note, &all);
		if (err)
			d->err = err;
	}
}
