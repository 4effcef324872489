/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datadog's log intake, version 2: an array of logs, each {ddsource, service, hostname, message, status, timestamp, ocsf: the journal's line as it
 * is, bailiff: {id, seq, head?, late?, time?}}. 202 means accepted; it says nothing of a single log. What is older than 18 hours the intake would
 * not take at its time: then `timestamp` is the time of sending, and bailiff.late and bailiff.time say so.
 */
#include <jansson.h>
#include <stdio.h>
#include <time.h>
#include "sink/web.h"

#define PATH "/api/v2/logs"
#define LATE_MS (17ull * 3600 * 1000)
#define BATCH_END "}}]"
#define MESSAGE_BYTES 8192

struct datadog {
	struct web web;
	char url[WEB_URL_MAX + sizeof(PATH)];
	struct buf common;	/* what is the same in all logs, without braces, a comma at the end */
};

static void datadog_close(void *d)
{
	struct datadog *h = d;

	if (!h)
		return;
	web_close(&h->web);
	buf_done(&h->common);
	free(h);
}

static int common_build(struct datadog *h, const struct sink_options *o)
{
	_buf_ struct buf b = {};
	struct json j;

	json_init(&j, &b);
	json_begin_object(&j, NULL);
	json_str(&j, "ddsource", "bailiff");
	json_str(&j, "service", o->source && *o->source ? o->source : "bailiff");
	json_str(&j, "hostname", o->host && *o->host ? o->host : NULL);
	json_end_object(&j);
	if (b.err)
		return b.err;
	buf_add(&h->common, b.data + 1, b.len - 2);
	buf_add_char(&h->common, ',');
	return h->common.err;
}

/* "https://http-intake.logs.datadoghq.eu", with or without the path. */
static int url_build(struct datadog *h, const char *url, const char **why)
{
	size_t n = strlen(url), path = strlen(PATH);
	const char *host;
	int err = web_url_check(url, &host, why);

	if (err)
		return err;
	if (strchr(url, '?'))
		return *why = "url must be https://http-intake.logs.SITE, without a query: the key comes from token_file", -EINVAL;
	while (n && url[n - 1] == '/')
		n--;
	snprintf(h->url, sizeof(h->url), "%.*s%s", (int)n, url, n > path && !memcmp(url + n - path, PATH, path) ? "" : PATH);
	return 0;
}

static int setup(struct datadog *h, const struct sink_options *o, const _Atomic bool *abort, const char **why)
{
	int err;

	if (!o->url || !o->token_file || !*o->token_file)
		return *why = "a Datadog sink needs url and token_file (the API key)", -EINVAL;
	err = url_build(h, o->url, why);
	if (!err)
		err = common_build(h, o);
	return err ? err : web_open(&h->web, o, abort);
}

static int datadog_open(const struct sink_options *o, const _Atomic bool *abort, void **out, const char **why)
{
	struct datadog *h = calloc(1, sizeof(*h));
	int err = h ? setup(h, o, abort, why) : -ENOMEM;

	if (err)
		datadog_close(h);
	else
		*out = h;
	return err;
}

/* ---- events ---- */

/* OCSF's severity_id in Datadog's words. */
static const char *status_word(uint64_t severity)
{
	static const char *const words[] = { "info", "info", "notice", "warning", "error", "critical", "emergency" };

	return severity < ARRAY_SIZE(words) ? words[severity] : "info";
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

/* The sentence for people, or what else says what line this is. */
static void add_message(struct json *j, json_t *event)
{
	const char *text = json_string_value(json_object_get(event, "message"));
	size_t n;

	if (!text)
		text = json_string_value(json_object_get(event, "type"));
	if (!text)
		text = "bailiff";
	n = strlen(text);
	json_strn(j, "message", text, n < MESSAGE_BYTES ? n : MESSAGE_BYTES);
}

/* Before and behind the event. */
static int add_log(struct buf *before, struct buf *behind, const struct journal_line *line)
{
	json_t *event = json_loadb(line->text, line->len, 0, NULL);
	uint64_t ms = 0, severity = 0, now = now_ms();
	bool late = journal_line_u64(line->text, line->len, "time", &ms) || ms + LATE_MS < now;
	struct json j;

	(void)journal_line_u64(line->text, line->len, "severity_id", &severity);
	json_init(&j, before);
	json_begin_object(&j, NULL);
	add_message(&j, event);
	json_str(&j, "status", status_word(severity));
	json_u64(&j, "timestamp", late ? now : ms);
	json_end_object(&j);
	json_init(&j, behind);
	json_begin_object(&j, NULL);
	json_str(&j, "id", json_string_value(json_object_get(json_object_get(event, "metadata"), "uid")));
	json_u64(&j, "seq", line->seq);
	if (late) {
		json_bool(&j, "late", true);
		json_u64(&j, "time", ms);
	}
	json_end_object(&j);
	json_decref(event);
	return before->err ? before->err : behind->err;
}

static int datadog_encode(void *d, const struct journal_line *line, size_t limit, struct buf *body)
{
	const struct datadog *h = d;
	_buf_ struct buf before = {}, behind = {};
	int err = add_log(&before, &behind, line);

	if (err)
		return err;
	if (body->len)
		body->len -= strlen("]");
	buf_add_str(body, body->len ? ",\n{" : "[{");
	buf_add(body, h->common.data, h->common.len);
	buf_add(body, before.data + 1, before.len - 2);
	buf_add_str(body, ",\"ocsf\":");
	if (line->len > limit)
		err = event_cut(line->text, line->len, limit, body);
	else
		buf_add(body, line->text, line->len);
	buf_add_str(body, ",\"bailiff\":");
	buf_add(body, behind.data, behind.len);
	buf_add_str(body, "}]");
	return err ? err : body->err;
}

static int datadog_seal(void *d, const char *head, struct buf *body)
{
	(void)d;
	body->len -= strlen(BATCH_END);
	buf_addf(body, ",\"head\":\"%s\"" BATCH_END, head);
	return body->err;
}

/* ---- requests ---- */

static void datadog_send(void *d, const struct buf *body, bool fresh, struct sink_ticket *t, struct sink_answer *a)
{
	struct datadog *h = d;
	char key[WEB_SECRET_MAX + 32];
	const char *headers[] = { key, "Content-Type: application/json", NULL };
	bool answered;

	(void)fresh;
	(void)t;
	if (!web_secret(&h->web, a))
		return;
	snprintf(key, sizeof(key), "DD-API-KEY: %s", h->web.secret);
	answered = web_post(&h->web, h->url, headers, body, a);
	explicit_bzero(key, sizeof(key));
	if (!answered)
		return;
	web_answer(&h->web, a);
	if (a->verdict == SINK_DONE && a->status != 202)
		answer_again(a, "%ld is not the log intake's answer: the url is wrong, or a proxy stands in between?", a->status);
}

const struct sink_dialect sink_datadog = {
	.type = "datadog",
	.open = datadog_open,
	.close = datadog_close,
	.encode = datadog_encode,
	.seal = datadog_seal,
	.send = datadog_send,
};
