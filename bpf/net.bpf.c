// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network by address: TCP and UDP in both families, connect, send, fast open, bind and listen; unix sockets by path; every other family
 * refused at birth. LSM hooks, not cgroup programs: they see sockets that were made elsewhere (KERNEL.md 0.6). On 6.1 and later. If it
 * cannot load, no sandbox starts whose policy governs the network.
 */
#include "judge.bpf.h"
#include <bpf/bpf_endian.h>

char LICENSE[] SEC("license") = "GPL";

#define SOCK_RAW 3
#define SOL_IP 0
#define IP_OPTIONS 4
#define IP_RETOPTS 7
#define IP_PKTINFO 8
#define IP_TRANSPARENT 19
#define SOL_IPV6 41
#define IPV6_2292HOPOPTS 3
#define IPV6_2292DSTOPTS 4
#define IPV6_2292RTHDR 5
#define IPV6_2292PKTOPTIONS 6
#define IPV6_PKTINFO 50
#define IPV6_HOPOPTS 54
#define IPV6_RTHDRDSTOPTS 55
#define IPV6_RTHDR 57
#define IPV6_DSTOPTS 59
#define IPV6_TRANSPARENT 75

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

static __always_inline __u16 family_of(struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_family);
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
	if (op != ACT_SEND && op != ACT_BIND)
		record_flow(h, ruling.rule, listen ? RECORD_LISTEN : RECORD_CONNECT, op, a);
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
	if (h.dead)
		return refuse_dead(&h, ACT_SOCKET);
	if (family_allowed(family, type, protocol))
		return 0;
	a.family = family;
	a.type = type & 0xf;
	a.proto = protocol;
	return REFUSED(refuse_socket(&h, RULE_BUILTIN(SOCKET_FAMILY), VERB_CALL, ACT_SOCKET, &a));
}

static __always_inline int label_socket(struct sock *sk, __u64 sandbox)
{
	struct socket_owner owner = { .sandbox = sandbox };

	return bpf_sk_storage_get(&socket_owners, sk, &owner, BPF_SK_STORAGE_GET_F_CREATE) ? 0 : -ENOMEM;
}

/* Also for both ends of a socketpair. */
SEC("lsm/socket_post_create")
int BPF_PROG(on_socket_post_create, struct socket *sock, int family, int type, int protocol, int kern, int prev)
{
	struct here h;
	struct sock *sk = sock->sk;

	if (prev || kern || !sk || !sandbox_here(&h))
		return prev;
	return label_socket(sk, h.sandbox);
}

/* ---- use ---- */

enum standing { STANDING_FREE, STANDING_JUDGED, STANDING_REFUSED };

/*
 * What a member's use of a socket is: none of ours to judge (unix sockets are judged by their peer, the kernel's own not at all), to be
 * judged by address, or refused since the sandbox did not make it: it came as a descriptor.
 */
static __always_inline enum standing socket_standing(const struct here *h, struct sock *sk, struct socket_owner **owner, enum operation op)
{
	struct rec_addr a = {};
	__u16 family = family_of(sk);

	*owner = owner_of(h, sk);
	if (family == AF_UNIX || is_kernels(sk))
		return STANDING_FREE;
	if (*owner)
		return family == AF_INET || family == AF_INET6 ? STANDING_JUDGED : STANDING_FREE;
	addr_of_sock(&a, sk, false);
	return refuse_socket(h, RULE_BUILTIN(FOREIGN_SOCKET), VERB_CONNECT, op, &a) ? STANDING_REFUSED : STANDING_FREE;
}

SEC("lsm/socket_connect")
int BPF_PROG(on_socket_connect, struct socket *sock, struct sockaddr *address, int len, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;
	struct socket_owner *owner;
	enum standing standing;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (h.dead)
		return refuse_dead(&h, ACT_CONNECT);
	standing = socket_standing(&h, sk, &owner, ACT_CONNECT);
	if (standing != STANDING_JUDGED)
		return REFUSED(standing == STANDING_REFUSED);
	if (!addr_from(&a, address, len)) {
		if (!a.family)
			return 0;	/* AF_UNSPEC: disconnects */
		return REFUSED(refuse_socket(&h, RULE_BUILTIN(NETWORK_DEFAULT), VERB_CONNECT, ACT_CONNECT, &a));
	}
	addr_socket(&a, sk);
	return REFUSED(judge_destination(&h, sk, owner, &a, VERB_CONNECT, ACT_CONNECT));
}

/* ---- control messages: a source route or a source address can come with each message ---- */

struct control {
	__u64 at, end;
	__u32 route, source;
	__u32 ended;
};

struct control_head {
	__u64 len;
	__u32 level, type;
};

static __always_inline bool control_routes(__u32 level, __u32 type)
{
	if (level == SOL_IP)
		return type == IP_RETOPTS;
	return level == SOL_IPV6 && (type == IPV6_2292HOPOPTS || type == IPV6_2292DSTOPTS || type == IPV6_2292RTHDR || type == IPV6_HOPOPTS ||
				     type == IPV6_RTHDRDSTOPTS || type == IPV6_RTHDR || type == IPV6_DSTOPTS);
}

/* What ends the list here ends it in the kernel too (CMSG_OK), mostly as an error. */
static long control_step(__u32 i, struct control *c)
{
	struct control_head head;
	__u64 left = c->end - c->at;

	if (c->at > c->end || left < sizeof(head) || bpf_probe_read_kernel(&head, sizeof(head), (void *)c->at) || head.len < sizeof(head) ||
	    head.len > left) {
		c->ended = 1;
		return 1;
	}
	if (control_routes(head.level, head.type))
		c->route = 1;
	if ((head.level == SOL_IP && head.type == IP_PKTINFO) || (head.level == SOL_IPV6 && head.type == IPV6_PKTINFO))
		c->source = 1;
	c->at += (head.len + 7) & ~7ull;
	return 0;
}

#define CONTROL_STEPS 64

/* The kernel's copy of a message's control data. More than anybody sends: taken for a route. */
static __always_inline void control_scan(struct msghdr *msg, struct control *c)
{
	__u64 size = msg->msg_controllen;

	c->route = UNKNOWN(0);
	c->source = UNKNOWN(0);
	c->ended = UNKNOWN(0);
	if (!size)
		return;
	if (BPF_CORE_READ_BITFIELD_PROBED(msg, msg_control_is_user)) {
		c->route = 1;
		return;
	}
	c->at = (__u64)msg->msg_control;
	c->end = c->at + size;
	bpf_loop(CONTROL_STEPS, control_step, c, 0);
	if (!c->ended)
		c->route = 1;
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

/* A socket from outside that was connected there (descriptors 0-2): judged by its peer, each time. */
static __always_inline int judge_foreign_send(const struct here *h, struct sock *sk)
{
	struct rec_addr a = {};
	__u16 family = family_of(sk);

	addr_of_sock(&a, sk, false);
	if ((family != AF_INET && family != AF_INET6) || a.type == SOCK_RAW)
		return refuse_socket(h, RULE_BUILTIN(FOREIGN_SOCKET), VERB_SEND, ACT_SEND, &a);
	return judge_destination(h, sk, NULL, &a, VERB_SEND, ACT_SEND);
}

/* A named destination: UDP, and TCP fast open, which fires no connect. Without one: only sockets from outside are judged again. */
static __always_inline int judge_send(const struct here *h, struct sock *sk, struct msghdr *msg)
{
	struct rec_addr a = {};
	struct socket_owner *owner;
	struct control control = {};
	enum standing standing;
	void *name = msg->msg_name;

	if (family_of(sk) == AF_UNIX || is_kernels(sk))
		return 0;
	if (!name && !owner_of(h, sk))
		return judge_foreign_send(h, sk);
	standing = socket_standing(h, sk, &owner, ACT_SEND);
	if (standing != STANDING_JUDGED)
		return standing == STANDING_REFUSED;
	control_scan(msg, &control);
	if (control.route && !flag_of(h, SLOT_OPEN_NETWORK))
		return refuse_socket(h, RULE_BUILTIN(SOCKET_OPTION), VERB_SEND, ACT_SEND, NULL);
	if (!name)
		return 0;
	addr_of_message(&a, sk, name, msg->msg_namelen);
	addr_socket(&a, sk);
	if (control.source && owner && is_any(&a))
		source_conflicts(owner, SOURCE_OWN);
	return judge_destination(h, sk, owner, &a, VERB_SEND, ACT_SEND);
}

SEC("lsm/socket_sendmsg")
int BPF_PROG(on_socket_sendmsg, struct socket *sock, struct msghdr *msg, int size, int prev)
{
	struct here h;
	struct sock *sk = sock->sk;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (h.dead)
		return refuse_dead(&h, ACT_SEND);
	return REFUSED(judge_send(&h, sk, msg));
}

/* Port 0 is any client's: the kernel picks one. TCP is judged once more, as it then is, by listen. */
SEC("lsm/socket_bind")
int BPF_PROG(on_socket_bind, struct socket *sock, struct sockaddr *address, int len, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;
	struct socket_owner *owner;
	enum standing standing;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (h.dead)
		return refuse_dead(&h, ACT_BIND);
	standing = socket_standing(&h, sk, &owner, ACT_BIND);
	if (standing != STANDING_JUDGED)
		return REFUSED(standing == STANDING_REFUSED);
	/* inet_bind takes AF_UNSPEC with INADDR_ANY for AF_INET; inet6_bind refuses it */
	if (!addr_from(&a, address, len) && !a.family && len >= 8)
		addr_of_message(&a, sk, address, len);
	addr_socket(&a, sk);
	if (owner && gives_source(&a, sk) && source_conflicts(owner, SOURCE_OWN) && !flag_of(&h, SLOT_OPEN_NETWORK))
		return REFUSED(refuse_socket(&h, RULE_BUILTIN(NETWORK_DEFAULT), VERB_LISTEN, ACT_BIND, &a));
	if (!a.port)
		return 0;
	return REFUSED(judge_address(&h, &a, 1, VERB_LISTEN, ACT_BIND));
}

/* A listen without bind is legal: the kernel picks the port, 0 to the policy. */
SEC("lsm/socket_listen")
int BPF_PROG(on_socket_listen, struct socket *sock, int backlog, int prev)
{
	struct here h;
	struct rec_addr a = {};
	struct sock *sk = sock->sk;
	struct socket_owner *owner;
	enum standing standing;

	if (prev || !sk || !sandbox_here(&h))
		return prev;
	if (h.dead)
		return refuse_dead(&h, ACT_LISTEN);
	standing = socket_standing(&h, sk, &owner, ACT_LISTEN);
	if (standing != STANDING_JUDGED)
		return REFUSED(standing == STANDING_REFUSED);
	addr_of_sock(&a, sk, true);
	return REFUSED(judge_address(&h, &a, 1, VERB_LISTEN, ACT_LISTEN));
}

static __always_inline bool option_closed(int level, int name)
{
	if (level == SOL_IP)
		return name == IP_OPTIONS || name == IP_TRANSPARENT;
	return level == SOL_IPV6 && (name == IPV6_TRANSPARENT || name == IPV6_HOPOPTS || name == IPV6_RTHDRDSTOPTS || name == IPV6_RTHDR ||
				     name == IPV6_DSTOPTS || name == IPV6_2292PKTOPTIONS);
}

SEC("lsm/socket_setsockopt")
int BPF_PROG(on_socket_setsockopt, struct socket *sock, int level, int name, int prev)
{
	struct here h;

	if (prev || !sandbox_here(&h))
		return prev;
	if (h.dead)
		return refuse_dead(&h, ACT_SETSOCKOPT);
	if (!option_closed(level, name) || flag_of(&h, SLOT_OPEN_NETWORK))
		return 0;
	return REFUSED(refuse_socket(&h, RULE_BUILTIN(SOCKET_OPTION), VERB_CALL, ACT_SETSOCKOPT, 0));
}

/* ---- unix ---- */

/* By the path that a listener or receiver is bound to. Abstract and unnamed ones outside have none that a policy could allow. */
static __always_inline int judge_unix_path(const struct here *h, struct unix_sock *u, enum operation op)
{
	struct object o = { .verbs = 1u << VERB_UNIX, .op = op };

	if (u) {
		o.dentry = BPF_CORE_READ(u, path.dentry);
		o.mnt = BPF_CORE_READ(u, path.mnt);
	}
	if (o.dentry && o.mnt)
		return judge(h, &o);
	return flag_of(h, SLOT_OPEN_SOCKETS) ? 0 : refuse_socket(h, RULE_BUILTIN(UNIX_DEFAULT), VERB_UNIX, op, NULL);
}

/* Same sandbox: always fine. */
static __always_inline int judge_unix(struct sock *other, enum operation op)
{
	struct here h;

	if (!sandbox_here(&h))
		return 0;
	if (h.dead)
		return refuse_dead(&h, op);
	return REFUSED(!owner_of(&h, other) && judge_unix_path(&h, (struct unix_sock *)other, op));
}

/* The server's end of the connection belongs to whom the listener does, whoever connects. */
static __always_inline int owner_inherit(struct sock *listener, struct sock *newsk)
{
	struct socket_owner *owner;

	if (!listener->sk_bpf_storage)
		return 0;
	owner = bpf_sk_storage_get(&socket_owners, listener, 0, 0);
	return owner ? label_socket(newsk, owner->sandbox) : 0;
}

SEC("lsm/unix_stream_connect")
int BPF_PROG(on_unix_connect, struct sock *sk, struct sock *other, struct sock *newsk, int prev)
{
	int err;

	if (prev)
		return prev;
	err = owner_inherit(other, newsk);
	return err ? err : judge_unix(other, ACT_UNIX_CONNECT);
}

SEC("lsm/unix_may_send")
int BPF_PROG(on_unix_send, struct socket *sock, struct socket *other, int prev)
{
	struct sock *peer = other->sk;

	return prev || !peer ? prev : judge_unix(peer, ACT_UNIX_SEND);
}

/* ---- arrival ---- */

/*
 * A passed socket: one that this sandbox made, or a unix one whose peer it could have connected to itself. All others reach somewhere that
 * nobody judged.
 */
static __always_inline int judge_received_socket(const struct here *h, struct sock *sk)
{
	struct unix_sock *u = (void *)sk;
	struct rec_addr a = {};

	if (owner_of(h, sk))
		return 0;
	if (family_of(sk) == AF_UNIX)
		return judge_unix_path(h, (void *)BPF_CORE_READ(u, peer), ACT_RECEIVE);
	addr_of_sock(&a, sk, false);
	return refuse_socket(h, RULE_BUILTIN(FOREIGN_SOCKET), VERB_CONNECT, ACT_RECEIVE, &a);
}

SEC("lsm/file_receive")
int BPF_PROG(on_socket_receive, struct file *file, int prev)
{
	struct here h;
	struct socket *sock;
	struct sock *sk;

	if (prev || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK || !sandbox_here(&h))
		return prev;
	if (h.dead)
		return refuse_dead(&h, ACT_RECEIVE);
	sock = bpf_sock_from_file(file);
	sk = sock ? sock->sk : NULL;
	if (!sk)
		return REFUSED(guard_object(&h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0));
	return REFUSED(judge_received_socket(&h, sk));
}
