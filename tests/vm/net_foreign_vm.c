/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose socket it is: passed by a free process, inherited, accepted, the sandbox's own; where the class is open; and the search of the policy's
 * tables at every size. vm: --cpus 1 --modules sctp,vsock,af_alg,af_key
 */
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <sys/sendfile.h>
#include "tests/vm/lo.h"
#include "tests/vm/raw.h"

static const char policy[] =
	"version: 1\npolicy: foreign\n" OPEN_REST "files: {read: [/], write: [/]}\nsockets: {}\n"
	"network:\n"
	"  connect: [{to: \"@loopback\", ports: [7001], proto: [tcp, udp], id: lo}]\n"
	"  listen: [{to: \"@loopback\", id: serve}]\n";
static const char open_policy[] =
	"version: 1\npolicy: open\nopen: [network, devices, privileges, calls, limits, session, labels]\nfiles: {}\nsockets: {}\n";
static const uint16_t ports[] = { 7001, 7002 };

/* ---- sockets that a free process made ---- */

static int connected(int type, uint16_t port)
{
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", port, &a);
	int fd = socket(AF_INET, type, 0);

	CHECK(fd >= 0);
	CHECK_EQ(connect(fd, &a.any, len), 0);
	return fd;
}

static int listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK_EQ(listen(fd, 8), 0);
	return fd;
}

static int kind_socket(int kind)
{
	switch (kind) {
	case 0: return connected(SOCK_STREAM, 7002);
	case 1: return connected(SOCK_DGRAM, 7002);
	case 2: return socket(AF_INET, SOCK_STREAM, 0);
	case 3: return socket(AF_INET6, SOCK_DGRAM, 0);
	case 4: return listening();
	case 5: return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	case 6: return socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	case 7: return socket(AF_PACKET, SOCK_DGRAM, 0);
	case 8: return socket(AF_VSOCK, SOCK_STREAM, 0);
	case 9: return connected(SOCK_STREAM, 7001);	/* even where it could have gone itself: nobody judged it, nothing counts it */
	default: return -1;
	}
}
#define KINDS 10

static int take(void *via)
{
	int fd = fd_receive(*(int *)via);

	return fd < 0 ? fd : 0;
}

TEST(a_socket_that_is_passed_in_does_not_arrive)
{
	int pair[2], fd;
	struct ruled *r;

	lo_start(ports, 2);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int kind = 0; kind < KINDS; kind++) {
		CASE("kind %d", kind);
		r = ruled_new(policy, STAGE_ENFORCE);
		govern_forget();
		fd = kind_socket(kind);
		CHECK(fd >= 0);
		CHECK_EQ(fd_send(pair[0], fd), 0);
		CHECK_EQ(free_run(take, &pair[1]), 0);
		CHECK_EQ(fd_send(pair[0], fd), 0);
		CHECK_EQ(ruled_run(r, take, &pair[1]), -EACCES);
		check_record(r, &(struct expect){ .rule = "sockets.foreign", .path = "", .op = ACT_RECEIVE, .verb = VERB_CONNECT, .err = EACCES });
		close(fd);
		ruled_free(r);
	}
}

static int own_round(void *arg)
{
	int pair[2], fd = socket(AF_INET, SOCK_STREAM, 0), got;

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) || fd_send(pair[0], fd))
		return -errno;
	got = fd_receive(pair[1]);
	return got < 0 ? got : 0;
}

TEST(a_socket_of_the_same_sandbox_may_be_passed_in_it)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(ruled_run(r, own_round, NULL), 0);
	check_silent(r);
	ruled_free(r);
}

/* ---- inherited ---- */

enum use { USE_WRITE, USE_SENDMSG, USE_CONNECT, USE_BIND, USE_LISTEN, USE_SENDTO, USE_SENDFILE };
struct inherited {
	const char *name;
	int kind;
	enum use use;
	const char *rule;	/* NULL: allowed */
	enum operation op;
	enum verb verb;
	int fd;
};

static int use(void *arg)
{
	struct inherited *i = arg;
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", i->use == USE_BIND ? 0 : 7001, &a);

	switch (i->use) {
	case USE_WRITE: return rc(write(i->fd, "x", 1));
	case USE_SENDMSG: return rc(sendmsg(i->fd, &m, 0));
	case USE_CONNECT: return rc(connect(i->fd, &a.any, len));
	case USE_BIND: return rc(bind(i->fd, &a.any, len));
	case USE_LISTEN: return rc(listen(i->fd, 2));
	case USE_SENDTO: return rc(sendto(i->fd, "\10icmp678", 8, 0, &a.any, len));
	case USE_SENDFILE: return rc(sendfile(i->fd, open("/tmp/sent", O_RDONLY), NULL, 1));
	}
	return -EINVAL;
}

static void check_inherited(struct inherited *i)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	CASE("%s", i->name);
	i->fd = kind_socket(i->kind);
	govern_forget();
	CHECK_EQ(free_run(use, i), 0);
	close(i->fd);
	i->fd = kind_socket(i->kind);
	CHECK_EQ(ruled_run(r, use, i), i->rule ? -EACCES : 0);
	if (i->rule)
		check_record(r, &(struct expect){ .rule = i->rule, .path = "", .op = i->op, .verb = i->verb, .err = EACCES });
	else
		check_silent(r);
	close(i->fd);
	ruled_free(r);
}

TEST(an_inherited_socket_is_judged_by_its_peer_and_goes_nowhere_else)
{
	static struct inherited rows[] = {
		{ "write to a refused peer", 0, USE_WRITE, "network.default", ACT_SEND, VERB_SEND, 0 },
		{ "sendmsg to a refused peer", 0, USE_SENDMSG, "network.default", ACT_SEND, VERB_SEND, 0 },
		{ "datagram to a refused peer", 1, USE_WRITE, "network.default", ACT_SEND, VERB_SEND, 0 },
		{ "write to an allowed peer", 9, USE_WRITE, NULL, 0, 0, 0 },
		{ "connect", 2, USE_CONNECT, "sockets.foreign", ACT_CONNECT, VERB_CONNECT, 0 },
		{ "bind", 2, USE_BIND, "sockets.foreign", ACT_BIND, VERB_CONNECT, 0 },
		{ "listen", 2, USE_LISTEN, "sockets.foreign", ACT_LISTEN, VERB_CONNECT, 0 },
		{ "sendto on udp", 1, USE_SENDTO, "sockets.foreign", ACT_SEND, VERB_CONNECT, 0 },
		{ "raw", 5, USE_SENDTO, "sockets.foreign", ACT_SEND, VERB_CONNECT, 0 },
	};

	lo_start(ports, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_inherited(&rows[i]);
}

TEST(sendfile_to_an_inherited_socket_is_judged_too)
{
	struct inherited row = { "sendfile", 0, USE_SENDFILE, "network.default", ACT_SEND, VERB_SEND, 0 };
	unsigned major, minor;
	FILE *f = fopen("/proc/sys/kernel/osrelease", "r");

	CHECK(f && fscanf(f, "%u.%u", &major, &minor) == 2);
	fclose(f);
	if (major == 6 && minor < 5)
		SKIP("before 6.5 (2dc334f1a63a) sendfile and splice reach a socket without its hook: only descriptors 0-2 can be such sockets");
	lo_start(ports, 2);
	put_file("/tmp/sent", "text", 0644);
	check_inherited(&row);
}

/* ---- the sandbox's own server ---- */

struct served {
	int port[2], done;
};

/* Serves one client: echoes a byte. */
static int serve(void *arg)
{
	struct served *s = arg;
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 0, &a);
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer;
	char byte = 0;

	if (bind(fd, &a.any, len) || listen(fd, 1) || getsockname(fd, &a.any, &len) || write(s->port[1], &a.in4.sin_port, 2) != 2)
		return -errno;
	peer = accept(fd, NULL, NULL);
	if (peer < 0 || read(peer, &byte, 1) != 1)
		return -errno;
	return rc(send(peer, &byte, 1, 0));
}

TEST(a_server_answers_whoever_it_accepts)
{
	struct served s;
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 0, &a);
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	int client = socket(AF_INET, SOCK_STREAM, 0), result;
	char byte = 'a';
	pid_t pid;

	CHECK_EQ(pipe(s.port), 0);
	govern_forget();
	pid = ruled_spawn(r, serve, &s, &result);
	CHECK_EQ(read(s.port[0], &a.in4.sin_port, 2), 2);
	CHECK_EQ(connect(client, &a.any, len), 0);
	CHECK_EQ(write(client, &byte, 1), 1);
	CHECK_EQ(read(client, &byte, 1), 1);
	CHECK_EQ(spawn_result(pid, result), 0);
	check_silent(r);
	ruled_free(r);
}

/* ---- an open class ---- */

static int everywhere(void *arg)
{
	static const uint8_t nops[4] = { 1, 1, 1, 1 };
	union lo_addr a;
	socklen_t len = lo_addr("10.1.2.3", 7002, &a);
	int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0), bound = socket(AF_INET, SOCK_DGRAM, 0);

	(void)arg;
	if (connect(tcp, &a.any, len) || sendto(udp, "x", 1, 0, &a.any, len) != 1 || setsockopt(udp, SOL_IP, IP_OPTIONS, nops, 4))
		return -errno;
	lo_addr("10.9.9.9", 0, &a);
	if (bind(bound, &a.any, len))
		return -errno;
	lo_addr("0.0.0.0", 7002, &a);
	if (connect(bound, &a.any, len))
		return -errno;
	return rc(listen(socket(AF_INET6, SOCK_STREAM, 0), 1));
}

static int raw_socket(void *arg)
{
	(void)arg;
	return rc(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

TEST(where_the_network_is_open_only_what_is_no_address_is_refused)
{
	struct ruled *r;

	lo_start(ports, 2);
	r = ruled_new(open_policy, STAGE_ENFORCE);
	govern_forget();
	CHECK_EQ(ruled_run(r, everywhere, NULL), 0);
	check_silent(r);
	CHECK_REFUSED(r, raw_socket, NULL, EACCES);
	CHECK_STR(ruled_last(r, ACT_SOCKET), "sockets.family");
	ruled_free(r);
}

/* ---- the search, at every size of its tables: the first and the last range, both sides of each edge ---- */

struct sweep {
	int ranges, v6, by_port;
};

/* Even numbers are allowed. Returns 0, or which number got the wrong answer + 1. */
static int sweep(void *arg)
{
	struct sweep *s = arg;
	int fd = socket(s->v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	union lo_addr a;
	socklen_t len = lo_addr(s->v6 ? "fd00::" : "10.0.0.0", 9, &a);

	for (int i = -2; i <= 2 * s->ranges; i++) {
		bool good = i >= 0 && i < 2 * s->ranges && !(i & 1);

		if (s->by_port)
			a.in4.sin_port = htons(10000 + i);
		else if (s->v6)
			a.in6.sin6_addr.s6_addr32[s->v6 == 1 ? 3 : 1] = htonl(0x10000 + i);
		else
			a.in4.sin_addr.s_addr = htonl(0x0a010000 + i);
		errno = 0;
		if ((sendto(fd, "x", 1, 0, &a.any, len) == 1) != good || (!good && errno != EACCES))
			return i + 3;
	}
	return 0;
}

static char *sweep_policy(const struct sweep *s)
{
	struct buf b = {};

	buf_add_str(&b, "version: 1\npolicy: sweep\n" OPEN_REST "files: {}\nsockets: {}\nnetwork:\n  connect:\n");
	for (int i = 0; i < s->ranges; i++) {
		unsigned n = 0x10000 + 2 * i;

		if (s->by_port)
			buf_addf(&b, "    - {to: [\"0.0.0.0/0\", \"::/0\"], ports: [%d], proto: udp}\n", 10000 + 2 * i);
		else if (s->v6 == 2)
			buf_addf(&b, "    - {to: \"fd00:0:%x:%x::/64\", proto: udp}\n", n >> 16, n & 0xffff);
		else if (s->v6)
			buf_addf(&b, "    - {to: \"fd00::%x:%x\", proto: udp}\n", n >> 16, n & 0xffff);
		else
			buf_addf(&b, "    - {to: 10.%u.%u.%u, proto: udp}\n", n >> 16, n >> 8 & 255, n & 255);
	}
	CHECK_EQ(b.err, 0);
	return b.data;
}

TEST(the_search_finds_the_range_at_every_size_of_table)
{
	static const int sizes[] = { 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 127, 300 };
	struct ruled *r;
	char *text;

	lo_start(ports, 2);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int kind = 0; kind < 5; kind++) {
			struct sweep s = { sizes[i], kind == 1 || kind == 4 ? 1 : kind == 2 ? 2 : 0, kind >= 3 };

			CASE("%d ranges, kind %d", s.ranges, kind);
			text = sweep_policy(&s);
			r = ruled_new(text, STAGE_ENFORCE);
			free(text);
			CHECK_EQ(free_run(sweep, &s), 1);	/* free, the first refusal that is missing */
			CHECK_EQ(ruled_run(r, sweep, &s), 0);
			CHECK_EQ(ruled_refused(r, "network.default"), s.ranges + 3);
			govern_forget();
			ruled_free(r);
		}
	}
}

TEST_MAIN()
