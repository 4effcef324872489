/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of the record as the rest of the engine sees it. The journal's thread says when its disk fails or is full, and what retention did; the main
 * thread turns that into notices, refuses what must not happen off the record, and tells who asks.
 */
#include <pthread.h>
#include <stdio.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "sink/sink.h"

struct trouble {
	pthread_mutex_t lock;
	int err;			/* 0: the journal is written */
	char what[80];
	uint64_t since_ms;		/* monotonic */
	struct journal_retired gone;	/* segments 0 and err 0: nothing to tell */
	int told;			/* the error that a notice was made of */
};

int trouble_new(struct trouble **out)
{
	struct trouble *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	pthread_mutex_init(&t->lock, NULL);
	*out = t;
	return 0;
}

void trouble_free(struct trouble *t)
{
	if (t)
		pthread_mutex_destroy(&t->lock);
	free(t);
}

/* ---- on the journal's thread ---- */

void trouble_journal(void *ctx, int err, const char *what)
{
	struct trouble *t = ctx;

	if (err)
		log_err(err, "journal: %s; what is enforced stays enforced, policies cannot be changed", what);
	else
		log_info("journal: it is written again");
	pthread_mutex_lock(&t->lock);
	if (err && !t->err)
		t->since_ms = clock_mono_ms();
	t->err = err;
	snprintf(t->what, sizeof(t->what), "%s", what);
	pthread_mutex_unlock(&t->lock);
}

void trouble_retired(void *ctx, const struct journal_retired *r)
{
	struct trouble *t = ctx;

	if (r->err)
		log_err(r->err, "journal: old segments in front of line %llu cannot be deleted; it is tried again with the next segment", (unsigned long long)r->kept);
	pthread_mutex_lock(&t->lock);
	if (!t->gone.segments)
		t->gone.first = r->first;
	t->gone.err = r->err;
	t->gone.kept = r->kept;
	t->gone.segments += r->segments;
	t->gone.bytes += r->bytes;
	pthread_mutex_unlock(&t->lock);
}

/* ---- on the main thread ---- */

bool trouble_text(struct engine *e, char out[ENGINE_WHY])
{
	struct trouble *t = e->trouble;
	int err;

	pthread_mutex_lock(&t->lock);
	err = t->err;
	if (err)
		snprintf(out, ENGINE_WHY, "the record cannot be written since %llu s (%s: %s): events wait or are counted, policies cannot be changed; %s %.200s",
			 (unsigned long long)(clock_mono_ms() - t->since_ms) / 1000, t->what, strerror(-err),
			 err == -ENOSPC || err == -EDQUOT ? "free space for" : "look at the disk of", e->settings->journal_dir);
	pthread_mutex_unlock(&t->lock);
	return err;
}

static void tell_state(struct engine *e, int err, const char *what)
{
	struct event_notice n = { .kind = NOTICE_JOURNAL_TROUBLE, .time_ns = clock_boot_ns(), .status = -err };
	char text[200];

	snprintf(text, sizeof(text), err ? "%s: %s; enforcement goes on, policies are not changed" : "it is written again", what, strerror(-err));
	n.text = text;
	(void)spine_notice(&e->spine, &n);	/* waits with the others until there is room */
}

static void tell_gone(struct engine *e, const struct journal_retired *r)
{
	struct event_notice n = { .kind = NOTICE_JOURNAL_RETIRED, .time_ns = clock_boot_ns(), .count = r->segments, .bytes = r->bytes, .status = -r->err };
	char text[200];

	snprintf(text, sizeof(text), "%s %llu segment%s, lines %llu to %llu%s%s", r->err ? "could not delete" : "deleted", (unsigned long long)r->segments,
		 PLURAL(r->segments), (unsigned long long)r->first, (unsigned long long)r->kept - 1, r->err ? ": " : "", r->err ? strerror(-r->err) : "");
	n.text = text;
	(void)spine_notice(&e->spine, &n);
}

void trouble_tick(struct engine *e)
{
	struct trouble *t = e->trouble;
	struct journal_retired gone;
	char what[80];
	int err, told;

	pthread_mutex_lock(&t->lock);
	gone = t->gone;
	t->gone = (struct journal_retired){ 0 };
	err = t->err;
	told = t->told;
	t->told = err;
	memcpy(what, t->what, sizeof(what));
	pthread_mutex_unlock(&t->lock);
	if (err != told)
		tell_state(e, err, what);
	if (gone.segments)
		tell_gone(e, &gone);
	journal_release(e->spine.journal, sinks_confirmed(e));
}
