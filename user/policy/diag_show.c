/* SPDX-License-Identifier: Apache-2.0 */
/* Findings for people, as compilers show them, and for programs. The first line is what editors know how to jump from. */
#include "policy/model.h"

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_RED, COLOUR_MAGENTA, COLOUR_CYAN, COLOUR_GREEN };

struct painter {
	struct buf *out;
	bool colour;
};

static void paint(struct painter *p, enum colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "\x1b[0m", [COLOUR_BOLD] = "\x1b[1m", [COLOUR_RED] = "\x1b[1;31m", [COLOUR_MAGENTA] = "\x1b[1;35m",
		[COLOUR_CYAN] = "\x1b[1;36m", [COLOUR_GREEN] = "\x1b[1;32m",
	};

	if (p->colour)
		buf_add_str(p->out, codes[colour]);
}

static void text_show(struct painter *p, const char *text)
{
	buf_add_terminal(p->out, text ? text : "", text ? strlen(text) : 0);
}

static void quote_show(struct painter *p, const struct diag *item, enum colour colour)
{
	unsigned digits = 4;

	for (unsigned n = item->line; n > 9999; n /= 10)
		digits++;
	buf_addf(p->out, "%*u |%s%s\n%*s | %*s", digits, item->line, item->quote[0] ? " " : "", item->quote, digits, "", item->mark, "");
	paint(p, colour);
	buf_add_char(p->out, '^');
	for (unsigned i = 1; i < item->mark_width; i++)
		buf_add_char(p->out, '~');
	paint(p, COLOUR_NONE);
	buf_add_char(p->out, '\n');
}

static void item_show(struct painter *p, const struct diag *item, const char *severity, enum colour colour)
{
	paint(p, COLOUR_BOLD);
	text_show(p, item->file);
	if (item->line)
		buf_addf(p->out, ":%u:%u", item->line, item->column);
	buf_add_str(p->out, ": ");
	paint(p, colour);
	buf_addf(p->out, "%s: ", severity);
	paint(p, COLOUR_NONE);
	paint(p, COLOUR_BOLD);
	text_show(p, item->text);
	paint(p, COLOUR_NONE);
	buf_add_char(p->out, '\n');
	if (item->quote)
		quote_show(p, item, colour);
	if (!item->help)
		return;
	buf_add_str(p->out, "     ");
	paint(p, COLOUR_GREEN);
	buf_add_str(p->out, "help: ");
	paint(p, COLOUR_NONE);
	text_show(p, item->help);
	buf_add_char(p->out, '\n');
}

void diags_show(const struct diags *d, bool colour, struct buf *out)
{
	struct painter p = { .out = out, .colour = colour };

	for (size_t i = 0; i < d->count; i++) {
		const struct diag *item = &d->items[i];

		item_show(&p, item, item->warning ? "warning" : "error", item->warning ? COLOUR_MAGENTA : COLOUR_RED);
		if (item->note)
			item_show(&p, item->note, "note", COLOUR_CYAN);
	}
}

void diags_print(const struct diags *d, struct buf *out)
{
	diags_show(d, false, out);
}

static void place_json(struct json *j, const struct diag *item)
{
	json_str(j, "file", item->file);
	if (item->line) {
		json_u64(j, "line", item->line);
		json_u64(j, "column", item->column);
	}
	if (item->line && item->end_line) {
		json_u64(j, "end_line", item->end_line);
		json_u64(j, "end_column", item->end_column);
	}
	json_str(j, "text", item->text);
	json_str(j, "help", item->help);
}

void diags_json(const struct diags *d, struct json *j, const char *key)
{
	json_begin_array(j, key);
	for (size_t i = 0; i < d->count; i++) {
		const struct diag *item = &d->items[i];

		json_begin_object(j, NULL);
		json_str(j, "severity", item->warning ? "warning" : "error");
		json_str(j, "code", item->code);
		place_json(j, item);
		if (item->note) {
			json_begin_object(j, "note");
			place_json(j, item->note);
			json_end_object(j);
		}
		json_end_object(j);
	}
	json_end_array(j);
}
