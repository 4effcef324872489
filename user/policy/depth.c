/* SPDX-License-Identifier: Apache-2.0 */
/* Which automaton a pattern belongs to, and the rules of each in the order in which they are put in. */
#include "policy/dfa.h"

static bool is_deep(const struct pattern *pattern)
{
	const char *s = pattern->text;

	while ((s = strstr(s, "/**"))) {
		s += 3;
		if (*s == '/' || !*s)
			return true;
	}
	return false;
}

static bool any_deep(const struct pattern *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_deep(&items[i]))
			return true;
	}
	return false;
}

enum depth rule_depth(const struct rule *rule, const struct pattern *pattern)
{
	if (pattern && !rule->except_count)
		return is_deep(pattern) ? DEEP : SHALLOW;
	return any_deep(rule->paths, rule->path_count) || any_deep(rule->excepts, rule->except_count) ? DEEP : SHALLOW;
}

static bool has_wildcard(const struct rule *rule)
{
	for (size_t i = 0; i < rule->path_count; i++) {
		for (const char *s = rule->paths[i].text; *s; s++) {
			if (*s == '\\')
				s++;
			else if (strchr("*?[", *s))
				return true;
		}
	}
	return rule->except_count;
}

/* Literal rules first: they are never the ones that make an automaton explode, so that blame need not look among them. */
static int rule_order(const void *a, const void *b, void *policy)
{
	struct rule *const *rules = ((const struct policy *)policy)->rules;
	const struct rule *x = rules[*(const uint32_t *)a], *y = rules[*(const uint32_t *)b];

	if (has_wildcard(x) != has_wildcard(y))
		return has_wildcard(x) ? 1 : -1;
	if (!x->preset != !y->preset)
		return x->preset ? -1 : 1;
	if (x->file != y->file)
		return strcmp(x->file, y->file);
	return x->line != y->line ? (x->line < y->line ? -1 : 1) : (x->column > y->column) - (x->column < y->column);
}

static bool has_depth(const struct rule *rule, enum depth depth)
{
	for (size_t i = 0; i < rule->path_count; i++) {
		if (rule_depth(rule, &rule->paths[i]) == depth)
			return true;
	}
	return false;
}

bool rules_of_depth(struct compiler *c, enum depth depth, struct list *out)
{
	const struct policy *p = c->p;

	for (uint32_t i = 0; i < p->rule_count; i++) {
		if (has_depth(p->rules[i], depth) && !list_add(c, out, i))
			return false;
	}
	if (out->count)
		qsort_r(out->items, out->count, sizeof(out->items[0]), rule_order, (void *)p);
	return true;
}

size_t literal_rules(const struct compiler *c, const struct list *rules)
{
	size_t n = 0;

	while (n < rules->count && !has_wildcard(c->p->rules[rules->items[n]]))
		n++;
	return n;
}
