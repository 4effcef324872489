/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines are durable before their hashes are written (writer.c), which is what tells a crash from damage: behind the stored hashes may stand
 * lines of a last commit, torn anywhere; in front of them nothing may be missing or different. When a line and its hash disagree, the next
 * checkpoint is the judge of which of the two was changed, so two trees are kept from there on.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include "journal/keys.h"
#include "journal/leaf.h"
#include "journal/scan.h"

enum bad_how { BAD_CHANGED, BAD_REMOVED, BAD_INSERTED };

struct scan {
	struct segment_scan *out;
	struct segment_state *states;
	size_t state_count;
	struct leaf_reader leaf;
	uint8_t hash[HASH_BYTES];	/* of the present line */
	uint64_t torn_at;		/* number of the first that is no line, behind the stored hashes; 0: none */
	uint64_t bad_line;		/* first line that differs from its hash */
	enum bad_how bad_how;
	uint8_t bad_stored[HASH_BYTES];	/* the hash that it should have had */
	struct tree stored;		/* of the stored hashes, from bad_line on */
};

__attribute__((format(printf, 2, 3))) static void damage(struct scan *s, const char *fmt, ...)
{
	char *out = s->out->damage;
	va_list ap;
	int n;

	if (*out)
		return;
	n = snprintf(out, DAMAGE_MAX, "segment %020llu ", (unsigned long long)s->out->first);
	va_start(ap, fmt);
	vsnprintf(out + n, DAMAGE_MAX - n, fmt, ap);
	va_end(ap);
}

static unsigned long long line_now(const struct scan *s)
{
	return s->out->lines + 1;
}

/* What a crash can leave behind the last commit are pieces of lines and blocks of zeros, not this. */
static bool line_is_whole(const char *text, size_t n)
{
	return n >= 2 && text[0] == '{' && text[n - 1] == '}' && !memchr(text, 0, n);
}

static void check_header(struct scan *s, const char *text, size_t n)
{
	int err = header_parse(text, n, &s->out->header);

	if (err == -EPROTONOSUPPORT)
		damage(s, "line 1: is of another format than %d, the one that is read here", JOURNAL_FORMAT);
	else if (err)
		damage(s, "line 1: is not the header of a segment");
	else if (s->out->header.segment != s->out->first)
		damage(s, "line 1: is the header of segment %020llu", (unsigned long long)s->out->header.segment);
	else
		s->out->has_header = true;
}

/* A line and its hash disagree: which of the two histories does the checkpoint in the present line confirm? */
static int judge_bad_line(struct scan *s, const struct journal_checkpoint *c, const uint8_t root[HASH_BYTES])
{
	unsigned long long bad = s->bad_line, at = line_now(s);
	uint8_t stored[HASH_BYTES];
	int err = tree_root(&s->stored, stored);

	if (err)
		return err;
	if (!memcmp(c->root, root, HASH_BYTES))
		damage(s, "line %llu: does not match its leaf hash; the checkpoint in line %llu confirms the line: the .leaf file was changed", bad, at);
	else if (!memcmp(c->root, stored, HASH_BYTES))
		damage(s, "line %llu: does not match its leaf hash; the checkpoint in line %llu confirms the hash: the line was changed", bad, at);
	return 0;
}

/* Why the fields of this checkpoint cannot be right here, whatever the root. */
static const char *checkpoint_misfit(const struct segment_scan *o, const struct journal_checkpoint *c)
{
	if (memcmp(c->id, o->header.id, sizeof(c->id)) || c->segment != o->first)
		return "is the checkpoint of another segment or journal";
	if (c->key_epoch != o->header.key_epoch)
		return "is a checkpoint of another key epoch than the header";
	if (keys_verify_checkpoint(o->header.key, c))
		return "is a checkpoint with a signature that is not by the key of this segment: forged or changed";
	return NULL;
}

static int check_root(struct scan *s, const struct journal_checkpoint *c)
{
	unsigned long long at = line_now(s);
	uint8_t root[HASH_BYTES];
	int err = tree_root(&s->out->tree, root);

	if (err)
		return err;
	if (s->bad_line)
		return c->lines == s->out->lines ? judge_bad_line(s, c, root) : 0;
	if (c->lines != s->out->lines)
		damage(s, "line %llu: the checkpoint covers %llu lines but stands behind %llu: lines were removed or put in before it", at,
		       (unsigned long long)c->lines, at - 1);
	else if (memcmp(c->root, root, HASH_BYTES))
		damage(s, "lines 1 to %llu: do not give the root that the checkpoint in line %llu signs: at least one was changed", at - 1, at);
	return 0;
}

static void check_state(struct scan *s)
{
	uint8_t root[HASH_BYTES];

	for (size_t i = 0; i < s->state_count; i++) {
		struct segment_state *w = &s->states[i];

		if (w->segment == s->out->first && w->lines == s->out->lines && !tree_root(&s->out->tree, root))
			w->found = !memcmp(root, w->root, HASH_BYTES);
	}
}

static void date_states(struct scan *s, const struct journal_checkpoint *c)
{
	for (size_t i = 0; i < s->state_count; i++) {
		if (s->states[i].found && s->states[i].segment == c->segment && s->states[i].lines == c->lines)
			s->states[i].time_ms = c->time_ms;
	}
}

static int check_checkpoint(struct scan *s, const char *text, size_t n)
{
	struct segment_scan *o = s->out;
	struct journal_checkpoint c;
	const char *misfit = checkpoint_parse(text, n, &c) ? "is a malformed checkpoint" : checkpoint_misfit(o, &c);
	int err;

	if (misfit && s->bad_line && s->bad_line < line_now(s))
		return 0;	/* no judge, and not the first thing that is wrong */
	if (misfit) {
		damage(s, "line %llu: %s", line_now(s), misfit);
		return 0;
	}
	err = check_root(s, &c);
	if (err || *o->damage || s->bad_line)
		return err;
	o->last = c;
	o->checkpoints++;
	o->ends_signed = true;
	date_states(s, &c);
	return 0;
}

static int check_content(struct scan *s, const char *text, size_t n)
{
	struct segment_scan *o = s->out;

	if (!o->lines) {
		check_header(s, text, n);
		return 0;
	}
	if (o->ends_signed && o->last.closes)
		damage(s, "line %llu: stands behind the checkpoint that closes the segment", line_now(s));
	o->ends_signed = false;
	if (line_is_checkpoint(text, n))
		return check_checkpoint(s, text, n);
	if (line_is_own(text, n))
		damage(s, "line %llu: poses as a line of the journal itself", line_now(s));
	return 0;
}

static void note_bad_line(struct scan *s, const uint8_t stored[HASH_BYTES])
{
	s->bad_line = line_now(s);
	s->bad_how = leaf_reader_peek_is(&s->leaf, s->hash) ? BAD_REMOVED : BAD_CHANGED;
	memcpy(s->bad_stored, stored, HASH_BYTES);
	s->stored = s->out->tree;
}

/* From the first missing hash on, ours are kept, to be written anew. */
static int keep_leaf(struct scan *s)
{
	if (!s->out->missing.len)
		s->out->good_leaves = s->out->lines;
	buf_add(&s->out->missing, s->hash, HASH_BYTES);
	return s->out->missing.err;
}

/*
 * Compare with the stored hash. *out: the stored one, or NULL. A hash of zeros was never written: a power cut in the middle of a commit leaves
 * such sectors. Taking it for missing gives nothing away: the line is still under the next checkpoint's root.
 */
static int check_leaf(struct scan *s, const uint8_t **out)
{
	static const uint8_t unwritten[HASH_BYTES];
	const uint8_t *stored = NULL;
	int got = leaf_reader_next(&s->leaf, &stored), err = 0;

	if (got < 0)
		return got;
	if (got && !memcmp(stored, unwritten, HASH_BYTES))
		got = 0;
	*out = got ? stored : NULL;
	if (!got || s->out->missing.len)
		err = keep_leaf(s);
	if (s->bad_line && line_now(s) == s->bad_line + 1 && !memcmp(s->bad_stored, s->hash, HASH_BYTES))
		s->bad_how = BAD_INSERTED;
	if (!err && got && !s->bad_line && memcmp(stored, s->hash, HASH_BYTES))
		note_bad_line(s, stored);
	return err;
}

/* Behind a torn line only the rest of the same crash may stand; what was signed had been durable. */
static void check_behind_torn(struct scan *s, const char *text, size_t n)
{
	struct journal_checkpoint c;

	if (line_is_checkpoint(text, n) && !checkpoint_parse(text, n, &c) && !checkpoint_misfit(s->out, &c))
		damage(s, "line %llu: is damaged, and a signed checkpoint stands behind it", (unsigned long long)s->torn_at);
}

/* Check the present line against all that came before, then let it grow the tree. */
static int scan_line(struct scan *s, const char *text, size_t n)
{
	struct segment_scan *o = s->out;
	const uint8_t *stored = NULL;
	int err;

	if (!s->torn_at && o->lines >= o->leaves && !line_is_whole(text, n))
		s->torn_at = line_now(s);
	if (s->torn_at) {
		check_behind_torn(s, text, n);
		return 0;
	}
	err = tree_leaf(text, n, s->hash);
	if (!err)
		err = check_leaf(s, &stored);
	if (!err)
		err = check_content(s, text, n);
	if (!err)
		err = tree_add(&o->tree, s->hash);
	if (!err && s->bad_line)
		err = tree_add(&s->stored, stored ? stored : s->hash);
	if (err)
		return err;
	o->lines++;
	o->size += n + 1;
	check_state(s);
	return 0;
}

static int scan_lines(struct scan *s, struct line_reader *r)
{
	while (!*s->out->damage) {
		const char *text;
		size_t n;
		int got = line_reader_next(r, &text, &n);

		if (got == -EMSGSIZE)
			damage(s, "line %llu: is longer than any line may be", line_now(s));
		else if (got <= 0)
			return got;
		else
			got = scan_line(s, text, n);
		if (got < 0 && got != -EMSGSIZE)
			return got;
	}
	return 0;
}

/* The lines have ended: what is still open? */
static void check_end(struct scan *s)
{
	static const char *const how[] = {
		[BAD_CHANGED] = "does not match its leaf hash",
		[BAD_REMOVED] = "does not match its leaf hash but that of the next line: a line was removed here",
		[BAD_INSERTED] = "does not match its leaf hash, which is that of the next line: a line was put in here",
	};
	const struct segment_scan *o = s->out;

	if (s->bad_line)
		damage(s, "line %llu: %s", (unsigned long long)s->bad_line, how[s->bad_how]);
	if (o->leaves > o->lines)
		damage(s, "line %llu: is missing with all behind it; their %llu leaf hashes are there", line_now(s),
		       (unsigned long long)(o->leaves - o->lines));
}

static int scan_run(struct scan *s, int fd)
{
	struct line_reader r;
	struct stat st;
	int err;

	line_reader_init(&r, fd);
	err = scan_lines(s, &r);
	line_reader_done(&r);
	if (err)
		return err;
	check_end(s);
	if (fstat(fd, &st))
		return -errno;
	if (!s->out->missing.len)
		s->out->good_leaves = s->out->lines;
	s->out->torn_bytes = (uint64_t)st.st_size > s->out->size ? st.st_size - s->out->size : 0;
	return 0;
}

int segment_scan(int dirfd, uint64_t first, struct segment_state *states, size_t count, struct segment_scan *out)
{
	_free_ struct scan *s = calloc(1, sizeof(*s));
	_close_ int fd = -1, leaf_fd = -1;
	int err;

	*out = (struct segment_scan){ .first = first };
	if (!s)
		return -ENOMEM;
	s->out = out;
	s->states = states;
	s->state_count = count;
	err = leaf_reader_open(dirfd, first, &s->leaf);	/* first, so that a living journal never shows more hashes than lines */
	leaf_fd = s->leaf.fd;
	if (err)
		return err;
	out->leaves = s->leaf.count;
	fd = segment_open(dirfd, first, "jsonl", O_RDONLY);
	if (fd < 0)
		return fd;
	err = scan_run(s, fd);
	if (err)
		segment_scan_done(out);
	return err;
}

void segment_scan_done(struct segment_scan *s)
{
	buf_done(&s->missing);
}
