/* SPDX-License-Identifier: Apache-2.0 */
/* The control protocol's framing: what a well-behaved peer gets through whole, and what a hostile one gets: nothing. */
#include "tests/unit/test.h"
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include "base/file.h"
#include "engine/control.h"

static int pair[2];

static void open_pair(void)
{
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

static void close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void hello(struct buf *b)
{
	kv_begin(b);
	kv_add_str(b, "op", "hello");
	CHECK_OK(kv_end(b));
}

/* What a peer writes by hand: a head that says `announced`, then `n` bytes. */
static void write_raw(uint32_t announced, const void *p, size_t n)
{
	uint8_t head[4] = { announced, announced >> 8, announced >> 16, announced >> 24 };

	CHECK_OK(write_full(pair[0], head, sizeof(head)));
	if (n)
		CHECK_OK(write_full(pair[0], p, n));
}

static void send_fds(const void *p, size_t n, const int *fds, size_t count)
{
	union { struct cmsghdr align; char bytes[CMSG_SPACE(16 * sizeof(int))]; } room = {};
	struct iovec iov = { (void *)p, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	CHECK_EQ(sendmsg(pair[0], &msg, 0), (ssize_t)n);
}

TEST(message_arrives_whole_and_in_order)
{
	struct control_message m;
	_buf_ struct buf b = {};

	open_pair();
	for (int i = 0; i < 3; i++) {
		kv_begin(&b);
		kv_add_u64(&b, "n", i);
		CHECK_OK(control_send(pair[0], &b, NULL, 0));
	}
	for (int i = 0; i < 3; i++) {
		uint64_t n = 99;

		CHECK_OK(control_receive(pair[1], &m));
		CHECK_OK(kv_get_u64(&m.kv, "n", &n));
		CHECK_EQ(n, i);
		control_message_done(&m);
	}
	close_pair();
}

TEST(descriptors_arrive_with_their_message_and_close_on_exec)
{
	int fds[CONTROL_MAX_FDS], before;
	struct control_message m;
	_buf_ struct buf b = {};

	open_pair();
	hello(&b);
	for (int i = 0; i < CONTROL_MAX_FDS; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	CHECK_OK(control_send(pair[0], &b, NULL, 0));
	CHECK_OK(control_send(pair[0], &b, fds, CONTROL_MAX_FDS));
	CHECK_OK(control_send(pair[0], &b, NULL, 0));
	before = count_fds();
	for (int i = 0; i < 3; i++) {
		CHECK_OK(control_receive(pair[1], &m));
		CHECK_EQ(m.fd_count, i == 1 ? CONTROL_MAX_FDS : 0);
		for (size_t k = 0; k < m.fd_count; k++)
			CHECK_EQ(fcntl(m.fds[k], F_GETFD), FD_CLOEXEC);
		control_message_done(&m);
	}
	CHECK_EQ(count_fds(), before);
	for (int i = 0; i < CONTROL_MAX_FDS; i++)
		close(fds[i]);
	close_pair();
}

TEST(descriptor_that_was_taken_stays_open)
{
	struct control_message m;
	_buf_ struct buf b = {};
	int fd;

	open_pair();
	hello(&b);
	CHECK_OK(control_send(pair[0], &b, pair, 1));
	CHECK_OK(control_receive(pair[1], &m));
	CHECK_EQ(m.fd_count, 1);
	fd = steal_fd(&m.fds[0]);
	control_message_done(&m);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	close_pair();
}

TEST(message_of_the_largest_size_gets_through_and_one_byte_more_does_not)
{
	static char big[KV_MAX_BYTES];
	struct control_message m;
	struct buf b = {};
	size_t room;
	pid_t pid;
	int status;

	open_pair();
	kv_begin(&b);
	room = KV_MAX_BYTES - b.len - 6 - 1;
	kv_add(&b, "x", big, room);
	CHECK_OK(kv_end(&b));
	CHECK_EQ(b.len, KV_MAX_BYTES);
	pid = fork();	/* a socket's buffer is smaller than the message: somebody has to read */
	if (!pid)
		_exit(control_send(pair[0], &b, NULL, 0) ? 1 : 0);
	CHECK_OK(control_receive(pair[1], &m));
	CHECK_EQ(kv_find(&m.kv, "x", NULL)->value_len, room);
	control_message_done(&m);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	buf_add_char(&b, 'x');
	CHECK_EQ(control_send(pair[0], &b, NULL, 0), -EMSGSIZE);
	write_raw(KV_MAX_BYTES + 1, "", 0);
	CHECK_EQ(control_receive(pair[1], &m), -EMSGSIZE);
	buf_done(&b);
	close_pair();
}

TEST(reader_takes_a_message_byte_by_byte_without_blocking)
{
	_cleanup_(control_reader_done) struct control_reader r = {};
	struct control_message m;
	_buf_ struct buf b = {};
	uint8_t frame[256];
	size_t n;

	open_pair();
	CHECK_OK(fcntl(pair[1], F_SETFL, O_NONBLOCK));
	hello(&b);
	n = 4 + b.len;
	CHECK(n <= sizeof(frame));
	memcpy(frame, (uint8_t[]){ b.len, 0, 0, 0 }, 4);
	memcpy(frame + 4, b.data, b.len);
	CHECK_EQ(control_read(&r, pair[1], &m), 0);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++) {
			CHECK_OK(write_full(pair[0], frame + i, 1));
			CHECK_EQ(control_read(&r, pair[1], &m), i == n - 1);
		}
		CHECK_STR(kv_get(&m.kv, "op"), "hello");
		control_message_done(&m);
	}
	close_pair();
}

TEST(memory_follows_what_arrived_and_not_what_was_announced)
{
	_cleanup_(control_reader_done) struct control_reader r = {};
	struct control_message m;

	open_pair();
	CHECK_OK(fcntl(pair[1], F_SETFL, O_NONBLOCK));
	write_raw(KV_MAX_BYTES, "abc", 3);
	CHECK_EQ(control_read(&r, pair[1], &m), 0);
	CHECK(r.body.cap <= 256 << 10);
	close_pair();
}

TEST(peer_that_closes_is_told_apart_from_one_that_breaks_off)
{
	struct control_message m;

	open_pair();
	close(pair[0]);
	CHECK_EQ(control_receive(pair[1], &m), -ENOLINK);
	close(pair[1]);
	open_pair();
	CHECK_OK(write_full(pair[0], "\x10\0", 2));
	close(pair[0]);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	close(pair[1]);
	open_pair();
	write_raw(100, "abc", 3);
	close(pair[0]);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	close(pair[1]);
}

TEST(bytes_that_are_no_message_are_refused)
{
	struct control_message m;
	_buf_ struct buf b = {};

	open_pair();
	write_raw(0, "", 0);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	write_raw(8, "notmagic", 8);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	hello(&b);
	b.data[4] = 2;	/* claims two pairs */
	CHECK_OK(control_send(pair[0], &b, NULL, 0));
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	close_pair();
}

TEST(too_many_descriptors_are_closed_and_refused)
{
	int fds[16], before;
	struct control_message m;

	for (int i = 0; i < 16; i++)
		fds[i] = 2;
	open_pair();
	before = count_fds();
	send_fds("\x08\0\0\0", 4, fds, CONTROL_MAX_FDS + 1);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	close_pair();
	open_pair();
	send_fds("\x08\0\0\0", 4, fds, 16);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	CHECK_EQ(count_fds(), before);
	close_pair();
}

TEST(descriptors_behind_the_head_are_closed_and_refused)
{
	_cleanup_(control_reader_done) struct control_reader r = {};
	struct control_message m;
	int before;

	open_pair();
	before = count_fds();
	CHECK_OK(fcntl(pair[1], F_SETFL, O_NONBLOCK));
	CHECK_OK(write_full(pair[0], "\x08", 1));
	CHECK_EQ(control_read(&r, pair[1], &m), 0);
	send_fds("\0\0\0", 3, pair, 1);
	CHECK_EQ(control_read(&r, pair[1], &m), -EBADMSG);
	close_pair();
	open_pair();
	write_raw(8, "BKV", 3);
	send_fds("1\0\0\0\0", 5, pair, 2);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	CHECK_EQ(count_fds(), before);
	close_pair();
}

TEST(descriptors_of_a_refused_message_are_closed)
{
	struct control_message m;
	int before;

	open_pair();
	before = count_fds();
	send_fds("\x08\0\0\0notmagic", 12, pair, 2);
	CHECK_EQ(control_receive(pair[1], &m), -EBADMSG);
	CHECK_EQ(count_fds(), before);
	close_pair();
}

TEST(time_limits_are_reported_as_such)
{
	struct timeval soon = { .tv_usec = 20000 };
	struct control_message m;

	open_pair();
	CHECK_OK(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)));
	CHECK_EQ(control_receive(pair[1], &m), -ETIMEDOUT);
	write_raw(100, "abc", 3);
	CHECK_EQ(control_receive(pair[1], &m), -ETIMEDOUT);
	close_pair();
}

TEST(sending_to_a_peer_that_left_is_an_error_and_no_signal)
{
	_buf_ struct buf b = {};

	open_pair();
	close(pair[0]);
	hello(&b);
	CHECK_EQ(control_send(pair[1], &b, NULL, 0), -EPIPE);
	close(pair[1]);
}

/* A server for one call: reads a request, answers with `reply`. */
static int call_with_reply(struct buf *reply, struct control_message *out)
{
	_buf_ struct buf b = {};
	int got, status;
	pid_t pid;

	open_pair();
	hello(&b);
	pid = fork();
	if (!pid) {
		struct control_message m;

		_exit(control_receive(pair[1], &m) || control_send(pair[1], reply, NULL, 0));
	}
	got = control_call(pair[0], &b, NULL, 0, out);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close_pair();
	return got;
}

TEST(call_gives_the_peers_own_error)
{
	static const struct { const char *ok, *number; int result; } rows[] = {
		{ "1", NULL, 0 }, { "1", "5", 0 }, { "0", "13", -EACCES }, { "0", NULL, -EPROTO }, { "0", "0", -EPROTO },
		{ "0", "4096", -EPROTO }, { "0", "x", -EPROTO }, { NULL, NULL, -EPROTO }, { "2", "1", -EPERM },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct control_message m;
		_buf_ struct buf b = {};

		CASE("ok=%s errno=%s", rows[i].ok, rows[i].number);
		kv_begin(&b);
		kv_add_str(&b, "ok", rows[i].ok);
		kv_add_str(&b, "errno", rows[i].number);
		kv_add_str(&b, "error", "a sentence");
		CHECK_EQ(call_with_reply(&b, &m), rows[i].result);
		CHECK_STR(kv_get(&m.kv, "error"), "a sentence");
		control_message_done(&m);
	}
}

TEST(connect_says_why_not)
{
	char path[300];
	int sock;

	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	CHECK_EQ(control_connect("/nonexistent/control", &sock), -ENOENT);
	CHECK_EQ(control_connect(path, &sock), -ENAMETOOLONG);
}

TEST_MAIN()
