/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one segment to the next, and with it from one key to the next: a key signs one segment. The order of the steps is what a crash between any two
 * of them, or in the middle of one, relies on (docs/journal.md, "A rotation"):
 *
 *	1 the closing checkpoint, by the key in force, is durable
 *	2 the next key is made and stored beside it
 *	3 the next segment's files are there; its header, signed by the key in force, is durable
 *	4 the key in force is overwritten, and the next one takes its place
 *	5 what retention gives up, as that header says, is deleted
 */
#include <fcntl.h>
#include "journal/retire.h"
#include "journal/segment.h"
#include "journal/writer.h"

void writer_segment_close(struct open_segment *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->leaf_fd >= 0)
		close(s->leaf_fd);
	s->fd = s->leaf_fd = -1;
}

/* The file may be there from a creation that a crash interrupted; recovery has seen that it holds no line. */
static int segment_create(struct writer *w, const char **what)
{
	struct open_segment *s = &w->seg;

	*what = "create a segment of the journal";
	writer_segment_close(s);
	s->fd = segment_open(w->dirfd, s->first, "jsonl", O_RDWR | O_CREAT | O_TRUNC);
	if (s->fd < 0)
		return s->fd;
	s->leaf_fd = segment_open(w->dirfd, s->first, "leaf", O_RDWR | O_CREAT | O_TRUNC);
	if (s->leaf_fd < 0)
		return s->leaf_fd;
	return fsync(w->dirfd) ? -errno : 0;
}

static int key_make_next(struct writer *w, const char **what)
{
	*what = "make the journal's next signing key";
	return keys_make_next(&w->keys, writer_now_ms());
}

static int key_promote(struct writer *w, const char **what)
{
	*what = "destroy the journal's old signing key";
	return keys_promote(&w->keys);
}

bool writer_epoch_is_over(const struct writer *w)
{
	uint64_t now = writer_now_ms();

	return now > w->keys.now.made_ms && now - w->keys.now.made_ms >= w->epoch_ms;
}

/* The first segment of a journal is under the key that is there; nobody is before it who could sign its header, so that key does. */
static int header_add(struct writer *w)
{
	const struct signer *key = w->keys.has_next ? &w->keys.next : &w->keys.now;
	struct journal_header h = { .segment = w->seg.first, .key_epoch = key->epoch, .previous = w->previous, .time_ms = writer_now_ms() };
	int err;

	memcpy(h.id, w->id, sizeof(h.id));
	memcpy(h.host, w->host, sizeof(h.host));
	memcpy(h.boot_id, w->boot_id, sizeof(h.boot_id));
	memcpy(h.key, key->public_key, sizeof(h.key));
	if (!w->oldest)
		w->oldest = h.segment;
	h.oldest = w->oldest;
	err = keys_sign_header(&w->keys, &h);
	return err ? err : writer_add_own(w, header_render(&h, w->own[w->owns]));
}

int writer_new_segment(struct writer *w, uint64_t first)
{
	int err = writer_commit(w);

	if (!err && w->previous.segment)
		err = writer_persist(w, key_make_next);
	if (err)
		return err;
	retire_decide(w);
	writer_segment_close(&w->seg);
	w->seg = (struct open_segment){ .fd = -1, .leaf_fd = -1, .first = first };
	w->size_before = 0;
	err = writer_persist(w, segment_create);
	if (!err)
		err = header_add(w);
	if (!err)
		err = writer_commit(w);
	if (!err && w->keys.has_next)
		err = writer_persist(w, key_promote);
	if (!err)
		retire_delete(w);
	return err;
}

int writer_rotate(struct writer *w)
{
	int err = writer_checkpoint(w, true);

	if (!err)
		err = writer_commit(w);
	if (err)
		return err;
	w->previous = (struct journal_previous){ .segment = w->seg.first, .lines = w->seg.lines };
	err = tree_root(&w->seg.tree, w->previous.root);
	return err ? err : writer_new_segment(w, w->seg.first + w->seg.lines);
}
