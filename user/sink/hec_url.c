/* SPDX-License-Identifier: Apache-2.0 */
/* Where a collector listens: what people write in the settings, made the two addresses that are used. */
#include <arpa/inet.h>
#include <stdio.h>
#include "sink/hec.h"

/* By number or by the one name that means it; "127.0.0.1.example.com" is somebody's. */
static bool loopback(const char *host)
{
	char name[64];
	size_t n = strcspn(host, host[0] == '[' ? "]" : ":/");
	uint8_t a[4];

	if (n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = 0;
	return !strcmp(name, "localhost") || !strcmp(name, "[::1") || (inet_pton(AF_INET, name, a) == 1 && a[0] == 127);
}

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t m = strlen(end);

	return n >= m && !memcmp(s + n - m, end, m);
}

int hec_urls(const char *url, struct hec_urls *out, const char **why)
{
	static const char collector[] = "/services/collector";
	const char *host = strstr(url, "://");
	size_t n = strlen(url);
	bool bare;

	host = host ? host + 3 : url;
	if (strncmp(url, "https://", 8) && !(!strncmp(url, "http://", 7) && loopback(host)))
		return *why = "url must begin with https:// (http:// only to a loopback address)", -EINVAL;
	if (strpbrk(url, "?#@ \t\r\n") || !*host || *host == '/' || n > HEC_URL_MAX - sizeof(collector) - 8)
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
