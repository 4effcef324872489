/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the hooks of net share: whom a socket belongs to and which address it is about, the verdict on an address, and how a refusal of either
 * is told. A verdict here is 0 or 1; the hook makes the errno of it.
 */
#ifndef SOCKET_BPF_H
#define SOCKET_BPF_H

#include "judge.bpf.h"
#include <bpf/bpf_endian.h>

#define SOCK_RAW 3

/* A refusal about a socket: an address where there is one. */
static __always_inline int refuse_socket(const struct here *h, __u32 rule, enum verb verb, enum operation op, const struct rec_addr *addr)
{
	struct report r;

	report_init(&r, h, rule == RULE_BUILTIN(NETWORK_DEFAULT) || rule == RULE_BUILTIN(UNRECORDED) || rule < BUILTIN_BASE ? CLASS_NETWORK : CLASS_SOCKETS, verb, op);
	r.rule = rule;
	if (addr)
		r.addr = *addr;
	return report_refusal(&r);
}

/* What `record:` asks for. False: a rule requires it, and there is no room. */
static __always_inline bool record_flow(const struct here *h, const struct ruling *ruling, enum record_kind kind, enum operation op,
					const struct rec_addr *addr)
{
	struct who who = { h->sandbox, h->command, h->generation };
	__u32 slot_index = h->slot;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct rec_flow f = {};
	bool wanted = slot && slot->record & 1u << kind && op != ACT_SEND && op != ACT_BIND;

	if (!ruling->required && !wanted)
		return true;
	head_fill(&f.h, REC_FLOW, RING_TELEMETRY, sizeof(f), &who);
	f.operation = op;
	f.rule = ruling->rule;
	f.addr = *addr;
	head_number(&f.h, RING_TELEMETRY);
	return submit(&telemetry, &f, sizeof(f), BPF_RB_NO_WAKEUP, KC_TELEMETRY_LOST) || !ruling->required;
}

/* ---- what a socket is ---- */

static __always_inline void addr_v4(struct rec_addr *a, __u32 be_addr)
{
	a->addr[10] = a->addr[11] = 0xff;
	__builtin_memcpy(a->addr + 12, &be_addr, 4);
}

/* From a kernel copy of a sockaddr. False: not an address of ours to judge (AF_UNSPEC undoes a connect). */
static __always_inline bool addr_from(struct rec_addr *a, const void *sockaddr, int len)
{
	struct sockaddr_in6 in6 = {};

	if (len < 2 || bpf_probe_read_kernel(&in6.sin6_family, 2, sockaddr))
		return false;
	a->family = in6.sin6_family;
	if (a->family == AF_INET && len >= 8) {
		struct sockaddr_in in4 = {};

		if (bpf_probe_read_kernel(&in4, 8, sockaddr))
			return false;
		addr_v4(a, in4.sin_addr.s_addr);
		a->port = bpf_ntohs(in4.sin_port);
		return true;
	}
	if (a->family == AF_INET6 && len >= 24) {
		if (bpf_probe_read_kernel(&in6, 24, sockaddr))
			return false;
		__builtin_memcpy(a->addr, &in6.sin6_addr, 16);
		a->port = bpf_ntohs(in6.sin6_port);
		return true;
	}
	return false;
}

static __always_inline void addr_socket(struct rec_addr *a, struct sock *sk)
{
	a->type = BPF_CORE_READ(sk, sk_type);
	a->proto = BPF_CORE_READ(sk, sk_protocol);
	if (!a->family)
		a->family = BPF_CORE_READ(sk, __sk_common.skc_family);
}

/* Local end (listen) or remote end (send on a connected socket). */
static __always_inline void addr_of_sock(struct rec_addr *a, struct sock *sk, bool local)
{
	addr_socket(a, sk);
	if (a->family == AF_INET6) {
		struct in6_addr in6;

		if (local)
			BPF_CORE_READ_INTO(&in6, sk, __sk_common.skc_v6_rcv_saddr);
		else
			BPF_CORE_READ_INTO(&in6, sk, __sk_common.skc_v6_daddr);
		__builtin_memcpy(a->addr, &in6, 16);
	} else {
		addr_v4(a, local ? BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr) : BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
	a->port = local ? BPF_CORE_READ(sk, __sk_common.skc_num) : bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

static __always_inline __u16 family_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_family);
}

/* Whom a message that names nobody goes to, and what UDP makes of AF_UNSPEC: an address for AF_INET, nothing for AF_INET6. */
static __always_inline void addr_of_message(struct rec_addr *a, struct sock *sk, void *name, int len)
{
	struct sockaddr_in in4 = {};

	if (addr_from(a, name, len) || a->family)
		return;
	if (family_of(sk) == AF_INET && !bpf_probe_read_kernel(&in4, 8, name)) {
		a->family = AF_INET;
		addr_v4(a, in4.sin_addr.s_addr);
		a->port = bpf_ntohs(in4.sin_port);
		return;
	}
	addr_of_sock(a, sk, false);
}

/* NFS and its kin send in the caller's context, on sockets that no descriptor ever leads to. */
static __always_inline bool is_kernels(struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock);
}

/* Made by this sandbox? The label was set at birth and cloned by accept. */
static __always_inline struct socket_owner *owner_of(const struct here *h, struct sock *sk)
{
	struct socket_owner *owner = bpf_sk_storage_get(&socket_owners, sk, 0, 0);

	return owner && owner->sandbox == h->sandbox ? owner : NULL;
}

static __always_inline bool flag_of(const struct here *h, __u32 flag)
{
	__u32 index = h->slot;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &index);

	return slot && slot->flags & flag;
}

/* The end of a hook for a member whose session is over. */
static __always_inline int refuse_dead(const struct here *h, enum operation op)
{
	dead_refuse(h, op);
	return -EACCES;
}

/* ---- verdicts ---- */

/*
 * Linux takes "any address" as a destination for this host: for loopback, or for the address that the socket has as its source. The source can
 * change between here and there, so that a socket does one or the other: it has a source of its own or it goes to any address. Both are
 * marks of one word, so that of two racing calls the second sees the first.
 */
#define SOURCE_OWN 1u
#define SOURCE_LOOPBACK 2u

static __always_inline bool is_any(const struct rec_addr *a)
{
	const __u64 *w = (const __u64 *)a->addr;

	return !w[0] && (!w[1] || w[1] == 0x00000000ffff0000ull);
}

static __always_inline bool is_loopback_v4(const struct rec_addr *a)
{
	const __u64 *w = (const __u64 *)a->addr;

	return !w[0] && w[1] == 0x0100007fffff0000ull;
}

static __always_inline void any_to_loopback(struct rec_addr *a)
{
	if (a->addr[10])
		a->addr[12] = 127;
	a->addr[15] = 1;
}

/* Will a bind or connect to this address give the socket a source that "any address" would lead to, other than 127.0.0.1 and ::1? */
static __always_inline bool gives_source(const struct rec_addr *a, struct sock *sk)
{
	if (family_of(sk) == AF_INET6)
		return !is_any(a) || a->addr[10];	/* any that is v4-mapped turns :: into 127.0.0.1 */
	return !is_any(a) && !is_loopback_v4(a);
}

static __always_inline bool source_conflicts(struct socket_owner *owner, __u32 mine)
{
	return __sync_fetch_and_or(&owner->source, mine) & ~mine;
}

static __always_inline int judge_address(const struct here *h, const struct rec_addr *a, __u32 listen, enum verb verb, enum operation op)
{
	struct rec_addr addr = *a;
	struct ruling ruling = {};

	decide_address(&addr, h->slot, listen, &ruling);
	if (ruling.refused)
		return refuse_socket(h, ruling.rule, verb, op, a);
	if (!record_flow(h, &ruling, listen ? RECORD_LISTEN : RECORD_CONNECT, op, a))
		return refuse_socket(h, RULE_BUILTIN(UNRECORDED), verb, op, a);
	return 0;
}

/* Where a connect or a send goes. owner NULL: a foreign socket's peer, which is never "any". */
static __always_inline int judge_destination(const struct here *h, struct sock *sk, struct socket_owner *owner, struct rec_addr *a, enum verb verb,
					     enum operation op)
{
	bool any = is_any(a), conflict = false;

	if (owner && any)
		conflict = source_conflicts(owner, SOURCE_LOOPBACK);
	else if (owner && op == ACT_CONNECT && gives_source(a, sk))
		conflict = source_conflicts(owner, SOURCE_OWN);
	if (conflict && !flag_of(h, SLOT_OPEN_NETWORK))
		return refuse_socket(h, RULE_BUILTIN(NETWORK_DEFAULT), verb, op, a);
	if (any)
		any_to_loopback(a);
	return judge_address(h, a, 0, verb, op);
}

#endif
