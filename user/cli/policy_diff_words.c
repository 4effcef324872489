/* SPDX-License-Identifier: Apache-2.0 */
/* A difference in words: first what it does, then how the rules are said. */
#include <netinet/in.h>
#include <stdio.h>
#include "cli/policy_diff.h"

static void place_print(struct buf *out, const struct policy_difference *f)
{
	char span[SPAN_TEXT];

	for (size_t i = 0; i < f->region_count; i++) {
		buf_add_str(out, i ? ", " : " ");
		buf_add_terminal(out, f->regions[i].pattern, strlen(f->regions[i].pattern));
	}
	for (size_t i = 0; i < f->name_count; i++) {
		buf_add_str(out, i ? ", " : " ");
		buf_add_terminal(out, f->names[i], strlen(f->names[i]));
	}
	for (size_t i = 0; i < f->span_count; i++) {
		diff_span_text(&f->spans[i], span);
		buf_addf(out, "%s%s", i ? ", " : " ", span);
	}
	if (!f->span_count)
		return;
	if (f->port_first == f->port_last)
		buf_addf(out, " port %u", f->port_first);
	else if (f->port_first || f->port_last != 65535)
		buf_addf(out, " ports %u-%u", f->port_first, f->port_last);
	buf_addf(out, " %s", f->proto == IPPROTO_TCP ? "tcp" : "udp");
}

/* An example where the patterns do not say all. */
static void example_print(struct buf *out, const struct policy_difference *f)
{
	const char *but = NULL;

	for (size_t i = 0; i < f->region_count && !but; i++)
		but = f->regions[i].but;
	if (!f->path || (f->region_count && !but))
		return;
	buf_add_str(out, but ? "\n      in part: " : "\n      for example ");
	buf_add_terminal(out, f->path, f->path_len);
	if (!but)
		return;
	buf_add_str(out, ", but not ");
	buf_add_terminal(out, but, strlen(but));
}

static void side_print(struct buf *out, const struct policy *p, uint32_t rule)
{
	struct policy_rule_info info;

	if (policy_rule(p, rule, &info))
		buf_add_str(out, "nothing: what no rule decides is allowed there");
	else
		policy_rule_print(out, &info);
}

static void difference_print(struct buf *out, const struct diff_side s[2], const struct policy_difference *f)
{
	const char *words[PV_COUNT];
	size_t count = diff_verbs_words(f->verbs, words);

	for (size_t i = 0; i < count; i++)
		buf_addf(out, "%s%s", i ? " " : "  ", words[i]);
	place_print(out, f);
	example_print(out, f);
	buf_addf(out, "\n      was %s by ", f->allows ? "refused" : "allowed");
	side_print(out, s[0].policy, f->was);
	buf_addf(out, "\n      is %s by ", f->allows ? "allowed" : "refused");
	side_print(out, s[1].policy, f->is);
	buf_add_char(out, '\n');
}

static void bits_print(struct buf *out, const char *what, uint32_t bits, const char *(*word)(unsigned))
{
	for (unsigned i = 0; word(i); i++) {
		if (bits & 1u << i)
			buf_addf(out, "  %s %s\n", what, word(i));
	}
}

static void half_print(struct buf *out, const struct diff_side s[2], const struct policy_diff *d, bool allows)
{
	size_t start = out->len, head;

	buf_addf(out, "newly %s\n", allows ? "allowed" : "refused");
	head = out->len;
	for (size_t i = 0; i < d->count; i++) {
		if (d->items[i].allows == allows)
			difference_print(out, s, &d->items[i]);
	}
	bits_print(out, "what no rule decides, in the class", diff_opened(d, allows), policy_class_word);
	if (out->len == head && !out->err)
		out->len = start;
}

static void recorded_print(struct buf *out, const struct policy_diff *d)
{
	if (d->record_was != d->record_is)
		buf_add_str(out, "recorded\n");
	bits_print(out, "newly", d->record_is & ~d->record_was, policy_record_word);
	bits_print(out, "no longer", d->record_was & ~d->record_is, policy_record_word);
}

static void text_or_none(struct buf *out, const char *text)
{
	if (text)
		buf_add_terminal(out, text, strlen(text));
	else
		buf_add_str(out, "nothing");
}

static void settings_print(struct buf *out, const struct policy_diff *d, bool matter, const char *title)
{
	bool any = false;

	for (size_t i = 0; i < d->setting_count; i++) {
		const struct policy_setting *s = &d->settings[i];

		if (s->matters != matter)
			continue;
		buf_addf(out, "%s  ", any ? "" : title);
		any = true;
		buf_add_terminal(out, s->what, strlen(s->what));
		buf_add_str(out, ": was ");
		text_or_none(out, s->was);
		buf_add_str(out, ", is ");
		text_or_none(out, s->is);
		buf_add_char(out, '\n');
	}
}

static void change_print(struct buf *out, const struct diff_side s[2], const struct policy_rule_change *c)
{
	const char *before = " ";

	buf_addf(out, "  %s", c->was == RULE_NONE ? "newly" : c->is == RULE_NONE ? "no longer" : "changed");
	for (int i = 0; i < RULE_SAYS && c->was != RULE_NONE && c->is != RULE_NONE; i++) {
		if (!(c->changed & 1u << i))
			continue;
		buf_addf(out, "%s%s", before, diff_says_words[i]);
		before = ", ";
	}
	buf_add_str(out, c->was != RULE_NONE && c->is != RULE_NONE ? " of " : " ");
	side_print(out, s[c->is != RULE_NONE].policy, c->is == RULE_NONE ? c->was : c->is);
	buf_add_char(out, '\n');
}

static void changes_print(struct buf *out, const struct diff_side s[2], const struct policy_diff *d, bool decided, const char *title)
{
	bool any = false;

	for (size_t i = 0; i < d->rule_count; i++) {
		if (d->rules[i].decided != decided)
			continue;
		buf_add_str(out, any ? "" : title);
		any = true;
		change_print(out, s, &d->rules[i]);
	}
}

void policy_diff_print(struct buf *out, const struct diff_side s[2], const struct policy_diff *d)
{
	half_print(out, s, d, true);
	half_print(out, s, d, false);
	settings_print(out, d, true, "otherwise\n");
	recorded_print(out, d);
	changes_print(out, s, d, false, "not decided above, and so compared rule by rule\n");
	if (policy_diff_same(d))
		buf_add_str(out, "they allow and refuse the same\n");
	settings_print(out, d, false, "said otherwise\n");
	changes_print(out, s, d, true, "rules that came, went or changed\n");
}
