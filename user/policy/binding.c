/* SPDX-License-Identifier: Apache-2.0 */
/* Which binding a sandbox has. */
#include <stdio.h>
#include "policy/binding.h"
#include "policy/model.h"

static void pairs_free(struct binding_pair *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(items[i].name);
		free(items[i].value);
	}
	free(items);
}

static void selector_done(struct binding_selector *s)
{
	free(s->image);
	free(s->unit);
	free(s->cgroup);
	free(s->user);
	free(s->namespace);
	pairs_free(s->labels, s->label_count);
}

static void grant_done(struct binding_grant *g)
{
	for (size_t i = 0; i < g->by_count; i++)
		free(g->by[i]);
	free(g->by);
	free(g->rule);
}

void binding_free(struct binding *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->match_count; i++)
		selector_done(&b->match[i]);
	for (size_t i = 0; i < b->grant_count; i++)
		grant_done(&b->grants[i]);
	pairs_free(b->params, b->param_count);
	free(b->match);
	free(b->grants);
	free(b->name);
	free(b->file);
	free(b->policy);
	free(b->digest);
	free(b->shadow);
	free(b);
}

static bool value_matches(const char *wanted, const char *value)
{
	return !wanted || (value && wildcard_matches(wanted, value));
}

static bool label_matches(const struct binding_pair *wanted, const struct binding_facts *facts)
{
	for (size_t i = 0; i < facts->label_count; i++) {
		if (!strcmp(facts->labels[i].name, wanted->name))
			return wildcard_matches(wanted->value, facts->labels[i].value);
	}
	return false;
}

static bool selector_matches(const struct binding_selector *s, const struct binding_facts *facts)
{
	for (size_t i = 0; i < s->label_count; i++) {
		if (!label_matches(&s->labels[i], facts))
			return false;
	}
	return value_matches(s->image, facts->image) && value_matches(s->unit, facts->unit) && value_matches(s->cgroup, facts->cgroup) &&
	       value_matches(s->user, facts->user) && value_matches(s->namespace, facts->namespace);
}

static bool binding_matches(const struct binding *b, const struct binding_facts *facts)
{
	for (size_t i = 0; i < b->match_count; i++) {
		if (selector_matches(&b->match[i], facts))
			return true;
	}
	return false;
}

int binding_resolve(const struct binding *const *all, size_t count, const struct binding_facts *facts, const struct binding **out, char why[200])
{
	const struct binding *best = NULL, *rival = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!binding_matches(all[i], facts) || (best && all[i]->priority < best->priority))
			continue;
		rival = best && all[i]->priority == best->priority ? best : NULL;
		best = all[i];
	}
	if (!best) {
		snprintf(why, 200, "no binding matches");
		return -ENOENT;
	}
	if (rival) {
		snprintf(why, 200, "bindings %.30s (%.40s) and %.30s (%.40s) both match: give one a higher priority", rival->name, rival->file,
			 best->name, best->file);
		return -ENOTUNIQ;
	}
	*out = best;
	return 0;
}
