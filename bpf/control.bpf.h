/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control messages and options that steer where a packet goes or comes from: a source route or a source address can come with each
 * message, or stay with the socket.
 */
#ifndef CONTROL_BPF_H
#define CONTROL_BPF_H

#include "decide.bpf.h"

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

/* Options that do the same for all messages of a socket. */
static __always_inline bool option_closed(int level, int name)
{
	if (level == SOL_IP)
		return name == IP_OPTIONS || name == IP_TRANSPARENT;
	return level == SOL_IPV6 && (name == IPV6_TRANSPARENT || name == IPV6_HOPOPTS || name == IPV6_RTHDRDSTOPTS || name == IPV6_RTHDR ||
				     name == IPV6_DSTOPTS || name == IPV6_2292PKTOPTIONS);
}

#endif
