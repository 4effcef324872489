/* SPDX-License-Identifier: Apache-2.0 */
/* What run, create and exec share: asking for a sandbox, asking that a process be governed, and the words about it. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/client.h"
#include "cli/option.h"

struct session_options {
	const char *policy, *stage, *user, *name;
	struct cli_list params;
	struct cli_number deadline;
	bool allow_degraded;
};

/* The rows of an option table for a struct that holds a session_options as its member `m`. */
#define SESSION_OPTIONS(type, m) \
	{ "policy", 'p', "FILE", OPTION_TEXT, offsetof(type, m.policy), "the policy (required)" }, \
	{ "stage", 0, "STAGE", OPTION_TEXT, offsetof(type, m.stage), "enforce (default) or observe" }, \
	{ "param", 0, "NAME=VALUE", OPTION_LIST, offsetof(type, m.params), "a parameter of the policy; may be repeated" }, \
	{ "user", 0, "USER[:GROUP]", OPTION_TEXT, offsetof(type, m.user), "run as this account or number" }, \
	{ "name", 0, "NAME", OPTION_TEXT, offsetof(type, m.name), "a name for people; the id is what is unique" }, \
	{ "allow-degraded", 0, NULL, OPTION_FLAG, offsetof(type, m.allow_degraded), "start even where not all of it can be enforced" }, \
	{ "deadline", 0, "TIME", OPTION_DURATION, offsetof(type, m.deadline), "end the sandbox after 90s, 10m, 1h30m ..." }

struct session {
	char *id;
	char *cgroup;		/* for its first command to be born in; NULL: the engine moves it */
	void *filter;		/* seccomp program for its commands; NULL: none */
	size_t filter_bytes;
};

/* A policy's text and parameters, for create and reload. Logged when it fails. */
int session_add_policy(struct buf *request, const char *path, const struct cli_list *params);
/* Make a sandbox; prints its notice. while_fd -1: none. */
int session_create(struct client *c, const struct session_options *o, bool held, int while_fd, struct session *out);
int session_filter(struct client *c, const char *id, struct session *out);	/* of one that lives */
void session_done(struct session *s);

struct session_start {	/* ctx of launch.h's govern */
	struct client *client;
	const char *id, *call, *trace, *user;
	char **argv;
	bool started;		/* set once the engine has a command on record */
};
int session_govern(void *ctx, pid_t pid, int pidfd);

#endif
