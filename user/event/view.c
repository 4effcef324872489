/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the journal read back: the few fields that a terminal shows, the sequence numbers that a successor needs. A line is
 * hostile here too: the file may have been changed, so every field is optional and of any type until it was looked at.
 */
#include "event/event.h"
#include "event/fields.h"
#include <jansson.h>
#include <stdio.h>
#include <time.h>

/* NUL never occurs in what we write; a line that has one was changed, and reads up to it. */
static json_t *load(const char *line, size_t n)
{
	return json_loadb(line, n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
}

static const json_t *at(const json_t *node, const char *a, const char *b, const char *c)
{
	const char *const keys[] = { a, b, c };

	for (size_t i = 0; i < ARRAY_SIZE(keys) && keys[i]; i++)
		node = json_object_get(node, keys[i]);
	return node;
}

static const char *text_at(const json_t *root, const char *a, const char *b, const char *c)
{
	return json_string_value(at(root, a, b, c));
}

static uint64_t number_at(const json_t *root, const char *a, const char *b, const char *c)
{
	json_int_t v = json_integer_value(at(root, a, b, c));

	return v > 0 ? v : 0;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
	return a ? a : b ? b : c;
}

/* What it was about, in the order in which classes name it. */
static const char *object_of(const json_t *root)
{
	const char *file = first_of(text_at(root, "file", "path", NULL), text_at(root, "dst_endpoint", "name", NULL),
				    text_at(root, "kernel", "path", NULL));

	return first_of(file, text_at(root, "dst_endpoint", "ip", NULL), text_at(root, "process", "path", NULL));
}

static const char *verdict_of(uint64_t action)
{
	static const char *const words[] = { NULL, "allowed", "refused", "would refuse" };

	return action < ARRAY_SIZE(words) ? words[action] : NULL;
}

static void fill_subject(const json_t *root, struct event_view *v)
{
	bool process = v->kind && (!strcmp(v->kind, "exec") || !strcmp(v->kind, "exit"));
	const json_t *p = process ? at(root, "process", NULL, NULL) : at(root, "actor", "process", NULL);
	const char *path = text_at(p, "path", NULL, NULL), *slash = path ? strrchr(path, '/') : NULL;

	v->pid = number_at(p, "pid", NULL, NULL);
	v->program = slash && slash[1] ? slash + 1 : first_of(path, text_at(p, "name", NULL, NULL), NULL);
}

static void fill_sandbox(const json_t *sb, struct event_view *v)
{
	v->sandbox_uid = text_at(sb, "id", NULL, NULL);
	v->sandbox = first_of(text_at(sb, "name", NULL, NULL), v->sandbox_uid, NULL);
	v->stage = text_at(sb, "stage", NULL, NULL);
	v->operation = first_of(text_at(sb, "operation", NULL, NULL), v->kind, NULL);
	v->repeats = number_at(sb, "repeats", NULL, NULL);
	v->command = number_at(sb, "exec", NULL, NULL);
	v->call = text_at(sb, "call", NULL, NULL);
	v->rule = text_at(sb, "rule", "id", NULL);
	v->file = text_at(sb, "rule", "file", NULL);
	v->line = number_at(sb, "rule", "line", NULL);
	v->why = text_at(sb, "rule", "why", NULL);
	v->owner = text_at(sb, "rule", "owner", NULL);
}

/* What `learn` asks of a decision, besides. */
static void fill_parts(const json_t *root, struct event_view *v)
{
	v->verb = text_at(root, "unmapped", "sandbox", "verb");
	v->needs = text_at(root, "unmapped", "sandbox", "needs");
	v->arg = text_at(root, "unmapped", "sandbox", "arg");
	v->reason = text_at(root, "unmapped", "sandbox", "reason");
	v->path = first_of(text_at(root, "file", "path", NULL), text_at(root, "process", "path", NULL), text_at(root, "kernel", "path", NULL));
	v->path = first_of(v->path, v->verb ? text_at(root, "dst_endpoint", "name", NULL) : NULL, NULL);
	v->path2 = text_at(root, "file_result", "path", NULL);
	v->ip = text_at(root, "dst_endpoint", "ip", NULL);
	v->port = number_at(root, "dst_endpoint", "port", NULL);
	v->proto = number_at(root, "connection_info", "protocol_num", NULL);
	v->incoming = number_at(root, "connection_info", "direction_id", NULL) == 1;
	v->directory = number_at(root, "file", "type_id", NULL) == 2;
	v->program_path = text_at(root, "actor", "process", "path");
	v->first_ms = number_at(root, "start_time", NULL, NULL);
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t event_text_bytes(const char *text, char *out)
{
	size_t n = 0;

	while (*text) {
		int high = text[0] == '\\' && text[1] == 'x' ? hex_digit(text[2]) : -1, low = high >= 0 ? hex_digit(text[3]) : -1;

		out[n++] = low >= 0 ? high << 4 | low : *text;
		text += low >= 0 ? 4 : 1;
	}
	return n;
}

int event_view_parse(const char *line, size_t n, struct event_view *out)
{
	json_t *root = load(line, n);
	struct event_view v = { .root = root };

	if (!root)
		return -EBADMSG;
	v.uid = text_at(root, "metadata", "uid", NULL);
	v.class_uid = number_at(root, "class_uid", NULL, NULL);
	if (!v.uid || !v.class_uid) {
		json_decref(root);
		return -ENOMSG;
	}
	v.time_ms = number_at(root, "time", NULL, NULL);
	v.severity = number_at(root, "severity_id", NULL, NULL);
	v.kind = text_at(root, "metadata", "event_code", NULL);
	v.message = text_at(root, "message", NULL, NULL);
	v.object = object_of(root);
	v.status = text_at(root, "status_code", NULL, NULL);
	v.verdict = verdict_of(number_at(root, "action_id", NULL, NULL));
	fill_sandbox(at(root, "unmapped", "sandbox", NULL), &v);
	fill_subject(root, &v);
	fill_parts(root, &v);
	*out = v;
	return 0;
}

void event_view_done(struct event_view *v)
{
	json_decref(v->root);
	*v = (struct event_view){};
}

/* ---- the line for people ---- */

#define RESET "\x1b[0m"
#define DIM "\x1b[2m"
#define BOLD "\x1b[1m"

static const char *severity_colour(const struct event_view *v)
{
	static const char *const colours[] = { "", "", "\x1b[36m", "\x1b[33m", "\x1b[31m", "\x1b[31m", "\x1b[31m" };

	if (v->verdict && !strcmp(v->verdict, "refused"))
		return "\x1b[31m";
	return v->severity < ARRAY_SIZE(colours) ? colours[v->severity] : "\x1b[31m";
}

struct printer {
	struct buf *out;
	bool colour;
};

static void put(const struct printer *p, const char *style, const char *text)
{
	bool styled = p->colour && *style;

	if (styled)
		buf_add_str(p->out, style);
	buf_add_terminal(p->out, text, strlen(text));
	if (styled)
		buf_add_str(p->out, RESET);
}

static void put_time(const struct printer *p, uint64_t ms)
{
	time_t seconds = ms / 1000;
	char text[32] = "", whole[40];
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	snprintf(whole, sizeof(whole), "%s.%03u", text, (unsigned)(ms % 1000));
	put(p, DIM, whole);
	buf_add_char(p->out, ' ');
}

/* The message is the sentence for people; it ends with the rule in brackets, which is shown apart, in its own colour. */
static size_t message_length(const struct event_view *v)
{
	const char *rule = v->rule ? strstr(v->message, " (rule ") : NULL, *next;

	if (!rule)
		return strlen(v->message);
	while ((next = strstr(rule + 1, " (rule ")))
		rule = next;	/* a path may say it too: ours is the last */
	return rule - v->message;
}

/* A sentence about a sandbox as a whole names it first, ": NAME"; the line has said the name already. */
static void put_without_name(const struct printer *p, const char *text, size_t n, const char *name)
{
	const char *colon = name ? memmem(text, n, ": ", 2) : NULL;
	size_t before = colon ? colon - text : 0, len = name ? strlen(name) : 0;

	if (colon && n >= before + 2 + len && !memcmp(colon + 2, name, len) && (n == before + 2 + len || colon[2 + len] == ':')) {
		buf_add_terminal(p->out, text, before);
		text = colon + 2 + len;
		n -= before + 2 + len;
	}
	buf_add_terminal(p->out, text, n);
}

static void put_message(const struct printer *p, const struct event_view *v)
{
	size_t n = message_length(v), verdict = v->verdict ? strlen(v->verdict) : 0;
	const char *m = v->message;

	if (verdict && n > verdict && !strncmp(m, v->verdict, verdict) && m[verdict] == ':') {
		put(p, severity_colour(v), v->verdict);
		m += verdict;
		n -= verdict;
	}
	put_without_name(p, m, n, v->verdict || v->pid ? NULL : v->sandbox);
	if (v->pid)
		buf_addf(p->out, "[%llu]", (unsigned long long)v->pid);
}

static void put_rule(const struct printer *p, const struct event_view *v)
{
	char place[300];

	if (!v->rule || !v->verdict || !strcmp(v->verdict, "allowed"))
		return;
	buf_add_str(p->out, "  ");
	put(p, BOLD, v->rule);
	if (v->file) {
		snprintf(place, sizeof(place), " %.250s:%u", v->file, v->line);
		put(p, "", place);
	} else if (!strncmp(v->rule, "guard.", 6)) {
		buf_add_str(p->out, " built-in");	/* no policy's line can change it */
	}
	if (v->why) {
		buf_add_str(p->out, " ");
		put(p, DIM, v->why);
	}
}

void event_print_line(const struct event_view *v, bool colour, struct buf *out)
{
	struct printer p = { out, colour };

	put_time(&p, v->time_ms);
	if (v->sandbox) {
		put(&p, "\x1b[35m", v->sandbox);
		buf_add_char(out, ' ');
	}
	if (v->message)
		put_message(&p, v);
	put_rule(&p, v);
	if (v->repeats)
		buf_addf(out, "  (and %llu more)", (unsigned long long)v->repeats);
	buf_add_char(out, '\n');
}

/* ---- sequence numbers ---- */

static uint64_t item(const json_t *array, size_t i)
{
	json_int_t v = json_integer_value(json_array_get(array, i));

	return v > 0 ? v : 0;
}

static void walk_streams(const json_t *streams, event_seq_fn fn, void *ctx)
{
	for (size_t i = 0; i < json_array_size(streams); i++) {
		const json_t *s = json_array_get(streams, i);
		uint32_t ring = item(s, 0), cpu = item(s, 1);

		if (json_array_size(s) < 3 || ring >= RING_COUNT)
			continue;
		fn(ctx, EVENT_SEQ_STREAM, ring, cpu, item(s, 2), item(s, 2));
		for (size_t k = 3; k < json_array_size(s); k++) {
			const json_t *hole = json_array_get(s, k);

			fn(ctx, EVENT_SEQ_HOLE, ring, cpu, item(hole, 0), item(hole, 1));
		}
	}
}

static int walk(const json_t *root, event_seq_fn fn, void *ctx, bool *heartbeat, char boot[40])
{
	const json_t *sb = at(root, "unmapped", "sandbox", NULL), *seq = at(sb, "seq", NULL, NULL), *gap = at(sb, "gap", NULL, NULL);
	const char *code = text_at(root, "metadata", "event_code", NULL);

	*heartbeat = false;
	if (!code)
		return -ENOMSG;
	if (seq) {
		uint64_t n = number_at(seq, "n", NULL, NULL);

		fn(ctx, EVENT_SEQ_RECORD, number_at(seq, "ring", NULL, NULL), number_at(seq, "cpu", NULL, NULL), n, n);
		return 0;
	}
	if (!strcmp(code, "gap") && gap) {
		fn(ctx, EVENT_SEQ_GAP, number_at(gap, "ring", NULL, NULL), number_at(gap, "cpu", NULL, NULL), number_at(gap, "first", NULL, NULL),
		   number_at(gap, "last", NULL, NULL));
		return 0;
	}
	if (strcmp(code, "heartbeat"))
		return -ENOMSG;
	*heartbeat = true;
	snprintf(boot, 40, "%s", first_of(text_at(root, "device", "boot_uid", NULL), "", NULL));
	walk_streams(at(sb, "streams", NULL, NULL), fn, ctx);
	return 0;
}

int event_seq_walk(const char *line, size_t n, event_seq_fn fn, void *ctx, bool *heartbeat, char boot[40])
{
	json_t *root = load(line, n);
	int err;

	if (!root)
		return -EBADMSG;
	err = walk(root, fn, ctx, heartbeat, boot);
	json_decref(root);
	return err;
}
