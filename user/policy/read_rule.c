/* SPDX-License-Identifier: Apache-2.0 */
/* What rules of every class share: the fields that any rule may carry, and their life. */
#include "policy/model.h"

struct rule *rule_new(struct reader *r, const struct yaml_node *at)
{
	struct rule *rule = calloc(1, sizeof(*rule));

	if (!rule) {
		r->d->err = -ENOMEM;
		return NULL;
	}
	rule->file = r->file;
	rule->preset = r->preset;
	rule->line = at->line;
	rule->column = at->column;
	rule->end_line = at->end_line;
	rule->end_column = at->end_column;
	return rule;
}

static void patterns_free(struct pattern *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(items[i].source);
		free(items[i].text);
	}
	free(items);
}

void rule_free(struct rule *rule)
{
	if (!rule)
		return;
	patterns_free(rule->paths, rule->path_count);
	patterns_free(rule->excepts, rule->except_count);
	for (size_t i = 0; i < rule->to_count; i++)
		free(rule->to[i]);
	free(rule->to);
	free(rule->ranges);
	free(rule->ports);
	free(rule->id);
	free(rule->canonical);
	free(rule->why);
	free(rule->owner);
	free(rule->ticket);
	free(rule);
}

bool rule_add(struct reader *r, struct rule *rule)
{
	struct rule **place = vec_push(r->d, &r->p->rules, &r->p->rule_count, sizeof(*place));

	if (!place) {
		rule_free(rule);
		return false;
	}
	*place = rule;
	return true;
}

const struct shape shape_rule_id = { .kind = SHAPE_TEXT, .pattern = "^[a-z0-9_][a-z0-9._-]{0,63}$", .number = true };

bool read_rule_id(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	if (!read_text(r, n, "an id", &it->id))
		return false;
	it->named = true;
	if (n->len <= 64 && strspn(n->text, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n->len && n->text[0] != '-' && n->text[0] != '.')
		return true;
	READ_ERROR(r, n, CODE("bad-name") "an id has up to 64 of a-z 0-9 - _ . and starts with a letter or a digit"
		   HELP "write it small, as in id: reporting-db");
	return false;
}

bool read_rule_why(struct reader *r, const struct yaml_node *n, void *rule)
{
	return read_text(r, n, "why", &((struct rule *)rule)->why);
}

bool read_rule_owner(struct reader *r, const struct yaml_node *n, void *rule)
{
	return read_text(r, n, "owner", &((struct rule *)rule)->owner);
}

bool read_rule_ticket(struct reader *r, const struct yaml_node *n, void *rule)
{
	return read_text(r, n, "ticket", &((struct rule *)rule)->ticket);
}

struct policy *policy_share(struct policy *p)
{
	p->shares++;
	return p;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	if (p->shares) {
		p->shares--;
		return;
	}
	for (size_t i = 0; i < p->rule_count; i++)
		rule_free(p->rules[i]);
	for (size_t i = 0; i < p->file_count; i++) {
		free(p->files[i]);
		free(p->presets[i]);
	}
	for (size_t i = 0; i < p->param_count; i++) {
		free(p->params[i].name);
		free(p->params[i].value);
	}
	for (size_t i = 0; i < p->test_count; i++)
		free(p->tests[i].question);
	for (size_t i = 0; i < p->own_count; i++)
		free(p->own[i].path);
	free(p->rules);
	free(p->files);
	free(p->presets);
	free(p->params);
	free(p->tests);
	free(p->own);
	free(p->text);
	free(p->name);
	free(p->owner);
	free(p->about);
	free(p->digest);
	free(p);
}
