/* SPDX-License-Identifier: Apache-2.0 */
/* Names in a policy that have to lead somewhere: rules that a label leaves, and what on_refusal waits for. */
#include "policy/model.h"

static const struct rule *rule_find(const struct policy *p, const char *id)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		if (!strcmp(p->rules[i]->id, id))
			return p->rules[i];
	}
	return NULL;
}

/* The id that was probably meant, or NULL. */
static const char *id_nearest(const struct policy *p, const char *id)
{
	_free_ const char **ids = calloc(p->rule_count + 1, sizeof(*ids));

	for (size_t i = 0; ids && i < p->rule_count; i++)
		ids[i] = p->rules[i]->id;
	return ids ? word_nearest(id, ids) : NULL;
}

static void id_unknown(const struct policy *p, struct text_place at, const char *id, const char *what, struct diags *d)
{
	const char *meant = id_nearest(p, id);

	if (meant)
		diag_at(d, false, at, CODE("unknown-id") "\"%.64s\" is no %s" HELP "did you mean \"%s\"?", id, what, meant);
	else
		diag_at(d, false, at, CODE("unknown-id") "\"%.64s\" is no %s" HELP "give the rule that is meant this id", id, what);
}

static void label_check(const struct policy *p, const struct rule *label, struct diags *d)
{
	for (size_t i = 0; i < label->then_count; i++) {
		const struct label_then *then = &label->thens[i];

		for (size_t k = 0; k < then->only_count; k++) {
			const struct rule *rule = rule_find(p, then->only[k]);

			if (!rule || rule->deny || rule->class != then->class)
				id_unknown(p, PLACE(label->file, label), then->only[k], "allow of that class, which the label could leave", d);
		}
	}
}

/* "guard.ptrace", "files.default": rules too, as events name them. */
static bool is_builtin(const struct policy *p, const char *word)
{
	struct policy_rule_info info;

	for (uint32_t i = 0; i < B_COUNT; i++) {
		if (!policy_rule(p, BUILTIN_BASE + i, &info) && !strcmp(info.id, word))
			return true;
	}
	return false;
}

static void refusals_check(const struct policy *p, struct diags *d)
{
	const struct refusal *all = NULL;

	for (size_t i = 0; i < p->refusal_count; i++) {
		const struct refusal *refusal = &p->refusals[i];
		struct text_place at = { p->files[0], refusal->line, refusal->column, refusal->line, refusal->column + 1 };

		if (all)
			diag_at(d, false, at, CODE("dead-entry") "this is never reached: \"*\" before it matches everything" HELP "put \"*\" last");
		else if (!strcmp(refusal->match, "*"))
			all = refusal;
		else if (!refusal_word_is_known(refusal->match) && !is_builtin(p, refusal->match) && !rule_find(p, refusal->match))
			id_unknown(p, at, refusal->match, "class, verb or rule", d);
	}
}

void names_check(const struct policy *p, struct diags *d)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i]->class == PC_LABELS)
			label_check(p, p->rules[i], d);
	}
	refusals_check(p, d);
}
