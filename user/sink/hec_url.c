/* SPDX-License-Identifier: Apache-2.0 */
/* Where a collector listens: what people write in the settings, made the two addresses that are used. */
#include <stdio.h>
#include "sink/hec.h"

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t m = strlen(end);

	return n >= m && !memcmp(s + n - m, end, m);
}

int hec_urls(const char *url, struct hec_urls *out, const char **why)
{
	static const char collector[] = "/services/collector";
	size_t n = strlen(url);
	const char *host;
	bool bare;
	int err = web_url_check(url, &host, why);

	if (err)
		return err;
	if (strchr(url, '?') || n > HEC_URL_MAX - sizeof(collector) - 8)
		return *why = "url must be https://host[:port][/path], without user, query or fragment", -EINVAL;
	while (n && url[n - 1] == '/')
		n--;
	bare = !strchr(host, '/') || (size_t)(strchr(host, '/') - url) >= n;
	if (ends_with(url, n, "/event"))
		n -= 6;
	else if (ends_with(url, n, "/event/1.0"))
		n -= 10;
	if (bare || !ends_with(url, n, collector)) {
		snprintf(out->event, HEC_URL_MAX, "%.*s%s/event", (int)n, url, collector);
		snprintf(out->ack, sizeof(out->ack), "%.*s%s/ack", (int)n, url, collector);
	} else {
		snprintf(out->event, HEC_URL_MAX, "%.*s/event", (int)n, url);
		snprintf(out->ack, sizeof(out->ack), "%.*s/ack", (int)n, url);
	}
	return 0;
}
