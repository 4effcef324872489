/* SPDX-License-Identifier: Apache-2.0 */
/* Names of hosts in rules: "api.example.com", and "*.example.com" for whatever is below it but not it. Compared in small letters. */
#include <ctype.h>
#include <stdio.h>
#include "policy/model.h"

#define DOMAIN_BYTES 253
#define LABEL_BYTES  63

static bool label_check(const char *s, size_t len)
{
	bool good = len && len <= LABEL_BYTES && s[0] != '-' && s[len - 1] != '-';

	for (size_t i = 0; i < len && good; i++)
		good = isalnum((unsigned char)s[i]) || s[i] == '-' || s[i] == '_';
	return good;
}

/* Two labels or more, of which the last is no number. */
static bool labels_check(const char *s)
{
	size_t len, labels = 0;

	for (;; s += len + 1) {
		len = strcspn(s, ".");
		if (!label_check(s, len))
			return false;
		labels++;
		if (!s[len])
			return labels > 1 && strspn(s, "0123456789") < len;
	}
}

static bool is_ascii(const char *s)
{
	while (*s && !(*s & 0x80))
		s++;
	return !*s;
}

bool domain_parse(const char *text, char *out, char why[200])
{
	const char *labels = strncmp(text, "*.", 2) ? text : text + 2;

	why[0] = '\0';
	if (!is_ascii(text))
		snprintf(why, 200, "\"%.60s\" is not ASCII" HELP "write the domain name in its ASCII form (xn--...)", text);
	else if (strchr(labels, '*'))
		snprintf(why, 200, "\"%.60s\" has its \"*\" in the wrong place" HELP "it is a domain's first label and nothing else, as in *.example.com", text);
	else if (strlen(text) > DOMAIN_BYTES || !labels_check(labels))
		snprintf(why, 200, "\"%.60s\" is neither an address nor a domain name" HELP "write 10.0.0.1, 10.0.0.0/8, 2001:db8::1, a group "
			 "(\"@internet\") or api.example.com", text);
	for (size_t i = 0; !why[0] && i <= strlen(text); i++)
		out[i] = tolower((unsigned char)text[i]);
	return !why[0];
}

bool domain_covers(const char *rule, const char *name)
{
	size_t n = strlen(name), tail;

	if (strncmp(rule, "*.", 2))
		return !strcmp(rule, name);
	tail = strlen(rule + 1);
	return n > tail && !strcmp(name + n - tail, rule + 1);
}
