/* SPDX-License-Identifier: Apache-2.0 */
/* From a policy's text to what a sandbox keeps of it: parsed for names, compiled for the kernel, text and parameters for a successor. */
#include <malloc.h>
#include <time.h>
#include "base/kv.h"
#include "engine/engine.h"

static int copy_params(struct session_generation *g, const struct generation_ask *ask)
{
	g->params = calloc(ask->param_count + 1, sizeof(*g->params));
	if (!g->params)
		return -ENOMEM;
	for (; g->param_count < ask->param_count; g->param_count++) {
		g->params[g->param_count] = strdup(ask->params[g->param_count]);
		if (!g->params[g->param_count])
			return -ENOMEM;
	}
	return 0;
}

static int copy_text(struct session_generation *g, const struct generation_ask *ask)
{
	g->text = malloc(ask->len + 1);
	g->file = strdup(ask->file);
	if (!g->text || !g->file)
		return -ENOMEM;
	memcpy(g->text, ask->text, ask->len);
	g->text[ask->len] = '\0';
	g->text_len = ask->len;
	return copy_params(g, ask);
}

/* The policy room takes names and values apart; we keep "k=v". */
static int load(const struct session_generation *g, const char *const *own, int64_t now_s, struct policy **out, struct diags *diags)
{
	_free_ struct policy_param *params = calloc(g->param_count + 1, sizeof(*params));
	_free_ char *names = NULL;
	struct policy_source src = { .text = g->text, .len = g->text_len, .file = g->file, .params = params, .param_count = g->param_count,
		.own_paths = own, .now_s = now_s };
	size_t room = 1;
	char *at;

	for (size_t i = 0; i < g->param_count; i++)
		room += strlen(g->params[i]) + 1;
	names = at = malloc(room);
	if (!params || !names)
		return -ENOMEM;
	for (size_t i = 0; i < g->param_count; i++) {
		char *eq;

		strcpy(at, g->params[i]);
		eq = strchr(at, '=');
		if (!eq)
			return -EINVAL;
		*eq = '\0';
		params[i] = (struct policy_param){ .name = at, .value = eq + 1 };
		at += strlen(g->params[i]) + 1;
	}
	return policy_load(&src, out, diags);
}

/* What makes two policies one: lengths too, so that no two lists of texts read alike. */
static int cache_key(const struct session_generation *g, struct buf *key)
{
	buf_addf(key, "%zu %zu %zu", g->text_len, strlen(g->file), g->param_count);
	buf_add_char(key, '\0');
	buf_add(key, g->text, g->text_len);
	buf_add_str(key, g->file);
	for (size_t i = 0; i < g->param_count; i++)
		buf_add(key, g->params[i], strlen(g->params[i]) + 1);
	return key->err;
}

/* One that was kept may have ended since: then it is as wrong as a text that comes with it. */
static bool has_ended(const struct compiled *c, int64_t now_s)
{
	int64_t end_s = policy_next_end(c->policy, 0);

	return end_s && end_s <= now_s;
}

static int compile(const struct session_generation *g, const struct generation_ask *ask, struct compiled **out, struct diags *diags)
{
	_cleanup_(compiled_drop) struct compiled fresh = { 0 };
	int64_t now_s = time(NULL);
	int err = cache_key(g, &fresh.key);

	if (err)
		return err;
	*out = compiled_find(ask->cache, &fresh.key);
	if (*out && !has_ended(*out, now_s))
		return diags_add(diags, &(*out)->diags);
	err = load(g, ask->own, now_s, &fresh.policy, diags);
	if (!err)
		err = policy_compile(fresh.policy, &fresh.image, diags);
	if (!err)
		err = diags_add(&fresh.diags, diags);
	if (!err)
		*out = compiled_keep(ask->cache, &fresh);
	malloc_trim(0);		/* compiling takes many times what its result takes, and may not come again for days */
	return err;
}

static int fill(struct session_generation *g, const struct generation_ask *ask, struct policy_image **img, struct diags *diags)
{
	struct compiled *c;
	int err = copy_text(g, ask);

	if (!err)
		err = compile(g, ask, &c, diags);
	if (err)
		return err;
	g->policy = policy_share(c->policy);
	g->digest = strdup(policy_digest(g->policy));
	*img = &c->image;
	return g->digest ? ledger_init(&g->ledger, policy_rule_count(g->policy)) : -ENOMEM;
}

int generation_build(const struct generation_ask *ask, struct session_generation **out, struct policy_image **img, struct diags *diags)
{
	struct session_generation *g = calloc(1, sizeof(*g));
	int err = g ? fill(g, ask, img, diags) : -ENOMEM;

	if (err) {
		session_generation_free(g);
		return err;
	}
	*out = g;
	return 0;
}

int generation_revive(struct session_generation *g, const char *const *own)
{
	struct diags diags = { 0 };
	int err = load(g, own, 0, &g->policy, &diags);

	diags_done(&diags);
	if (err)
		return err;
	if (!g->digest || strcmp(g->digest, policy_digest(g->policy))) {
		policy_free(g->policy);	/* names of another policy would be lies; numbers are not */
		g->policy = NULL;
		return -EBADMSG;
	}
	if (g->ledger.rows)	/* a replaced one: its file has its counts */
		return g->ledger.nrules == policy_rule_count(g->policy) ? 0 : -EBADMSG;
	return ledger_init(&g->ledger, policy_rule_count(g->policy));
}

void generation_diags(struct buf *reply, const struct diags *d)
{
	for (size_t i = 0; i < d->count; i++) {
		struct diags one = { .items = &d->items[i], .count = 1 };
		_buf_ struct buf text = { 0 };

		diags_print(&one, &text);
		while (text.len && text.data[text.len - 1] == '\n')
			text.data[--text.len] = '\0';
		if (text.len)
			kv_add(reply, "diag", text.data, text.len);
	}
}
