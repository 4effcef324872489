/* SPDX-License-Identifier: Apache-2.0 */
/* A network out of lo alone: every address of some ranges is this host's, and servers listen on the ports that are asked for. */
#ifndef TESTS_VM_LO_H
#define TESTS_VM_LO_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include "tests/vm/expect.h"

#define LO_SERVERS 8
struct lo_server {
	uint16_t port;
	int tcp, udp;
};
extern struct lo_server lo_servers[LO_SERVERS];

/* A destination as a test writes it. The family is the socket's: "::ffff:127.0.0.1" is v6. */
union lo_addr {
	struct sockaddr any;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static inline socklen_t lo_addr(const char *text, uint16_t port, union lo_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (strchr(text, ':')) {
		out->in6.sin6_family = AF_INET6;
		out->in6.sin6_port = htons(port);
		CHECK_EQ(inet_pton(AF_INET6, text, &out->in6.sin6_addr), 1);
		return sizeof(out->in6);
	}
	out->in4.sin_family = AF_INET;
	out->in4.sin_port = htons(port);
	CHECK_EQ(inet_pton(AF_INET, text, &out->in4.sin_addr), 1);
	return sizeof(out->in4);
}

void lo_start(const uint16_t *ports, size_t count);	/* routes; a TCP and a UDP server for both families on each port */
unsigned lo_arrived(uint16_t port, bool udp);	/* connections or datagrams since the last call; they are taken away */
void lo_check_addr(const struct rec_addr *a, const char *text, uint16_t port, int proto);	/* text: v4 is stored mapped */

#endif
