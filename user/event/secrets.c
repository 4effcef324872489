/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a secret looks like by itself: tokens with a well-known prefix, names whose value is one, strings that nobody typed.
 * Where to look is redact.c's.
 */
#include "event/redact.h"

/* What may follow a prefix. */
enum charset { SET_WORD, SET_UPPER, SET_JWT };

#define TEXT(s) s, sizeof(s) - 1	/* these tables are walked for every word of every command line */

/* Published prefixes of access tokens in byte order, and how many characters follow at least. */
static const struct {
	const char *prefix;
	uint8_t len, least;
	enum charset set;
} tokens[] = {
	{ TEXT("AGE-SECRET-KEY-1"), 20, SET_UPPER }, { TEXT("AIza"), 30, SET_WORD }, { TEXT("AKIA"), 16, SET_UPPER },
	{ TEXT("ASIA"), 16, SET_UPPER }, { TEXT("ATATT"), 20, SET_WORD }, { TEXT("SG."), 20, SET_JWT },
	{ TEXT("dckr_pat_"), 20, SET_WORD }, { TEXT("dop_v1_"), 20, SET_WORD }, { TEXT("eyJ"), 20, SET_JWT },
	{ TEXT("figd_"), 20, SET_WORD }, { TEXT("gho_"), 20, SET_WORD }, { TEXT("ghp_"), 20, SET_WORD },
	{ TEXT("ghr_"), 20, SET_WORD }, { TEXT("ghs_"), 20, SET_WORD }, { TEXT("ghu_"), 20, SET_WORD },
	{ TEXT("github_pat_"), 20, SET_WORD }, { TEXT("gldt-"), 16, SET_WORD }, { TEXT("glpat-"), 16, SET_WORD },
	{ TEXT("glrt-"), 16, SET_WORD }, { TEXT("glsa_"), 20, SET_WORD }, { TEXT("gsk_"), 20, SET_WORD },
	{ TEXT("hf_"), 20, SET_WORD }, { TEXT("hvs."), 20, SET_WORD }, { TEXT("lin_api_"), 20, SET_WORD },
	{ TEXT("npm_"), 30, SET_WORD }, { TEXT("nvapi-"), 20, SET_WORD }, { TEXT("pypi-"), 20, SET_WORD },
	{ TEXT("r8_"), 20, SET_WORD }, { TEXT("rk_live_"), 16, SET_WORD }, { TEXT("shpat_"), 20, SET_WORD },
	{ TEXT("sk-"), 16, SET_WORD }, { TEXT("sk_live_"), 16, SET_WORD }, { TEXT("sk_test_"), 16, SET_WORD },
	{ TEXT("sntrys_"), 20, SET_WORD }, { TEXT("tskey-"), 16, SET_WORD }, { TEXT("xai-"), 20, SET_WORD },
	{ TEXT("xapp-"), 10, SET_WORD }, { TEXT("xoxa-"), 10, SET_WORD }, { TEXT("xoxb-"), 10, SET_WORD },
	{ TEXT("xoxe-"), 10, SET_WORD }, { TEXT("xoxp-"), 10, SET_WORD }, { TEXT("xoxr-"), 10, SET_WORD },
	{ TEXT("xoxs-"), 10, SET_WORD }, { TEXT("ya29."), 20, SET_WORD },
};

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(unsigned char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_alnum(unsigned char c)
{
	return is_upper(c) || (c >= 'a' && c <= 'z') || is_digit(c);
}

static bool in_set(enum charset set, unsigned char c)
{
	if (set == SET_UPPER)
		return is_upper(c) || is_digit(c);
	return is_alnum(c) || c == '_' || c == '-' || (set == SET_JWT && c == '.');
}

/* A JSON web token is three parts; the first begins with {" in base64. */
static bool is_jwt(const char *t, size_t n)
{
	return strncmp(t, "eyJ", 3) || memchr(t, '.', n);
}

/* By first letter, the number from 1 of its first row: this is asked at every byte of every argument. A test keeps it true. */
static const uint8_t first_rows[256] = {
	['A'] = 1, ['S'] = 6, ['d'] = 7, ['e'] = 9, ['f'] = 10, ['g'] = 11, ['h'] = 22, ['l'] = 24, ['n'] = 25,
	['p'] = 27, ['r'] = 28, ['s'] = 30, ['t'] = 35, ['x'] = 36, ['y'] = 44,
};

size_t redact_known_token(const char *t, size_t n, bool inside, bool cut)
{
	size_t first = first_rows[(unsigned char)t[0]];

	if (!first)
		return 0;
	for (size_t i = first - 1; i < ARRAY_SIZE(tokens) && tokens[i].prefix[0] == t[0]; i++) {
		size_t len = tokens[i].len, end = len;

		if (n <= len || memcmp(t, tokens[i].prefix, len) || (inside && len < 4))
			continue;
		while (end < n && in_set(tokens[i].set, t[end]))
			end++;
		if ((end - len >= tokens[i].least && is_jwt(t, end)) || (cut && end == n))
			return end;
	}
	return 0;
}

enum name_match { HAS, ENDS, IS };
static const struct {
	const char *text;	/* in lower case, without separators */
	uint8_t len;
	enum name_match match;
	enum redact_name judgement;
} names[] = {
	{ TEXT("bypass"), ENDS, NAME_PLAIN },	    { TEXT("compass"), ENDS, NAME_PLAIN },
	{ TEXT("password"), HAS, NAME_SECRET },   { TEXT("passwd"), HAS, NAME_SECRET },	{ TEXT("passphrase"), HAS, NAME_SECRET },
	{ TEXT("secret"), HAS, NAME_SECRET },	    { TEXT("apikey"), HAS, NAME_SECRET },	{ TEXT("accesskey"), HAS, NAME_SECRET },
	{ TEXT("privatekey"), HAS, NAME_SECRET }, { TEXT("authkey"), HAS, NAME_SECRET },	{ TEXT("signingkey"), HAS, NAME_SECRET },
	{ TEXT("accountkey"), HAS, NAME_SECRET }, { TEXT("encryptionkey"), HAS, NAME_SECRET }, { TEXT("masterkey"), HAS, NAME_SECRET },
	{ TEXT("credential"), HAS, NAME_SECRET }, { TEXT("authorization"), HAS, NAME_SECRET }, { TEXT("bearer"), IS, NAME_SECRET },
	{ TEXT("token"), ENDS, NAME_SECRET },	    { TEXT("pwd"), ENDS, NAME_SECRET },	{ TEXT("pass"), ENDS, NAME_SECRET },
	{ TEXT("cookie"), ENDS, NAME_SECRET },    { TEXT("auth"), ENDS, NAME_MAYBE },	{ TEXT("key"), ENDS, NAME_MAYBE },
	{ TEXT("sig"), ENDS, NAME_MAYBE },	    { TEXT("signature"), ENDS, NAME_MAYBE },	{ TEXT("session"), ENDS, NAME_MAYBE },
	{ TEXT("sessionid"), ENDS, NAME_MAYBE },  { TEXT("sid"), IS, NAME_MAYBE },		{ TEXT("code"), IS, NAME_MAYBE },
};

/* password-file, secret_name, token_url: about a secret, not one. */
static const struct {
	const char *text;
	uint8_t len;
} about[] = {
	{ TEXT("file") }, { TEXT("path") }, { TEXT("dir") }, { TEXT("name") }, { TEXT("length") },
	{ TEXT("len") }, { TEXT("type") }, { TEXT("url") }, { TEXT("uri") }, { TEXT("count") },
	{ TEXT("policy") }, { TEXT("prompt") }, { TEXT("ttl") }, { TEXT("expiry") }, { TEXT("expires") },
	{ TEXT("limit") }, { TEXT("size") }, { TEXT("stdin") }, { TEXT("helper") }, { TEXT("store") },
	{ TEXT("manager") },
};

static bool ends_with(const char *s, size_t n, const char *end, size_t len)
{
	return n >= len && s[n - 1] == end[len - 1] && !memcmp(s + n - len, end, len);
}

static bool name_matches(const char *s, size_t n, size_t i)
{
	if (names[i].match == HAS)
		return n >= names[i].len && memmem(s, n, names[i].text, names[i].len);
	return ends_with(s, n, names[i].text, names[i].len) && (names[i].match == ENDS || n == names[i].len);
}

enum redact_name redact_judge_name(const char *name, size_t n)
{
	char s[64];
	size_t len = 0;

	if (n > sizeof(s)) {	/* what says "secret" stands last in long names */
		name += n - sizeof(s);
		n = sizeof(s);
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = name[i];

		if (is_alnum(c))
			s[len++] = is_upper(c) ? c | 32 : c;
	}
	if (len < 3)
		return NAME_PLAIN;
	for (size_t i = 0; i < ARRAY_SIZE(about); i++) {
		if (len > about[i].len && ends_with(s, len, about[i].text, about[i].len))
			return NAME_PLAIN;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (name_matches(s, len, i))
			return names[i].judgement;
	}
	return NAME_PLAIN;
}

/* Long, of one alphabet, letters and digits mixed, many different ones; paths, words and plain numbers are not. */
bool redact_random_looking(const char *p, size_t n)
{
	unsigned digits = 0, letters = 0, distinct = 0, slashes = 0;
	uint64_t seen[4] = {};

	if (n < 16)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = p[i];

		if (!is_alnum(c) && !memchr("+/=_.-~", c, 7))
			return false;
		digits += is_digit(c);
		letters += is_alnum(c) && !is_digit(c);
		slashes += c == '/';
		distinct += !(seen[c >> 6] >> (c & 63) & 1);
		seen[c >> 6] |= 1ull << (c & 63);
	}
	return digits && letters && distinct >= 10 && p[0] != '/' && slashes * 8 <= n;
}
