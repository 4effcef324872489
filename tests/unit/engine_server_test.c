/* SPDX-License-Identifier: Apache-2.0 */
/* The control server against clients of every kind of malice; the loop runs in this process, the clients too. */
#include "engine/server.h"
#include "tests/unit/engine_server_help.h"

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

TEST_MAIN()
