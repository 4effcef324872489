/* SPDX-License-Identifier: Apache-2.0 */
/* The classes that are ruled by path: files, and unix sockets. A plain string in a list is a rule of its own. */
#include <stdio.h>
#include "policy/model.h"

static bool pattern_push(struct reader *r, const struct yaml_node *n, struct pattern **items, size_t *count)
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

/* One path or a list of them. */
static bool patterns_read(struct reader *r, const struct yaml_node *n, struct pattern **items, size_t *count)
{
	bool good = true;

	if (n->kind != YAML_LIST)
		return pattern_push(r, n, items, count);
	for (size_t i = 0; i < n->count; i++)
		good &= pattern_push(r, n->items[i], items, count);
	if (!n->count)
		READ_ERROR(r, n, "an empty list of paths rules nothing");
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
	READ_ERROR(r, n, "\"except\" narrows a deny: an allow lists what it allows");
	return false;
}

static uint32_t verbs_of_word(int word)
{
	return word == VERB_UNIX ? VERBS_WRITE : 1u << word;
}

static bool read_verbs(struct reader *r, const struct yaml_node *n, void *rule)
{
	/* "write" takes the place of the sockets' verb, so that an index is a verb's bit */
	static const char *const words[] = { "read", "change", "create", "remove", "execute", "write", NULL };
	struct rule *it = rule;
	bool good = true;
	int word;

	if (!it->deny) {
		READ_ERROR(r, n, "\"verbs\" belongs to a deny: an allow stands under its verb");
		return false;
	}
	if (!read_is_list(r, n, "verbs"))
		return false;
	it->verbs = 0;
	for (size_t i = 0; i < n->count; i++) {
		word = read_word(r, n->items[i], "a verb", words);
		good &= word >= 0;
		it->verbs |= word < 0 ? 0 : verbs_of_word(word);
	}
	if (!n->count)
		READ_ERROR(r, n, "an empty list of verbs rules nothing");
	return good && n->count;
}

static bool read_accept(struct reader *r, const struct yaml_node *n, void *rule)
{
	static const char *const words[] = { "host-control", NULL };
	struct rule *it = rule;

	it->accepted = read_word(r, n, "something to accept", words) == 0;
	return it->accepted;
}

static const struct field file_fields[] = {
	FIELD("path", read_path), FIELD("except", read_except), FIELD("verbs", read_verbs), RULE_FIELDS,
};
static const struct field unix_fields[] = {
	FIELD("path", read_path), FIELD("i_accept", read_accept), RULE_FIELDS,
};

/* What one key of a class makes of its entries. */
struct path_key {
	const char *word, *what;
	enum class_id class_id;
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
	rule->class_id = key->class_id;
	rule->deny = key->deny;
	rule->verbs = key->verbs;
	if (n->kind == YAML_SCALAR)
		good = read_path(r, n, rule);
	else if (key->class_id == CLASS_SOCKETS)
		good = read_fields(r, n, what, unix_fields, ARRAY_SIZE(unix_fields), rule);
	else
		good = read_fields(r, n, what, file_fields, ARRAY_SIZE(file_fields), rule);
	if (good && !rule->path_count)
		READ_ERROR(r, n, "a rule without \"path\" rules nothing");
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

#define PATH_KEY(name, class_word, class_number, is_deny, verb_bits) \
	static bool read_##class_word##_##name(struct reader *r, const struct yaml_node *n, void *policy) \
	{ \
		static const struct path_key key = { #name, #class_word "." #name, class_number, is_deny, verb_bits }; \
		(void)policy; \
		return entries_read(r, n, &key); \
	}
PATH_KEY(read, files, CLASS_FILES, false, 1u << VERB_READ)
PATH_KEY(change, files, CLASS_FILES, false, 1u << VERB_CHANGE)
PATH_KEY(create, files, CLASS_FILES, false, 1u << VERB_CREATE)
PATH_KEY(remove, files, CLASS_FILES, false, 1u << VERB_REMOVE)
PATH_KEY(write, files, CLASS_FILES, false, VERBS_WRITE)
PATH_KEY(execute, files, CLASS_FILES, false, 1u << VERB_EXECUTE)
PATH_KEY(deny, files, CLASS_FILES, true, VERBS_FILES)
PATH_KEY(unix, sockets, CLASS_SOCKETS, false, 1u << VERB_UNIX)

bool read_files(struct reader *r, const struct yaml_node *n, void *policy)
{
	static const struct field fields[] = {
		FIELD("read", read_files_read), FIELD("change", read_files_change), FIELD("create", read_files_create),
		FIELD("remove", read_files_remove), FIELD("write", read_files_write), FIELD("execute", read_files_execute),
		FIELD("deny", read_files_deny), FIELD("metadata", NULL),
	};

	return read_fields(r, n, "files", fields, ARRAY_SIZE(fields), policy);
}

bool read_sockets(struct reader *r, const struct yaml_node *n, void *policy)
{
	static const struct field fields[] = { FIELD("unix", read_sockets_unix), FIELD("families", NULL) };

	return read_fields(r, n, "sockets", fields, ARRAY_SIZE(fields), policy);
}
