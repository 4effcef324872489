/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a text without its secrets: each becomes its keyed hash; arguments are joined and quoted as a shell would read them. */
#include "event/redact.h"
#include "base/counter.h"
#include "base/hash.h"

static void add_hash(const struct redact_key *key, const char *p, size_t n, struct buf *out)
{
	uint8_t digest[HASH_BYTES];

	if (hash_hmac_sha256(key->p, key->n, p, n, digest)) {
		buf_add_str(out, "[redacted]");
		return;
	}
	buf_add_str(out, "[redacted:");
	buf_add_hex(out, digest, 4);
	buf_add_char(out, ']');
}

/* Bytes that a shell takes as they are. */
static bool shell_plain(const char *p, size_t n)
{
	static const char others[] = "_-./:=,+@%";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i], letter = (c | 32) - 'a', digit = c - '0';

		if (letter >= 26 && digit >= 10 && c < 0x80 && !memchr(others, c, sizeof(others) - 1))
			return false;
	}
	return n;
}

static void add_bytes(const char *p, size_t n, struct buf *out)
{
	buf_add(out, p, n);
}

static void add_quoted(const char *p, size_t n, struct buf *out)
{
	for (const char *end = p + n; p < end;) {
		const char *quote = memchr(p, '\'', end - p);

		buf_add(out, p, (quote ? quote : end) - p);
		if (quote)
			buf_add_str(out, "'\\''");
		p = quote ? quote + 1 : end;
	}
}

/* What is left to write: the next span and the place in the text. */
struct writer {
	const struct redact_key *key;
	const char *t;
	size_t at;
	const struct redact_span *span, *spans_end;
	struct buf *out;
};

static void write_until(struct writer *w, size_t end, bool quoted)
{
	while (w->at < end) {
		size_t stop = w->span < w->spans_end && w->span->start < end ? w->span->start : end;

		if (stop > w->at)
			(quoted ? add_quoted : add_bytes)(w->t + w->at, stop - w->at, w->out);
		w->at = stop > w->at ? stop : w->at;
		if (stop == end)
			return;
		add_hash(w->key, w->t + w->span->start, w->span->end - w->span->start, w->out);
		w->at = w->span->end;
		w->span++;
	}
}

static void write_argv(struct writer *w, size_t n)
{
	while (w->at < n) {
		const char *nul = memchr(w->t + w->at, '\0', n - w->at);
		size_t end = nul ? (size_t)(nul - w->t) : n;
		bool quoted = !shell_plain(w->t + w->at, end - w->at);

		if (w->at)
			buf_add_char(w->out, ' ');
		if (quoted)
			buf_add_char(w->out, '\'');
		write_until(w, end, quoted);
		if (quoted)
			buf_add_char(w->out, '\'');
		if (w->at <= end)
			w->at = end + 1;	/* a span may have reached into later arguments */
		else if (w->at < n && !w->t[w->at])
			w->at++;
	}
}

unsigned redact_add(const struct redact_key *key, enum redact_form form, const void *p, size_t n, bool cut, struct buf *out)
{
	struct redact_span spans[REDACT_SPANS];
	size_t count = n ? redact_find(form, p, n, cut, spans, REDACT_SPANS) : 0;
	struct writer w = { .key = key, .t = p, .span = spans, .spans_end = spans + count, .out = out };

	if (form == REDACT_ARGV)
		write_argv(&w, n);
	else
		write_until(&w, n, false);
	if (count)
		count_add(COUNT_REDACTED, count);
	return count;
}
