/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include "base/counter.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/spine.h"
#include "engine/version.h"

#define REDACT_KEY_FILE "redact.key"
#define STEP_NS 1000000		/* the wall clock may stray so far from what events say */

static void cursor_close_p(struct journal_cursor **c)
{
	journal_cursor_close(*c);
}

static int64_t wall_offset(void)
{
	return (int64_t)(clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME));
}

/* ---- what waits for room in the journal ---- */
/* Records may fill the backlog up to here; the rest of it is for notices, which must not be lost. */
#define RECORDS_BYTES (SPINE_BACKLOG_BYTES - (8u << 20))

static int backlog_add(struct spine *s, const struct buf *line, size_t limit)
{
	uint32_t n = line->len;

	if (s->backlog.len - s->backlog_at + line->len + sizeof(n) > limit)
		return -EOVERFLOW;
	buf_add(&s->backlog, &n, sizeof(n));
	buf_add(&s->backlog, line->data, line->len);
	return s->backlog.err;
}

static int line_append(struct spine *s, const void *line, size_t n)
{
	uint64_t seq;
	int err = journal_append(s->journal, line, n, &seq);

	if (!err)
		s->next_line = seq + 1;
	return err;
}

/* What waited goes first, in order. */
static void backlog_flush(struct spine *s)
{
	while (s->backlog_at < s->backlog.len) {
		const char *at = s->backlog.data + s->backlog_at;
		uint32_t n;

		memcpy(&n, at, sizeof(n));
		if (line_append(s, at + sizeof(n), n) == -ENOBUFS)
			return;
		s->backlog_at += sizeof(n) + n;
	}
	if (s->backlog.cap > 1u << 20)
		buf_done(&s->backlog);	/* a flood's memory is given back */
	buf_reset(&s->backlog);
	s->backlog_at = 0;
}

bool spine_blocked(struct spine *s)
{
	backlog_flush(s);
	return s->backlog.len;
}

/* The line in s->line, to the journal or behind what waits. */
static int line_out(struct spine *s, size_t limit)
{
	int err = spine_blocked(s) ? -ENOBUFS : line_append(s, s->line.data, s->line.len);

	if (err == -ENOBUFS)
		err = backlog_add(s, &s->line, limit);
	if (err) {
		count_add(COUNT_JOURNAL_DROPPED, 1);
		s->dropped++;
	}
	return err;
}

/* ---- notices ---- */
int spine_notice(struct spine *s, const struct event_notice *n)
{
	int err = events_notice(s->events, n, &s->line);

	if (err)
		return log_err(err, "a notice could not be encoded");
	return line_out(s, SPINE_BACKLOG_BYTES);
}

static void on_gap(void *ctx, const struct seq_gap *gap)
{
	struct event_notice n = { .kind = NOTICE_GAP, .time_ns = clock_boot_ns(), .count = gap->count, .has_ring = true, .ring = gap->ring,
		.cpu = gap->cpu, .first_seq = gap->first, .last_seq = gap->first + gap->count - 1 };

	count_add(COUNT_EVENTS_LOST, gap->count);
	(void)spine_notice(ctx, &n);
}

int spine_heartbeat(struct spine *s, const char *text)
{
	struct event_notice n = { .kind = NOTICE_HEARTBEAT, .time_ns = clock_boot_ns(), .text = text };
	const struct seq_stream *from;
	_free_ struct event_stream *streams = NULL;
	_free_ struct event_range *holes = NULL;
	size_t count = 0, at = 0;

	while (seqtrack_stream(s->seq, count))
		count++;
	streams = calloc(count + 1, sizeof(*streams));
	holes = calloc(count * SEQ_HOLES_MAX + 1, sizeof(*holes));
	if (!streams || !holes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		from = seqtrack_stream(s->seq, i);
		streams[i] = (struct event_stream){ .ring = from->ring, .cpu = from->cpu, .high = from->high, .holes = holes + at,
			.hole_count = from->hole_count };
		for (size_t h = 0; h < from->hole_count; h++)
			holes[at++] = (struct event_range){ from->holes[h].first, from->holes[h].last };
	}
	n.streams = streams;
	n.stream_count = count;
	return spine_notice(s, &n);
}

/* ---- records ---- */
int spine_record(struct spine *s, const void *record, size_t size, struct rec_head *head)
{
	enum seq_fate fate;
	int err = event_head(record, size, head);

	if (!err)
		err = events_record(s->events, record, size, &s->line);
	if (err) {
		count_add(COUNT_EVENTS_BAD, 1);
		s->bad++;
		return err;
	}
	count_add(COUNT_EVENTS_DECODED, 1);
	err = line_out(s, RECORDS_BYTES);
	if (err)
		return err;
	/* only what is queued counts as seen: whatever was lost on the way is a hole, and in the end a gap with its exact count */
	if (!seqtrack_see(s->seq, head->ring, head->cpu, head->seq, clock_mono_ms(), &fate) && fate == SEQ_LATE)
		count_add(COUNT_EVENTS_LATE, 1);
	return 0;
}

static void tell_lost(struct spine *s, enum event_notice_kind kind, uint64_t *count)
{
	struct event_notice n = { .kind = kind, .time_ns = clock_boot_ns(), .count = *count };

	if (*count && !spine_notice(s, &n))
		*count = 0;
}

void spine_tick(struct spine *s)
{
	int64_t offset = wall_offset(), moved = offset - s->wall_offset_ns;

	if (moved > STEP_NS || moved < -STEP_NS) {
		s->wall_offset_ns = offset;
		events_set_wall_offset(s->events, offset);
	}
	backlog_flush(s);
	seqtrack_expire(s->seq, clock_mono_ms(), false);
	tell_lost(s, NOTICE_JOURNAL_DROP, &s->dropped);
	tell_lost(s, NOTICE_BAD_RECORD, &s->bad);
}

void spine_reached(struct spine *s, uint32_t ring, uint32_t cpu, uint64_t seq)
{
	if (seq)
		(void)seqtrack_reached(s->seq, ring, cpu, seq, clock_mono_ms());	/* a CPU beyond belief: its records are not either */
}

/* ---- resuming ---- */
struct resume {
	struct spine *spine;
	uint64_t now_ms;
	bool found;
};

static void on_seq(void *ctx, enum event_seq_kind kind, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last)
{
	struct resume *r = ctx;
	struct seqtrack *t = r->spine->seq;
	enum seq_fate fate;

	/* our own journal, read back: a number that cannot be is as good as not there */
	switch (kind) {
	case EVENT_SEQ_RECORD:
		(void)seqtrack_see(t, ring, cpu, first, r->now_ms, &fate);
		return;
	case EVENT_SEQ_STREAM:
		(void)seqtrack_restore(t, ring, cpu, last);
		return;
	case EVENT_SEQ_HOLE:
		(void)seqtrack_restore_hole(t, ring, cpu, first, last, r->now_ms);
		return;
	case EVENT_SEQ_GAP:
		(void)seqtrack_declared(t, ring, cpu, first, last - first + 1, r->now_ms);
		return;
	}
}

/* Is this line a heartbeat of this boot? Walks without telling anybody. */
static void ignore(void *ctx, enum event_seq_kind kind, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last)
{
	(void)ctx, (void)kind, (void)ring, (void)cpu, (void)first, (void)last;
}

static bool our_heartbeat(struct spine *s, const struct journal_line *line)
{
	bool heartbeat = false;
	char boot[40] = "";

	if (!memmem(line->text, line->len, "heartbeat", 9))
		return false;	/* spares a parse of nearly every line */
	return !event_seq_walk(line->text, line->len, ignore, NULL, &heartbeat, boot) && heartbeat && !strcmp(boot, s->boot_id);
}

static int last_heartbeat(struct spine *s, struct journal_cursor *c, uint64_t from, uint64_t *at)
{
	struct journal_line line;
	int r, err = journal_cursor_seek(c, from);

	if (err)
		return err;
	err = -ENODATA;
	while ((r = journal_cursor_read(c, &line)) == 1) {
		if (our_heartbeat(s, &line)) {
			*at = line.seq;
			err = 0;
		}
	}
	return r < 0 ? r : err;
}

static int walk_from(struct spine *s, struct journal_cursor *c, uint64_t from)
{
	struct resume resume = { .spine = s, .now_ms = clock_mono_ms() };
	struct journal_line line;
	int r, err = journal_cursor_seek(c, from);

	while (!err && (r = journal_cursor_read(c, &line)) == 1) {
		bool heartbeat;
		char boot[40];

		(void)event_seq_walk(line.text, line.len, on_seq, &resume, &heartbeat, boot);	/* lines without numbers are most of them */
	}
	return err ? err : r;
}

int spine_resume(struct spine *s, const char *journal_dir, uint64_t next_seq)
{
	_cleanup_(cursor_close_p) struct journal_cursor *c = NULL;
	uint64_t window = 4096, from, at = 0;
	int err = journal_cursor_open(journal_dir, NULL, &c);

	if (err)
		return err;
	/* heartbeats come every few seconds: the last one is near the end, but a flood may have pushed it away */
	for (;; window *= 16) {
		from = next_seq > window ? next_seq - window : 0;
		err = last_heartbeat(s, c, from, &at);
		if (err != -ENODATA || !from)
			break;
	}
	if (!err)
		err = walk_from(s, c, at);
	if (err)
		seqtrack_begin_blind(s->seq);
	return err;
}

/* ---- life ---- */
static int redact_key(const char *dir, uint8_t key[32])
{
	_close_ int fd = -1;
	_free_ char *bytes = NULL;
	size_t len;
	int err = dir_make(dir, 0700);

	if (err)
		return err;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = file_slurp_at(fd, REDACT_KEY_FILE, 32, &bytes, &len);
	if (!err && len == 32) {
		memcpy(key, bytes, 32);
		return 0;
	}
	if (err && err != -ENOENT)
		return err;
	err = hash_random(key, 32);
	return err ? err : file_replace_at(fd, REDACT_KEY_FILE, key, 32, 0600);
}

int spine_open(struct spine *s, const struct spine_options *o, struct journal_recovery *found)
{
	uint8_t key[32];
	struct event_options events = { .host = o->host, .boot_id = o->boot_id, .version = BAILIFF_VERSION, .wall_offset_ns = wall_offset(),
		.redact_key = key, .redact_key_bytes = sizeof(key), .source = o->source };
	int err;

	*s = (struct spine){ .wall_offset_ns = events.wall_offset_ns };
	snprintf(s->boot_id, sizeof(s->boot_id), "%s", o->boot_id);
	err = redact_key(o->key_dir, key);
	if (err)
		return log_err(err, "%s/%s, the key of the hashes that stand for secrets", o->key_dir, REDACT_KEY_FILE);
	err = events_new(&events, &s->events);
	explicit_bzero(key, sizeof(key));
	if (!err)
		err = seqtrack_new(on_gap, s, &s->seq);
	if (!err)
		err = journal_open(&o->journal, &s->journal, found);
	return err;
}

void spine_close(struct spine *s)
{
	if (s->journal) {
		spine_tick(s);
		journal_close(s->journal);
	}
	seqtrack_free(s->seq);
	events_free(s->events);
	buf_done(&s->line);
	buf_done(&s->backlog);
	if (s->dropped)
		log_err(0, "%llu event%s found no room in the journal", (unsigned long long)s->dropped, PLURAL(s->dropped));
	*s = (struct spine){ 0 };
}
