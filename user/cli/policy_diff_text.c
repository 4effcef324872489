/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs, addresses and changes of a difference as texts, for both of its forms. */
#include <arpa/inet.h>
#include <stdio.h>
#include "cli/policy_diff.h"

#define VERBS_WRITE (1u << VERB_CHANGE | 1u << VERB_CREATE | 1u << VERB_REMOVE)

size_t diff_verbs_words(uint32_t verbs, const char *out[PV_COUNT])
{
	bool write = (verbs & VERBS_WRITE) == VERBS_WRITE;
	size_t count = 0;

	for (unsigned v = 0; v < PV_COUNT; v++) {
		if (!(verbs & 1u << v) || (write && (v == VERB_CREATE || v == VERB_REMOVE)))
			continue;
		out[count++] = write && v == VERB_CHANGE ? "write" : policy_verb_word(v);
	}
	return count;
}

static void address_text(const uint8_t a[16], char out[INET6_ADDRSTRLEN])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a + 12 : a, out, INET6_ADDRSTRLEN);
}

/* The length of the prefix that a range is, or -1. */
static int span_prefix(const struct policy_span *s)
{
	int bits = 0;

	while (bits < 128 && !((s->first[bits / 8] ^ s->last[bits / 8]) >> (7 - bits % 8) & 1))
		bits++;
	for (int i = bits; i < 128; i++) {
		if (s->first[i / 8] >> (7 - i % 8) & 1 || !(s->last[i / 8] >> (7 - i % 8) & 1))
			return -1;
	}
	return bits;
}

void diff_span_text(const struct policy_span *s, char out[SPAN_TEXT])
{
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)s->first);
	int bits = span_prefix(s);

	address_text(s->first, first);
	address_text(s->last, last);
	if (bits == 128)
		snprintf(out, SPAN_TEXT, "%s", first);
	else if (bits >= (v4 ? 96 : 0))
		snprintf(out, SPAN_TEXT, "%s/%d", first, v4 ? bits - 96 : bits);
	else
		snprintf(out, SPAN_TEXT, "%s-%s", first, last);
}

uint32_t diff_opened(const struct policy_diff *d, bool allows)
{
	return allows ? d->open_is & ~d->open_was : d->open_was & ~d->open_is;
}

const char *const diff_says_words[RULE_SAYS] = {
	[RULE_SAYS_WHAT] = "what it is about", [RULE_SAYS_NARROWING] = "what narrows it", [RULE_SAYS_ACCEPT] = "i_accept", [RULE_SAYS_WHY] = "why",
	[RULE_SAYS_OWNER] = "owner", [RULE_SAYS_TICKET] = "ticket",
};
