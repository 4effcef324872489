/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "engine/ask.h"
#include "engine/clock.h"

#define POLICY_BYTES (1u << 20)

static bool flag(const struct kv *m, const char *key)
{
	const char *v = kv_get(m, key);

	return v && !strcmp(v, "1");
}

int ask_policy(struct engine *e, const struct kv *m, struct create_ask *a, char why[ENGINE_WHY])
{
	const struct kv_pair *text = kv_find(m, "policy", NULL);
	const char *file = kv_get(m, "policy_file");

	if (trouble_text(e, why))
		return -EROFS;
	if (!text || !text->value_len) {
		snprintf(why, ENGINE_WHY, "no policy was given");
		return -EINVAL;
	}
	if (text->value_len > POLICY_BYTES) {
		snprintf(why, ENGINE_WHY, "the policy is longer than %u bytes", POLICY_BYTES);
		return -E2BIG;
	}
	a->policy = (struct generation_ask){ .text = text->value, .len = text->value_len, .file = file ? file : "policy", .params = a->params,
		.own = (const char *const *)e->own, .cache = &e->compiled };
	for (const struct kv_pair *p = kv_find(m, "param", NULL); p; p = kv_find(m, "param", p)) {
		if (a->policy.param_count == ASK_PARAMS_MAX || !strchr(p->value, '=') || strlen(p->value) != p->value_len) {
			snprintf(why, ENGINE_WHY, "a parameter is name=value, and there are at most %d", ASK_PARAMS_MAX);
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

int ask_read(struct engine *e, const struct kv *m, struct create_ask *a, char why[ENGINE_WHY])
{
	uint64_t ms = 0;
	int err = ask_policy(e, m, a, why);

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
	a->deadline_ms = ms;
	return 0;
}

void ask_refuse(struct engine *e, const struct server_request *q, int err, const char *text, const struct diags *diags)
{
	_buf_ struct buf b = { 0 };

	kv_begin(&b);
	kv_add_u64(&b, "ok", 0);
	kv_add_str(&b, "error", text[0] ? text : strerror(-err));
	kv_add_u64(&b, "errno", -err);
	generation_diags(&b, diags);
	server_reply(e->server, q->conn, &b);
}

void ask_tell_policy(struct engine *e, struct session *s, enum event_notice_kind kind, const char *actor)
{
	struct event_notice n = { .kind = kind, .time_ns = clock_boot_ns(), .sandbox = s->kernel_id, .generation = s->generation->number,
		.actor = actor, .text = s->generation->file };

	(void)spine_notice(&e->spine, &n);
}
