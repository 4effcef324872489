/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the journal in order, from any number, while it grows. A cursor needs nothing but the files: it goes from one segment to the next when
 * that one exists, and never hands out an unfinished line. Its durable place is a file of its own (place.h). A place that cannot be trusted
 * (damaged, or of another journal) means the first line again: what is sent twice can be told by its uid, what is skipped is lost.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include "base/file.h"
#include "journal/journal.h"
#include "journal/place.h"
#include "journal/segment.h"

struct journal_cursor {
	int dirfd, fd;			/* fd -1: no segment open */
	char name[CURSOR_NAME_MAX + 1];	/* empty: not durable */
	struct line_reader reader;
	uint64_t segment, next;		/* next 0: the first line there is */
	uint64_t successor;		/* segment seen behind a gap; taken after one more look at the present one */
	uint64_t limit;
	struct cursor_place place;		/* its next: what was committed */
	bool has_id, restarted;
	struct timespec listed;		/* the directory's mtime when it was last searched */
};

static int place_load(struct journal_cursor *c)
{
	char path[sizeof(CURSOR_DIR) + CURSOR_NAME_MAX + 1];
	_free_ char *text = NULL;
	size_t n = 0;
	int err;

	snprintf(path, sizeof(path), CURSOR_DIR "/%s", c->name);
	err = file_slurp_at(c->dirfd, path, CURSOR_FILE_MAX, &text, &n);
	if (err == -ENOENT)
		return 0;
	if (err && err != -EFBIG)
		return err;
	if (err || place_parse(text, n, &c->place)) {
		c->restarted = true;
		return 0;
	}
	c->has_id = true;
	c->next = c->place.next;
	return 0;
}

int journal_cursor_open(const char *dir, const char *name, struct journal_cursor **out)
{
	struct journal_cursor *c;
	int err = 0;

	if (name && !place_name_valid(name))
		return -EINVAL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->fd = -1;
	c->limit = UINT64_MAX;
	c->dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dirfd < 0)
		err = -errno;
	if (!err && name) {
		memcpy(c->name, name, strlen(name));
		err = place_load(c);
	}
	if (err)
		journal_cursor_close(c);
	else
		*out = c;
	return err;
}

static void segment_leave(struct journal_cursor *c)
{
	line_reader_done(&c->reader);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->successor = 0;
}

static int segment_enter(struct journal_cursor *c, uint64_t first)
{
	int fd = segment_open(c->dirfd, first, "jsonl", O_RDONLY);

	if (fd < 0)
		return fd;
	segment_leave(c);
	c->fd = fd;
	c->segment = first;
	line_reader_init(&c->reader, fd);
	return 0;
}

/* Is the remembered place one of this journal? If not, begin again. An unreadable header proves nothing. */
static void check_id(struct journal_cursor *c, uint64_t segment)
{
	struct journal_header h;

	if (segment_header(c->dirfd, segment, &h))
		return;
	if (c->has_id && memcmp(c->place.id, h.id, sizeof(h.id))) {
		c->restarted = true;
		c->place = (struct cursor_place){};
		c->next = 0;
	}
	memcpy(c->place.id, h.id, sizeof(h.id));
	c->has_id = true;
}

static uint64_t segment_with(const uint64_t *list, size_t n, uint64_t seq)
{
	size_t i = n;

	while (i > 1 && list[i - 1] > seq)
		i--;
	return list[i - 1];
}

/* Open the segment that holds c->next and go there; a number behind the end means the end. 1, 0 without any segment, -errno. */
static int locate(struct journal_cursor *c)
{
	_free_ uint64_t *list = NULL;
	uint64_t first, at, target;
	size_t n = 0, len;
	int err = segment_list(c->dirfd, "jsonl", &list, &n), got;
	const char *text;

	if (err || !n)
		return err;
	check_id(c, list[n - 1]);
	target = c->next;
	first = target ? segment_with(list, n, target) : list[0];
	err = segment_enter(c, first);
	if (err)
		return err;
	for (at = first; at < target; at++) {
		got = line_reader_next(&c->reader, &text, &len);
		if (got == -EMSGSIZE || !got)
			break;
		if (got < 0)
			return got;
	}
	c->next = at;
	return 1;
}

/* The nearest segment behind the present one, 0 when there is none or nothing has changed since we looked. */
static int next_listed(struct journal_cursor *c, uint64_t *out)
{
	_free_ uint64_t *list = NULL;
	struct stat st;
	size_t n = 0;
	int err;

	*out = 0;
	if (fstat(c->dirfd, &st))
		return -errno;
	if (!c->successor && st.st_mtim.tv_sec == c->listed.tv_sec && st.st_mtim.tv_nsec == c->listed.tv_nsec)
		return 0;
	c->listed = (struct timespec){};
	err = segment_list(c->dirfd, "jsonl", &list, &n);
	if (err)
		return err;
	for (size_t i = n; i-- && list[i] > c->segment;)
		*out = list[i];
	if (!*out && time(NULL) > st.st_mtim.tv_sec + 1)
		c->listed = st.st_mtim;	/* a younger change could carry the same time stamp */
	return 0;
}

/*
 * The present segment has no further line. Usually its successor bears the next number. Behind damage numbers may be missing: then
 * the present segment is read once more before it is left, since its last lines may have come after we looked. 1: try again, 0: nothing.
 */
static int advance(struct journal_cursor *c)
{
	uint64_t first;
	int err = c->next > c->segment ? segment_enter(c, c->next) : -ENOENT;

	if (err != -ENOENT)
		return err ? err : 1;
	err = next_listed(c, &first);
	if (err || !first)
		return err;
	if (c->successor != first) {
		c->successor = first;
		return 1;
	}
	err = segment_enter(c, first);
	if (err)
		return err;
	c->next = first;
	return 1;
}

int journal_cursor_read(struct journal_cursor *c, struct journal_line *out)
{
	int got = c->fd < 0 ? locate(c) : 1;

	while (got > 0) {
		bool beyond;

		if (c->next >= c->limit)
			return 0;
		got = line_reader_next(&c->reader, &out->text, &out->len);
		if (got > 0) {
			out->seq = c->next++;
			return 1;
		}
		beyond = got == -EMSGSIZE;	/* damage: what follows it in this segment cannot be told apart */
		if (got < 0 && !beyond)
			return got;
		got = advance(c);
		if (!got && beyond)
			return -EBADMSG;
	}
	return got;
}

int journal_cursor_seek(struct journal_cursor *c, uint64_t seq)
{
	int got;

	segment_leave(c);
	c->next = seq;
	got = locate(c);
	if (got < 0)
		return got;
	if (!got)
		c->next = seq == UINT64_MAX ? 0 : seq;
	return 0;
}

void journal_cursor_limit(struct journal_cursor *c, uint64_t seq)
{
	c->limit = seq;
}

static bool same_state(const struct segment_state *a, const struct segment_state *b)
{
	return a->segment == b->segment && a->lines == b->lines && !memcmp(a->root, b->root, sizeof(a->root));
}

int journal_cursor_commit_head(struct journal_cursor *c, uint64_t next_seq, const char *head)
{
	struct cursor_place p = c->place;
	char line[CURSOR_FILE_MAX];
	_close_ int fd = -1;
	int err;

	p.next = next_seq;
	if (!*c->name || (head && state_parse(head, strlen(head), &p.told)))
		return -EINVAL;
	if (next_seq == c->place.next && same_state(&p.told, &c->place.told))
		return 0;
	if (mkdirat(c->dirfd, CURSOR_DIR, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(c->dirfd, CURSOR_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = file_replace_at(fd, c->name, line, place_render(&p, line), 0600);
	if (!err)
		c->place = p;
	return err;
}

int journal_cursor_commit(struct journal_cursor *c, uint64_t next_seq)
{
	return journal_cursor_commit_head(c, next_seq, NULL);
}

uint64_t journal_cursor_next(const struct journal_cursor *c)
{
	return c->next;
}

uint64_t journal_cursor_committed(const struct journal_cursor *c)
{
	return c->place.next;
}

bool journal_cursor_restarted(const struct journal_cursor *c)
{
	return c->restarted;
}

void journal_cursor_close(struct journal_cursor *c)
{
	if (!c)
		return;
	segment_leave(c);
	if (c->dirfd >= 0)
		close(c->dirfd);
	free(c);
}
