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

static void texts_free(char **items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(items[i]);
	free(items);
}

void rule_free(struct rule *rule)
{
	if (!rule)
		return;
	patterns_free(rule->paths, rule->path_count);
	patterns_free(rule->excepts, rule->except_count);
	texts_free(rule->to, rule->to_count);
	texts_free(rule->domains, rule->domain_count);
	texts_free(rule->names, rule->name_count);
	patterns_free(rule->nodes, rule->node_count);
	patterns_free(rule->by, rule->by_count);
	for (size_t i = 0; i < rule->then_count; i++)
		texts_free(rule->thens[i].only, rule->thens[i].only_count);
	free(rule->thens);
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

static const char *const effect_words[] = { "read", "write", NULL }, *const record_required_words[] = { "required", NULL };
const struct shape shape_effect = { .kind = SHAPE_WORD, .words = effect_words };
const struct shape shape_record_required = { .kind = SHAPE_WORD, .words = record_required_words };
const struct shape shape_until = { .kind = SHAPE_TEXT, .pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2}))?$" };

bool read_rule_by(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	return patterns_read(r, n, &it->by, &it->by_count);
}

bool read_rule_until(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	if (n->kind != YAML_SCALAR || !until_parse(n->text, &it->until_s)) {
		READ_ERROR(r, n, CODE("bad-time") "\"until\" is a day or a time" HELP "write 2027-03-31 (its end, in UTC) or, with the zone, 2027-03-31T12:00:00Z");
		return false;
	}
	it->until_at = PLACE(r->file, n);
	if (!r->src->now_s || it->until_s > r->src->now_s)
		return true;
	READ_ERROR(r, n, CODE("expired") "this rule has expired: it held until %s" HELP "renew \"until\", or remove the rule", n->text);
	return false;
}

bool read_rule_effect(struct reader *r, const struct yaml_node *n, void *rule)
{
	int word = read_word(r, n, "an effect", effect_words);

	((struct rule *)rule)->effect = word < 0 ? EFFECT_UNSAID : word == 0 ? EFFECT_READ : EFFECT_WRITE;
	return word >= 0;
}

bool read_rule_record(struct reader *r, const struct yaml_node *n, void *rule)
{
	((struct rule *)rule)->record_required = read_word(r, n, "what a rule says of its record", record_required_words) == 0;
	return ((struct rule *)rule)->record_required;
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
	for (size_t i = 0; i < p->refusal_count; i++)
		free(p->refusals[i].match);
	free(p->refusals);
	free(p->rules);
	free(p->files);
	free(p->presets);
	free(p->params);
	free(p->tests);
	free(p->own);
	free(p->text);
	free(p->within);
	free(p->name);
	free(p->owner);
	free(p->about);
	free(p->digest);
	free(p);
}
