/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox comes to be. Each step is undone when a later one fails, and nobody hears of the sandbox before it is whole: in the
 * kernel, on disk for a successor, and in the record.
 */
#include <stdio.h>
#include "base/log.h"
#include "engine/ask.h"
#include "engine/clock.h"

static int copy(const struct kv *m, const char *key, char **out)
{
	const char *v = kv_get(m, key);

	*out = v ? strdup(v) : NULL;
	return v && !*out ? -ENOMEM : 0;
}

static int session_prepare(struct engine *e, const struct create_ask *a, struct session_generation *g, const struct server_request *q, struct session **out)
{
	char id[ULID_CHARS + 1];
	struct session *s;
	uint64_t now = clock_wall_ms();
	int err = ulid_make(&e->ids, now, id);

	if (err)
		return err;
	s = session_new(id);
	if (!s)
		return -ENOMEM;
	snprintf(s->name, sizeof(s->name), "%s", a->name ? a->name : policy_name(g->policy));
	s->stage = a->stage;
	s->enforced = e->enforcing;
	s->allow_degraded = a->allow_degraded;
	s->held = a->held;
	s->started_ms = now;
	s->deadline_ns = a->deadline_ms ? clock_boot_ns() + a->deadline_ms * 1000000 : 0;	/* attaching before it may have taken long */
	s->creator = q->conn;
	err = copy(&q->message.kv, "user", &s->user);
	if (!err)
		err = copy(&q->message.kv, "agent", &s->agent);
	if (!err)
		err = copy(&q->message.kv, "session", &s->session);
	if (err) {
		session_free(s);
		return err;
	}
	*out = s;
	return 0;
}

/*
 * Whoever enters a held sandbox's cgroup is a member from now on. Another's is governed when its first command starts, which may be born in the
 * cgroup made for it and still do, as an outsider, what takes privilege.
 */
static int session_rooms(struct engine *e, struct session *s, uint64_t kernel_id)
{
	uint64_t cgroup;

	if (s->held)
		return kernel_cgroup_govern(e->kernel, s->cgroup_id, kernel_id, 0);
	return cgroup_make(e->cgroups, s->id, 1, &cgroup);
}

/* Kernel and cgroup; undone as a whole. */
static int session_establish(struct engine *e, struct session *s, struct policy_image *img, char why[ENGINE_WHY])
{
	struct kernel_sandbox row = { 0 };
	uint64_t kernel_id;
	int err = cgroup_make(e->cgroups, s->id, 0, &s->cgroup_id);

	if (err) {
		snprintf(why, ENGINE_WHY, "no cgroup can be made in %.200s: %s", cgroups_path(e->cgroups), strerror(-err));
		return err;
	}
	err = kernel_sandbox_new(e->kernel, img, s->stage, s->cgroup_id, s->deadline_ns, &kernel_id);
	if (err) {
		(void)cgroup_remove(e->cgroups, s->id, 0);
		snprintf(why, ENGINE_WHY, "the kernel side has no room for another sandbox or policy: %s", strerror(-err));
		return err;
	}
	registry_bind(e->sessions, s, kernel_id);
	err = session_rooms(e, s, kernel_id);
	if (!err)
		err = kernel_sandbox_get(e->kernel, kernel_id, &row);
	s->generation->number = row.generation;
	if (!err)
		err = session_save(e->state_dir, s, e->boot_id);
	if (!err)
		return 0;
	snprintf(why, ENGINE_WHY, "the sandbox cannot be made: %s", strerror(-err));
	(void)kernel_cgroup_forget(e->kernel, s->cgroup_id);
	(void)kernel_sandbox_free(e->kernel, kernel_id);
	(void)cgroup_remove(e->cgroups, s->id, 0);
	return err;
}

static void tell_created(struct engine *e, struct session *s, const char *actor)
{
	struct event_notice n = { .kind = NOTICE_SESSION_START, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id,
		.generation = s->generation->number, .actor = actor, .text = s->held ? "held: it stays while empty" : NULL };

	(void)spine_notice(&e->spine, &n);
	ask_tell_policy(e, s, NOTICE_POLICY_LOAD, actor);
	coverage_notice(e, s);
}

/* ---- answering ---- */
static void reply_created(struct engine *e, const struct server_request *q, struct session *s, const struct diags *diags)
{
	const struct buf *floor = NULL;
	_buf_ struct buf b = { 0 }, line = { 0 }, cgroup = { 0 };

	(void)floor_get(e, s, &floor);	/* build() has seen that it can be had, or that the asker does without */
	coverage_line(e, s, &line);
	kv_begin(&b);
	kv_add_u64(&b, "ok", 1);
	kv_add_str(&b, "id", s->id);
	if (!s->held) {
		cgroup_path(e->cgroups, s->id, 1, &cgroup);
		kv_add_str(&b, "cgroup", cgroup.data);
	}
	kv_add_str(&b, "name", s->name);
	kv_add_str(&b, "stage", s->stage == STAGE_ENFORCE ? "enforce" : "observe");
	kv_add_u64(&b, "enforced", s->enforced && s->stage == STAGE_ENFORCE);
	kv_add_str(&b, "notice", line.data);
	kv_add(&b, "seccomp", floor ? floor->data : "", floor ? floor->len : 0);
	generation_diags(&b, diags);
	server_reply(e->server, q->conn, &b);
}

static int take_holder(struct engine *e, const struct create_ask *a, struct session *s, struct server_request *q, char why[ENGINE_WHY])
{
	int err;

	if (!a->while_fd)
		return 0;
	if (q->message.fd_count != 1) {
		snprintf(why, ENGINE_WHY, "while_fd wants exactly one descriptor");
		return -EINVAL;
	}
	err = flow_while(e, s, q->message.fds[0]);
	if (err)
		snprintf(why, ENGINE_WHY, "this descriptor cannot be watched for its other end closing: %s", strerror(-err));
	else
		q->message.fds[0] = -1;
	return err;
}

/* The policy, compiled, if it can be enforced here or the asker takes less. */
static int build(struct engine *e, const struct create_ask *a, struct session_generation **g, struct policy_image **img, struct diags *diags,
		 char why[ENGINE_WHY])
{
	int err;

	if (registry_living(e->sessions) >= ENGINE_SANDBOXES_MAX) {
		snprintf(why, ENGINE_WHY, "%d sandboxes live on this host already", ENGINE_SANDBOXES_MAX);
		return -EAGAIN;
	}
	err = generation_build(&a->policy, g, img, diags);
	if (err) {
		snprintf(why, ENGINE_WHY, "the policy is refused");
		return err;
	}
	if (!coverage_permits(e, (*g)->policy, a->stage, why) && !a->allow_degraded)
		err = -EOPNOTSUPP;
	else
		why[0] = '\0';
	if (!err)
		err = engine_attach(e, why);
	if (err)
		session_generation_free(*g);
	return err;
}

/* From here on the registry has it; taken out again when the rest fails. */
static int enter(struct engine *e, const struct create_ask *a, struct session *s, struct policy_image *img, struct server_request *q,
		 char why[ENGINE_WHY])
{
	int err = registry_add(e->sessions, s);

	if (err) {
		session_free(s);
		return err;
	}
	err = take_holder(e, a, s, q, why);
	if (!err)
		err = session_establish(e, s, img, why);
	if (err) {
		loop_remove(s->while_source);
		registry_remove(e->sessions, s);
	}
	return err;
}

static int make(struct engine *e, const struct create_ask *a, struct server_request *q, struct diags *diags, struct session **out, char why[ENGINE_WHY])
{
	struct session_generation *g;
	struct policy_image *img;
	struct session *s;
	int err = build(e, a, &g, &img, diags, why);

	if (err)
		return err;
	err = session_prepare(e, a, g, q, &s);
	if (err) {
		session_generation_free(g);
		return err;
	}
	session_generation_add(s, g);
	err = enter(e, a, s, img, q, why);
	if (!err)
		*out = s;
	return err;
}

void op_create(struct engine *e, struct server_request *q)
{
	_cleanup_(diags_done) struct diags diags = { 0 };
	struct create_ask ask = { 0 };
	struct session *s;
	char why[ENGINE_WHY] = "", actor[64];
	int err = ask_read(e, &q->message.kv, &ask, why);

	if (!err)
		err = make(e, &ask, q, &diags, &s, why);
	if (err) {
		ask_refuse(e, q, err, why, &diags);
		return;
	}
	ops_actor(q, actor);
	flow_watch(e, s);
	engine_timers(e);
	tell_created(e, s, actor);
	reply_created(e, q, s, &diags);
}
