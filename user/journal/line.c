/* SPDX-License-Identifier: Apache-2.0 */
/* One number out of an event line without parsing the rest: a member of the outermost object, never one of the same name further inside. */
#include "journal/format.h"
#include "journal/journal.h"

/* p is behind an opening quote: the position behind the closing one, or NULL. */
static const char *string_end(const char *p, const char *end)
{
	while (p < end && *p != '"') {
		if (*p == '\\')
			p++;
		p++;
	}
	return p < end ? p + 1 : NULL;
}

static int number_at(const char *p, const char *end, uint64_t *out)
{
	size_t n = 0;

	while (p < end && *p == ' ')
		p++;
	while (p + n < end && p[n] >= '0' && p[n] <= '9')
		n++;
	return decimal_parse(p, n, out) ? -ENOENT : 0;
}

int journal_line_u64(const char *text, size_t n, const char *key, uint64_t *out)
{
	const char *p = text, *end = text + n;
	size_t key_len = strlen(key);
	int depth = 0;

	while (p < end) {
		const char *from = p + 1, *after;

		depth += *p == '{' || *p == '[';
		depth -= *p == '}' || *p == ']';
		if (*p++ != '"')
			continue;
		after = string_end(from, end);
		if (!after)
			return -ENOENT;
		p = after;
		if (depth == 1 && p < end && *p == ':' && (size_t)(after - 1 - from) == key_len && !memcmp(from, key, key_len))
			return number_at(p + 1, end, out);
	}
	return -ENOENT;
}
