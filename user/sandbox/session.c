/* SPDX-License-Identifier: Apache-2.0 */
/* One sandbox's own data: its policies, newest first, and its commands, newest first; both bounded. */
#include <stdio.h>
#include "sandbox/registry.h"

struct session *session_new(const char *id)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->watch = -1;
	s->while_fd = -1;
	return s;
}

static void command_free(struct session_command *c)
{
	if (!c)
		return;
	free(c->args);
	free(c->call);
	free(c->trace);
	free(c->span);
	free(c->user);
	free(c);
}

void session_generation_free(struct session_generation *g)
{
	if (!g)
		return;
	policy_free(g->policy);
	free(g->text);
	free(g->file);
	free(g->digest);
	for (size_t i = 0; i < g->param_count; i++)
		free(g->params[i]);
	free(g->params);
	ledger_done(&g->ledger);
	free(g);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	session_shed(s);
	if (s->while_fd >= 0)
		close(s->while_fd);
	free(s->user);
	free(s->agent);
	free(s->session);
	free(s->why);
	free(s);
}

static void add_counter(struct counter *to, struct counter more)
{
	to->refused += more.refused;
	to->would += more.would;
}

void session_generation_add(struct session *s, struct session_generation *g)
{
	struct session_generation **p;
	size_t n = 1;

	g->older = s->generation;
	s->generation = g;
	for (p = &g->older; *p && n < SESSION_GENERATIONS; p = &(*p)->older)
		n++;
	while (*p) {
		struct session_generation *old = *p;

		*p = old->older;
		add_counter(&s->retired, ledger_total(&old->ledger));
		session_generation_free(old);
	}
}

struct session_generation *session_generation_find(struct session *s, uint32_t number)
{
	struct session_generation *g = s->generation;

	while (g && g->number != number)
		g = g->older;
	return g;
}

struct counter session_total(const struct session *s)
{
	struct counter sum = s->retired;

	for (const struct session_generation *g = s->generation; g; g = g->older)
		add_counter(&sum, ledger_total(&g->ledger));
	return sum;
}

void session_shed(struct session *s)
{
	s->retired = session_total(s);
	while (s->generation) {
		struct session_generation *g = s->generation;

		s->generation = g->older;
		session_generation_free(g);
	}
	while (s->commands) {
		struct session_command *c = s->commands;

		s->commands = c->older;
		command_free(c);
	}
}

static int copy_string(const char *from, char **to)
{
	if (!from)
		return 0;
	*to = strdup(from);
	return *to ? 0 : -ENOMEM;
}

int session_command_add(struct session *s, const struct session_command *from, struct session_command **out)
{
	struct session_command *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->number = from->number;
	c->alive = from->alive;
	c->started_ms = from->started_ms;
	c->watch = -1;
	c->args_len = from->args_len < SESSION_ARGS_MAX ? from->args_len : SESSION_ARGS_MAX;
	c->args = calloc(1, c->args_len + 1);
	if (!c->args || copy_string(from->call, &c->call) || copy_string(from->trace, &c->trace) ||
	    copy_string(from->span, &c->span) || copy_string(from->user, &c->user)) {
		command_free(c);
		return -ENOMEM;
	}
	if (c->args_len)
		memcpy(c->args, from->args, c->args_len);
	c->older = s->commands;
	s->commands = c;
	*out = c;
	return 0;
}

struct session_command *session_command_find(struct session *s, uint32_t number)
{
	struct session_command *c = s->commands;

	while (c && c->number != number)
		c = c->older;
	return c;
}

void session_command_drop(struct session *s, struct session_command *c)
{
	struct session_command **p = &s->commands;

	while (*p && *p != c)
		p = &(*p)->older;
	if (*p)
		*p = c->older;
	command_free(c);
}

void session_commands_trim(struct session *s)
{
	struct session_command **p = &s->commands;
	size_t finished = 0;

	while (*p) {
		struct session_command *c = *p;

		if (c->alive || ++finished <= SESSION_COMMANDS_KEPT) {
			p = &c->older;
			continue;
		}
		*p = c->older;
		command_free(c);
	}
}
