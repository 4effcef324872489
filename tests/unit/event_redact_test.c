/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets leave argument lists and texts; what only looks alike stays; no text makes the pass slow. */
#include "base/hash.h"
#include "event/redact.h"
#include "test.h"
#include <time.h>

static const struct redact_key key = { "0123456789abcdef0123456789abcdef", 32 };

/* Redact; each [redacted:xxxxxxxx] shows as <>. In argv cases | stands between arguments. */
static const char *redacted(enum redact_form form, const char *text)
{
	static struct buf out, shown;
	char *copy = strdup(text);
	size_t n = strlen(copy);

	for (size_t i = 0; form == REDACT_ARGV && i < n; i++) {
		if (copy[i] == '|')
			copy[i] = '\0';
	}
	buf_reset(&out);
	buf_reset(&shown);
	redact_add(&key, form, copy, n, false, &out);
	free(copy);
	CHECK_OK(out.err);
	buf_add_str(&shown, "");
	for (const char *p = out.data ? out.data : ""; *p;) {
		if (!strncmp(p, "[redacted:", 10) && p[18] == ']') {
			buf_add_str(&shown, "<>");
			p += 19;
		} else {
			buf_add_char(&shown, *p++);
		}
	}
	return shown.data;
}

struct redact_case {
	const char *in, *out;
};

#define LONG36 "abcdefghijklmnopqrstuvwxyz0123456789"
static const struct redact_case argv_cases[] = {
	/* nothing to hide */
	{ "git|clone|https://example.com/r.git", "git clone https://example.com/r.git" },
	{ "python3|-m|pytest|-k|not slow", "python3 -m pytest -k 'not slow'" },
	{ "mkdir|-p|a/b", "mkdir -p a/b" },
	{ "ssh|-p|2222|host", "ssh -p 2222 host" },
	{ "docker|run|-p|80:80|img", "docker run -p 80:80 img" },
	{ "cmd||x", "cmd '' x" },
	{ "echo|it's", "echo 'it'\\''s'" },
	{ "cc|-DNDEBUG=1|--max-tokens=100", "cc -DNDEBUG=1 --max-tokens=100" },
	{ "x|--password-file=/run/p", "x --password-file=/run/p" },
	{ "x|--bypass=all|monkey=see", "x --bypass=all monkey=see" },
	{ "git|checkout|0123456789abcdef0123456789abcdef01234567", "git checkout 0123456789abcdef0123456789abcdef01234567" },
	{ "x|--auth=basic|--token|--verbose", "x --auth=basic --token --verbose" },
	{ "tar|task-force-one-hundred-and-more", "tar task-force-one-hundred-and-more" },
	/* tokens by prefix */
	{ "x|ghp_" LONG36, "x <>" },
	{ "x|sk-proj-" LONG36, "x <>" },
	{ "x|AKIAIOSFODNN7EXAMPLE|y", "x <> y" },
	{ "x|github_pat_11ABCDEFG0" LONG36, "x <>" },
	{ "x|xoxb-1234567890-abc", "x <>" },
	{ "x|AIza" LONG36, "x <>" },
	{ "x|eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_123", "x <>" },
	{ "x|-tghp_" LONG36, "x -t<>" },
	{ "x|risk-assessment-of-the-whole-project", "x risk-assessment-of-the-whole-project" },
	{ "x|glpat-" LONG36 ";echo", "x '<>;echo'" },
	{ "x|key:ghp_" LONG36, "x key:<>" },
	/* names */
	{ "x|--password=hunter2", "x --password=<>" },
	{ "x|--password=a b&c", "x '--password=<>'" },
	{ "x|--password|hunter two|y", "x --password '<>' y" },
	{ "x|--api-key|abc", "x --api-key <>" },
	{ "env|OPENAI_API_KEY=abc|cmd", "env OPENAI_API_KEY=<> cmd" },
	{ "env|DB_PASS=a b|cmd", "env 'DB_PASS=<>' cmd" },
	{ "sh|-c|DB_PASS=a cmd --x", "sh -c 'DB_PASS=<> cmd --x'" },
	{ "sh|-c|cmd --password 'a b' --x", "sh -c 'cmd --password '\\''<>'\\'' --x'" },
	{ "x|--json={\"password\": \"p q\", \"user\": \"u\"}", "x '--json={\"password\": \"<>\", \"user\": \"u\"}'" },
	{ "sh|-c|curl -d \"{\\\"token\\\":\\\"abc\\\"}\" h", "sh -c 'curl -d \"{\\\"token\\\":\\\"<>\\\"}\" h'" },
	{ "aws|configure|set|aws_secret_access_key|wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws configure set aws_secret_access_key <>" },
	{ "x|--key=Zx8kQ2mN5vB7cR1tY4pL", "x --key=<>" },
	{ "x|--key=my-ssh-key", "x --key=my-ssh-key" },
	/* options of one program */
	{ "mysql|-u|root|-phunter2|db", "mysql -u root -p<> db" },
	{ "/usr/bin/mysql|-p", "/usr/bin/mysql -p" },
	{ "sshpass|-p|hunter2|ssh|h", "sshpass -p <> ssh h" },
	{ "sudo|sshpass|-phunter2|ssh", "sudo sshpass -p<> ssh" },
	{ "curl|-u|user:pass:x|https://h", "curl -u user:<> https://h" },
	{ "curl|-uuser:pass", "curl -uuser:<>" },
	{ "curl|--user|user", "curl --user user" },
	{ "docker|login|-u|me|-p|hunter2", "docker login -u me -p <>" },
	{ "redis-cli|-a|pw|ping", "redis-cli -a <> ping" },
	{ "smbclient|-U|dom/user%pw", "smbclient -U dom/user%<>" },
	/* headers */
	{ "curl|-H|Authorization: Bearer abc.def", "curl -H 'Authorization: Bearer <>'" },
	{ "curl|-H|Authorization: Basic dXNlcjpw", "curl -H 'Authorization: Basic <>'" },
	{ "curl|-HX-Api-Key: a b", "curl '-HX-Api-Key: <>'" },
	{ "curl|-H|Cookie: a=1; b=2", "curl -H 'Cookie: <>'" },
	{ "sh|-c|curl -H \"Authorization: Bearer abc\" h", "sh -c 'curl -H \"Authorization: Bearer <>\" h'" },
	{ "curl|-H|Accept: text/html", "curl -H 'Accept: text/html'" },
	/* URLs */
	{ "git|clone|https://user:pa:ss@h/r", "git clone https://user:<>@h/r" },
	{ "git|clone|https://Zx8kQ2mN5vB7cR1tY4pL@h/r", "git clone https://<>@h/r" },
	{ "git|clone|https://ghp_" LONG36 ":x-oauth-basic@h/r", "git clone https://<>@h/r" },
	{ "curl|-u|ghp_" LONG36 ":x-oauth-basic", "curl -u <>:<>" },
	{ "git|clone|https://git@h:8443/r", "git clone https://git@h:8443/r" },
	{ "curl|https://h/p?token=abc&x=1#f", "curl 'https://h/p?token=<>&x=1#f'" },
	{ "curl|https://h/@scope/pkg:1", "curl https://h/@scope/pkg:1" },
	/* PEM, also over several arguments */
	{ "x|-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----|y", "x '<>' y" },
	{ "x|-----BEGIN PRIVATE KEY-----|abc|-----END PRIVATE KEY-----|y", "x '<>' y" },
	{ "x|-----BEGIN PRIVATE KEY-----\nabc", "x '<>'" },
	{ "x|-----BEGIN PUBLIC KEY-----\nabc", "x '-----BEGIN PUBLIC KEY-----\nabc'" },
};

TEST(redact_argument_lists)
{
	for (size_t i = 0; i < ARRAY_SIZE(argv_cases); i++) {
		CASE("%s", argv_cases[i].in);
		CHECK_STR(redacted(REDACT_ARGV, argv_cases[i].in), argv_cases[i].out);
	}
}

TEST(redact_knows_every_prefix)
{
	static const char *const prefixes[] = {
		"AGE-SECRET-KEY-1", "AIza", "AKIA", "ASIA", "ATATT", "SG.", "dckr_pat_", "dop_v1_", "eyJ", "figd_", "gho_",
		"ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "gldt-", "glpat-", "glrt-", "glsa_", "gsk_", "hf_",
		"hvs.", "lin_api_", "npm_", "nvapi-", "pypi-", "r8_", "rk_live_", "shpat_", "sk-", "sk_live_", "sk_test_",
		"sntrys_", "tskey-", "xai-", "xapp-", "xoxa-", "xoxb-", "xoxe-", "xoxp-", "xoxr-", "xoxs-", "ya29.",
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		char text[100];

		snprintf(text, sizeof(text), "%s%s", prefixes[i], "ABCDEFGHJKLMNPQRSTUVWXYZ234567ABCDEF.XYZ");
		CASE("%s", text);
		CHECK(redact_known_token(text, strlen(text), false, false) >= strlen(prefixes[i]) + 16);
		CHECK(!redact_known_token(text, strlen(prefixes[i]) + 3, false, false));
	}
}

TEST(redact_texts)
{
	static const struct redact_case cases[] = {
		{ "the user said password=hunter2, then left", "the user said password=<>, then left" },
		{ "GET https://u:p@h/x failed", "GET https://u:<>@h/x failed" },
		{ "400: invalid token: abc", "400: invalid token: <>" },
		{ "bad key eyJhbGciOiJIUzI1NiJ9.e30.x", "bad key <>" },
		{ "Bearer Zx8kQ2mN5vB7cR1tY4pL", "Bearer <>" },
		{ "Bearer of news", "Bearer of news" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CASE("%s", cases[i].in);
		CHECK_STR(redacted(REDACT_TEXT, cases[i].in), cases[i].out);
	}
}

TEST(redact_equal_secrets_correlate_and_only_by_the_key)
{
	static const struct redact_key other = { "another key of another host .....", 32 };
	_buf_ struct buf a = {}, b = {}, c = {};
	uint8_t digest[HASH_BYTES];
	char want[64];

	CHECK_EQ(redact_add(&key, REDACT_ARGV, "x\0--token=abc", 13, false, &a), 1);
	CHECK_EQ(redact_add(&key, REDACT_TEXT, "token=abc", 9, false, &b), 1);
	CHECK_EQ(redact_add(&other, REDACT_TEXT, "token=abc", 9, false, &c), 1);
	CHECK_OK(hash_hmac_sha256(key.p, key.n, "abc", 3, digest));
	snprintf(want, sizeof(want), "token=[redacted:%02x%02x%02x%02x]", digest[0], digest[1], digest[2], digest[3]);
	CHECK_STR(b.data, want);
	CHECK_STR(strstr(a.data, "token="), want);
	CHECK(strcmp(b.data, c.data));
}

TEST(redact_hides_a_token_that_the_kernel_cut)
{
	struct redact_span span;

	CHECK_EQ(redact_find(REDACT_ARGV, "x\0ghp_abc", 9, false, &span, 1), 0);
	CHECK_EQ(redact_find(REDACT_ARGV, "x\0ghp_abc", 9, true, &span, 1), 1);
	CHECK_EQ(span.start, 2);
	CHECK_EQ(span.end, 9);
}

TEST(redact_hides_everything_when_there_are_too_many)
{
	_buf_ struct buf in = {}, out = {};

	for (int i = 0; i < 200; i++)
		buf_addf(&in, "token=secret%03d ", i);
	CHECK_EQ(redact_add(&key, REDACT_TEXT, in.data, in.len, false, &out), REDACT_SPANS);
	CHECK(!strstr(out.data, "secret"));
}

TEST(redact_spans_are_ordered_and_inside_whatever_the_bytes)
{
	static const char *const parts[] = { "password", "=", ":", "\"", "'", "\\", " ", "\0", "://", "@", "--", "-p", "mysql", "ghp_" LONG36,
					     "-----BEGIN ", "PRIVATE KEY-----", "-----END ", "Authorization", "Bearer ", "curl", "-u", "sh", "-c", "&", "?", "x" };
	struct redact_span spans[8];
	unsigned seed = 3;

	for (int round = 0; round < 100000; round++) {
		_buf_ struct buf in = {}, out = {};
		size_t n = rand_r(&seed) % 14, at = 0, count;
		char *exact;

		for (size_t i = 0; i < n; i++) {
			const char *part = parts[rand_r(&seed) % ARRAY_SIZE(parts)];

			buf_add(&in, part, *part ? strlen(part) : 1);
		}
		exact = malloc(in.len ? in.len : 1);
		if (in.len)
			memcpy(exact, in.data, in.len);
		for (int form = REDACT_TEXT; form <= REDACT_ARGV; form++) {
			count = redact_find(form, exact, in.len, false, spans, ARRAY_SIZE(spans));
			at = 0;
			for (size_t i = 0; i < count; i++) {
				CHECK(spans[i].start >= at && spans[i].end > spans[i].start && spans[i].end <= in.len);
				at = spans[i].end;
			}
			redact_add(&key, form, exact, in.len, false, &out);
			CASE("%s -> %s", in.data, out.data);
			CHECK(!out.data || !strstr(out.data, "ghp_" LONG36));
		}
		free(exact);
	}
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

TEST(redact_stays_linear_on_hostile_text)
{
	static const char *const parts[] = { "key=", "password:", "\"", "'a ", "://", "a@", "-----BEGIN ", "token ", "\\\"", "auth=key:", "mysql\0", "-p " };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t part = strlen(parts[i]) + !strcmp(parts[i], "mysql"), n = 1 << 17;
		_buf_ struct buf out = {};
		char *text = malloc(n);
		double start = seconds();

		for (size_t k = 0; k < n; k++)
			text[k] = parts[i][k % part];
		redact_add(&key, REDACT_ARGV, text, n, false, &out);
		CASE("%s", parts[i]);
		CHECK(seconds() - start < 2);
		free(text);
	}
}

TEST_MAIN()
