/* SPDX-License-Identifier: Apache-2.0 */
/* What a sandbox lives through between its making and its end: commands finish, it empties, deadlines pass, holders go. */
#include <stdio.h>
#include <sys/epoll.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

#define UNUSED "its creator left before the first command"

void flow_save(struct engine *e, struct session *s)
{
	int err = session_save(e->state_dir, s, e->boot_id);

	if (err)
		log_err(err, "sandbox %s: its state cannot be kept for a successor", s->id);
}

static bool commands_check(struct engine *e, struct session *s, bool empty)
{
	struct session_command *next;
	bool changed = false;

	for (struct session_command *c = s->commands; c; c = next) {
		next = c->older;
		if (!c->alive || (!empty && cgroup_populated(e->cgroups, s->id, c->number)))
			continue;
		c->alive = false;
		start_forget(e, s, c);
		changed = true;
	}
	if (changed)
		session_commands_trim(s);
	return changed;
}

void flow_check(struct engine *e, struct session *s)
{
	bool empty;

	if (s->state == SESSION_ENDING) {
		(void)end_go_on(e, s);
		return;
	}
	if (s->state != SESSION_LIVE || !s->started)
		return;
	empty = !cgroup_populated(e->cgroups, s->id, 0);
	if (empty && !s->held)
		end_empty(e, s, SESSION_EMPTY);
	else if (commands_check(e, s, empty))
		flow_save(e, s);
}

static void check_all(struct engine *e)
{
	for (struct session *s = registry_first(e->sessions), *next; s; s = next) {
		next = s->next;
		if (s->state != SESSION_ENDED)
			flow_check(e, s);
	}
}

static void on_watch(void *ctx, int watch)
{
	struct engine *e = ctx;
	struct session *s;
	uint32_t command;

	if (watch < 0)
		check_all(e);
	else if (registry_watched(e->sessions, watch, &s, &command))
		flow_check(e, s);
}

static void on_cgroups(void *ctx, int fd, uint32_t events)
{
	struct engine *e = ctx;

	(void)fd, (void)events;
	cgroup_watch_read(e->cgroups, on_watch, e);
}

void flow_conn_gone(struct engine *e, uint64_t conn)
{
	struct engine_waiter **p = &e->waiters;

	while (*p) {
		struct engine_waiter *w = *p;

		if (w->conn != conn) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		free(w);
	}
	for (struct session *s = registry_first(e->sessions), *next; s; s = next) {
		next = s->next;
		if (s->creator == conn && s->state == SESSION_LIVE && !s->started && !s->held)
			end_begin(e, s, UNUSED);
	}
}

static void on_holder(void *ctx, int fd, uint32_t events)
{
	struct session *s = ctx;
	struct engine *e = s->owner;

	(void)fd, (void)events;
	loop_remove(s->while_source);
	s->while_source = NULL;
	end_begin(e, s, "its holder is gone");
}

int flow_while(struct engine *e, struct session *s, int fd)
{
	int err = loop_add_fd(e->loop, fd, EPOLLRDHUP, on_holder, s, &s->while_source);	/* EPOLLHUP comes unasked */

	if (err)
		return err;
	s->owner = e;
	s->while_fd = fd;
	return 0;
}

void flow_watch(struct engine *e, struct session *s)
{
	s->watch = cgroup_watch(e->cgroups, s->id, 0);
	if (s->watch >= 0)
		(void)registry_watch(e->sessions, s->watch, s, 0);
}

void flow_adopted(struct engine *e, struct session *s)
{
	flow_watch(e, s);
	for (struct session_command *c = s->commands; c; c = c->older) {
		if (c->alive)
			start_watch(e, s, c);
	}
	if (s->state == SESSION_ENDING)
		end_resume(e, s);
	else if (!s->started && !s->held)
		end_begin(e, s, UNUSED);	/* its connection ended with the engine before this one */
	else
		flow_check(e, s);
}

/* Deadlines, ends that linger, and sandboxes that no watch could be set for. */
void flow_tick(struct engine *e)
{
	uint64_t now = clock_boot_ns();

	for (struct session *s = registry_first(e->sessions), *next; s; s = next) {
		next = s->next;
		if (s->state == SESSION_LIVE && s->deadline_ns && s->deadline_ns <= now)
			end_begin(e, s, "its deadline passed");
		else if (s->state == SESSION_ENDING || s->watch < 0)
			flow_check(e, s);
	}
}

int flow_open(struct engine *e)
{
	char mount[4096];
	int err = 0;

	if (strcmp(e->settings->cgroup_mount, "auto"))
		snprintf(mount, sizeof(mount), "%s", e->settings->cgroup_mount);
	else
		err = cgroup_find_mount("/proc/self/mountinfo", mount, sizeof(mount));
	if (!err)
		err = cgroups_open(mount, e->settings->cgroup_parent, &e->cgroups);
	return err ? err : loop_add_fd(e->loop, cgroup_watch_fd(e->cgroups), EPOLLIN, on_cgroups, e, NULL);
}
