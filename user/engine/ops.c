/* SPDX-License-Identifier: Apache-2.0 */
/* The operations of the control socket, one row each; create and reload have files of their own. Every handler answers, now or later. */
#include <stdio.h>
#include "base/counter.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "engine/version.h"

static void reply_begin(struct buf *b)
{
	kv_begin(b);
	kv_add_u64(b, "ok", 1);
}

static const char *stage_name(const struct session *s)
{
	return s->stage == STAGE_ENFORCE ? "enforce" : "observe";
}

static const char *state_name(const struct session *s)
{
	static const char *const names[] = { [SESSION_LIVE] = "live", [SESSION_ENDING] = "ending", [SESSION_ENDED] = "ended" };

	return names[s->state];
}

void ops_actor(const struct server_request *q, char out[64])
{
	_free_ char *comm = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", q->pid);
	if (file_slurp(path, 64, &comm, NULL))
		snprintf(out, 64, "uid 0 pid %d", q->pid);
	else
		snprintf(out, 64, "uid 0 pid %d %.*s", q->pid, (int)strcspn(comm, "\n"), comm);
}

struct session *ops_session(struct engine *e, struct server_request *q)
{
	const char *id = kv_get(&q->message.kv, "id");
	struct session *s = id && ulid_valid(id) ? registry_find(e->sessions, id) : NULL;

	if (!s)
		server_error(e->server, q->conn, -ESRCH, "there is no sandbox %.40s", id ? id : "without an id");
	return s;
}

static uint32_t members(struct engine *e, const struct session *s)
{
	struct kernel_sandbox row;

	if (s->state == SESSION_ENDED)
		return 0;
	if (!s->enforced)
		return cgroup_processes(e->cgroups, s->id);
	return kernel_sandbox_get(e->kernel, s->kernel_id, &row) ? 0 : row.members;
}

static void op_hello(struct engine *e, struct server_request *q)
{
	_buf_ struct buf b = { 0 };

	reply_begin(&b);
	kv_add_str(&b, "version", BAILIFF_VERSION);
	kv_add_u64(&b, "abi", BAILIFF_ABI_VERSION);
	kv_add_u64(&b, "pid", getpid());
	kv_add_u64(&b, "since", e->since_ns);
	kv_add_u64(&b, "enforcing", e->enforcing);
	server_reply(e->server, q->conn, &b);
}

static void op_filter(struct engine *e, struct server_request *q)
{
	struct session *s = ops_session(e, q);
	const struct buf *floor;
	_buf_ struct buf b = { 0 };
	int err;

	if (!s)
		return;
	err = floor_get(e, s, &floor);
	if (err) {
		server_error(e->server, q->conn, err, "the seccomp floor of sandbox %s cannot be built any more: nothing further starts in it", s->id);
		return;
	}
	reply_begin(&b);
	kv_add(&b, "seccomp", floor ? floor->data : "", floor ? floor->len : 0);
	server_reply(e->server, q->conn, &b);
}

/* W3C traceparent: version-trace-parent-flags. Anything else is kept as the trace alone. */
static void read_trace(const char *text, struct session_command *c, char trace[33], char span[17])
{
	if (text && sscanf(text, "%*2[0-9a-f]-%32[0-9a-f]-%16[0-9a-f]-%*2[0-9a-f]", trace, span) == 2) {
		c->trace = trace;
		c->span = span;
	} else {
		c->trace = (char *)text;
	}
}

static void read_args(const struct kv *m, struct buf *out)
{
	for (const struct kv_pair *p = kv_find(m, "arg", NULL); p && out->len < SESSION_ARGS_MAX; p = kv_find(m, "arg", p)) {
		buf_add(out, p->value, p->value_len);
		buf_add_char(out, '\0');
	}
	if (out->len)
		out->len--;	/* between arguments, not behind the last */
}

static void op_start(struct engine *e, struct server_request *q)
{
	struct session *s = ops_session(e, q);
	const struct kv *m = &q->message.kv;
	_buf_ struct buf b = { 0 }, args = { 0 };
	char actor[64], why[200] = "", trace[33], span[17];
	struct start_ask ask = { .asker = q->pid, .actor = actor };
	uint64_t pid;
	uint32_t number;
	int err;

	if (!s)
		return;
	if (kv_get_u64(m, "pid", &pid) || pid > INT32_MAX || q->message.fd_count != 1) {
		server_error(e->server, q->conn, -EINVAL, "start wants a pid and its pidfd");
		return;
	}
	read_args(m, &args);
	read_trace(kv_get(m, "trace"), &ask.command, trace, span);
	ask.command.args = args.data;
	ask.command.args_len = args.len;
	ask.command.call = (char *)kv_get(m, "call");
	ask.command.user = (char *)kv_get(m, "user");
	ask.pid = pid;
	ask.pidfd = q->message.fds[0];
	ops_actor(q, actor);
	err = start_command(e, s, &ask, &number, why);
	if (err) {
		server_error(e->server, q->conn, err, "%s", why);
		return;
	}
	reply_begin(&b);
	kv_add_u64(&b, "command", number);
	server_reply(e->server, q->conn, &b);
}

static size_t living_commands(const struct session *s)
{
	size_t n = 0;

	for (const struct session_command *c = s->commands; c; c = c->older)
		n += c->alive;
	return n;
}

static void list_one(struct engine *e, struct session *s, struct buf *reply)
{
	struct counter total;
	_buf_ struct buf b = { 0 };

	account_session(e, s);
	total = session_total(s);
	kv_begin(&b);
	kv_add_str(&b, "id", s->id);
	kv_add_str(&b, "name", s->name);
	kv_add_str(&b, "stage", stage_name(s));
	kv_add_str(&b, "policy", s->generation && s->generation->policy ? policy_name(s->generation->policy) : "unknown");
	kv_add_str(&b, "digest", s->generation ? s->generation->digest : NULL);
	kv_add_str(&b, "state", state_name(s));
	kv_add_u64(&b, "enforced", s->enforced && s->stage == STAGE_ENFORCE);
	kv_add_u64(&b, "members", members(e, s));
	kv_add_u64(&b, "commands", living_commands(s));
	kv_add_u64(&b, "refused", total.refused);
	kv_add_u64(&b, "would", total.would);
	kv_add_u64(&b, "started_ms", s->started_ms);
	kv_add_u64(&b, "held", s->held);
	if (!kv_end(&b))
		kv_add(reply, "sandbox", b.data, b.len);
}

static void op_list(struct engine *e, struct server_request *q)
{
	_buf_ struct buf b = { 0 };
	char why[ENGINE_WHY];

	reply_begin(&b);
	if (trouble_text(e, why))
		kv_add_str(&b, "trouble", why);
	for (struct session *s = registry_first(e->sessions); s; s = s->next) {
		if (s->state != SESSION_ENDED)
			list_one(e, s, &b);
	}
	server_reply(e->server, q->conn, &b);
}

/* Exact as of now: what the rings hold is taken in first, and a sandbox that has just emptied is found to be over. */
static void op_summary(struct engine *e, struct server_request *q)
{
	struct session *s = ops_session(e, q);
	struct counter total;
	_buf_ struct buf b = { 0 };

	if (!s)
		return;
	account_drain_all(e);
	flow_check(e, s);
	account_session(e, s);
	total = session_total(s);
	if (s->state != SESSION_ENDED)
		why_keep(e, s);
	reply_begin(&b);
	kv_add_str(&b, "id", s->id);
	kv_add_str(&b, "name", s->name);
	kv_add_u64(&b, "refused", total.refused);
	kv_add_u64(&b, "would", total.would);
	kv_add_u64(&b, "events", s->events);
	kv_add_u64(&b, "members", members(e, s));
	kv_add_u64(&b, "commands", s->command_count);
	kv_add_str(&b, "state", state_name(s));
	kv_add_str(&b, "end_reason", s->end_reason);
	kv_add_str(&b, "journal", e->settings->journal_dir);
	if (s->why) {
		kv_add_str(&b, "why", s->why);
		kv_add_u64(&b, "why_more", s->why_more);
	}
	server_reply(e->server, q->conn, &b);
}

static void op_end(struct engine *e, struct server_request *q)
{
	struct session *s = ops_session(e, q);
	const char *reason = kv_get(&q->message.kv, "reason");
	_buf_ struct buf b = { 0 };
	int err;

	if (!s)
		return;
	if (s->state == SESSION_ENDED) {
		reply_begin(&b);
		kv_add_u64(&b, "killed", 0);
		server_reply(e->server, q->conn, &b);
		return;
	}
	err = end_wait(e, s, q->conn);
	if (err) {
		server_error(e->server, q->conn, err, "no memory to wait for the end with");
		return;
	}
	s->stuck = false;	/* whoever asks again is told again */
	end_begin(e, s, reason && reason[0] ? reason : "it was asked to end");
}

static void op_coverage(struct engine *e, struct server_request *q)
{
	_buf_ struct buf b = { 0 };

	reply_begin(&b);
	coverage_reply(e, &b);
	server_reply(e->server, q->conn, &b);
}

static void op_state(struct engine *e, struct server_request *q)
{
	static const char *const kernel_names[] = {
#define X(symbol, text) [KC_##symbol] = "kernel_" #symbol,
		KERNEL_COUNTERS(X)
#undef X
	};
	_buf_ struct buf b = { 0 };

	reply_begin(&b);
	for (size_t i = 0; i < COUNTER_COUNT; i++)
		kv_add_u64(&b, counter_table[i].name, atomic_load_explicit(&counter_values[i], memory_order_relaxed));
	for (size_t i = 0; i < KC_COUNT; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s", kernel_names[i]);
		for (char *c = name; *c; c++)
			*c |= *c >= 'A' && *c <= 'Z' ? 0x20 : 0;
		kv_add_u64(&b, name, kernel_lost(e->kernel, i));
	}
	sinks_reply(e, &b);
	server_reply(e->server, q->conn, &b);
}

static void op_stop(struct engine *e, struct server_request *q)
{
	_buf_ struct buf b = { 0 };
	char actor[64];

	ops_actor(q, actor);
	log_info("stopping: asked by %s", actor);
	reply_begin(&b);
	server_reply(e->server, q->conn, &b);
	engine_stop(e);
}

static const struct op {
	const char *name;
	void (*run)(struct engine *e, struct server_request *q);
} ops[] = {
	{ "hello", op_hello },
	{ "create", op_create },
	{ "filter", op_filter },
	{ "start", op_start },
	{ "list", op_list },
	{ "summary", op_summary },
	{ "end", op_end },
	{ "reload", op_reload },
	{ "coverage", op_coverage },
	{ "state", op_state },
	{ "stop", op_stop },
};

void ops_request(void *ctx, struct server_request *q)
{
	struct engine *e = ctx;
	const char *name = kv_get(&q->message.kv, "op");

	e->busy_ms = clock_mono_ms();
	for (size_t i = 0; name && i < ARRAY_SIZE(ops); i++) {
		if (!strcmp(ops[i].name, name)) {
			ops[i].run(e, q);
			return;
		}
	}
	count_add(COUNT_CONTROL_REFUSED, 1);
	server_error(e->server, q->conn, -ENOSYS, "this engine has no operation \"%.40s\"", name ? name : "");
}
