/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses that are wanted as rules: loopback is one place, ports that the kernel chose are a range, neighbours with one service a prefix. */
#include <arpa/inet.h>
#include <stdio.h>
#include "policy/learn_parts.h"

#define EPHEMERAL_FIRST 32768	/* net.ipv4.ip_local_port_range's default */
#define EPHEMERAL_LAST 60999
#define MANY_PORTS 3
#define MANY_ADDRESSES 4

/* One `to` and its ports, as texts, so that equal ones can be found. */
struct target {
	bool listens, v4, dropped;
	uint8_t proto, addr[16];
	char to[80];
	struct buf ports;
	struct evidence e;
};
struct targets {
	struct target *items;
	size_t count;
};

static bool is_v4(const uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, mapped, sizeof(mapped));
}

static bool is_loopback(const struct peer *p)
{
	static const uint8_t one[16] = { [15] = 1 }, any[16];
	bool v4 = is_v4(p->addr);

	if (v4 ? p->addr[12] == 127 : !memcmp(p->addr, one, 16))
		return true;
	/* to connect to "any address" is to connect to this host */
	return !p->listens && !memcmp(v4 ? p->addr + 12 : p->addr, any, v4 ? 4 : 16);
}

static void to_print(const struct peer *p, char to[80])
{
	char text[INET6_ADDRSTRLEN] = "";

	if (is_loopback(p)) {
		strcpy(to, "@loopback");
		return;
	}
	if (is_v4(p->addr))
		(void)inet_ntop(AF_INET, p->addr + 12, text, sizeof(text));
	else
		(void)inet_ntop(AF_INET6, p->addr, text, sizeof(text));
	snprintf(to, 80, "%s", text);
}

static bool same_target(const struct peer *a, const struct peer *b)
{
	if (a->listens != b->listens || a->proto != b->proto)
		return false;
	return (is_loopback(a) && is_loopback(b)) || !memcmp(a->addr, b->addr, sizeof(a->addr));
}

static int port_order(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void ports_print(uint16_t *ports, size_t count, struct buf *out)
{
	size_t chosen = 0;
	bool said = false;

	qsort(ports, count, sizeof(*ports), port_order);
	for (size_t i = 0; i < count; i++)
		chosen += ports[i] >= EPHEMERAL_FIRST && ports[i] <= EPHEMERAL_LAST && (!i || ports[i] != ports[i - 1]);
	for (size_t i = 0; i < count; i++) {
		bool ephemeral = chosen >= MANY_PORTS && ports[i] >= EPHEMERAL_FIRST && ports[i] <= EPHEMERAL_LAST;

		if ((i && ports[i] == ports[i - 1]) || (ephemeral && said))
			continue;
		buf_add_str(out, out->len ? ", " : "");
		if (ephemeral)
			buf_addf(out, "%u-%u", EPHEMERAL_FIRST, EPHEMERAL_LAST);
		else
			buf_add_u64(out, ports[i]);
		said |= ephemeral;
	}
}

/* All ports of one target. */
static int target_take(struct learn *l, size_t first, struct target *t)
{
	_free_ uint16_t *ports = calloc(l->peer_count, sizeof(*ports));
	const struct peer *p = &l->peers[first];
	size_t count = 0;

	if (!ports)
		return -ENOMEM;
	*t = (struct target){ .listens = p->listens, .proto = p->proto, .v4 = is_v4(p->addr) };
	memcpy(t->addr, p->addr, sizeof(t->addr));
	to_print(p, t->to);
	for (size_t i = first; i < l->peer_count; i++) {
		if (!l->peers[i].wanted || l->peers[i].taken || !same_target(p, &l->peers[i]))
			continue;
		ports[count++] = l->peers[i].port;
		evidence_merge(&t->e, &l->peers[i].e);
		l->peers[i].taken = true;
	}
	ports_print(ports, count, &t->ports);
	return t->ports.err;
}

static bool same_service(const struct target *a, const struct target *b)
{
	return a->listens == b->listens && a->proto == b->proto && !strcmp(a->ports.data, b->ports.data);
}

/* The last byte of IPv4, the last eight of IPv6: what one site usually has. */
static bool same_prefix(const struct target *a, const struct target *b)
{
	return a->v4 == b->v4 && a->to[0] != '@' && b->to[0] != '@' && !memcmp(a->addr, b->addr, a->v4 ? 15 : 8);
}

static void prefix_try(struct targets *all, size_t first)
{
	struct target *t = &all->items[first];
	size_t count = 0;

	for (size_t i = first; i < all->count; i++)
		count += !all->items[i].dropped && same_service(t, &all->items[i]) && same_prefix(t, &all->items[i]);
	if (count < MANY_ADDRESSES || t->listens)
		return;
	for (size_t i = first + 1; i < all->count; i++) {
		if (all->items[i].dropped || !same_service(t, &all->items[i]) || !same_prefix(t, &all->items[i]))
			continue;
		evidence_merge(&t->e, &all->items[i].e);
		all->items[i].dropped = true;
	}
	memset(t->addr + (t->v4 ? 15 : 8), 0, t->v4 ? 1 : 8);
	(void)inet_ntop(t->v4 ? AF_INET : AF_INET6, t->v4 ? t->addr + 12 : t->addr, t->to, sizeof(t->to));
	strcat(t->to, t->v4 ? "/24" : "/64");
}

static void rule_make(struct learn *l, struct targets *all, size_t first)
{
	struct target *t = &all->items[first];
	struct evidence e = t->e;
	_buf_ struct buf text = {};
	struct learned *rule;
	bool several = false;

	for (size_t i = first + 1; i < all->count; i++)
		several |= !all->items[i].dropped && same_service(t, &all->items[i]);
	buf_addf(&text, "to: %s\"%s\"", several ? "[" : "", t->to);
	for (size_t i = first + 1; i < all->count; i++) {
		if (all->items[i].dropped || !same_service(t, &all->items[i]))
			continue;
		buf_addf(&text, ", \"%s\"", all->items[i].to);
		evidence_merge(&e, &all->items[i].e);
		all->items[i].dropped = true;
	}
	buf_addf(&text, "%s, ports: [%s]%s", several ? "]" : "", t->ports.data, t->proto == 17 ? ", proto: udp" : "");
	rule = text.err ? NULL : learned_push(l, PC_NETWORK, t->listens ? "listen" : "connect", 0, &e);
	if (rule)
		rule->peer = steal(&text.data);
}

int learn_net(struct learn *l)
{
	struct targets all = { calloc(l->peer_count + 1, sizeof(*all.items)), 0 };
	int err = all.items ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < l->peer_count; i++) {
		if (l->peers[i].wanted && !l->peers[i].taken)
			err = target_take(l, i, &all.items[all.count++]);
	}
	for (size_t i = 0; !err && i < all.count; i++) {
		if (!all.items[i].dropped)
			prefix_try(&all, i);
	}
	for (size_t i = 0; !err && i < all.count; i++) {
		if (!all.items[i].dropped)
			rule_make(l, &all, i);
	}
	for (size_t i = 0; i < all.count; i++)
		buf_done(&all.items[i].ports);
	free(all.items);
	return err;
}
