/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges in hand are an array in journal order: there are few of them, and what is looked for is nearly always at the front. */
#include "sink/window.h"

struct range *window_push(struct window *w, uint64_t first, uint64_t end)
{
	struct range *r = &w->r[w->n];

	if (w->n == WINDOW_RANGES)
		return NULL;
	*r = (struct range){ .first = first, .end = end, .limit = SINK_EVENT_BYTES };
	w->n++;
	return r;
}

struct range *window_ready(struct window *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->r[i].state == RANGE_READY)
			return &w->r[i];
	}
	return NULL;
}

bool window_halve(struct window *w, struct range *r)
{
	size_t i = r - w->r;
	uint64_t middle = r->first + (r->end - r->first) / 2;

	if (r->end - r->first < 2 || w->n == WINDOW_RANGES)
		return false;
	memmove(r + 1, r, (w->n - i) * sizeof(*r));
	w->n++;
	r[0].end = middle;
	r[1].first = middle;
	return true;
}

size_t window_open(const struct window *w)
{
	size_t open = 0;

	for (size_t i = 0; i < w->n; i++)
		open += w->r[i].state == RANGE_OPEN;
	return open;
}

uint64_t window_oldest_ms(const struct window *w)
{
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < w->n; i++) {
		if (w->r[i].state == RANGE_OPEN && w->r[i].sent_ms < oldest)
			oldest = w->r[i].sent_ms;
	}
	return oldest;
}

size_t window_expire(struct window *w, uint64_t sent_until_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (w->r[i].state != RANGE_OPEN || w->r[i].sent_ms > sent_until_ms)
			continue;
		w->r[i].state = RANGE_READY;
		n++;
	}
	return n;
}

size_t window_forget(struct window *w, const char *channel, const struct range *but)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct range *r = &w->r[i];

		if (r == but || r->state != RANGE_OPEN || strcmp(r->ticket.channel, channel))
			continue;
		r->state = RANGE_READY;
		n++;
	}
	return n;
}

uint64_t window_settle(struct window *w)
{
	size_t n = 0;
	uint64_t end;

	while (n < w->n && w->r[n].state == RANGE_DONE)
		n++;
	if (!n)
		return 0;
	end = w->r[n - 1].end;
	for (size_t i = 0; i < n; i++) {
		if (w->r[i].head[0])
			memcpy(w->told, w->r[i].head, sizeof(w->told));
	}
	memmove(w->r, w->r + n, (w->n - n) * sizeof(w->r[0]));
	w->n -= n;
	return end;
}

size_t window_tickets(struct window *w, struct sink_ticket *out, size_t *index, size_t from)
{
	const char *channel = NULL;
	size_t n = 0;

	for (size_t i = from; i < w->n; i++) {
		const struct range *r = &w->r[i];

		if (r->state != RANGE_OPEN || (channel && strcmp(r->ticket.channel, channel)))
			continue;
		channel = r->ticket.channel;
		out[n] = r->ticket;
		index[n++] = i;
	}
	return n;
}
