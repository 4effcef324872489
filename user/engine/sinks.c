/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sinks: one blocking thread each, reading the journal by its own cursor. The engine starts and stops them; what they have to say
 * comes over a bounded queue to the main thread, which alone writes notices.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "sink/sink.h"

#define DRAIN_MS 3000
#define NOTES_MAX 1024		/* a sink whose rejections find no room waits and tells them again */

struct note {
	enum event_notice_kind kind;
	char sink[80], uid[80];
	char text[1200];
	int status;
	struct note *next;
};

struct sinks {
	struct engine *engine;
	struct sink **items;
	size_t count;
	struct loop_source *source;
	int wake;
	pthread_mutex_t lock;		/* the queue */
	struct note *first, **tail;
	size_t queued;
};

/* ---- on the threads of the sinks ---- */
static int queue(struct sinks *k, const struct note *proto)
{
	struct note *n = malloc(sizeof(*n));
	uint64_t one = 1;
	int err = -ENOBUFS;

	if (!n)
		return -ENOMEM;
	*n = *proto;
	pthread_mutex_lock(&k->lock);
	if (k->queued < NOTES_MAX) {
		n->next = NULL;
		*k->tail = n;
		k->tail = &n->next;
		k->queued++;
		err = 0;
	}
	pthread_mutex_unlock(&k->lock);
	if (err)
		free(n);
	else
		(void)!write(k->wake, &one, sizeof(one));	/* fails only when it is readable anyway */
	return err;
}

static void on_health(void *ctx, const char *sink, bool good, const char *why)
{
	struct note n = { .kind = NOTICE_SINK_STATE, .status = good };

	snprintf(n.sink, sizeof(n.sink), "%s", sink);
	snprintf(n.text, sizeof(n.text), "%s%s%s", good ? "delivering" : "in trouble", why && why[0] ? ": " : "", why ? why : "");
	(void)queue(ctx, &n);	/* status and the next change say it again */
}

static int on_rejected(void *ctx, const struct sink_rejection *r)
{
	struct note n = { .kind = NOTICE_SINK_REJECTED, .status = r->status };

	snprintf(n.sink, sizeof(n.sink), "%s", r->sink);
	snprintf(n.uid, sizeof(n.uid), "%s", r->uid);
	snprintf(n.text, sizeof(n.text), "line %llu of the journal: %s", (unsigned long long)r->seq, r->body);
	return queue(ctx, &n);
}

/* ---- on the main thread ---- */
static struct note *take_all(struct sinks *k)
{
	struct note *first;

	pthread_mutex_lock(&k->lock);
	first = k->first;
	k->first = NULL;
	k->tail = &k->first;
	k->queued = 0;
	pthread_mutex_unlock(&k->lock);
	return first;
}

static void write_notes(struct sinks *k)
{
	struct note *n = take_all(k);

	while (n) {
		struct event_notice notice = { .kind = n->kind, .time_ns = clock_boot_ns(), .sink = n->sink, .text = n->text };
		struct note *next = n->next;

		if (n->kind == NOTICE_SINK_REJECTED) {
			notice.event_uid = n->uid[0] ? n->uid : NULL;
			notice.status = n->status;
		}
		(void)spine_notice(&k->engine->spine, &notice);
		free(n);
		n = next;
	}
}

static void on_wake(void *ctx, int fd, uint32_t events)
{
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	write_notes(ctx);
}

static int start_one(struct sinks *k, const struct settings_sink *from, char why[ENGINE_WHY])
{
	struct engine *e = k->engine;
	struct sink_options o = { .name = from->name, .type = from->type, .url = from->url, .token_file = from->token_file,
		.ca_file = from->ca_file, .index = from->index, .source = from->source, .sourcetype = from->sourcetype, .host = e->host,
		.ack = from->ack, .filter = { .min_severity = settings_severity(from->min_severity), .security = !strcmp(from->tier, "security") } };
	struct sink_callbacks cb = { .ctx = k, .health = on_health, .rejected = on_rejected };
	const char *text = NULL;
	int err = sink_start(&o, e->spine.journal, e->settings->journal_dir, &cb, &k->items[k->count], &text);

	if (err)
		snprintf(why, ENGINE_WHY, "sink %s: %s", from->name, text ? text : strerror(-err));
	else
		k->count++;
	return err;
}

int sinks_open(struct engine *e, char why[ENGINE_WHY])
{
	const struct settings *s = e->settings;
	struct sinks *k;
	int err = 0;

	if (!s->sink_count)
		return 0;
	snprintf(why, ENGINE_WHY, "no memory for sinks");
	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	e->sinks = k;
	*k = (struct sinks){ .engine = e, .wake = -1, .tail = &k->first, .lock = PTHREAD_MUTEX_INITIALIZER };
	k->items = calloc(s->sink_count, sizeof(struct sink *));
	if (!k->items)
		return -ENOMEM;
	k->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (k->wake < 0)
		return -errno;
	err = loop_add_fd(e->loop, k->wake, EPOLLIN, on_wake, k, &k->source);
	for (size_t i = 0; i < s->sink_count && !err; i++)
		err = start_one(k, &s->sinks[i], why);
	return err;
}

/* What was recorded last should not wait for the next engine; a receiver that does not answer must not hold this one up. */
static void deliver_rest(struct sinks *k)
{
	write_notes(k);
	if (k->engine->spine.journal)
		(void)journal_flush(k->engine->spine.journal);
	for (size_t i = 0; i < k->count; i++) {
		struct sink_status now;

		sink_status(k->items[i], &now);
		if (now.state != SINK_TROUBLED)
			(void)sink_drain(k->items[i], DRAIN_MS);
	}
}

bool sinks_busy(struct engine *e)
{
	struct sinks *k = e->sinks;

	for (size_t i = 0; k && i < k->count; i++) {
		struct sink_status now;

		sink_status(k->items[i], &now);
		if (now.lag && now.state != SINK_TROUBLED)
			return true;
	}
	return false;
}

uint64_t sinks_confirmed(struct engine *e)
{
	struct sinks *k = e->sinks;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; k && i < k->count; i++) {
		struct sink_status now;

		if (!e->settings->sinks[i].required)
			continue;
		sink_status(k->items[i], &now);
		if (now.committed_seq < least)
			least = now.committed_seq;
	}
	return least;
}

void sinks_close(struct engine *e)
{
	struct sinks *k = e->sinks;

	if (!k)
		return;
	deliver_rest(k);
	for (size_t i = 0; i < k->count; i++)
		sink_stop(k->items[i]);
	write_notes(k);
	loop_remove(k->source);
	if (k->wake >= 0)
		close(k->wake);
	free(k->items);
	free(k);
	e->sinks = NULL;
}

void sinks_reply(struct engine *e, struct buf *reply)
{
	static const char *const states[] = { [SINK_STARTING] = "starting", [SINK_GOOD] = "good", [SINK_TROUBLED] = "troubled" };

	for (size_t i = 0; e->sinks && i < e->sinks->count; i++) {
		struct sink_status now;
		_buf_ struct buf b = { 0 };

		sink_status(e->sinks->items[i], &now);
		kv_begin(&b);
		kv_add_str(&b, "name", e->settings->sinks[i].name);
		kv_add_str(&b, "state", states[now.state]);
		kv_add_u64(&b, "delivered", now.delivered);
		kv_add_u64(&b, "retried", now.retried);
		kv_add_u64(&b, "rejected", now.rejected);
		kv_add_u64(&b, "lag", now.lag);
		kv_add_u64(&b, "last_success_ms", now.last_success_ms);
		kv_add_str(&b, "error", now.error);
		if (!kv_end(&b))
			kv_add(reply, "sink", b.data, b.len);
	}
}
