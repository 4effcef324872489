/* SPDX-License-Identifier: Apache-2.0 */
/* What a sink tells: counters, its state, and a health event per change; never one per attempt, since each becomes a line of the journal. */
#include <stdio.h>
#include <time.h>
#include "base/counter.h"
#include "sink/thread.h"

static void tell(struct sink *s, enum sink_state state, const char *error)
{
	pthread_mutex_lock(&s->lock);
	s->status.state = state;
	snprintf(s->status.error, sizeof(s->status.error), "%s", error);
	pthread_mutex_unlock(&s->lock);
}

static void health(struct sink *s, bool good, const char *why)
{
	if (s->cb.health)
		s->cb.health(s->cb.ctx, s->name, good, why);
}

void sink_trouble(struct sink *s, enum trouble kind, const char *why)
{
	bool fresh = s->trouble == TROUBLE_NONE;

	if (sink_stopping(s))
		return;	/* a request that we ended ourselves is no trouble */
	s->trouble = kind;
	tell(s, SINK_TROUBLED, why);
	if (fresh)
		health(s, false, why);
}

void sink_healed(struct sink *s, enum trouble kind)
{
	enum trouble was = s->trouble;

	if (was != TROUBLE_NONE && was != kind)
		return;
	s->trouble = TROUBLE_NONE;
	if (was != TROUBLE_NONE || s->status.state == SINK_STARTING)
		tell(s, SINK_GOOD, s->weaker ? "accepted is all that can be known: no acknowledgement" : "");
	if (was != TROUBLE_NONE)
		health(s, true, "");
}

void sink_note(struct sink *s, bool *told, const char *why)
{
	if (*told)
		return;
	*told = true;
	tell(s, s->status.state, why);
	health(s, false, why);
}

void sink_count(struct sink *s, uint64_t delivered, uint64_t retried, uint64_t rejected)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	count_add(COUNT_SINK_DELIVERED, delivered);
	count_add(COUNT_SINK_RETRIED, retried);
	count_add(COUNT_SINK_REJECTED, rejected);
	pthread_mutex_lock(&s->lock);
	s->status.delivered += delivered;
	s->status.retried += retried;
	s->status.rejected += rejected;
	if (delivered)
		s->status.last_success_ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000;
	pthread_mutex_unlock(&s->lock);
}
