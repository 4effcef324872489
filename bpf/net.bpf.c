// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network by address: TCP and UDP in both families, connect, send, fast open, bind and listen; unix sockets by path; every other family
 * refused at birth. LSM hooks, not cgroup programs: they see sockets that were made elsewhere (KERNEL.md 0.6). On 6.1 and later. If it
 * cannot load, no sandbox starts whose policy governs the network.
 */
#include "control.bpf.h"
#include "socket.bpf.h"

char LICENSE[] SEC("license") = "GPL";

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
