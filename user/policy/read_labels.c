/* SPDX-License-Identifier: Apache-2.0 */
/* Labels, which a sandbox gets by reading and which leave it only some rules of a class; and what follows a refusal. */
#include "policy/model.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-_."

/* ---- labels ---- */

static bool read_on_read(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	return patterns_read(r, n, &it->nodes, &it->node_count);
}

static bool read_only(struct reader *r, const struct yaml_node *n, void *then)
{
	struct label_then *it = then;
	bool good = read_is_list(r, n, "only");

	for (size_t i = 0; good && i < n->count; i++) {
		char **place = vec_push(r->d, &it->only, &it->only_count, sizeof(*place));

		if (!place)
			return false;
		good = read_text(r, n->items[i], "a rule's id", place);
		it->only_count -= !good;
	}
	return good;
}

static const struct shape shape_ids = { .kind = SHAPE_LIST, .of = &shape_rule_id };
static const struct field left_fields[] = { NEEDED("only", read_only, &shape_ids, "The ids of the rules that are left; none: nothing is.") };
static const struct shape shape_left = SHAPE_OF_FIELDS(left_fields);

static bool then_read(struct reader *r, const struct yaml_node *n, struct rule *rule, enum policy_class class)
{
	struct label_then *then = vec_push(r->d, &rule->thens, &rule->then_count, sizeof(*then));

	if (!then)
		return false;
	then->class = class;
	if (!read_fields(r, n, "what a label leaves", left_fields, ARRAY_SIZE(left_fields), then))
		return false;
	if (n->count)
		return true;
	READ_ERROR(r, n, CODE("missing-key") "it is not said what the label leaves" HELP "write {only: [ids of rules]}; an empty list leaves nothing");
	return false;
}

static bool read_then_network(struct reader *r, const struct yaml_node *n, void *rule)
{
	return then_read(r, n, rule, PC_NETWORK);
}

static bool read_then_sockets(struct reader *r, const struct yaml_node *n, void *rule)
{
	return then_read(r, n, rule, PC_SOCKETS);
}

static const struct field then_fields[] = {
	FIELD("network", read_then_network, &shape_left, "What is left of the network class."),
	FIELD("sockets", read_then_sockets, &shape_left, "What is left of the sockets class."),
};
static const struct shape shape_then = SHAPE_OF_FIELDS(then_fields);

static bool read_then(struct reader *r, const struct yaml_node *n, void *rule)
{
	return read_fields(r, n, "then", then_fields, ARRAY_SIZE(then_fields), rule);
}

static const struct field label_fields[] = {
	NEEDED("on_read", read_on_read, &shape_paths, "The paths that give the label to whoever reads one of them."),
	NEEDED("then", read_then, &shape_then, "What is left afterwards, by class."), NOTE_FIELDS,
};
static const struct shape shape_label = SHAPE_OF_FIELDS(label_fields);
const struct shape shape_labels = { .kind = SHAPE_NAMED, .pattern = "^[a-z0-9._-]{1,64}$", .of = &shape_label };

static bool label_read(struct reader *r, const struct yaml_node *key, const struct yaml_node *n)
{
	struct rule *rule = rule_new(r, key);
	char **name = rule ? vec_push(r->d, &rule->names, &rule->name_count, sizeof(*name)) : NULL;
	bool good = key->len <= 64 && strspn(key->text, NAME_CHARACTERS) == key->len;

	if (!good)
		READ_ERROR(r, key, CODE("bad-name") "\"%.80s\" is no name for a label" HELP "up to 64 of a-z 0-9 - _ .", key->text);
	if (name)
		*name = diag_strdup(r->d, key->text);
	if (rule) {
		rule->word = "on_read";
		rule->class = PC_LABELS;
		rule->deny = true;
		good &= read_fields(r, n, "a label", label_fields, ARRAY_SIZE(label_fields), rule);
	}
	if (good && rule && (!rule->node_count || !rule->then_count)) {
		READ_ERROR(r, n, CODE("missing-key") "a label without \"on_read\" and \"then\" does nothing" HELP "write {on_read: [paths], then: {network: {only: [ids]}}}");
		good = false;
	}
	if (good && name && *name)
		return rule_add(r, rule);
	rule_free(rule);
	return false;
}

bool read_labels(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = true;

	(void)policy;
	if (n->kind != YAML_MAP) {
		READ_ERROR(r, n, CODE("not-a-map") "labels is a map" HELP "write {name: {on_read: [paths], then: {network: {only: [ids]}}}}");
		return false;
	}
	for (size_t i = 0; i < n->count; i++)
		good &= label_read(r, n->keys[i], n->items[i]);
	return good;
}

/* ---- on_refusal ---- */

static bool read_match(struct reader *r, const struct yaml_node *n, void *refusal)
{
	return read_text(r, n, "match", &((struct refusal *)refusal)->match);
}

static bool read_do(struct reader *r, const struct yaml_node *n, void *refusal)
{
	int word = read_word(r, n, "something to do", refusal_do_words);

	((struct refusal *)refusal)->action = word < 0 ? REFUSAL_DENY : (enum refusal_do)word;
	if (word == REFUSAL_ASK || word == REFUSAL_FREEZE)
		say_unbuilt(r, n, "write deny or kill", "\"%s\" on a refusal is not built yet", n->text);
	return word >= 0;
}

static bool read_alert(struct reader *r, const struct yaml_node *n, void *refusal)
{
	int word = read_word(r, n, "a severity", alert_words);

	((struct refusal *)refusal)->alert = word;
	return word >= 0;
}

static const struct shape shape_do = { .kind = SHAPE_WORD, .words = refusal_do_words };
static const struct shape shape_alert = { .kind = SHAPE_WORD, .words = alert_words };
static const struct field refusal_fields[] = {
	NEEDED("match", read_match, &shape_text, "What was refused: a class, a verb, a rule's id, or \"*\"."),
	NEEDED("do", read_do, &shape_do, "What is done."),
	FIELD("alert", read_alert, &shape_alert, "How severe the event is."),
};
static const struct shape shape_refusal = SHAPE_OF_FIELDS(refusal_fields);
const struct shape shape_on_refusal = { .kind = SHAPE_LIST, .of = &shape_refusal };

static bool refusal_read(struct reader *r, const struct yaml_node *n, struct policy *p)
{
	struct refusal *refusal = vec_push(r->d, &p->refusals, &p->refusal_count, sizeof(*refusal));

	if (!refusal)
		return false;
	refusal->alert = -1;
	refusal->line = n->line;
	refusal->column = n->column;
	if (!read_fields(r, n, "an entry of on_refusal", refusal_fields, ARRAY_SIZE(refusal_fields), refusal))
		return false;
	if (refusal->match && yaml_get(n, "do"))
		return true;
	READ_ERROR(r, n, CODE("missing-key") "an entry of on_refusal without \"match\" and \"do\" says nothing" HELP "write {match: ..., do: ...}");
	return false;
}

bool read_on_refusal(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = read_is_list(r, n, "on_refusal");

	for (size_t i = 0; good && i < n->count; i++)
		good &= refusal_read(r, n->items[i], policy);
	return good;
}
