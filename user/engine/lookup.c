/* SPDX-License-Identifier: Apache-2.0 */
/* What the event room asks while it makes a line: who a sandbox is, what its starter said, what a rule number means. */
#include "engine/engine.h"

static const char *stage_name(const struct session *s)
{
	return s->stage == STAGE_ENFORCE ? "enforce" : "observe";
}

static int find_sandbox(void *ctx, uint64_t sandbox, uint32_t generation, struct event_sandbox *out)
{
	static struct event_label user;	/* lives until the event is made, which is before the next question */
	struct engine *e = ctx;
	struct session *s = registry_find_kernel(e->sessions, sandbox);
	struct session_generation *g;

	if (!s)
		return -ENOENT;
	g = generation ? session_generation_find(s, generation) : s->generation;
	*out = (struct event_sandbox){ .uid = s->id, .name = s->name, .stage = stage_name(s), .agent = s->agent, .session = s->session };
	if (g) {
		out->policy = g->policy ? policy_name(g->policy) : NULL;
		out->digest = g->digest;
	}
	if (s->user) {
		user = (struct event_label){ "user", s->user };
		out->labels = &user;
		out->label_count = 1;
	}
	return 0;
}

static int find_command(void *ctx, uint64_t sandbox, uint32_t command, struct event_command *out)
{
	struct engine *e = ctx;
	struct session *s = registry_find_kernel(e->sessions, sandbox);
	struct session_command *c = s ? session_command_find(s, command) : NULL;

	if (!c)
		return -ENOENT;
	*out = (struct event_command){ .call = c->call, .trace = c->trace, .span = c->span };
	return 0;
}

static int find_rule(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out)
{
	struct engine *e = ctx;
	struct session *s = registry_find_kernel(e->sessions, sandbox);
	struct session_generation *g = s ? session_generation_find(s, generation) : NULL;
	struct policy_rule_info info;

	if (!g || !g->policy || policy_rule(g->policy, rule, &info))
		return -ENOENT;
	*out = (struct event_rule){ .id = info.id, .file = info.line ? info.file : NULL, .why = info.why, .owner = info.owner, .ticket = info.ticket,
		.preset = info.preset, .line = info.line, .column = info.column };
	return 0;
}

static unsigned find_alert(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, unsigned verb)
{
	struct engine *e = ctx;
	struct session *s = registry_find_kernel(e->sessions, sandbox);
	struct session_generation *g = s ? session_generation_find(s, generation) : NULL;

	return g && g->policy ? policy_refusal_alert(g->policy, rule, verb) : 0;
}

void lookup_source(struct engine *e, struct event_source *out)
{
	*out = (struct event_source){ .ctx = e, .sandbox = find_sandbox, .command = find_command, .rule = find_rule, .alert = find_alert };
}
