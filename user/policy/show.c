/* SPDX-License-Identifier: Apache-2.0 */
/* The effective policy for people: every rule with what it says and where it stands. */
#include "policy/model.h"

static void text_add(struct buf *out, const char *text)
{
	buf_add_terminal(out, text, strlen(text));
}

static void patterns_add(struct buf *out, const char *before, const struct pattern *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_add_str(out, i ? " " : before);
		text_add(out, items[i].text);
	}
}

static void strings_add(struct buf *out, char *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_add_str(out, i ? " " : "");
		text_add(out, items[i]);
	}
}

static void thens_add(struct buf *out, const struct rule *rule)
{
	for (size_t i = 0; i < rule->then_count; i++) {
		buf_addf(out, ", then %s only: ", class_table[rule->thens[i].class].word);
		strings_add(out, rule->thens[i].only, rule->thens[i].only_count);
	}
}

static void narrowing_add(struct buf *out, const struct rule *rule)
{
	patterns_add(out, " by ", rule->by, rule->by_count);
	if (rule->until_s) {
		buf_add_str(out, " until ");
		until_print(out, rule->until_s);
	}
	if (rule->effect)
		buf_addf(out, " effect %s", rule->effect == EFFECT_READ ? "read" : "write");
	buf_addf(out, "%s%s", rule->record_required ? " record required" : "", rule->tls_off ? " tls off" : "");
}

static void show_what(struct buf *out, const struct rule *rule)
{
	patterns_add(out, "", rule->paths, rule->path_count);
	patterns_add(out, " except ", rule->excepts, rule->except_count);
	strings_add(out, rule->to, rule->to_count);
	for (size_t i = 0; i < rule->port_count; i++) {
		buf_addf(out, "%s%u", i ? "," : " port ", rule->ports[i].first);
		if (rule->ports[i].last != rule->ports[i].first)
			buf_addf(out, "-%u", rule->ports[i].last);
	}
	if (rule->class == PC_NETWORK)
		buf_add_str(out, rule->protos == PROTO_TCP ? " tcp" : rule->protos == PROTO_UDP ? " udp" : " tcp udp");
	strings_add(out, rule->names, rule->name_count);
	patterns_add(out, rule->class == PC_LABELS ? " on reading " : rule->name_count ? " " : "", rule->nodes, rule->node_count);
	if (rule->class == PC_LIMITS)
		amount_print(out, rule->word, rule->most);
	thens_add(out, rule);
	narrowing_add(out, rule);
}

static void show_verbs(struct buf *out, const struct rule *rule)
{
	size_t start = out->len;

	if (!rule->deny || rule->class != PC_FILES || rule->verbs == VERBS_FILES) {
		buf_addf(out, "  %-15s ", rule->class == PC_LABELS ? "label" : rule->word);
		return;
	}
	buf_add_str(out, "  deny");
	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (rule->verbs & 1u << v && !(rule->verbs == VERBS_WRITE && v != VERB_CHANGE))
			buf_addf(out, " %s", rule->verbs == VERBS_WRITE ? "write" : path_verb_words[v]);
	}
	do
		buf_add_char(out, ' ');
	while (!out->err && out->len < start + 18);
}

static void show_rule(struct buf *out, const struct rule *rule)
{
	show_verbs(out, rule);
	show_what(out, rule);
	buf_addf(out, "\n  %15s   %s, ", "", rule->id);
	text_add(out, rule->file);
	buf_addf(out, ":%u", rule->line);
	if (rule->why) {
		buf_add_str(out, ": ");
		text_add(out, rule->why);
	}
	buf_add_char(out, '\n');
}

static void show_refusals(struct buf *out, const struct policy *p)
{
	if (p->refusal_count)
		buf_add_str(out, "\non_refusal\n");
	for (size_t i = 0; i < p->refusal_count; i++) {
		const struct refusal *refusal = &p->refusals[i];

		buf_addf(out, "  %-15s ", refusal_do_words[refusal->action]);
		text_add(out, refusal->match);
		buf_addf(out, "%s%s\n", refusal->alert < 0 ? "" : ", alert ", refusal->alert < 0 ? "" : alert_words[refusal->alert]);
	}
}

int policy_show(const struct policy *p, struct buf *out)
{
	const char *open_class = NULL;

	buf_addf(out, "policy %s", p->name);
	if (p->owner) {
		buf_add_str(out, ", owner ");
		text_add(out, p->owner);
	}
	buf_add_str(out, "\nopen: ");
	policy_open_classes(p, out);
	buf_addf(out, "%s\n", p->open ? "" : "nothing");
	words_print(out, "record", p->record, record_words);
	if (p->metadata_strict)
		buf_add_str(out, "files.metadata: strict\n");
	if (p->workspace)
		buf_addf(out, "session.workspace: %s\n", workspace_words[p->workspace]);
	for (const struct rule_key *key = rule_keys; key->word; key++) {
		for (size_t i = 0; i < p->rule_count; i++) {
			if (p->rules[i]->class != key->class || strcmp(p->rules[i]->word, key->word))
				continue;
			if (open_class != class_table[key->class].word)
				buf_addf(out, "\n%s\n", class_table[key->class].word);
			open_class = class_table[key->class].word;
			show_rule(out, p->rules[i]);
		}
	}
	show_refusals(out, p);
	buf_add_str(out, "\nalways refused (guard.self)\n");
	for (size_t i = 0; i < p->own_count; i++)
		buf_addf(out, "  %-15s %s\n", p->own[i].verbs == VERBS_WRITE ? "write" : "everything", p->own[i].path);
	return out->err;
}
