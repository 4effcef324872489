/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a secret looks like by itself: tokens with a well-known prefix, names whose value is one, strings that nobody typed.
 * Where to look is redact.c's.
 */
#include "event/redact.h"

/* What may follow a prefix. */
enum charset { SET_WORD, SET_UPPER, SET_JWT };

/* Published prefixes of access tokens, and how many characters follow at least. */
static const struct {
	const char *prefix;
	uint8_t least;
	enum charset set;
} tokens[] = {
	{ "sk-", 16, SET_WORD },	  { "sk_live_", 16, SET_WORD },	  { "sk_test_", 16, SET_WORD },
	{ "rk_live_", 16, SET_WORD },	  { "ghp_", 20, SET_WORD },	  { "gho_", 20, SET_WORD },
	{ "ghu_", 20, SET_WORD },	  { "ghs_", 20, SET_WORD },	  { "ghr_", 20, SET_WORD },
	{ "github_pat_", 20, SET_WORD },  { "glpat-", 16, SET_WORD },	  { "gldt-", 16, SET_WORD },
	{ "glrt-", 16, SET_WORD },	  { "glsa_", 20, SET_WORD },	  { "gsk_", 20, SET_WORD },
	{ "AKIA", 16, SET_UPPER },	  { "ASIA", 16, SET_UPPER },	  { "ATATT", 20, SET_WORD },
	{ "AIza", 30, SET_WORD },	  { "ya29.", 20, SET_WORD },	  { "xoxb-", 10, SET_WORD },
	{ "xoxp-", 10, SET_WORD },	  { "xoxa-", 10, SET_WORD },	  { "xoxr-", 10, SET_WORD },
	{ "xoxs-", 10, SET_WORD },	  { "xoxe-", 10, SET_WORD },	  { "xapp-", 10, SET_WORD },
	{ "xai-", 20, SET_WORD },	  { "eyJ", 20, SET_JWT },	  { "npm_", 30, SET_WORD },
	{ "nvapi-", 20, SET_WORD },	  { "hf_", 20, SET_WORD },	  { "hvs.", 20, SET_WORD },
	{ "pypi-", 20, SET_WORD },	  { "dckr_pat_", 20, SET_WORD },  { "dop_v1_", 20, SET_WORD },
	{ "shpat_", 20, SET_WORD },	  { "SG.", 20, SET_JWT },	  { "tskey-", 16, SET_WORD },
	{ "r8_", 20, SET_WORD },	  { "lin_api_", 20, SET_WORD },	  { "figd_", 20, SET_WORD },
	{ "sntrys_", 20, SET_WORD },	  { "AGE-SECRET-KEY-1", 20, SET_UPPER },
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

/* First letters of the table: this is asked at every byte of every argument. */
static const bool first_letters[256] = {
	['s'] = true, ['r'] = true, ['g'] = true, ['A'] = true, ['y'] = true, ['x'] = true, ['e'] = true, ['n'] = true,
	['h'] = true, ['p'] = true, ['d'] = true, ['S'] = true, ['t'] = true, ['l'] = true, ['f'] = true,
};

size_t redact_known_token(const char *t, size_t n, bool inside, bool cut)
{
	if (!first_letters[(unsigned char)t[0]])
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(tokens); i++) {
		size_t len = strlen(tokens[i].prefix), end = len;

		if (tokens[i].prefix[0] != t[0] || n <= len || memcmp(t, tokens[i].prefix, len) || (inside && len < 4))
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
	enum name_match match;
	enum redact_name judgement;
} names[] = {
	{ "bypass", ENDS, NAME_PLAIN },	    { "compass", ENDS, NAME_PLAIN },
	{ "password", HAS, NAME_SECRET },   { "passwd", HAS, NAME_SECRET },	{ "passphrase", HAS, NAME_SECRET },
	{ "secret", HAS, NAME_SECRET },	    { "apikey", HAS, NAME_SECRET },	{ "accesskey", HAS, NAME_SECRET },
	{ "privatekey", HAS, NAME_SECRET }, { "authkey", HAS, NAME_SECRET },	{ "signingkey", HAS, NAME_SECRET },
	{ "accountkey", HAS, NAME_SECRET }, { "encryptionkey", HAS, NAME_SECRET }, { "masterkey", HAS, NAME_SECRET },
	{ "credential", HAS, NAME_SECRET }, { "authorization", HAS, NAME_SECRET }, { "bearer", IS, NAME_SECRET },
	{ "token", ENDS, NAME_SECRET },	    { "pwd", ENDS, NAME_SECRET },	{ "pass", ENDS, NAME_SECRET },
	{ "cookie", ENDS, NAME_SECRET },    { "auth", ENDS, NAME_MAYBE },	{ "key", ENDS, NAME_MAYBE },
	{ "sig", ENDS, NAME_MAYBE },	    { "signature", ENDS, NAME_MAYBE },	{ "session", ENDS, NAME_MAYBE },
	{ "sessionid", ENDS, NAME_MAYBE },  { "sid", IS, NAME_MAYBE },		{ "code", IS, NAME_MAYBE },
};

/* password-file, secret_name, token_url: about a secret, not one. */
static const char *const about[] = {
	"file", "path", "dir", "name", "length", "len", "type", "url", "uri", "count", "policy", "prompt", "ttl", "expiry", "expires",
	"limit", "size", "stdin", "helper", "store", "manager",
};

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t len = strlen(end);

	return n >= len && !memcmp(s + n - len, end, len);
}

static bool name_matches(const char *s, size_t n, const char *text, enum name_match match)
{
	if (match == HAS)
		return memmem(s, n, text, strlen(text));
	return ends_with(s, n, text) && (match == ENDS || n == strlen(text));
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
		if (ends_with(s, len, about[i]) && len > strlen(about[i]))
			return NAME_PLAIN;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (name_matches(s, len, names[i].text, names[i].match))
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
