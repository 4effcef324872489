/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each way to reach an address, to each kind of address: it succeeds free and arrives; governed it does as the policy says, and what is refused
 * does not arrive, is counted once under its rule and makes one record with the address that was judged. vm: --cpus 1
 */
#include "tests/vm/lo.h"

static const char policy[] =
	"version: 1\npolicy: net\n" OPEN_REST "files: {}\nsockets: {}\n"
	"network:\n"
	"  connect:\n"
	"    - {to: \"@loopback\", ports: [7001, 7010-7020], proto: [tcp, udp], id: lo}\n"
	"    - {to: [10.1.0.0/22, \"fd00:1::/64\", 169.254.0.0/16], ports: [7001], proto: [tcp, udp], id: cidr}\n"
	"    - {to: 192.168.1.1, ports: [7001], proto: [tcp], id: tcp-only}\n"
	"    - {to: 192.168.1.2, ports: [7001], proto: [udp], id: udp-only}\n"
	"  listen:\n"
	"    - {to: \"@loopback\", ports: [7100-7105], proto: [tcp, udp], id: serve}\n"
	"  deny:\n"
	"    - {to: \"@metadata\", id: no-metadata}\n"
	"    - {to: 10.1.2.99, id: no-99}\n";

static const uint16_t ports[] = { 7001, 7002, 7009, 7010, 7020, 7021 };

struct way;
struct flow {
	const char *to;
	uint16_t port;
	const char *rule;	/* that refuses; NULL: allowed */
	const char *judged;	/* address in the record, if it is not `to` */
	const struct way *way;
};
struct way {
	const char *name;
	int (*act)(const struct flow *f);
	int type;
	enum operation op;
	enum verb verb;
};

static int open_socket(const struct flow *f, union lo_addr *a, socklen_t *len)
{
	*len = lo_addr(f->to, f->port, a);
	return socket(a->any.sa_family, f->way->type, 0);
}

static int by_connect(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	return rc(connect(fd, &a.any, len));
}

static int by_fast_open(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	return rc(sendto(fd, "x", 1, MSG_FASTOPEN, &a.any, len));
}

static int by_sendto(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	return rc(sendto(fd, "x", 1, 0, &a.any, len));
}

/* The first message has no destination of its own: the whole call stands on the second. */
static int by_sendmmsg(const struct flow *f)
{
	union lo_addr a;
	struct iovec iov = { "x", 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &a, .msg_iov = &iov, .msg_iovlen = 1 } };
	int fd = open_socket(f, &a, &m.msg_hdr.msg_namelen);

	return rc(sendmmsg(fd, &m, 1, 0));
}

static int by_connect_send(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	return connect(fd, &a.any, len) ? -errno : rc(send(fd, "x", 1, 0));
}

static const struct way ways[] = {
	{ "tcp connect", by_connect, SOCK_STREAM, ACT_CONNECT, VERB_CONNECT },
	{ "fast open", by_fast_open, SOCK_STREAM, ACT_SEND, VERB_SEND },
	{ "sendto", by_sendto, SOCK_DGRAM, ACT_SEND, VERB_SEND },
	{ "sendmmsg", by_sendmmsg, SOCK_DGRAM, ACT_SEND, VERB_SEND },
	{ "udp connect", by_connect_send, SOCK_DGRAM, ACT_CONNECT, VERB_CONNECT },
};
#define NWAYS (sizeof(ways) / sizeof(ways[0]))

#define GOES(to, port) { to, port, NULL, NULL, NULL }
#define REFUSED(to, port, rule) { to, port, rule, NULL, NULL }
#define REFUSED_AS(to, port, rule, judged) { to, port, rule, judged, NULL }

static const struct flow flows[] = {
	GOES("127.0.0.1", 7001), REFUSED("127.0.0.1", 7002, "network.default"),
	GOES("127.255.255.254", 7010), REFUSED("127.0.0.1", 7009, "network.default"), GOES("127.0.0.1", 7020), REFUSED("127.0.0.1", 7021, "network.default"),
	GOES("::1", 7001), REFUSED("::1", 7002, "network.default"),
	GOES("::ffff:127.0.0.1", 7001), REFUSED_AS("::ffff:127.0.0.1", 7002, "network.default", "127.0.0.1"),
	GOES("0.0.0.0", 7001), REFUSED_AS("0.0.0.0", 7002, "network.default", "127.0.0.1"),
	GOES("::", 7001), REFUSED_AS("::", 7002, "network.default", "::1"),
	GOES("::ffff:0.0.0.0", 7001), REFUSED_AS("::ffff:0.0.0.0", 7002, "network.default", "127.0.0.1"),
	GOES("10.1.0.0", 7001), REFUSED("10.0.255.255", 7001, "network.default"), GOES("10.1.3.255", 7001), REFUSED("10.1.4.0", 7001, "network.default"),
	GOES("::ffff:10.1.3.255", 7001), REFUSED_AS("::ffff:10.1.4.0", 7001, "network.default", "10.1.4.0"),
	GOES("fd00:1::", 7001), REFUSED("fd00:0:ffff:ffff:ffff:ffff:ffff:ffff", 7001, "network.default"),
	GOES("fd00:1::ffff:ffff:ffff:ffff", 7001), REFUSED("fd00:1:0:1::", 7001, "network.default"),
	REFUSED("10.1.2.99", 7001, "no-99"), GOES("10.1.2.98", 7001), GOES("10.1.2.100", 7001),
	REFUSED("169.254.169.254", 7001, "no-metadata"), GOES("169.254.169.253", 7001), REFUSED_AS("::ffff:169.254.169.254", 7001, "no-metadata", "169.254.169.254"),
};

static int act(void *flow)
{
	const struct flow *f = flow;

	return f->way->act(f);
}

static void check_refusal(struct ruled *r, const struct flow *f, enum operation op, enum verb verb)
{
	check_record(r, &(struct expect){ .rule = f->rule, .path = "", .op = op, .verb = verb, .err = EACCES });
	CHECK_EQ(govern_seen[0].d.class_id, CLASS_NETWORK);
	CHECK_EQ(govern_seen[0].d.addr.type, f->way->type);
	lo_check_addr(&govern_seen[0].d.addr, f->judged ? f->judged : f->to, f->port, f->way->type == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP);
}

static void check_flow(const struct flow *row, const struct way *way)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct flow f = *row;
	bool udp = way->type == SOCK_DGRAM;

	f.way = way;
	CASE("%s %s:%u", way->name, f.to, f.port);
	govern_forget();
	CHECK_EQ(free_run(act, &f), 0);
	CHECK_EQ(lo_arrived(f.port, udp), 1);
	CHECK_EQ(ruled_run(r, act, &f), f.rule ? -EACCES : 0);
	CHECK_EQ(lo_arrived(f.port, udp), f.rule ? 0 : 1);
	if (f.rule)
		check_refusal(r, &f, way->op, way->verb);
	else
		check_silent(r);
	ruled_free(r);
}

TEST(every_way_to_every_address_does_as_the_policy_says)
{
	lo_start(ports, sizeof(ports) / sizeof(ports[0]));
	for (size_t i = 0; i < sizeof(flows) / sizeof(flows[0]); i++)
		for (size_t w = 0; w < NWAYS; w++)
			check_flow(&flows[i], &ways[w]);
}

TEST(a_rule_for_one_protocol_opens_no_other)
{
	static const struct flow rows[2][2] = {
		{ GOES("192.168.1.1", 7001), REFUSED("192.168.1.2", 7001, "network.default") },
		{ REFUSED("192.168.1.1", 7001, "network.default"), GOES("192.168.1.2", 7001) },
	};

	lo_start(ports, sizeof(ports) / sizeof(ports[0]));
	for (size_t w = 0; w < NWAYS; w++)
		for (size_t i = 0; i < 2; i++)
			check_flow(&rows[ways[w].type == SOCK_DGRAM][i], &ways[w]);
}

TEST(observe_counts_what_would_be_refused_and_lets_it_arrive)
{
	struct flow f = GOES("127.0.0.1", 7002);
	struct ruled *r;

	lo_start(ports, sizeof(ports) / sizeof(ports[0]));
	for (size_t w = 0; w < NWAYS; w++) {
		f.way = &ways[w];
		CASE("%s", f.way->name);
		r = ruled_new(policy, STAGE_OBSERVE);
		govern_forget();
		CHECK_EQ(ruled_run(r, act, &f), 0);
		CHECK_EQ(lo_arrived(f.port, f.way->type == SOCK_DGRAM), 1);
		govern_drain();
		CHECK_EQ(govern_seen_count, 1);
		CHECK_EQ(govern_seen[0].d.verdict, VERDICT_WOULD_DENY);
		CHECK_EQ(ruled_would(r, "network.default"), 1);
		CHECK_EQ(ruled_refused(r, "network.default"), 0);
		ruled_free(r);
	}
}

/* ---- serving ---- */

static int by_bind(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	return rc(bind(fd, &a.any, len));
}

static int by_bind_unspec(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	a.any.sa_family = AF_UNSPEC;
	return rc(bind(fd, &a.any, len));
}

/* To a port that the kernel picks: only listen sees it. */
static int by_bind_listen(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;
	int fd = open_socket(f, &a, &len);

	return bind(fd, &a.any, len) ? -errno : rc(listen(fd, 1));
}

static int by_listen(const struct flow *f)
{
	union lo_addr a;
	socklen_t len;

	return rc(listen(open_socket(f, &a, &len), 1));
}

static const struct way tcp_bind = { "tcp bind", by_bind, SOCK_STREAM, ACT_BIND, VERB_LISTEN };
static const struct way udp_bind = { "udp bind", by_bind, SOCK_DGRAM, ACT_BIND, VERB_LISTEN };
static const struct way bind_unspec = { "AF_UNSPEC bind", by_bind_unspec, SOCK_DGRAM, ACT_BIND, VERB_LISTEN };
static const struct way bind_listen = { "bind and listen", by_bind_listen, SOCK_STREAM, ACT_LISTEN, VERB_LISTEN };
static const struct way auto_listen = { "listen", by_listen, SOCK_STREAM, ACT_LISTEN, VERB_LISTEN };

static const struct flow served[] = {
	{ "127.0.0.1", 7100, NULL, NULL, &tcp_bind }, { "127.0.0.1", 7106, "network.default", NULL, &tcp_bind },
	{ "127.0.0.1", 7105, NULL, NULL, &udp_bind }, { "127.0.0.1", 7099, "network.default", NULL, &udp_bind },
	{ "::1", 7105, NULL, NULL, &tcp_bind }, { "::1", 7106, "network.default", NULL, &udp_bind },
	{ "::ffff:127.0.0.1", 7102, NULL, NULL, &tcp_bind }, { "::ffff:10.1.1.1", 7102, "network.default", "10.1.1.1", &tcp_bind },
	/* every address of the host is more than loopback */
	{ "0.0.0.0", 7101, "network.default", NULL, &tcp_bind }, { "::", 7101, "network.default", NULL, &tcp_bind },
	{ "0.0.0.0", 7101, "network.default", NULL, &udp_bind }, { "0.0.0.0", 7101, "network.default", NULL, &bind_unspec },
	{ "127.0.0.1", 7103, NULL, NULL, &bind_listen },
	{ "127.0.0.1", 0, NULL, NULL, &tcp_bind }, { "10.1.1.1", 0, NULL, NULL, &udp_bind },
	{ "0.0.0.0", 0, "network.default", NULL, &auto_listen }, { "::", 0, "network.default", NULL, &auto_listen },
};

TEST(serving_is_judged_at_bind_and_once_more_at_listen)
{
	lo_start(ports, sizeof(ports) / sizeof(ports[0]));
	for (size_t i = 0; i < sizeof(served) / sizeof(served[0]); i++) {
		struct flow f = served[i];
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		CASE("%s %s:%u", f.way->name, f.to, f.port);
		govern_forget();
		CHECK_EQ(free_run(act, &f), 0);
		CHECK_EQ(ruled_run(r, act, &f), f.rule ? -EACCES : 0);
		if (f.rule)
			check_refusal(r, &f, f.way->op, f.way->verb);
		else
			check_silent(r);
		ruled_free(r);
	}
}

TEST(a_port_that_the_kernel_picked_is_judged_at_listen_as_it_is)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct flow f = { "127.0.0.1", 0, .way = &bind_listen };

	govern_forget();
	CHECK_REFUSED(r, act, &f, EACCES);
	check_record(r, &(struct expect){ .rule = "network.default", .path = "", .op = ACT_LISTEN, .verb = VERB_LISTEN, .err = EACCES });
	CHECK(govern_seen[0].d.addr.port >= 32768);
	ruled_free(r);
}

TEST_MAIN()
