/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segment files from outside. A reader may run while the journal is written: a line counts only with its newline, and what
 * was read of an unfinished one is read again next time, since a recovery may have cut it and put other bytes there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include "journal/segment.h"

#define READ_CHUNK	(128u << 10)
#define READ_MAX	(JOURNAL_LINE_MAX + 1)

void segment_name(uint64_t first, const char *extension, char out[SEGMENT_NAME_MAX])
{
	snprintf(out, SEGMENT_NAME_MAX, "%020llu.%s", (unsigned long long)first, extension);
}

int segment_open(int dirfd, uint64_t first, const char *extension, int flags)
{
	char name[SEGMENT_NAME_MAX];
	int fd;

	segment_name(first, extension, name);
	fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? -errno : fd;
}

static bool name_parse(const char *name, const char *extension, uint64_t *first)
{
	uint64_t v = 0;

	if (strnlen(name, SEGMENT_NAME_DIGITS) < SEGMENT_NAME_DIGITS || name[SEGMENT_NAME_DIGITS] != '.' ||
	    strcmp(name + SEGMENT_NAME_DIGITS + 1, extension))
		return false;
	for (int i = 0; i < SEGMENT_NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, name[i] - '0', &v))
			return false;
	}
	*first = v;
	return v > 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int list_read(DIR *d, const char *extension, uint64_t **list, size_t *count)
{
	const struct dirent *e;
	size_t room = 0;

	while (errno = 0, (e = readdir(d))) {
		uint64_t first, *bigger;

		if (!name_parse(e->d_name, extension, &first))
			continue;
		if (*count == room) {
			room = room ? 2 * room : 64;
			bigger = reallocarray(*list, room, sizeof(**list));
			if (!bigger)
				return -ENOMEM;
			*list = bigger;
		}
		(*list)[(*count)++] = first;
	}
	return -errno;
}

int segment_list(int dirfd, const char *extension, uint64_t **out, size_t *count)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	_free_ uint64_t *list = NULL;
	size_t n = 0;
	DIR *d;

	if (fd < 0)
		return -errno;
	d = fdopendir(fd);
	if (!d) {
		err = -errno;
		close(fd);
		return err;
	}
	err = list_read(d, extension, &list, &n);
	closedir(d);
	if (err)
		return err;
	if (n)
		qsort(list, n, sizeof(*list), compare_u64);
	*out = steal(&list);
	*count = n;
	return 0;
}

int segment_header(int dirfd, uint64_t first, struct journal_header *out)
{
	_close_ int fd = segment_open(dirfd, first, "jsonl", O_RDONLY);
	char text[JOURNAL_OWN_MAX], *end;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, text, sizeof(text), 0);
	if (n < 0)
		return -errno;
	end = n ? memchr(text, '\n', n) : NULL;
	return end ? header_parse(text, end - text, out) : -EBADMSG;
}

void line_reader_init(struct line_reader *r, int fd)
{
	*r = (struct line_reader){ .fd = fd };
}

void line_reader_done(struct line_reader *r)
{
	free(r->buf);
	r->buf = NULL;
}

void line_reader_seek(struct line_reader *r, off_t offset)
{
	r->base = offset;
	r->have = r->pos = 0;
}

off_t line_reader_offset(const struct line_reader *r)
{
	return r->base + r->pos;
}

/* Put the unfinished rest to the front and read on behind it. Bytes read, 0 at the end, -errno. */
static ssize_t reader_fill(struct line_reader *r)
{
	size_t rest = r->have - r->pos;
	char *bigger;
	ssize_t n;

	if (r->buf && rest)
		memmove(r->buf, r->buf + r->pos, rest);
	r->base += r->pos;
	r->have = rest;
	r->pos = 0;
	bigger = realloc(r->buf, rest + READ_CHUNK);
	if (!bigger)
		return -ENOMEM;
	r->buf = bigger;
	do {
		n = pread(r->fd, r->buf + rest, READ_CHUNK, r->base + rest);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->have += n;
	return n;
}

int line_reader_next(struct line_reader *r, const char **text, size_t *len)
{
	size_t looked = 0;

	for (;;) {
		size_t rest = r->have - r->pos;
		const char *from = r->have ? r->buf + r->pos : NULL, *end = NULL;
		ssize_t n;

		if (from && rest > looked)
			end = memchr(from + looked, '\n', rest - looked);
		if (end && end - from <= JOURNAL_LINE_MAX) {
			*text = from;
			*len = end - from;
			r->pos += *len + 1;
			return 1;
		}
		if (end || rest > READ_MAX)
			return -EMSGSIZE;
		looked = rest;
		n = reader_fill(r);
		if (n < 0)
			return n;
		if (!n) {
			r->have = 0;	/* the unfinished rest is read afresh next time; base is its begin */
			return 0;
		}
	}
}
