/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches to disk. A commit writes its lines, syncs them, and only then writes and syncs their hashes: so a hash proves that its line was
 * durable, which recovery relies on. Whatever fails, the whole commit is done again from its first byte: after a failed fsync(2)
 * the kernel may have dropped the pages and forgotten the error, so only writing anew is worth anything.
 */
#include <stdio.h>
#include <sys/uio.h>
#include <time.h>
#include "base/counter.h"
#include "journal/writer.h"

uint64_t writer_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static int pwrite_full(int fd, const void *p, size_t n, uint64_t offset)
{
	while (n) {
		ssize_t put = pwrite(fd, p, n, offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		p = (const char *)p + put;
		n -= put;
		offset += put;
	}
	return 0;
}

/* One call usually takes all; the rest of a short one is finished piece by piece. */
static int pieces_write(const struct writer *w)
{
	uint64_t offset = w->size_before, skip;
	ssize_t put = pwritev(w->seg.fd, w->piece, w->pieces, offset);

	if (put < 0 && errno != EINTR)
		return -errno;
	skip = put < 0 ? 0 : put;
	for (unsigned i = 0; i < w->pieces; i++) {
		const struct iovec *v = &w->piece[i];
		size_t done = skip < v->iov_len ? skip : v->iov_len;
		int err = pwrite_full(w->seg.fd, (char *)v->iov_base + done, v->iov_len - done, offset + done);

		if (err)
			return err;
		skip -= done;
		offset += v->iov_len;
	}
	return 0;
}

static int commit_once(struct writer *w, const char **what)
{
	int err;

	*what = "write the journal";
	err = pieces_write(w);
	if (err)
		return err;
	*what = "sync the journal";
	if (fdatasync(w->seg.fd))
		return -errno;
	*what = "write the journal's leaf hashes";
	err = pwrite_full(w->seg.leaf_fd, w->leaves.data, w->leaves.len, w->seg.leaves * HASH_BYTES);
	if (!err && fdatasync(w->seg.leaf_fd))
		err = -errno;
	return err;
}

/* Try until it works or trouble() says to give up. */
int writer_persist(struct writer *w, int (*attempt)(struct writer *w, const char **what))
{
	const char *what = "";
	bool failed = false;
	int err;

	while ((err = attempt(w, &what))) {
		failed = true;
		count_add(COUNT_JOURNAL_ERRORS, 1);
		err = w->trouble ? w->trouble(w->ctx, err, what) : err;
		if (err)
			return err;
	}
	if (failed)
		(void)w->trouble(w->ctx, 0, what);
	return 0;
}

int writer_commit(struct writer *w)
{
	int err;

	if (!w->pieces)
		return 0;
	err = writer_persist(w, commit_once);
	if (err)
		return err;
	count_add(COUNT_JOURNAL_LINES, w->leaves.len / HASH_BYTES);
	count_add(COUNT_JOURNAL_BYTES, w->seg.size - w->size_before);
	w->seg.leaves = w->seg.lines;
	w->pieces = w->owns = 0;
	w->size_before = w->seg.size;
	if (w->leaves.cap > (1u << 20))
		buf_done(&w->leaves);	/* a burst need not be paid for ever */
	buf_reset(&w->leaves);
	if (w->durable)
		w->durable(w->ctx, w->seg.first + w->seg.lines);
	return 0;
}

static int add_leaf(struct writer *w, const char *line, size_t n)
{
	uint8_t leaf[HASH_BYTES];
	int err = tree_leaf(line, n, leaf);

	if (!err)
		err = tree_add(&w->seg.tree, leaf);
	if (err)
		return err;
	buf_add(&w->leaves, leaf, sizeof(leaf));
	w->seg.lines++;
	return w->leaves.err;
}

static void add_piece(struct writer *w, const char *bytes, size_t len)
{
	w->piece[w->pieces++] = (struct iovec){ .iov_base = (void *)bytes, .iov_len = len };
	w->seg.size += len;
}

static int room_for_piece(struct writer *w, bool own)
{
	return w->pieces == WRITER_PIECES || (own && w->owns == WRITER_OWN) ? writer_commit(w) : 0;
}

/* Memory that is short now may be there later, as with disks. */
static int reserve_leaves(struct writer *w, const char **what)
{
	*what = "find memory for leaf hashes";
	w->leaves.err = 0;
	return buf_reserve(&w->leaves, w->leaves_more);
}

int writer_lines(struct writer *w, const char *bytes, size_t len, const uint32_t *items, size_t count)
{
	const char *p = bytes;
	int err;

	if (!count)
		return 0;
	err = room_for_piece(w, false);
	w->leaves_more = (count + WRITER_OWN) * HASH_BYTES;
	if (!err)
		err = writer_persist(w, reserve_leaves);
	for (size_t i = 0; !err && i < count; i++) {
		err = add_leaf(w, p, items[i] - 1);
		p += items[i];
	}
	if (!err)
		add_piece(w, bytes, len);
	return err;
}

/* own[owns] holds a rendered line of ours. */
int writer_add_own(struct writer *w, size_t n)
{
	char *line = w->own[w->owns++];
	int err = add_leaf(w, line, n);

	if (err)
		return err;
	line[n] = '\n';
	add_piece(w, line, n + 1);
	return 0;
}

int writer_checkpoint(struct writer *w, bool closes)
{
	struct journal_checkpoint c = { .segment = w->seg.first, .lines = w->seg.lines, .closes = closes, .time_ms = writer_now_ms() };
	struct segment_state state = { .segment = w->seg.first };
	int err = room_for_piece(w, true);

	if (err)
		return err;
	memcpy(c.id, w->id, sizeof(c.id));
	c.key_epoch = w->keys.now.epoch;
	c.lines = w->seg.lines;
	err = tree_root(&w->seg.tree, c.root);
	if (!err)
		err = keys_sign_checkpoint(&w->keys, &c);
	if (err)
		return err;
	state.lines = c.lines;
	memcpy(state.root, c.root, sizeof(state.root));
	state_render(&state, w->head);
	return writer_add_own(w, checkpoint_render(&c, w->own[w->owns]));
}

int writer_batch(struct writer *w, const struct batch *b)
{
	const char *run = b->bytes, *p = run;
	size_t from = 0;
	int err = 0;

	for (size_t i = 0; !err && i <= b->count; i++) {
		uint32_t item = i < b->count ? b->items[i] : 0;

		if (i < b->count && item < MARK_LOWEST) {
			p += item;
			continue;
		}
		err = writer_lines(w, run, p - run, b->items + from, i - from);
		if (!err && item == MARK_CHECKPOINT)
			err = writer_checkpoint(w, false);
		else if (!err && item == MARK_ROTATE)
			err = writer_rotate(w);
		run = p;
		from = i + 1;
	}
	return err ? err : writer_commit(w);
}

void writer_done(struct writer *w)
{
	writer_segment_close(&w->seg);
	buf_done(&w->leaves);
	keys_done(&w->keys);
	if (w->dirfd >= 0)
		close(w->dirfd);
	w->dirfd = -1;
}
