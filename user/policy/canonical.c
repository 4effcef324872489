/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The effective policy: canonical, as a policy text of its own with presets united and parameters put in, whose rules come in the
 * order of their ids (what is digested; loading it gives the same rules and verdicts); and for people, with where each rule stands.
 */
#include <stdio.h>
#include "policy/model.h"

/* ---- canonical ---- */

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

static void rule_add_canonical(struct buf *out, const struct policy *p, const struct rule *rule)
{
	buf_add_str(out, "    - {id: ");
	quoted_add(out, rule->id);
	patterns_add(out, "path", rule->paths, rule->path_count);
	patterns_add(out, "except", rule->excepts, rule->except_count);
	if (rule->class_id == CLASS_NETWORK) {
		ranges_add(out, p, rule);
		ports_add(out, rule);
	} else {
		verbs_add(out, rule);
	}
	if (rule->accepted)
		buf_add_str(out, ", i_accept: host-control");
	note_add(out, "why", rule->why);
	note_add(out, "owner", rule->owner);
	note_add(out, "ticket", rule->ticket);
	buf_add_str(out, "}\n");
}

/* The keys that hold rules, in the language's order. */
static const struct {
	enum class_id class_id;
	const char *class_word, *word;
} keys[] = {
	{ CLASS_FILES, "files", "read" }, { CLASS_FILES, "files", "change" }, { CLASS_FILES, "files", "create" },
	{ CLASS_FILES, "files", "remove" }, { CLASS_FILES, "files", "write" }, { CLASS_FILES, "files", "execute" },
	{ CLASS_FILES, "files", "deny" },
	{ CLASS_NETWORK, "network", "connect" }, { CLASS_NETWORK, "network", "listen" }, { CLASS_NETWORK, "network", "deny" },
	{ CLASS_SOCKETS, "sockets", "unix" },
};

static void rules_add_canonical(const struct policy *p, struct buf *out)
{
	const char *open_class = NULL;

	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		bool open_key = false;

		for (size_t i = 0; i < p->rule_count; i++) {
			const struct rule *rule = p->rules[i];

			if (rule->class_id != keys[k].class_id || strcmp(rule->word, keys[k].word))
				continue;
			if (open_class != keys[k].class_word)
				buf_addf(out, "%s:\n", keys[k].class_word);
			open_class = keys[k].class_word;
			if (!open_key)
				buf_addf(out, "  %s:\n", keys[k].word);
			open_key = true;
			rule_add_canonical(out, p, rule);
		}
	}
}

static void list_words(struct buf *out, const char *name, uint32_t bits, const char *const *words, size_t count)
{
	const char *comma = "";

	buf_addf(out, "%s: [", name);
	for (size_t i = 0; i < count; i++) {
		if (!(bits & 1u << i))
			continue;
		buf_addf(out, "%s%s", comma, words[i]);
		comma = ", ";
	}
	buf_add_str(out, "]\n");
}

static const char *const record_words[RECORD_KINDS] = {
	[RECORD_EXEC] = "exec", [RECORD_EXIT] = "exit", [RECORD_CONNECT] = "connect", [RECORD_LISTEN] = "listen", [RECORD_OPEN] = "open",
	[RECORD_WRITE] = "write",
};

int policy_canonical(const struct policy *p, struct buf *out)
{
	const char *classes[PC_COUNT];

	for (int i = 0; i < PC_COUNT; i++)
		classes[i] = class_table[i].word;
	buf_addf(out, "version: 1\npolicy: %s\n", p->name);
	if (p->owner) {
		buf_add_str(out, "owner: ");
		quoted_add(out, p->owner);
		buf_add_char(out, '\n');
	}
	list_words(out, "open", p->open, classes, PC_COUNT);
	rules_add_canonical(p, out);
	if (p->io_uring)
		buf_add_str(out, "calls:\n  allow: [\"@io_uring\"]\n");
	list_words(out, "record", p->record, record_words, RECORD_KINDS);
	return out->err;
}

/* ---- for people ---- */

static void show_what(struct buf *out, const struct rule *rule)
{
	for (size_t i = 0; i < rule->path_count; i++) {
		buf_add_str(out, i ? " " : "");
		buf_add_terminal(out, rule->paths[i].text, strlen(rule->paths[i].text));
	}
	for (size_t i = 0; i < rule->except_count; i++) {
		buf_add_str(out, i ? " " : " except ");
		buf_add_terminal(out, rule->excepts[i].text, strlen(rule->excepts[i].text));
	}
	for (size_t i = 0; i < rule->to_count; i++) {
		buf_add_str(out, i ? " " : "");
		buf_add_terminal(out, rule->to[i], strlen(rule->to[i]));
	}
	for (size_t i = 0; i < rule->port_count; i++) {
		buf_addf(out, "%s%u", i ? "," : " port ", rule->ports[i].first);
		if (rule->ports[i].last != rule->ports[i].first)
			buf_addf(out, "-%u", rule->ports[i].last);
	}
	if (rule->class_id == CLASS_NETWORK)
		buf_add_str(out, rule->protos == PROTO_TCP ? " tcp" : rule->protos == PROTO_UDP ? " udp" : " tcp udp");
}

static void show_verbs(struct buf *out, const struct rule *rule)
{
	size_t start = out->len;

	if (!rule->deny || rule->class_id == CLASS_NETWORK || rule->verbs == VERBS_FILES) {
		buf_addf(out, "  %-15s ", rule->word);
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
	buf_add_terminal(out, rule->file, strlen(rule->file));
	buf_addf(out, ":%u", rule->line);
	if (rule->why) {
		buf_add_str(out, ": ");
		buf_add_terminal(out, rule->why, strlen(rule->why));
	}
	buf_add_char(out, '\n');
}

int policy_show(const struct policy *p, struct buf *out)
{
	const char *open_class = NULL;

	buf_addf(out, "policy %s", p->name);
	if (p->owner) {
		buf_add_str(out, ", owner ");
		buf_add_terminal(out, p->owner, strlen(p->owner));
	}
	buf_add_str(out, "\nopen: ");
	policy_open_classes(p, out);
	buf_addf(out, "%s\n", p->open ? "" : "nothing");
	if (p->io_uring)
		buf_add_str(out, "calls: @io_uring\n");
	list_words(out, "record", p->record, record_words, RECORD_KINDS);
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		for (size_t i = 0; i < p->rule_count; i++) {
			if (p->rules[i]->class_id != keys[k].class_id || strcmp(p->rules[i]->word, keys[k].word))
				continue;
			if (open_class != keys[k].class_word)
				buf_addf(out, "\n%s\n", keys[k].class_word);
			open_class = keys[k].class_word;
			show_rule(out, p->rules[i]);
		}
	}
	buf_add_str(out, "\nalways refused (guard.self)\n");
	for (size_t i = 0; i < p->own_count; i++)
		buf_addf(out, "  %-15s %s\n", p->own[i].verbs == VERBS_WRITE ? "write" : "everything", p->own[i].path);
	return out->err;
}
