/* SPDX-License-Identifier: Apache-2.0 */
/* One policy, one local network, and the check of one trick. */
#include "tests/vm/trick.h"

#define CONNECT "  connect:\n    - {to: \"@loopback\", proto: [tcp, udp], id: lo}\n    - {to: 10.1.0.0/16, ports: [7001], proto: [tcp, udp], id: ten}\n"
const char trick_policy[] = "version: 1\npolicy: tricks\n" OPEN_REST "files: {read: [/proc]}\nsockets: {}\nnetwork:\n" CONNECT;
const char trick_with_uring[] =
	"version: 1\npolicy: tricks\nopen: [devices, privileges, limits, session, labels]\nfiles: {}\nsockets: {}\n"
	"calls: {allow: [\"@io_uring\"]}\nnetwork:\n" CONNECT;
static const uint16_t ports[] = { 7001, 7002 };

void trick_start(void)
{
	lo_start(ports, 2);
}

int trick_play(void *trick)
{
	const struct trick *t = trick;

	return t->act(t);
}

void check_trick(const char *policy_text, const struct trick *t)
{
	struct ruled *r = ruled_new(policy_text, STAGE_ENFORCE);

	CASE("%s", t->name);
	govern_forget();
	CHECK_REFUSED(r, trick_play, (void *)t, EACCES);
	check_record(r, &(struct expect){ .rule = t->rule, .path = "", .op = t->op, .verb = t->verb, .err = EACCES });
	if (t->judged)
		lo_check_addr(&govern_seen[0].d.addr, t->judged, t->port, t->proto);
	ruled_free(r);
}

void check_tricks(const char *policy_text, const struct trick *t, size_t count)
{
	trick_start();
	for (size_t i = 0; i < count; i++)
		check_trick(policy_text, &t[i]);
}
