/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Per stream the highest number seen and the open holes below it, both small: a hole is one range, whatever it spans. The number
 * of open holes is bounded, because a hostile kernel side is not expected but a very unlucky one is.
 */
#include "engine/seqtrack.h"

struct seqtrack {
	struct seq_stream *streams;
	size_t count, cap;
	bool blind;
	seq_gap_fn fn;
	void *ctx;
};

int seqtrack_new(seq_gap_fn fn, void *ctx, struct seqtrack **out)
{
	struct seqtrack *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->fn = fn;
	t->ctx = ctx;
	*out = t;
	return 0;
}

void seqtrack_free(struct seqtrack *t)
{
	if (!t)
		return;
	free(t->streams);
	free(t);
}

void seqtrack_begin_blind(struct seqtrack *t)
{
	t->blind = true;
}

const struct seq_stream *seqtrack_stream(const struct seqtrack *t, size_t i)
{
	return i < t->count ? &t->streams[i] : NULL;
}

static int stream_get(struct seqtrack *t, uint32_t ring, uint32_t cpu, struct seq_stream **out)
{
	struct seq_stream *s;

	for (size_t i = 0; i < t->count; i++) {
		s = &t->streams[i];
		if (s->ring == ring && s->cpu == cpu) {
			*out = s;
			return 0;
		}
	}
	if (cpu >= SEQ_CPUS_MAX || t->count >= 2 * SEQ_CPUS_MAX)
		return -EINVAL;
	if (t->count == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 8;
		void *more = reallocarray(t->streams, cap, sizeof(*s));

		if (!more)
			return -ENOMEM;
		t->streams = more;
		t->cap = cap;
	}
	s = &t->streams[t->count++];
	*s = (struct seq_stream){ .ring = ring, .cpu = cpu, .blind = t->blind };
	*out = s;
	return 0;
}

static void hole_remove(struct seq_stream *s, size_t i)
{
	s->hole_count--;
	memmove(&s->holes[i], &s->holes[i + 1], (s->hole_count - i) * sizeof(s->holes[0]));
}

static void hole_declare(struct seqtrack *t, struct seq_stream *s, size_t i)
{
	struct seq_hole h = s->holes[i];
	struct seq_gap gap = { .ring = s->ring, .cpu = s->cpu, .first = h.first, .count = h.last - h.first + 1 };

	hole_remove(s, i);
	if (t->fn)
		t->fn(t->ctx, &gap);
}

static void hole_insert(struct seqtrack *t, struct seq_stream *s, struct seq_hole h)
{
	size_t at;

	if (s->hole_count == SEQ_HOLES_MAX)
		hole_declare(t, s, 0);
	for (at = s->hole_count; at > 0 && s->holes[at - 1].first > h.first; at--)
		s->holes[at] = s->holes[at - 1];
	s->holes[at] = h;
	s->hole_count++;
}

/* Take first..last out of the open holes. True when anything of it was open. */
static bool holes_fill(struct seqtrack *t, struct seq_stream *s, uint64_t first, uint64_t last)
{
	bool any = false;

	for (size_t i = 0; i < s->hole_count;) {
		struct seq_hole h = s->holes[i];

		if (h.last < first || h.first > last) {
			i++;
			continue;
		}
		any = true;
		if (h.first < first && h.last > last) {	/* in the middle: two holes now */
			s->holes[i].last = first - 1;
			hole_insert(t, s, (struct seq_hole){ last + 1, h.last, h.since_ms });
			break;
		}
		if (h.first < first)
			s->holes[i++].last = first - 1;
		else if (h.last > last)
			s->holes[i++].first = last + 1;
		else
			hole_remove(s, i);
	}
	return any;
}

/* Everything up to seq exists: what was skipped is an open hole. */
static void stream_advance(struct seqtrack *t, struct seq_stream *s, uint64_t seq, bool seen, uint64_t now_ms)
{
	uint64_t last = seen ? seq - 1 : seq;

	if (s->blind)
		s->blind = false;
	else if (last > s->high)
		hole_insert(t, s, (struct seq_hole){ s->high + 1, last, now_ms });
	s->high = seq;
}

int seqtrack_see(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t seq, uint64_t now_ms, enum seq_fate *fate)
{
	struct seq_stream *s;
	int err = seq ? stream_get(t, ring, cpu, &s) : -EINVAL;

	if (err)
		return err;
	*fate = SEQ_NEW;
	if (seq > s->high)
		stream_advance(t, s, seq, true, now_ms);
	else if (!holes_fill(t, s, seq, seq))
		*fate = SEQ_LATE;
	return 0;
}

int seqtrack_reached(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t seq, uint64_t now_ms)
{
	struct seq_stream *s;
	int err = stream_get(t, ring, cpu, &s);

	if (!err && seq > s->high)
		stream_advance(t, s, seq, false, now_ms);
	return err;
}

void seqtrack_expire(struct seqtrack *t, uint64_t now_ms, bool all)
{
	for (size_t i = 0; i < t->count; i++) {
		struct seq_stream *s = &t->streams[i];

		for (size_t h = 0; h < s->hole_count;) {
			if (all || now_ms - s->holes[h].since_ms >= SEQ_GRACE_MS)
				hole_declare(t, s, h);
			else
				h++;
		}
	}
}

int seqtrack_restore(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t high)
{
	struct seq_stream *s;
	int err = stream_get(t, ring, cpu, &s);

	if (err)
		return err;
	s->high = high;
	s->blind = false;
	s->hole_count = 0;
	return 0;
}

int seqtrack_restore_hole(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last, uint64_t now_ms)
{
	struct seq_stream *s;
	int err = stream_get(t, ring, cpu, &s);

	if (err)
		return err;
	if (!first || first > last || last > s->high)
		return -EINVAL;
	hole_insert(t, s, (struct seq_hole){ first, last, now_ms });
	return 0;
}

int seqtrack_declared(struct seqtrack *t, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t count, uint64_t now_ms)
{
	struct seq_stream *s;
	int err = first && count && first + count > first ? stream_get(t, ring, cpu, &s) : -EINVAL;

	if (err)
		return err;
	if (first + count - 1 > s->high)
		stream_advance(t, s, first + count - 1, false, now_ms);
	(void)holes_fill(t, s, first, first + count - 1);
	return 0;
}
