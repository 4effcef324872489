/* SPDX-License-Identifier: Apache-2.0 */
/* A binding's text, by the same tables and with the same findings as a policy's. */
#include "policy/binding.h"
#include "policy/model.h"

#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-_."
#define DIGEST_PREFIX "sha256:"

static bool name_check(struct reader *r, const struct yaml_node *n, const char *text, size_t len)
{
	if (len && len <= 64 && strspn(text, NAME_CHARACTERS) >= len)
		return true;
	READ_ERROR(r, n, CODE("bad-name") "\"%.*s\" is no name" HELP "up to 64 of a-z 0-9 - _ .", (int)(len < 80 ? len : 80), text);
	return false;
}

static bool read_version(struct reader *r, const struct yaml_node *n, void *binding)
{
	(void)binding;
	if (n->kind == YAML_SCALAR && !strcmp(n->text, "1"))
		return true;
	READ_ERROR(r, n, CODE("version") "this program reads version 1 of bindings" HELP "write version: 1");
	return false;
}

static bool read_bind(struct reader *r, const struct yaml_node *n, void *binding)
{
	struct binding *b = binding;

	return read_text(r, n, "a binding's name", &b->name) && name_check(r, n, n->text, n->len);
}

/* "name" or "name@sha256:..." */
static bool read_policy(struct reader *r, const struct yaml_node *n, void *binding)
{
	struct binding *b = binding;
	char *at;

	if (!read_text(r, n, "a policy's name", &b->policy))
		return false;
	at = strchr(b->policy, '@');
	if (!at)
		return name_check(r, n, b->policy, strlen(b->policy));
	*at++ = '\0';
	if (strncmp(at, DIGEST_PREFIX, 7) || strspn(at + 7, "0123456789abcdef") != 64 || at[71]) {
		READ_ERROR(r, n, CODE("bad-digest") "a policy's digest is sha256: and 64 hex digits" HELP "`bailiff policy digest FILE` prints it");
		return false;
	}
	b->digest = diag_strdup(r->d, at);
	return b->digest && name_check(r, n, b->policy, strlen(b->policy));
}

static bool pairs_read(struct reader *r, const struct yaml_node *n, const char *what, struct binding_pair **items, size_t *count)
{
	bool good = true;

	if (n->kind != YAML_MAP || !n->count) {
		READ_ERROR(r, n, CODE("not-a-map") "%s is a map" HELP "write {name: value}", what);
		return false;
	}
	for (size_t i = 0; i < n->count && good; i++) {
		struct binding_pair *pair = vec_push(r->d, items, count, sizeof(*pair));

		good = pair && read_text(r, n->items[i], what, &pair->value);
		if (pair)
			pair->name = diag_strdup(r->d, n->keys[i]->text);
		good &= pair && pair->name;
	}
	return good;
}

static bool read_values(struct reader *r, const struct yaml_node *n, void *binding)
{
	struct binding *b = binding;

	return pairs_read(r, n, "params", &b->params, &b->param_count);
}

/* ---- match ---- */

#define SELECTORS(X) \
	X(image, "The container's image.") X(unit, "The systemd unit.") X(cgroup, "The cgroup's path.") X(user, "The user's name or number.") \
	X(namespace, "The Kubernetes namespace.")
#define X(word, about) \
	static bool read_match_##word(struct reader *r, const struct yaml_node *n, void *selector) \
	{ \
		return read_text(r, n, #word, &((struct binding_selector *)selector)->word); \
	}
SELECTORS(X)
#undef X

static bool read_label(struct reader *r, const struct yaml_node *n, void *selector)
{
	struct binding_selector *s = selector;

	return pairs_read(r, n, "label", &s->labels, &s->label_count);
}

static const struct shape shape_pairs = { .kind = SHAPE_NAMED, .pattern = ".", .of = &shape_text, .filled = true };
static const struct field selector_fields[] = {
	FIELD("label", read_label, &shape_pairs, "Labels of the container or pod, each with its value."),
#define X(word, about) FIELD(#word, read_match_##word, &shape_text, about),
	SELECTORS(X)
#undef X
};
static const struct shape shape_selector = SHAPE_OF_FIELDS(selector_fields, .filled = true, .name = "selector");
static const struct shape shape_match = { .kind = SHAPE_SOME, .of = &shape_selector };

static bool selector_read(struct reader *r, const struct yaml_node *n, struct binding *b)
{
	struct binding_selector *s = vec_push(r->d, &b->match, &b->match_count, sizeof(*s));

	if (!s || !read_fields(r, n, "a selector", selector_fields, ARRAY_SIZE(selector_fields), s))
		return false;
	if (n->count)
		return true;
	READ_ERROR(r, n, CODE("empty-list") "an empty selector would match every sandbox" HELP "say what is meant, as {user: \"*\"}");
	return false;
}

static bool read_match(struct reader *r, const struct yaml_node *n, void *binding)
{
	bool good = true;

	if (n->kind != YAML_LIST)
		return selector_read(r, n, binding);
	for (size_t i = 0; i < n->count; i++)
		good &= selector_read(r, n->items[i], binding);
	if (!n->count)
		READ_ERROR(r, n, CODE("empty-list") "an empty list matches nothing" HELP "list selectors, or remove the binding");
	return good && n->count;
}

static bool read_priority(struct reader *r, const struct yaml_node *n, void *binding)
{
	struct binding *b = binding;
	size_t digits = n->kind == YAML_SCALAR ? strspn(n->text, "0123456789") : 0;

	if (!digits || digits > 4 || n->text[digits]) {
		READ_ERROR(r, n, CODE("bad-amount") "a priority is a number from 0 to 9999" HELP "the highest that matches holds; without one it is 0");
		return false;
	}
	b->priority = strtoull(n->text, NULL, 10);
	return true;
}

/* ---- words ---- */

static const char *const stage_words[] = { "observe", "read-only", "transactional", "enforce", NULL };
static const char *const unbound_words[] = { "refuse", "hold", "allow", NULL };
static const char *const tighten_words[] = { "keep", "recheck", "kill", NULL };
static const struct shape shape_stage = { .kind = SHAPE_WORD, .words = stage_words };
static const struct shape shape_unbound = { .kind = SHAPE_WORD, .words = unbound_words };
static const struct shape shape_tighten = { .kind = SHAPE_WORD, .words = tighten_words };

static bool read_stage(struct reader *r, const struct yaml_node *n, void *binding)
{
	int word = read_word(r, n, "a stage", stage_words);

	((struct binding *)binding)->stage = word < 0 ? BINDING_OBSERVE : (enum binding_stage)word;
	return word >= 0;
}

static bool read_shadow(struct reader *r, const struct yaml_node *n, void *binding)
{
	return read_text(r, n, "shadow", &((struct binding *)binding)->shadow) && name_check(r, n, n->text, n->len);
}

static bool read_unbound(struct reader *r, const struct yaml_node *n, void *binding)
{
	int word = read_word(r, n, "what happens to the unbound", unbound_words);

	((struct binding *)binding)->on_unbound = word < 0 ? UNBOUND_REFUSE : (enum binding_unbound)word;
	return word >= 0;
}

static bool read_tighten(struct reader *r, const struct yaml_node *n, void *binding)
{
	int word = read_word(r, n, "what happens on a tightening", tighten_words);

	((struct binding *)binding)->on_tighten = word < 0 ? TIGHTEN_KEEP : (enum binding_tighten)word;
	return word >= 0;
}

/* ---- grants ---- */

static bool read_grant_rule(struct reader *r, const struct yaml_node *n, void *grant)
{
	return read_text(r, n, "a rule's id", &((struct binding_grant *)grant)->rule);
}

static bool read_grant_by(struct reader *r, const struct yaml_node *n, void *grant)
{
	struct binding_grant *g = grant;
	bool good = read_is_list(r, n, "by");

	for (size_t i = 0; good && i < n->count; i++) {
		char **place = vec_push(r->d, &g->by, &g->by_count, sizeof(*place));

		good = place && read_text(r, n->items[i], "a user or group", place);
	}
	return good;
}

static bool read_grant_most(struct reader *r, const struct yaml_node *n, void *grant)
{
	char why[200] = "";

	if (n->kind == YAML_SCALAR && amount_parse("duration", n->text, &((struct binding_grant *)grant)->most_s, why))
		return true;
	READ_ERROR(r, n, CODE("bad-amount") "a grant's longest time is one like 30m or 2h");
	return false;
}

static const struct shape shape_people = { .kind = SHAPE_LIST, .of = &shape_text, .filled = true };
static const struct field grant_fields[] = {
	NEEDED("rule", read_grant_rule, &shape_rule_id, "The id of the rule that may be opened."),
	NEEDED("by", read_grant_by, &shape_people, "Users and groups who may open it."),
	FIELD("most", read_grant_most, &shape_amount, "For how long at most, as 1h."),
};
static const struct shape shape_grant = SHAPE_OF_FIELDS(grant_fields);
static const struct shape shape_grants = { .kind = SHAPE_LIST, .of = &shape_grant };

static bool grant_read(struct reader *r, const struct yaml_node *n, struct binding *b)
{
	struct binding_grant *g = vec_push(r->d, &b->grants, &b->grant_count, sizeof(*g));

	if (!g || !read_fields(r, n, "a grant", grant_fields, ARRAY_SIZE(grant_fields), g))
		return false;
	if (g->rule && g->by_count)
		return true;
	READ_ERROR(r, n, CODE("missing-key") "a grant without \"rule\" and \"by\" grants nothing" HELP "write {rule: ID, by: [group], most: 1h}");
	return false;
}

static bool read_grants(struct reader *r, const struct yaml_node *n, void *binding)
{
	bool good = read_is_list(r, n, "grants");

	for (size_t i = 0; good && i < n->count; i++)
		good &= grant_read(r, n->items[i], binding);
	return good;
}

/* ---- the document ---- */

static const struct shape shape_policy_name = { .kind = SHAPE_TEXT, .pattern = "^[a-z0-9._-]{1,64}(@sha256:[0-9a-f]{64})?$", .number = true };
static const struct shape shape_priority = { .kind = SHAPE_TEXT, .pattern = "^[0-9]{1,4}$", .number = true };

static const struct field binding_fields[] = {
	NEEDED("version", read_version, &shape_version, "The version of bindings: 1."),
	NEEDED("bind", read_bind, &shape_name, "The binding's name: up to 64 of a-z 0-9 - _ ."),
	NEEDED("match", read_match, &shape_match, "The sandboxes that are meant: all keys of a selector together, any item of a list."),
	FIELD("priority", read_priority, &shape_priority, "The highest that matches holds, from 0 to 9999; without it 0."),
	NEEDED("policy", read_policy, &shape_policy_name, "The policy's name, and with @sha256:... only that text."),
	FIELD("params", read_values, &shape_pairs, "Values of the policy's parameters."),
	NEEDED("stage", read_stage, &shape_stage, "How far the policy is trusted."),
	FIELD("shadow", read_shadow, &shape_name, "Judged beside it and not applied: next (the next stage), or a policy's name."),
	FIELD("on_unbound", read_unbound, &shape_unbound, "What happens to such a sandbox while no engine is there to bind it."),
	FIELD("on_tighten", read_tighten, &shape_tighten, "What happens to what is open when a new policy no longer allows it."),
	FIELD("grants", read_grants, &shape_grants, "Who may open a rule for a time."),
};
const struct shape shape_binding = SHAPE_OF_FIELDS(binding_fields);

static void document_read(struct reader *r, const struct yaml_node *tree, struct binding *b)
{
	if (!read_fields(r, tree, "a binding", binding_fields, ARRAY_SIZE(binding_fields), b) && tree->kind != YAML_MAP)
		return;
	key_needed(r, tree, "version", "the binding has no \"version\"", "begin it with \"version: 1\"");
	key_needed(r, tree, "match", "the binding matches nothing", "add \"match:\" with a selector, as {user: agent}");
	key_needed(r, tree, "policy", "the binding names no policy", "add \"policy: name\"");
	key_needed(r, tree, "stage", "the binding has no stage", "begin with \"stage: observe\"");
	if (b->shadow && !strcmp(b->shadow, "next") && b->stage == BINDING_ENFORCE)
		READ_ERROR(r, yaml_get(tree, "shadow"), CODE("dead-entry") "there is no stage behind enforce" HELP "remove shadow, or name a policy");
}

int binding_load(const char *text, size_t len, const char *file, struct binding **out, struct diags *diags)
{
	struct policy_source src = { .only_check = true };
	struct reader r = { .d = diags, .src = &src, .file = file };
	struct binding *b = calloc(1, sizeof(*b));
	struct yaml_node *tree;

	if (!b) {
		diags->err = -ENOMEM;
		return -ENOMEM;
	}
	b->file = diag_strdup(diags, file);
	if (read_tree(&r, text, len, &tree)) {
		document_read(&r, tree, b);
		yaml_free(tree);
	}
	diags_quote(diags, file, text, len);
	diags_sort(diags);
	if (diags->err || diags->errors) {
		binding_free(b);
		return diags->err ? diags->err : -EINVAL;
	}
	*out = b;
	return 0;
}

bool binding_is(const char *text, size_t len)
{
	_cleanup_(yaml_errors_done) struct yaml_errors errors = {};
	struct yaml_node *tree;
	bool is;

	if (yaml_parse_all(text, len, &tree, &errors))
		return false;
	is = tree->kind == YAML_MAP && yaml_get(tree, "bind");
	yaml_free(tree);
	return is;
}
