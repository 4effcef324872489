/* SPDX-License-Identifier: Apache-2.0 */
/* Questions in words, as tests and `policy explain` ask them: "read /x", "connect 10.0.0.1:443", "listen [::1]:53/udp". */
#include <arpa/inet.h>
#include <stdio.h>
#include "policy/model.h"

static const char *const verb_words[VERB_CALL + 1] = {
	[VERB_READ] = "read", [VERB_CHANGE] = "change", [VERB_CREATE] = "create", [VERB_REMOVE] = "remove",
	[VERB_EXECUTE] = "execute", [VERB_UNIX] = "unix", [VERB_CONNECT] = "connect", [VERB_SEND] = "send", [VERB_LISTEN] = "listen",
};

/* "10.0.0.1:443", "[::1]:53", each with "/udp" or "/tcp" behind it if need be. */
static bool endpoint_parse(const char *text, struct policy_action *out)
{
	char copy[INET6_ADDRSTRLEN + 16], *host = copy, *colon, *slash;
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
	return inet_pton(v6 ? AF_INET6 : AF_INET, host, v6 ? out->addr : out->addr + 12) == 1;
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

static int verb_find(const char *text, size_t len)
{
	for (int v = 0; v < VERB_CALL; v++) {
		if (strlen(verb_words[v]) == len && !memcmp(verb_words[v], text, len))
			return v;
	}
	return -1;
}

int policy_action_parse(const char *text, struct policy_action *out, char why[200])
{
	struct policy_action a = { .proto = IPPROTO_TCP };
	size_t len = strcspn(text, " ");
	int verb = verb_find(text, len), err;

	if (verb < 0 || !text[len]) {
		snprintf(why, 200, "a question is \"read /path\" (or change create remove write execute unix) or \"connect 10.0.0.1:443\" (or send "
			 "listen), not \"%.60s\"", text);
		return -EINVAL;
	}
	text += len + 1;
	a.verb = verb;
	if (verb == VERB_SEND)
		a.proto = IPPROTO_UDP;
	if (verb < VERB_PATH_COUNT) {
		err = path_take(text, &a, why);
		if (err)
			return err;
	} else if (!endpoint_parse(text, &a)) {
		snprintf(why, 200, "an address to ask about is like 10.0.0.1:443, [2001:db8::1]:443 or 10.0.0.1:53/udp (domain names are not built yet), "
			 "not \"%.60s\"", text);
		return -EINVAL;
	}
	*out = a;
	return 0;
}

void policy_action_done(struct policy_action *a)
{
	free((void *)a->path);
	a->path = NULL;
}

void policy_question_done(struct policy_action *a, size_t count)
{
	for (size_t i = 0; i < count; i++)
		policy_action_done(&a[i]);
}

int policy_question_parse(const char *text, struct policy_action out[POLICY_QUESTION_MAX], size_t *count, char why[200])
{
	static const char *const parts[POLICY_QUESTION_MAX] = { "change", "create", "remove" };
	size_t n = 0;
	int err;

	if (strncmp(text, "write ", 6)) {
		err = policy_action_parse(text, out, why);
		if (!err)
			*count = 1;
		return err;
	}
	for (; n < POLICY_QUESTION_MAX; n++) {
		_buf_ struct buf one = {};

		buf_addf(&one, "%s %s", parts[n], text + 6);
		err = one.err ? one.err : policy_action_parse(one.data, &out[n], why);
		if (err) {
			policy_question_done(out, n);
			return err;
		}
	}
	*count = n;
	return 0;
}
