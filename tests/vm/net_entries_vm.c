/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other doors to the network: families that carry anything, the 32-bit table, io_uring.
 * vm: --cpus 1 --modules sctp,vsock,af_alg,af_key
 */
#include <linux/if_alg.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include "tests/vm/raw.h"
#include "tests/vm/trick.h"

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

	trick_start();
	CHECK_EQ(system("echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range"), 0);
	for (t.number = 0; t.number < (int)NFAMILIES; t.number++) {
		t.name = families[t.number].name;
		t.act = make_socket;
		check_trick(trick_policy, &t);
		CHECK_EQ(govern_seen[0].d.addr.type, families[t.number].type);
		CHECK_EQ(govern_seen[0].d.addr.family, families[t.number].type == SOCK_PACKET ? AF_PACKET : families[t.number].family);
		CHECK_EQ(govern_seen[0].d.addr.proto, families[t.number].proto & 255);
		t.act = make_socket_ia32;
		check_trick(trick_policy, &t);
		t.act = make_socket_uring;
		check_trick(trick_with_uring, &t);
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

	CHECK_TRICKS(trick_policy, by_ia32);
	CHECK_EQ(govern_seen[0].d.syscall, 0);	/* no number of the 64-bit table */
	CHECK_TRICKS(trick_with_uring, by_uring);
	CHECK_EQ(govern_seen[0].d.syscall, 0);	/* a worker's */
}

TEST_MAIN()
