/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned as text: rules with their evidence, what is covered, what is not learned and why. */
#include <stdio.h>
#include <time.h>
#include "policy/learn_parts.h"

struct learned *learned_push(struct learn *l, enum policy_class class, const char *word, uint32_t verbs, const struct evidence *e)
{
	struct learned *rule = calloc(1, sizeof(*rule)), **slot = rule ? vec_push(&l->d, &l->rules, &l->rule_count, sizeof(*slot)) : NULL;

	if (!rule || !slot) {
		free(rule);
		l->d.err = -ENOMEM;
		return NULL;
	}
	*rule = (struct learned){ .class = class, .word = word, .verbs = verbs, .e = *e };
	*slot = rule;
	return rule;
}

void learned_add_pattern(struct learn *l, struct learned *rule, const char *pattern)
{
	char **slot = vec_push(&l->d, &rule->patterns, &rule->pattern_count, sizeof(*slot)), *copy = diag_strdup(&l->d, pattern);

	if (slot && copy)
		*slot = copy;
	else if (slot)
		rule->pattern_count--;
}

bool pattern_matches(const struct learn *l, const char *pattern, const char *path, size_t len)
{
	_buf_ struct buf text = {};
	size_t name = pattern[0] == '$' ? strcspn(pattern, "/") : 0;

	for (size_t i = 0; name && i < l->base->param_count; i++) {
		const struct param *p = &l->base->params[i];

		if (strlen(p->name) == name - 1 && !strncmp(p->name, pattern + 1, name - 1) && p->value) {
			for (const char *s = p->value; *s; s++) {
				if (*s == '/')
					buf_add_char(&text, '/');
				else
					name_escape(s, 1, &text);
			}
		}
	}
	buf_add_str(&text, pattern + name);
	return !text.err && text.len && path_matches(text.data, path, len);
}

bool learned_allows(const struct learn *l, const char *path, size_t len, unsigned verb)
{
	for (size_t i = 0; i < l->rule_count; i++) {
		const struct learned *rule = l->rules[i];

		if (!(rule->verbs & 1u << verb) || !strcmp(rule->word, "deny"))
			continue;
		for (size_t k = 0; k < rule->pattern_count; k++) {
			if (pattern_matches(l, rule->patterns[k], path, len))
				return true;
		}
	}
	return false;
}

/* ---- evidence ---- */

static void time_print(uint64_t ms, struct buf *out)
{
	time_t seconds = ms / 1000;
	char text[40] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buf_add_str(out, text);
}

#define SHOWN_PROGRAMS 4

static int text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void programs_print(const struct learn *l, uint64_t bits, struct buf *out)
{
	const char *names[LEARN_PROGRAMS] = {};
	size_t count = 0;

	for (size_t i = 0; i < l->program_count; i++) {
		if (bits & 1ull << i)
			names[count++] = l->programs[i];
	}
	qsort(names, count, sizeof(*names), text_order);
	for (size_t i = 0; i < count && i < SHOWN_PROGRAMS; i++) {
		buf_add_str(out, i ? ", " : " by ");
		buf_add_terminal(out, names[i], strnlen(names[i], 40));
	}
	if (count > SHOWN_PROGRAMS || bits >> LEARN_PROGRAMS & 1)
		buf_add_str(out, " and others");
}

void evidence_print(const struct learn *l, const struct evidence *e, struct buf *out)
{
	buf_addf(out, "%llu time%s", (unsigned long long)e->count, PLURAL(e->count));
	if (e->things > 1)
		buf_addf(out, ", %zu of them different", e->things);
	programs_print(l, e->programs, out);
	if (e->first_ms) {
		buf_add_str(out, ", ");
		time_print(e->first_ms, out);
		if (e->last_ms / 1000 > e->first_ms / 1000) {
			buf_add_str(out, " to ");
			time_print(e->last_ms, out);
		}
	}
	for (unsigned i = 0; i < e->uid_count; i++) {
		buf_add_str(out, i ? " " : "; event ");
		buf_add_terminal(out, e->uids[i], strlen(e->uids[i]));
	}
}

/* ---- a rule ---- */

static void quoted(const char *text, struct buf *out)
{
	buf_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
	buf_add_char(out, '"');
}

void learned_print(const struct learned *rule, struct buf *out)
{
	bool deny = !strcmp(rule->word, "deny"), map = deny || rule->peer || rule->pattern_count > 1;

	buf_add_str(out, map ? "{" : "");
	buf_add_str(out, rule->peer ? rule->peer : map ? "path: " : "");
	buf_add_str(out, map && !rule->peer ? "[" : "");
	for (size_t i = 0; i < rule->pattern_count; i++) {
		buf_add_str(out, i ? ", " : "");
		quoted(rule->patterns[i], out);
	}
	buf_add_str(out, map && !rule->peer ? "]" : "");
	if (deny && rule->verbs == VERBS_WRITE)
		buf_add_str(out, ", verbs: [write], why: runs outside the sandbox later");
	else if (deny)
		buf_add_str(out, ", why: credentials");
	buf_add_str(out, map ? "}" : "");
}

/* ---- the report ---- */

static int remark_order(const void *a, const void *b)
{
	const struct remark *x = a, *y = b;
	int order = y->covered - x->covered;

	order = order ? order : strcmp(x->reason, y->reason);
	return order ? order : strcmp(x->text, y->text);
}

/* A line of a remark must stay one, whatever a path holds. */
void learn_report(const struct learn *l, const char *prefix, struct buf *out)
{
	_free_ struct remark *sorted = calloc(l->remark_count + 1, sizeof(*sorted));
	int last = -1;

	if (!sorted) {
		out->err = -ENOMEM;
		return;
	}
	if (l->remark_count)
		memcpy(sorted, l->remarks, l->remark_count * sizeof(*sorted));
	qsort(sorted, l->remark_count, sizeof(*sorted), remark_order);
	for (size_t i = 0; i < l->remark_count; i++) {
		const struct remark *r = &sorted[i];

		if (r->covered != last)
			buf_addf(out, "%s%s\n", prefix, r->covered ? "already allowed:" : "not learned:");
		last = r->covered;
		buf_addf(out, "%s  %s", prefix, r->text);
		buf_addf(out, "%s", *r->text ? ": " : "by ");
		buf_add_terminal(out, r->reason, strlen(r->reason));
		buf_add_str(out, "; ");
		evidence_print(l, &r->e, out);
		buf_add_char(out, '\n');
	}
}

size_t learn_missing(const struct learn *l, const struct policy *learned, struct buf *out)
{
	size_t missing = 0;

	for (size_t i = 0; i < l->place_count * VERB_PATH_COUNT; i++) {
		const struct place *p = &l->places[i / VERB_PATH_COUNT];
		struct policy_action a = { .verb = i % VERB_PATH_COUNT, .path = p->path, .path_len = p->len };
		struct policy_verdict v;

		if (!(p->wanted & 1u << a.verb) || (!policy_eval(learned, &a, &v) && v.allowed))
			continue;
		missing++;
		policy_action_print(&a, out);
		buf_add_char(out, '\n');
	}
	for (size_t i = 0; i < l->peer_count; i++) {
		const struct peer *p = &l->peers[i];
		struct policy_action a = { .verb = p->listens ? VERB_LISTEN : VERB_CONNECT, .port = p->port, .proto = p->proto };
		struct policy_verdict v;

		memcpy(a.addr, p->addr, sizeof(a.addr));
		if (!p->wanted || (!policy_eval(learned, &a, &v) && v.allowed))
			continue;
		missing++;
		policy_action_print(&a, out);
		buf_add_char(out, '\n');
	}
	return missing;
}
