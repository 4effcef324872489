/* SPDX-License-Identifier: Apache-2.0 */
/* One list in order of making, and two hash tables on the same objects: by our id and by the kernel's. */
#include "sandbox/registry.h"

#define BUCKETS 1024

struct watched {
	int watch;
	uint32_t command;
	struct session *session;
	struct watched *next;
};

struct registry {
	struct session *first, **tail;
	struct session *by_id[BUCKETS], *by_kernel[BUCKETS];
	struct watched *by_watch[BUCKETS];
	size_t living, ended;
};

int registry_new(struct registry **out)
{
	struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->tail = &r->first;
	*out = r;
	return 0;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	while (r->first) {
		struct session *s = r->first;

		r->first = s->next;
		session_free(s);
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		while (r->by_watch[i])
			registry_unwatch(r, r->by_watch[i]->watch);
	}
	free(r);
}

static struct watched **watch_place(struct registry *r, int watch)
{
	struct watched **p = &r->by_watch[(unsigned)watch % BUCKETS];

	while (*p && (*p)->watch != watch)
		p = &(*p)->next;
	return p;
}

int registry_watch(struct registry *r, int watch, struct session *s, uint32_t command)
{
	struct watched **p = watch_place(r, watch);

	if (!*p)
		*p = calloc(1, sizeof(**p));
	if (!*p)
		return -ENOMEM;
	(*p)->watch = watch;
	(*p)->session = s;
	(*p)->command = command;
	return 0;
}

void registry_unwatch(struct registry *r, int watch)
{
	struct watched **p = watch_place(r, watch), *w = *p;

	if (w) {
		*p = w->next;
		free(w);
	}
}

bool registry_watched(struct registry *r, int watch, struct session **s, uint32_t *command)
{
	struct watched *w = *watch_place(r, watch);

	if (!w)
		return false;
	*s = w->session;
	*command = w->command;
	return true;
}

static struct session **id_bucket(struct registry *r, const char *id)
{
	uint32_t h = 2166136261u;

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619u;
	return &r->by_id[h % BUCKETS];
}

static struct session **kernel_bucket(struct registry *r, uint64_t kernel_id)
{
	return &r->by_kernel[kernel_id % BUCKETS];
}

struct session *registry_find(struct registry *r, const char *id)
{
	struct session *s = *id_bucket(r, id);

	while (s && strcmp(s->id, id))
		s = s->next_id;
	return s;
}

struct session *registry_find_kernel(struct registry *r, uint64_t kernel_id)
{
	struct session *s = *kernel_bucket(r, kernel_id);

	while (s && s->kernel_id != kernel_id)
		s = s->next_kernel;
	return kernel_id ? s : NULL;
}

struct session *registry_first(struct registry *r)
{
	return r->first;
}

size_t registry_living(const struct registry *r)
{
	return r->living;
}

void registry_bind(struct registry *r, struct session *s, uint64_t kernel_id)
{
	struct session **p;

	if (s->kernel_id) {
		p = kernel_bucket(r, s->kernel_id);
		while (*p && *p != s)
			p = &(*p)->next_kernel;
		if (*p)
			*p = s->next_kernel;
	}
	s->kernel_id = kernel_id;
	s->next_kernel = NULL;
	if (kernel_id) {
		p = kernel_bucket(r, kernel_id);
		s->next_kernel = *p;
		*p = s;
	}
}

int registry_add(struct registry *r, struct session *s)
{
	struct session **bucket = id_bucket(r, s->id);

	if (registry_find(r, s->id))
		return -EEXIST;
	s->next_id = *bucket;
	*bucket = s;
	s->next = NULL;
	*r->tail = s;
	r->tail = &s->next;
	r->living++;
	return 0;
}

static void unlink_session(struct registry *r, struct session *s)
{
	struct session **p = &r->first;

	while (*p && *p != s)
		p = &(*p)->next;
	if (*p)
		*p = s->next;
	if (r->tail == &s->next)
		r->tail = p;
	for (p = id_bucket(r, s->id); *p && *p != s;)
		p = &(*p)->next_id;
	if (*p)
		*p = s->next_id;
	registry_bind(r, s, 0);
	registry_unwatch(r, s->watch);
	for (struct session_command *c = s->commands; c; c = c->older)
		registry_unwatch(r, c->watch);
}

void registry_remove(struct registry *r, struct session *s)
{
	unlink_session(r, s);
	if (s->state == SESSION_ENDED)
		r->ended--;
	else
		r->living--;
	session_free(s);
}

void registry_ended(struct registry *r, struct session *s)
{
	if (s->state == SESSION_ENDED)
		return;
	s->state = SESSION_ENDED;
	r->living--;
	r->ended++;
}

void registry_trim(struct registry *r)
{
	for (struct session *s = r->first, *next; s && r->ended > REGISTRY_ENDED_KEPT; s = next) {
		next = s->next;
		if (s->state == SESSION_ENDED)
			registry_remove(r, s);
	}
}
