/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `within`: whatever a policy allows, its ceiling allows too. Paths and addresses are decided on the two images, for every path and every
 * address there is; what is ruled by name by going through the names. Never says "within" where it is not.
 */
#include "policy/diff.h"
#include "policy/within.h"

static bool is_narrowed(const struct rule *rule)
{
	return rule->by_count || (rule->until_s && !rule->deny);
}

/* The rules that count, copied, each for every program and for ever. */
static bool view_make(const struct policy *p, bool narrowed_denies, struct policy *out, struct diags *d)
{
	*out = *p;
	out->rules = NULL;
	out->rule_count = 0;
	for (size_t i = 0; i < p->rule_count; i++) {
		struct rule **place, *copy;

		if (is_narrowed(p->rules[i]) && p->rules[i]->deny != narrowed_denies)
			continue;
		copy = malloc(sizeof(*copy));
		place = copy ? vec_push(d, &out->rules, &out->rule_count, sizeof(*place)) : NULL;
		if (!place) {
			free(copy);
			d->err = -ENOMEM;
			return false;
		}
		*copy = *p->rules[i];
		copy->by_count = 0;
		copy->until_s = 0;
		*place = copy;
	}
	return true;
}

static void view_done(struct policy *view)
{
	for (size_t i = 0; i < view->rule_count; i++)
		free(view->rules[i]);
	free(view->rules);
}

void within_say(struct within *w, const struct rule *rule, uint32_t by, const char *what)
{
	struct policy_rule_info info = { .id = "its own default" };
	struct text_place at = rule ? PLACE(rule->file, rule) : w->p->within_at, there;

	(void)policy_rule(&w->above, by, &info);
	diag_at(w->d, false, at, CODE("beyond-ceiling") "this goes beyond the ceiling %s, which refuses \"%.200s\" by %s", w->p->within, what, info.id);
	if (by < w->above.rule_count)
		there = PLACE(w->above.rules[by]->file, w->above.rules[by]);
	else
		there = (struct text_place){ info.line ? info.file : w->ceiling->files[0], info.line ? info.line : 1, 1, info.line ? info.line : 1, 2 };
	diag_note(w->d, there, by < w->above.rule_count ? "this refuses it" : "nothing here allows it");
}

/* A class that is open here and not above is said once, as a whole. */
bool open_is_said(const struct within *w, unsigned verb)
{
	return w->inside.open & ~w->above.open & 1u << verb_class(verb);
}

/* ---- paths and addresses ---- */

static void difference_say(struct within *w, const struct policy_difference *item)
{
	struct policy_action a = { .verb = VERB_READ, .path = item->path, .path_len = item->path_len, .port = item->port_first, .proto = item->proto };
	_buf_ struct buf what = {};

	while (!(item->verbs & 1u << a.verb))
		a.verb++;
	if (item->is == RULE_NONE && open_is_said(w, a.verb))
		return;
	if (item->span_count)
		memcpy(a.addr, item->spans[0].first, sizeof(a.addr));
	policy_action_print(&a, &what);
	within_say(w, item->is < w->inside.rule_count ? w->inside.rules[item->is] : NULL, item->was, what.data ? what.data : "");
}

static int images_compare(struct within *w, struct policy_image *inside, struct policy_image *above, struct policy_diff *diff)
{
	int err = policy_compile(&w->inside, inside, w->d);

	if (!err)
		err = policy_compile(&w->above, above, w->d);
	return err ? err : policy_diff_images(&w->above, above, &w->inside, inside, diff);
}

static void images_prove(struct within *w)
{
	struct policy_image inside = {}, above = {};
	struct policy_diff diff = {};
	size_t errors = w->d->errors;
	int err = images_compare(w, &inside, &above, &diff);

	for (size_t i = 0; !err && i < diff.count; i++) {
		if (diff.items[i].allows)
			difference_say(w, &diff.items[i]);
	}
	if (err == -ENOMEM)
		w->d->err = err;
	else if (err && w->d->errors == errors)
		diag_at(w->d, false, w->p->within_at, CODE("too-big") "the two are too large to prove one within the other"
			HELP "use fewer patterns with \"**\", or a smaller ceiling");
	policy_diff_done(&diff);
	policy_image_done(&inside);
	policy_image_done(&above);
}

static void open_prove(struct within *w)
{
	for (int i = 0; i < PC_COUNT; i++) {
		if (w->p->open & ~w->ceiling->open & 1u << i)
			diag_at(w->d, false, w->p->own_open & 1u << i ? w->p->open_at : w->p->within_at, CODE("beyond-ceiling")
				"class %s is open here, and not in the ceiling %s", class_table[i].word, w->p->within);
	}
	if (w->ceiling->metadata_strict && !w->p->metadata_strict)
		diag_at(w->d, false, w->p->within_at, CODE("beyond-ceiling") "the ceiling %s says files: {metadata: strict}, and this policy does not",
			w->p->within);
	if (w->ceiling->workspace && w->p->workspace != w->ceiling->workspace)
		diag_at(w->d, false, w->p->within_at, CODE("beyond-ceiling") "the ceiling %s says session: {workspace: %s}, and this policy does not",
			w->p->within, workspace_words[w->ceiling->workspace]);
}

static void prove(const struct policy *p, const struct policy *ceiling, struct diags *d)
{
	struct within w = { .p = p, .ceiling = ceiling, .d = d };

	if (view_make(p, false, &w.inside, d) && view_make(ceiling, true, &w.above, d)) {
		open_prove(&w);
		images_prove(&w);
		within_named(&w);
		within_peers(&w);
	}
	view_done(&w.inside);
	view_done(&w.above);
}

/* ---- where a ceiling comes from ---- */

static bool source_find(const struct policy *p, const struct policy_source *src, struct policy_source *out, struct buf *file)
{
	for (size_t i = 0; i < src->ceiling_count; i++) {
		const struct policy_ceiling *c = &src->ceilings[i];

		if (strcmp(c->name, p->within))
			continue;
		out->text = c->text;
		out->len = c->len;
		buf_add_str(file, c->file);
		out->file = file->data;
		return !file->err;
	}
	out->text = policy_preset(p->within);
	if (!out->text)
		return false;
	out->len = strlen(out->text);
	buf_addf(file, "preset:%s", p->within);
	out->file = file->data;
	return !file->err;
}

/* What is wrong with the ceiling is its owner's to mend: shown behind one finding that is ours. */
static void ceiling_wrong(const struct policy *p, const struct diags *own, struct diags *d)
{
	diag_at(d, false, p->within_at, CODE("bad-ceiling") "the ceiling %s is wrong itself", p->within);
	for (size_t i = 0; i < own->count; i++) {
		const struct diag *item = &own->items[i];

		if (!item->warning)
			diag_at(d, false, (struct text_place){ item->file, item->line, item->column, item->end_line, item->end_column }, "%s", item->text);
	}
}

void within_check(const struct policy *p, const struct policy_source *src, struct diags *d)
{
	struct policy_source from = { .params = src->params, .param_count = src->param_count, .own_paths = src->own_paths, .only_check = true,
				      .now_s = src->now_s };
	_buf_ struct buf file = {};
	struct policy *ceiling;
	struct diags own = {};

	if (!source_find(p, src, &from, &file)) {
		diag_at(d, false, p->within_at, CODE("unknown-ceiling") "there is no ceiling \"%s\"" HELP "a ceiling is a preset, or a policy that "
			"whoever loads this one gives by that name", p->within);
		return;
	}
	if (policy_load(&from, &ceiling, &own)) {
		ceiling_wrong(p, &own, d);
		diags_done(&own);
		return;
	}
	if (ceiling->within)
		diag_at(d, false, p->within_at, CODE("bad-ceiling") "the ceiling %s stands within another itself" HELP "name the upper one too: put both "
			"into one policy", p->within);
	else
		prove(p, ceiling, d);
	policy_quote(ceiling, d);
	policy_free(ceiling);
	diags_done(&own);
}

char *policy_within(const char *text, size_t len)
{
	const struct yaml_node *n;
	struct yaml_error why;
	struct yaml_node *tree;
	char *name = NULL;

	if (yaml_parse(text, len, &tree, &why))
		return NULL;
	n = tree->kind == YAML_MAP ? yaml_get(tree, "within") : NULL;
	if (n && n->kind == YAML_SCALAR)
		name = strdup(n->text);
	yaml_free(tree);
	return name;
}
