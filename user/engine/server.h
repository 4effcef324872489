/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's end of the control socket: frames, descriptors, limits. Says nothing about what a request means. Promises: only
 * root gets an answer other than "no"; no client, however slow or hostile, makes the loop wait, or holds memory or descriptors
 * beyond fixed limits; requests of one connection are answered in order, one at a time, now or later.
 */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include <sys/types.h>
#include "base/loop.h"
#include "engine/control.h"

#define SERVER_PATIENCE_MS	10000	/* for a first request, for the rest of a begun one, for a client that takes no answer */
#define SERVER_MEMORY_BYTES	(64u << 20)	/* of all unfinished requests and untaken answers */

struct server;
struct server_request {
	uint64_t conn;			/* names the connection; never used twice */
	pid_t pid;			/* of the peer, when it connected */
	struct control_message message;	/* a handler that keeps a descriptor sets it to -1 */
};

struct server_options {
	const char *path;
	size_t max_connections, max_per_process;
	void (*request)(void *ctx, struct server_request *q);	/* answers by server_reply, at once or later */
	void (*gone)(void *ctx, uint64_t conn);			/* the connection is closed; it may have asked nothing */
	bool (*refuse)(void *ctx, pid_t pid, const char **why);	/* a peer that is root and may not ask all the same */
	void *ctx;
};

int server_open(struct loop *l, const struct server_options *o, struct server **out);
void server_close(struct server *s);		/* also removes the socket's name */
void server_reply(struct server *s, uint64_t conn, const struct buf *message);	/* a connection that is gone is ignored */
void server_error(struct server *s, uint64_t conn, int err, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void server_tick(struct server *s, uint64_t now_ms);	/* now and then: drops who took too long */
size_t server_connections(const struct server *s);

#endif
