/* SPDX-License-Identifier: Apache-2.0 */
/* The door to libcurl against a server of a few lines, which answers by the path that is asked for. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <zlib.h>
#include "base/http.h"
#include "tests/unit/test.h"

struct server {
	int fd, port;
	pthread_t thread;
	_Atomic int connections, requests;
	char head[8192];	/* of the last request */
	char body[1 << 16];
	size_t body_len;
};

static const struct {
	const char *path, *answer;	/* NULL: close without a word */
} answers[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\nContent-Length: 2\r\n\r\n{}" },
	{ "/text", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\n{}" },
	{ "/jsonx", "HTTP/1.1 200 OK\r\nContent-Type: application/jsonx\r\nContent-Length: 2\r\n\r\n{}" },
	{ "/moved", "HTTP/1.1 303 See Other\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n" },
	{ "/later", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n" },
	{ "/never", "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n" },
	{ "/past", "HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n" },
	{ "/odd", "HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n" },
	{ "/closed", NULL },
	{ "/half", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" },
	{ "/rubbish", "this is not HTTP\r\n\r\n" },
};

/* Read one request; false at the end of the connection. */
static bool read_request(struct server *s, int c)
{
	size_t n = 0, length = 0;
	char *end = NULL, *at;

	while (!end && n < sizeof(s->head) - 1) {
		ssize_t got = recv(c, s->head + n, 1, 0);

		if (got <= 0)
			return false;
		s->head[++n] = 0;
		end = n >= 4 && !strcmp(s->head + n - 4, "\r\n\r\n") ? s->head + n : NULL;
	}
	at = strcasestr(s->head, "content-length: ");
	if (at)
		length = strtoul(at + 16, NULL, 10);
	for (s->body_len = 0; s->body_len < length;) {
		ssize_t got = recv(c, s->body + s->body_len, length - s->body_len, 0);

		if (got <= 0)
			return false;
		s->body_len += got;
	}
	s->requests++;
	return true;
}

static bool has_path(const struct server *s, const char *path)
{
	const char *at = strchr(s->head, ' ');

	return at && !strncmp(at + 1, path, strlen(path)) && at[1 + strlen(path)] == ' ';
}

static void send_large(int c)
{
	static char large[300000];

	memset(large, 'x', sizeof(large));
	dprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", sizeof(large));
	(void)!send(c, large, sizeof(large), MSG_NOSIGNAL);
}

/* False: the connection ends. */
static bool answer(struct server *s, int c)
{
	if (has_path(s, "/large"))
		return send_large(c), true;
	if (has_path(s, "/silent"))
		return sleep(5), false;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (!has_path(s, answers[i].path))
			continue;
		if (answers[i].answer)
			(void)!send(c, answers[i].answer, strlen(answers[i].answer), MSG_NOSIGNAL);
		return answers[i].answer && answers[i].answer[0] == 'H' && !has_path(s, "/half");
	}
	return false;
}

struct connection {
	struct server *s;
	int fd;
};

/* Requests come one after the other, also over several connections, so they may share what is remembered of the last one. */
static void *serve_connection(void *arg)
{
	struct connection *c = arg;

	while (read_request(c->s, c->fd) && answer(c->s, c->fd))
		;
	close(c->fd);
	free(c);
	return NULL;
}

static void *serve(void *arg)
{
	struct server *s = arg;
	pthread_t t;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		struct connection *c = malloc(sizeof(*c));

		*c = (struct connection){ s, fd };
		s->connections++;
		if (!pthread_create(&t, NULL, serve_connection, c))
			pthread_detach(t);
	}
	return NULL;
}

static struct server *server_start(void)
{
	static struct server servers[8];	/* never given back: a connection may still look at its own */
	static int used;
	struct server *s = &servers[used++];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_OK(bind(s->fd, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(s->fd, 8));
	CHECK_OK(getsockname(s->fd, (struct sockaddr *)&a, &n));
	s->port = ntohs(a.sin_port);
	CHECK_OK(pthread_create(&s->thread, NULL, serve, s));
	return s;
}

static void server_stop(struct server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	close(s->fd);
	pthread_join(s->thread, NULL);
}

static int ask(struct http *h, const struct server *s, const char *path, struct http_reply *r)
{
	char url[128];
	struct http_request q = { .method = "POST", .url = url, .body = "body", .body_len = 4 };

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", s->port, path);
	return http_do(h, &q, r);
}

TEST(an_answer_of_any_status_is_an_answer)
{
	static const struct {
		const char *path;
		long status, retry_after_ms;
		bool json;
	} rows[] = {
		{ "/ok", 200, -1, true }, { "/text", 200, -1, false }, { "/jsonx", 200, -1, false }, { "/moved", 303, -1, false },
		{ "/later", 503, 7000, false }, { "/never", 503, 86400000, false }, { "/past", 503, 0, false }, { "/odd", 503, -1, false },
	};
	struct server *s = server_start();
	struct http_options o = {};
	struct http_reply r = {};
	struct http *h;

	CHECK_OK(http_new(&o, &h));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CASE("%s", rows[i].path);
		CHECK_OK(ask(h, s, rows[i].path, &r));
		CHECK_EQ(r.status, rows[i].status);
		CHECK_EQ(r.retry_after_ms, rows[i].retry_after_ms);
		CHECK_EQ(r.json, rows[i].json);
		CHECK(r.sent && !r.truncated);
		CHECK_EQ(r.connected, i == 0);
	}
	CHECK_EQ(s->connections, 1);
	CHECK_EQ(s->requests, 8);	/* the redirect was not followed */
	http_reply_done(&r);
	http_free(h);
	server_stop(s);
}

TEST(without_an_answer_the_error_says_whether_the_request_went_out)
{
	static const struct {
		const char *path;
		int err;
		bool sent;
	} rows[] = { { "/closed", -ECONNRESET, true }, { "/half", -ECONNRESET, true }, { "/rubbish", -EPROTO, true }, { "/silent", -ETIMEDOUT, true } };
	struct server *s = server_start();
	struct http_options o = { .timeout_ms = 500 };
	struct http_reply r = {};
	struct http_request q = { .method = "GET", .url = "http://127.0.0.1:1/" };
	struct http *h;

	CHECK_OK(http_new(&o, &h));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CASE("%s", rows[i].path);
		CHECK_EQ(ask(h, s, rows[i].path, &r), rows[i].err);
		CHECK_EQ(r.status, 0);
		CHECK_EQ(r.sent, rows[i].sent);
		CHECK(*r.error);
	}
	CASE("nobody listens");
	CHECK_EQ(http_do(h, &q, &r), -ECONNREFUSED);
	CHECK(!r.sent);
	q.url = "ftp://127.0.0.1/";
	CASE("not HTTP");
	CHECK_EQ(http_do(h, &q, &r), -EINVAL);
	q.url = "file:///etc/passwd";
	CHECK_EQ(http_do(h, &q, &r), -EINVAL);
	http_reply_done(&r);
	http_free(h);
	server_stop(s);
}

TEST(a_large_reply_is_cut_and_a_fresh_connection_can_be_asked_for)
{
	struct server *s = server_start();
	struct http_options o = { .max_reply_bytes = 1000 };
	struct http_reply r = {};
	struct http *h;

	CHECK_OK(http_new(&o, &h));
	CHECK_OK(ask(h, s, "/large", &r));
	CHECK(r.truncated);
	CHECK_EQ(r.body.len, 1000);
	CHECK_OK(ask(h, s, "/ok", &r));
	CHECK(!r.connected && !r.truncated);
	CHECK_EQ(r.body.len, 2);
	http_disconnect(h);
	CHECK_OK(ask(h, s, "/ok", &r));
	CHECK(r.connected);
	CHECK_OK(ask(h, s, "/ok", &r));
	CHECK(!r.connected);
	http_reply_done(&r);
	http_free(h);
	server_stop(s);
}

TEST(a_compressed_body_is_what_was_given)
{
	struct server *s = server_start();
	struct http_options o = {};
	struct http_reply r = {};
	static char text[200000], back[200000];
	char url[64];
	const char *headers[] = { "X-One: 1", "X-Two: 2", NULL };
	struct http_request q = { .method = "POST", .url = url, .headers = headers, .body = text, .body_len = sizeof(text), .gzip = true };
	z_stream z = { .next_out = (Bytef *)back, .avail_out = sizeof(back) };
	struct http *h;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = 'a' + i * i % 23;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", s->port);
	CHECK_OK(http_new(&o, &h));
	CHECK_OK(http_do(h, &q, &r));
	CHECK(strcasestr(s->head, "\r\nContent-Encoding: gzip\r\n"));
	CHECK(strcasestr(s->head, "\r\nX-One: 1\r\n") && strcasestr(s->head, "\r\nX-Two: 2\r\n"));
	CHECK(!strcasestr(s->head, "Expect:"));
	CHECK(s->body_len < sizeof(text) / 2);
	CHECK_EQ(inflateInit2(&z, 15 + 16), Z_OK);
	z.next_in = (Bytef *)s->body;
	z.avail_in = s->body_len;
	CHECK_EQ(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	CHECK_EQ(z.total_out, sizeof(text));
	CHECK_MEM(text, back, sizeof(text));
	http_reply_done(&r);
	http_free(h);
	server_stop(s);
}

static void *abort_soon(void *arg)
{
	usleep(200000);
	atomic_store((_Atomic bool *)arg, true);
	return NULL;
}

TEST(a_request_under_way_can_be_ended)
{
	struct server *s = server_start();
	_Atomic bool stop = false;
	struct http_options o = { .abort = &stop };
	struct http_reply r = {};
	struct timespec from, to;
	struct http *h;
	pthread_t t;

	CHECK_OK(http_new(&o, &h));
	CHECK_OK(pthread_create(&t, NULL, abort_soon, (void *)&stop));
	clock_gettime(CLOCK_MONOTONIC, &from);
	CHECK_EQ(ask(h, s, "/silent", &r), -ECANCELED);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK(to.tv_sec - from.tv_sec <= 3);
	pthread_join(t, NULL);
	http_reply_done(&r);
	http_free(h);
	server_stop(s);
}

TEST_MAIN()
