/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include "journal/leaf.h"
#include "journal/tree.h"

int leaf_reader_open(int dirfd, uint64_t first, struct leaf_reader *l)
{
	struct stat st;

	l->fd = segment_open(dirfd, first, "leaf", O_RDONLY);
	if (l->fd == -ENOENT)
		return 0;
	if (l->fd < 0)
		return l->fd;
	if (fstat(l->fd, &st))
		return -errno;
	l->count = st.st_size / HASH_BYTES;
	return 0;
}

int leaf_reader_next(struct leaf_reader *l, const uint8_t **out)
{
	ssize_t n;

	if (l->pos == l->have) {
		if (l->next == l->count)
			return 0;
		n = pread(l->fd, l->chunk, sizeof(l->chunk), l->next * HASH_BYTES);
		if (n < HASH_BYTES)
			return n < 0 ? -errno : -EIO;	/* shorter than it was when we opened it */
		l->have = n / HASH_BYTES;
		if (l->have > l->count - l->next)
			l->have = l->count - l->next;
		l->next += l->have;
		l->pos = 0;
	}
	*out = l->chunk[l->pos++];
	return 1;
}

bool leaf_reader_peek_is(const struct leaf_reader *l, const uint8_t hash[HASH_BYTES])
{
	return l->pos < l->have && !memcmp(l->chunk[l->pos], hash, HASH_BYTES);
}

bool segment_is_foreign(int dirfd, uint64_t first)
{
	_close_ int fd = segment_open(dirfd, first, "jsonl", O_RDONLY), leaf_fd = segment_open(dirfd, first, "leaf", O_RDONLY);
	uint8_t hash[HASH_BYTES], stored[HASH_BYTES];
	char text[JOURNAL_OWN_MAX], *end;
	struct journal_header h;
	ssize_t n;

	if (fd < 0 || leaf_fd < 0 || pread(leaf_fd, stored, sizeof(stored), 0) != sizeof(stored))
		return false;
	n = pread(fd, text, sizeof(text), 0);
	end = n > 0 ? memchr(text, '\n', n) : NULL;
	if (!end || header_parse(text, end - text, &h) != -EPROTONOSUPPORT)
		return false;
	return !tree_leaf(text, end - text, hash) && !memcmp(hash, stored, sizeof(hash));
}
