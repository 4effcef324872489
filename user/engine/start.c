/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command comes into a sandbox: its starter's blocked child gets a cgroup of its own and the label, before its next instruction. Whatever
 * fails once it is inside kills it: it must never run outside our hands.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include "base/file.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

static bool pidfd_alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;	/* readable: it has ended */
}

static int pidfd_pid(int pidfd, pid_t *out)
{
	char path[64];
	_free_ char *text = NULL;
	const char *at;
	int err;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	err = file_slurp(path, 4096, &text, NULL);
	at = err ? NULL : strstr(text, "\nPid:");
	if (!at || sscanf(at, "\nPid: %d", out) != 1)
		return -EBADF;
	return 0;
}

static int parent_of(pid_t pid, pid_t *out)
{
	char path[64];
	_free_ char *text = NULL;
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_slurp(path, 4096, &text, NULL))
		return -ESRCH;
	at = strrchr(text, ')');	/* the name before it may hold anything */
	return at && sscanf(at, ") %*c %d", out) == 1 ? 0 : -ESRCH;
}

/* A starter may have put a keeper between itself and the command (the parent in its session that job control needs). */
static bool is_child(pid_t asker, pid_t pid)
{
	pid_t parent, above;

	if (parent_of(pid, &parent))
		return false;
	return parent == asker || (!parent_of(parent, &above) && above == asker);
}

/*
 * Is this process the one that the descriptor pins, and the asker's own child? As long as pidfd_alive() the pid cannot be reused. Who was put in
 * the cgroup that waits for the first command is meant, whoever's child it is.
 */
static int check_child(const struct start_ask *ask, bool inside, char why[200])
{
	pid_t real;

	if (pidfd_pid(ask->pidfd, &real) || real != ask->pid) {
		snprintf(why, 200, "the descriptor is not a pidfd of process %d", ask->pid);
		return -EBADF;
	}
	if ((!inside && !is_child(ask->asker, ask->pid)) || !pidfd_alive(ask->pidfd)) {
		snprintf(why, 200, "process %d is not a living child of the asker", ask->pid);
		return -EPERM;
	}
	return 0;
}

void start_forget(struct engine *e, struct session *s, struct session_command *c)
{
	uint64_t cgroup;

	registry_unwatch(e->sessions, c->watch);
	cgroup_unwatch(e->cgroups, c->watch);
	c->watch = -1;
	if (!cgroup_id_of(e->cgroups, s->id, c->number, &cgroup))
		(void)kernel_cgroup_forget(e->kernel, cgroup);	/* the entry of a directory that is gone can match nothing */
	(void)cgroup_remove(e->cgroups, s->id, c->number);	/* busy: its session's end removes it */
}

void start_watch(struct engine *e, struct session *s, struct session_command *c)
{
	c->watch = cgroup_watch(e->cgroups, s->id, c->number);
	if (c->watch >= 0)
		(void)registry_watch(e->sessions, c->watch, s, c->number);	/* without it the tick looks */
}

struct place {
	bool first;	/* nothing governs the sandbox's cgroup yet */
	bool inside;	/* the process was born where its command belongs */
};

static int make_room(struct engine *e, struct session *s, struct session_command *c, const struct place *p, char why[200])
{
	uint64_t cgroup;
	int err = cgroup_make(e->cgroups, s->id, c->number, &cgroup);

	if (err == -EEXIST)
		err = cgroup_id_of(e->cgroups, s->id, c->number, &cgroup);	/* the first command's, made along with its sandbox */
	if (!err && p->first)
		err = kernel_cgroup_govern(e->kernel, s->cgroup_id, s->kernel_id, 0);
	if (!err)
		err = kernel_cgroup_govern(e->kernel, cgroup, s->kernel_id, c->number);
	if (!err) {
		start_watch(e, s, c);
		err = session_save(e->state_dir, s, e->boot_id);	/* a successor must know the command before it can act */
	}
	if (err)
		snprintf(why, 200, "no cgroup could be prepared: %s", strerror(-err));
	return err;
}

/*
 * From the move or the label on it is a member; whatever fails after it, it must never run outside our hands. A move makes the kernel wait for
 * a grace period: a starter spares it by letting the command be born in the cgroup that we made for it, which nothing governed until now.
 */
static int take_in(struct engine *e, struct session *s, struct session_command *c, const struct start_ask *ask, const struct place *p, char why[200])
{
	int err = p->inside ? 0 : cgroup_move(e->cgroups, s->id, c->number, ask->pid);

	if (!err && !pidfd_alive(ask->pidfd))
		err = -ESRCH;
	if (!err)
		err = kernel_member_label(e->kernel, ask->pidfd, s->kernel_id, c->number);
	if (!err && p->first && cgroup_crowded(e->cgroups, s->id))
		err = -EBUSY;	/* somebody put others there before it was governed: they have no label */
	if (!err)
		return 0;
	(void)syscall(SYS_pidfd_send_signal, ask->pidfd, SIGKILL, NULL, 0);
	snprintf(why, 200, "the process could not be made a member and was killed: %s", strerror(-err));
	return err;
}

static size_t living_commands(const struct session *s)
{
	size_t n = 0;

	for (const struct session_command *c = s->commands; c; c = c->older)
		n += c->alive;
	return n;
}

static void tell_start(struct engine *e, struct session *s, const struct session_command *c, const char *actor)
{
	struct event_notice n = { .kind = NOTICE_COMMAND_START, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id,
		.generation = s->generation->number, .command = c->number, .actor = actor };
	_buf_ struct buf text = { 0 };

	for (size_t i = 0; i < c->args_len; i++)
		buf_add_char(&text, c->args[i] ? c->args[i] : ' ');
	n.text = text.data;
	(void)spine_notice(&e->spine, &n);
}

static int may_start(const struct session *s, char why[200])
{
	if (s->state != SESSION_LIVE) {
		snprintf(why, 200, "sandbox %s has ended: %s", s->id, s->end_reason);
		return -ESRCH;
	}
	if (living_commands(s) >= SESSION_COMMANDS_MAX) {
		snprintf(why, 200, "%d commands live in this sandbox already", SESSION_COMMANDS_MAX);
		return -EAGAIN;
	}
	return 0;
}

int start_command(struct engine *e, struct session *s, struct start_ask *ask, uint32_t *number, char why[200])
{
	struct session_command *c;
	struct place place = { .first = !s->started && !s->held };
	bool was_started = s->started;
	int err = may_start(s, why);

	place.inside = place.first && cgroup_contains(e->cgroups, s->id, s->command_count + 1, ask->pid);
	if (!err)
		err = check_child(ask, place.inside, why);
	if (err)
		return err;
	ask->command.number = ++s->command_count;	/* never used twice, also when it fails */
	ask->command.alive = true;
	ask->command.started_ms = clock_wall_ms();
	snprintf(why, 200, "no memory");
	err = session_command_add(s, &ask->command, &c);
	if (err)
		return err;
	s->started = true;	/* before it is written down: a successor must not take it for one that nobody ever used */
	err = make_room(e, s, c, &place, why);
	if (!err)
		err = take_in(e, s, c, ask, &place, why);
	if (err) {
		start_forget(e, s, c);
		session_command_drop(s, c);
		s->started = was_started;
		return err;
	}
	s->creator = 0;
	*number = c->number;
	tell_start(e, s, c, ask->actor);
	return 0;
}
