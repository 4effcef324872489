/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's writing side, owned by one thread at a time: the open segment, the keys, and what of a batch is still to be made durable.
 * journal.c gives it batches; recover.c gives it its first segment.
 */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include <sys/uio.h>
#include "journal/journal.h"
#include "journal/keys.h"
#include "journal/tree.h"

/* What stands in a batch where a line of the journal's own belongs; everything below is the length of a line with its newline. */
enum batch_mark { MARK_CHECKPOINT = 0xfffffff0u, MARK_ROTATE, MARK_LOWEST = MARK_CHECKPOINT };

struct batch {
	char *bytes;		/* event lines, each with its newline */
	size_t len, cap;
	uint32_t *items;	/* a length or a mark each */
	size_t count, items_cap;
};

struct open_segment {
	int fd, leaf_fd;	/* -1: not open */
	uint64_t first, lines, size;	/* lines and bytes that are durable, or about to be in this commit */
	uint64_t leaves;		/* hashes in the file */
	struct tree tree;
};

#define WRITER_PIECES	16
#define WRITER_OWN	4

struct writer {
	int dirfd;
	char host[JOURNAL_HOST_MAX + 1], boot_id[JOURNAL_BOOT_MAX + 1];
	uint8_t id[JOURNAL_ID_BYTES];
	uint64_t epoch_ms, retain_bytes, retain_ms;
	_Atomic uint64_t *released;	/* lines before it may be retired; NULL: none */
	struct keys keys;
	struct open_segment seg;
	struct journal_previous previous;	/* what the next header names */
	uint64_t oldest;			/* the first segment that is kept; 0: this journal has none yet */

	/* One commit: pieces that follow each other in the segment, from size_before on. */
	struct iovec piece[WRITER_PIECES];
	unsigned pieces, owns;
	char own[WRITER_OWN][JOURNAL_OWN_MAX];
	uint64_t size_before;
	struct buf leaves;			/* hashes of the lines in the pieces */
	size_t leaves_more;
	char head[STATE_TEXT_MAX];				/* of the last checkpoint; durable when durable() is called */

	/* After a failed attempt: wait and return 0 to try again, or the error to give up. With err 0: what had failed works again. NULL: give up. */
	int (*trouble)(void *ctx, int err, const char *what);
	void (*durable)(void *ctx, uint64_t seq);	/* all lines before seq are on disk */
	void (*retired)(void *ctx, const struct journal_retired *r);
	void *ctx;
};

uint64_t writer_now_ms(void);
int writer_lines(struct writer *w, const char *bytes, size_t len, const uint32_t *items, size_t count);
int writer_checkpoint(struct writer *w, bool closes);
int writer_commit(struct writer *w);				/* everything so far is durable when this returns 0 */
int writer_batch(struct writer *w, const struct batch *b);
void writer_done(struct writer *w);
/* Try until it works or trouble() says to give up; an attempt names what it is at. */
int writer_persist(struct writer *w, int (*attempt)(struct writer *w, const char **what));
int writer_add_own(struct writer *w, size_t n);		/* own[owns] holds a rendered line of so many bytes */

/* rotate.c */
int writer_new_segment(struct writer *w, uint64_t first);	/* the old one is closed and committed; header written and committed */
int writer_rotate(struct writer *w);				/* close this segment by a checkpoint, begin the next */
bool writer_epoch_is_over(const struct writer *w);
void writer_segment_close(struct open_segment *s);

/* recover.c: find the end of the journal, mend what a crash left, leave the writer with an open segment. */
int writer_recover(struct writer *w, struct journal_recovery *found);

#endif
