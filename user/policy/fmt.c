/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's text in one layout, with its remarks. The YAML library says where each value stands; what is between them is dashes, colons,
 * brackets, commas, remarks and blanks, and only the blanks are ours to change: lines stay lines, values and remarks stay bytes. What
 * comes out is read again, and has to be the same tree.
 */
#include "base/yaml.h"
#include "policy/policy.h"

#define STEP 2		/* of indentation */
#define FLOW_MAX 16	/* YAML_MAX_DEPTH */

enum token_kind { TOKEN_VALUE, TOKEN_MARK, TOKEN_REMARK };
struct token {
	enum token_kind kind;
	size_t start, end;	/* bytes of the text */
	unsigned line, end_line, column;	/* column: in bytes, from 0 */
	int target;		/* first of its line in block style: the column that it belongs to; -1: not known */
};
struct layout {
	const char *text;
	size_t len;
	size_t *lines;		/* where each begins; one more than there are */
	size_t line_count;
	struct token *tokens;
	size_t count;
	struct buf *out;
	int err;
};

static void layout_done(struct layout *l)
{
	free(l->lines);
	free(l->tokens);
}

/* ---- places ---- */

/* YAML also ends a line at a carriage return alone, and at three characters that look like blanks; no editor writes those. */
static int lines_find(struct layout *l)
{
	size_t n = 1, ends;

	for (size_t i = 0; i < l->len; i += ends ? ends : 1) {
		ends = yaml_line_break(l->text + i, l->len - i);
		if (ends && l->text[i + ends - 1] != '\n')
			return -EOPNOTSUPP;
		n += !!ends;
	}
	l->lines = calloc(n + 1, sizeof(*l->lines));
	if (!l->lines)
		return -ENOMEM;
	l->line_count = 1;
	for (size_t i = 0; i < l->len; i++) {
		if (l->text[i] == '\n')
			l->lines[l->line_count++] = i + 1;
	}
	l->lines[l->line_count] = l->len;
	return 0;
}

/* The byte of a place that is counted in characters, from 1. */
static size_t byte_at(const struct layout *l, unsigned line, unsigned column)
{
	size_t at = line - 1 < l->line_count ? l->lines[line - 1] : l->len;

	for (unsigned i = 1; i < column && at < l->len; i++) {
		at++;
		while (at < l->len && ((unsigned char)l->text[at] & 0xc0) == 0x80)
			at++;
	}
	return at;
}

static struct token *token_add(struct layout *l, enum token_kind kind, size_t start, size_t end, unsigned line)
{
	struct token *grown, *t;

	if (line > l->line_count) {
		l->err = -EOPNOTSUPP;
		return NULL;
	}
	if (!(l->count & (l->count - 1))) {
		grown = reallocarray(l->tokens, l->count ? l->count * 2 : 1, sizeof(*grown));
		if (!grown) {
			l->err = -ENOMEM;
			return NULL;
		}
		l->tokens = grown;
	}
	t = &l->tokens[l->count++];
	*t = (struct token){ kind, start, end, line, line, start - l->lines[line - 1], -1 };
	return t;
}

/* What lies between two values. */
static void gap_read(struct layout *l, size_t from, size_t to, unsigned line)
{
	for (size_t i = from; i < to && !l->err; i++) {
		char c = l->text[i];
		size_t end = i + 1;

		if (c == '\n')
			line++;
		if (strchr(" \t\r\n", c))
			continue;
		if (c == '#') {
			while (end < to && l->text[end] != '\n')
				end++;
			while (end > i && strchr(" \t\r", l->text[end - 1]))
				end--;
			(void)token_add(l, TOKEN_REMARK, i, end, line);
			i = end - 1;
		} else if (strchr("-:,[]{}", c)) {
			(void)token_add(l, TOKEN_MARK, i, end, line);
		} else {
			l->err = -EOPNOTSUPP;	/* "?", "%", "---" with more: nothing that a policy needs */
		}
	}
}

/* ---- the tree, in the order of the text ---- */

struct walk {
	size_t at;		/* the byte behind the last value */
	unsigned line;		/* its line */
};

static void mark_target(struct layout *l, size_t from_token, char mark, int target)
{
	for (size_t i = from_token; i < l->count; i++) {
		if (l->tokens[i].kind == TOKEN_MARK && l->text[l->tokens[i].start] == mark && l->tokens[i].target < 0) {
			l->tokens[i].target = target;
			return;
		}
	}
}

static void value_read(struct layout *l, struct walk *w, const struct yaml_node *n, int target)
{
	size_t start = byte_at(l, n->line, n->column), end = byte_at(l, n->end_line, n->end_column);
	unsigned end_line = n->end_line;
	struct token *t;

	if (l->err)
		return;
	for (; end > start && strchr(" \t\r\n", l->text[end - 1]); end--)	/* of a text in lines ("|"): up to what follows */
		end_line -= l->text[end - 1] == '\n';
	if (start < w->at || end < start) {
		l->err = -EOPNOTSUPP;
		return;
	}
	gap_read(l, w->at, start, w->line);
	t = end > start ? token_add(l, TOKEN_VALUE, start, end, n->line) : NULL;
	if (t) {
		t->end_line = end_line;
		t->target = target;
	}
	w->at = end;
	w->line = end_line;
}

static bool is_flow(const struct layout *l, const struct yaml_node *n)
{
	char c = l->text[byte_at(l, n->line, n->column)];

	return c == '[' || c == '{';
}

/* column: where the lines of this node start; -1 in flow style, which has no columns of its own. */
static void node_read(struct layout *l, struct walk *w, const struct yaml_node *n, int column)
{
	size_t start = byte_at(l, n->line, n->column);
	bool flow = n->kind != YAML_SCALAR && is_flow(l, n);
	size_t first;

	if (n->kind == YAML_SCALAR) {
		value_read(l, w, n, column);
		return;
	}
	if (flow) {
		first = l->count;
		gap_read(l, w->at, start + 1, w->line);	/* with the bracket, which may begin its line */
		if (!l->err)
			mark_target(l, first, l->text[start], column);
		w->at = start + 1;
		w->line = n->line;
	}
	for (size_t i = 0; i < n->count && !l->err; i++) {
		int inner = flow ? -1 : column;

		first = l->count;
		if (n->keys)
			value_read(l, w, n->keys[i], inner);
		node_read(l, w, n->items[i], flow ? -1 : column + STEP);
		if (!n->keys && !flow)
			mark_target(l, first, '-', column);
	}
	if (flow && !l->err) {
		size_t end = byte_at(l, n->end_line, n->end_column);

		gap_read(l, w->at, end, w->line);
		w->at = end;
		w->line = n->end_line;
	}
}

/* ---- the text again ---- */

struct pen {
	int flow[FLOW_MAX];	/* the column that lines inside each open bracket start at */
	int flow_close[FLOW_MAX];	/* and the line that begins with its end */
	int depth;
	int indent;		/* of the line */
	size_t line_start;	/* in out */
};

static char mark_of(const struct layout *l, const struct token *t)
{
	return t->kind == TOKEN_MARK ? l->text[t->start] : '\0';
}

/* Between two tokens of a line. */
static const char *blank_between(const struct layout *l, const struct token *a, const struct token *b)
{
	char before = mark_of(l, a), after = mark_of(l, b);

	if (b->kind == TOKEN_REMARK)
		return "  ";
	if (before == '[' || before == '{' || after == ']' || after == '}' || after == ',' || after == ':')
		return "";
	return " ";
}

/* A remark on a line of its own goes with what follows it, or with what stands before it if it was written under that. */
static int remark_column(const struct layout *l, size_t i, int previous_target, unsigned previous_column, const struct pen *pen)
{
	size_t next = i;

	if (pen->depth)
		return pen->flow[pen->depth - 1];
	while (next < l->count && l->tokens[next].kind == TOKEN_REMARK)
		next++;
	if (next == l->count)
		return l->tokens[i].column ? previous_target : 0;
	if (l->tokens[next].column != l->tokens[i].column && previous_column == l->tokens[i].column && previous_target >= 0)
		return previous_target;
	return l->tokens[next].target < 0 ? (int)l->tokens[i].column : l->tokens[next].target;
}

static int line_column(const struct layout *l, const struct token *t, const struct pen *pen)
{
	char mark = mark_of(l, t);

	if (pen->depth)
		return mark == ']' || mark == '}' ? pen->flow_close[pen->depth - 1] : pen->flow[pen->depth - 1];
	return t->target < 0 ? (int)t->column : t->target;
}

static void brackets_follow(struct layout *l, struct pen *pen, size_t i)
{
	char mark = mark_of(l, &l->tokens[i]);
	bool last = i + 1 == l->count || l->tokens[i + 1].line != l->tokens[i].line;
	int column = l->out->len - pen->line_start;

	if ((mark == '[' || mark == '{') && pen->depth < FLOW_MAX) {
		pen->flow[pen->depth] = last ? pen->indent + STEP : column;
		pen->flow_close[pen->depth] = last ? pen->indent : column;
		pen->depth++;
	} else if ((mark == ']' || mark == '}') && pen->depth) {
		pen->depth--;
	}
}

static void text_write(struct layout *l)
{
	struct pen pen = {};
	int previous_target = 0;
	unsigned previous_column = 0;

	for (size_t i = 0; l->tokens && i < l->count; i++) {
		const struct token *t = &l->tokens[i], *before = i ? t - 1 : NULL;

		if (!before || t->line != before->end_line) {
			if (before)
				buf_add_str(l->out, t->line > before->end_line + 1 ? "\n\n" : "\n");
			pen.line_start = l->out->len;
			pen.indent = t->kind == TOKEN_REMARK ? remark_column(l, i, previous_target, previous_column, &pen) : line_column(l, t, &pen);
			if (t->kind != TOKEN_REMARK && !pen.depth) {
				previous_target = pen.indent;
				previous_column = t->column;
			}
			for (int k = 0; k < pen.indent; k++)
				buf_add_char(l->out, ' ');
		} else {
			buf_add_str(l->out, blank_between(l, before, t));
		}
		buf_add(l->out, l->text + t->start, t->end - t->start);
		brackets_follow(l, &pen, i);
	}
	buf_add_char(l->out, '\n');
}

static bool tree_equal(const struct yaml_node *a, const struct yaml_node *b)
{
	if (a->kind != b->kind || a->count != b->count || (a->kind == YAML_SCALAR && (a->quoted != b->quoted || strcmp(a->text, b->text))))
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if ((a->keys && !tree_equal(a->keys[i], b->keys[i])) || !tree_equal(a->items[i], b->items[i]))
			return false;
	}
	return true;
}

static int result_check(const struct yaml_node *tree, const struct buf *out)
{
	struct yaml_error ignored;
	struct yaml_node *again = NULL;
	int err = yaml_parse(out->data, out->len, &again, &ignored);

	if (!err && !tree_equal(tree, again))
		err = -EOPNOTSUPP;
	yaml_free(again);
	return err == -EBADMSG ? -EOPNOTSUPP : err;
}

int policy_format(const char *text, size_t len, struct buf *out, unsigned *line, char why[200])
{
	_cleanup_(layout_done) struct layout l = { .text = text, .len = len, .out = out };
	struct yaml_error error = {};
	struct yaml_node *tree = NULL;
	struct walk w = { .line = 1 };
	int err = yaml_parse(text, len, &tree, &error);

	*line = error.line;
	memcpy(why, error.text, sizeof(error.text));
	if (err)
		return err;
	err = lines_find(&l);
	if (!err) {
		node_read(&l, &w, tree, 0);
		if (!l.err)
			gap_read(&l, w.at, len, w.line);
		err = l.err;
	}
	if (!err) {
		text_write(&l);
		err = out->err ? out->err : result_check(tree, out);
	}
	yaml_free(tree);
	return err;
}
