/* SPDX-License-Identifier: Apache-2.0 */
/* The control server against clients of every kind of malice; the loop runs in this process, the clients too. */
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

static void on_request(void *ctx, struct server_request *q)
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

static void on_gone(void *ctx, uint64_t conn)
{
	struct world *w = ctx;

	w->gone++;
	if (w->deferred == conn)
		w->deferred = 0;
}

static bool on_refuse(void *ctx, pid_t pid, const char **why)
{
	struct world *w = ctx;

	(void)pid;
	*why = "a member may not ask";
	return w->refuse;
}

static void open_world(struct world *w, size_t max, size_t per_process)
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

static void close_world(struct world *w)
{
	server_close(w->server);
	loop_free(w->loop);
	CHECK(access(w->path, F_OK));
	rmdir(w->dir);
}

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/* Let the loop do all that is to be done: until it did nothing twice in a row, for under sanitizers one round may be all that 20 ms allow. */
static void turn(struct world *w)
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

static int dial(struct world *w)
{
	int sock;

	CHECK_OK(control_connect(w->path, &sock));
	return sock;
}

static void ask(int sock, const char *op)
{
	_buf_ struct buf b = { 0 };

	kv_begin(&b);
	kv_add_str(&b, "op", op);
	CHECK_OK(kv_end(&b));
	CHECK_OK(control_send(sock, &b, NULL, 0));
}

/* What came back; "" when the connection was closed without a word. */
static void expect(int sock, const char *key, const char *value)
{
	struct control_message m;

	CHECK_OK(control_receive(sock, &m));
	CHECK_STR(kv_get(&m.kv, key), value);
	control_message_done(&m);
}

static bool closed(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char c;

	return poll(&p, 1, 0) == 1 && recv(sock, &c, 1, MSG_DONTWAIT) <= 0;
}

/* Somebody else must still be served, whatever goes on. */
static void still_serves(struct world *w)
{
	int sock = dial(w);

	turn(w);
	ask(sock, "hello");
	turn(w);
	expect(sock, "op", "hello");
	close(sock);
	turn(w);
}

TEST(server_answers_requests_in_order_on_one_connection)
{
	struct world w;
	int sock;

	open_world(&w, 16, 16);
	sock = dial(&w);
	ask(sock, "one");
	ask(sock, "two");
	ask(sock, "three");
	turn(&w);
	expect(sock, "op", "one");
	expect(sock, "op", "two");
	expect(sock, "op", "three");
	close(sock);
	turn(&w);
	CHECK_EQ(server_connections(w.server), 0);
	CHECK_EQ(w.gone, 1);
	close_world(&w);
}

TEST(server_may_answer_later_and_holds_the_next_request_until_then)
{
	struct world w;
	_buf_ struct buf b = { 0 };
	int sock;

	open_world(&w, 16, 16);
	sock = dial(&w);
	ask(sock, "later");
	ask(sock, "next");
	turn(&w);
	CHECK_EQ(w.requests, 1);
	server_tick(w.server, clock_mono_ms() + 10 * SERVER_PATIENCE_MS);	/* the client waits for us, not we for it */
	kv_begin(&b);
	kv_add_str(&b, "op", "at last");
	server_reply(w.server, w.deferred, &b);
	turn(&w);
	expect(sock, "op", "at last");
	expect(sock, "op", "next");
	close(sock);
	close_world(&w);
}

TEST(server_ignores_an_answer_to_a_client_that_left)
{
	struct world w;
	_buf_ struct buf b = { 0 };
	uint64_t conn;
	int sock;

	open_world(&w, 16, 16);
	sock = dial(&w);
	ask(sock, "later");
	turn(&w);
	conn = w.deferred;
	CHECK(conn != 0);
	close(sock);
	turn(&w);
	CHECK_EQ(w.deferred, 0);
	kv_begin(&b);
	server_reply(w.server, conn, &b);
	still_serves(&w);
	close_world(&w);
}

TEST(server_gives_garbage_nothing)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
	} cases[] = {
		{ "http", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
		{ "no length", "\0\0\0\0", 4 },
		{ "four gigabytes", "\xff\xff\xff\xff", 4 },
		{ "one byte over", "\x01\x00\x40\x00", 4 },
		{ "not kv", "\x04\x00\x00\x00zzzz", 8 },
		{ "kv with too many pairs", "\x08\x00\x00\x00" "BKV1" "\xff\xff\xff\xff", 12 },
		{ "a pair longer than the message", "\x0e\x00\x00\x00" "BKV1" "\x01\x00\x00\x00" "\x02\x00\xff\xff\xff\x7f", 18 },
	};
	struct world w;

	open_world(&w, 16, 16);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int sock = dial(&w);

		CASE("%s", cases[i].name);
		CHECK_EQ(write(sock, cases[i].bytes, cases[i].len), cases[i].len);
		turn(&w);
		CHECK(closed(sock));
		close(sock);
	}
	CHECK_EQ(w.requests, 0);
	still_serves(&w);
	close_world(&w);
}

TEST(server_random_bytes_never_reach_a_handler_or_stop_the_loop)
{
	struct world w;

	open_world(&w, 16, 16);
	srand(7);
	for (int i = 0; i < 200; i++) {
		char junk[64];
		int sock = dial(&w);

		for (size_t k = 0; k < sizeof(junk); k++)
			junk[k] = rand();
		junk[2] = junk[3] = 0;	/* a length that is believed */
		CHECK_EQ(write(sock, junk, sizeof(junk)), sizeof(junk));
		close(sock);
		if (i % 16 == 15)
			turn(&w);
	}
	turn(&w);
	CHECK_EQ(w.requests, 0);
	still_serves(&w);
	CHECK_EQ(server_connections(w.server), 0);
	close_world(&w);
}

TEST(server_drops_who_sends_half_a_request_or_nothing_and_keeps_who_idles_after_one)
{
	struct world w;
	int half, mute, idle;

	open_world(&w, 16, 16);
	half = dial(&w);
	mute = dial(&w);
	idle = dial(&w);
	ask(idle, "hello");
	CHECK_EQ(write(half, "\x10\0", 2), 2);
	turn(&w);
	expect(idle, "op", "hello");
	CHECK_EQ(server_connections(w.server), 3);
	server_tick(w.server, clock_mono_ms() + SERVER_PATIENCE_MS + 1);
	CHECK(closed(half));
	CHECK(closed(mute));
	CHECK(!closed(idle));
	ask(idle, "again");
	turn(&w);
	expect(idle, "op", "again");
	close(half);
	close(mute);
	close(idle);
	close_world(&w);
}

TEST(server_a_drip_of_bytes_does_not_buy_time)
{
	struct world w;
	uint64_t began = clock_mono_ms();
	int sock;

	open_world(&w, 16, 16);
	sock = dial(&w);
	for (int i = 0; i < 8; i++) {
		CHECK_EQ(write(sock, i ? "x" : "\x40\0\0\0", i ? 1 : 4), i ? 1 : 4);
		turn(&w);
	}
	server_tick(w.server, began + SERVER_PATIENCE_MS + 500);	/* counted from the first byte */
	CHECK(closed(sock));
	close(sock);
	close_world(&w);
}

TEST(server_a_client_that_takes_no_answer_stalls_nobody_and_is_dropped)
{
	struct world w;
	int sock;

	open_world(&w, 16, 16);
	sock = dial(&w);
	ask(sock, "big");
	turn(&w);
	still_serves(&w);
	CHECK_EQ(server_connections(w.server), 1);
	server_tick(w.server, clock_mono_ms() + SERVER_PATIENCE_MS + 1);
	CHECK_EQ(server_connections(w.server), 0);
	close(sock);
	close_world(&w);
}

TEST(server_memory_of_unfinished_requests_and_untaken_answers_is_bounded)
{
	enum { CLIENTS = 60 };
	struct world w;
	int socks[CLIENTS];

	open_world(&w, 256, 256);
	for (size_t i = 0; i < CLIENTS; i++) {
		socks[i] = dial(&w);
		ask(socks[i], "big");
		if (i % 8 == 7)
			turn(&w);
	}
	turn(&w);
	CHECK(server_connections(w.server) <= SERVER_MEMORY_BYTES / (3u << 20));
	CHECK(server_connections(w.server) > 10);
	still_serves(&w);
	for (size_t i = 0; i < CLIENTS; i++)
		close(socks[i]);
	turn(&w);
	CHECK_EQ(server_connections(w.server), 0);
	close_world(&w);
}

TEST(server_a_thousand_connections_of_one_process_leave_room_for_others)
{
	enum { FLOOD = 1000, SHARE = 100 };
	struct rlimit files = { 4096, 4096 };
	struct world w;
	int socks[FLOOD], refused = 0;
	pid_t child;
	int status;

	open_world(&w, 4096, SHARE);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; i < FLOOD; i++) {
		socks[i] = dial(&w);
		if (i % 32 == 31)
			turn(&w);
	}
	turn(&w);
	CHECK_EQ(server_connections(w.server), SHARE);
	for (size_t i = 0; i < FLOOD; i++) {
		struct control_message m;

		if (i >= SHARE && !control_receive(socks[i], &m)) {
			refused += !strcmp(kv_get(&m.kv, "error"), "too many connections");
			control_message_done(&m);
		}
	}
	CHECK_EQ(refused, FLOOD - SHARE);
	child = fork();
	if (!child) {
		int sock = dial(&w);

		ask(sock, "hello");
		expect(sock, "op", "hello");
		_exit(0);
	}
	for (int i = 0; i < 100 && !waitpid(child, &status, WNOHANG); i++)
		turn(&w);
	CHECK_EQ(status, 0);
	for (size_t i = 0; i < FLOOD; i++)
		close(socks[i]);
	close_world(&w);
}

static size_t open_files(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void send_fds(int sock, const void *bytes, size_t len, int n)
{
	char control[CMSG_SPACE(64 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec io = { (void *)bytes, len };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (int i = 0; i < n; i++)
		memcpy(CMSG_DATA(h) + i * sizeof(int), &(int){ STDERR_FILENO }, sizeof(int));
	CHECK_EQ(sendmsg(sock, &m, 0), len);
}

TEST(server_a_flood_of_descriptors_keeps_none)
{
	struct world w;
	size_t before;

	open_world(&w, 64, 64);
	before = open_files();
	for (int i = 0; i < 20; i++) {
		int sock = dial(&w);

		send_fds(sock, "\x40\0\0\0", 4, i % 2 ? 60 : CONTROL_MAX_FDS);	/* never finished */
		if (!(i % 2))
			send_fds(sock, "xxxx", 4, 32);			/* in the middle of a message */
		turn(&w);
		close(sock);
	}
	turn(&w);
	CHECK_EQ(server_connections(w.server), 0);
	CHECK_EQ(open_files(), before);
	CHECK_EQ(w.requests, 0);
	still_serves(&w);
	close_world(&w);
}

TEST(server_closes_the_descriptors_that_a_handler_left)
{
	struct world w;
	_buf_ struct buf b = { 0 };
	size_t before;
	int sock;

	open_world(&w, 16, 16);
	sock = dial(&w);
	turn(&w);
	before = open_files();
	kv_begin(&b);
	kv_add_str(&b, "op", "x");
	for (int i = 0; i < 10; i++) {
		CHECK_OK(control_send(sock, &b, (int[]){ 0, 1, 2 }, 3));
		turn(&w);
		expect(sock, "op", "x");
	}
	CHECK_EQ(w.fds, 30);
	CHECK_EQ(open_files(), before);
	close(sock);
	close_world(&w);
}

TEST(server_without_a_free_descriptor_turns_clients_away_and_does_not_spin)
{
	struct rlimit was, tight;
	struct world w;
	int socks[8];
	uint64_t refused;

	open_world(&w, 64, 64);
	CHECK_OK(getrlimit(RLIMIT_NOFILE, &was));
	for (size_t i = 0; i < ARRAY_SIZE(socks); i++)
		socks[i] = dial(&w);
	tight = was;
	tight.rlim_cur = socks[7] + 2;	/* our timer may have one more */
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &tight));
	refused = counter_values[COUNT_CONTROL_REFUSED];
	turn(&w);
	turn(&w);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &was));
	CHECK(counter_values[COUNT_CONTROL_REFUSED] - refused >= 6);
	CHECK(counter_values[COUNT_CONTROL_REFUSED] - refused <= 8);
	for (size_t i = 0; i < ARRAY_SIZE(socks); i++)
		close(socks[i]);
	still_serves(&w);
	close_world(&w);
}

TEST(server_tells_a_refused_peer_why)
{
	struct world w;
	int sock;

	open_world(&w, 16, 16);
	w.refuse = true;
	sock = dial(&w);
	turn(&w);
	expect(sock, "error", "a member may not ask");
	CHECK(closed(sock));
	close(sock);
	close_world(&w);
}

TEST(server_answers_only_root)
{
	struct world w;
	int status;
	pid_t child;

	open_world(&w, 16, 16);
	CHECK_OK(chmod(w.dir, 0755));
	CHECK_OK(chmod(w.path, 0666));	/* even if somebody opened the file's mode */
	child = fork();
	if (!child) {
		int sock;

		if (setuid(65534) || control_connect(w.path, &sock))
			_exit(2);
		expect(sock, "error", "only root may ask the engine");
		_exit(0);
	}
	for (int i = 0; i < 100 && !waitpid(child, &status, WNOHANG); i++)
		turn(&w);
	CHECK_EQ(status, 0);
	CHECK_EQ(w.requests, 0);
	close_world(&w);
}

TEST_MAIN()
