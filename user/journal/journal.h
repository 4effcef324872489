/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: an append-only directory of segments, one JSON event a line. It is the audit trail, the spool of every
 * sink and the input of tail. docs/journal.md is the format.
 *
 * A segment <20-digit sequence number of its first line>.jsonl holds event lines; each line is a leaf of the segment's RFC 9162
 * tree (leaf hash = SHA-256(0x00 || line without newline)); leaf hashes are stored beside it in the same base name .leaf (32 bytes a line).
 * The first line is the segment's header (number, boot id, key, predecessor's name and root), signed by the key before. A checkpoint
 * line signs (Ed25519) segment, line count, root and key epoch; one closes each segment.
 *
 * A thread of its own writes and syncs: append() only queues. Group commit: at most JOURNAL_COMMIT_MS between append and fdatasync.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/buf.h"
#include "base/hash.h"

#define JOURNAL_COMMIT_MS 100

struct journal;

/* What retention deleted, or could not (err; it tries again with the next segment). */
struct journal_retired {
	int err;
	uint64_t first, kept;		/* lines [first, kept) are gone */
	uint64_t segments, bytes;
};
struct journal_options {
	const char *dir;		/* made if missing, mode 0700 */
	const char *key_dir;		/* key pair made at first start; public half in <key_dir>/journal.pub */
	const char *host;		/* in headers and checkpoints */
	size_t queue_bytes;		/* 0: 8 MiB; when full, append says -ENOBUFS and the caller counts */
	uint64_t segment_bytes;		/* 0: 64 MiB */
	uint64_t checkpoint_ms;		/* 0: 10,000; also at close and at rotation */
	uint64_t epoch_ms;		/* 0: 1 h; a segment that is older is closed when there is something new to sign. Each segment has a key of its own */
	uint64_t retain_bytes, retain_ms;	/* 0: no limit; closed segments beyond it are deleted, up to what journal_release() says */
	void (*error)(void *ctx, int err, const char *what);	/* on the journal's thread, once per trouble; err 0: it writes again */
	void (*retired)(void *ctx, const struct journal_retired *r);	/* on the journal's thread */
	void *ctx;
};

/* What recovery found; fixed before open returns. */
struct journal_recovery {
	uint64_t next_seq;		/* of the next line */
	uint64_t torn_bytes;		/* cut from the end of the last segment: an unfinished line */
	bool unclean;			/* no checkpoint at the end: it was not closed */
	char damage[400];		/* not empty: a durable part is damaged; left as it is, writing goes on in a new segment */
};

/* Open for writing (a lock file keeps a second writer out: -EBUSY), recover a torn tail, start the thread. */
int journal_open(const struct journal_options *o, struct journal **out, struct journal_recovery *found);
/*
 * Queue one event line. Gives its sequence number. Never waits for a disk. Not queued: -ENOBUFS (the queue is full), -EINVAL (no {...}, a newline
 * inside, or it poses as a line of the journal's own), -EMSGSIZE (above 1 MiB), -ENOMEM.
 */
int journal_append(struct journal *j, const void *line, size_t n, uint64_t *seq);
int journal_flush(struct journal *j);		/* wait until all that was appended is synced; the first error since the last flush */
uint64_t journal_durable_seq(struct journal *j);	/* lines with a smaller number are synced */
int journal_wait_durable(struct journal *j, uint64_t seq, unsigned timeout_ms);	/* until durable_seq is above seq: 0; -ETIMEDOUT */
int journal_durable_fd(struct journal *j);	/* eventfd, readable when durable_seq moved */
void journal_close(struct journal *j);		/* flush, checkpoint, join; gives up on a failing disk after 3 s and says so by the error callback */

/* Lines with a smaller number may be deleted by retention; before the first call none may. */
void journal_release(struct journal *j, uint64_t seq);

/* The head for a sink's batch: "segment:lines:root hex" of the last checkpointed state. */
int journal_head(struct journal *j, char out[160]);

/*
 * A durable cursor: reads lines in order from a journal directory (also while it is written), remembers its place in <dir>/cursors/<name>.
 * Single-threaded per cursor; works without a struct journal (tail, export).
 */
struct journal_cursor;
struct journal_line {
	uint64_t seq;
	const char *text;		/* valid until the next read; no newline */
	size_t len;
};
int journal_cursor_open(const char *dir, const char *name, struct journal_cursor **out);	/* name NULL: not durable, from the first line */
bool journal_cursor_restarted(const struct journal_cursor *c);	/* its file was damaged or of another journal: it begins at the first line again */
int journal_cursor_seek(struct journal_cursor *c, uint64_t seq);	/* UINT64_MAX: behind the last line */
void journal_cursor_limit(struct journal_cursor *c, uint64_t seq);	/* read only lines before it (journal_durable_seq) */
int journal_cursor_read(struct journal_cursor *c, struct journal_line *out);	/* 1 a line, 0 nothing more now, -errno; never returns a torn line */
uint64_t journal_cursor_next(const struct journal_cursor *c);	/* number of the line that read gives next; after a seek to UINT64_MAX: the end */
int journal_cursor_commit(struct journal_cursor *c, uint64_t next_seq);	/* durable: everything before next_seq is done */
/* The same, and the receiver has confirmed this signed state (journal_head()'s text; NULL: no other than before). */
int journal_cursor_commit_head(struct journal_cursor *c, uint64_t next_seq, const char *head);
uint64_t journal_cursor_committed(const struct journal_cursor *c);
void journal_cursor_close(struct journal_cursor *c);

/* A number of the line's outermost object ("time": milliseconds); -ENOENT. */
int journal_line_u64(const char *text, size_t n, const char *key, uint64_t *out);

/* Offline verification from the files and a public key alone. */
#define JOURNAL_WITNESSES_MAX 32
struct journal_witness {
	char name[65];			/* the sink's */
	uint64_t seq;			/* lines before it are under the state that it was sent */
	uint64_t time_ms;		/* when that state was signed */
	char state[160];		/* as its receiver has it */
};
struct journal_report {
	uint64_t segments, lines, checkpoints;
	uint64_t anchored_seq;		/* lines before it are under a valid signature */
	uint64_t unsigned_lines;	/* behind the last checkpoint: self-asserted */
	char first_error[400];		/* names segment, line and what is wrong; empty when all is well */
	uint64_t anchored_ms;		/* the time that this signature states */
	uint64_t torn_bytes;		/* of an unfinished line at the very end: not counted, not an error */
	uint64_t key_epoch;		/* of the last segment, which alone the present key signs: */
	uint64_t epoch_seq, epoch_ms;	/* its first line, and since when */
	bool ends_closed;		/* the last segment is closed, and none follows: a crash in a rotation, or one was cut off */
	uint64_t first_seq;		/* of the first segment here; above 1: what was before it was retired by retention, */
	uint64_t retired_ms;		/* says a signed header of that time */
	struct journal_witness witnesses[JOURNAL_WITNESSES_MAX];	/* receivers that confirmed a signed state which is in this journal */
	size_t witness_count;
	bool head_found;		/* journal_verify_head: the witnessed state is part of this journal */
};
/* The key: journal.pub, or that of the first segment here. 0, -EBADMSG; -EPROTONOSUPPORT: of another format; -errno. */
int journal_verify(const char *dir, const uint8_t public_key[ED25519_KEY_BYTES], struct journal_report *out);
/* The same, and the journal must contain the state `head` (journal_head()'s text), as somebody else remembers it: finds a cut tail too. -ENODATA: retired. */
int journal_verify_head(const char *dir, const uint8_t public_key[ED25519_KEY_BYTES], const char *head, struct journal_report *out);
int journal_public_key(const char *key_dir, uint8_t out[ED25519_KEY_BYTES]);	/* <key_dir>/journal.pub */

#endif
