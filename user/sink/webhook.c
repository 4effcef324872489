/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any receiver of webhooks, signed as Standard Webhooks 1.0 has it (github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md):
 * webhook-id, webhook-timestamp and webhook-signature, the HMAC-SHA256 of "id.timestamp.body" under the secret in whsec_... . A request is
 * {type, timestamp, data: {host, events: [{seq, event: the journal's line}], head}}. The bytes that are sent are the bytes that are signed: not compressed.
 *
 * The id is made of the events, so that a request which is sent again has the same one, whatever the journal's head is by then.
 */
#include <stdio.h>
#include <time.h>
#include "base/hash.h"
#include "sink/web.h"

#define BATCH_END "]}}"
#define KEY_MIN 24	/* bytes; the specification's bounds */
#define KEY_MAX 64
#define ID_BYTES 40
#define SIGNATURE_TEXT 64

struct webhook {
	struct web web;
	char url[WEB_URL_MAX];
	struct buf host;	/* as JSON */
	size_t events_end;	/* of the body that was sealed last; 0: it was not */
};

static void webhook_close(void *d)
{
	struct webhook *h = d;

	if (!h)
		return;
	web_close(&h->web);
	buf_done(&h->host);
	free(h);
}

static int host_json(struct buf *out, const char *host)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_str(&j, "host", host && *host ? host : NULL);
	json_end_object(&j);
	return out->err;
}

static int setup(struct webhook *h, const struct sink_options *o, const _Atomic bool *abort, const char **why)
{
	const char *host;
	int err;

	if (!o->url || !o->token_file || !*o->token_file)
		return *why = "a webhook sink needs url and token_file (the signing secret: whsec_...)", -EINVAL;
	err = web_url_check(o->url, &host, why);
	if (err)
		return err;
	snprintf(h->url, sizeof(h->url), "%s", o->url);
	err = host_json(&h->host, o->host);
	if (!err)
		err = web_open(&h->web, o, abort);
	h->web.gzip = false;
	return err;
}

static int webhook_open(const struct sink_options *o, const _Atomic bool *abort, void **out, const char **why)
{
	struct webhook *h = calloc(1, sizeof(*h));
	int err = h ? setup(h, o, abort, why) : -ENOMEM;

	if (err)
		webhook_close(h);
	else
		*out = h;
	return err;
}

/* ---- events ---- */

static void begin(const struct webhook *h, const struct journal_line *line, struct buf *body)
{
	char stamp[40];
	uint64_t ms;
	time_t s;
	struct tm tm;

	if (journal_line_u64(line->text, line->len, "time", &ms))
		ms = 0;
	s = ms / 1000;
	gmtime_r(&s, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_addf(body, "{\"type\":\"bailiff.events\",\"timestamp\":\"%s.%03uZ\",\"data\":", stamp, (unsigned)(ms % 1000));
	buf_add(body, h->host.data, h->host.len - 1);
	buf_addf(body, "%s\"events\":[", h->host.len > 2 ? "," : "");
}

static int webhook_encode(void *d, const struct journal_line *line, size_t limit, struct buf *body)
{
	struct webhook *h = d;
	int err = 0;

	if (!body->len) {
		h->events_end = 0;
		begin(h, line, body);
	} else {
		body->len -= strlen(BATCH_END);
		buf_add_str(body, ",\n");
	}
	buf_addf(body, "{\"seq\":%llu,\"event\":", (unsigned long long)line->seq);
	if (line->len > limit)
		err = event_cut(line->text, line->len, limit, body);
	else
		buf_add(body, line->text, line->len);
	buf_add_str(body, "}" BATCH_END);
	return err ? err : body->err;
}

static int webhook_seal(void *d, const char *head, struct buf *body)
{
	struct webhook *h = d;

	h->events_end = body->len -= strlen(BATCH_END);
	buf_addf(body, "],\"head\":\"%s\"}}", head);
	return body->err;
}

/* ---- requests ---- */

/* "whsec_" and base64. */
static int key_of(const char *secret, uint8_t key[KEY_MAX], size_t *n)
{
	int err = strncmp(secret, "whsec_", 6) ? -EBADMSG : base64_decode(secret + 6, key, KEY_MAX, n);

	return err || *n < KEY_MIN ? -EBADMSG : 0;
}

/* Of the events alone, so that it stays the same when they are sent again beside another head. */
static int make_id(const struct webhook *h, const struct buf *body, char out[ID_BYTES])
{
	uint8_t digest[HASH_BYTES];
	size_t n = h->events_end ? h->events_end : body->len - strlen(BATCH_END);
	int err = hash_sha256(body->data, n, digest);

	memcpy(out, "msg_", 4);
	for (unsigned i = 0; i < 16; i++)
		snprintf(out + 4 + 2 * i, 3, "%02x", digest[i]);
	return err;
}

static int sign(const uint8_t *key, size_t n, const char *id, const char *when, const struct buf *body, char out[SIGNATURE_TEXT])
{
	_buf_ struct buf text = {};
	uint8_t mac[HASH_BYTES];
	int err;

	buf_addf(&text, "%s.%s.", id, when);
	buf_add(&text, body->data, body->len);
	err = text.err ? text.err : hash_hmac_sha256(key, n, text.data, text.len, mac);
	if (err)
		return err;
	memcpy(out, "v1,", 3);
	base64_encode(mac, sizeof(mac), out + 3);
	return 0;
}

static bool read_key(struct webhook *h, uint8_t key[KEY_MAX], size_t *n, struct sink_answer *a)
{
	if (!web_secret(&h->web, a))
		return false;
	if (!key_of(h->web.secret, key, n))
		return true;
	answer_again(a, "token file %s: a signing secret is whsec_ and %u to %u bytes in base64", h->web.secret_file, KEY_MIN, KEY_MAX);
	web_secret_refused(&h->web, a);
	return false;
}

static void webhook_send(void *d, const struct buf *body, bool fresh, struct sink_ticket *t, struct sink_answer *a)
{
	struct webhook *h = d;
	char id[ID_BYTES], when[24], signature[SIGNATURE_TEXT], headers[3][128];
	const char *list[] = { headers[0], headers[1], headers[2], "Content-Type: application/json", NULL };
	uint8_t key[KEY_MAX];
	size_t n;
	int err;

	(void)fresh;
	(void)t;
	if (!read_key(h, key, &n, a))
		return;
	snprintf(when, sizeof(when), "%lld", (long long)time(NULL));
	err = make_id(h, body, id);
	if (!err)
		err = sign(key, n, id, when, body, signature);
	explicit_bzero(key, sizeof(key));
	if (err) {
		answer_again(a, "sign a request: %s", strerror(-err));
		return;
	}
	snprintf(headers[0], sizeof(headers[0]), "webhook-id: %s", id);
	snprintf(headers[1], sizeof(headers[1]), "webhook-timestamp: %s", when);
	snprintf(headers[2], sizeof(headers[2]), "webhook-signature: %s", signature);
	if (web_post(&h->web, h->url, list, body, a))
		web_answer(&h->web, a);
}

const struct sink_dialect sink_webhook = {
	.type = "webhook",
	.open = webhook_open,
	.close = webhook_close,
	.encode = webhook_encode,
	.seal = webhook_seal,
	.send = webhook_send,
};
