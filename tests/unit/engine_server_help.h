/* SPDX-License-Identifier: Apache-2.0 */
/* A control server in this process, and clients of it. */
#ifndef TESTS_UNIT_ENGINE_SERVER_HELP_H
#define TESTS_UNIT_ENGINE_SERVER_HELP_H

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/counter.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/server.h"
#include "tests/unit/test.h"

struct world {
	struct loop *loop;
	struct server *server;
	char dir[64], path[128];
	uint64_t deferred;		/* connection that waits */
	size_t requests, gone, fds;
	bool refuse;
};

static inline void on_request(void *ctx, struct server_request *q)
{
	struct world *w = ctx;
	const char *op = kv_get(&q->message.kv, "op");
	_buf_ struct buf b = { 0 };

	w->requests++;
	w->fds += q->message.fd_count;
	if (op && !strcmp(op, "later")) {
		w->deferred = q->conn;
		return;
	}
	if (op && !strcmp(op, "big")) {
		_free_ char *blob = calloc(1, 3u << 20);

		kv_begin(&b);
		kv_add(&b, "blob", blob, 3u << 20);
		server_reply(w->server, q->conn, &b);
		return;
	}
	if (!op) {
		server_error(w->server, q->conn, -EINVAL, "no op");
		return;
	}
	kv_begin(&b);
	kv_add_u64(&b, "ok", 1);
	kv_add_str(&b, "op", op);
	server_reply(w->server, q->conn, &b);
}

static inline void on_gone(void *ctx, uint64_t conn)
{
	struct world *w = ctx;

	w->gone++;
	if (w->deferred == conn)
		w->deferred = 0;
}

static inline bool on_refuse(void *ctx, pid_t pid, const char **why)
{
	struct world *w = ctx;

	(void)pid;
	*why = "a member may not ask";
	return w->refuse;
}

static inline void open_world(struct world *w, size_t max, size_t per_process)
{
	struct server_options o = { .max_connections = max, .max_per_process = per_process, .request = on_request, .gone = on_gone,
		.refuse = on_refuse, .ctx = w };

	memset(w, 0, sizeof(*w));
	o.path = w->path;
	if (getuid())
		SKIP("needs root: the server answers nobody else");
	strcpy(w->dir, "/tmp/bailiff-server-XXXXXX");
	CHECK(mkdtemp(w->dir) != NULL);
	snprintf(w->path, sizeof(w->path), "%s/control", w->dir);
	CHECK_OK(loop_new(&w->loop));
	CHECK_OK(server_open(w->loop, &o, &w->server));
}

static inline void close_world(struct world *w)
{
	server_close(w->server);
	loop_free(w->loop);
	CHECK(access(w->path, F_OK));
	rmdir(w->dir);
}

static inline void stop(void *ctx)
{
	loop_stop(ctx);
}

/* Let the loop do all that is to be done: until it did nothing twice in a row, for under sanitizers one round may be all that 20 ms allow. */
static inline void turn(struct world *w)
{
	size_t requests, gone, connections;
	struct loop_source *t;
	int quiet = 0;

	while (quiet < 2) {
		requests = w->requests;
		gone = w->gone;
		connections = server_connections(w->server);
		CHECK_OK(loop_add_timer(w->loop, 20, 0, stop, w->loop, &t));
		CHECK_OK(loop_run(w->loop));
		loop_remove(t);
		quiet = requests == w->requests && gone == w->gone && connections == server_connections(w->server) ? quiet + 1 : 0;
	}
}

static inline int dial(struct world *w)
{
	int sock;

	CHECK_OK(control_connect(w->path, &sock));
	return sock;
}

static inline void ask(int sock, const char *op)
{
	_buf_ struct buf b = { 0 };

	kv_begin(&b);
	kv_add_str(&b, "op", op);
	CHECK_OK(kv_end(&b));
	CHECK_OK(control_send(sock, &b, NULL, 0));
}

/* What came back; "" when the connection was closed without a word. */
static inline void expect(int sock, const char *key, const char *value)
{
	struct control_message m;

	CHECK_OK(control_receive(sock, &m));
	CHECK_STR(kv_get(&m.kv, key), value);
	control_message_done(&m);
}

static inline bool closed(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char c;

	return poll(&p, 1, 0) == 1 && recv(sock, &c, 1, MSG_DONTWAIT) <= 0;
}

/* Somebody else must still be served, whatever goes on. */
static inline void still_serves(struct world *w)
{
	int sock = dial(w);

	turn(w);
	ask(sock, "hello");
	turn(w);
	expect(sock, "op", "hello");
	close(sock);
	turn(w);
}

#endif
