/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective policy as a policy text of its own, with presets united and parameters put in, whose rules come in the order of their ids:
 * what is digested. Loading it gives the same rules and verdicts, and the same text again.
 */
#include <stdio.h>
#include "policy/model.h"

static uint32_t utf8_take(const char **s)
{
	unsigned char c = *(*s)++;
	unsigned more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	uint32_t code = more ? c & (0x3f >> more) : c;

	for (; more && **s; more--)
		code = code << 6 | (*(*s)++ & 0x3f);
	return code;
}

/* A YAML string in double quotes; only ASCII, so that no reader or terminal has an opinion. */
static void quoted_add(struct buf *out, const char *s)
{
	buf_add_char(out, '"');
	while (*s) {
		uint32_t code = utf8_take(&s);

		if (code == '"' || code == '\\')
			buf_addf(out, "\\%c", code);
		else if (code >= 0x20 && code < 0x7f)
			buf_add_char(out, code);
		else if (code < 0x10000)
			buf_addf(out, "\\u%04x", code);
		else
			buf_addf(out, "\\U%08x", code);
	}
	buf_add_char(out, '"');
}

static int text_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void texts_add(struct buf *out, const char *name, const char **texts, size_t count)
{
	const char *last = NULL;

	if (!count)
		return;
	qsort(texts, count, sizeof(*texts), text_order);
	buf_addf(out, ", %s: [", name);
	for (size_t i = 0; i < count; i++) {
		if (last && !strcmp(last, texts[i]))
			continue;
		buf_add_str(out, last ? ", " : "");
		quoted_add(out, texts[i]);
		last = texts[i];
	}
	buf_add_char(out, ']');
}

static void patterns_add(struct buf *out, const char *name, const struct pattern *items, size_t count)
{
	_free_ const char **texts = calloc(count + 1, sizeof(*texts));

	if (!texts) {
		out->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < count; i++)
		texts[i] = items[i].text;
	texts_add(out, name, texts, count);
}

static void verbs_add(struct buf *out, const struct rule *rule)
{
	const char *comma = "";

	if (!rule->deny || rule->verbs == VERBS_FILES)
		return;
	buf_add_str(out, ", verbs: [");
	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (!(rule->verbs & 1u << v))
			continue;
		buf_addf(out, "%s%s", comma, path_verb_words[v]);
		comma = ", ";
	}
	buf_add_char(out, ']');
}

/* `to` as the ranges' own spelling: a parameter's value is not in the text as written. */
static void ranges_add(struct buf *out, const struct policy *p, const struct rule *rule)
{
	_free_ const char **texts = calloc(rule->to_count + 1, sizeof(*texts));

	if (!texts) {
		out->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < rule->to_count; i++) {
		texts[i] = rule->to[i];
		for (size_t k = 0; rule->to[i][0] == '$' && k < p->param_count; k++) {
			if (!strcmp(p->params[k].name, rule->to[i] + 1))
				texts[i] = p->params[k].value;
		}
	}
	texts_add(out, "to", texts, rule->to_count);
}

static void ports_add(struct buf *out, const struct rule *rule)
{
	for (size_t i = 0; i < rule->port_count; i++) {
		buf_addf(out, "%s%u", i ? ", " : ", ports: [", rule->ports[i].first);
		if (rule->ports[i].last != rule->ports[i].first)
			buf_addf(out, "-%u", rule->ports[i].last);
	}
	buf_addf(out, "%s, proto: [%s%s%s]", rule->port_count ? "]" : "", rule->protos & PROTO_TCP ? "tcp" : "",
		 rule->protos == (PROTO_TCP | PROTO_UDP) ? ", " : "", rule->protos & PROTO_UDP ? "udp" : "");
}

static void note_add(struct buf *out, const char *name, const char *text)
{
	if (!text)
		return;
	buf_addf(out, ", %s: ", name);
	quoted_add(out, text);
}

static void names_add(struct buf *out, const struct rule *rule, const char *name)
{
	_free_ const char **texts = calloc(rule->name_count + rule->node_count + 1, sizeof(*texts));
	size_t n = 0;

	if (!texts) {
		out->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < rule->name_count; i++)
		texts[n++] = rule->names[i];
	for (size_t i = 0; i < rule->node_count; i++)
		texts[n++] = rule->nodes[i].text;
	texts_add(out, name, texts, n);
}

static void label_add(struct buf *out, const struct rule *rule)
{
	patterns_add(out, "on_read", rule->nodes, rule->node_count);
	buf_add_str(out, ", then: {");
	for (size_t i = 0; i < rule->then_count; i++) {
		const struct label_then *then = &rule->thens[i];

		buf_addf(out, "%s%s: {only: [", i ? ", " : "", class_table[then->class].word);
		for (size_t k = 0; k < then->only_count; k++) {
			buf_add_str(out, k ? ", " : "");
			quoted_add(out, then->only[k]);
		}
		buf_add_str(out, "]}");
	}
	buf_add_char(out, '}');
}

void rule_narrowing_print(struct buf *out, const struct rule *rule)
{
	patterns_add(out, "by", rule->by, rule->by_count);
	if (rule->until_s) {
		buf_add_str(out, ", until: ");
		until_print(out, rule->until_s);
	}
	if (rule->effect)
		buf_addf(out, ", effect: %s", rule->effect == EFFECT_READ ? "read" : "write");
	if (rule->record_required)
		buf_add_str(out, ", record: required");
	if (rule->tls_off)
		buf_add_str(out, ", tls: off");
}

static void matter_add(struct buf *out, const struct policy *p, const struct rule *rule, const struct rule_key *key)
{
	patterns_add(out, "path", rule->paths, rule->path_count);
	patterns_add(out, "except", rule->excepts, rule->except_count);
	if (rule->class == PC_NETWORK) {
		ranges_add(out, p, rule);
		ports_add(out, rule);
	} else if (rule->class == PC_FILES) {
		verbs_add(out, rule);
	} else if (rule->class == PC_LIMITS) {
		buf_add_str(out, ", most: ");
		amount_print(out, rule->word, rule->most);
	} else if (rule->class == PC_LABELS) {
		label_add(out, rule);
	} else if (key->names) {
		names_add(out, rule, key->names);
	}
}

/* The keys of maps are the names of what there is one of; the rest are lists. */
static void rule_add_canonical(struct buf *out, const struct policy *p, const struct rule *rule, const struct rule_key *key)
{
	if (rule->class == PC_LIMITS)
		buf_addf(out, "  %s: {id: ", rule->word);
	else if (rule->class == PC_LABELS)
		buf_addf(out, "  %s: {id: ", rule->names[0]);
	else
		buf_add_str(out, "    - {id: ");
	quoted_add(out, rule->id);
	matter_add(out, p, rule, key);
	rule_narrowing_print(out, rule);
	if (rule->accepted)
		buf_add_str(out, ", i_accept: host-control");
	note_add(out, "why", rule->why);
	note_add(out, "owner", rule->owner);
	note_add(out, "ticket", rule->ticket);
	buf_add_str(out, "}\n");
}

const struct rule_key rule_keys[] = {
	{ PC_FILES, "read", NULL }, { PC_FILES, "change", NULL }, { PC_FILES, "create", NULL }, { PC_FILES, "remove", NULL },
	{ PC_FILES, "write", NULL }, { PC_FILES, "execute", NULL }, { PC_FILES, "deny", NULL },
	{ PC_NETWORK, "connect", NULL }, { PC_NETWORK, "listen", NULL }, { PC_NETWORK, "deny", NULL },
	{ PC_SOCKETS, "unix", NULL }, { PC_SOCKETS, "families", "family" },
	{ PC_DEVICES, "use", "device" },
	{ PC_CALLS, "allow", "group" }, { PC_CALLS, "refuse", "call" },
	{ PC_PRIVILEGES, "capabilities", "capability" }, { PC_PRIVILEGES, "set_id", "path" },
	{ PC_LIMITS, "memory", NULL }, { PC_LIMITS, "cpus", NULL }, { PC_LIMITS, "processes", NULL }, { PC_LIMITS, "io", NULL },
	{ PC_LIMITS, "egress", NULL }, { PC_LIMITS, "duration", NULL },
	{ PC_SESSION, "environment", "variable" }, { PC_SESSION, "keep", "path" },
	{ PC_LABELS, "on_read", NULL },
	{ PC_COUNT, NULL, NULL },
};

static bool key_has(const struct rule_key *key, const struct rule *rule)
{
	return rule->class == key->class && !strcmp(rule->word, key->word);
}

void rule_matter_print(struct buf *out, const struct policy *p, const struct rule *rule)
{
	const struct rule_key *key = rule_keys;

	while (key->word && !key_has(key, rule))
		key++;
	buf_addf(out, "%s.%s", class_table[rule->class].word, rule->class == PC_LABELS ? rule->names[0] : rule->word);
	if (key->word)
		matter_add(out, p, rule, key);
}

static void key_add(struct buf *out, const struct policy *p, const struct rule_key *key, bool *class_open)
{
	bool listed = key->class == PC_DEVICES || key->class == PC_LIMITS || key->class == PC_LABELS, key_open = listed;

	for (size_t i = 0; i < p->rule_count; i++) {
		if (!key_has(key, p->rules[i]) || allow_is_idle(p->rules[i], p->open))
			continue;
		if (!*class_open)
			buf_addf(out, "%s:\n", class_table[key->class].word);
		*class_open = true;
		if (!key_open)
			buf_addf(out, "  %s:\n", key->word);
		key_open = true;
		rule_add_canonical(out, p, p->rules[i], key);
	}
}

static void classes_add(struct buf *out, const struct policy *p)
{
	const struct rule_key *key = rule_keys;

	for (unsigned c = 0; c < PC_COUNT; c++) {
		bool open = (c == PC_FILES && p->metadata_strict) || (c == PC_SESSION && p->workspace);

		if (open)
			buf_addf(out, "%s:\n  %s: %s\n", class_table[c].word, c == PC_FILES ? "metadata" : "workspace",
				 c == PC_FILES ? "strict" : workspace_words[p->workspace]);
		for (; key->word && key->class == c; key++)
			key_add(out, p, key, &open);
	}
}

void words_print(struct buf *out, const char *name, uint32_t bits, const char *const *words)
{
	const char *comma = "";

	buf_addf(out, "%s: [", name);
	for (size_t i = 0; words[i]; i++) {
		if (!(bits & 1u << i))
			continue;
		buf_addf(out, "%s%s", comma, words[i]);
		comma = ", ";
	}
	buf_add_str(out, "]\n");
}

static void refusals_add(struct buf *out, const struct policy *p)
{
	if (p->refusal_count)
		buf_add_str(out, "on_refusal:\n");
	for (size_t i = 0; i < p->refusal_count; i++) {
		const struct refusal *refusal = &p->refusals[i];

		buf_add_str(out, "  - {match: ");
		quoted_add(out, refusal->match);
		buf_addf(out, ", do: %s", refusal_do_words[refusal->action]);
		if (refusal->alert >= 0)
			buf_addf(out, ", alert: %s", alert_words[refusal->alert]);
		buf_add_str(out, "}\n");
	}
}

int policy_canonical(const struct policy *p, struct buf *out)
{
	const char *classes[PC_COUNT + 1] = {};

	for (int i = 0; i < PC_COUNT; i++)
		classes[i] = class_table[i].word;
	buf_addf(out, "version: 1\npolicy: %s\n", p->name);
	if (p->owner) {
		buf_add_str(out, "owner: ");
		quoted_add(out, p->owner);
		buf_add_char(out, '\n');
	}
	words_print(out, "open", p->open, classes);
	classes_add(out, p);
	words_print(out, "record", p->record, record_words);
	refusals_add(out, p);
	return out->err;
}
