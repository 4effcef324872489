/* SPDX-License-Identifier: Apache-2.0 */
/* The client's end of the control socket. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "base/log.h"
#include "bpf/abi.h"
#include "cli/client.h"

#define PATIENCE_SECONDS 60	/* a create compiles a policy; nothing else takes the engine long */

void client_patience(struct client *c, unsigned seconds)
{
	struct timeval limit = { .tv_sec = seconds };

	(void)setsockopt(c->sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(c->sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

int client_request(struct buf *b, const char *op, const char *id)
{
	kv_begin(b);
	kv_add_str(b, "op", op);
	kv_add_str(b, "id", id);
	return b->err;
}

/* The engine made it safe for a terminal, and a second time would show its escapes instead; should it not have, nothing reaches one. */
static bool is_shown_safely(const struct kv_pair *p)
{
	for (size_t i = 0; i < p->value_len; i++) {
		unsigned char c = p->value[i];

		if ((c < 0x20 && c != '\n') || c == 0x7f)
			return false;
	}
	return true;
}

/* The same text as `policy check` prints, so that editors jump from either. */
static void print_findings(const struct kv *m)
{
	for (const struct kv_pair *p = kv_find(m, "diag", NULL); p; p = kv_find(m, "diag", p)) {
		if (is_shown_safely(p))
			fprintf(stderr, "%.*s\n", (int)p->value_len, p->value);
		else
			log_info("%.*s", (int)p->value_len, p->value);
	}
}

/* What failed is either the talk or what was asked; only the second has a sentence of the engine's. */
static void explain(const char *what, int err, const struct kv *reply)
{
	const char *sentence = kv_get(reply, "error");

	if (sentence)
		log_err(0, "%s: %s", what, sentence);
	else if (err == -ENOLINK || err == -EPIPE || err == -ECONNRESET)
		log_err(0, "%s: the engine closed the connection", what);
	else if (err == -ETIMEDOUT)
		log_err(0, "%s: the engine does not answer", what);
	else
		log_err(err, "%s: talking to the engine", what);
}

int client_call(struct client *c, const char *what, const struct buf *request, const int *fds, size_t fd_count, struct control_message *reply)
{
	struct control_message m;
	int err = control_call(c->sock, request, fds, fd_count, &m);

	print_findings(&m.kv);
	if (err) {
		explain(what, err, &m.kv);
		control_message_done(&m);
		return err;
	}
	*reply = m;
	return 0;
}

/* An engine that is just leaving accepts a connection and hangs up: -ENOLINK or its kin, and the caller may start another. */
static int say_hello(int sock, struct control_message *m)
{
	_buf_ struct buf b = {};
	int err = client_request(&b, "hello", NULL);

	if (err) {
		*m = (struct control_message){};
		return err;
	}
	return control_call(sock, &b, NULL, 0, m);
}

static bool hung_up(int err)
{
	return err == -ENOLINK || err == -EPIPE || err == -ECONNRESET;
}

static int check_hello(struct client *c)
{
	_cleanup_(control_message_done) struct control_message m = {};
	uint64_t abi = 0;
	int err;

	client_patience(c, PATIENCE_SECONDS);
	err = say_hello(c->sock, &m);
	if (hung_up(err))
		return err;
	if (err) {
		explain("hello", err, &m.kv);
		return err;
	}
	(void)kv_get_u64(&m.kv, "abi", &abi);
	if (abi == BAILIFF_ABI_VERSION)
		return 0;
	return log_err(-EPROTO, "the engine that runs is of another version (its ABI is %llu, ours %u); restart it",
		       (unsigned long long)abi, BAILIFF_ABI_VERSION);
}

static bool no_engine(int err)
{
	return err == -ENOENT || err == -ECONNREFUSED || hung_up(err);
}

static int open_once(struct client *c, enum client_mode mode)
{
	int err = control_connect(c->where.control, &c->sock);

	if (no_engine(err) && mode == CLIENT_START)
		err = starter_run(&c->where, &c->sock);
	else if (err && !(no_engine(err) && mode == CLIENT_TRY))
		log_err(err, no_engine(err) ? "no engine runs (%s)" : "%s", c->where.control);
	return err ? err : check_hello(c);
}

static int open_connection(struct client *c, enum client_mode mode)
{
	int err = open_once(c, mode);

	if (mode == CLIENT_START && c->sock >= 0 && hung_up(err)) {
		close(c->sock);
		c->sock = -1;
		err = open_once(c, mode);
	}
	if (hung_up(err) && c->sock >= 0 && mode != CLIENT_TRY)
		explain("hello", err, &(struct kv){});
	return mode == CLIENT_TRY && no_engine(err) ? -ENOENT : err;
}

int client_open(struct client *c, enum client_mode mode)
{
	int err;

	*c = (struct client){ .sock = -1 };
	if (geteuid())
		return log_err(-EPERM, "the engine answers root only; run this as root");
	err = where_load(&c->where);
	if (!err)
		err = open_connection(c, mode);
	if (err)
		client_close(c);
	return err;
}

void client_close(struct client *c)
{
	if (c->sock >= 0)
		close(c->sock);
	c->sock = -1;
	where_done(&c->where);
}
