/* SPDX-License-Identifier: Apache-2.0 */
/* Rules by id, number and place; the canonical form and its digest. */
#include "policy/policy.h"
#include "policy_text_help.h"

TEST(an_id_stays_when_everything_but_the_rule_changes)
{
	char id[128];
	struct policy_param here = { "w", "/srv/a" }, there = { "w", "/home/b" };

	snprintf(id, sizeof(id), "%s", only_id(HEAD "files: {deny: [{path: [/x, '/y/*'], verbs: [read, write]}]}\n", NULL, 0));
	CHECK(!strncmp(id, "files.deny.", 11));
	CHECK_EQ(strlen(id), 19);
	CHECK_STR(only_id(HEAD "\n\nfiles:\n  deny:\n    - {path: ['/y/*', /x], verbs: [remove, create, change, read], why: new}\n", NULL, 0), id);
	CHECK(strcmp(only_id(HEAD "files: {deny: [{path: [/x, '/y/*'], verbs: [read]}]}\n", NULL, 0), id));
	CHECK(strcmp(only_id(HEAD "files: {deny: [{path: [/x, '/y/?'], verbs: [read, write]}]}\n", NULL, 0), id));

	snprintf(id, sizeof(id), "%s", only_id(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &here, 1));
	CHECK_STR(only_id(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &there, 1), id);

	snprintf(id, sizeof(id), "%s", only_id(HEAD "network: {connect: [{to: [10.0.0.1, '::1'], ports: [80, 81, 443]}]}\n", NULL, 0));
	CHECK_STR(only_id(HEAD "network: {connect: [{to: ['::1', 10.0.0.1], ports: [443, 80-81], proto: tcp}]}\n", NULL, 0), id);
}

TEST(numbers_are_places_in_the_byte_order_of_ids)
{
	struct policy *p = load(HEAD "files: {read: [{path: /a, id: b}, {path: /b, id: a10}, {path: /c, id: a9}], deny: [/d]}\n", NULL, 0);
	struct policy_rule_info info;
	static const char *const ids[] = { "a10", "a9", "b" };

	CHECK_EQ(policy_rule_count(p), 4);
	for (int i = 0; i < 3; i++) {
		CHECK_OK(policy_rule(p, i, &info));
		CHECK_STR(info.id, ids[i]);
		CHECK(!info.deny);
	}
	CHECK_OK(policy_rule(p, 3, &info));
	CHECK(info.deny);
	CHECK_EQ(policy_rule(p, 4, &info), -ENOENT);
	CHECK_EQ(policy_rule(p, RULE_NONE, &info), -ENOENT);
	policy_free(p);
}

TEST(a_rule_knows_its_place_reason_and_owner)
{
	struct policy *p = load("version: 1\npolicy: p\nowner: platform\nuses: [base]\nfiles:\n  read:\n    - /srv/one\n"
				"    - {path: /srv/two, id: a, why: data, owner: data-team, ticket: T-1}\n", NULL, 0);
	struct policy_rule_info info;

	CHECK_OK(policy_rule(p, 0, &info));
	CHECK_STR(info.id, "a");
	CHECK_STR(info.file, "p.yaml");
	CHECK_EQ(info.line, 8);
	CHECK_EQ(info.column, 7);
	CHECK_STR(info.why, "data");
	CHECK_STR(info.owner, "data-team");
	CHECK_STR(info.ticket, "T-1");
	CHECK(!info.preset);
	CHECK_OK(policy_rule(p, 1, &info));
	CHECK_STR(info.id, "base.credentials");
	CHECK_STR(info.file, "preset:base");
	CHECK_STR(info.preset, "base");
	CHECK_STR(info.owner, "platform");
	CHECK_EQ(info.class_id, CLASS_FILES);
	CHECK_OK(policy_rule(p, RULE_BUILTIN(MOUNT), &info));
	CHECK_STR(info.id, "guard.mount");
	CHECK_STR(info.file, "built-in");
	CHECK_EQ(info.class_id, CLASS_GUARD);
	CHECK_EQ(info.line, 0);
	CHECK_OK(policy_rule(p, RULE_BUILTIN(NETWORK_DEFAULT), &info));
	CHECK_EQ(info.class_id, CLASS_NETWORK);
	CHECK_EQ(policy_rule(p, BUILTIN_BASE + B_COUNT, &info), -ENOENT);
	policy_free(p);
}

TEST(a_default_leads_to_where_its_class_could_say_more)
{
	struct policy *p = load("version: 1\npolicy: p\nowner: platform\nuses: [base]\nfiles:\n  read: [/srv]\n", NULL, 0);
	struct policy_rule_info info;

	CHECK_OK(policy_rule(p, RULE_BUILTIN(FILES_DEFAULT), &info));
	CHECK_STR(info.file, "p.yaml");
	CHECK_EQ(info.line, 5);
	CHECK_STR(info.owner, "platform");
	CHECK_OK(policy_rule(p, RULE_BUILTIN(UNIX_DEFAULT), &info));
	CHECK_STR(info.file, "p.yaml");
	CHECK_EQ(info.line, 2);	/* the class is not there: the policy's name */
	policy_free(p);
}

TEST(a_preset_s_copy_of_our_own_rule_is_ours)
{
	struct policy *p = load("version: 1\npolicy: p\nuses: [base]\nfiles:\n  read: [/etc]\n", NULL, 0), *alone;
	struct policy_rule_info info;
	size_t count = policy_rule_count(p), found = 0;

	for (size_t i = 0; i < count; i++) {
		CHECK_OK(policy_rule(p, i, &info));
		if (info.preset)
			continue;
		CHECK_EQ(info.line, 5);
		found++;
	}
	CHECK_EQ(found, 1);
	policy_free(p);
	alone = load("version: 1\npolicy: p\nuses: [base]\n", NULL, 0);
	CHECK_EQ(policy_rule_count(alone), count);
	policy_free(alone);
}

/* ---- canonical form and digest ---- */

static const char *digest_of(const char *text, const struct policy_param *params, size_t count)
{
	static char digest[80];
	struct policy *p = load(text, params, count);

	snprintf(digest, sizeof(digest), "%s", policy_digest(p));
	policy_free(p);
	return digest;
}

TEST(the_digest_names_what_a_policy_does)
{
	static const char *const same[] = {
		HEAD "files:\n  read: [/a, /b]\n  deny: ['**/.env']\n",
		HEAD "about: something else\nfiles: {deny: ['/**/.env'], read: [/b, /a]} # a remark\n",
		HEAD "files: {read: [/a, /b], deny: [{path: '**/.env', verbs: [read, write, execute]}]}\ntests: [{'read /a': allowed}]\n",
	};
	static const char *const other[] = {
		HEAD "files: {read: [/a], deny: ['**/.env']}\n",
		HEAD "files: {read: [/a, /b], deny: [{path: '**/.env', why: secrets}]}\n",
		HEAD "files: {read: [/a, /b], deny: ['**/.env']}\nrecord: [exec, connect, open]\n",
		HEAD "files: {read: [/a, /b], deny: ['**/.env']}\ncalls: {allow: ['@io_uring']}\n",
		HEAD "owner: me\nfiles: {read: [/a, /b], deny: ['**/.env']}\n",
	};
	struct policy_param here = { "w", "/srv/a" }, there = { "w", "/srv/b" };
	char first[80];

	snprintf(first, sizeof(first), "%s", digest_of(same[0], NULL, 0));
	CHECK_EQ(strlen(first), 7 + 64);
	CHECK(!strncmp(first, "sha256:", 7));
	for (size_t i = 1; i < ARRAY_SIZE(same); i++)
		CHECK_STR(digest_of(same[i], NULL, 0), first);
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		CHECK(strcmp(digest_of(other[i], NULL, 0), first));
	snprintf(first, sizeof(first), "%s", digest_of(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &here, 1));
	CHECK(strcmp(digest_of(HEAD "params: {w: path}\nfiles: {read: [$w]}\n", &there, 1), first));
}

static void canonical_reloads(const struct policy *p)
{
	_buf_ struct buf one = {}, two = {};
	struct policy *again;

	CHECK_OK(policy_canonical(p, &one));
	again = load(one.data, NULL, 0);
	CHECK_OK(policy_canonical(again, &two));
	CHECK_STR(two.data, one.data);
	CHECK_STR(policy_digest(again), policy_digest(p));
	CHECK_EQ(policy_rule_count(again), policy_rule_count(p));
	policy_free(again);
}

TEST(the_canonical_form_is_a_policy_with_the_same_digest)
{
	struct random r = { .state = random_seed() };
	static const struct policy_param params[] = { { "w", "/srv/\377 \"q\"\\[*\001\303\251\302\205" }, { "db", "@private" } };
	_buf_ struct buf text = {};
	struct policy *p;

	p = load("version: 1\npolicy: p\nowner: \"me \\\"\\u2028\\U0001f600\"\nuses: [base, python, git]\nparams: {w: path, db: to}\n"
		 "files: {write: [{path: $w, why: \"a\\nb\\\\\"}]}\nnetwork: {connect: [{to: [$db, 1.1.1.1], ports: [1-2, 9]}]}\n"
		 "sockets: {unix: [{path: /run/docker.sock, i_accept: host-control, ticket: T}]}\ncalls: {allow: ['@io_uring']}\nrecord: []\n",
		 params, ARRAY_SIZE(params));
	canonical_reloads(p);
	policy_free(p);
	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 100; i++) {
		CHECK_OK(random_policy_load(&r, "", &text, &p));
		canonical_reloads(p);
		policy_free(p);
	}
}

TEST_MAIN()
