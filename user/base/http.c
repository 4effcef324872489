/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl behind one blocking call. What a server sends is bounded before it is kept, redirects are answers like any other (a token must
 * not follow one), and nothing but HTTP is spoken. A reply is empty again at each request, so a caller may keep one for all.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <zlib.h>
#include "base/http.h"

#define CONNECT_MS	5000
#define TIMEOUT_MS	30000
#define REPLY_BYTES	(64u << 10)
#define RETRY_AFTER_MAX_S (24 * 3600)

struct http {
	CURL *curl;
	size_t max_reply_bytes;
	const _Atomic bool *abort;
	struct http_reply *reply;	/* of the request under way */
	struct buf gzip;
	char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode global_result;

static void global_init(void)
{
	global_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct http *h = ctx;
	struct http_reply *r = h->reply;
	size_t bytes = size * n, room = h->max_reply_bytes - r->body.len;

	if (bytes > room)
		r->truncated = true;
	buf_add(&r->body, p, bytes < room ? bytes : room);
	return r->body.err ? 0 : bytes;
}

/* Seconds, or a date of any of HTTP's three forms. */
static long retry_after_ms(const char *value)
{
	char *end;
	long seconds = strtol(value, &end, 10);
	time_t when;

	if (end == value || *end) {
		when = curl_getdate(value, NULL);
		if (when < 0)
			return -1;
		seconds = when - time(NULL);
	}
	if (seconds < 0)
		seconds = 0;
	return (seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct http_reply *r = ((struct http *)ctx)->reply;
	size_t bytes = size * n;
	char line[256], *value;

	if (bytes >= sizeof(line))
		return bytes;	/* none of ours is so long */
	memcpy(line, p, bytes);
	line[bytes] = 0;
	value = strchr(line, ':');
	if (!value)
		return bytes;
	*value++ = 0;
	value += strspn(value, " \t");
	for (char *end = value + strlen(value); end > value && isspace((unsigned char)end[-1]); end--)
		end[-1] = 0;
	if (!strcasecmp(line, "Retry-After"))
		r->retry_after_ms = retry_after_ms(value);
	else if (!strcasecmp(line, "Content-Type"))
		r->json = !strncasecmp(value, "application/json", 16) && (!value[16] || value[16] == ';' || value[16] == ' ');
	return bytes;
}

static int on_progress(void *ctx, curl_off_t dt, curl_off_t dn, curl_off_t ut, curl_off_t un)
{
	const struct http *h = ctx;

	(void)dt, (void)dn, (void)ut, (void)un;
	return h->abort && atomic_load_explicit(h->abort, memory_order_relaxed);
}

static int set_options(struct http *h, const struct http_options *o)
{
	CURL *c = h->curl;
	CURLcode e = CURLE_OK;

#define SET(option, value) (e = e ? e : curl_easy_setopt(c, option, value))
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (o->ca_file)
		SET(CURLOPT_CAINFO, o->ca_file);
	if (o->ca_file)
		SET(CURLOPT_CAPATH, NULL);	/* this file instead of the system's, not besides */
	SET(CURLOPT_CONNECTTIMEOUT_MS, o->connect_timeout_ms ? o->connect_timeout_ms : (long)CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, o->timeout_ms ? o->timeout_ms : (long)TIMEOUT_MS);
	SET(CURLOPT_MAXCONNECTS, 1L);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_USERAGENT, "bailiff");
	SET(CURLOPT_ERRORBUFFER, h->error);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, h);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, h);
	SET(CURLOPT_NOPROGRESS, 0L);
	SET(CURLOPT_XFERINFOFUNCTION, on_progress);
	SET(CURLOPT_XFERINFODATA, h);
#undef SET
	return e ? -EIO : 0;
}

int http_new(const struct http_options *o, struct http **out)
{
	struct http *h;
	int err;

	if (pthread_once(&once, global_init) || global_result)
		return -EIO;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->max_reply_bytes = o->max_reply_bytes ? o->max_reply_bytes : REPLY_BYTES;
	h->abort = o->abort;
	h->curl = curl_easy_init();
	err = h->curl ? set_options(h, o) : -ENOMEM;
	if (err)
		http_free(h);
	else
		*out = h;
	return err;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	buf_done(&h->gzip);
	free(h);
}

void http_disconnect(struct http *h)
{
	(void)curl_easy_setopt(h->curl, CURLOPT_FRESH_CONNECT, 1L);
}

static int gzip(const void *p, size_t n, struct buf *out)
{
	z_stream z = {};
	int rc;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	buf_reset(out);
	rc = buf_reserve(out, deflateBound(&z, n));
	if (!rc) {
		z.next_in = (Bytef *)p;
		z.avail_in = n;
		z.next_out = (Bytef *)out->data;
		z.avail_out = deflateBound(&z, n);
		rc = deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -EIO;
		out->len = z.total_out;
	}
	(void)deflateEnd(&z);
	return rc;
}

static int add_header(struct curl_slist **list, const char *line)
{
	struct curl_slist *more = curl_slist_append(*list, line);

	if (!more)
		return -ENOMEM;
	*list = more;
	return 0;
}

static int build_headers(const struct http_request *q, struct curl_slist **list)
{
	int err = add_header(list, "Expect:");	/* no 100-continue: it costs a second where it is not known */

	for (size_t i = 0; !err && q->headers && q->headers[i]; i++)
		err = add_header(list, q->headers[i]);
	if (!err && q->gzip)
		err = add_header(list, "Content-Encoding: gzip");
	return err;
}

static int set_request(struct http *h, const struct http_request *q, struct curl_slist *headers)
{
	CURL *c = h->curl;
	const void *body = q->body;
	size_t len = q->body_len;
	CURLcode e;

	if (q->gzip) {
		int err = gzip(q->body, q->body_len, &h->gzip);

		if (err)
			return err;
		body = h->gzip.data;
		len = h->gzip.len;
	}
	e = curl_easy_setopt(c, CURLOPT_URL, q->url);
	if (!e)
		e = curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	if (!e && !body)
		e = curl_easy_setopt(c, CURLOPT_HTTPGET, 1L);
	if (!e && body)
		e = curl_easy_setopt(c, CURLOPT_POST, 1L);
	if (!e && body)
		e = curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
	if (!e && body)
		e = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	if (!e)
		e = curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	return e == CURLE_OUT_OF_MEMORY ? -ENOMEM : e ? -EINVAL : 0;
}

static int error_of(CURLcode e)
{
	switch (e) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_ABORTED_BY_CALLBACK:
		return -ECANCELED;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return -EPROTO;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	default:
		return -ECONNRESET;
	}
}

static int perform(struct http *h, struct http_reply *r)
{
	long request_bytes = 0, connects = 0;
	CURLcode e;

	h->error[0] = 0;
	e = curl_easy_perform(h->curl);
	(void)curl_easy_getinfo(h->curl, CURLINFO_REQUEST_SIZE, &request_bytes);
	(void)curl_easy_getinfo(h->curl, CURLINFO_NUM_CONNECTS, &connects);
	(void)curl_easy_setopt(h->curl, CURLOPT_FRESH_CONNECT, 0L);
	r->sent = request_bytes > 0;
	r->connected = connects > 0;
	if (!e) {
		(void)curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &r->status);
		return 0;
	}
	r->status = 0;
	snprintf(r->error, sizeof(r->error), "%s", h->error[0] ? h->error : curl_easy_strerror(e));
	if (e == CURLE_UNSUPPORTED_PROTOCOL && r->sent)
		return -EPROTO;		/* it is the answer that is not HTTP */
	return error_of(e);
}

int http_do(struct http *h, const struct http_request *q, struct http_reply *r)
{
	struct curl_slist *headers = NULL;
	struct buf body = r->body;
	int err;

	buf_reset(&body);
	*r = (struct http_reply){ .retry_after_ms = -1, .body = body };
	h->reply = r;
	err = build_headers(q, &headers);
	if (!err)
		err = set_request(h, q, headers);
	if (err)
		snprintf(r->error, sizeof(r->error), "%s", strerror(-err));
	else
		err = perform(h, r);
	curl_slist_free_all(headers);
	h->reply = NULL;
	return err;
}

void http_reply_done(struct http_reply *r)
{
	buf_done(&r->body);
}
