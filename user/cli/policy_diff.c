/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy diff: what another policy newly allows and newly refuses, in words and as JSON. */
#include <arpa/inet.h>
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

#define CLI_TROUBLE 2	/* as diff(1) has it: 1 is "they differ" */

static const struct cli_option options[] = { POLICY_OPTION_PARAM, POLICY_OPTION_JSON };
static const struct cli_spec spec = {
	.usage = "bailiff policy diff OLD NEW [--param NAME=VALUE]... [--json]",
	.about = "What NEW allows and OLD refuses, and the other way round: decided on the compiled policies, so that order, spelling and comments\n"
		 "do not count. Paths come with a shortest example and, where a rule's pattern says it, all of what differs; addresses and ports\n"
		 "exactly. A parameter is given to both.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 2,
	.more = "exit code: 0 they allow the same, 1 they differ, 2 usage, or one of them is wrong",
};

struct side {
	struct policy *policy;
	struct policy_image image;
};

static void side_done(struct side *s)
{
	policy_image_done(&s->image);
	policy_free(s->policy);
}

static int side_open(const char *file, const struct policy_options *o, struct side *s)
{
	_buf_ struct buf said = {};
	struct diags d = {};
	int err = policy_from_file_or_say(file, o, &s->policy);

	if (err)
		return CLI_TROUBLE;
	err = policy_compile(s->policy, &s->image, &d);
	diags_print(&d, &said);
	if (said.data)
		fputs(said.data, stderr);
	diags_done(&d);
	return err ? CLI_TROUBLE : CLI_OK;
}

/* ---- what both forms need ---- */

#define VERBS_WRITE (1u << VERB_CHANGE | 1u << VERB_CREATE | 1u << VERB_REMOVE)

/* Change, create and remove together are "write". */
static size_t verbs_words(uint32_t verbs, const char *out[VERB_COUNT])
{
	static const char *const words[VERB_CALL] = { "read", "change", "create", "remove", "execute", "unix", "connect", "send", "listen" };
	bool write = (verbs & VERBS_WRITE) == VERBS_WRITE;
	size_t count = 0;

	for (int v = 0; v < VERB_CALL; v++) {
		if (!(verbs & 1u << v) || (write && (v == VERB_CREATE || v == VERB_REMOVE)))
			continue;
		out[count++] = write && v == VERB_CHANGE ? "write" : words[v];
	}
	return count;
}

static void address_text(const uint8_t a[16], char out[INET6_ADDRSTRLEN])
{
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a);

	inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a + 12 : a, out, INET6_ADDRSTRLEN);
}

/* The length of the prefix that a range is, or -1. */
static int span_prefix(const struct policy_span *s)
{
	int bits = 0;

	while (bits < 128 && !((s->first[bits / 8] ^ s->last[bits / 8]) >> (7 - bits % 8) & 1))
		bits++;
	for (int i = bits; i < 128; i++) {
		if (s->first[i / 8] >> (7 - i % 8) & 1 || !(s->last[i / 8] >> (7 - i % 8) & 1))
			return -1;
	}
	return bits;
}

/* "10.0.0.1", "10.0.0.0/8" or "10.0.0.1-10.0.0.7". */
static void span_text(const struct policy_span *s, char out[2 * INET6_ADDRSTRLEN + 2])
{
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];
	bool v4 = IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)s->first);
	int bits = span_prefix(s);

	address_text(s->first, first);
	address_text(s->last, last);
	if (bits == 128)
		snprintf(out, 2 * INET6_ADDRSTRLEN + 2, "%s", first);
	else if (bits >= (v4 ? 96 : 0))
		snprintf(out, 2 * INET6_ADDRSTRLEN + 2, "%s/%d", first, v4 ? bits - 96 : bits);
	else
		snprintf(out, 2 * INET6_ADDRSTRLEN + 2, "%s-%s", first, last);
}

static const char *const class_words[] = { "files", "network", "sockets", "devices", "calls", "privileges", "limits", "session", "labels" };
static const char *const record_words[RECORD_KINDS] = {
	[RECORD_EXEC] = "exec", [RECORD_EXIT] = "exit", [RECORD_CONNECT] = "connect", [RECORD_LISTEN] = "listen", [RECORD_OPEN] = "open",
	[RECORD_WRITE] = "write",
};

/* ---- words ---- */

static void place_print(struct buf *out, const struct policy_difference *f)
{
	char span[2 * INET6_ADDRSTRLEN + 2];

	for (size_t i = 0; i < f->region_count; i++) {
		buf_add_str(out, i ? ", " : " ");
		buf_add_terminal(out, f->regions[i].pattern, strlen(f->regions[i].pattern));
	}
	for (size_t i = 0; i < f->span_count; i++) {
		span_text(&f->spans[i], span);
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
		buf_add_str(out, "nothing: the class is open");
	else
		policy_rule_print(out, &info);
}

static void difference_print(struct buf *out, const struct side s[2], const struct policy_difference *f)
{
	const char *words[VERB_COUNT];
	size_t count = verbs_words(f->verbs, words);

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

static void bits_print(struct buf *out, const char *what, uint32_t bits, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bits & 1u << i && words[i])
			buf_addf(out, "  %s %s\n", what, words[i]);
	}
}

static void rest_print(struct buf *out, const struct policy_diff *d, bool allows)
{
	uint32_t opened = allows ? d->open_is & ~d->open_was : d->open_was & ~d->open_is;

	if (d->io_uring_is != d->io_uring_was && d->io_uring_is == allows)
		buf_add_str(out, "  calls @io_uring\n");
	bits_print(out, "what no rule decides, in the class", opened, class_words, ARRAY_SIZE(class_words));
}

static void half_print(struct buf *out, const struct side s[2], const struct policy_diff *d, bool allows)
{
	size_t start = out->len, head;

	buf_addf(out, "newly %s\n", allows ? "allowed" : "refused");
	head = out->len;
	for (size_t i = 0; i < d->count; i++) {
		if (d->items[i].allows == allows)
			difference_print(out, s, &d->items[i]);
	}
	rest_print(out, d, allows);
	if (out->len == head && !out->err)
		out->len = start;
}

/* What the kernel does not enforce yet is in no image: rule by rule, and not by what they come to. */
static void only_print(struct buf *out, const char *what, const struct policy *p, const uint32_t *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buf_addf(out, "  %s ", what);
		side_print(out, p, rules[i]);
		buf_add_char(out, '\n');
	}
}

static void diff_print(struct buf *out, const struct side s[2], const struct policy_diff *d)
{
	half_print(out, s, d, true);
	half_print(out, s, d, false);
	if (d->record_was != d->record_is)
		buf_add_str(out, "recorded\n");
	bits_print(out, "newly", d->record_is & ~d->record_was, record_words, RECORD_KINDS);
	bits_print(out, "no longer", d->record_was & ~d->record_is, record_words, RECORD_KINDS);
	if (d->only_was_count + d->only_is_count)
		buf_add_str(out, "not enforced yet, and so compared rule by rule\n");
	only_print(out, "newly", s[1].policy, d->only_is, d->only_is_count);
	only_print(out, "no longer", s[0].policy, d->only_was, d->only_was_count);
	if (policy_diff_same(d))
		buf_add_str(out, "they allow and refuse the same");
	else if (!out->err)
		out->len--;	/* puts ends the line */
	buf_add_char(out, '\0');
}

/* ---- JSON ---- */

static void side_json(struct json *j, const char *key, const struct policy *p, uint32_t rule)
{
	struct policy_rule_info info;

	if (!policy_rule(p, rule, &info))
		policy_rule_json(j, key, &info);
}

static void place_json(struct json *j, const struct policy_difference *f)
{
	char text[2 * INET6_ADDRSTRLEN + 2];

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
		span_text(&f->spans[i], text);
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

static void difference_json(struct json *j, const struct side s[2], const struct policy_difference *f)
{
	const char *words[VERB_COUNT];
	size_t count = verbs_words(f->verbs, words);

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

static void bits_json(struct json *j, const char *key, uint32_t bits, const char *const *words, size_t count)
{
	json_begin_array(j, key);
	for (size_t i = 0; i < count; i++) {
		if (bits & 1u << i && words[i])
			json_str(j, NULL, words[i]);
	}
	json_end_array(j);
}

static void half_json(struct json *j, const struct side s[2], const struct policy_diff *d, bool allows)
{
	uint32_t opened = allows ? d->open_is & ~d->open_was : d->open_was & ~d->open_is;
	bool io_uring = d->io_uring_is != d->io_uring_was && d->io_uring_is == allows;

	json_begin_object(j, allows ? "newly_allowed" : "newly_refused");
	json_begin_array(j, "actions");
	for (size_t i = 0; i < d->count; i++) {
		if (d->items[i].allows == allows)
			difference_json(j, s, &d->items[i]);
	}
	json_end_array(j);
	bits_json(j, "open_classes", opened, class_words, ARRAY_SIZE(class_words));
	json_begin_array(j, "calls");
	if (io_uring)
		json_str(j, NULL, "@io_uring");
	json_end_array(j);
	json_end_object(j);
}

static void only_json(struct json *j, const char *key, const struct policy *p, const uint32_t *rules, size_t count)
{
	struct policy_rule_info info;

	json_begin_array(j, key);
	for (size_t i = 0; i < count; i++) {
		if (!policy_rule(p, rules[i], &info))
			policy_rule_json(j, NULL, &info);
	}
	json_end_array(j);
}

static void diff_json(struct buf *out, const struct side s[2], const struct policy_diff *d)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_bool(&j, "same", policy_diff_same(d));
	half_json(&j, s, d, true);
	half_json(&j, s, d, false);
	bits_json(&j, "newly_recorded", d->record_is & ~d->record_was, record_words, RECORD_KINDS);
	bits_json(&j, "no_longer_recorded", d->record_was & ~d->record_is, record_words, RECORD_KINDS);
	only_json(&j, "new_rules_not_enforced", s[1].policy, d->only_is, d->only_is_count);
	only_json(&j, "old_rules_not_enforced", s[0].policy, d->only_was, d->only_was_count);
	json_end_object(&j);
}

/* ---- the command ---- */

static int sides_compare(const struct side s[2], bool as_json)
{
	_buf_ struct buf out = {};
	struct policy_diff d = {};
	int err = policy_diff(s[0].policy, &s[0].image, s[1].policy, &s[1].image, &d);
	bool same = !err && policy_diff_same(&d);

	if (!err && as_json)
		diff_json(&out, s, &d);
	else if (!err)
		diff_print(&out, s, &d);
	policy_diff_done(&d);
	if (!err)
		err = out.err;
	if (err) {
		log_err(err, err == -E2BIG ? "the two are too large to be compared" : "policy diff");
		return CLI_TROUBLE;
	}
	puts(out.data);
	return same ? CLI_OK : CLI_FAILED;
}

static int diff_run(char **rest, size_t count, const struct policy_options *o)
{
	struct side s[2] = {};
	int code = side_open(rest[0], o, &s[0]);

	(void)count;
	if (!code)
		code = side_open(rest[1], o, &s[1]);
	if (!code)
		code = sides_compare(s, o->json);
	side_done(&s[0]);
	side_done(&s[1]);
	return code;
}

const struct policy_command policy_diff_command = { .spec = &spec, .run = diff_run, .operands_max = 2 };
