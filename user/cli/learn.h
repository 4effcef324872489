/* SPDX-License-Identifier: Apache-2.0 */
/* The journal as learn reads it. */
#ifndef CLI_LEARN_H
#define CLI_LEARN_H

#include "cli/option.h"
#include "cli/policy.h"
#include "event/event.h"
#include "policy/learn.h"

struct learn_options {
	struct policy_options policy;	/* params, output */
	const char *file, *uses, *sandbox, *by, *since, *dir;
	bool tighten;
};

struct learn_journal {
	const struct learn_options *o;
	const char *dir;
	uint64_t since_ms;
	int (*take)(void *ctx, const struct event_view *v);	/* each event that the filters leave */
	void *ctx;
	/* what was found on the way */
	uint64_t decisions, sessions, lost, unread, damaged;
	char **sandboxes;
};
int learn_journal_read(struct learn_journal *j);	/* 0 or -errno, logged */
void learn_journal_done(struct learn_journal *j);

int learn_take(void *learn, const struct event_view *v);	/* a decision as an observation */
int tighten_take(void *tighten, const struct event_view *v);	/* any action */

#endif
