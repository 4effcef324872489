/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sandbox comes to be, and its policy is replaced. Each step is undone when a later one fails, and nobody hears of the sandbox before it is
 * whole: in the kernel, on disk for a successor, and in the record.
 */
#include <stdio.h>
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

#define POLICY_BYTES	(1u << 20)
#define PARAMS_MAX	256

struct ask {
	struct generation_ask policy;
	char *params[PARAMS_MAX];
	const char *name;
	enum stage stage;
	bool allow_degraded, held, while_fd;
	uint64_t deadline_ns;
};

/* ---- what was asked ---- */
static bool flag(const struct kv *m, const char *key)
{
	const char *v = kv_get(m, key);

	return v && !strcmp(v, "1");
}

static int read_policy(const struct engine *e, const struct kv *m, struct ask *a, char why[ENGINE_WHY])
{
	const struct kv_pair *text = kv_find(m, "policy", NULL);
	const char *file = kv_get(m, "policy_file");

	if (!text || !text->value_len) {
		snprintf(why, ENGINE_WHY, "no policy was given");
		return -EINVAL;
	}
	if (text->value_len > POLICY_BYTES) {
		snprintf(why, ENGINE_WHY, "the policy is longer than %u bytes", POLICY_BYTES);
		return -E2BIG;
	}
	a->policy = (struct generation_ask){ .text = text->value, .len = text->value_len, .file = file ? file : "policy", .params = a->params,
		.own = (const char *const *)e->own };
	for (const struct kv_pair *p = kv_find(m, "param", NULL); p; p = kv_find(m, "param", p)) {
		if (a->policy.param_count == PARAMS_MAX || !strchr(p->value, '=') || strlen(p->value) != p->value_len) {
			snprintf(why, ENGINE_WHY, "a parameter is name=value, and there are at most %d", PARAMS_MAX);
			return -EINVAL;
		}
		a->params[a->policy.param_count++] = (char *)p->value;
	}
	return 0;
}

static int read_stage(const struct kv *m, enum stage *out, char why[ENGINE_WHY])
{
	const char *stage = kv_get(m, "stage");

	if (!stage || !strcmp(stage, "enforce")) {
		*out = STAGE_ENFORCE;
	} else if (!strcmp(stage, "observe")) {
		*out = STAGE_OBSERVE;
	} else {
		snprintf(why, ENGINE_WHY, "there is no stage \"%.40s\"; there are observe and enforce", stage);
		return -EINVAL;
	}
	return 0;
}

static int read_name(const char *name, const char **out, char why[ENGINE_WHY])
{
	for (const unsigned char *c = (const unsigned char *)name; name && *c; c++) {
		if (*c < ' ' || *c == 0x7f) {
			snprintf(why, ENGINE_WHY, "a name has no control characters");
			return -EINVAL;
		}
	}
	if (name && (!name[0] || strlen(name) >= SESSION_NAME_MAX)) {
		snprintf(why, ENGINE_WHY, "a name has 1 to %d bytes", SESSION_NAME_MAX - 1);
		return -EINVAL;
	}
	*out = name;
	return 0;
}

static int read_ask(const struct engine *e, const struct kv *m, struct ask *a, char why[ENGINE_WHY])
{
	uint64_t ms = 0;
	int err = read_policy(e, m, a, why);

	if (!err)
		err = read_stage(m, &a->stage, why);
	if (!err)
		err = read_name(kv_get(m, "name"), &a->name, why);
	if (err)
		return err;
	a->allow_degraded = flag(m, "allow_degraded");
	a->while_fd = flag(m, "while_fd");
	a->held = flag(m, "held") || a->while_fd;
	err = kv_get_u64(m, "deadline_ms", &ms);
	if (err == -ENOENT)
		return 0;
	if (err || !ms || ms > UINT32_MAX * 1000ull) {
		snprintf(why, ENGINE_WHY, "deadline_ms must be a number of milliseconds, at least 1");
		return -EINVAL;
	}
	a->deadline_ns = clock_boot_ns() + ms * 1000000;
	return 0;
}

/* ---- making ---- */
static int copy(const struct kv *m, const char *key, char **out)
{
	const char *v = kv_get(m, key);

	*out = v ? strdup(v) : NULL;
	return v && !*out ? -ENOMEM : 0;
}

static int session_prepare(struct engine *e, const struct ask *a, struct session_generation *g, const struct server_request *q, struct session **out)
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
	s->held = a->held;
	s->started_ms = now;
	s->deadline_ns = a->deadline_ns;
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

/* Kernel and cgroup; undone as a whole. */
static int session_establish(struct engine *e, struct session *s, const struct policy_image *img, char why[ENGINE_WHY])
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
	err = kernel_cgroup_govern(e->kernel, s->cgroup_id, kernel_id, 0);
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

static void tell_policy(struct engine *e, struct session *s, enum event_notice_kind kind, const char *actor)
{
	struct event_notice n = { .kind = kind, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id, .generation = s->generation->number,
		.actor = actor, .text = s->generation->file };

	(void)spine_notice(&e->spine, &n);
}

static void tell_created(struct engine *e, struct session *s, const char *actor)
{
	struct event_notice n = { .kind = NOTICE_SESSION_START, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id,
		.generation = s->generation->number, .actor = actor, .text = s->held ? "held: it stays while empty" : NULL };

	(void)spine_notice(&e->spine, &n);
	tell_policy(e, s, NOTICE_POLICY_LOAD, actor);
	coverage_notice(e, s);
}

/* ---- answering ---- */
static void reply_error(struct engine *e, const struct server_request *q, int err, const char *text, const struct diags *diags)
{
	_buf_ struct buf b = { 0 };

	kv_begin(&b);
	kv_add_u64(&b, "ok", 0);
	kv_add_str(&b, "error", text[0] ? text : strerror(-err));
	kv_add_u64(&b, "errno", -err);
	generation_diags(&b, diags);
	server_reply(e->server, q->conn, &b);
}

static void reply_created(struct engine *e, const struct server_request *q, struct session *s, const struct diags *diags)
{
	const struct buf *floor = coverage_floor(e, s);
	_buf_ struct buf b = { 0 }, line = { 0 };

	coverage_line(e, s, &line);
	kv_begin(&b);
	kv_add_u64(&b, "ok", 1);
	kv_add_str(&b, "id", s->id);
	kv_add_str(&b, "name", s->name);
	kv_add_str(&b, "stage", s->stage == STAGE_ENFORCE ? "enforce" : "observe");
	kv_add_u64(&b, "enforced", s->enforced && s->stage == STAGE_ENFORCE);
	kv_add_str(&b, "notice", line.data);
	kv_add(&b, "seccomp", floor ? floor->data : "", floor ? floor->len : 0);
	generation_diags(&b, diags);
	server_reply(e->server, q->conn, &b);
}

static int take_holder(struct engine *e, const struct ask *a, struct session *s, struct server_request *q, char why[ENGINE_WHY])
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

static int make(struct engine *e, const struct ask *a, struct server_request *q, struct diags *diags, struct session **out, char why[ENGINE_WHY])
{
	_cleanup_(policy_image_done) struct policy_image img = { 0 };
	struct session_generation *g;
	struct session *s;
	int err;

	if (registry_living(e->sessions) >= ENGINE_SANDBOXES_MAX) {
		snprintf(why, ENGINE_WHY, "%d sandboxes live on this host already", ENGINE_SANDBOXES_MAX);
		return -EAGAIN;
	}
	err = generation_build(&a->policy, &g, &img, diags);
	if (err) {
		snprintf(why, ENGINE_WHY, "the policy is refused");
		return err;
	}
	if (!coverage_permits(e, g->policy, why) && !a->allow_degraded) {
		session_generation_free(g);
		return -EOPNOTSUPP;
	}
	why[0] = '\0';
	err = engine_attach(e, why);
	if (!err)
		err = session_prepare(e, a, g, q, &s);
	if (err) {
		session_generation_free(g);
		return err;
	}
	session_generation_add(s, g);
	err = registry_add(e->sessions, s);
	if (err) {
		session_free(s);
		return err;
	}
	err = take_holder(e, a, s, q, why);
	if (!err)
		err = session_establish(e, s, &img, why);
	if (err) {
		loop_remove(s->while_source);
		registry_remove(e->sessions, s);
		return err;
	}
	*out = s;
	return 0;
}

void op_create(struct engine *e, struct server_request *q)
{
	_cleanup_(diags_done) struct diags diags = { 0 };
	struct ask ask = { 0 };
	struct session *s;
	char why[ENGINE_WHY] = "", actor[64];
	int err = read_ask(e, &q->message.kv, &ask, why);

	if (!err)
		err = make(e, &ask, q, &diags, &s, why);
	if (err) {
		reply_error(e, q, err, why, &diags);
		return;
	}
	ops_actor(q, actor);
	flow_watch(e, s);
	engine_timers(e);
	tell_created(e, s, actor);
	reply_created(e, q, s, &diags);
}

/* ---- replacing ---- */
/*
 * The new text is on disk with the number it will have before the kernel has it: a successor that finds the kernel one generation on can
 * name its rules, and one that does not drops what never came into force.
 */
static int replace(struct engine *e, struct session *s, struct session_generation *g, const struct policy_image *img, uint32_t *number)
{
	struct session_generation *old = s->generation;
	int err;

	g->number = old->number + 1;
	session_generation_add(s, g);
	err = session_save(e->state_dir, s, e->boot_id);
	if (!err)
		err = kernel_sandbox_reload(e->kernel, s->kernel_id, img, number);
	if (err) {
		s->generation = old;
		session_generation_free(g);
		flow_save(e, s);
		return err;
	}
	g->number = *number;
	account_retired(e, s, old);
	flow_save(e, s);
	return 0;
}

static int reload(struct engine *e, struct session *s, const struct ask *a, struct diags *diags, uint32_t *number, char why[ENGINE_WHY])
{
	_cleanup_(policy_image_done) struct policy_image img = { 0 };
	struct session_generation *g;
	int err = generation_build(&a->policy, &g, &img, diags);

	if (err) {
		snprintf(why, ENGINE_WHY, "the policy is refused; the old one stays in force");
		return err;
	}
	err = replace(e, s, g, &img, number);
	if (err)
		snprintf(why, ENGINE_WHY, "the policy cannot be published; the old one stays in force: %s", strerror(-err));
	return err;
}

void op_reload(struct engine *e, struct server_request *q)
{
	_cleanup_(diags_done) struct diags diags = { 0 };
	struct session *s = ops_session(e, q);
	_buf_ struct buf b = { 0 };
	struct ask ask = { 0 };
	char why[ENGINE_WHY] = "", actor[64];
	uint32_t number = 0;
	int err;

	if (!s)
		return;
	err = read_policy(e, &q->message.kv, &ask, why);
	if (!err && s->state != SESSION_LIVE) {
		err = -ESRCH;
		snprintf(why, ENGINE_WHY, "the sandbox has ended: %s", s->end_reason);
	}
	if (!err)
		err = reload(e, s, &ask, &diags, &number, why);
	if (err) {
		reply_error(e, q, err, why, &diags);
		return;
	}
	ops_actor(q, actor);
	tell_policy(e, s, NOTICE_POLICY_RELOAD, actor);
	coverage_notice(e, s);
	kv_begin(&b);
	kv_add_u64(&b, "ok", 1);
	kv_add_str(&b, "digest", s->generation->digest);
	kv_add_u64(&b, "generation", number);
	generation_diags(&b, &diags);
	server_reply(e->server, q->conn, &b);
}
