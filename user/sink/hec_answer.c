/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers of HEC. A status decides nothing alone: proxies and captive portals answer too, with 200, 303, 400 or 413, and know nothing of
 * events. So `done` needs HEC's own JSON, and so does anything that could end in passing an event over.
 */
#include <jansson.h>
#include <stdio.h>
#include "sink/hec.h"

/* First match wins. */
static const struct hec_meaning meanings[] = {
	{ 200, 0, SINK_DONE, HEC_NOTHING, NULL },
	{ 200, 24, SINK_DONE, HEC_SLOWER, NULL },
	{ 200, 25, SINK_DONE, HEC_SLOWER, NULL },
	{ 200, HEC_ANY, SINK_AGAIN, HEC_NOTHING, "that is not an event collector's answer: a portal or a proxy stands in between?" },
	{ 400, 5, SINK_AGAIN, HEC_NOTHING, "it saw no data in our request" },
	{ 400, 6, SINK_SMALLER, HEC_NOTHING, NULL },
	{ 400, 7, SINK_AGAIN, HEC_NOTHING, "the index does not exist, or the token may not write to it" },
	{ 400, 10, SINK_AGAIN, HEC_USE_ACK, "the token wants acknowledgement" },
	{ 400, 11, SINK_AGAIN, HEC_USE_ACK, "the token wants acknowledgement" },
	{ 400, 12, SINK_SMALLER, HEC_NOTHING, NULL },
	{ 400, 13, SINK_SMALLER, HEC_NOTHING, NULL },
	{ 400, 14, SINK_AGAIN, HEC_NO_ACK, "acknowledgement is disabled: accepted is all that can be known from now on" },
	{ 400, 15, SINK_SMALLER, HEC_NOTHING, NULL },
	{ 400, 16, SINK_AGAIN, HEC_NOTHING, "it wants the token elsewhere than the documents say" },
	{ 400, -1, SINK_AGAIN, HEC_NOTHING, "that is not an event collector's answer" },
	{ 400, HEC_ANY, SINK_SMALLER, HEC_NOTHING, NULL },
	{ 401, HEC_ANY, SINK_AGAIN, HEC_READ_TOKEN, "the token was not accepted; the token file is read again each time" },
	{ 403, HEC_ANY, SINK_AGAIN, HEC_READ_TOKEN, "the token is disabled or not known; the token file is read again each time" },
	{ 404, HEC_ANY, SINK_AGAIN, HEC_NOTHING, "the url is wrong, or the collector is not enabled" },
	{ 405, HEC_ANY, SINK_AGAIN, HEC_NOTHING, "the url is wrong" },
	{ 413, HEC_ANY, SINK_TOO_LONG, HEC_NOTHING, NULL },
	{ 415, HEC_ANY, SINK_AGAIN, HEC_NO_GZIP, "it does not take compressed requests" },
	{ HEC_ANY, HEC_ANY, SINK_AGAIN, HEC_NOTHING, NULL },
};

static json_t *reply_json(const struct http_reply *r)
{
	return r->truncated || !r->body.len ? NULL : json_loadb(r->body.data, r->body.len, JSON_REJECT_DUPLICATES, NULL);
}

void hec_understand(const struct http_reply *r, struct hec_said *out)
{
	json_t *j = reply_json(r), *code = json_object_get(j, "code"), *id = json_object_get(j, "ackId");
	const char *text = json_string_value(json_object_get(j, "text"));

	*out = (struct hec_said){ .status = r->status, .code = -1, .retry_after_ms = r->retry_after_ms };
	if (json_is_integer(code) && json_integer_value(code) >= 0 && json_integer_value(code) < 1000)
		out->code = json_integer_value(code);
	if (json_is_integer(id) && json_integer_value(id) >= 0) {
		out->has_ack_id = true;
		out->ack_id = json_integer_value(id);
	}
	if (text)
		web_quote(text, strlen(text), out->text, sizeof(out->text));
	else if (r->body.data)
		web_quote(r->body.data, r->body.len, out->text, sizeof(out->text));
	json_decref(j);
}

const struct hec_meaning *hec_meaning(const struct hec_said *said)
{
	const struct hec_meaning *m = meanings;

	while ((m->status != HEC_ANY && m->status != said->status) || (m->code != HEC_ANY && m->code != said->code))
		m++;
	return m;
}

void hec_answer(const struct hec_said *said, const struct hec_meaning *m, struct sink_answer *out)
{
	char code[32] = "";

	*out = (struct sink_answer){ .verdict = m->verdict, .wait_ms = said->retry_after_ms > 0 ? said->retry_after_ms : -1, .status = said->status };
	if (said->code >= 0)
		snprintf(code, sizeof(code), ", code %ld", said->code);
	if (m->verdict != SINK_DONE)
		snprintf(out->why, sizeof(out->why), "%ld%s \"%.100s\"%s%s", said->status, code, said->text, m->hint ? ": " : "", m->hint ? m->hint : "");
}

int hec_confirmed(const struct http_reply *r, const struct sink_ticket *tickets, size_t n, bool *confirmed)
{
	json_t *j = r->status == 200 ? reply_json(r) : NULL, *acks = json_object_get(j, "acks");
	bool good = json_is_object(acks);

	for (size_t i = 0; i < n; i++) {
		char id[24];

		snprintf(id, sizeof(id), "%llu", (unsigned long long)tickets[i].id);
		confirmed[i] = json_is_true(json_object_get(acks, id));
	}
	json_decref(j);
	return good ? 0 : -EBADMSG;
}
