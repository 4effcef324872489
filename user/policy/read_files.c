/* SPDX-License-Identifier: Apache-2.0 */
/* What is ruled by path and run through the automata: files, and unix sockets. A plain string in a list is a rule of its own. */
#include <stdio.h>
#include "policy/model.h"

bool pattern_push(struct reader *r, const struct yaml_node *n, struct pattern **items, size_t *count)
{
	struct pattern *pattern = vec_push(r->d, items, count, sizeof(*pattern));

	if (!pattern)
		return false;
	if (pattern_read(r, n, pattern))
		return true;
	free(pattern->source);
	free(pattern->text);
	(*count)--;
	return false;
}

bool patterns_read(struct reader *r, const struct yaml_node *n, struct pattern **items, size_t *count)
{
	bool good = true;

	if (n->kind != YAML_LIST)
		return pattern_push(r, n, items, count);
	for (size_t i = 0; i < n->count; i++)
		good &= pattern_push(r, n->items[i], items, count);
	if (!n->count)
		READ_ERROR(r, n, CODE("empty-list") "an empty list of paths rules nothing" HELP "list a path, or remove the rule");
	return good && n->count;
}

static bool read_path(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	return patterns_read(r, n, &it->paths, &it->path_count);
}

static bool read_except(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	if (it->deny)
		return patterns_read(r, n, &it->excepts, &it->except_count);
	READ_ERROR(r, n, CODE("misplaced") "\"except\" narrows a deny, and this is an allow"
		   HELP "an allow lists what it allows: deny the rest, or list narrower paths");
	return false;
}

static uint32_t verbs_of_word(int word)
{
	return word == VERB_UNIX ? VERBS_WRITE : 1u << word;
}

/* "write" takes the place of the sockets' verb, so that an index is a verb's bit */
static const char *const verb_words[] = { "read", "change", "create", "remove", "execute", "write", NULL };

static bool read_verbs(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;
	bool good = true;
	int word;

	if (!it->deny) {
		READ_ERROR(r, n, CODE("misplaced") "\"verbs\" belongs to a deny, and this is an allow"
			   HELP "an allow stands under its verb: move the path there");
		return false;
	}
	if (!read_is_list(r, n, "verbs"))
		return false;
	it->verbs = 0;
	for (size_t i = 0; i < n->count; i++) {
		word = read_word(r, n->items[i], "a verb", verb_words);
		good &= word >= 0;
		it->verbs |= word < 0 ? 0 : verbs_of_word(word);
	}
	if (!n->count)
		READ_ERROR(r, n, CODE("empty-list") "an empty list of verbs rules nothing" HELP "leave \"verbs\" out for every verb");
	return good && n->count;
}

static const char *const accept_words[] = { "host-control", NULL };

static bool read_accept(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	it->accepted = read_word(r, n, "something to accept", accept_words) == 0;
	return it->accepted;
}

static const struct shape shape_verb = { .kind = SHAPE_WORD, .words = verb_words };
static const struct shape shape_verbs = { .kind = SHAPE_LIST, .of = &shape_verb };
static const struct shape shape_accept = { .kind = SHAPE_WORD, .words = accept_words };
#define ABOUT_PATH "The path or paths: each means itself and all below. * ? [ ] stay inside a component, ** spans components, $name is a parameter."
static const struct field allow_fields[] = {
	NEEDED("path", read_path, &shape_paths, ABOUT_PATH),
	MISPLACED("except", read_except), MISPLACED("verbs", read_verbs), RULE_FIELDS,
};
static const struct field deny_fields[] = {
	NEEDED("path", read_path, &shape_paths, ABOUT_PATH),
	FIELD("except", read_except, &shape_paths, "Paths that this deny leaves alone. Another deny still refuses there, and an allow is needed besides."),
	FIELD("verbs", read_verbs, &shape_verbs, "What is denied; without it every verb. write is change, create and remove."), RULE_FIELDS,
};
static const struct field unix_fields[] = {
	NEEDED("path", read_path, &shape_paths, "The unix socket or sockets, by path."),
	FIELD("i_accept", read_accept, &shape_accept, "Said of a socket whose owner does what it is asked to (Docker, systemd, a bus): whoever may talk to "
	  "it may do what it may do."), EFFECT_FIELD, RULE_FIELDS,
};

/* What one key of a class makes of its entries. */
struct path_key {
	const char *word, *what;
	enum policy_class class;
	bool deny;
	uint32_t verbs;
};

static bool entry_read(struct reader *r, const struct yaml_node *n, const struct path_key *key)
{
	struct rule *rule = rule_new(r, n);
	char what[40];
	bool good;

	if (!rule)
		return false;
	snprintf(what, sizeof(what), "a rule of %s", key->what);
	rule->word = key->word;
	rule->class = key->class;
	rule->deny = key->deny;
	rule->verbs = key->verbs;
	if (n->kind == YAML_SCALAR)
		good = read_path(r, n, rule);
	else if (key->class == PC_SOCKETS)
		good = read_fields(r, n, what, unix_fields, ARRAY_SIZE(unix_fields), rule);
	else if (key->deny)
		good = read_fields(r, n, what, deny_fields, ARRAY_SIZE(deny_fields), rule);
	else
		good = read_fields(r, n, what, allow_fields, ARRAY_SIZE(allow_fields), rule);
	if (good && !rule->path_count)
		READ_ERROR(r, n, CODE("missing-key") "a rule without \"path\" rules nothing" HELP "add \"path: /...\"");
	if (good && rule->path_count)
		return rule_add(r, rule);
	rule_free(rule);
	return false;
}

static bool entries_read(struct reader *r, const struct yaml_node *n, const struct path_key *key)
{
	bool good = true;

	if (!read_is_list(r, n, key->what))
		return false;
	for (size_t i = 0; i < n->count; i++)
		good &= entry_read(r, n->items[i], key);
	return good;
}

#define PATH_KEY(name, is_deny, verb_bits) \
	static bool read_files_##name(struct reader *r, const struct yaml_node *n, void *policy) \
	{ \
		static const struct path_key key = { #name, "files." #name, PC_FILES, is_deny, verb_bits }; \
		(void)policy; \
		return entries_read(r, n, &key); \
	}
PATH_KEY(read, false, 1u << VERB_READ)
PATH_KEY(change, false, 1u << VERB_CHANGE)
PATH_KEY(create, false, 1u << VERB_CREATE)
PATH_KEY(remove, false, 1u << VERB_REMOVE)
PATH_KEY(write, false, VERBS_WRITE)
PATH_KEY(execute, false, 1u << VERB_EXECUTE)
PATH_KEY(deny, true, VERBS_FILES)

bool read_sockets_unix(struct reader *r, const struct yaml_node *n, void *policy)
{
	static const struct path_key key = { "unix", "sockets.unix", PC_SOCKETS, false, 1u << VERB_UNIX };

	(void)policy;
	return entries_read(r, n, &key);
}

static const char *const metadata_words[] = { "strict", NULL };

static bool read_files_metadata(struct reader *r, const struct yaml_node *n, void *policy)
{
	((struct policy *)policy)->metadata_strict = read_word(r, n, "a way to judge metadata", metadata_words) == 0;
	return ((struct policy *)policy)->metadata_strict;
}

/* A plain path, or a map that says more. */
#define SHAPE_RULES(prefix, title, table) \
	static const struct shape prefix##_fields = SHAPE_OF_FIELDS(table); \
	static const struct shape prefix##_rule = { .kind = SHAPE_EITHER, .name = title, .of = &shape_path, .other = &prefix##_fields }
SHAPE_RULES(shape_allow, "allow-rule", allow_fields);
SHAPE_RULES(shape_deny, "deny-rule", deny_fields);
SHAPE_RULES(shape_unix, "socket-rule", unix_fields);
static const struct shape shape_allow_rules = { .kind = SHAPE_LIST, .of = &shape_allow_rule };
static const struct shape shape_deny_rules = { .kind = SHAPE_LIST, .of = &shape_deny_rule };
const struct shape shape_unix = { .kind = SHAPE_LIST, .of = &shape_unix_rule };
static const struct shape shape_metadata = { .kind = SHAPE_WORD, .words = metadata_words };

static const struct field files_fields[] = {
	FIELD("read", read_files_read, &shape_allow_rules, "What may be opened for reading and, of directories, listed."),
	FIELD("change", read_files_change, &shape_allow_rules, "What may be opened for writing, truncated, or get other modes, owners, times, attributes."),
	FIELD("create", read_files_create, &shape_allow_rules, "Where a new name may appear: a file, directory, node or link, the target of a rename."),
	FIELD("remove", read_files_remove, &shape_allow_rules, "What may go: by unlink, rmdir, or as the source of a rename."),
	FIELD("write", read_files_write, &shape_allow_rules, "change, create and remove in one rule."),
	FIELD("execute", read_files_execute, &shape_allow_rules, "What may be run, be the interpreter of a script, or be mapped as code (libraries)."),
	FIELD("deny", read_files_deny, &shape_deny_rules, "What is refused whatever else allows it: a deny wins over every allow."),
	UNBUILT("metadata", read_files_metadata, &shape_metadata, "strict: what stat, readlink and access tell needs a right to read, too."),
};
const struct shape shape_files = SHAPE_OF_FIELDS(files_fields);

bool read_files(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "files", files_fields, ARRAY_SIZE(files_fields), policy);
}
