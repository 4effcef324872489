/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of tricks on the network: each succeeds free and is refused, once and with its record, under the policy. */
#ifndef TESTS_VM_TRICK_H
#define TESTS_VM_TRICK_H

#include "tests/vm/lo.h"

/* Loopback, and 10.1.0.0/16 at port 7001; trick_with_uring: io_uring may be used beside it. */
extern const char trick_policy[], trick_with_uring[];
#define REFUSED_TO "10.9.9.9"

struct trick {
	const char *name;
	int (*act)(const struct trick *t);
	const char *rule, *judged;
	enum operation op;
	enum verb verb;
	int port, proto, number;	/* number: the act's own */
};

void trick_start(void);
void check_trick(const char *policy_text, const struct trick *t);
void check_tricks(const char *policy_text, const struct trick *t, size_t count);
#define CHECK_TRICKS(policy_text, table) check_tricks(policy_text, table, sizeof(table) / sizeof(table[0]))
int trick_play(void *trick);	/* as a govern_fn */

#endif
