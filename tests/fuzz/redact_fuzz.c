/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as arguments and as text: spans in order and inside, and a token planted at a known place never comes out. */
#include "event/redact.h"

static const char token[] = "ghp_abcdefghijklmnopqrstuvwxyz0123456789";

static void check(enum redact_form form, const char *p, size_t n)
{
	static const struct redact_key key = { "0123456789abcdef0123456789abcdef", 32 };
	struct redact_span spans[4];
	size_t count = redact_find(form, p, n, false, spans, 4), at = 0;
	_buf_ struct buf out = {};

	for (size_t i = 0; i < count; i++) {
		if (spans[i].start < at || spans[i].end <= spans[i].start || spans[i].end > n)
			abort();
		at = spans[i].end;
	}
	redact_add(&key, form, p, n, false, &out);
	if (out.err || (out.len && memmem(out.data, out.len, token, sizeof(token) - 1)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = size ? data[0] % size : 0;
	_free_ char *text = malloc(size + sizeof(token) - 1);	/* exactly: sanitizers see a read past it */

	if (!text)
		abort();
	if (size)
		memcpy(text, data, at);
	memcpy(text + at, token, sizeof(token) - 1);
	if (size)
		memcpy(text + at + sizeof(token) - 1, data + at, size - at);
	for (int form = REDACT_TEXT; form <= REDACT_ARGV; form++) {
		check(form, text, size + sizeof(token) - 1);
		check(form, text + at, sizeof(token) - 1);
		check(form, text + at + sizeof(token) - 1, size - at);
		check(form, text, at);
	}
	return 0;
}
