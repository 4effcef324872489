/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Framing of the control protocol, for both ends. The peer is hostile: a message grows only as its bytes arrive, descriptors are taken
 * with the first byte alone and are close-on-exec from the start, and whatever does not fit is closed and refused. Never reads past the
 * message at hand, so that a descriptor of the next one cannot get lost.
 */
#include "engine/control.h"
#include <endian.h>
#include <sys/socket.h>
#include <sys/un.h>

#define HEAD_BYTES 4
#define STEP_BYTES (64u << 10)

/* Room for one header of exactly CONTROL_MAX_FDS: one descriptor more and the kernel says MSG_CTRUNC. */
union fd_room {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
};

static void close_fds(int *fds, size_t *count)
{
	for (size_t i = 0; i < *count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	*count = 0;
}

void control_message_done(struct control_message *m)
{
	close_fds(m->fds, &m->fd_count);
	kv_done(&m->kv);
	free(m->bytes);
	m->bytes = NULL;
}

void control_reader_done(struct control_reader *r)
{
	close_fds(r->fds, &r->fd_count);
	buf_done(&r->body);
	*r = (struct control_reader){};
}

/* ---- receiving ---- */

/* Every descriptor the kernel gave us is ours to close from here on, also those of a message that is refused. */
static int take_fds(struct control_reader *r, struct msghdr *msg)
{
	int err = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (r->fd_count < CONTROL_MAX_FDS) {
				r->fds[r->fd_count++] = fd;
			} else {
				close(fd);
				err = -EBADMSG;
			}
		}
	}
	return msg->msg_flags & MSG_CTRUNC ? -EBADMSG : err;
}

/* Bytes read, 0 at the end. Without room for descriptors the kernel drops any and says MSG_CTRUNC: none belong behind the first byte. */
static ssize_t receive_some(struct control_reader *r, int sock, void *p, size_t n)
{
	struct iovec iov = { .iov_base = p, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	union fd_room room;
	ssize_t got;
	int err;

	if (!r->have) {
		msg.msg_control = room.bytes;
		msg.msg_controllen = sizeof(room.bytes);
	}
	do {
		got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	err = take_fds(r, &msg);
	return err ? err : got;
}

static int read_head(struct control_reader *r, int sock)
{
	ssize_t got = receive_some(r, sock, r->head + r->have, HEAD_BYTES - r->have);
	uint32_t size;

	if (got <= 0)
		return got ? got : r->have ? -EBADMSG : -ENOLINK;
	r->have += got;
	if (r->have < HEAD_BYTES)
		return 0;
	memcpy(&size, r->head, sizeof(size));
	r->size = le32toh(size);
	if (!r->size)
		return -EBADMSG;
	return r->size > KV_MAX_BYTES ? -EMSGSIZE : 0;
}

static int read_body(struct control_reader *r, int sock)
{
	size_t left = r->size - r->body.len, step = left < STEP_BYTES ? left : STEP_BYTES;
	int err = buf_reserve(&r->body, step);
	ssize_t got;

	if (err)
		return err;
	got = receive_some(r, sock, r->body.data + r->body.len, step);
	if (got <= 0)
		return got ? got : -EBADMSG;
	r->body.len += got;
	r->have += got;
	return r->body.len == r->size;
}

/* Hand the complete message over; the reader starts anew whatever comes of it. */
static int finish(struct control_reader *r, struct control_message *out)
{
	struct control_message m = { .fd_count = r->fd_count };
	int err = kv_parse(r->body.data, r->body.len, &m.kv);

	if (err)
		return err;
	memcpy(m.fds, r->fds, sizeof(m.fds));
	m.bytes = steal(&r->body.data);
	*r = (struct control_reader){};
	*out = m;
	return 1;
}

int control_read(struct control_reader *r, int sock, struct control_message *out)
{
	int got = 0;

	while (!got)
		got = r->have < HEAD_BYTES ? read_head(r, sock) : read_body(r, sock);
	if (got == 1)
		return finish(r, out);
	return got == -EAGAIN ? 0 : got;
}

int control_receive(int sock, struct control_message *out)
{
	_cleanup_(control_reader_done) struct control_reader r = {};
	int got = control_read(&r, sock, out);

	if (!got)
		return -ETIMEDOUT;	/* a blocking socket says EAGAIN only when its time limit has passed */
	return got < 0 ? got : 0;
}

/* ---- sending ---- */

static void put_fds(struct msghdr *msg, union fd_room *room, const int *fds, size_t fd_count)
{
	struct cmsghdr *c;

	memset(room, 0, sizeof(*room));
	msg->msg_control = room->bytes;
	msg->msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
}

static ssize_t send_some(int sock, struct msghdr *msg)
{
	ssize_t put;

	do {
		put = sendmsg(sock, msg, MSG_NOSIGNAL);
	} while (put < 0 && errno == EINTR);
	if (put < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return put;
}

static void advance(struct iovec *iov, size_t n)
{
	for (size_t i = 0; i < 2; i++) {
		size_t part = n < iov[i].iov_len ? n : iov[i].iov_len;

		iov[i].iov_base = (char *)iov[i].iov_base + part;
		iov[i].iov_len -= part;
		n -= part;
	}
}

int control_send(int sock, const struct buf *message, const int *fds, size_t fd_count)
{
	uint32_t head = htole32(message->len);
	struct iovec iov[2] = {
		{ .iov_base = &head, .iov_len = sizeof(head) },
		{ .iov_base = message->data, .iov_len = message->len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	union fd_room room;

	if (message->err)
		return message->err;
	if (!message->len || message->len > KV_MAX_BYTES || fd_count > CONTROL_MAX_FDS)
		return -EMSGSIZE;
	if (fd_count && !fds)
		return -EINVAL;
	if (fd_count)
		put_fds(&msg, &room, fds, fd_count);
	while (iov[0].iov_len + iov[1].iov_len) {
		ssize_t put = send_some(sock, &msg);

		if (put < 0)
			return put;
		advance(iov, put);
		msg.msg_control = NULL;	/* they went with the first byte */
		msg.msg_controllen = 0;
	}
	return 0;
}

/* ---- calling ---- */

int control_connect(const char *path, int *sock)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_close_ int fd = -1;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return -errno;
	*sock = steal_fd(&fd);
	return 0;
}

static int reply_result(const struct control_message *reply)
{
	const char *ok = kv_get(&reply->kv, "ok");
	uint64_t number = EPROTO;

	if (!ok)
		return -EPROTO;
	if (!strcmp(ok, "1"))
		return 0;
	(void)kv_get_u64(&reply->kv, "errno", &number);	/* a refusal without a number stays one */
	return number && number < 4096 ? -(int)number : -EPROTO;
}

int control_call(int sock, const struct buf *request, const int *fds, size_t fd_count, struct control_message *reply)
{
	int err;

	*reply = (struct control_message){};
	err = control_send(sock, request, fds, fd_count);
	if (!err)
		err = control_receive(sock, reply);
	return err ? err : reply_result(reply);
}
