/* SPDX-License-Identifier: Apache-2.0 */
/* Where a line and a column of a YAML text are, counted as libyaml counts them: its line breaks, and characters, not bytes. */
#include "base/buf.h"
#include "base/yaml.h"

size_t yaml_bom(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;
}

/* YAML 1.1: also NEL, LS and PS end a line. */
size_t yaml_line_break(const char *s, size_t n)
{
	if (!n)
		return 0;
	if (s[0] == '\r' && n > 1 && s[1] == '\n')
		return 2;
	if (s[0] == '\r' || s[0] == '\n')
		return 1;
	if (n > 1 && !memcmp(s, "\xc2\x85", 2))
		return 2;
	if (n > 2 && (!memcmp(s, "\xe2\x80\xa8", 3) || !memcmp(s, "\xe2\x80\xa9", 3)))
		return 3;
	return 0;
}

void yaml_position(const char *text, size_t len, size_t offset, unsigned *line, unsigned *column)
{
	unsigned columns;

	*line = 1;
	*column = 1;
	for (size_t at = yaml_bom(text, len), n; at < offset && at < len; at += n) {
		n = yaml_line_break(text + at, len - at);
		*line += !!n;
		*column = n ? 1 : *column + 1;
		if (!n)
			n = buf_add_terminal_char(NULL, text + at, len - at, &columns);
	}
}
