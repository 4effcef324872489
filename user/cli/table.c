/* SPDX-License-Identifier: Apache-2.0 */
/* Lists. Widths count characters as the terminal shows them: what is escaped is ASCII, what is not counts by code point. */
#include <stdio.h>
#include <time.h>
#include "cli/table.h"

#define COLUMNS_MAX 16

static int cell_text(const struct kv *row, const struct table_column *c, struct buf *out)
{
	const struct kv_pair *p = kv_find(row, c->key, NULL);
	uint64_t ms;
	struct tm tm;
	time_t t;
	char text[32];

	buf_reset(out);
	if (c->kind == COLUMN_TIME && !kv_get_u64(row, c->key, &ms)) {
		t = ms / 1000;
		if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%F %T", &tm))
			buf_add_str(out, text);
		return out->err;
	}
	if (p && p->value_len)
		buf_add_terminal(out, p->value, p->value_len);
	else
		buf_add_char(out, '-');
	return out->err;
}

static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static void pad(struct buf *out, size_t n)
{
	while (n--)
		buf_add_char(out, ' ');
}

struct sheet {
	const struct table_column *columns;
	size_t count, widths[COLUMNS_MAX];
	struct buf cell;
};

static int measure(struct sheet *s, const struct kv *row)
{
	for (size_t i = 0; i < s->count; i++) {
		int err = cell_text(row, &s->columns[i], &s->cell);

		if (err)
			return err;
		if (width(s->cell.data) > s->widths[i])
			s->widths[i] = width(s->cell.data);
	}
	return 0;
}

static void print_cell(struct sheet *s, size_t i, const char *text, struct buf *out)
{
	size_t fill = s->widths[i] - width(text);
	bool right = s->columns[i].kind == COLUMN_NUMBER, last = i + 1 == s->count;

	if (right)
		pad(out, fill);
	buf_add_str(out, text);
	if (!right && !last)
		pad(out, fill);
	buf_add_str(out, last ? "\n" : "  ");
}

static int print_row(struct sheet *s, const struct kv *row, struct buf *out)
{
	for (size_t i = 0; i < s->count; i++) {
		int err = cell_text(row, &s->columns[i], &s->cell);

		if (err)
			return err;
		print_cell(s, i, s->cell.data, out);
	}
	return out->err;
}

static int each_row(const struct kv *m, const char *key, int (*fn)(void *ctx, const struct kv *row), void *ctx)
{
	for (const struct kv_pair *p = kv_find(m, key, NULL); p; p = kv_find(m, key, p)) {
		struct kv row;
		int err = kv_parse(p->value, p->value_len, &row);

		if (err)
			return err;
		err = fn(ctx, &row);
		kv_done(&row);
		if (err)
			return err;
	}
	return 0;
}

static int measure_fn(void *ctx, const struct kv *row)
{
	return measure(ctx, row);
}

struct printing {
	struct sheet *sheet;
	struct buf *out;
};

static int print_fn(void *ctx, const struct kv *row)
{
	struct printing *p = ctx;

	return print_row(p->sheet, row, p->out);
}

int table_print(const struct kv *m, const char *key, const struct table_column *columns, size_t count, struct buf *out)
{
	struct table_column shown[COLUMNS_MAX];
	struct sheet s = { .columns = shown };
	struct printing p = { &s, out };
	int err;

	for (size_t i = 0; i < count && s.count < COLUMNS_MAX; i++) {
		if (!columns[i].title)
			continue;
		s.widths[s.count] = width(columns[i].title);
		shown[s.count++] = columns[i];
	}
	err = each_row(m, key, measure_fn, &s);
	for (size_t i = 0; i < s.count && !err; i++)
		print_cell(&s, i, shown[i].title, out);
	if (!err)
		err = each_row(m, key, print_fn, &p);
	buf_done(&s.cell);
	return err ? err : out->err;
}

struct writing {
	struct json *j;
	const struct table_column *columns;
	size_t count;
};

static void write_field(struct json *j, const struct table_column *c, const struct kv *row)
{
	const struct kv_pair *p = kv_find(row, c->key, NULL);
	uint64_t v;

	if (!p)
		return;
	if (c->kind == COLUMN_BOOL)
		json_bool(j, c->key, p->value_len == 1 && p->value[0] == '1');
	else if (c->kind != COLUMN_TEXT && !kv_get_u64(row, c->key, &v))
		json_u64(j, c->key, v);
	else
		json_strn(j, c->key, p->value, p->value_len);
}

static int write_fn(void *ctx, const struct kv *row)
{
	struct writing *w = ctx;

	json_begin_object(w->j, NULL);
	for (size_t i = 0; i < w->count; i++)
		write_field(w->j, &w->columns[i], row);
	json_end_object(w->j);
	return w->j->b->err;
}

int table_json(const struct kv *m, const char *key, const struct table_column *columns, size_t count, struct json *j)
{
	struct writing w = { j, columns, count };

	return each_row(m, key, write_fn, &w);
}
