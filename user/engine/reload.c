/* SPDX-License-Identifier: Apache-2.0 */
/* A living sandbox gets another policy: all of it at once, or the old one stays in force. */
#include <stdio.h>
#include "base/log.h"
#include "engine/ask.h"

/*
 * The new text is on disk with the number it will have before the kernel has it: a successor that finds the kernel one generation on can
 * name its rules, and one that does not drops what never came into force.
 */
static int replace(struct engine *e, struct session *s, struct session_generation *g, struct policy_image *img, uint32_t *number)
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
	kernel_counters_settled(e->kernel, s->kernel_id);
	return 0;
}

static int reload(struct engine *e, struct session *s, const struct create_ask *a, struct diags *diags, uint32_t *number, char why[ENGINE_WHY])
{
	struct session_generation *g;
	struct policy_image *img;
	int err = generation_build(&a->policy, &g, &img, diags);

	if (err) {
		snprintf(why, ENGINE_WHY, "the policy is refused; the old one stays in force");
		return err;
	}
	err = replace(e, s, g, img, number);
	if (err)
		snprintf(why, ENGINE_WHY, "the policy cannot be published; the old one stays in force: %s", strerror(-err));
	return err;
}

void op_reload(struct engine *e, struct server_request *q)
{
	_cleanup_(diags_done) struct diags diags = { 0 };
	struct session *s = ops_session(e, q);
	_buf_ struct buf b = { 0 };
	struct create_ask ask = { 0 };
	char why[ENGINE_WHY] = "", actor[64];
	uint32_t number = 0;
	int err;

	if (!s)
		return;
	err = ask_policy(e, &q->message.kv, &ask, why);
	if (!err && s->state != SESSION_LIVE) {
		err = -ESRCH;
		snprintf(why, ENGINE_WHY, "the sandbox has ended: %s", s->end_reason);
	}
	if (!err)
		err = reload(e, s, &ask, &diags, &number, why);
	if (err) {
		ask_refuse(e, q, err, why, &diags);
		return;
	}
	ops_actor(q, actor);
	ask_tell_policy(e, s, NOTICE_POLICY_RELOAD, actor);
	coverage_notice(e, s);
	kv_begin(&b);
	kv_add_u64(&b, "ok", 1);
	kv_add_str(&b, "digest", s->generation->digest);
	kv_add_u64(&b, "generation", number);
	generation_diags(&b, &diags);
	server_reply(e->server, q->conn, &b);
}
