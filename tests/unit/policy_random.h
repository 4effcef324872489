/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies and random actions that meet: few names, few addresses, nested patterns, rules on the same places. For every judge
 * that has to agree with the oracle. One seed makes one run: SEED=n in the environment, or the clock; the test prints it.
 */
#ifndef TESTS_UNIT_POLICY_RANDOM_H
#define TESTS_UNIT_POLICY_RANDOM_H

#include <stdio.h>
#include <time.h>
#include "policy/policy.h"

#define PICK(r, list) ((list)[random_below((r), ARRAY_SIZE(list))])

#define RANDOM_PARAMS 3
struct random_given {
	char values[RANDOM_PARAMS][64];
	size_t count;
};
struct random {
	uint64_t state;
	const uint8_t *bytes;		/* drawn first, a choice each: a fuzzer's input */
	size_t byte_count;
	bool ends;			/* rules with `until` and `record: required`, and actions at a time */
	bool params;			/* policies with parameters too: whoever loads their text again gives them again */
	struct random_given given;	/* the last policy's parameters: "p", "q", "s" */
};

static inline uint64_t random_seed(void)
{
	const char *given = getenv("SEED");

	return given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
}

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
	uint64_t z;

	if (r->byte_count) {
		r->byte_count--;
		return *r->bytes++;
	}
	z = r->state += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static inline unsigned random_below(struct random *r, unsigned n)
{
	return random_next(r) % n;
}

static inline bool random_chance(struct random *r, unsigned percent)
{
	return random_below(r, 100) < percent;
}

/* ---- paths ---- */

static inline void random_name(struct random *r, struct buf *out)
{
	static const char *const names[] = { "a", "b", "ab", "ba", "aa", "c", "a.b", ".a" };

	buf_add_str(out, PICK(r, names));
}

/* A clean path below prefix ("" or a directory); depth 0 is the prefix itself, "/" if that is empty. */
static inline void random_path(struct random *r, const char *prefix, struct buf *out)
{
	unsigned depth = random_below(r, 6);

	buf_add_str(out, prefix);
	for (unsigned i = 0; i < depth; i++) {
		buf_add_char(out, '/');
		random_name(r, out);
	}
	if (!out->len)
		buf_add_char(out, '/');
}

/* ---- parameters: values that are equal, inside each other, on the way to each other, or "/" ---- */

static const char *const random_param_names[RANDOM_PARAMS] = { "p", "q", "s" };
static const char *const random_param_starts[RANDOM_PARAMS] = { "$p", "$q", "$s" };

static inline void random_give(const struct random_given *given, struct policy_param params[RANDOM_PARAMS], struct policy_source *source)
{
	for (size_t i = 0; i < given->count; i++)
		params[i] = (struct policy_param){ random_param_names[i], given->values[i] };
	source->params = params;
	source->param_count = given->count;
}

static inline void random_value(struct random *r, const char *prefix, size_t number)
{
	struct buf out = {};

	if (number && random_chance(r, 50) && strcmp(r->given.values[number - 1], "/"))
		prefix = r->given.values[random_below(r, number)];
	if (!strcmp(prefix, "/"))
		prefix = "";
	buf_add_str(&out, prefix);
	for (unsigned depth = random_below(r, 3); depth; depth--) {
		buf_add_char(&out, '/');
		random_name(r, &out);
	}
	snprintf(r->given.values[number], sizeof(r->given.values[0]), "%s", out.len ? out.data : "/");
	buf_done(&out);
}

static inline void random_params(struct random *r, const char *prefix, struct buf *out)
{
	r->given.count = r->params && random_chance(r, 60) ? 1 + random_below(r, RANDOM_PARAMS) : 0;
	for (size_t i = 0; i < r->given.count; i++) {
		random_value(r, prefix, i);
		buf_addf(out, "%s%s: path", i ? ", " : "params: {", random_param_names[i]);
	}
	buf_add_str(out, r->given.count ? "}\n" : "");
}

static inline void random_pattern_component(struct random *r, struct buf *out)
{
	static const char *const globs[] = { "*", "**", "?", "a*", "*b", "[ab]", "[!a]", "[a-c]b", "*a*", "?b", "a?", "*.b", ".*", "**" };

	if (random_chance(r, 45))
		buf_add_str(out, PICK(r, globs));
	else
		random_name(r, out);
}

static inline void random_pattern(struct random *r, const char *prefix, struct buf *out)
{
	unsigned depth = random_chance(r, 3) ? 0 : 1 + random_below(r, 4);

	if (r->given.count && random_chance(r, 40)) {
		depth = random_below(r, 4);
		prefix = random_param_starts[random_below(r, r->given.count)];
	}
	buf_addf(out, "\"%s", prefix);
	for (unsigned i = 0; i < depth; i++) {
		buf_add_char(out, '/');
		random_pattern_component(r, out);
	}
	buf_add_str(out, depth || prefix[0] ? "\"" : "/\"");
}

static inline void random_patterns(struct random *r, const char *prefix, struct buf *out)
{
	unsigned count = 1 + random_below(r, 3);

	buf_add_char(out, '[');
	for (unsigned i = 0; i < count; i++) {
		buf_add_str(out, i ? ", " : "");
		random_pattern(r, prefix, out);
	}
	buf_add_char(out, ']');
}

/* When rules end, and the moments that tell: just before, at it, and between. */
static const char *const random_untils[] = { "2097-01-01T00:00:00Z", "2097-06-01T00:00:00Z", "2098-01-01T00:00:00Z" };
static const int64_t random_times[] = { 0, 4007836799, 4007836800, 4007836805, 4020883200, 4039372799, 4039372800, 4039372809 };

static inline void random_until(struct random *r, struct buf *out)
{
	if (r->ends && random_chance(r, 35))
		buf_addf(out, ", until: \"%s\"", PICK(r, random_untils));
	if (r->ends && random_chance(r, 20))
		buf_add_str(out, ", record: required");
}

/* Ids decide which rule is named: some given, in another order than the text. */
static inline void random_id(struct random *r, unsigned number, struct buf *out)
{
	if (random_chance(r, 50))
		buf_addf(out, ", id: %c%u", 'a' + random_below(r, 26), number);
	random_until(r, out);
}

static inline void random_path_rules(struct random *r, const char *prefix, const char *key, bool deny, unsigned *number, struct buf *out)
{
	static const char *const verbs[] = { "read", "change", "create", "remove", "execute", "write" };
	unsigned count = random_below(r, 5);

	if (!count)
		return;
	buf_addf(out, "  %s:\n", key);
	for (unsigned i = 0; i < count; i++) {
		buf_add_str(out, "    - {path: ");
		random_patterns(r, prefix, out);
		random_id(r, ++*number, out);
		if (deny && random_chance(r, 60))
			buf_addf(out, ", verbs: [%s, %s]", PICK(r, verbs), PICK(r, verbs));
		if (deny && random_chance(r, 40)) {
			buf_add_str(out, ", except: ");
			random_patterns(r, prefix, out);
		}
		buf_add_str(out, "}\n");
	}
}

static inline void random_files(struct random *r, const char *prefix, bool open, unsigned *number, struct buf *out)
{
	static const char *const keys[] = { "read", "change", "create", "remove", "write", "execute" };
	size_t start;

	buf_add_str(out, "files:\n");
	start = out->len;
	for (unsigned i = 0; i < ARRAY_SIZE(keys) && !open; i++)
		random_path_rules(r, prefix, keys[i], false, number, out);
	random_path_rules(r, prefix, "deny", true, number, out);
	if (out->len == start)
		buf_add_str(out, "  read: []\n");
}

/* ---- addresses ---- */

static const char *const random_tos[] = {
	"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "10.1.2.0/24", "0.0.0.0/0", "127.0.0.0/8", "127.0.0.1", "0.0.0.0", "255.255.255.255",
	"128.0.0.0/1", "\"::/0\"", "\"fd00::/8\"", "\"fd00::1\"", "\"2001:db8::/32\"", "\"::1\"", "\"::\"",
	"\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"", "\"@internet\"", "\"@private\"", "\"@loopback\"", "\"@link-local\"", "\"@metadata\"",
};

static inline void random_network_rules(struct random *r, const char *key, unsigned *number, struct buf *out)
{
	static const char *const ports[] = { "[80]", "[443]", "[1-1000]", "[443-445, 80]", "[0]", "[65535]", "[0-65535]", "[79, 81-442]" };
	static const char *const protos[] = { "tcp", "udp", "[tcp, udp]" };
	unsigned count = random_below(r, 5);

	if (!count)
		return;
	buf_addf(out, "  %s:\n", key);
	for (unsigned i = 0; i < count; i++) {
		buf_addf(out, "    - {to: %s", PICK(r, random_tos));
		random_id(r, ++*number, out);
		if (random_chance(r, 60))
			buf_addf(out, ", ports: %s", PICK(r, ports));
		if (random_chance(r, 60))
			buf_addf(out, ", proto: %s", PICK(r, protos));
		buf_add_str(out, "}\n");
	}
}

static inline void random_network(struct random *r, bool open, unsigned *number, struct buf *out)
{
	size_t start;

	buf_add_str(out, "network:\n");
	start = out->len;
	if (!open) {
		random_network_rules(r, "connect", number, out);
		random_network_rules(r, "listen", number, out);
	}
	random_network_rules(r, "deny", number, out);
	if (out->len == start)
		buf_add_str(out, "  connect: []\n");
}

/* ---- the whole ---- */

/* A policy text; it may still be one that the check refuses (a dead allow, a rule twice): see random_policy_load(). */
static inline void random_policy_text(struct random *r, const char *prefix, struct buf *out)
{
	bool files = random_chance(r, 15), network = random_chance(r, 15), sockets = random_chance(r, 15);
	unsigned number = 0;

	buf_addf(out, "version: 1\npolicy: random\nopen: [devices, privileges, limits, session, labels%s%s%s]\n", files ? ", files" : "",
		 network ? ", network" : "", sockets ? ", sockets" : "");
	random_params(r, prefix, out);
	random_files(r, prefix, files, &number, out);
	random_network(r, network, &number, out);
	if (sockets || random_chance(r, 50))
		return;
	buf_add_str(out, "sockets:\n  unix: [");
	random_pattern(r, prefix, out);
	buf_add_str(out, "]\n");
}

/* The next policy that loads; its text stays in out. 0 or -errno. */
static inline int random_policy_load(struct random *r, const char *prefix, struct buf *out, struct policy **policy)
{
	for (int tries = 0; tries < 1000; tries++) {
		struct policy_source source = { .file = "random.yaml" };
		struct policy_param params[RANDOM_PARAMS];
		struct diags diags = {};
		int err;

		buf_reset(out);
		random_policy_text(r, prefix, out);
		source.text = out->data;
		source.len = out->len;
		random_give(&r->given, params, &source);
		err = out->err ? out->err : policy_load(&source, policy, &diags);
		diags_done(&diags);
		if (err != -EINVAL)
			return err;
	}
	return -EINVAL;
}

static inline void random_address(struct random *r, struct policy_action *a)
{
	static const uint8_t v4[][4] = { { 10, 1, 2, 3 }, { 10, 1, 2, 4 }, { 10, 1, 9, 9 }, { 10, 9, 9, 9 }, { 127, 0, 0, 1 }, { 127, 1, 1, 1 },
					 { 0, 0, 0, 0 }, { 0, 0, 0, 1 }, { 255, 255, 255, 255 }, { 8, 8, 8, 8 }, { 169, 254, 169, 254 },
					 { 169, 254, 1, 1 }, { 192, 168, 1, 1 }, { 128, 0, 0, 0 }, { 127, 255, 255, 255 } };
	static const uint8_t v6[][16] = { { [15] = 1 }, { [15] = 0 }, { [15] = 2 }, { 0xfd, [15] = 1 }, { 0xfd, [15] = 2 }, { 0xfe, 0x80, [15] = 1 },
					  { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, { 0x26, 0x06, [15] = 1 },
					  { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } };

	if (random_chance(r, 60)) {
		memset(a->addr, 0, 10);
		memset(a->addr + 10, 0xff, 2);
		memcpy(a->addr + 12, PICK(r, v4), 4);
	} else {
		memcpy(a->addr, PICK(r, v6), 16);
	}
}

/* An action of a class that policies judge; path (if any) is the caller's to free by policy_action_done(). */
static inline void random_action(struct random *r, const char *prefix, struct policy_action *out)
{
	static const uint16_t ports[] = { 80, 443, 444, 446, 1, 1000, 1001, 0, 65535, 79, 81 };
	struct policy_action a = { .verb = random_below(r, VERB_CALL) };
	struct buf path = {};

	if (r->ends)
		a.at_s = PICK(r, random_times);
	if (a.verb < VERB_PATH_COUNT) {
		if (r->given.count && random_chance(r, 60))
			prefix = r->given.values[random_below(r, r->given.count)];
		random_path(r, strcmp(prefix, "/") ? prefix : "", &path);
		a.path = path.data;
		a.path_len = path.len;
	} else {
		random_address(r, &a);
		a.port = PICK(r, ports);
		a.proto = random_chance(r, 50) ? 6 : 17;
	}
	*out = a;
}

#endif
