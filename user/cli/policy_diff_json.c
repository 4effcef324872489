/* SPDX-License-Identifier: Apache-2.0 */
/* A difference for programs. */
#include <netinet/in.h>
#include "cli/policy_diff.h"

static void side_json(struct json *j, const char *key, const struct policy *p, uint32_t rule)
{
	struct policy_rule_info info;

	if (!policy_rule(p, rule, &info))
		policy_rule_json(j, key, &info);
}

static void names_json(struct json *j, const struct policy_difference *f)
{
	json_begin_array(j, "names");
	for (size_t i = 0; i < f->name_count; i++)
		json_str(j, NULL, f->names[i]);
	json_end_array(j);
}

static void place_json(struct json *j, const struct policy_difference *f)
{
	char text[SPAN_TEXT];

	if (f->names)
		return names_json(j, f);
	if (f->path)
		json_strn(j, "example", f->path, f->path_len);
	json_begin_array(j, f->path ? "patterns" : "addresses");
	for (size_t i = 0; i < f->region_count; i++) {
		json_begin_object(j, NULL);
		json_str(j, "pattern", f->regions[i].pattern);
		json_bool(j, "whole", f->regions[i].whole);
		json_str(j, "but", f->regions[i].but);
		json_end_object(j);
	}
	for (size_t i = 0; i < f->span_count; i++) {
		diff_span_text(&f->spans[i], text);
		json_str(j, NULL, text);
	}
	json_end_array(j);
	if (f->path)
		return;
	json_begin_array(j, "ports");
	json_u64(j, NULL, f->port_first);
	json_u64(j, NULL, f->port_last);
	json_end_array(j);
	json_str(j, "proto", f->proto == IPPROTO_TCP ? "tcp" : "udp");
}

static void difference_json(struct json *j, const struct diff_side s[2], const struct policy_difference *f)
{
	const char *words[PV_COUNT];
	size_t count = diff_verbs_words(f->verbs, words);

	json_begin_object(j, NULL);
	json_begin_array(j, "verbs");
	for (size_t i = 0; i < count; i++)
		json_str(j, NULL, words[i]);
	json_end_array(j);
	place_json(j, f);
	side_json(j, "was", s[0].policy, f->was);
	side_json(j, "is", s[1].policy, f->is);
	json_end_object(j);
}

static void bits_json(struct json *j, const char *key, uint32_t bits, const char *(*word)(unsigned))
{
	json_begin_array(j, key);
	for (unsigned i = 0; word(i); i++) {
		if (bits & 1u << i)
			json_str(j, NULL, word(i));
	}
	json_end_array(j);
}

static void half_json(struct json *j, const struct diff_side s[2], const struct policy_diff *d, bool allows)
{
	json_begin_object(j, allows ? "newly_allowed" : "newly_refused");
	json_begin_array(j, "actions");
	for (size_t i = 0; i < d->count; i++) {
		if (d->items[i].allows == allows)
			difference_json(j, s, &d->items[i]);
	}
	json_end_array(j);
	bits_json(j, "open_classes", diff_opened(d, allows), policy_class_word);
	json_end_object(j);
}

static void settings_json(struct json *j, const struct policy_diff *d)
{
	json_begin_array(j, "settings");
	for (size_t i = 0; i < d->setting_count; i++) {
		json_begin_object(j, NULL);
		json_str(j, "what", d->settings[i].what);
		json_str(j, "was", d->settings[i].was);
		json_str(j, "is", d->settings[i].is);
		json_bool(j, "matters", d->settings[i].matters);
		json_end_object(j);
	}
	json_end_array(j);
}

static void changes_json(struct json *j, const struct diff_side s[2], const struct policy_diff *d)
{
	json_begin_array(j, "rules");
	for (size_t i = 0; i < d->rule_count; i++) {
		const struct policy_rule_change *c = &d->rules[i];

		json_begin_object(j, NULL);
		json_bool(j, "decided", c->decided);
		side_json(j, "was", s[0].policy, c->was);
		side_json(j, "is", s[1].policy, c->is);
		json_begin_array(j, "changed");
		for (int k = 0; k < RULE_SAYS && c->was != RULE_NONE && c->is != RULE_NONE; k++) {
			if (c->changed & 1u << k)
				json_str(j, NULL, diff_says_words[k]);
		}
		json_end_array(j);
		json_end_object(j);
	}
	json_end_array(j);
}

void policy_diff_json(struct buf *out, const struct diff_side s[2], const struct policy_diff *d)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_bool(&j, "same", policy_diff_same(d));
	json_bool(&j, "identical", policy_diff_identical(d));
	half_json(&j, s, d, true);
	half_json(&j, s, d, false);
	settings_json(&j, d);
	bits_json(&j, "newly_recorded", d->record_is & ~d->record_was, policy_record_word);
	bits_json(&j, "no_longer_recorded", d->record_was & ~d->record_is, policy_record_word);
	changes_json(&j, s, d);
	json_end_object(&j);
}
