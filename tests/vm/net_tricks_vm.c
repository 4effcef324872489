/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways around the judged connect: undone and remade connections, "any address" with a source, source routes, sockets from outside, the 32-bit
 * table, io_uring, families that carry anything. vm: --cpus 1 --modules sctp,vsock,af_alg,af_key
 */
#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include "tests/vm/lo.h"
#include "tests/vm/raw.h"

#define CONNECT "  connect:\n    - {to: \"@loopback\", proto: [tcp, udp], id: lo}\n    - {to: 10.1.0.0/16, ports: [7001], proto: [tcp, udp], id: ten}\n"
static const char policy[] = "version: 1\npolicy: tricks\n" OPEN_REST "files: {read: [/proc]}\nsockets: {}\nnetwork:\n" CONNECT;
static const char with_uring[] =
	"version: 1\npolicy: tricks\nopen: [devices, privileges, limits, session, labels]\nfiles: {}\nsockets: {}\n"
	"calls: {allow: [\"@io_uring\"]}\nnetwork:\n" CONNECT;
static const uint16_t ports[] = { 7001, 7002 };
#define REFUSED_TO "10.9.9.9"

static void start(void)
{
	lo_start(ports, 2);
}

struct trick {
	const char *name;
	int (*act)(const struct trick *t);
	const char *rule, *judged;
	enum operation op;
	enum verb verb;
	int port, proto, number;	/* number: the act's own */
};

static int play(void *trick)
{
	const struct trick *t = trick;

	return t->act(t);
}

static void check_trick(const char *policy_text, const struct trick *t)
{
	struct ruled *r = ruled_new(policy_text, STAGE_ENFORCE);

	CASE("%s", t->name);
	govern_forget();
	CHECK_REFUSED(r, play, (void *)t, EACCES);
	check_record(r, &(struct expect){ .rule = t->rule, .path = "", .op = t->op, .verb = t->verb, .err = EACCES });
	if (t->judged)
		lo_check_addr(&govern_seen[0].d.addr, t->judged, t->port, t->proto);
	ruled_free(r);
}

static void check_tricks(const char *policy_text, const struct trick *t, size_t count)
{
	start();
	for (size_t i = 0; i < count; i++)
		check_trick(policy_text, &t[i]);
}
#define CHECK_TRICKS(policy_text, table) check_tricks(policy_text, table, sizeof(table) / sizeof(table[0]))

static int go(int fd, int (*call)(int, const struct sockaddr *, socklen_t), const char *to, uint16_t port)
{
	union lo_addr a;
	socklen_t len = lo_addr(to, port, &a);

	return call(fd, &a.any, len) ? -errno : 0;
}

static int send_to(int fd, const char *to, uint16_t port, int family)
{
	union lo_addr a;
	socklen_t len = lo_addr(to, port, &a);

	if (family >= 0)
		a.any.sa_family = family;
	return rc(sendto(fd, "x", 1, 0, &a.any, len));
}

/* ---- AF_UNSPEC ---- */

static int undo_and_remake(const struct trick *t)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int fd = socket(AF_INET, t->number, 0), err = go(fd, connect, "127.0.0.1", 7001);

	if (!err)
		err = rc(connect(fd, &none, sizeof(none)));
	return err ? err : go(fd, connect, REFUSED_TO, 7001);
}

static int remake(const struct trick *t)
{
	int fd = socket(AF_INET, t->number, 0), err = go(fd, connect, "10.1.0.1", 7001);

	return err ? err : go(fd, connect, REFUSED_TO, 7001);
}

static int send_unspec(const struct trick *t)
{
	return send_to(socket(AF_INET, t->number, 0), REFUSED_TO, 7001, AF_UNSPEC);
}

static int send_beside_peer(const struct trick *t)
{
	int fd = socket(AF_INET, t->number, 0), err = go(fd, connect, "127.0.0.1", 7001);

	return err ? err : send_to(fd, REFUSED_TO, 7001, -1);
}

TEST(a_connection_that_is_remade_is_judged_again)
{
	static const struct trick tricks[] = {
		{ "tcp, undone", undo_and_remake, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_TCP, SOCK_STREAM },
		{ "udp, undone", undo_and_remake, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_UDP, SOCK_DGRAM },
		{ "udp, remade", remake, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_UDP, SOCK_DGRAM },
		{ "AF_UNSPEC send", send_unspec, "network.default", REFUSED_TO, ACT_SEND, VERB_SEND, 7001, IPPROTO_UDP, SOCK_DGRAM },
		{ "send beside the peer", send_beside_peer, "network.default", REFUSED_TO, ACT_SEND, VERB_SEND, 7001, IPPROTO_UDP, SOCK_DGRAM },
	};

	CHECK_TRICKS(policy, tricks);
}

/* To a v6 socket an AF_UNSPEC name says nothing: the message goes to the peer, which was judged. */
static int send_unspec_to_peer(void *arg)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), err = go(fd, connect, "::1", 7001);

	(void)arg;
	return err ? err : send_to(fd, "fd00::9", 7001, AF_UNSPEC);
}

TEST(a_name_that_the_kernel_ignores_is_not_judged)
{
	struct ruled *r;

	start();
	lo_arrived(7001, true);
	r = ruled_new(policy, STAGE_ENFORCE);
	govern_forget();
	CHECK_EQ(ruled_run(r, send_unspec_to_peer, NULL), 0);
	CHECK_EQ(lo_arrived(7001, true), 1);
	check_silent(r);
	ruled_free(r);
}

/* ---- "any address" leads to the socket's own source ---- */

/* The premise: where such a connection really ends. */
static int arrived_at_source(int fd)
{
	union lo_addr peer = {};
	socklen_t len = sizeof(peer);
	uint32_t want = inet_addr(REFUSED_TO);

	if (getpeername(fd, &peer.any, &len))
		return -errno;
	return memcmp(peer.any.sa_family == AF_INET ? (void *)&peer.in4.sin_addr : &peer.in6.sin6_addr.s6_addr[12], &want, 4) ? -EPROTO : 0;
}

static int from_bound(const struct trick *t)
{
	int fd = socket(t->number, SOCK_STREAM, 0);
	int err = go(fd, bind, t->number == AF_INET ? REFUSED_TO : "::ffff:" REFUSED_TO, 0);

	err = err ? err : go(fd, connect, t->number == AF_INET ? "0.0.0.0" : "::ffff:0.0.0.0", 7002);
	return err ? err : arrived_at_source(fd);
}

static int mapped_any(const struct trick *t)
{
	int fd = socket(AF_INET6, t->number, 0), err = go(fd, bind, "::ffff:0.0.0.0", 0);

	return err ? err : go(fd, connect, "::", 7002);
}

static int send_from_bound(const struct trick *t)
{
	int fd = socket(AF_INET, t->number, 0), err = go(fd, bind, REFUSED_TO, 0);

	return err ? err : send_to(fd, "0.0.0.0", 7002, -1);
}

static int any_after_peer(const struct trick *t)
{
	int fd = socket(AF_INET, t->number, 0), err = go(fd, connect, "10.1.0.1", 7001);

	return err ? err : go(fd, connect, "0.0.0.0", 7002);
}

static int peer_after_any(const struct trick *t)
{
	int fd = socket(AF_INET, t->number, 0), err = go(fd, connect, "0.0.0.0", 7002);

	return err ? err : go(fd, connect, "10.1.0.1", 7001);
}

static int send_control(int fd, const char *to, uint16_t port, void *control, size_t size)
{
	union lo_addr a;
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_name = &a, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = size };

	m.msg_namelen = lo_addr(to, port, &a);
	return rc(sendmsg(fd, &m, 0));
}

/* One control message behind `before` harmless ones. */
static int send_option(const char *to, uint16_t port, int before, int level, int type, const void *data, size_t size)
{
	static char room[8192];
	struct msghdr m = { .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int ttl = 9;

	memset(room, 0, sizeof(room));
	for (int i = 0; i < before; i++, c = CMSG_NXTHDR(&m, c)) {
		c->cmsg_level = SOL_IP;
		c->cmsg_type = IP_TTL;
		c->cmsg_len = CMSG_LEN(sizeof(ttl));
		memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	}
	if (size) {
		c->cmsg_level = level;
		c->cmsg_type = type;
		c->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(c), data, size);
		c = (void *)((char *)c + CMSG_SPACE(size));
	}
	return send_control(socket(strchr(to, ':') ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), to, port, room, (char *)c - room);
}

static int any_from_pktinfo(const struct trick *t)
{
	struct in_pktinfo source = { .ipi_spec_dst.s_addr = inet_addr(REFUSED_TO) };

	return send_option("0.0.0.0", t->port, t->number, SOL_IP, IP_PKTINFO, &source, sizeof(source));
}

TEST(any_address_is_loopback_only_without_a_source)
{
	static const struct trick tricks[] = {
		{ "tcp, bound", from_bound, "network.default", "0.0.0.0", ACT_CONNECT, VERB_CONNECT, 7002, IPPROTO_TCP, AF_INET },
		{ "tcp6, bound", from_bound, "network.default", "0.0.0.0", ACT_CONNECT, VERB_CONNECT, 7002, IPPROTO_TCP, AF_INET6 },
		{ "v6 bound to mapped any", mapped_any, "network.default", "::", ACT_CONNECT, VERB_CONNECT, 7002, IPPROTO_TCP, SOCK_STREAM },
		{ "udp, bound", send_from_bound, "network.default", "0.0.0.0", ACT_SEND, VERB_SEND, 7002, IPPROTO_UDP, SOCK_DGRAM },
		{ "udp, after a peer", any_after_peer, "network.default", "0.0.0.0", ACT_CONNECT, VERB_CONNECT, 7002, IPPROTO_UDP, SOCK_DGRAM },
		{ "udp, before a peer", peer_after_any, "network.default", "10.1.0.1", ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_UDP, SOCK_DGRAM },
		{ "pktinfo", any_from_pktinfo, "network.default", "0.0.0.0", ACT_SEND, VERB_SEND, 7002, IPPROTO_UDP, 0 },
		{ "pktinfo behind 40", any_from_pktinfo, "network.default", "0.0.0.0", ACT_SEND, VERB_SEND, 7002, IPPROTO_UDP, 40 },
	};

	CHECK_TRICKS(policy, tricks);
}

/* ---- source routes ---- */

static int send_routed(const struct trick *t)
{
	const uint8_t route[] = { 131 /* LSRR */, 7, 4, 10, 9, 9, 9, 0 };

	return send_option("127.0.0.1", 7001, t->number, SOL_IP, 7 /* IP_RETOPTS */, route, sizeof(route));
}

static int send_many(const struct trick *t)
{
	return send_option("127.0.0.1", 7001, t->number, 0, 0, NULL, 0);
}

static int set_option(const struct trick *t)
{
	static const struct {
		int family, level, name, size;
	} options[] = {
		{ AF_INET, SOL_IP, IP_OPTIONS, 4 }, { AF_INET, SOL_IP, IP_TRANSPARENT, 4 }, { AF_INET6, SOL_IPV6, IPV6_TRANSPARENT, 4 },
		{ AF_INET6, SOL_IPV6, IPV6_RTHDR, 0 }, { AF_INET6, SOL_IPV6, IPV6_HOPOPTS, 0 }, { AF_INET6, SOL_IPV6, IPV6_DSTOPTS, 0 },
		{ AF_INET6, SOL_IPV6, IPV6_RTHDRDSTOPTS, 0 }, { AF_INET6, SOL_IPV6, 6 /* IPV6_2292PKTOPTIONS */, 0 },
		{ AF_INET6, SOL_IP, IP_OPTIONS, 4 },
	};
	const uint8_t value[4] = { 1, 1, 1, 1 };	/* as options: NOPs */
	int fd = socket(options[t->number].family, SOCK_DGRAM, 0);

	return rc(setsockopt(fd, options[t->number].level, options[t->number].name, options[t->number].size ? value : NULL,
			     options[t->number].size));
}
#define SET_OPTION(name, number) { name, set_option, "sockets.option", NULL, ACT_SETSOCKOPT, VERB_CALL, 0, 0, number }

TEST(source_routes_are_closed_by_option_and_by_message)
{
	static const struct trick tricks[] = {
		{ "IP_RETOPTS", send_routed, "sockets.option", NULL, ACT_SEND, VERB_SEND, 0, 0, 0 },
		{ "IP_RETOPTS behind 63", send_routed, "sockets.option", NULL, ACT_SEND, VERB_SEND, 0, 0, 63 },
		{ "more messages than are read", send_many, "sockets.option", NULL, ACT_SEND, VERB_SEND, 0, 0, 64 },
		SET_OPTION("IP_OPTIONS", 0), SET_OPTION("IP_TRANSPARENT", 1), SET_OPTION("IPV6_TRANSPARENT", 2), SET_OPTION("IPV6_RTHDR", 3),
		SET_OPTION("IPV6_HOPOPTS", 4), SET_OPTION("IPV6_DSTOPTS", 5), SET_OPTION("IPV6_RTHDRDSTOPTS", 6), SET_OPTION("2292", 7),
		SET_OPTION("IP_OPTIONS on v6", 8),
	};
	struct trick fine = { .act = send_many, .number = 63 };
	struct ruled *r;

	CHECK_TRICKS(policy, tricks);
	r = ruled_new(policy, STAGE_ENFORCE);
	CHECK_EQ(ruled_run(r, play, &fine), 0);
	fine.number = 1;
	CHECK_EQ(ruled_run(r, play, &fine), 0);
	ruled_free(r);
}

/* ---- families ---- */

static const struct {
	const char *name;
	int family, type, proto;
} families[] = {
	{ "raw", AF_INET, SOCK_RAW, IPPROTO_ICMP }, { "raw v6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 }, { "raw header", AF_INET, SOCK_RAW, IPPROTO_RAW },
	{ "ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, { "ping v6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
	{ "udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE }, { "sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP },
	{ "sctp many", AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP }, { "mptcp", AF_INET, SOCK_STREAM, IPPROTO_MPTCP },
	{ "mptcp v6", AF_INET6, SOCK_STREAM, IPPROTO_MPTCP }, { "packet", AF_PACKET, SOCK_RAW, 0 }, { "packet cooked", AF_PACKET, SOCK_DGRAM, 0 },
	{ "SOCK_PACKET", AF_INET, SOCK_PACKET, 0 }, { "netlink route", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE },
	{ "netlink audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT }, { "vsock", AF_VSOCK, SOCK_STREAM, 0 }, { "alg", AF_ALG, SOCK_SEQPACKET, 0 },
	{ "key", AF_KEY, SOCK_RAW, 2 }, { "xdp", 44, SOCK_RAW, 0 },
};
#define NFAMILIES (sizeof(families) / sizeof(families[0]))

static int make_socket(const struct trick *t)
{
	return rc(socket(families[t->number].family, families[t->number].type | SOCK_CLOEXEC, families[t->number].proto));
}

static int make_socket_ia32(const struct trick *t)
{
	uint32_t *args = low_page();
	long r;

	args[0] = families[t->number].family;
	args[1] = families[t->number].type;
	args[2] = families[t->number].proto;
	r = ia32(102 /* socketcall */, 1 /* SYS_SOCKET */, (long)args, 0, 0, 0);
	return r < 0 ? r : 0;
}

static int make_socket_uring(const struct trick *t)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SOCKET, .fd = families[t->number].family, .off = families[t->number].type,
				    .len = families[t->number].proto };
	struct uring u;
	int r = uring_open(&u, 0);

	r = r ? r : uring_do(&u, &sqe);
	return r < 0 ? r : 0;
}

TEST(only_tcp_udp_and_unix_sockets_are_made)
{
	struct trick t = { .rule = "sockets.family", .op = ACT_SOCKET, .verb = VERB_CALL };

	start();
	CHECK_EQ(system("echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range"), 0);
	for (t.number = 0; t.number < (int)NFAMILIES; t.number++) {
		t.name = families[t.number].name;
		t.act = make_socket;
		check_trick(policy, &t);
		CHECK_EQ(govern_seen[0].d.addr.type, families[t.number].type);
		CHECK_EQ(govern_seen[0].d.addr.family, families[t.number].type == SOCK_PACKET ? AF_PACKET : families[t.number].family);
		CHECK_EQ(govern_seen[0].d.addr.proto, families[t.number].proto & 255);
		t.act = make_socket_ia32;
		check_trick(policy, &t);
		t.act = make_socket_uring;
		check_trick(with_uring, &t);
	}
}

/* ---- other entries ---- */

static int connect_ia32(const struct trick *t)
{
	uint32_t *args = low_page();
	union lo_addr *a = (void *)(args + 16);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	args[0] = fd;
	args[1] = (uint32_t)(uintptr_t)a;
	args[2] = lo_addr(REFUSED_TO, 7001, a);
	if (t->number)
		return ia32(362 /* connect */, fd, args[1], args[2], 0, 0);
	return ia32(102 /* socketcall */, 3 /* SYS_CONNECT */, (long)args, 0, 0, 0);
}

static int sendto_ia32(const struct trick *t)
{
	uint32_t *args = low_page();
	union lo_addr *a = (void *)(args + 16);
	long r;

	args[0] = socket(AF_INET, SOCK_DGRAM, 0);
	args[1] = (uint32_t)(uintptr_t)(args + 8);
	args[2] = 1;
	args[3] = 0;
	args[4] = (uint32_t)(uintptr_t)a;
	args[5] = lo_addr(REFUSED_TO, 7001, a);
	r = ia32(102, t->number /* SYS_SENDTO */, (long)args, 0, 0, 0);
	return r < 0 ? r : 0;
}

static int connect_uring(const struct trick *t)
{
	union lo_addr a;
	struct io_uring_sqe sqe = { .opcode = IORING_OP_CONNECT, .flags = t->number, .fd = socket(AF_INET, SOCK_STREAM, 0), .addr = (uintptr_t)&a };
	struct uring u;
	int err = uring_open(&u, 0);

	sqe.off = lo_addr(REFUSED_TO, 7001, &a);
	return err ? err : uring_do(&u, &sqe);
}

static int sendmsg_uring(const struct trick *t)
{
	union lo_addr a;
	struct iovec iov = { "x", 1 };
	struct msghdr m = { .msg_name = &a, .msg_iov = &iov, .msg_iovlen = 1 };
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SENDMSG, .flags = t->number, .fd = socket(AF_INET, SOCK_DGRAM, 0), .addr = (uintptr_t)&m,
				    .len = 1 };
	struct uring u;
	int r = uring_open(&u, 0);

	m.msg_namelen = lo_addr(REFUSED_TO, 7001, &a);
	r = r ? r : uring_do(&u, &sqe);
	return r < 0 ? r : 0;
}

TEST(the_32_bit_table_and_io_uring_are_judged_alike)
{
	static const struct trick by_ia32[] = {
		{ "socketcall connect", connect_ia32, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_TCP, 0 },
		{ "i386 connect", connect_ia32, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_TCP, 1 },
		{ "socketcall sendto", sendto_ia32, "network.default", REFUSED_TO, ACT_SEND, VERB_SEND, 7001, IPPROTO_UDP, 11 },
	};
	static const struct trick by_uring[] = {
		{ "uring connect", connect_uring, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_TCP, 0 },
		{ "uring worker connect", connect_uring, "network.default", REFUSED_TO, ACT_CONNECT, VERB_CONNECT, 7001, IPPROTO_TCP, IOSQE_ASYNC },
		{ "uring sendmsg", sendmsg_uring, "network.default", REFUSED_TO, ACT_SEND, VERB_SEND, 7001, IPPROTO_UDP, 0 },
		{ "uring worker sendmsg", sendmsg_uring, "network.default", REFUSED_TO, ACT_SEND, VERB_SEND, 7001, IPPROTO_UDP, IOSQE_ASYNC },
	};

	CHECK_TRICKS(policy, by_ia32);
	CHECK_EQ(govern_seen[0].d.syscall, 0);	/* no number of the 64-bit table */
	CHECK_TRICKS(with_uring, by_uring);
	CHECK_EQ(govern_seen[0].d.syscall, 0);	/* a worker's */
}

TEST_MAIN()
