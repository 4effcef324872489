// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network by address: TCP and UDP in both families, connect, send, fast open, bind and listen; unix sockets by path; every other family
 * refused at birth. LSM hooks, not cgroup programs: they see sockets that were made elsewhere (KERNEL.md 0.6). On 6.1 and later. If it
 * cannot load, no sandbox starts whose policy governs the network.
 */
#include "judge.bpf.h"
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

#define IPPROTO_IP 0
#define IP_OPTIONS 4
#define IP_TRANSPARENT 19
#define IPV6_HOPOPTS 54
#define IPV6_RTHDRDSTOPTS 55
#define IPV6_RTHDR 57
#define IPV6_DSTOPTS 59
#define IPV6_TRANSPARENT 75
#define SOL_IPV6 41

/* A refusal about a socket: an address where there is one. */
static __always_inline int refuse_socket(const struct here *h, __u32 rule, enum verb verb, enum operation op, const struct rec_addr *addr)
{
	struct report r;

	report_init(&r, h, rule == RULE_BUILTIN(NETWORK_DEFAULT) || rule < BUILTIN_BASE ? CLASS_NETWORK : CLASS_SOCKETS, verb, op);
	r.rule = rule;
	if (addr)
		r.addr = *addr;
	return report_refusal(&r);
}

static __always_inline void record_flow(const struct here *h, __u32 rule, enum record_kind kind, enum operation op, const struct rec_addr *addr)
{
	struct who who = { h->sandbox, h->command, h->generation };
	__u32 slot_index = h->slot;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct rec_flow f = {};

	if (!slot || !(slot->record & 1u << kind))
		return;
	head_fill(&f.h, REC_FLOW, RING_TELEMETRY, sizeof(f), &who);
	f.operation = op;
	f.rule = rule;
	f.addr = *addr;
	head_number(&f.h, RING_TELEMETRY);
	submit(&telemetry, &f, sizeof(f), BPF_RB_NO_WAKEUP, KC_TELEMETRY_LOST);
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

static __always_inline bool is_inet(struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

/* Made by this sandbox? The label was set at birth and cloned by accept. */
static __always_inline bool socket_ours(const struct here *h, struct sock *sk)
{
	__u64 *owner = bpf_sk_storage_get(&socket_owners, sk, 0, 0);

	return owner && *owner == h->sandbox;
}

/* ---- verdicts ---- */

/* Linux takes the unspecified address as a destination for loopback. */
static __always_inline void addr_any_is_loopback(struct rec_addr *a)
{
	__u64 *w = (__u64 *)a->addr;

	if (w[0] || (w[1] && w[1] != 0x00000000ffff0000ull))
		return;
	if (w[1])
		a->addr[12] = 127;
	a->addr[15] = 1;
}

static __always_inline int judge_address(const struct here *h, struct rec_addr *a, __u32 listen, enum verb verb, enum operation op)
{
	struct ruling ruling = {};

	if (!listen)
		addr_any_is_loopback(a);
	decide_address(a, h->slot, listen, &ruling);
	if (ruling.refused)
		return refuse_socket(h, ruling.rule, verb, op, a);
	if (op != ACT_SEND && op != ACT_BIND)
		record_flow(h, ruling.rule, listen ? RECORD_LISTEN : RECORD_CONNECT, op, a);
	return 0;
}

static __always_inline bool open_network(const struct here *h)
{
	__u32 index = h->slot;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &index);

	return slot && slot->flags & SLOT_OPEN_NETWORK;
}

/* ---- birth ---- */

static __always_inline bool family_allowed(int family, int type, int protocol)
{
	type &= 0xf;
	if (family == AF_UNIX)
		return true;
	if (family != AF_INET && family != AF_INET6)
		return false;
	if (type == SOCK_STREAM)
		return protocol == 0 || protocol == IPPROTO_TCP;
	return type == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP);
}

/* Raw, packet, netlink, vsock, SCTP, MPTCP, AF_ALG, AF_XDP and the rest. */
SEC("lsm/socket_create")
int BPF_PROG(on_socket_create, int family, int type, int protocol, int kern, int prev)
{
	struct here h;
	struct rec_addr a = {};

	if (prev || kern || !sandbox_here(&h))
		return prev;
	if (h.dead) {
		dead_refuse(&h, ACT_SOCKET);
		return -EACCES;
	}
	if (family_allowed(family, type, protocol))
		return 0;
	a.family = family;
	a.type = type & 0xf;
	a.proto = protocol;
	return REFUSED(refuse_socket(&h, RULE_BUILTIN(SOCKET_FAMILY), VERB_CALL, ACT_SOCKET, &a));
}

static __always_inline int label_socket(struct sock *sk, const struct here *h)
{
	__u64 owner = h->sandbox;

	return bpf_sk_storage_get(&socket_owners, sk, &owner, BPF_SK_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM;
}

SEC("lsm/socket_post_create")
int BPF_PROG(on_socket_post_create, struct socket *sock, int family, int type, int protocol, int kern, int prev)
{
	struct here h;
	struct sock *sk = sock->sk;

	if (prev || kern || !sk || !sandbox_here(&h))
		return prev;
	return label_socket(sk, &h);
}

SEC("lsm/socket_socketpair")
int BPF_PROG(on_socketpair, struct socket *a, struct socket *b, int prev)
{
	struct here h;
	struct sock *sa = a->sk, *sb = b->sk;
	int err;

	if (prev || !sa || !sb || !sandbox_here(&h))
		return prev;
	err = label_socket(sa, &h);
	return err ? err : label_socket(sb, &h);
}

/* ---- use ---- */

/* A socket that this sandbox did not make came as a descriptor: refused where it would reach somewhere. */
static __always_inline int refuse_foreign(const struct here *h, struct sock *sk, enum operation op)
{
	struct rec_addr a = {};

	addr_of_sock(&a, sk, false);
	return refuse_socket(h, RULE_BUILTIN(FOREIGN_SOCKET), VERB_CONNECT, op, &a);
}

SEC("lsm/socket_connect")
int BPF_PROG(on_socket_connect, struct socket *sock, struct sockaddr *address, int len, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (h.dead) {
		dead_refuse(&h, ACT_CONNECT);
		return -EACCES;
	}
	if (!is_inet(sk))
		return 0;	/* unix: by the peer, in unix_stream_connect */
	if (!socket_ours(&h, sk) && refuse_foreign(&h, sk, ACT_CONNECT))
		return -EACCES;
	if (!addr_from(&a, address, len)) {
		if (!a.family)
			return 0;	/* AF_UNSPEC: disconnects */
		return REFUSED(refuse_socket(&h, RULE_BUILTIN(NETWORK_DEFAULT), VERB_CONNECT, ACT_CONNECT, &a));
	}
	addr_socket(&a, sk);
	return REFUSED(judge_address(&h, &a, 0, VERB_CONNECT, ACT_CONNECT));
}

/* A named destination: UDP, and TCP fast open, which fires no connect. Without one: only sockets from outside are judged again. */
SEC("lsm/socket_sendmsg")
int BPF_PROG(on_socket_sendmsg, struct socket *sock, struct msghdr *msg, int size, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;
	void *name;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (h.dead) {
		dead_refuse(&h, ACT_SEND);
		return -EACCES;
	}
	if (!is_inet(sk))
		return 0;
	name = msg->msg_name;
	if (!name) {
		if (socket_ours(&h, sk))
			return 0;
		addr_of_sock(&a, sk, false);
		return REFUSED(judge_address(&h, &a, 0, VERB_SEND, ACT_SEND));
	}
	if (!socket_ours(&h, sk) && refuse_foreign(&h, sk, ACT_SEND))
		return -EACCES;
	if (!addr_from(&a, name, msg->msg_namelen)) {
		if (!a.family && BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET) {
			/* udp_sendmsg takes AF_UNSPEC for AF_INET */
			struct sockaddr_in in4 = {};

			if (!bpf_probe_read_kernel(&in4, 8, name)) {
				a.family = AF_INET;
				addr_v4(&a, in4.sin_addr.s_addr);
				a.port = bpf_ntohs(in4.sin_port);
			}
		}
		if (!a.family)
			addr_of_sock(&a, sk, false);	/* a v6 socket ignores it: the connected peer is the destination */
	}
	addr_socket(&a, sk);
	return REFUSED(judge_address(&h, &a, 0, VERB_SEND, ACT_SEND));
}

/* Port 0 is any client's: the kernel picks one. TCP is judged once more, as it then is, by listen. */
SEC("lsm/socket_bind")
int BPF_PROG(on_socket_bind, struct socket *sock, struct sockaddr *address, int len, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (!is_inet(sk))
		return 0;	/* unix: path_mknod */
	if (!socket_ours(&h, sk) && refuse_foreign(&h, sk, ACT_BIND))
		return -EACCES;
	if (!addr_from(&a, address, len) && !a.family) {
		struct sockaddr_in in4 = {};

		/* inet_bind takes AF_UNSPEC with INADDR_ANY for AF_INET */
		if (len >= 8 && !bpf_probe_read_kernel(&in4, 8, address)) {
			a.family = AF_INET;
			addr_v4(&a, in4.sin_addr.s_addr);
			a.port = bpf_ntohs(in4.sin_port);
		}
	}
	if (!a.port)
		return 0;
	addr_socket(&a, sk);
	return REFUSED(judge_address(&h, &a, 1, VERB_LISTEN, ACT_BIND));
}

SEC("lsm/socket_listen")
int BPF_PROG(on_socket_listen, struct socket *sock, int backlog, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (!is_inet(sk))
		return 0;
	if (!socket_ours(&h, sk) && refuse_foreign(&h, sk, ACT_LISTEN))
		return -EACCES;
	addr_of_sock(&a, sk, true);
	return REFUSED(judge_address(&h, &a, 1, VERB_LISTEN, ACT_LISTEN));
}

static __always_inline bool option_closed(int level, int name)
{
	if (level == IPPROTO_IP)
		return name == IP_OPTIONS || name == IP_TRANSPARENT;
	return level == SOL_IPV6 && (name == IPV6_TRANSPARENT || name == IPV6_HOPOPTS || name == IPV6_RTHDRDSTOPTS ||
				     name == IPV6_RTHDR || name == IPV6_DSTOPTS);
}

SEC("lsm/socket_setsockopt")
int BPF_PROG(on_socket_setsockopt, struct socket *sock, int level, int name, int prev)
{
	struct here h;

	if (prev || !option_closed(level, name) || !sandbox_here(&h) || open_network(&h))
		return prev;
	return REFUSED(refuse_socket(&h, RULE_BUILTIN(SOCKET_OPTION), VERB_CALL, ACT_SETSOCKOPT, 0));
}

/* A passed socket: one that this sandbox made, or a unix one (its peer was judged when it connected). */
SEC("lsm/file_receive")
int BPF_PROG(on_socket_receive, struct file *file, int prev)
{
	struct here h;
	struct socket *sock;
	struct sock *sk;

	if (prev || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK || !sandbox_here(&h))
		return prev;
	sock = bpf_sock_from_file(file);
	if (!sock)
		return REFUSED(guard_refuse(&h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0));
	sk = sock->sk;
	if (!sk || socket_ours(&h, sk) || BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX)
		return 0;
	if (!is_inet(sk))
		return REFUSED(guard_refuse(&h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, BPF_CORE_READ(sk, __sk_common.skc_family)));
	return REFUSED(refuse_foreign(&h, sk, ACT_RECEIVE));
}

/* ---- unix ---- */

/* The listener's or receiver's bound path; same sandbox: always fine. Abstract and unnamed peers outside have no path to allow. */
static __always_inline int judge_unix(const struct here *h, struct sock *other, enum operation op)
{
	struct unix_sock *u = (void *)other;
	struct object o = { .verbs = 1u << VERB_UNIX, .op = op };

	if (socket_ours(h, other))
		return 0;
	o.dentry = BPF_CORE_READ(u, path.dentry);
	o.mnt = BPF_CORE_READ(u, path.mnt);
	if (!o.dentry || !o.mnt)
		return refuse_socket(h, RULE_BUILTIN(UNIX_DEFAULT), VERB_UNIX, op, 0);
	return judge(h, &o);
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(on_unix_connect, struct sock *sk, struct sock *other, struct sock *newsk, int prev)
{
	struct here h;

	if (prev || !other || !sandbox_here(&h))
		return prev;
	return REFUSED(judge_unix(&h, other, ACT_UNIX_CONNECT));
}

SEC("lsm/unix_may_send")
int BPF_PROG(on_unix_send, struct socket *sock, struct socket *other, int prev)
{
	struct here h;
	struct sock *peer = other->sk;

	if (prev || !peer || !sandbox_here(&h))
		return prev;
	return REFUSED(judge_unix(&h, peer, ACT_UNIX_SEND));
}
