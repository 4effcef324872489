/* SPDX-License-Identifier: Apache-2.0 */
/* The door to libcurl: one connection, one blocking request at a time, bounded in time and size. Redirects are never followed. */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include <stdatomic.h>
#include "base/buf.h"

struct http;
struct http_options {
	const char *ca_file;		/* NULL: the system's; the host name is always verified */
	long connect_timeout_ms;	/* 0: 5,000 */
	long timeout_ms;		/* 0: 30,000, whole request */
	size_t max_reply_bytes;		/* 0: 64 KiB; the rest is dropped and truncated set */
	const _Atomic bool *abort;	/* NULL, or: once true, a request ends within a second or so with -ECANCELED */
};
struct http_request {
	const char *method, *url;
	const char *const *headers;	/* NULL-terminated "Name: value" lines */
	const void *body;
	size_t body_len;
	bool gzip;			/* compress the body, add Content-Encoding */
};
struct http_reply {
	long status;			/* 0: no answer, see error */
	long retry_after_ms;		/* -1: the header was absent; seconds or an HTTP date */
	bool truncated, json;		/* json: Content-Type says so */
	bool sent;			/* the request went out: no answer then means unknown */
	bool connected;			/* over a connection made for this request: what the other side held in the last one may be gone */
	struct buf body;
	char error[256];
};

int http_new(const struct http_options *o, struct http **out);
void http_free(struct http *h);
void http_disconnect(struct http *h);		/* the next request opens a new connection */
int http_do(struct http *h, const struct http_request *q, struct http_reply *r);	/* 0 when there is an answer of any status; -errno with r->error else */
void http_reply_done(struct http_reply *r);

#endif
