/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about a sandbox and its commands. */
#include <limits.h>
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/param.h"
#include "cli/session.h"

#define POLICY_BYTES (1u << 20)
#define ARGS_SENT 256		/* for the record, which keeps less: a command line of any length can be started */
#define ARG_BYTES_SENT 4096

static int add_params(struct buf *request, const struct cli_list *params)
{
	for (size_t i = 0; i < params->count; i++) {
		_free_ char *param = NULL;
		int err = cli_param_resolve(params->items[i], &param);

		if (err)
			return err;
		kv_add_str(request, "param", param);
	}
	return 0;
}

int session_add_policy(struct buf *request, const char *path, const struct cli_list *params)
{
	_free_ char *text = NULL, *full = NULL;
	size_t len;
	int err;

	if (!path)
		return log_err(0, "which policy? -p FILE"), -EINVAL;
	err = file_slurp(path, POLICY_BYTES, &text, &len);
	if (err)
		return log_err(err, "%s", path);
	full = realpath(path, NULL);	/* what events show has to lead there from anywhere */
	kv_add(request, "policy", text, len);
	kv_add_str(request, "policy_file", full ? full : path);
	err = add_params(request, params);
	if (err)
		return err;
	return request->err ? log_err(request->err, "%s", path) : 0;
}

static int take_filter(const struct kv *m, struct session *s)
{
	const struct kv_pair *p = kv_find(m, "seccomp", NULL);

	if (!p || !p->value_len)
		return 0;
	s->filter = malloc(p->value_len);
	if (!s->filter)
		return log_err(-ENOMEM, "keeping the seccomp floor");
	memcpy(s->filter, p->value, p->value_len);
	s->filter_bytes = p->value_len;
	return 0;
}

static int take_created(const struct kv *m, struct session *out)
{
	const char *id = kv_get(m, "id"), *notice = kv_get(m, "notice");
	const char *cgroup = kv_get(m, "cgroup");
	struct session s = { .id = id ? strdup(id) : NULL, .cgroup = cgroup ? strdup(cgroup) : NULL };
	int err;

	if (!s.id)
		return log_err(id ? -ENOMEM : -EPROTO, "the engine's answer names no sandbox");
	err = take_filter(m, &s);
	if (err) {
		session_done(&s);
		return err;
	}
	if (notice)
		log_info("%s", notice);
	*out = s;
	return 0;
}

static int build_create(struct buf *b, const struct session_options *o, bool held, int while_fd)
{
	int err = client_request(b, "create", NULL);

	if (!err)
		err = session_add_policy(b, o->policy, &o->params);
	if (err)
		return err;
	kv_add_str(b, "stage", o->stage ? o->stage : "enforce");
	kv_add_str(b, "name", o->name);
	kv_add_str(b, "user", o->user);
	if (o->allow_degraded)
		kv_add_str(b, "allow_degraded", "1");
	if (held)
		kv_add_str(b, "held", "1");
	if (o->deadline.given)
		kv_add_u64(b, "deadline_ms", o->deadline.value);
	if (while_fd >= 0)
		kv_add_str(b, "while_fd", "1");
	return b->err ? log_err(b->err, "create") : 0;
}

int session_create(struct client *c, const struct session_options *o, bool held, int while_fd, struct session *out)
{
	_cleanup_(control_message_done) struct control_message m = {};
	_buf_ struct buf b = {};
	int err = build_create(&b, o, held, while_fd);

	if (!err)
		err = client_call(c, "create", &b, &while_fd, while_fd >= 0, &m);
	return err ? err : take_created(&m.kv, out);
}

int session_filter(struct client *c, const char *id, struct session *out)
{
	_cleanup_(control_message_done) struct control_message m = {};
	struct session s = { .id = strdup(id) };
	_buf_ struct buf b = {};
	int err = s.id ? client_request(&b, "filter", id) : -ENOMEM;

	if (!err)
		err = client_call(c, "exec", &b, NULL, 0, &m);
	if (!err)
		err = take_filter(&m.kv, &s);
	if (err)
		session_done(&s);
	else
		*out = s;
	return err;
}

void session_done(struct session *s)
{
	free(s->id);
	free(s->cgroup);
	free(s->filter);
	*s = (struct session){};
}

static void add_args(struct buf *b, char **argv)
{
	size_t total = 0;

	for (; argv[total]; total++) {
		if (total < ARGS_SENT)
			kv_add(b, "arg", argv[total], strnlen(argv[total], ARG_BYTES_SENT));
	}
	kv_add_u64(b, "args_total", total);
}

int session_govern(void *ctx, pid_t pid, int pidfd)
{
	_cleanup_(control_message_done) struct control_message m = {};
	struct session_start *s = ctx;
	_buf_ struct buf b = {};
	int err = client_request(&b, "start", s->id);

	kv_add_u64(&b, "pid", pid);
	add_args(&b, s->argv);
	kv_add_str(&b, "call", s->call);
	kv_add_str(&b, "trace", s->trace);
	kv_add_str(&b, "user", s->user);
	if (!err)
		err = b.err;
	if (err)
		return log_err(err, "start");
	err = client_call(s->client, "start", &b, &pidfd, 1, &m);
	s->started = !err;
	return err;
}
