/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches are cut by bytes as encoded and by number of events. A line that no longer fits is held for the next batch: it was read, and the
 * cursor cannot give it back. Only durable lines are read, so nothing is ever told to a receiver that a power cut could take back here.
 */
#include "sink/feed.h"

#define LINES_A_BATCH 50000u	/* a filter that lets nothing by has to come up for air */

void feed_drop(struct feed *f)
{
	buf_reset(&f->body);
	f->events = f->first = f->end = 0;
}

static int look(struct feed *f)
{
	int got;

	if (f->has_held)
		return 1;
	if (f->journal)
		journal_cursor_limit(f->cursor, journal_durable_seq(f->journal));
	got = journal_cursor_read(f->cursor, &f->held);
	f->has_held = got == 1;
	if (f->has_held)
		f->at = f->held.seq;
	return got == -EBADMSG ? 0 : got;	/* damage at the journal's end: nothing follows it yet */
}

bool feed_waiting(struct feed *f)
{
	return look(f) > 0;
}

static int seek(struct feed *f, uint64_t seq)
{
	int err;

	if (f->at == seq)
		return 0;
	f->has_held = false;
	err = journal_cursor_seek(f->cursor, seq);
	if (!err)
		f->at = seq;
	return err;
}

/*
 * Telemetry is an event of the classes that the kernel's records have, without a decision. Asked of the line's outermost numbers, so that what
 * a name in it says is no answer.
 */
static bool is_telemetry(const struct journal_line *l)
{
	uint64_t class_uid, disposition;

	if (journal_line_u64(l->text, l->len, "class_uid", &class_uid))
		return true;	/* a line of the journal's own */
	if (class_uid == 1008 || class_uid == 5019 || class_uid == 6002)
		return false;
	return journal_line_u64(l->text, l->len, "disposition_id", &disposition) != 0;
}

static bool wanted(const struct sink_filter *f, const struct journal_line *l)
{
	uint64_t severity;

	if (f->min_severity && (journal_line_u64(l->text, l->len, "severity_id", &severity) || severity < f->min_severity))
		return false;
	return !f->security || !is_telemetry(l);
}

static void pass_over(struct feed *f)
{
	f->has_held = false;
	f->at = f->held.seq + 1;
}

/* -EFBIG: the held line did not fit and is held on. */
static int add_held(struct feed *f, size_t max_bytes)
{
	size_t before = f->body.len;
	int err = f->dialect->encode(f->d, &f->held, f->limit, &f->body);

	if (err)
		return err;
	if (before && f->body.len > max_bytes) {
		f->body.len = before;
		return -EFBIG;
	}
	f->events++;
	pass_over(f);
	return 0;
}

static int seal(struct feed *f)
{
	f->head[0] = 0;
	if (!f->events || !f->journal || journal_head(f->journal, f->head))
		return 0;
	return f->dialect->seal(f->d, f->head, &f->body);
}

static int fill(struct feed *f, uint64_t end, size_t max_bytes, size_t limit)
{
	size_t lines = 0;
	int err = 0, got = 1;

	feed_drop(f);
	f->limit = limit;
	while (!err && f->events < SINK_BATCH_EVENTS && lines++ < LINES_A_BATCH && (got = look(f)) > 0 && f->held.seq < end) {
		if (wanted(&f->filter, &f->held))
			err = add_held(f, max_bytes);
		else
			pass_over(f);
	}
	if (got < 0)
		return got;
	return err && err != -EFBIG ? err : seal(f);
}

int feed_next(struct feed *f, uint64_t from, uint64_t *first, uint64_t *end)
{
	int err = from ? seek(f, from) : 0, got;

	if (err)
		return err;
	got = look(f);
	if (got <= 0)
		return got;
	*first = f->held.seq;
	err = fill(f, UINT64_MAX, SINK_BATCH_BYTES, SINK_EVENT_BYTES);
	if (err) {
		feed_drop(f);
		return err;
	}
	f->first = *first;
	f->end = *end = f->at;
	return 1;
}

int feed_load(struct feed *f, uint64_t first, uint64_t end, size_t limit)
{
	int err;

	if (f->first == first && f->end == end && f->limit == limit)
		return 0;
	err = seek(f, first);
	if (!err)
		err = fill(f, end, SIZE_MAX, limit);	/* it was cut to size when it was taken */
	if (err) {
		feed_drop(f);
		return err;
	}
	f->first = first;
	f->end = end;
	return 0;
}

int feed_line(struct feed *f, uint64_t seq, struct journal_line *out)
{
	int err = seek(f, seq), got = err ? err : look(f);

	if (got <= 0 || f->held.seq != seq)
		return got < 0 ? got : 0;
	*out = f->held;
	return 1;
}
