/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that prove a policy to stay within its ceiling. */
#ifndef POLICY_WITHIN_H
#define POLICY_WITHIN_H

#include "policy/model.h"

/*
 * What is compared. Where a field narrows a rule in a way that this proof does not follow (by, until), the view has the policy allow more
 * and the ceiling less than they do: what is then proved holds all the more.
 */
struct within {
	const struct policy *p, *ceiling;	/* as they are: for places */
	struct policy inside, above;		/* the views: whose rules are copies */
	struct diags *d;
};
/* This rule (NULL: what the policy lacks) goes beyond; by: the ceiling's rule, RULE_BUILTIN() or RULE_DEFAULT + class. */
void within_say(struct within *w, const struct rule *rule, uint32_t by, const char *what);
bool open_is_said(const struct within *w, unsigned verb);
void within_named(struct within *w);	/* within_named.c: the classes that are ruled by name or amount */
void within_peers(struct within *w);	/* within_peer.c: rules by domain name and @same-sandbox */

#endif
