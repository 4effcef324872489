/* SPDX-License-Identifier: Apache-2.0 */
/* Ways into the kernel that no C library offers: the 32-bit table from a 64-bit process, io_uring, descriptors by socket. */
#ifndef TESTS_VM_RAW_H
#define TESTS_VM_RAW_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A call of the i386 table by int $0x80; pointers must lie below 4 GiB (low_page()). 0 or more, or -errno. */
static inline long ia32(long nr, long a, long b, long c, long d, long e)
{
	long r;

	asm volatile("int $0x80" : "=a"(r) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e) : "r8", "r9", "r10", "r11", "memory");
	return (int)r;
}

static inline void *low_page(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

struct uring {
	int fd;
	char *ring;
	struct io_uring_params p;
	struct io_uring_sqe *sqes;
};

static inline int uring_open(struct uring *u, unsigned flags)
{
	size_t bytes;

	memset(u, 0, sizeof(*u));
	u->p.flags = flags;
	u->fd = syscall(SYS_io_uring_setup, 4, &u->p);
	if (u->fd < 0)
		return -errno;
	bytes = u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe);
	u->ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQ_RING);
	u->sqes = mmap(NULL, 4 * sizeof(*u->sqes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, u->fd, IORING_OFF_SQES);
	return u->ring == MAP_FAILED || u->sqes == MAP_FAILED ? -ENOMEM : 0;
}

/* One request, waited for: what it gives, or -errno. */
static inline int uring_do(struct uring *u, const struct io_uring_sqe *sqe)
{
	uint32_t *tail = (void *)(u->ring + u->p.sq_off.tail), *array = (void *)(u->ring + u->p.sq_off.array);
	uint32_t *head = (void *)(u->ring + u->p.cq_off.head);
	uint32_t at = *tail & (u->p.sq_entries - 1), flags = IORING_ENTER_GETEVENTS;
	struct io_uring_cqe *cqes = (void *)(u->ring + u->p.cq_off.cqes);
	int res;

	u->sqes[at] = *sqe;
	array[at] = at;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (u->p.flags & IORING_SETUP_SQPOLL)
		flags |= IORING_ENTER_SQ_WAKEUP;
	if (syscall(SYS_io_uring_enter, u->fd, 1, 1, flags, NULL, 0) < 0)
		return -errno;
	res = cqes[*head & (u->p.cq_entries - 1)].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return res;
}

static inline int fd_send(int via, int fd)
{
	char byte = 'f', room[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(via, &m, 0) == 1 ? 0 : -errno;
}

/* The descriptor, or -EACCES when the message came without it. */
static inline int fd_receive(int via)
{
	char byte, room[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c;
	int fd;

	if (recvmsg(via, &m, 0) != 1)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return m.msg_flags & MSG_CTRUNC ? -EACCES : -ENOMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

#endif
