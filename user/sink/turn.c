/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the thread does, turn by turn: the first of these that there is. Settle what is done; wait out a back-off; send the oldest range that
 * is to be sent; ask about open ones when it is time; take new lines from the journal; sleep. One request is under way at a time, so
 * order is kept, and whatever goes wrong leaves the range where it was.
 */
#include <stdio.h>
#include <time.h>
#include "sink/thread.h"

#define BACKOFF_MS	500u
#define ASK_MS		500u		/* first question after a batch; then doubling */
#define TAKE_MS		250u		/* a trickle of events makes four requests a second, not one per commit; a full batch does not wait */
#define LOOK_MS		200u		/* a sleeping thread looks up so often */
#define LOOK_FILES_MS	50u		/* the same without a journal that wakes it */
#define SMALL_EVENT	(16u << 10)	/* who refuses this as too long is misconfigured, not the event */
#define ROOM_TO_HALVE	16u		/* ranges kept free: halving 1,000 lines down to one takes ten */

uint64_t sink_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void nap(struct sink *s, uint64_t until)
{
	struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

	pthread_mutex_lock(&s->lock);
	if (!sink_stopping(s))
		pthread_cond_timedwait(&s->wake, &s->lock, &t);
	pthread_mutex_unlock(&s->lock);
}

/* ---- answers ---- */

/* Half a second, doubling, give or take 30 %, so that many hosts do not come back at once; or what the receiver asks for. */
static void back_off(struct sink *s, long wait_ms)
{
	uint64_t ms = wait_ms;

	if (wait_ms < 0) {
		s->backoff_ms = s->backoff_ms ? 2 * s->backoff_ms : BACKOFF_MS;
		if (s->backoff_ms > s->backoff_max_ms)
			s->backoff_ms = s->backoff_max_ms;
		s->random = s->random * 1664525u + 1013904223u;
		ms = s->backoff_ms * (700ull + (s->random >> 8) % 601) / 1000;
	}
	s->not_before = sink_clock_ms() + ms;
}

static void hold(struct sink *s, const struct sink_answer *a)
{
	back_off(s, a->wait_ms);
	if (a->wait_ms != 0)
		sink_trouble(s, TROUBLE_SEND, a->why);
}

static void hold_for_error(struct sink *s, const char *what, int err)
{
	struct sink_answer a = { .verdict = SINK_AGAIN, .wait_ms = -1 };

	snprintf(a.why, sizeof(a.why), "%s: %s", what, strerror(-err));
	hold(s, &a);
}

static void answered(struct sink *s)
{
	s->backoff_ms = 0;
	sink_healed(s, TROUBLE_SEND);
}

static void reject(struct sink *s, struct range *r, const struct sink_answer *a)
{
	struct sink_rejection j = { .sink = s->name, .seq = r->first, .status = a->status, .body = a->why };
	struct journal_line line;
	char uid[128] = "";

	if (feed_line(&s->feed, r->first, &line) > 0)
		event_uid(line.text, line.len, uid, sizeof(uid));
	j.uid = uid;
	if (s->cb.rejected && s->cb.rejected(s->cb.ctx, &j)) {
		back_off(s, 1000);
		return;
	}
	r->state = RANGE_DONE;
	r->head[0] = 0;
	sink_count(s, 0, 0, 1);
	answered(s);	/* it knows what it says */
}

/* Too long by itself: more of it is cut, down to a size that nobody can mean. */
static void shorten(struct sink *s, struct range *r, const struct sink_answer *a)
{
	size_t size = s->feed.body.len < r->limit ? s->feed.body.len : r->limit;

	if (size > SMALL_EVENT)
		r->limit = size / 4;
	else
		hold(s, a);
}

static void smaller(struct sink *s, struct range *r, const struct sink_answer *a)
{
	if (window_halve(&s->window, r))
		return;
	if (a->verdict == SINK_TOO_LONG)
		shorten(s, r, a);
	else
		reject(s, r, a);
}

static void opened(struct sink *s, struct range *r, const struct sink_ticket *t, const struct sink_answer *a)
{
	uint64_t ask_at;

	r->state = RANGE_OPEN;
	r->ticket = *t;
	r->events = s->feed.events;
	r->sent_ms = sink_clock_ms();
	if (a->forgot)
		(void)window_forget(&s->window, t->channel, r);
	s->ask_ms = s->ask_max_ms < ASK_MS ? s->ask_max_ms : ASK_MS;
	ask_at = r->sent_ms + s->ask_ms;
	if (window_open(&s->window) == 1 || ask_at < s->ask_at)
		s->ask_at = ask_at;
}

static void follow(struct sink *s, struct range *r, const struct sink_ticket *t, const struct sink_answer *a)
{
	if (a->weaker)
		sink_note(s, &s->weaker, a->why);
	switch (a->verdict) {
	case SINK_DONE:
		r->state = RANGE_DONE;
		sink_count(s, s->feed.events, 0, 0);
		break;
	case SINK_OPEN:
		opened(s, r, t, a);
		break;
	case SINK_AGAIN:
		hold(s, a);
		return;
	case SINK_SMALLER:
	case SINK_TOO_LONG:
		smaller(s, r, a);
		return;
	case SINK_NEVER:
		reject(s, r, a);
		return;
	}
	answered(s);
	if (a->wait_ms > 0)
		back_off(s, a->wait_ms);
}

/* ---- sending ---- */

static void send_range(struct sink *s, struct range *r)
{
	struct sink_answer a = { .verdict = SINK_AGAIN, .wait_ms = -1 };
	struct sink_ticket ticket = {};
	int err = feed_load(&s->feed, r->first, r->end, r->limit);

	if (err) {
		hold_for_error(s, "read the journal", err);
		return;
	}
	if (!s->feed.events) {
		r->state = RANGE_DONE;	/* a gap that damage left in the numbers */
		return;
	}
	if (r->sent_before)
		sink_count(s, 0, 1, 0);
	memcpy(r->head, s->feed.head, sizeof(r->head));
	s->feed.dialect->send(s->feed.d, &s->feed.body, r->sent_before, &ticket, &a);
	r->sent_before = true;
	follow(s, r, &ticket, &a);
}

static bool too_early(const struct sink *s)
{
	const struct feed *f = &s->feed;

	return f->journal && sink_clock_ms() < s->take_at && journal_durable_seq(f->journal) < f->at + SINK_BATCH_EVENTS;
}

static void note_skipped(struct sink *s, uint64_t from, uint64_t first)
{
	char why[200];

	snprintf(why, sizeof(why),
		 "lines %llu to %llu of the journal are gone and were never sent: retention deleted them (`required: true` prevents it), or damage did",
		 (unsigned long long)from, (unsigned long long)first - 1);
	sink_note(s, &s->skipped, why);
}

/* False: there is nothing to take, or it is not the time, or no room to hold it. */
static bool take_and_send(struct sink *s)
{
	struct window *w = &s->window;
	uint64_t from = w->n ? w->r[w->n - 1].end : s->status.committed_seq, first, end;
	int got;

	if (window_open(w) >= SINK_OPEN_BATCHES || w->n + ROOM_TO_HALVE > WINDOW_RANGES || too_early(s))
		return false;
	got = feed_next(&s->feed, from, &first, &end);
	if (got < 0)
		hold_for_error(s, "read the journal", got);
	if (got <= 0)
		return got < 0;
	if (journal_cursor_restarted(s->feed.cursor))
		sink_note(s, &s->restarted, "the stored place was damaged or of another journal: all is sent from the first line");
	if (from && first > from && !s->skipped)
		note_skipped(s, from, first);
	s->take_at = sink_clock_ms() + TAKE_MS;
	send_range(s, window_push(w, first, end));
	return true;
}

/* ---- acknowledgements ---- */

static bool confirm(struct sink *s, const size_t *index, const bool *confirmed, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct range *r = &s->window.r[index[i]];

		if (!confirmed[i])
			continue;
		any = true;
		r->state = RANGE_DONE;
		sink_count(s, r->events, 0, 0);
	}
	return any;
}

/* One question about the open ranges of one channel, that of the first from `from` on. */
static bool ask_channel(struct sink *s, size_t from, bool *asked, bool *any)
{
	struct sink_ticket tickets[WINDOW_RANGES];
	size_t index[WINDOW_RANGES], n = window_tickets(&s->window, tickets, index, from);
	bool confirmed[WINDOW_RANGES] = {};
	struct sink_answer a = { .verdict = SINK_AGAIN, .wait_ms = -1 };

	s->feed.dialect->ask(s->feed.d, tickets, n, confirmed, &a);
	for (size_t i = 0; i < n; i++)
		asked[index[i]] = true;
	*any |= confirm(s, index, confirmed, n);
	if (a.weaker)
		sink_note(s, &s->weaker, a.why);
	if (a.verdict == SINK_AGAIN)
		hold(s, &a);
	else
		answered(s);
	return a.verdict != SINK_AGAIN;
}

static void ask(struct sink *s)
{
	bool asked[WINDOW_RANGES] = {}, any = false, good = true;

	for (size_t i = 0; good && i < s->window.n && !sink_stopping(s); i++) {
		if (!asked[i] && s->window.r[i].state == RANGE_OPEN)
			good = ask_channel(s, i, asked, &any);
	}
	if (any)
		sink_healed(s, TROUBLE_ACK);
	s->ask_ms = any ? ASK_MS : 2 * s->ask_ms;
	if (s->ask_ms > s->ask_max_ms)
		s->ask_ms = s->ask_max_ms;
	s->ask_at = sink_clock_ms() + s->ask_ms;
}

static void expire(struct sink *s)
{
	uint64_t now = sink_clock_ms();
	size_t n = now > s->ack_timeout_ms ? window_expire(&s->window, now - s->ack_timeout_ms) : 0;
	char why[128];

	if (!n)
		return;
	snprintf(why, sizeof(why), "accepted, but not acknowledged within %u s: sent again", s->ack_timeout_ms / 1000);
	sink_trouble(s, TROUBLE_ACK, why);
}

/* ---- the turn ---- */

void sink_settle(struct sink *s)
{
	uint64_t end = window_settle(&s->window);
	int err;

	if (!end)
		return;
	err = journal_cursor_commit_head(s->feed.cursor, end, s->window.told[0] ? s->window.told : NULL);
	pthread_mutex_lock(&s->lock);
	s->status.committed_seq = end;
	pthread_cond_broadcast(&s->wake);
	pthread_mutex_unlock(&s->lock);
	if (err)
		sink_note(s, &s->unstored, "the sink's place cannot be stored: after a restart events will be sent again");
	else
		s->unstored = false;
}

static void sleep_until_work(struct sink *s)
{
	struct journal *j = s->feed.journal;
	uint64_t now = sink_clock_ms(), until = now + (j ? LOOK_MS : LOOK_FILES_MS);

	if (window_open(&s->window) && s->ask_at < until)
		until = s->ask_at;
	if (s->take_at > now && s->take_at < until)
		until = s->take_at;
	if (until <= now)
		return;
	if (!j || s->take_at > now || window_open(&s->window) >= SINK_OPEN_BATCHES)
		nap(s, until);
	else if (!journal_wait_durable(j, s->feed.at, until - now) && !feed_waiting(&s->feed))
		nap(s, now + LOOK_FILES_MS);	/* numbers that damage skipped: there is nothing to read all the same */
}

void sink_turn(struct sink *s)
{
	uint64_t now = sink_clock_ms();
	struct range *r;

	sink_settle(s);
	expire(s);
	if (now < s->not_before) {
		nap(s, s->not_before);
		return;
	}
	r = window_ready(&s->window);
	if (r)
		send_range(s, r);
	else if (window_open(&s->window) && now >= s->ask_at)
		ask(s);
	else if (!take_and_send(s))
		sleep_until_work(s);
}
