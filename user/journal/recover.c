/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening the journal for writing. Only what a crash of ours can leave is mended: an unfinished line or segment at the very end is cut, hashes that
 * were not written yet are computed. Anything else is damage to a durable part: it is named, left as it is for `verify` to find, and
 * writing goes on in a new segment, whose header says that its predecessor was found damaged.
 */
#include <fcntl.h>
#include <stdio.h>
#include "base/file.h"
#include "journal/leaf.h"
#include "journal/scan.h"
#include "journal/writer.h"

/* The journal's id and key as the last readable header in list[0..n) says them. */
static int header_before(int dirfd, const uint64_t *list, size_t n, struct journal_header *out)
{
	while (n--) {
		if (!segment_header(dirfd, list[n], out))
			return 0;
	}
	return -ENOENT;
}

static int first_segment(struct writer *w, uint64_t first, struct journal_recovery *found)
{
	static const uint8_t nobody[ED25519_KEY_BYTES];
	int err = hash_random(w->id, sizeof(w->id));

	w->previous = (struct journal_previous){};
	w->oldest = 0;
	if (!err)
		err = hash_sha256("", 0, w->previous.root);
	if (!err)
		err = keys_settle(&w->keys, nobody);
	if (!err && w->keys.now.epoch)
		err = keys_restart(&w->keys);
	if (!err)
		err = writer_new_segment(w, first);
	found->next_seq = first + 1;
	return err;
}

/* Numbers must not be used twice, so a damaged segment keeps as many as any of its files can be read to hold. */
static int lines_claimed(int dirfd, const struct segment_scan *s, uint64_t *out)
{
	_close_ int fd = segment_open(dirfd, s->first, "jsonl", O_RDONLY);
	char chunk[16384];
	uint64_t lines = 0;
	ssize_t n;
	char last = '\n';

	if (fd < 0)
		return fd;
	while ((n = read_full(fd, chunk, sizeof(chunk))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			lines += chunk[i] == '\n';
		last = chunk[n - 1];
	}
	if (n < 0)
		return n;
	lines += last != '\n';
	*out = lines > s->leaves ? lines : s->leaves;
	if (!*out)
		*out = 1;
	return 0;
}

/* Our key is not the one that signs this journal: nobody can endorse it, and verify will say so. */
static int key_follow(struct writer *w, const struct journal_header *h, struct journal_recovery *found)
{
	int err = keys_settle(&w->keys, h->key);

	if (err || !memcmp(h->key, w->keys.now.public_key, ED25519_KEY_BYTES))
		return err;
	if (!*found->damage)
		snprintf(found->damage, sizeof(found->damage), "segment %020llu line 1: its signing key is not in the key directory any more",
			 (unsigned long long)h->segment);
	w->keys.now.epoch = h->key_epoch;	/* the next header is signed by this one all the same */
	return 0;
}

static int after_damage(struct writer *w, const struct segment_scan *s, struct journal_recovery *found)
{
	uint64_t lines;
	int err = lines_claimed(w->dirfd, s, &lines);

	if (err)
		return err;
	snprintf(found->damage, sizeof(found->damage), "%s", s->damage);
	w->previous = (struct journal_previous){ .segment = s->first, .lines = lines, .damaged = 1 };
	err = tree_root(&s->tree, w->previous.root);
	return err ? err : writer_new_segment(w, s->first + lines);
}

/* What is older than the last header says was retired. Not on the word of a damaged one: then all that is here is kept. */
static uint64_t oldest_kept(const uint64_t *list, size_t n, uint64_t said)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i] == said)
			return said;
	}
	return list[0];
}

/* A segment whose header never became durable is begun again under the same name. */
static int begin_again(struct writer *w, const uint64_t *list, size_t n, struct journal_recovery *found)
{
	struct segment_scan before;
	int err;

	if (n == 1)
		return first_segment(w, list[0], found);
	err = segment_scan(w->dirfd, list[n - 2], NULL, 0, &before);
	if (err)
		return err;
	if (before.has_header && !*before.damage)
		w->oldest = oldest_kept(list, n, before.header.oldest);
	w->previous = (struct journal_previous){ .segment = before.first, .lines = before.lines };
	err = tree_root(&before.tree, w->previous.root);
	if (!err && *before.damage)
		err = after_damage(w, &before, found);
	else if (!err)
		err = writer_new_segment(w, list[n - 1]);
	segment_scan_done(&before);
	return err;
}

/* Cut the torn tail, add the missing hashes, go on in the same files. */
static int mend(struct writer *w, const struct segment_scan *s)
{
	struct open_segment *o = &w->seg;
	size_t n = s->missing.len;

	*o = (struct open_segment){ .fd = -1, .leaf_fd = -1, .first = s->first, .lines = s->lines, .size = s->size, .leaves = s->lines, .tree = s->tree };
	o->fd = segment_open(w->dirfd, s->first, "jsonl", O_RDWR);
	if (o->fd < 0)
		return o->fd;
	o->leaf_fd = segment_open(w->dirfd, s->first, "leaf", O_RDWR | O_CREAT);
	if (o->leaf_fd < 0)
		return o->leaf_fd;
	w->size_before = s->size;
	if ((s->torn_bytes && ftruncate(o->fd, s->size)) || fsync(o->fd))
		return -errno;
	if (ftruncate(o->leaf_fd, s->good_leaves * HASH_BYTES))
		return -errno;
	if (n && pwrite(o->leaf_fd, s->missing.data, n, s->good_leaves * HASH_BYTES) != (ssize_t)n)
		return errno ? -errno : -EIO;
	return fsync(o->leaf_fd) || fsync(w->dirfd) ? -errno : 0;
}

static int go_on(struct writer *w, const struct segment_scan *s, struct journal_recovery *found)
{
	bool closed = s->ends_signed && s->last.closes, ours;
	int err;

	ours = !memcmp(s->header.key, w->keys.now.public_key, ED25519_KEY_BYTES);
	found->unclean = !s->ends_signed || s->torn_bytes;
	if (s->checkpoints) {
		struct segment_state last = { .segment = s->first, .lines = s->last.lines };

		memcpy(last.root, s->last.root, HASH_BYTES);
		state_render(&last, w->head);
	}
	err = mend(w, s);
	if (err || (ours && !closed && !strcmp(s->header.boot_id, w->boot_id)))
		return err;
	if (ours && !closed)
		return writer_rotate(w);	/* another boot: its lines get their signature now */
	w->previous = (struct journal_previous){ .segment = s->first, .lines = s->lines };
	err = tree_root(&s->tree, w->previous.root);
	return err ? err : writer_new_segment(w, s->first + s->lines);
}

static int recover_last(struct writer *w, const uint64_t *list, size_t n, struct journal_recovery *found)
{
	struct journal_header known = {};
	struct segment_scan s;
	int err = segment_scan(w->dirfd, list[n - 1], NULL, 0, &s);

	if (err)
		return err;
	found->torn_bytes = *s.damage ? 0 : s.torn_bytes;
	if (s.has_header)
		known = s.header;
	w->oldest = oldest_kept(list, n, s.has_header && !*s.damage ? s.header.oldest : 0);
	if (s.has_header || !header_before(w->dirfd, list, n - 1, &known)) {
		memcpy(w->id, known.id, sizeof(w->id));
		err = key_follow(w, &known, found);
	} else {
		err = hash_random(w->id, sizeof(w->id));
	}
	if (!err && *s.damage) {
		err = after_damage(w, &s, found);
	} else if (!err && !s.lines) {
		found->unclean = true;
		err = begin_again(w, list, n, found);
	} else if (!err) {
		err = go_on(w, &s, found);
	}
	segment_scan_done(&s);
	found->next_seq = w->seg.first + w->seg.lines;
	return err;
}

int writer_recover(struct writer *w, struct journal_recovery *found)
{
	_free_ uint64_t *list = NULL;
	size_t n = 0;
	int err = segment_list(w->dirfd, "jsonl", &list, &n);

	if (err)
		return err;
	if (!n)
		return first_segment(w, 1, found);
	if (segment_is_foreign(w->dirfd, list[0]))
		return -EPROTONOSUPPORT;	/* it is for its own Bailiff to read; nothing is written behind it */
	return recover_last(w, list, n, found);
}
