/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection is in one of three states: reading a request, waiting for its answer, writing the answer. It leaves a state by
 * progress or is dropped by time. Never more is read than the message at hand, so that a descriptor always belongs to it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/counter.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/server.h"

#define ACCEPT_AT_ONCE	32

enum conn_state { CONN_READING, CONN_WAITING, CONN_WRITING };

struct conn {
	struct server *server;
	struct conn *next, *prev;
	struct loop_source *source;
	uint64_t id;
	int fd;
	pid_t pid;
	enum conn_state state;
	uint64_t until_ms;		/* UINT64_MAX: idle between requests, or waiting for us */

	struct control_reader reader;
	size_t held;			/* of the reader's memory, in the account */

	char *out;
	size_t out_len, out_done;
};

struct server {
	struct server_options o;
	struct loop *loop;
	struct loop_source *source;
	struct conn *conns;
	size_t count, memory;
	uint64_t next_id;
	int fd, reserve;		/* reserve: a descriptor to give up when there are no others, so that accept can refuse */
	struct sockaddr_un addr;
};

/* ---- ends ---- */
static void out_drop(struct conn *c)
{
	free(c->out);
	c->server->memory -= c->out_len;
	c->out = NULL;
	c->out_len = c->out_done = 0;
}

static void conn_close(struct conn *c)
{
	struct server *s = c->server;
	uint64_t id = c->id;

	loop_remove(c->source);
	close(c->fd);
	control_reader_done(&c->reader);
	s->memory -= c->held;
	out_drop(c);
	if (c->prev)
		c->prev->next = c->next;
	else
		s->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	s->count--;
	free(c);
	s->o.gone(s->o.ctx, id);
}

static void conn_refuse(struct conn *c)
{
	count_add(COUNT_CONTROL_REFUSED, 1);
	conn_close(c);
}

static struct conn *conn_find(struct server *s, uint64_t id)
{
	struct conn *c = s->conns;

	while (c && c->id != id)
		c = c->next;
	return c;
}

/* ---- writing ---- */
static void conn_reading(struct conn *c)
{
	c->state = CONN_READING;
	c->until_ms = UINT64_MAX;
	if (loop_change_fd(c->source, EPOLLIN | EPOLLRDHUP))
		conn_close(c);
}

static void conn_write(struct conn *c)
{
	while (c->out_done < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->out_done, c->out_len - c->out_done, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			if (loop_change_fd(c->source, EPOLLOUT | EPOLLRDHUP))
				conn_close(c);
			return;
		}
		if (n < 0) {
			conn_close(c);
			return;
		}
		c->out_done += n;
	}
	out_drop(c);
	conn_reading(c);
}

static void conn_answer(struct conn *c, const struct buf *message)
{
	struct server *s = c->server;
	size_t len = message->len + 4;
	uint32_t n = htole32(message->len);

	if (message->err || c->state != CONN_WAITING || s->memory + len > SERVER_MEMORY_BYTES || !(c->out = malloc(len))) {
		conn_refuse(c);
		return;
	}
	memcpy(c->out, &n, 4);
	memcpy(c->out + 4, message->data, message->len);
	c->out_len = len;
	s->memory += len;
	c->state = CONN_WRITING;
	c->until_ms = clock_mono_ms() + SERVER_PATIENCE_MS;
	conn_write(c);
}

void server_reply(struct server *s, uint64_t conn, const struct buf *message)
{
	struct conn *c = conn_find(s, conn);

	if (c)
		conn_answer(c, message);
}

static void error_message(struct buf *b, int err, const char *text)
{
	kv_begin(b);
	kv_add_u64(b, "ok", 0);
	kv_add_str(b, "error", text);
	kv_add_u64(b, "errno", err < 0 ? -err : err);
}

void server_error(struct server *s, uint64_t conn, int err, const char *fmt, ...)
{
	_buf_ struct buf b = { 0 };
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error_message(&b, err, text);
	server_reply(s, conn, &b);
}

/* ---- reading ---- */
/* The reader grows with what has come; what it holds between two calls counts against the limit of all. */
static int conn_account(struct conn *c)
{
	struct server *s = c->server;

	s->memory += c->reader.body.cap - c->held;
	c->held = c->reader.body.cap;
	return s->memory > SERVER_MEMORY_BYTES ? -ENOBUFS : 0;
}

static void conn_request(struct conn *c, struct server_request *q)
{
	struct server *s = c->server;

	c->state = CONN_WAITING;
	c->until_ms = UINT64_MAX;
	if (loop_change_fd(c->source, EPOLLRDHUP)) {
		conn_close(c);
		return;
	}
	s->o.request(s->o.ctx, q);	/* may answer at once, and the answer may fail: c is not touched after it */
}

static void conn_read(struct conn *c)
{
	struct server_request q = { .conn = c->id, .pid = c->pid };
	bool begun = c->reader.have;
	int r = control_read(&c->reader, c->fd, &q.message);

	if (r == -ENOLINK) {
		conn_close(c);	/* an orderly end */
	} else if (r < 0 || conn_account(c)) {
		if (r == 1)
			control_message_done(&q.message);
		conn_refuse(c);
	} else if (r) {
		conn_request(c, &q);
		control_message_done(&q.message);
	} else if (!begun && c->reader.have) {
		c->until_ms = clock_mono_ms() + SERVER_PATIENCE_MS;
	}
}

static void on_conn(void *ctx, int fd, uint32_t events)
{
	struct conn *c = ctx;

	(void)fd;
	if (c->state == CONN_WRITING && events & EPOLLOUT)
		conn_write(c);
	else if (c->state == CONN_READING && events & EPOLLIN)
		conn_read(c);
	else if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
		conn_close(c);
}

/* ---- accepting ---- */
static void say_no(int fd, int err, const char *text)
{
	_buf_ struct buf b = { 0 };
	uint32_t n;
	struct iovec io[2];
	struct msghdr m = { .msg_iov = io, .msg_iovlen = 2 };

	count_add(COUNT_CONTROL_REFUSED, 1);
	error_message(&b, err, text);
	if (b.err)
		return;
	n = htole32(b.len);
	io[0] = (struct iovec){ &n, sizeof(n) };
	io[1] = (struct iovec){ b.data, b.len };
	(void)!sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);	/* a courtesy: fits in an empty socket buffer or is let go */
}

static bool too_many(const struct server *s, pid_t pid)
{
	size_t of_process = 0;

	if (s->count >= s->o.max_connections)
		return true;
	for (const struct conn *c = s->conns; c; c = c->next)
		of_process += c->pid == pid;
	return of_process >= s->o.max_per_process;
}

static const char *peer_refused(struct server *s, int fd, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);
	const char *why = "this process may not ask";

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len))
		return "who asks cannot be told";
	if (peer->uid)
		return "only root may ask the engine";
	if (too_many(s, peer->pid))
		return "too many connections";
	if (s->o.refuse && s->o.refuse(s->o.ctx, peer->pid, &why))
		return why;
	return NULL;
}

static int conn_new(struct server *s, int fd, pid_t pid)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	*c = (struct conn){ .server = s, .fd = fd, .pid = pid, .id = ++s->next_id, .until_ms = clock_mono_ms() + SERVER_PATIENCE_MS };
	err = loop_add_fd(s->loop, fd, EPOLLIN | EPOLLRDHUP, on_conn, c, &c->source);
	if (err) {
		free(c);
		return err;
	}
	c->next = s->conns;
	if (c->next)
		c->next->prev = c;
	s->conns = c;
	s->count++;
	return 0;
}

/* No descriptor is left: take the waiting client with the reserved one and turn it away, or the loop would spin on it. */
static void accept_starved(struct server *s)
{
	int fd;

	if (s->reserve >= 0)
		close(s->reserve);
	fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		close(fd);
	count_add(COUNT_CONTROL_REFUSED, 1);
	s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void on_listen(void *ctx, int listener, uint32_t events)
{
	struct server *s = ctx;

	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct ucred peer;
		const char *why;

		if (fd < 0 && (errno == EMFILE || errno == ENFILE))
			accept_starved(s);
		if (fd < 0)
			return;
		why = peer_refused(s, fd, &peer);
		if (why)
			say_no(fd, -EACCES, why);
		if (why || conn_new(s, fd, peer.pid))
			close(fd);
	}
}

static int listen_at(struct server *s, const char *path)
{
	mode_t old;
	int err;

	s->addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (snprintf(s->addr.sun_path, sizeof(s->addr.sun_path), "%s", path) >= (int)sizeof(s->addr.sun_path))
		return -ENAMETOOLONG;
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	(void)unlink(path);	/* the caller holds the lock: whoever listened here is gone */
	old = umask(0177);
	err = bind(s->fd, (struct sockaddr *)&s->addr, sizeof(s->addr)) || listen(s->fd, SOMAXCONN) ? -errno : 0;
	umask(old);
	return err;
}

int server_open(struct loop *l, const struct server_options *o, struct server **out)
{
	struct server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->o = *o;
	s->loop = l;
	s->fd = -1;
	s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	err = listen_at(s, o->path);
	if (!err)
		err = loop_add_fd(l, s->fd, EPOLLIN, on_listen, s, &s->source);
	if (err) {
		server_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void server_close(struct server *s)
{
	if (!s)
		return;
	while (s->conns)
		conn_close(s->conns);
	loop_remove(s->source);
	if (s->fd >= 0) {
		(void)unlink(s->addr.sun_path);
		close(s->fd);
	}
	if (s->reserve >= 0)
		close(s->reserve);
	free(s);
}

void server_tick(struct server *s, uint64_t now_ms)
{
	struct conn *c = s->conns;

	while (c) {
		if (c->until_ms > now_ms) {
			c = c->next;
			continue;
		}
		conn_refuse(c);
		c = s->conns;	/* what its end set off may have closed others */
	}
}

size_t server_connections(const struct server *s)
{
	return s->count;
}
