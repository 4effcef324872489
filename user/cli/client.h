/* SPDX-License-Identifier: Apache-2.0 */
/* A command's talk with the engine: finding it, starting it, asking it, and saying what went wrong. Everything here logs its own failures. */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include "cli/where.h"
#include "engine/control.h"

enum client_mode {
	CLIENT_ASK,	/* only an engine that runs */
	CLIENT_START,	/* start one if none runs */
	CLIENT_TRY,	/* as ASK, and silent when none runs: -ENOENT */
};

struct client {
	struct where where;
	int sock;
};

int client_open(struct client *c, enum client_mode mode);	/* also checks that both speak one language */
void client_close(struct client *c);
/*
 * Ask. Findings about a policy are printed as they come; a refusal is logged as "WHAT: the engine's sentence". *reply is to be
 * released only after success.
 */
int client_call(struct client *c, const char *what, const struct buf *request, const int *fds, size_t fd_count, struct control_message *reply);
int client_request(struct buf *b, const char *op, const char *id);	/* begins a request; id may be NULL */
void client_patience(struct client *c, unsigned seconds);	/* 0: no limit */

int starter_run(const struct where *w, int *sock);	/* start an engine, or wait for who is doing so; a connected socket */

#endif
