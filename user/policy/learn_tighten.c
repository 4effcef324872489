/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of a policy that no recorded action needed. An action uses every allow that alone would allow it, so that a rule is named only if
 * nothing needed it; what the record does not hold proves nothing, and the report says which rules it says nothing about.
 */
#include "policy/learn_parts.h"

struct tighten {
	const struct policy *p;
	bool *used;
};

int tighten_new(const struct policy *p, struct tighten **out)
{
	struct tighten *t = calloc(1, sizeof(*t));

	if (t)
		t->used = calloc(p->rule_count + 1, sizeof(*t->used));
	if (!t || !t->used) {
		free(t);
		return -ENOMEM;
	}
	t->p = p;
	*out = t;
	return 0;
}

void tighten_free(struct tighten *t)
{
	if (!t)
		return;
	free(t->used);
	free(t);
}

int tighten_see(struct tighten *t, const struct policy_action *a)
{
	for (uint32_t i = 0; i < t->p->rule_count; i++) {
		struct rule *one = t->p->rules[i];
		struct policy alone = { .rules = &one, .rule_count = 1 };
		struct policy_verdict v;

		if (t->used[i])
			continue;
		if (policy_eval(&alone, a, &v))
			return -EINVAL;
		t->used[i] = v.rule == 0;
	}
	return 0;
}

/* Which kind of the record proves a verb; RECORD_KINDS: none does. */
static const struct {
	uint32_t verbs, kinds;
	const char *word;
} proofs[] = {
	{ 1u << VERB_READ, 1u << RECORD_OPEN, "open" },
	{ 1u << VERB_CHANGE, 1u << RECORD_OPEN | 1u << RECORD_WRITE, "write" },
	{ 1u << VERB_CREATE | 1u << VERB_REMOVE, 1u << RECORD_WRITE, "write" },
	{ 1u << VERB_CONNECT | 1u << VERB_SEND, 1u << RECORD_CONNECT, "connect" },
	{ 1u << VERB_LISTEN, 1u << RECORD_LISTEN, "listen" },
};

/* NULL: the record would have shown every use. Else what to do about it; "" for nothing. */
static const char *missing_proof(const struct policy *p, const struct rule *rule)
{
	uint32_t proven = 0;

	if (rule->deny || (rule->class != PC_FILES && rule->class != PC_NETWORK) || rule->verbs & 1u << VERB_EXECUTE)
		return "";
	for (size_t i = 0; i < ARRAY_SIZE(proofs); i++) {
		if (!(rule->verbs & proofs[i].verbs))
			continue;
		if (!(policy_record_kinds(p) & proofs[i].kinds))
			return proofs[i].word;
		proven |= proofs[i].verbs;
	}
	return rule->verbs & ~proven ? "" : NULL;
}

static void rule_say(const struct rule *rule, struct buf *out)
{
	buf_addf(out, "  %s (", rule->id);
	buf_add_terminal(out, rule->file, strlen(rule->file));
	buf_addf(out, ":%u)", rule->line);
	if (rule->why) {
		buf_add_str(out, ": ");
		buf_add_terminal(out, rule->why, strlen(rule->why));
	}
}

static void unused_say(const struct tighten *t, struct buf *out, size_t *unused)
{
	for (size_t i = 0; i < t->p->rule_count; i++) {
		const struct rule *rule = t->p->rules[i];

		if (t->used[i] || rule->preset || rule->deny || missing_proof(t->p, rule))
			continue;
		if (!(*unused)++)
			buf_add_str(out, "no recorded action needed:\n");
		rule_say(rule, out);
		buf_add_char(out, '\n');
	}
}

static void unknown_say(const struct tighten *t, struct buf *out)
{
	bool said = false;

	for (size_t i = 0; i < t->p->rule_count; i++) {
		const struct rule *rule = t->p->rules[i];
		const char *proof = missing_proof(t->p, rule);

		if (t->used[i] || rule->preset || rule->deny || !proof)
			continue;
		if (!said)
			buf_add_str(out, "cannot be told, for the record does not hold every use:\n");
		said = true;
		rule_say(rule, out);
		if (*proof)
			buf_addf(out, "; with record: [%s] the next runs would show it", proof);
		buf_add_char(out, '\n');
	}
}

/* A preset goes as a whole or not at all: named where nothing needed any of its allows, and all of them would show. */
static void presets_say(const struct tighten *t, struct buf *out)
{
	for (size_t f = 1; f < t->p->file_count; f++) {
		bool used = false, shows = true, allows = false;

		for (size_t i = 0; i < t->p->rule_count; i++) {
			const struct rule *rule = t->p->rules[i];

			if (!rule->preset || strcmp(rule->preset, t->p->presets[f]) || rule->deny)
				continue;
			allows = true;
			used |= t->used[i];
			shows &= !missing_proof(t->p, rule);
		}
		if (allows && !used)
			buf_addf(out, "%s: no recorded action needed this preset%s\n", t->p->presets[f], shows ? "" : ", as far as the record shows");
	}
}

void tighten_report(const struct tighten *t, struct buf *out, size_t *unused)
{
	*unused = 0;
	unused_say(t, out, unused);
	unknown_say(t, out);
	presets_say(t, out);
}
