/* SPDX-License-Identifier: Apache-2.0 */
/* An action back in words, as it would be asked about. */
#include <arpa/inet.h>
#include "policy/model.h"

static void text_add(struct buf *out, const char *before, const char *text, size_t len)
{
	buf_add_str(out, before);
	buf_add_terminal(out, text, len);
}

static void endpoint_add(const struct policy_action *a, struct buf *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	bool v6 = memcmp(a->addr, mapped, 12) != 0;
	char host[INET6_ADDRSTRLEN] = "";

	if (a->name)
		text_add(out, " ", a->name, strlen(a->name));
	else if (inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? a->addr : a->addr + 12, host, sizeof(host)))
		buf_addf(out, v6 ? " [%s]" : " %s", host);
	buf_addf(out, ":%u", a->port);
	if ((a->proto == IPPROTO_UDP) != (a->verb == VERB_SEND))
		buf_add_str(out, a->proto == IPPROTO_UDP ? "/udp" : "/tcp");
}

void policy_action_print(const struct policy_action *a, struct buf *out)
{
	if (a->by)
		text_add(out, "by ", a->by, strlen(a->by));
	if (a->after)
		text_add(out, a->by ? " after " : "after ", a->after, strlen(a->after));
	buf_addf(out, "%s%s", a->by || a->after ? " " : "", a->verb == PV_LIMIT ? a->name : policy_verb_word(a->verb));
	if (a->verb == PV_LIMIT) {
		buf_add_char(out, ' ');
		amount_print(out, a->name, a->amount);
	} else if (a->path) {
		text_add(out, " ", a->path, a->path_len);
	} else if (a->verb < PV_CALL) {
		endpoint_add(a, out);
	} else {
		text_add(out, " ", a->name, strlen(a->name));
	}
}
