/* SPDX-License-Identifier: Apache-2.0 */
/* What all receivers over HTTP have in common: an address, a secret in a file, a request, and what the usual statuses mean. */
#ifndef SINK_WEB_H
#define SINK_WEB_H

#include "base/http.h"
#include "sink/dialect.h"

#define WEB_URL_MAX	1024
#define WEB_SECRET_MAX	1024

struct web {
	struct http *http;
	struct http_reply reply;
	char *secret_file, *secret;	/* secret NULL: to be read */
	bool gzip;
};

/* url is https://host..., or http:// to a loopback address, without user and fragment. *host: behind "://". -EINVAL with a sentence in *why. */
int web_url_check(const char *url, const char **host, const char **why);
int web_open(struct web *w, const struct sink_options *o, const _Atomic bool *abort);
void web_close(struct web *w);

/* The secret as its file has it now, one word; false: *a says what is wrong with the file. */
bool web_secret(struct web *w, struct sink_answer *a);
/* It was refused. If the file holds another one meanwhile there is no reason to wait. */
void web_secret_refused(struct web *w, struct sink_answer *a);

/* An answer of any status is in w->reply when this is true; otherwise *a is the answer. */
bool web_post(struct web *w, const char *url, const char *const *headers, const struct buf *body, struct sink_answer *a);
/* For receivers that say it by the status alone: any 2xx is `done`, unless it is a page for people. */
void web_answer(struct web *w, struct sink_answer *a);

void answer_again(struct sink_answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void web_quote(const char *from, size_t n, char *out, size_t size);	/* bytes from outside for a log line: printable ASCII, blanks folded */

#endif
