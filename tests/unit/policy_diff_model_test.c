/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing that one policy says and another does not passes a comparison in silence: of policies that use the whole language, one thing is
 * changed, and either the digest stays or the difference says so, in words too.
 */
#include "cli/policy_diff.h"
#include "test.h"
#include "policy_random.h"

/* Each line has alternatives that all are right with each choice of the others; "" leaves it out. */
#define ALTERNATIVES 6
static const char *const lines[][ALTERNATIVES] = {
	{ "policy: p\n", "policy: q\n" },
	{ "owner: a\n", "owner: b\n", "" },
	{ "about: x\n", "about: y\n", "" },
	{ "params: {w: path, n: to}\n", "params: {w: path, n: to}\n# a remark\n" },
	{ "open: []\n", "open: [devices]\n", "open: [limits, session]\n", "open: [labels]\n", "open: [privileges]\n" },
	{ "record: [exec]\n", "record: [exec, dns]\n", "record: [call, open]\n", "record: []\n", "" },
	{ "files:\n  read:\n    - {path: $w, id: r", "files:\n  read:\n    - {path: [$w/a, /b], id: r", "files:\n  read:\n    - {path: [$w/b, $w/a], id: r" },
	{ ", why: x", ", why: y", "" },
	{ ", owner: x", ", owner: y", "" },
	{ ", ticket: x", ", ticket: y", "" },
	{ ", by: /usr/bin/x", ", by: $w/x", "" },
	{ ", until: 2040-01-01", ", until: 2040-01-02", "" },
	{ ", record: required}\n", "}\n" },
	{ "  deny:\n    - {path: '**/.env', id: d", "  deny:\n    - {path: '**/.key', id: d" },
	{ ", verbs: [read]", ", verbs: [write]", ", verbs: [change]", "" },
	{ ", except: $w/.env}\n", ", except: [$w/.env, $w/.key]}\n", "}\n" },
	{ "  metadata: strict\n", "" },
	{ "network:\n  connect:\n    - {to: $n, id: n", "network:\n  connect:\n    - {to: 10.1.0.0/16, id: n" },
	{ ", ports: [443]", ", ports: [440-443]", "" },
	{ ", proto: udp", ", proto: [tcp, udp]", "" },
	{ ", effect: read}\n", ", effect: write}\n", "}\n" },
	{ "    - {to: api.example.com, id: m, ports: [443]", "    - {to: '*.example.com', id: m, ports: [443]" },
	{ ", tls: off}\n", "}\n" },
	{ "  listen: [{to: '@same-sandbox'}]\n", "  listen: [{to: 127.0.0.1}]\n", "" },
	{ "sockets:\n  unix:\n    - {path: /run/docker.sock, i_accept: host-control, id: u}\n",
	  "sockets:\n  unix:\n    - {path: /run/x, i_accept: host-control, id: u}\n",
	  "sockets:\n  unix:\n    - {path: /run/x, id: u}\n" },
	{ "  families: [raw]\n", "  families: [raw, 'netlink:route']\n", "  families: [vsock]\n", "" },
	{ "devices: ['@std', {device: /dev/x, id: v}]\n", "devices: ['@std', {device: ['/dev/x*', '@gpu'], id: v}]\n", "devices: [/dev/null]\n", "" },
	{ "calls:\n  allow: ['@userns']\n", "calls:\n  allow: ['@userns', '@perf']\n", "calls:\n  allow: ['@io_uring']\n" },
	{ "  refuse: [userfaultfd]\n", "  refuse: [userfaultfd, unshare]\n", "  refuse: [{call: userfaultfd, id: f}]\n", "" },
	{ "privileges:\n  capabilities: [CAP_KILL]\n", "privileges:\n  capabilities: [CAP_KILL, CAP_CHOWN]\n", "privileges:\n  capabilities: [CAP_BPF]\n" },
	{ "  set_id: [/usr/bin/sudo]\n", "  set_id: [/usr/bin/su, $w/s]\n", "" },
	{ "limits: {memory: 2G}\n", "limits: {memory: 4G}\n", "limits: {memory: {most: 4G, why: x}, cpus: 2}\n", "limits: {duration: 1h}\n", "" },
	{ "session:\n  keep: [$w/out]\n", "session:\n  keep: [$w/out, /srv/k]\n" },
	{ "  environment: [PATH, 'A*']\n", "  environment: [PATH, 'AB*']\n", "  environment: [{variable: PATH, id: e}]\n", "" },
	{ "  workspace: copy\n", "  workspace: ephemeral\n", "" },
	{ "labels:\n  l: {on_read: /x, id: l, then: {network: {only: [n]}}}\n", "labels:\n  l: {on_read: /x, id: l, then: {network: {only: [m]}}}\n",
	  "labels:\n  k: {on_read: /x, id: l, then: {network: {only: [n]}}}\n", "labels:\n  l: {on_read: [/x, /y], id: l, then: {sockets: {only: []}}}\n" },
	{ "on_refusal:\n  - {match: d, do: kill", "on_refusal:\n  - {match: d, do: ask", "on_refusal:\n  - {match: files, do: kill" },
	{ ", alert: high}\n", ", alert: low}\n", "}\n" },
	{ "  - {match: network, do: freeze}\n  - {match: sockets, do: deny, alert: high}\n",
	  "  - {match: sockets, do: deny, alert: high}\n  - {match: network, do: freeze}\n",
	  "  - {match: network, do: freeze}\n" },
	{ "tests: [{'read /x': refused}]\n", "" },
};

struct choices {
	unsigned of[ARRAY_SIZE(lines)];
};

static unsigned alternatives(size_t line)
{
	unsigned n = 0;

	while (n < ALTERNATIVES && lines[line][n])
		n++;
	return n;
}

static void text_make(const struct choices *c, struct buf *out)
{
	buf_add_str(out, "version: 1\n");
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		buf_add_str(out, lines[i][c->of[i]]);
}

static void side_open(const struct choices *c, const char *value, struct diff_side *s)
{
	struct policy_param params[] = { { "w", value }, { "n", "10.0.0.0/8" } };
	struct policy_source source = { .file = "p.yaml", .params = params, .param_count = 2, .only_check = true };
	_buf_ struct buf text = {}, said = {};
	struct diags d = {};
	int err;

	text_make(c, &text);
	source.text = text.data;
	source.len = text.len;
	err = policy_load(&source, &s->policy, &d);
	diags_print(&d, &said);
	if (err)
		CHECK_STR(strstr(said.data, ": error: "), text.data);
	CHECK_OK(policy_compile(s->policy, &s->image, &d));
	diags_done(&d);
}

static void side_done(struct diff_side *s)
{
	policy_image_done(&s->image);
	policy_free(s->policy);
}

static bool canonical_equal(const struct diff_side s[2])
{
	_buf_ struct buf a = {}, b = {};

	CHECK_OK(policy_canonical(s[0].policy, &a));
	CHECK_OK(policy_canonical(s[1].policy, &b));
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

/* Both forms show something, or say that there is nothing. */
static void shown_check(const struct diff_side s[2], const struct policy_diff *d)
{
	_buf_ struct buf words = {}, document = {};
	bool identical = policy_diff_identical(d);

	policy_diff_print(&words, s, d);
	CHECK_EQ(identical, !strcmp(words.data, "they allow and refuse the same\n"));
	policy_diff_json(&document, s, d);
	CHECK_EQ(identical, strstr(document.data, "\"identical\":true") != NULL);
	CHECK_EQ(policy_diff_same(d), strstr(document.data, "\"same\":true") != NULL);
}

/* What is ruled by name: whatever the oracle answers otherwise is no mere matter of words. */
static void names_check(const struct diff_side s[2], const struct policy_diff *d)
{
	static const char *const questions[] = {
		"use /dev/null", "use /dev/x1", "use /dev/dri/card0", "call @userns", "call unshare", "call io_uring_setup", "call userfaultfd",
		"capability CAP_BPF", "capability CAP_CHOWN", "set-id /usr/bin/su", "set-id /srv/w/s", "keep /srv/k/a", "keep /srv/w/out",
		"variable AB", "variable AC", "variable PATH", "family raw", "family vsock", "memory 3G", "cpus 3", "duration 2h", "stat /srv/w",
	};

	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		struct policy_verdict was, is;
		struct policy_action a;
		char why[200];

		CASE("%s", questions[i]);
		CHECK_OK(policy_action_parse(questions[i], &a, why));
		CHECK_OK(policy_eval(s[0].policy, &a, &was));
		CHECK_OK(policy_eval(s[1].policy, &a, &is));
		CHECK(was.allowed == is.allowed || !policy_diff_same(d));
		policy_action_done(&a);
	}
}

/* How often what differs had an effect, and how often it was only said otherwise. */
static void pair_check(const struct diff_side s[2], unsigned tally[2])
{
	struct policy_diff d;

	CHECK_OK(policy_diff(s[0].policy, &s[0].image, s[1].policy, &s[1].image, &d));
	if (!canonical_equal(s)) {
		CHECK(!policy_diff_identical(&d));
		tally[policy_diff_same(&d)]++;
	} else {
		CHECK(policy_diff_same(&d));
	}
	shown_check(s, &d);
	names_check(s, &d);
	policy_diff_done(&d);
}

static void choices_draw(struct random *r, struct choices *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		c->of[i] = random_below(r, alternatives(i));
}

TEST(no_single_change_of_a_policy_passes_unsaid)
{
	struct random r = { .state = random_seed() };
	unsigned tally[2] = {};

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (size_t i = 0; i < 4 * ARRAY_SIZE(lines); i++) {
		size_t line = i % ARRAY_SIZE(lines);
		struct diff_side s[2] = {};
		struct choices was, is;

		choices_draw(&r, &was);
		is = was;
		is.of[line] = (was.of[line] + 1 + random_below(&r, alternatives(line) - 1)) % alternatives(line);
		CASE("SEED=%llu line %zu: %s -> %s", (unsigned long long)r.state, line, lines[line][was.of[line]], lines[line][is.of[line]]);
		side_open(&was, "/srv/w", &s[0]);
		side_open(&is, "/srv/w", &s[1]);
		pair_check(s, tally);
		side_done(&s[0]);
		side_done(&s[1]);
	}
	CHECK(tally[0] > ARRAY_SIZE(lines));
	CHECK(tally[1] > 5);
}

TEST(another_value_of_a_parameter_is_a_difference_wherever_it_stands)
{
	struct random r = { .state = random_seed() };
	unsigned tally[2] = {};

	for (int i = 0; i < 20; i++) {
		struct diff_side s[2] = {};
		struct choices c;

		choices_draw(&r, &c);
		CASE("SEED=%llu", (unsigned long long)r.state);
		side_open(&c, "/srv/w", &s[0]);
		side_open(&c, "/srv/v", &s[1]);
		pair_check(s, tally);
		side_done(&s[0]);
		side_done(&s[1]);
	}
	CHECK_EQ(tally[0] + tally[1], 20);
}

TEST_MAIN()
