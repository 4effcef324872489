/* SPDX-License-Identifier: Apache-2.0 */
/* Where a Splunk HTTP Event Collector listens, what it says, and what that means for us. Pure: bytes in, meaning out. */
#ifndef SINK_HEC_H
#define SINK_HEC_H

#include "sink/web.h"

#define HEC_URL_MAX WEB_URL_MAX
struct hec_urls {
	char event[HEC_URL_MAX], ack[HEC_URL_MAX + 8];
};
/* "https://host:8088" and everything longer. -EINVAL with a sentence in *why. */
int hec_urls(const char *url, struct hec_urls *out, const char **why);

struct hec_said {
	long status;		/* of HTTP */
	long code;		/* of HEC; -1: the body was not HEC's JSON */
	bool has_ack_id;
	uint64_t ack_id;
	long retry_after_ms;
	char text[160];		/* what it said, printable */
};

enum hec_follow { HEC_NOTHING, HEC_READ_TOKEN, HEC_USE_ACK, HEC_NO_ACK, HEC_SLOWER, HEC_NO_GZIP };

struct hec_meaning {
	long status, code;	/* HEC_ANY: whatever it is */
	enum sink_verdict verdict;
	enum hec_follow follow;
	const char *hint;	/* for the operator */
};
#define HEC_ANY (-2)

void hec_understand(const struct http_reply *r, struct hec_said *out);
const struct hec_meaning *hec_meaning(const struct hec_said *said);	/* never NULL */
void hec_answer(const struct hec_said *said, const struct hec_meaning *m, struct sink_answer *out);
/* The reply to a question about acknowledgements; 0 and confirmed[] filled, or -EBADMSG when it is something else. */
int hec_confirmed(const struct http_reply *r, const struct sink_ticket *tickets, size_t n, bool *confirmed);

#endif
