/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets out of argument lists and texts, before anything is encoded. A secret becomes [redacted:xxxxxxxx], eight hex digits of a keyed
 * hash: equal secrets can be correlated, and without the host's key nobody can test a guess.
 */
#ifndef EVENT_REDACT_H
#define EVENT_REDACT_H

#include "base/buf.h"

struct redact_key {
	const void *p;
	size_t n;
};
enum redact_form {
	REDACT_TEXT,	/* prose, a URL, a header: bytes as they are */
	REDACT_ARGV,	/* NUL between arguments: written with spaces between, quoted as a shell would where needed */
};

/* Append p[0..n) to out without its secrets; `cut`: the text goes on where we cannot see. Gives how many were replaced; out->err tells of memory. */
unsigned redact_add(const struct redact_key *key, enum redact_form form, const void *p, size_t n, bool cut, struct buf *out);

/* ---- inside the room, for tests ---- */
#define REDACT_SPANS 64
struct redact_span {
	size_t start, end;
};
/* Where secrets are, in order; when there are more than max, the last span reaches to the end. */
size_t redact_find(enum redact_form form, const char *t, size_t n, bool cut, struct redact_span *spans, size_t max);

/* How much a name says that its value is a secret. */
enum redact_name { NAME_PLAIN, NAME_MAYBE, NAME_SECRET };
enum redact_name redact_judge_name(const char *name, size_t n);
bool redact_random_looking(const char *p, size_t n);
/* Length of a token that starts at t by its well-known prefix, or 0. inside: a word goes on here, so that short prefixes are by accident. */
size_t redact_known_token(const char *t, size_t n, bool inside, bool cut);

#endif
