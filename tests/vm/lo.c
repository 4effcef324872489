/* SPDX-License-Identifier: Apache-2.0 */
/* See lo.h. */
#include "tests/vm/lo.h"

struct lo_server lo_servers[LO_SERVERS];

static int server(uint16_t port, int type)
{
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, queue = 16;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	CHECK(fd >= 0);
	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	CHECK_EQ(bind(fd, (void *)&any, sizeof(any)), 0);
	if (type == SOCK_DGRAM)
		return fd;
	CHECK_EQ(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof(queue)), 0);
	CHECK_EQ(listen(fd, 64), 0);
	return fd;
}

void lo_start(const uint16_t *ports, size_t count)
{
	static bool up;

	if (up)
		return;
	up = true;
	CHECK(count <= LO_SERVERS);
	CHECK_EQ(system("for net in 10.0.0.0/8 169.254.0.0/16 192.168.0.0/16; do ip route replace local $net dev lo; done;"
			"ip -6 route replace local fd00::/16 dev lo; echo 3 >/proc/sys/net/ipv4/tcp_fastopen"), 0);
	for (size_t i = 0; i < count; i++)
		lo_servers[i] = (struct lo_server){ ports[i], server(ports[i], SOCK_STREAM), server(ports[i], SOCK_DGRAM) };
}

unsigned lo_arrived(uint16_t port, bool udp)
{
	struct lo_server *s = lo_servers;
	unsigned n = 0;
	char byte;
	int fd;

	while (s < lo_servers + LO_SERVERS && s->port != port)
		s++;
	CHECK(s < lo_servers + LO_SERVERS);
	while (udp && recv(s->udp, &byte, 1, 0) >= 0)
		n++;
	while (!udp && (fd = accept(s->tcp, NULL, NULL)) >= 0) {
		close(fd);
		n++;
	}
	return n;
}

void lo_check_addr(const struct rec_addr *a, const char *text, uint16_t port, int proto)
{
	char got[INET6_ADDRSTRLEN], want[INET6_ADDRSTRLEN], mapped[64];
	uint8_t bytes[16];

	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	CHECK_EQ(inet_pton(AF_INET6, mapped, bytes), 1);
	CHECK_STR(inet_ntop(AF_INET6, a->addr, got, sizeof(got)), inet_ntop(AF_INET6, bytes, want, sizeof(want)));
	CHECK_EQ(a->port, port);
	CHECK_EQ(a->proto, proto);
}
