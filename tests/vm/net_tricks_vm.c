/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways around the judged connect: undone and remade connections, "any address" with a source, source routes.
 * vm: --cpus 1 --modules sctp,vsock,af_alg,af_key
 */
#include "tests/vm/raw.h"
#include "tests/vm/trick.h"

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

	CHECK_TRICKS(trick_policy, tricks);
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

	trick_start();
	lo_arrived(7001, true);
	r = ruled_new(trick_policy, STAGE_ENFORCE);
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

	CHECK_TRICKS(trick_policy, tricks);
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

	CHECK_TRICKS(trick_policy, tricks);
	r = ruled_new(trick_policy, STAGE_ENFORCE);
	CHECK_EQ(ruled_run(r, trick_play, &fine), 0);
	fine.number = 1;
	CHECK_EQ(ruled_run(r, trick_play, &fine), 0);
	ruled_free(r);
}

TEST_MAIN()
