/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A status decides little by itself: proxies and captive portals answer too. So a page for people is never `done`, no redirect is followed, and
 * whatever an operator can mend is waited for.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include "base/file.h"
#include "sink/web.h"

/* ---- where, and with what ---- */

/* By number or by the one name that means it; "127.0.0.1.example.com" is somebody's. */
static bool loopback(const char *host)
{
	char name[64];
	size_t n = strcspn(host, host[0] == '[' ? "]" : ":/?");
	uint8_t a[4];

	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = 0;
	return !strcmp(name, "localhost") || !strcmp(name, "[::1") || (inet_pton(AF_INET, name, a) == 1 && a[0] == 127);
}

int web_url_check(const char *url, const char **host, const char **why)
{
	*host = strstr(url, "://");
	*host = *host ? *host + 3 : url;
	if (strncmp(url, "https://", 8) && !(!strncmp(url, "http://", 7) && loopback(*host)))
		return *why = "url must begin with https:// (http:// only to a loopback address)", -EINVAL;
	if (strpbrk(url, "#@ \t\r\n") || !**host || **host == '/' || **host == '?' || strlen(url) >= WEB_URL_MAX)
		return *why = "url must be https://host[:port][/path], without user or fragment", -EINVAL;
	return 0;
}

static int secret_load(struct web *w, bool *changed)
{
	_free_ char *text = NULL;
	size_t n;
	int err = file_slurp(w->secret_file, WEB_SECRET_MAX, &text, &n);

	if (err)
		return err;
	n = strspn(text, " \t\r\n");
	memmove(text, text + n, strlen(text + n) + 1);
	n = strcspn(text, " \t\r\n");
	if (!n || text[n + strspn(text + n, " \t\r\n")])
		return -EBADMSG;
	text[n] = 0;
	for (const char *c = text; *c; c++) {
		if (*c < 0x21 || *c > 0x7e)
			return -EBADMSG;	/* it goes into a header */
	}
	*changed = !w->secret || strcmp(w->secret, text);
	free(w->secret);
	w->secret = steal(&text);
	return 0;
}

bool web_secret(struct web *w, struct sink_answer *a)
{
	bool changed;
	int err = w->secret ? 0 : secret_load(w, &changed);

	if (err)
		answer_again(a, "token file %s: %s", w->secret_file, err == -EBADMSG ? "is not one word of printable characters" : strerror(-err));
	return !err;
}

void web_secret_refused(struct web *w, struct sink_answer *a)
{
	bool changed = false;

	if (!secret_load(w, &changed) && changed)
		a->wait_ms = 0;
}

int web_open(struct web *w, const struct sink_options *o, const _Atomic bool *abort)
{
	struct http_options options = { .ca_file = o->ca_file && *o->ca_file ? o->ca_file : NULL, .abort = abort };

	w->gzip = !o->plain;
	w->secret_file = strdup(o->token_file);
	return w->secret_file ? http_new(&options, &w->http) : -ENOMEM;
}

void web_close(struct web *w)
{
	http_free(w->http);
	http_reply_done(&w->reply);
	if (w->secret)
		explicit_bzero(w->secret, strlen(w->secret));
	free(w->secret);
	free(w->secret_file);
}

/* ---- a request and its answer ---- */

void answer_again(struct sink_answer *a, const char *fmt, ...)
{
	va_list ap;

	*a = (struct sink_answer){ .verdict = SINK_AGAIN, .wait_ms = -1 };
	va_start(ap, fmt);
	vsnprintf(a->why, sizeof(a->why), fmt, ap);
	va_end(ap);
}

bool web_post(struct web *w, const char *url, const char *const *headers, const struct buf *body, struct sink_answer *a)
{
	struct http_request q = { .method = "POST", .url = url, .headers = headers, .body = body->data, .body_len = body->len, .gzip = w->gzip };
	int err = http_do(w->http, &q, &w->reply);

	if (err)
		answer_again(a, "no answer%s: %.200s", w->reply.sent ? " after the request was sent" : "", w->reply.error);
	return !err;
}

void web_quote(const char *from, size_t n, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used + 1 < size; i++) {
		unsigned char c = from[i];

		if (c <= ' ' && (!used || out[used - 1] == ' '))
			continue;
		out[used++] = c <= ' ' ? ' ' : c < 0x7f ? c : '?';
	}
	out[used] = 0;
}

static const struct meaning {
	long from, to;		/* statuses */
	enum sink_verdict verdict;
	const char *hint;	/* for the operator */
} meanings[] = {
	{ 200, 299, SINK_DONE, NULL },
	{ 300, 399, SINK_AGAIN, "a redirect is not followed: write the address that it leads to" },
	{ 400, 400, SINK_SMALLER, NULL },
	{ 401, 401, SINK_AGAIN, "the secret was not accepted; its file is read again each time" },
	{ 403, 403, SINK_AGAIN, "the secret was not accepted; its file is read again each time" },
	{ 404, 405, SINK_AGAIN, "the url is wrong" },
	{ 408, 408, SINK_AGAIN, NULL },
	{ 410, 410, SINK_AGAIN, "the receiver is gone for good, it says" },
	{ 413, 413, SINK_TOO_LONG, NULL },
	{ 415, 415, SINK_AGAIN, "it does not take compressed requests" },
	{ 422, 422, SINK_SMALLER, NULL },
	{ 0, 1000, SINK_AGAIN, NULL },
};

/* Who answers an event with a page does not know what it is. */
static bool is_page(const struct http_reply *r)
{
	size_t blank = 0;

	while (blank < r->body.len && strchr(" \t\r\n", r->body.data[blank]))
		blank++;
	return !r->json && blank < r->body.len && r->body.data[blank] == '<';
}

void web_answer(struct web *w, struct sink_answer *a)
{
	const struct http_reply *r = &w->reply;
	const struct meaning *m = meanings;
	char said[100];

	while (r->status < m->from || r->status > m->to)
		m++;
	*a = (struct sink_answer){ .verdict = m->verdict, .wait_ms = r->retry_after_ms > 0 ? r->retry_after_ms : -1, .status = r->status };
	web_quote(r->body.data ? r->body.data : "", r->body.len, said, sizeof(said));
	if ((a->verdict == SINK_DONE || a->verdict == SINK_SMALLER) && is_page(r)) {
		answer_again(a, "%ld with a page for people: a portal or a proxy stands in between? \"%s\"", r->status, said);
		return;
	}
	if (a->verdict != SINK_DONE)
		snprintf(a->why, sizeof(a->why), "%ld \"%s\"%s%s", r->status, said, m->hint ? ": " : "", m->hint ? m->hint : "");
	if (r->status == 401 || r->status == 403)
		web_secret_refused(w, a);
	if (r->status == 415 && w->gzip) {
		w->gzip = false;
		a->wait_ms = 0;
	}
}
