/* SPDX-License-Identifier: Apache-2.0 */
/* What: file, peer, kernel function or process that a record is about, in the fields of its OCSF class and in the sentence. */
#include "event/record.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define MESSAGE_PATH 240	/* bytes of a path in a message; the path's own field has all of it */

struct bytes base_name(struct bytes path)
{
	const char *slash = path.n ? memrchr(path.p, '/', path.n) : NULL;

	if (!slash || slash + 1 == path.p + path.n)
		return path;
	return (struct bytes){ slash + 1, path.p + path.n - slash - 1 };
}

static bool is_path_decision(const struct event *ev)
{
	return ev->head.type == REC_DECISION && ev->verb < VERB_PATH_COUNT && ev->path.n;
}

static char *verbs_put(char *d, unsigned verbs)
{
	const char *comma = "";

	for (unsigned v = 0; v < VERB_PATH_COUNT; v++) {
		if (!(verbs & 1u << v))
			continue;
		d = stpcpy(stpcpy(d, comma), verb_name(v));
		comma = ",";
	}
	return d;
}

/* What the action needed beside what it was refused for: whoever allows the one only will be asked for the other. */
void object_set_needs(struct work *w)
{
	const struct event *ev = w->ev;
	unsigned others = ev->arg >> NEEDS_OTHER & NEEDS_MASK;
	char *d = w->e->needs;

	if (!is_path_decision(ev) || !(ev->arg & NEEDS_MASK))
		return;
	d = verbs_put(d, ev->arg & NEEDS_MASK);
	if (others)
		(void)verbs_put(stpcpy(d, ">"), others);
	field_str(w->set, F_SB_NEEDS, w->e->needs);
}

static void set_file(struct work *w)
{
	const struct event *ev = w->ev;
	unsigned type = operation_info(ev->operation)->file_type;

	if (!type && is_path_decision(ev) && ev->arg & NEEDS_DIRECTORY)
		type = 2;
	if (ev->path.n) {
		work_set_bytes(w, F_FILE_NAME, base_name(ev->path));
		work_set_bytes(w, F_FILE_PATH, ev->path);
	} else {
		field_str(w->set, F_FILE_NAME, "unknown");
	}
	field_u64(w->set, F_FILE_TYPE_ID, type);
	if (!ev->path2.n)
		return;
	work_set_bytes(w, F_FILE_RESULT_NAME, base_name(ev->path2));
	work_set_bytes(w, F_FILE_RESULT_PATH, ev->path2);
	field_u64(w->set, F_FILE_RESULT_TYPE_ID, type);
}

static const char *family_name(unsigned family)
{
	static const char *const names[] = {
		[1] = "unix", [2] = "inet", [10] = "inet6", [16] = "netlink", [17] = "packet", [31] = "bluetooth", [38] = "alg",
		[40] = "vsock", [44] = "xdp",
	};

	return family < ARRAY_SIZE(names) ? names[family] : NULL;
}

/* IPv4 is stored mapped; it shows as the caller said it. */
static bool is_v4(const struct rec_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->addr, mapped, sizeof(mapped));
}

static bool has_address(const struct rec_addr *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

static void format_ip(struct events *e, const struct rec_addr *a)
{
	char *d = e->ip;

	if (!is_v4(a)) {
		(void)inet_ntop(AF_INET6, a->addr, e->ip, sizeof(e->ip));
		return;
	}
	for (int i = 12; i < 16; i++) {
		d = json_put_u64(d, a->addr[i]);
		*d++ = '.';
	}
	d[-1] = '\0';
}

static void set_network(struct work *w)
{
	const struct event *ev = w->ev;
	bool incoming = ev->operation == ACT_LISTEN || ev->operation == ACT_BIND || ev->operation == ACT_ACCEPT;

	if (has_address(&ev->addr)) {
		format_ip(w->e, &ev->addr);
		field_str(w->set, F_DST_IP, w->e->ip);
		field_u64(w->set, F_DST_PORT, ev->addr.port);
		field_u64(w->set, F_CONN_PROTOCOL, ev->addr.proto);
		field_u64(w->set, F_CONN_DIRECTION, incoming ? 1 : 2);
		return;
	}
	if (ev->path.n)
		work_set_bytes(w, F_DST_NAME, ev->path);
	else
		field_str(w->set, F_DST_NAME, family_name(ev->addr.family) ? family_name(ev->addr.family) : "unknown");
	field_u64(w->set, F_CONN_DIRECTION, 4);
}

static void set_kernel(struct work *w)
{
	field_str(w->set, F_KERNEL_NAME, operation_name(w->ev->operation));
	field_u64(w->set, F_KERNEL_TYPE_ID, 2);
	work_set_bytes(w, F_KERNEL_PATH, w->ev->path);
}

/* A decision about a process: a refused exec is about oneself, the others name their target in arg. */
static void set_process_target(struct work *w)
{
	const struct event *ev = w->ev;

	if (ev->operation != ACT_EXEC) {
		field_u64(w->set, F_PROCESS_PID, ev->arg >> 32);
		return;
	}
	field_u64(w->set, F_PROCESS_PID, ev->head.tgid);
	work_set_bytes(w, F_PROCESS_NAME, base_name(ev->path));
	work_set_bytes(w, F_PROCESS_PATH, ev->path);
	field_str(w->set, F_PROCESS_SANDBOX, w->sandbox.name);
}

/* What the operation's argument means, where that is known. */
void object_set_arg(struct work *w)
{
	const struct event *ev = w->ev;
	unsigned low = ev->arg;
	char *out = w->e->arg;
	size_t room = sizeof(w->e->arg);

	if (is_path_decision(ev))
		return;		/* its needs */
	if (ev->operation == ACT_SIGNAL)
		snprintf(out, room, "%s", signal_name(low) ? signal_name(low) : "signal");
	else if (ev->operation == ACT_SOCKET)
		snprintf(out, room, "%s", family_name(ev->addr.family) ? family_name(ev->addr.family) : "family");
	else if (ev->operation == ACT_CAPABLE && capability_name(low))
		snprintf(out, room, "CAP_%s", capability_name(low));
	else if (ev->operation == ACT_IOCTL)
		snprintf(out, room, "0x%x", low);
	else if (ev->arg && ev->operation != ACT_PTRACE && ev->operation != ACT_PRIORITY)
		snprintf(out, room, "%llu", (unsigned long long)ev->arg);
	else
		return;
	field_str(w->set, F_SB_ARG, out);
}

/* The class that can hold what the record has: OCSF has no file event without a name and no network event without a peer. */
enum event_class object_class(const struct event *ev)
{
	enum event_class c = operation_info(ev->operation)->class_id;

	if (c == EVENT_CLASS_FILE && !ev->path.n && !ev->reason)
		return EVENT_CLASS_KERNEL;
	if (c == EVENT_CLASS_NETWORK && !ev->path.n && !ev->addr.family)
		return EVENT_CLASS_KERNEL;
	if (c == EVENT_CLASS_PROCESS && ev->head.type == REC_DECISION && ev->operation != ACT_EXEC && !(ev->arg >> 32))
		return EVENT_CLASS_KERNEL;
	return c;
}

void object_set(struct work *w)
{
	switch (w->class_id) {
	case EVENT_CLASS_FILE:
		set_file(w);
		return;
	case EVENT_CLASS_NETWORK:
		set_network(w);
		return;
	case EVENT_CLASS_PROCESS:
		set_process_target(w);
		return;
	default:
		set_kernel(w);
		return;
	}
}

/* ---- in the sentence ---- */

void say_bytes(struct buf *b, struct bytes text)
{
	if (text.n <= MESSAGE_PATH) {
		buf_add(b, text.p, text.n);
		return;
	}
	buf_add(b, text.p, MESSAGE_PATH / 2);
	buf_add_str(b, "...");
	buf_add(b, text.p + text.n - MESSAGE_PATH / 2, MESSAGE_PATH / 2);
}

void object_say(struct work *w)
{
	struct buf *b = &w->e->message;
	const struct event *ev = w->ev;

	if (w->class_id == EVENT_CLASS_NETWORK && has_address(&ev->addr)) {
		buf_add_char(b, ' ');
		if (!is_v4(&ev->addr))
			buf_add_char(b, '[');
		buf_add_str(b, w->e->ip);
		if (!is_v4(&ev->addr))
			buf_add_char(b, ']');
		buf_add_char(b, ':');
		buf_add_u64(b, ev->addr.port);
		if (ev->addr.proto == IPPROTO_UDP)
			buf_add_str(b, "/udp");	/* as policies and explain write it */
	} else if (ev->path.n) {
		buf_add_char(b, ' ');
		say_bytes(b, ev->path);
	} else if (w->class_id == EVENT_CLASS_FILE) {
		buf_add_str(b, " a path that cannot be told");
	} else if (w->class_id == EVENT_CLASS_PROCESS) {
		buf_add_str(b, " process ");
		buf_add_u64(b, ev->arg >> 32);
	}
	if (ev->path2.n) {
		buf_add_str(b, " to ");
		say_bytes(b, ev->path2);
	}
}
