/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that clients of the control server send, and whom it answers at all. */
#include "engine/server.h"
#include "tests/unit/engine_server_help.h"

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
