/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a refusal (on_refusal): the first entry that matches the rule that refused, its class, the verb or everything. */
#include "policy/model.h"

/* The class of the language that a builtin rule refuses for; PC_COUNT: none, the guard closes it whatever a policy says. */
static enum policy_class builtin_class(uint32_t which)
{
	switch (which) {
	case B_NETWORK_DEFAULT:
		return PC_NETWORK;
	case B_UNIX_DEFAULT: case B_SOCKET_FAMILY: case B_FOREIGN_SOCKET: case B_SOCKET_OPTION:
		return PC_SOCKETS;
	case B_FILES_DEFAULT: case B_NAME_CHANGE: case B_PATH_UNKNOWN: case B_ANON_EXEC:
		return PC_FILES;
	case B_MOUNT: case B_NAMESPACE: case B_PTRACE: case B_BPF: case B_PERF: case B_MODULE: case B_IO_URING:
		return PC_CALLS;
	case B_CAPABILITY:
		return PC_PRIVILEGES;
	case B_DEADLINE: case B_ENDED: case B_OVERLOAD: case B_UNRECORDED:
		return PC_SESSION;
	default:
		return PC_COUNT;
	}
}

bool refusal_word_is_known(const char *word)
{
	for (int i = 0; i < PC_COUNT; i++) {
		if (!strcmp(class_table[i].word, word))
			return true;
	}
	for (unsigned verb = 0; verb < PV_COUNT; verb++) {
		if (!strcmp(policy_verb_word(verb), word))
			return true;
	}
	return !strcmp(word, "*") || !strcmp(word, "write") || !strcmp(word, "guard");
}

static bool verb_matches(const char *word, unsigned verb)
{
	if (!strcmp(word, "write"))
		return verb < VERB_PATH_COUNT && VERBS_WRITE & 1u << verb;
	if (verb == VERB_SEND && !strcmp(word, policy_verb_word(VERB_CONNECT)))
		return true;	/* the rules of connect judge it */
	return !strcmp(word, policy_verb_word(verb));
}

static bool class_matches(const struct policy *p, const char *word, uint32_t rule)
{
	enum policy_class class = rule < BUILTIN_BASE ? p->rules[rule]->class : builtin_class(rule - BUILTIN_BASE);

	if (rule >= BUILTIN_BASE && !strcmp(word, "guard")) {
		struct policy_rule_info info;

		return !policy_rule(p, rule, &info) && info.class_id == CLASS_GUARD;
	}
	return class < PC_COUNT && !strcmp(word, class_table[class].word);
}

static bool entry_matches(const struct policy *p, const char *match, uint32_t rule, unsigned verb)
{
	struct policy_rule_info info;

	if (rule == RULE_BUILTIN(UNRECORDED))	/* our want of room is nobody's deed: only who names it means it */
		return !strcmp(match, "session.unrecorded");
	return !strcmp(match, "*") || verb_matches(match, verb) || class_matches(p, match, rule) ||
	       (!policy_rule(p, rule, &info) && !strcmp(match, info.id));
}

static const struct refusal *refusal_find(const struct policy *p, uint32_t rule, unsigned verb)
{
	if (rule < BUILTIN_BASE ? rule >= p->rule_count : rule - BUILTIN_BASE >= B_COUNT)
		return NULL;
	for (size_t i = 0; i < p->refusal_count; i++) {
		if (entry_matches(p, p->refusals[i].match, rule, verb))
			return &p->refusals[i];
	}
	return NULL;
}

bool policy_refusal_kills(const struct policy *p, uint32_t rule, unsigned verb)
{
	const struct refusal *refusal = refusal_find(p, rule, verb);

	return refusal && refusal->action == REFUSAL_KILL;
}

unsigned policy_refusal_alert(const struct policy *p, uint32_t rule, unsigned verb)
{
	const struct refusal *refusal = refusal_find(p, rule, verb);

	return refusal && refusal->alert >= 0 ? refusal->alert + 1 : 0;
}
