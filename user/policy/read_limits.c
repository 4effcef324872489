/* SPDX-License-Identifier: Apache-2.0 */
/* Limits: how much of something at most. A limit is a rule that refuses what is more, so several of one kind mean the smallest. */
#include "policy/model.h"

static bool read_most(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;
	char why[200];

	if (n->kind == YAML_SCALAR && amount_parse(it->word, n->text, &it->most, why))
		return true;
	if (n->kind == YAML_SCALAR)
		READ_ERROR(r, n, CODE("bad-amount") "%s", why);
	else
		READ_ERROR(r, n, CODE("bad-amount") "limits.%s is one amount" HELP "write it alone, or {most: ..., why: ...}", it->word);
	return false;
}

static const struct field limit_fields[] = { NEEDED("most", read_most, &shape_amount, "The most that is allowed."), NOTE_FIELDS };
static const struct shape shape_limit_map = SHAPE_OF_FIELDS(limit_fields);
static const struct shape shape_limit = { .kind = SHAPE_EITHER, .of = &shape_amount, .other = &shape_limit_map };

static bool limit_read(struct reader *r, const struct yaml_node *n, const char *word)
{
	struct rule *rule = rule_new(r, n);
	bool good;

	if (!rule)
		return false;
	rule->word = word;
	rule->class = PC_LIMITS;
	rule->deny = true;
	rule->verbs = 1u << PV_LIMIT;
	good = n->kind == YAML_MAP ? read_fields(r, n, "a limit", limit_fields, ARRAY_SIZE(limit_fields), rule) : read_most(r, n, rule);
	if (good && !rule->most)
		READ_ERROR(r, n, CODE("missing-key") "a limit without \"most\" limits nothing" HELP "add {most: ...}");
	if (good && rule->most)
		return rule_add(r, rule);
	rule_free(rule);
	return false;
}

#define LIMITS(X) \
	X(memory, "Memory, as 2G.") X(cpus, "Processors' time, as 2 or 0.5.") X(processes, "Processes and threads.") \
	X(io, "Reading and writing of disks, as 50M/s.") X(egress, "Bytes sent over the network in all, as 100M.") \
	X(duration, "How long the session lives, as 1h.")
#define X(word, about) \
	static bool read_##word(struct reader *r, const struct yaml_node *n, void *policy) \
	{ \
		(void)policy; \
		return limit_read(r, n, #word); \
	}
LIMITS(X)
#undef X

static const struct field limits_fields[] = {
#define X(word, about) FIELD(#word, read_##word, &shape_limit, about),
	LIMITS(X)
#undef X
};
const struct shape shape_limits = SHAPE_OF_FIELDS(limits_fields);

bool read_limits(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "limits", limits_fields, ARRAY_SIZE(limits_fields), policy);
}
