/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splunk's HTTP Event Collector. An event is {time, host, source, sourcetype, index, event: the journal's line as it is, fields: {bailiff_seq}};
 * the last one of a batch carries the journal's signed head as fields.bailiff_head, so that what Splunk holds is a witness of the chain.
 *
 * With acknowledgement an id counts from 0 within a channel, is confirmed once, and may be given again when the receiver forgets the
 * channel. So a channel is used on one connection only, a batch that is sent again gets a channel of its own, and an id that does not
 * rise means that the channel began anew. What each answer means is the table in hec_answer.c.
 */
#include <stdio.h>
#include "base/hash.h"
#include "sink/hec.h"

struct hec {
	struct web web;
	struct hec_urls url;
	struct buf envelope;		/* the part that is the same for all events */
	bool ack;
	char channel[40];		/* of the present connection */
	bool channel_used;
	uint64_t last_id;		/* given on it */
};

/* ---- setting up ---- */

static void add_text(struct json *j, const char *key, const char *value)
{
	json_str(j, key, value && *value ? value : NULL);
}

/* Without its braces, and with a comma at the end. */
static int build_envelope(struct hec *h, const struct sink_options *o)
{
	_buf_ struct buf b = {};
	struct json j;

	json_init(&j, &b);
	json_begin_object(&j, NULL);
	add_text(&j, "host", o->host);
	add_text(&j, "source", o->source);
	json_str(&j, "sourcetype", o->sourcetype && *o->sourcetype ? o->sourcetype : "bailiff:event");
	add_text(&j, "index", o->index);
	json_end_object(&j);
	if (b.err)
		return b.err;
	buf_add(&h->envelope, b.data + 1, b.len - 2);
	buf_add_char(&h->envelope, ',');
	return h->envelope.err;
}

static int channel_new(char out[40])
{
	uint8_t r[16];
	int err = hash_random(r, sizeof(r));

	if (err)
		return err;
	r[6] = (r[6] & 0x0f) | 0x40;
	r[8] = (r[8] & 0x3f) | 0x80;
	snprintf(out, 40, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7],
		 r[8], r[9], r[10], r[11], r[12], r[13], r[14], r[15]);
	return 0;
}

static int channel_rotate(struct hec *h)
{
	h->channel_used = false;
	return channel_new(h->channel);
}

static void hec_close(void *d)
{
	struct hec *h = d;

	if (!h)
		return;
	web_close(&h->web);
	buf_done(&h->envelope);
	free(h);
}

static int hec_setup(struct hec *h, const struct sink_options *o, const _Atomic bool *abort, const char **why)
{
	int err;

	if (!o->url || !o->token_file || !*o->token_file)
		return *why = "a Splunk HEC sink needs url and token_file", -EINVAL;
	err = hec_urls(o->url, &h->url, why);
	if (err)
		return err;
	h->ack = o->ack;
	err = build_envelope(h, o);
	if (!err)
		err = channel_rotate(h);
	return err ? err : web_open(&h->web, o, abort);
}

static int hec_open(const struct sink_options *o, const _Atomic bool *abort, void **out, const char **why)
{
	struct hec *h = calloc(1, sizeof(*h));
	int err = h ? hec_setup(h, o, abort, why) : -ENOMEM;

	if (err)
		hec_close(h);
	else
		*out = h;
	return err;
}

/* ---- events ---- */

#define EVENT_END "}}\n"

static int hec_encode(void *d, const struct journal_line *line, size_t limit, struct buf *body)
{
	const struct hec *h = d;
	uint64_t ms;

	buf_add_char(body, '{');
	if (!journal_line_u64(line->text, line->len, "time", &ms))
		buf_addf(body, "\"time\":%llu.%03u,", (unsigned long long)(ms / 1000), (unsigned)(ms % 1000));
	buf_add(body, h->envelope.data, h->envelope.len);
	buf_add_str(body, "\"event\":");
	if (line->len > limit) {
		int err = event_cut(line->text, line->len, limit, body);

		if (err)
			return err;
	} else {
		buf_add(body, line->text, line->len);
	}
	buf_addf(body, ",\"fields\":{\"bailiff_seq\":\"%llu\"" EVENT_END, (unsigned long long)line->seq);
	return body->err;
}

static int hec_seal(void *d, const char *head, struct buf *body)
{
	(void)d;
	body->len -= strlen(EVENT_END);
	buf_addf(body, ",\"bailiff_head\":\"%s\"" EVENT_END, head);
	return body->err;
}

/* ---- requests ---- */

/* An answer of any status is in the reply when this is true; otherwise *a is the answer. */
static bool post(struct hec *h, const char *url, const char *channel, const struct buf *body, struct sink_answer *a)
{
	char authorization[WEB_SECRET_MAX + 32], request_channel[80];
	const char *headers[] = { authorization, "Content-Type: application/json", channel ? request_channel : NULL, NULL };
	bool answered;

	if (!web_secret(&h->web, a))
		return false;
	snprintf(authorization, sizeof(authorization), "Authorization: Splunk %s", h->web.secret);
	snprintf(request_channel, sizeof(request_channel), "X-Splunk-Request-Channel: %s", channel ? channel : "");
	answered = web_post(&h->web, url, headers, body, a);
	explicit_bzero(authorization, sizeof(authorization));
	return answered;
}

static void follow(struct hec *h, const struct hec_meaning *m, struct sink_answer *a)
{
	switch (m->follow) {
	case HEC_NOTHING:
		break;
	case HEC_READ_TOKEN:
		web_secret_refused(&h->web, a);
		break;
	case HEC_USE_ACK:
		a->weaker = false;
		a->wait_ms = h->ack ? -1 : 0;
		h->ack = true;
		break;
	case HEC_NO_ACK:
		h->ack = false;
		a->weaker = true;
		break;
	case HEC_SLOWER:
		a->wait_ms = 1000;
		break;
	case HEC_NO_GZIP:
		a->wait_ms = h->web.gzip ? 0 : -1;
		h->web.gzip = false;
		break;
	}
}

/* Taken. Which confirmation is to be waited for? */
static void take_id(struct hec *h, bool own, struct sink_ticket *t, struct sink_answer *a, const struct hec_said *said)
{
	if (!h->ack)
		return;
	if (!said->has_ack_id) {
		h->ack = false;
		a->weaker = true;
		snprintf(a->why, sizeof(a->why), "the token has no indexer acknowledgement: accepted is all that can be known from now on");
		return;
	}
	a->verdict = SINK_OPEN;
	t->id = said->ack_id;
	if (own)
		return;
	a->forgot = h->channel_used && said->ack_id <= h->last_id;
	h->channel_used = true;
	h->last_id = said->ack_id;
}

static void hec_send(void *d, const struct buf *body, bool fresh, struct sink_ticket *t, struct sink_answer *a)
{
	struct hec *h = d;
	struct hec_said said;
	const struct hec_meaning *m;

	*t = (struct sink_ticket){};
	memcpy(t->channel, h->channel, sizeof(t->channel));
	if (fresh && channel_new(t->channel)) {
		answer_again(a, "no random bytes for a channel");
		return;
	}
	if (!post(h, h->url.event, h->ack ? t->channel : NULL, body, a)) {
		(void)channel_rotate(h);
		return;
	}
	hec_understand(&h->web.reply, &said);
	m = hec_meaning(&said);
	hec_answer(&said, m, a);
	follow(h, m, a);
	if (a->verdict == SINK_DONE)
		take_id(h, fresh, t, a, &said);
	if (h->web.reply.connected && h->channel_used && !fresh)
		(void)channel_rotate(h);	/* its next batch may meet a receiver that knows nothing of this one */
}

static int build_question(const struct sink_ticket *t, size_t n, struct buf *b)
{
	buf_add_str(b, "{\"acks\":[");
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s%llu", i ? "," : "", (unsigned long long)t[i].id);
	buf_add_str(b, "]}");
	return b->err;
}

static void hec_ask(void *d, const struct sink_ticket *t, size_t n, bool *confirmed, struct sink_answer *a)
{
	struct hec *h = d;
	_buf_ struct buf body = {};
	struct hec_said said;
	const struct hec_meaning *m;

	if (build_question(t, n, &body)) {
		answer_again(a, "no memory");
		return;
	}
	if (!post(h, h->url.ack, t->channel, &body, a)) {
		(void)channel_rotate(h);
		return;
	}
	if (h->web.reply.connected)
		(void)channel_rotate(h);
	if (!hec_confirmed(&h->web.reply, t, n, confirmed)) {
		*a = (struct sink_answer){ .verdict = SINK_DONE, .wait_ms = -1, .status = h->web.reply.status };
		return;
	}
	hec_understand(&h->web.reply, &said);
	m = hec_meaning(&said);
	hec_answer(&said, m, a);
	follow(h, m, a);
	if (m->follow == HEC_NO_ACK) {
		for (size_t i = 0; i < n; i++)
			confirmed[i] = true;	/* accepted they were, and more cannot be known */
		a->verdict = SINK_DONE;
	} else if (a->verdict != SINK_AGAIN) {
		a->verdict = SINK_AGAIN;	/* a question cannot be halved or given up */
	}
}

const struct sink_dialect sink_hec = {
	.type = "splunk-hec",
	.open = hec_open,
	.close = hec_close,
	.encode = hec_encode,
	.seal = hec_seal,
	.send = hec_send,
	.ask = hec_ask,
};
