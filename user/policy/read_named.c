/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes that are ruled by name: devices, calls, privileges, the lists of a session, families of sockets. An entry is a word or path, or a
 * map that has it under the word's own key, so that it can say why.
 */
#include <stdio.h>
#include "policy/model.h"

/* What one list makes of its entries. */
struct name_key {
	const char *word, *what, *field;	/* field: the key of the name in a map */
	enum policy_class class;
	bool deny;
	unsigned verb;
	const struct shape *name;	/* its words, or */
	const char *characters;		/* any word of these characters, or, NULL too, a path */
	const char *a_word;
};

static bool name_push(struct reader *r, const char *text, struct rule *rule)
{
	char **place = vec_push(r->d, &rule->names, &rule->name_count, sizeof(*place));

	if (place)
		*place = diag_strdup(r->d, text);
	return place && *place;
}

static bool name_check(struct reader *r, const struct yaml_node *n, const struct name_key *key)
{
	if (key->class == PC_CALLS && key->deny && n->kind == YAML_SCALAR && n->text[0] == '@') {
		READ_ERROR(r, n, CODE("unknown-word") "\"%.60s\" is a group, and what is refused is listed by call" HELP
			   "a group is refused unless \"allow\" lists it", n->text);
		return false;
	}
	if (key->name->words || key->class == PC_DEVICES)
		return read_word(r, n, key->a_word, key->name->words ? key->name->words : device_groups) >= 0;
	if (n->kind == YAML_SCALAR && n->len && n->len <= 128 && strspn(n->text, key->characters) == n->len)
		return true;
	READ_ERROR(r, n, CODE("bad-name") "\"%.60s\" is not %s" HELP "it has only %s", n->kind == YAML_SCALAR ? n->text : "", key->a_word, key->characters);
	return false;
}

/* Where neither words nor characters are given it is a path; a device may be a group as well. */
static bool is_path(const struct yaml_node *n, const struct name_key *key)
{
	bool group = key->class == PC_DEVICES && n->kind == YAML_SCALAR && n->text[0] == '@';

	return !key->characters && !key->name->words && !group;
}

static bool name_add(struct reader *r, const struct yaml_node *n, const struct name_key *key, struct rule *rule)
{
	if (is_path(n, key))
		return pattern_push(r, n, &rule->nodes, &rule->node_count);
	return name_check(r, n, key) && name_push(r, n->text, rule);
}

static bool names_add(struct reader *r, const struct yaml_node *n, const struct name_key *key, struct rule *rule)
{
	bool good = true;

	if (n->kind != YAML_LIST)
		return name_add(r, n, key, rule);
	for (size_t i = 0; i < n->count; i++)
		good &= name_add(r, n->items[i], key, rule);
	if (!n->count)
		READ_ERROR(r, n, CODE("empty-list") "an empty list of names rules nothing" HELP "list what the rule is about, or remove it");
	return good && n->count;
}

#define PATHS		"^(/|\\*\\*(/|$)|\\$[a-z0-9_]+(/|$))"	/* as shape_path */
#define LETTERS		"abcdefghijklmnopqrstuvwxyz0123456789_"

/* The lists: key and word of their rules, the name's key in a map, class, deny, verb, what a name is, its characters, how a message calls it. */
#define NAME_KEYS(X) \
	X(devices, "use", "devices", "device", PC_DEVICES, false, PV_USE, SHAPE_TEXT, .pattern = "^(@[a-z]+$|/|\\*\\*(/|$)|\\$[a-z0-9_]+(/|$))", NULL, \
	  "a group of devices") \
	X(calls_allow, "allow", "calls.allow", "group", PC_CALLS, false, PV_CALL, SHAPE_WORD, .words = call_groups, NULL, "a group of calls") \
	X(calls_refuse, "refuse", "calls.refuse", "call", PC_CALLS, true, PV_CALL, SHAPE_WORD, .words = call_names, NULL, "a system call") \
	X(capabilities, "capabilities", "privileges.capabilities", "capability", PC_PRIVILEGES, false, PV_CAPABILITY, SHAPE_WORD, \
	  .words = capability_words, NULL, "a capability") \
	X(set_id, "set_id", "privileges.set_id", "path", PC_PRIVILEGES, false, PV_SET_ID, SHAPE_TEXT, .pattern = PATHS, NULL, "a path") \
	X(environment, "environment", "session.environment", "variable", PC_SESSION, false, PV_VARIABLE, SHAPE_TEXT, \
	  .pattern = "^[A-Za-z0-9_*]{1,128}$", "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LETTERS "*", "a variable's name") \
	X(keep, "keep", "session.keep", "path", PC_SESSION, false, PV_KEEP, SHAPE_TEXT, .pattern = PATHS, NULL, "a path") \
	X(families, "families", "sockets.families", "family", PC_SOCKETS, false, PV_FAMILY, SHAPE_WORD, .words = family_words, NULL, "a family of sockets")

#define X(name, word, what, key_word, class, deny, verb, shape_kind, looks, characters, a_word) \
	static const struct shape shape_one_##name = { .kind = shape_kind, looks }; \
	static const struct name_key key_##name = { word, what, key_word, class, deny, verb, &shape_one_##name, characters, a_word }; \
	static bool read_name_##name(struct reader *r, const struct yaml_node *n, void *rule) \
	{ \
		return names_add(r, n, &key_##name, rule); \
	} \
	static const struct shape shape_some_##name = { .kind = SHAPE_SOME, .of = &shape_one_##name }; \
	static const struct field fields_##name[] = { NEEDED(key_word, read_name_##name, &shape_some_##name, "What the rule is about."), RULE_FIELDS }; \
	static const struct shape shape_fields_##name = SHAPE_OF_FIELDS(fields_##name); \
	static const struct shape shape_rule_##name = { .kind = SHAPE_EITHER, .of = &shape_one_##name, .other = &shape_fields_##name }; \
	static const struct shape shape_list_##name __attribute__((unused)) = { .kind = SHAPE_LIST, .of = &shape_rule_##name };
NAME_KEYS(X)
#undef X

static bool entry_read(struct reader *r, const struct yaml_node *n, const struct name_key *key, const struct field *fields, size_t count)
{
	struct rule *rule = rule_new(r, n);
	char what[48];
	bool good;

	if (!rule)
		return false;
	snprintf(what, sizeof(what), "a rule of %s", key->what);
	rule->word = key->word;
	rule->class = key->class;
	rule->deny = key->deny;
	rule->verbs = 1u << key->verb;
	good = n->kind == YAML_SCALAR ? name_add(r, n, key, rule) : read_fields(r, n, what, fields, count, rule);
	if (good && !rule->name_count && !rule->node_count)
		READ_ERROR(r, n, CODE("missing-key") "a rule without \"%s\" rules nothing" HELP "add {%s: ...}", key->field, key->field);
	if (good && (rule->name_count || rule->node_count))
		return rule_add(r, rule);
	rule_free(rule);
	return false;
}

static bool entries_read(struct reader *r, const struct yaml_node *n, const struct name_key *key, const struct field *fields, size_t count)
{
	bool good = true;

	if (!read_is_list(r, n, key->what))
		return false;
	for (size_t i = 0; i < n->count; i++)
		good &= entry_read(r, n->items[i], key, fields, count);
	return good;
}

#define X(name, word, what, key_word, class, deny, verb, shape_kind, looks, characters, a_word) \
	static bool read_list_##name(struct reader *r, const struct yaml_node *n, void *policy) \
	{ \
		(void)policy; \
		return entries_read(r, n, &key_##name, fields_##name, ARRAY_SIZE(fields_##name)); \
	}
NAME_KEYS(X)
#undef X

/* ---- the classes ---- */

const struct shape shape_devices = { .kind = SHAPE_LIST, .of = &shape_rule_devices };

bool read_devices(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_list_devices(r, n, policy);
}

/* The one group of calls whose kernel side is there, and those whose is not. */
static bool read_calls_allow(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;
	size_t before = p->rule_count;
	bool good = read_list_calls_allow(r, n, policy);

	for (size_t i = before; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];
		struct yaml_node at = { .line = rule->line, .column = rule->column, .end_line = rule->end_line, .end_column = rule->end_column };

		for (size_t k = 0; k < rule->name_count; k++) {
			if (rule->record_required)
				say_unbuilt(r, &at, "remove it", "\"record: required\" on a group of calls is not built yet");
			if (!strcmp(rule->names[k], "@io_uring"))
				p->io_uring = true;
			else
				say_unbuilt(r, &at, "remove it", "opening \"%s\" is not built yet", rule->names[k]);
		}
	}
	return good;
}

static const struct field calls_fields[] = {
	FIELD("allow", read_calls_allow, &shape_list_calls_allow, "Groups of system calls that are opened; none is by default."),
	UNBUILT("refuse", read_list_calls_refuse, &shape_list_calls_refuse, "System calls that are refused, by name."),
};
const struct shape shape_calls = SHAPE_OF_FIELDS(calls_fields);

bool read_calls(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "calls", calls_fields, ARRAY_SIZE(calls_fields), policy);
}

static const struct field privileges_fields[] = {
	FIELD("capabilities", read_list_capabilities, &shape_list_capabilities, "Capabilities that may be used."),
	FIELD("set_id", read_list_set_id, &shape_list_set_id, "Set-id programs that may be run as such, by path."),
};
const struct shape shape_privileges = SHAPE_OF_FIELDS(privileges_fields);

bool read_privileges(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "privileges", privileges_fields, ARRAY_SIZE(privileges_fields), policy);
}

static bool read_workspace(struct reader *r, const struct yaml_node *n, void *policy)
{
	int word = read_word(r, n, "a kind of workspace", workspace_words + 1);

	if (word >= 0)
		((struct policy *)policy)->workspace = word + 1;
	return word >= 0;
}

static const struct shape shape_workspace = { .kind = SHAPE_WORD, .words = workspace_words + 1 };
static const struct field session_fields[] = {
	FIELD("workspace", read_workspace, &shape_workspace, "direct: the place itself; copy: asked before it is committed; ephemeral: discarded."),
	FIELD("environment", read_list_environment, &shape_list_environment, "Variables that are passed on; * stands for any characters."),
	FIELD("keep", read_list_keep, &shape_list_keep, "Paths whose new files may outlive the session."),
};
const struct shape shape_session = SHAPE_OF_FIELDS(session_fields);

bool read_session(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "session", session_fields, ARRAY_SIZE(session_fields), policy);
}

static const struct field sockets_fields[] = {
	FIELD("unix", read_sockets_unix, &shape_unix, "The unix sockets that may be connected or sent to."),
	UNBUILT("families", read_list_families, &shape_list_families, "Families of sockets beside TCP, UDP and unix."),
};
const struct shape shape_sockets = SHAPE_OF_FIELDS(sockets_fields);

bool read_sockets(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "sockets", sockets_fields, ARRAY_SIZE(sockets_fields), policy);
}
