/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandboxes of this host: who they are, which policies they had, which commands ran in them, what was counted. A sandbox is
 * one session. Memory only; persist.h keeps what a successor needs, the engine owns the flows.
 */
#ifndef SANDBOX_REGISTRY_H
#define SANDBOX_REGISTRY_H

#include "kernel/kernel.h"
#include "sandbox/ledger.h"
#include "sandbox/ulid.h"

#define SESSION_NAME_MAX	128
#define SESSION_ARGS_MAX	ARGV_BYTES	/* of a command's arguments, as we show them */
#define SESSION_COMMANDS_MAX	1024		/* at one time */
#define SESSION_COMMANDS_KEPT	256		/* finished ones, for records that come late */
#define SESSION_GENERATIONS	16		/* replaced policies whose rules can still be named */
#define REGISTRY_ENDED_KEPT	256		/* ended sessions whose summary can still be asked for */

struct session_command {
	uint32_t number;		/* exec id, from 1 */
	bool alive;
	int watch;			/* of its cgroup; -1: none */
	uint64_t started_ms;		/* since the epoch */
	char *args;			/* NUL between */
	size_t args_len;
	char *call, *trace, *span, *user;	/* NULL: the starter did not say */
	struct session_command *older;
};

/* A policy as the kernel had it from one publication to the next. */
struct session_generation {
	uint32_t number;
	struct policy *policy;		/* NULL: its text could not be had back; rules then have numbers only */
	char *text, *file, *digest;	/* digest: what it was when it was published */
	size_t text_len;
	char **params;			/* "k=v" */
	size_t param_count;
	struct ledger ledger;
	int64_t ends_told_s, ends_kept_s;	/* notices of rules that were to end by then are given; a successor knows of them. 0: of none */
	uint64_t ends_line;		/* those notices have earlier lines than this; 0: not known yet */
	struct session_generation *older;
};

enum session_state { SESSION_LIVE, SESSION_ENDING, SESSION_ENDED };

struct session {
	char id[ULID_CHARS + 1];
	char name[SESSION_NAME_MAX];
	uint64_t kernel_id, cgroup_id;
	enum session_state state;
	enum stage stage;
	bool enforced;			/* false: recorded only (--allow-degraded) */
	bool allow_degraded;		/* made so: it does without what cannot be had */
	bool held;			/* stays while empty */
	bool started;			/* had a command */
	uint64_t started_ms, ended_ms;	/* since the epoch */
	uint64_t deadline_ns;		/* CLOCK_BOOTTIME; 0: none */
	char *user, *agent, *session;	/* identities as the creator told them */
	char end_reason[64];

	struct session_generation *generation;	/* in force; older ones behind it */
	struct session_command *commands;	/* newest first */
	uint32_t command_count;
	uint64_t events;		/* lines of it in the journal, by this engine */
	struct counter retired;		/* counted under generations that were let go */

	int watch;			/* of its cgroup; -1: none */
	uint64_t creator;		/* connection that made it; 0: gone or of no interest */
	int while_fd;			/* -1: none */
	struct loop_source *while_source;
	void *owner;			/* the engine's */
	uint64_t ending_ms;		/* monotonic: when its end began */
	bool stuck;			/* its end was found to take too long, and that was said */
	char *why;			/* its newest refusal in a sentence, as last asked for; NULL: none */
	unsigned why_more;		/* others beside it */
	uint64_t killed;		/* processes that lived when its end began */

	struct session *next, *next_id, *next_kernel;
};

struct loop_source;
struct registry;
int registry_new(struct registry **out);
void registry_free(struct registry *r);		/* with every session */
int registry_add(struct registry *r, struct session *s);	/* -EEXIST; the registry owns it from now on */
void registry_bind(struct registry *r, struct session *s, uint64_t kernel_id);	/* the kernel's id is known now; 0: it has none any more */
void registry_ended(struct registry *r, struct session *s);	/* keep its summary */
void registry_trim(struct registry *r);	/* free the oldest ended ones beyond the limit; no session may be in anybody's hands */
void registry_remove(struct registry *r, struct session *s);	/* free it */
struct session *registry_find(struct registry *r, const char *id);
struct session *registry_find_kernel(struct registry *r, uint64_t kernel_id);
struct session *registry_first(struct registry *r);	/* then ->next; oldest first */
size_t registry_living(const struct registry *r);	/* sessions not yet ended */
/* Which cgroup a watch number stands for; command 0: the session's own. */
int registry_watch(struct registry *r, int watch, struct session *s, uint32_t command);
void registry_unwatch(struct registry *r, int watch);
bool registry_watched(struct registry *r, int watch, struct session **s, uint32_t *command);

struct session *session_new(const char *id);
void session_free(struct session *s);
/* g is the session's from now on, also on failure. */
void session_generation_add(struct session *s, struct session_generation *g);
struct session_generation *session_generation_find(struct session *s, uint32_t number);
void session_generation_free(struct session_generation *g);
struct counter session_total(const struct session *s);	/* all generations */
void session_shed(struct session *s);	/* it is over: keep what a summary needs and give the rest back */
/* What is known of a command: args are cut to SESSION_ARGS_MAX, strings copied. */
int session_command_add(struct session *s, const struct session_command *from, struct session_command **out);
struct session_command *session_command_find(struct session *s, uint32_t number);
void session_command_drop(struct session *s, struct session_command *c);	/* a command that never began */
void session_commands_trim(struct session *s);

#endif
