/* SPDX-License-Identifier: Apache-2.0 */
/* Copying between descriptors: nothing is lost, ends travel both ways, nobody blocks anybody. */
#include "tests/unit/test.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "base/file.h"
#include "cli/relay.h"

static struct relay r;
static int from[2], to[2];	/* a pipe into the relay, a pipe out of it */

static void open_pipes(unsigned flags)
{
	r = (struct relay){};
	CHECK_OK(pipe2(from, O_CLOEXEC | O_NONBLOCK));
	CHECK_OK(pipe2(to, O_CLOEXEC | O_NONBLOCK));
	CHECK_OK(relay_add(&r, from[0], to[1], flags, NULL));
}

static bool turn(void)
{
	struct pollfd p[RELAY_POLLS];
	int n;

	relay_poll(&r, p);
	n = poll(p, RELAY_POLLS, 0);
	CHECK(n >= 0);
	relay_serve(&r, p);
	return n;
}

static void turn_all(void)
{
	for (int i = 0; turn(); i++)
		CHECK(i < 10000);
}

TEST(relay_copies_more_than_it_holds)
{
	char data[4096], got[4096];
	size_t sent = 0, received = 0, total = 40 * RELAY_BYTES;

	open_pipes(RELAY_OWN_IN | RELAY_OWN_OUT);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	while (received < total) {
		ssize_t n = sent < total ? write(from[1], data + sent % sizeof(data), sizeof(data) - sent % sizeof(data)) : 0;

		sent += n > 0 ? n : 0;
		turn();
		n = read(to[0], got, sizeof(got) - received % sizeof(got));
		if (n <= 0)
			continue;
		CHECK_MEM(got, data + received % sizeof(data), n);
		received += n;
	}
	CHECK_EQ(sent, received);
	close(from[1]);
	turn_all();
	CHECK_EQ(read(to[0], got, 1), 0);	/* the end arrived */
	CHECK(!relay_has_output(&r));
	close(to[0]);
	relay_done(&r);
}

TEST(relay_delivers_what_it_holds_before_it_ends)
{
	char got[100];

	open_pipes(RELAY_OWN_IN | RELAY_OWN_OUT);
	CHECK_OK(write_full(from[1], "last words", 10));
	close(from[1]);
	turn_all();
	CHECK_EQ(read(to[0], got, sizeof(got)), 10);
	CHECK_EQ(read(to[0], got, sizeof(got)), 0);
	close(to[0]);
	relay_done(&r);
}

TEST(reader_that_leaves_is_felt_by_the_writer)
{
	signal(SIGPIPE, SIG_IGN);
	open_pipes(RELAY_OWN_IN | RELAY_OWN_OUT);
	close(to[0]);
	CHECK_OK(write_full(from[1], "x", 1));
	turn_all();
	CHECK_EQ(write(from[1], "x", 1), -1);
	CHECK_EQ(errno, EPIPE);
	close(from[1]);
	relay_done(&r);
}

TEST(discarding_relay_goes_on_reading_when_nobody_listens)
{
	char data[4096] = {};

	signal(SIGPIPE, SIG_IGN);
	open_pipes(RELAY_OWN_IN | RELAY_OWN_OUT | RELAY_DISCARD);
	close(to[0]);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(write(from[1], data, sizeof(data)), sizeof(data));
		turn_all();
	}
	CHECK(relay_has_output(&r));
	close(from[1]);
	turn_all();
	CHECK(!relay_has_output(&r));
	relay_done(&r);
}

TEST(reader_that_is_slow_does_not_block_the_relay)
{
	char data[65536] = {};

	open_pipes(RELAY_OWN_IN | RELAY_OWN_OUT);
	for (int i = 0; i < 20; i++) {
		(void)!write(from[1], data, sizeof(data));
		turn_all();	/* ends when both pipes are full; a blocking write would hang here */
	}
	close(from[1]);
	close(to[0]);
	relay_done(&r);
}

TEST(sockets_are_not_made_non_blocking_for_others)
{
	int pair[2];
	char got[10];

	r = (struct relay){};
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	CHECK_OK(pipe2(to, O_CLOEXEC | O_NONBLOCK));
	CHECK_OK(relay_add(&r, pair[0], to[1], RELAY_INPUT | RELAY_OWN_OUT, NULL));
	CHECK_OK(write_full(pair[1], "abc", 3));
	turn_all();
	CHECK_EQ(read(to[0], got, sizeof(got)), 3);
	CHECK(!(fcntl(pair[0], F_GETFL) & O_NONBLOCK));
	CHECK(!relay_has_output(&r));	/* an input */
	close(pair[1]);
	turn_all();
	CHECK_EQ(read(to[0], got, sizeof(got)), 0);
	CHECK(fcntl(pair[0], F_GETFD) >= 0);	/* not the relay's to close */
	close(pair[0]);
	close(to[0]);
	relay_done(&r);
}

TEST(paused_channel_leaves_the_bytes_where_they_are)
{
	char got[10];

	open_pipes(RELAY_OWN_IN | RELAY_OWN_OUT);
	r.channels[0]->paused = true;
	CHECK_OK(write_full(from[1], "abc", 3));
	turn_all();
	CHECK_EQ(read(to[0], got, sizeof(got)), -1);
	r.channels[0]->paused = false;
	turn_all();
	CHECK_EQ(read(to[0], got, sizeof(got)), 3);
	close(from[1]);
	close(to[0]);
	relay_done(&r);
}

TEST_MAIN()
