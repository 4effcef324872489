/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/file.h"
#include "journal/retire.h"
#include "journal/segment.h"
#include "journal/writer.h"

/* ---- what is to go ---- */

static uint64_t file_bytes(int dirfd, uint64_t first, const char *extension)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	segment_name(first, extension, name);
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_size;
}

static uint64_t segment_bytes(int dirfd, uint64_t first)
{
	return file_bytes(dirfd, first, "jsonl") + file_bytes(dirfd, first, "leaf");
}

/* May list[i] go? Its successor's header says when it ended. A segment without a readable header stays: nothing could lead over it. */
static bool may_go(const struct writer *w, const uint64_t *list, size_t i, uint64_t total)
{
	struct journal_header own, next;
	uint64_t now = writer_now_ms();

	if (!w->released || list[i + 1] > atomic_load(w->released))
		return false;
	if (segment_header(w->dirfd, list[i], &own) || segment_header(w->dirfd, list[i + 1], &next))
		return false;
	if (w->retain_bytes && total > w->retain_bytes)
		return true;
	return w->retain_ms && now > next.time_ms && now - next.time_ms > w->retain_ms;
}

void retire_decide(struct writer *w)
{
	_free_ uint64_t *list = NULL;
	uint64_t total = 0;
	size_t n = 0;

	if ((!w->retain_bytes && !w->retain_ms) || segment_list(w->dirfd, "jsonl", &list, &n))
		return;
	for (size_t i = 0; i < n; i++)
		total += segment_bytes(w->dirfd, list[i]);
	for (size_t i = 0; i + 1 < n && may_go(w, list, i, total); i++) {
		total -= segment_bytes(w->dirfd, list[i]);
		if (list[i + 1] > w->oldest)
			w->oldest = list[i + 1];
	}
}

/* ---- the file of headers ---- */

int retired_walk(int dirfd, uint64_t before, retired_fn fn, void *ctx)
{
	_close_ int fd = openat(dirfd, RETIRED_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct line_reader r;
	const char *text;
	uint64_t n = 0;
	size_t len;
	int got;

	if (fd < 0)
		return -errno;
	line_reader_init(&r, fd);
	while ((got = line_reader_next(&r, &text, &len)) == 1) {
		struct journal_header h;
		bool good = !header_parse(text, len, &h);

		if (good && h.segment >= before)
			break;
		if (!fn(ctx, good ? &h : NULL, ++n)) {
			got = -EBADMSG;
			break;
		}
	}
	line_reader_done(&r);
	return got < 0 ? got : 0;
}

/* What a crash left unfinished at its end is cut. *last: the newest segment in it, 0 for none. */
static int retired_open(int dirfd, uint64_t *last, off_t *size)
{
	int fd = openat(dirfd, RETIRED_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), got;
	struct journal_header h;
	struct line_reader r;
	const char *text;
	size_t len;

	*last = 0;
	if (fd < 0)
		return -errno;
	line_reader_init(&r, fd);
	while ((got = line_reader_next(&r, &text, &len)) == 1) {
		if (!header_parse(text, len, &h))
			*last = h.segment;
	}
	*size = line_reader_offset(&r);
	line_reader_done(&r);
	if (!got && ftruncate(fd, *size))
		got = -errno;
	if (!got)
		return fd;
	close(fd);
	return got;
}

static int header_append(int dirfd, uint64_t first, int fd, off_t *size)
{
	char line[JOURNAL_OWN_MAX];
	struct journal_header h;
	int err = segment_header(dirfd, first, &h);
	size_t n;

	if (err)
		return err;
	n = header_render(&h, line);
	line[n++] = '\n';
	if (pwrite(fd, line, n, *size) != (ssize_t)n)
		return errno ? -errno : -EIO;
	*size += n;
	return 0;
}

static int headers_keep(int dirfd, const uint64_t *list, size_t n, uint64_t oldest)
{
	uint64_t last;
	off_t size = 0;
	_close_ int fd = retired_open(dirfd, &last, &size);
	int err = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; !err && i < n && list[i] < oldest; i++) {
		if (list[i] > last)
			err = header_append(dirfd, list[i], fd, &size);
	}
	if (!err && (fsync(fd) || fsync(dirfd)))
		err = -errno;
	return err;
}

/* ---- deleting ---- */

/* Files in front of `oldest`, hashes without lines too: a crash may have come between. */
static int files_delete(int dirfd, const char *extension, uint64_t oldest, struct journal_retired *told)
{
	_free_ uint64_t *list = NULL;
	char name[SEGMENT_NAME_MAX];
	size_t n = 0;
	int err = segment_list(dirfd, extension, &list, &n);

	for (size_t i = 0; !err && i < n && list[i] < oldest; i++) {
		uint64_t bytes = file_bytes(dirfd, list[i], extension);

		segment_name(list[i], extension, name);
		if (unlinkat(dirfd, name, 0) && errno != ENOENT)
			err = -errno;
		else
			told->bytes += bytes;
	}
	return err;
}

void retire_delete(struct writer *w)
{
	struct journal_retired told = {};
	_free_ uint64_t *list = NULL;
	size_t n = 0;
	int err = segment_list(w->dirfd, "jsonl", &list, &n);

	if (!err && (!n || list[0] >= w->oldest))
		return;
	if (!err)
		err = headers_keep(w->dirfd, list, n, w->oldest);
	if (!err)
		err = files_delete(w->dirfd, "jsonl", w->oldest, &told);
	if (!err)
		err = files_delete(w->dirfd, "leaf", w->oldest, &told);
	if (!err && fsync(w->dirfd))
		err = -errno;
	told.err = err;
	told.first = n ? list[0] : 0;
	told.kept = w->oldest;
	for (size_t i = 0; i < n && list[i] < w->oldest; i++)
		told.segments++;
	if (w->retired)
		w->retired(w->ctx, &told);
}
