/* SPDX-License-Identifier: Apache-2.0 */
/* Questions in words, as tests and `policy explain` ask them: "read /x", "connect 10.0.0.1:443", "listen [::1]:53/udp". */
#include <arpa/inet.h>
#include <stdio.h>
#include "policy/model.h"

static const char *const verb_words[PV_COUNT] = {
	[VERB_READ] = "read", [VERB_CHANGE] = "change", [VERB_CREATE] = "create", [VERB_REMOVE] = "remove",
	[VERB_EXECUTE] = "execute", [VERB_UNIX] = "unix", [VERB_CONNECT] = "connect", [VERB_SEND] = "send", [VERB_LISTEN] = "listen",
	[PV_CALL] = "call", [PV_USE] = "use", [PV_STAT] = "stat", [PV_SET_ID] = "set-id", [PV_KEEP] = "keep",
	[PV_CAPABILITY] = "capability", [PV_VARIABLE] = "variable", [PV_FAMILY] = "family", [PV_LIMIT] = "limit",
};

const char *policy_verb_word(unsigned verb)
{
	return verb < PV_COUNT ? verb_words[verb] : "";
}

/* A name where an address could stand: of a host, or the sandbox's own. */
static bool peer_name_take(const char *host, struct policy_action *out)
{
	char name[256], why[200];

	if (strlen(host) >= sizeof(name) || host[0] == '*')
		return false;
	if (!strcmp(host, "@same-sandbox"))
		strcpy(name, host);
	else if (!domain_parse(host, name, why))
		return false;
	out->name = strdup(name);
	return out->name;
}

/* "10.0.0.1:443", "api.example.com:443", "[::1]:53", each with "/udp" or "/tcp" behind it if need be. */
static bool endpoint_parse(const char *text, struct policy_action *out)
{
	char copy[300], *host = copy, *colon, *slash;
	struct port_range port;
	bool v6 = text[0] == '[';

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return false;
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (slash && strcmp(slash, "udp") && strcmp(slash, "tcp"))
		return false;
	if (slash)
		out->proto = strcmp(slash, "udp") ? IPPROTO_TCP : IPPROTO_UDP;
	colon = strrchr(copy, ':');
	if (!colon || (v6 && colon[-1] != ']') || strchr(colon, '-') || !ports_parse(colon + 1, &port))
		return false;
	out->port = port.first;
	*colon = '\0';
	if (v6) {
		colon[-1] = '\0';
		host++;
	}
	memset(out->addr, 0, 10);
	memset(out->addr + 10, 0xff, 2);
	return inet_pton(v6 ? AF_INET6 : AF_INET, host, v6 ? out->addr : out->addr + 12) == 1 || (!v6 && peer_name_take(host, out));
}

static int path_take(const char *text, struct policy_action *out, char why[200])
{
	size_t len = strlen(text);

	if (len >= PATH_BYTES || !path_is_clean(text, len)) {
		snprintf(why, 200, "a path to ask about is absolute, without \".\", \"..\", \"//\" or a \"/\" at the end, not \"%.80s\"", text);
		return -EINVAL;
	}
	out->path = strdup(text);
	if (!out->path) {
		snprintf(why, 200, "out of memory");
		return -ENOMEM;
	}
	out->path_len = len;
	return 0;
}

/* The word at *text, moved behind it and one space; its length, 0 if nothing follows it. */
static size_t word_take(const char **text, const char **word)
{
	size_t len = strcspn(*text, " ");

	*word = *text;
	if (!(*text)[len] || !(*text)[len + 1])
		return 0;
	*text += len + 1;
	return len;
}

static int verb_find(const char *word, size_t len)
{
	for (int v = 0; v < PV_COUNT; v++) {
		if (strlen(verb_words[v]) == len && !memcmp(verb_words[v], word, len) && v != PV_LIMIT)
			return v;
	}
	return -1;
}

static int say(char why[200], const char *text, const char *asked)
{
	snprintf(why, 200, "%.130s, not \"%.50s\"", text, asked);
	return -EINVAL;
}

static int name_take(const char *text, const char *const *words, struct policy_action *out, char why[200])
{
	const char *meant = words ? word_nearest(text, words) : NULL;
	bool known = !words;

	for (size_t i = 0; words && !known && words[i]; i++)
		known = !strcmp(words[i], text);
	if (!known || strchr(text, ' ')) {
		snprintf(why, 200, "\"%.60s\" is not something to ask about%s%s%s", text, meant ? ": did you mean \"" : "", meant ? meant : "",
			 meant ? "\"?" : "");
		return -EINVAL;
	}
	out->name = strdup(text);
	if (out->name)
		return 0;
	snprintf(why, 200, "out of memory");
	return -ENOMEM;
}

/* What a name is one of; NULL: any. */
static const char *const *words_of(unsigned verb, const char *text)
{
	switch (verb) {
	case PV_CAPABILITY:
		return capability_words;
	case PV_FAMILY:
		return family_words;
	case PV_CALL:
		return text[0] == '@' ? call_groups : call_names;
	}
	return NULL;
}

/* What the verb is about. */
static int object_take(const char *text, struct policy_action *a, char why[200])
{
	if (a->verb < VERB_PATH_COUNT || (a->verb >= PV_USE && a->verb <= PV_KEEP))
		return path_take(text, a, why);
	if (a->verb >= PV_CALL)
		return name_take(text, words_of(a->verb, text), a, why);
	if (endpoint_parse(text, a))
		return 0;
	return say(why, "an address to ask about is like 10.0.0.1:443, api.example.com:443, [2001:db8::1]:443 or 10.0.0.1:53/udp", text);
}

/* "memory 3G" */
static int limit_take(const char *word, size_t len, const char *text, struct policy_action *a, char why[200])
{
	for (size_t i = 0; limit_words[i]; i++) {
		if (strlen(limit_words[i]) != len || memcmp(limit_words[i], word, len))
			continue;
		a->verb = PV_LIMIT;
		if (amount_parse(limit_words[i], text, &a->amount, why))
			return name_take(limit_words[i], NULL, a, why);
		snprintf(why, 200, "\"%.60s\" is no amount of %s", text, limit_words[i]);
		return -EINVAL;
	}
	return -ENOENT;
}

/* "by /usr/bin/git " and "after LABEL " in front, each once. */
static int circumstances_take(const char **text, struct policy_action *a, char why[200])
{
	const char *word, *rest = *text, **place;

	for (;; *text = rest) {
		bool by = !strncmp(rest, "by ", 3);
		size_t len;

		if (!by && strncmp(rest, "after ", 6))
			return 0;
		rest += by ? 3 : 6;
		place = by ? &a->by : &a->after;
		len = word_take(&rest, &word);
		if (!len || *place || (by && !path_is_clean(word, len)))
			return say(why, "what stands in front of a question is \"by /path/of/program\" or \"after LABEL\"", *text);
		*place = strndup(word, len);
		if (!*place)
			return say(why, "out of memory", "");
	}
}

static int question_take(const char *text, struct policy_action *a, char why[200])
{
	const char *word, *whole = text;
	size_t len;
	int verb, err = circumstances_take(&text, a, why);

	if (err)
		return err;
	len = word_take(&text, &word);
	verb = len ? verb_find(word, len) : -1;
	a->verb = verb < 0 ? PV_LIMIT : (unsigned)verb;
	if (verb == VERB_SEND)
		a->proto = IPPROTO_UDP;
	err = verb < 0 ? limit_take(word, len, text, a, why) : object_take(text, a, why);
	if (err != -ENOENT)
		return err;
	return say(why, "a question is like \"read /path\", \"connect 10.0.0.1:443\", \"use /dev/null\", \"call mount\" or \"memory 2G\" (docs/policy.md)", whole);
}

int policy_action_parse(const char *text, struct policy_action *out, char why[200])
{
	struct policy_action a = { .proto = IPPROTO_TCP };
	int err = question_take(text, &a, why);

	if (err)
		policy_action_done(&a);
	else
		*out = a;
	return err;
}

void policy_action_done(struct policy_action *a)
{
	free((void *)a->path);
	free((void *)a->name);
	free((void *)a->by);
	free((void *)a->after);
	a->path = a->name = a->by = a->after = NULL;
}

void policy_question_done(struct policy_action *a, size_t count)
{
	for (size_t i = 0; i < count; i++)
		policy_action_done(&a[i]);
}

/* Where "write " stands, behind the circumstances; NULL: nowhere. */
static const char *write_find(const char *text)
{
	const char *word;

	while (!strncmp(text, "by ", 3) || !strncmp(text, "after ", 6)) {
		size_t kind = word_take(&text, &word);

		if (!kind || !word_take(&text, &word))
			return NULL;
	}
	return strncmp(text, "write ", 6) ? NULL : text;
}

int policy_question_parse(const char *text, struct policy_action out[POLICY_QUESTION_MAX], size_t *count, char why[200])
{
	static const char *const parts[POLICY_QUESTION_MAX] = { "change", "create", "remove" };
	const char *write = write_find(text);
	size_t n = 0;
	int err;

	if (!write) {
		err = policy_action_parse(text, out, why);
		if (!err)
			*count = 1;
		return err;
	}
	for (; n < POLICY_QUESTION_MAX; n++) {
		_buf_ struct buf one = {};

		buf_addf(&one, "%.*s%s %s", (int)(write - text), text, parts[n], write + 6);
		err = one.err ? one.err : policy_action_parse(one.data, &out[n], why);
		if (err) {
			policy_question_done(out, n);
			return err;
		}
	}
	*count = n;
	return 0;
}
