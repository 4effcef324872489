/* SPDX-License-Identifier: Apache-2.0 */
/* The effective policy for programs: each rule with what it rules, where it stands and which revision of which preset it comes from. */
#include <stdio.h>
#include "policy/model.h"

static void patterns_json(struct json *j, const char *key, const struct pattern *items, size_t count)
{
	if (!count)
		return;
	json_begin_array(j, key);
	for (size_t i = 0; i < count; i++)
		json_str(j, NULL, items[i].text);
	json_end_array(j);
}

static void verbs_json(struct json *j, const struct rule *rule)
{
	json_begin_array(j, "verbs");
	for (int v = 0; v < VERB_PATH_COUNT; v++) {
		if (rule->verbs & 1u << v)
			json_str(j, NULL, path_verb_words[v]);
	}
	json_end_array(j);
}

static void network_json(struct json *j, const struct rule *rule)
{
	char text[16];

	json_begin_array(j, "to");
	for (size_t i = 0; i < rule->to_count; i++)
		json_str(j, NULL, rule->to[i]);
	json_end_array(j);
	json_begin_array(j, "ports");
	for (size_t i = 0; i < rule->port_count; i++) {
		if (rule->ports[i].first == rule->ports[i].last)
			snprintf(text, sizeof(text), "%u", rule->ports[i].first);
		else
			snprintf(text, sizeof(text), "%u-%u", rule->ports[i].first, rule->ports[i].last);
		json_str(j, NULL, text);
	}
	json_end_array(j);
	json_begin_array(j, "proto");
	if (rule->protos & PROTO_TCP)
		json_str(j, NULL, "tcp");
	if (rule->protos & PROTO_UDP)
		json_str(j, NULL, "udp");
	json_end_array(j);
}

static void place_json(struct json *j, const struct rule *rule)
{
	json_str(j, "file", rule->file);
	json_u64(j, "line", rule->line);
	json_u64(j, "column", rule->column);
	if (!rule->preset)
		return;
	json_str(j, "preset", rule->preset);
	json_u64(j, "preset_revision", policy_preset_revision(rule->preset));
}

static void strings_json(struct json *j, const char *key, char *const *items, size_t count)
{
	if (!count)
		return;
	json_begin_array(j, key);
	for (size_t i = 0; i < count; i++)
		json_str(j, NULL, items[i]);
	json_end_array(j);
}

/* Fields that few rules have. */
static void narrowing_json(struct json *j, const struct rule *rule)
{
	_buf_ struct buf text = {};

	strings_json(j, "names", rule->names, rule->name_count);
	patterns_json(j, "nodes", rule->nodes, rule->node_count);
	patterns_json(j, "by", rule->by, rule->by_count);
	if (rule->class == PC_LIMITS) {
		amount_print(&text, rule->word, rule->most);
		json_str(j, "most", text.data);
	}
	buf_reset(&text);
	if (rule->until_s) {
		until_print(&text, rule->until_s);
		json_str(j, "until", text.data);
	}
	if (rule->effect)
		json_str(j, "effect", rule->effect == EFFECT_READ ? "read" : "write");
	if (rule->record_required)
		json_str(j, "record", "required");
}

static void rule_json(struct json *j, const struct rule *rule)
{
	json_begin_object(j, NULL);
	json_str(j, "id", rule->id);
	json_str(j, "class", class_table[rule->class].word);
	json_str(j, "key", rule->word);
	patterns_json(j, "paths", rule->paths, rule->path_count);
	patterns_json(j, "except", rule->excepts, rule->except_count);
	if (rule->class == PC_NETWORK)
		network_json(j, rule);
	else if (rule->path_count)
		verbs_json(j, rule);
	narrowing_json(j, rule);
	json_str(j, "why", rule->why);
	json_str(j, "owner", rule->owner);
	json_str(j, "ticket", rule->ticket);
	place_json(j, rule);
	json_end_object(j);
}

int policy_show_json(const struct policy *p, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_str(&j, "policy", p->name);
	json_str(&j, "owner", p->owner);
	json_str(&j, "about", p->about);
	json_begin_array(&j, "open");
	for (int i = 0; i < PC_COUNT; i++) {
		if (p->open & 1u << i)
			json_str(&j, NULL, class_table[i].word);
	}
	json_end_array(&j);
	json_begin_array(&j, "rules");
	for (size_t i = 0; i < p->rule_count; i++)
		rule_json(&j, p->rules[i]);
	json_end_array(&j);
	json_end_object(&j);
	return out->err;
}
