/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include "base/file.h"
#include "journal/place.h"

#define MAGIC "bailiff-cursor-2 "

bool place_name_valid(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n && n <= CURSOR_NAME_MAX && !name[n] && name[0] != '.';
}

int place_parse(const char *text, size_t n, struct cursor_place *out)
{
	const size_t digits = 2 * JOURNAL_ID_BYTES, head = sizeof(MAGIC) - 1 + digits + 1;
	struct cursor_place p = {};
	const char *space;
	int err;

	if (n < head + 4 || memcmp(text, MAGIC, sizeof(MAGIC) - 1) || text[head - 1] != ' ' || text[n - 1] != '\n')
		return -EBADMSG;
	space = memchr(text + head, ' ', n - head);
	if (!space || hex_decode(text + sizeof(MAGIC) - 1, p.id, JOURNAL_ID_BYTES))
		return -EBADMSG;
	err = decimal_parse(text + head, space - text - head, &p.next);
	if (!err && strncmp(space, " -\n", 4))
		err = state_parse(space + 1, text + n - 1 - (space + 1), &p.told);
	if (!err)
		*out = p;
	return err;
}

size_t place_render(const struct cursor_place *p, char out[CURSOR_FILE_MAX])
{
	char id[2 * JOURNAL_ID_BYTES + 1], told[STATE_TEXT_MAX] = "-";

	hex_encode(p->id, sizeof(p->id), id);
	if (p->told.segment)
		state_render(&p->told, told);
	return snprintf(out, CURSOR_FILE_MAX, MAGIC "%s %llu %s\n", id, (unsigned long long)p->next, told);
}

static bool witness_read(int fd, const char *name, const uint8_t id[JOURNAL_ID_BYTES], struct segment_state *out)
{
	_free_ char *text = NULL;
	struct cursor_place p;
	size_t n;

	if (file_slurp_at(fd, name, CURSOR_FILE_MAX, &text, &n) || place_parse(text, n, &p))
		return false;
	*out = p.told;
	return p.told.segment && !memcmp(p.id, id, sizeof(p.id));
}

size_t place_witnesses(int dir, const uint8_t id[JOURNAL_ID_BYTES], char (*names)[CURSOR_NAME_MAX + 1], struct segment_state *states, size_t max)
{
	int fd = openat(dir, CURSOR_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	size_t n = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while (n < max && (e = readdir(d))) {
		if (!place_name_valid(e->d_name) || !witness_read(dirfd(d), e->d_name, id, &states[n]))
			continue;
		memcpy(names[n++], e->d_name, strlen(e->d_name) + 1);
	}
	closedir(d);
	return n;
}
