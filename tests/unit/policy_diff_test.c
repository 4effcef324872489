/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two policies say differently: every example and every address of a difference is confirmed by the oracle on both sides, every
 * action that the oracle judges differently is in some difference, and what is said of patterns holds.
 */
#include <arpa/inet.h>
#include "policy/policy.h"
#include "test.h"
#include "policy_diff_help.h"

static void actions_compare(const struct sides *s, struct random *r, unsigned count, unsigned *differing)
{
	for (unsigned i = 0; i < count; i++) {
		struct policy_action a;
		uint32_t rule;
		bool was, is;

		random_action(r, "", &a);
		was = side_allows(s, 0, &a, &rule);
		is = side_allows(s, 1, &a, &rule);
		*differing += was != is;
		if (was != is)
			CHECK(diff_has(s, &a, is));
		policy_action_done(&a);
	}
}

/* One side is random; the other another one, or the same with something done to its text. */
static void pair_make(struct random *r, struct buf *a, struct buf *b, struct random_given given[2])
{
	struct policy *p;

	CHECK_OK(random_policy_load(r, "", a, &p));
	policy_free(p);
	given[0] = r->given;
	do {
		CHECK_OK(random_policy_load(r, "", b, &p));
		policy_free(p);
		given[1] = r->given;
	} while (random_chance(r, 30));
}

static void pairs_try(void (*try)(const struct sides *s, struct random *r, unsigned tally[2]), unsigned tally[2])
{
	struct random r = { .state = random_seed(), .params = true };

	CASE("SEED=%llu", (unsigned long long)r.state);
	printf("# SEED=%llu\n", (unsigned long long)r.state);
	for (int i = 0; i < 60; i++) {
		_buf_ struct buf a = {}, b = {};
		struct random_given given[2];
		struct sides s = {};

		pair_make(&r, &a, &b, given);
		sides_open_given(&s, a.data, b.data, given);
		try(&s, &r, tally);
		sides_done(&s);
	}
}

static void items_try(const struct sides *s, struct random *r, unsigned tally[2])
{
	for (size_t k = 0; k < s->diff.count; k++)
		CHECK(diff_confirmed(s, &s->diff.items[k]));
	tally[0] += s->diff.count;
	actions_compare(s, r, 400, &tally[1]);
}

TEST(every_difference_is_confirmed_and_none_is_missing)
{
	unsigned tally[2] = {};

	pairs_try(items_try, tally);
	CHECK(tally[0] > 200);
	CHECK(tally[1] > 1000);
}

TEST(a_policy_and_its_canonical_form_are_the_same)
{
	struct random r = { .state = random_seed(), .params = true };
	unsigned differing = 0;

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 40; i++) {
		_buf_ struct buf text = {}, canonical = {};
		struct random_given given[2] = {};
		struct sides s = {};
		struct policy *p;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		given[0] = r.given;
		CHECK_OK(policy_canonical(p, &canonical));
		policy_free(p);
		sides_open_given(&s, text.data, canonical.data, given);	/* the canonical form has values put in */
		CHECK(policy_diff_same(&s.diff));
		actions_compare(&s, &r, 200, &differing);
		CHECK_EQ(differing, 0);
		sides_done(&s);
	}
}

/* "whole" is tried with random paths that the pattern matches; what is named beside a part matches and differs in nothing like it. */
static void region_confirm(const struct sides *s, const struct policy_difference *f, const struct policy_region *g, struct random *r)
{
	_buf_ struct buf text = {};
	struct diags d = {};
	struct policy_source source = { .file = "pattern.yaml" };
	struct policy_action a = {};
	struct policy_verdict v;
	struct policy *pattern;

	buf_addf(&text, HEAD "files: {read: ['%s']}\n", g->pattern);
	source.text = text.data;
	source.len = text.len;
	CHECK_OK(policy_load(&source, &pattern, &d));
	diags_done(&d);
	for (int i = 0; i < 40 && g->whole; i++) {
		random_action(r, "", &a);
		a.verb = VERB_READ;
		if (a.path && !policy_eval(pattern, &a, &v) && v.allowed) {
			a.verb = __builtin_ctz(f->verbs);
			CHECK(diff_belongs(s, f, &a));
		}
		policy_action_done(&a);
	}
	if (!g->whole) {
		a = (struct policy_action){ .verb = VERB_READ, .path = g->but, .path_len = strlen(g->but) };
		CHECK_OK(policy_eval(pattern, &a, &v));
		CASE("%s but %s", g->pattern, g->but);
		CHECK(v.allowed || v.rule == RULE_BUILTIN(SELF));
		a.verb = __builtin_ctz(f->verbs);
		CHECK(!diff_belongs(s, f, &a));
	}
	policy_free(pattern);
}

static void regions_try(const struct sides *s, struct random *r, unsigned tally[2])
{
	for (size_t k = 0; k < s->diff.count; k++) {
		const struct policy_difference *f = &s->diff.items[k];

		for (size_t g = 0; g < f->region_count; g++) {
			region_confirm(s, f, &f->regions[g], r);
			tally[f->regions[g].whole]++;
		}
	}
}

TEST(what_is_said_of_patterns_holds)
{
	unsigned tally[2] = {};

	pairs_try(regions_try, tally);
	CHECK(tally[0] > 20);
	CHECK(tally[1] > 20);
}

/* ---- small pairs, with the answers spelled out ---- */

static void item_describe(const struct policy_difference *f, struct buf *out)
{
	char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];

	buf_addf(out, "%c%x", f->allows ? '+' : '-', f->verbs);
	if (f->path)
		buf_addf(out, " %s", f->path);
	for (size_t i = 0; i < f->region_count; i++)
		buf_addf(out, " [%s%s%s]", f->regions[i].pattern, f->regions[i].whole ? "" : " but ", f->regions[i].whole ? "" : f->regions[i].but);
	for (size_t i = 0; i < f->span_count; i++)
		buf_addf(out, " %s-%s:%u-%u/%u", inet_ntop(AF_INET6, f->spans[i].first, first, sizeof(first)),
			 inet_ntop(AF_INET6, f->spans[i].last, last, sizeof(last)), f->port_first, f->port_last, f->proto);
}

static const struct {
	const char *claim, *a, *b, *says;
} rows[] = {
	{ "the same", HEAD "files: {read: [/a, /b]}\n", HEAD "files: {read: [/b, /a]}\n", "" },
	{ "the same in other words", HEAD "files: {read: [/a]}\n", HEAD "files: {read: ['/[a]', /a/b]}\n", "" },
	{ "a new allow is all of its path", HEAD "files: {read: [/a]}\n", HEAD "files: {read: [/a, /srv/x]}\n", "+1 /srv/x [/srv/x]" },
	{ "verbs that change alike are one item", HEAD, HEAD "files: {write: [/a]}\n", "+e /a [/a]" },
	{ "an allow that went", HEAD "files: {read: [/a, /b]}\n", HEAD "files: {read: [/b]}\n", "-1 /a [/a]" },
	{ "a new deny is said in its own words", HEAD "files: {read: [/a]}\n", HEAD "files: {read: [/a], deny: ['/a/*.key']}\n",
	  "-1 /a/.key [/a/*.key]" },
	{ "what stays refused is named", HEAD "files: {deny: [/a/b]}\n", HEAD "files: {read: [/a], deny: [/a/b]}\n", "+1 /a [/a but /a/b]" },
	{ "a deny that got an exception", HEAD "files: {read: [/a], deny: [/a/b]}\n", HEAD "files: {read: [/a], deny: [{path: /a/b, except: /a/b/c}]}\n",
	  "+1 /a/b/c [/a/b but /a/b]" },
	{ "an open class has no words", HEAD "files: {deny: [/a]}\n", "version: 1\npolicy: p\nopen: [files, devices, privileges, limits, session, labels]\n"
	  "files: {deny: [/a]}\n", "+1f /" },
	{ "addresses and ports exactly", HEAD "network: {connect: [{to: 10.0.0.0/8, ports: [443]}]}\n",
	  HEAD "network: {connect: [{to: 10.0.0.0/9, ports: [443]}]}\n", "-40 ::ffff:10.128.0.0-::ffff:10.255.255.255:443-443/6" },
	{ "every port is one range", HEAD, HEAD "network: {listen: [{to: '::1', proto: udp}]}\n", "+100 ::1-::1:0-65535/17" },
	{ "to connect to any address is to connect to this host", HEAD, HEAD "network: {connect: [{to: 127.0.0.1, ports: [80]}]}\n",
	  "+40 ::ffff:0.0.0.0-::ffff:0.0.0.0:80-80/6 ::ffff:127.0.0.1-::ffff:127.0.0.1:80-80/6" },
};

TEST(differences_read_as_a_person_would_say_them)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_buf_ struct buf says = {};
		struct sides s = {};

		CASE("%s", rows[i].claim);
		sides_open(&s, rows[i].a, rows[i].b);
		for (size_t k = 0; k < s.diff.count; k++) {
			buf_add_str(&says, k ? "; " : "");
			item_describe(&s.diff.items[k], &says);
		}
		CHECK_STR(says.data ? says.data : "", rows[i].says);
		if (!rows[i].says[0])
			CHECK(policy_diff_same(&s.diff));
		sides_done(&s);
	}
}

TEST_MAIN()
