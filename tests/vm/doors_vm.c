/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other doors to the same calls: io_uring, where a policy opens it, also through the kernel's workers; and the 32-bit entry of a 64-bit
 * process. vm: --cpus 1
 */
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include "tests/vm/expect.h"

#define FILES \
	"files:\n" \
	"  read: [/]\n" \
	"  write: [/tmp/doors/ws]\n" \
	"  execute: [/]\n" \
	"  deny: [{path: [/tmp/doors/secret, /tmp/doors/ws/locked], id: secret}]\n"
static const char policy[] = "version: 1\npolicy: doors\n" OPEN_REST NO_NETWORK FILES;
static const char with_ring[] =
	"version: 1\npolicy: ring\nopen: [devices, privileges, limits, session, labels]\n" NO_NETWORK FILES "calls: {allow: [\"@io_uring\"]}\n";

static void prepare(void)
{
	CHECK_EQ(system("rm -rf /tmp/doors && mkdir -p /tmp/doors/ws/locked /tmp/doors/ws/d"), 0);
	put_file("/tmp/doors/secret", "secret", 0644);
	put_file("/tmp/doors/ws/a", "a", 0644);
	put_file("/tmp/doors/ws/locked/a", "a", 0755);
	CHECK_EQ(mkdir("/tmp/doors/ws/locked/d", 0755), 0);
}

/* ---- io_uring ---- */

struct ring {
	int fd;
	char *queues;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
};

static int ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return -errno;
	r->queues = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
	return r->queues == MAP_FAILED || (void *)r->sqes == MAP_FAILED ? -errno : 0;
}

/* One request, waited for. */
static int ring_run(struct ring *r, const struct io_uring_sqe *sqe)
{
	unsigned *tail = (unsigned *)(r->queues + r->p.sq_off.tail), *array = (unsigned *)(r->queues + r->p.sq_off.array);
	struct io_uring_cqe *cqes = (void *)(r->queues + r->p.cq_off.cqes);

	r->sqes[0] = *sqe;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return -errno;
	return cqes[0].res < 0 ? cqes[0].res : 0;
}

struct request {
	unsigned char opcode;
	const char *path, *path2;
	unsigned flags;
	struct expect e;
	unsigned char how;	/* of the submission */
};

static int ring_request(void *arg)
{
	const struct request *q = arg;
	struct open_how how = { .flags = q->flags };
	struct io_uring_sqe sqe = { .opcode = q->opcode, .fd = AT_FDCWD, .addr = (uintptr_t)q->path, .len = 0600, .open_flags = q->flags, .flags = q->how };
	struct ring r;
	int err = ring_open(&r);

	if (err)
		return err;
	switch (q->opcode) {
	case IORING_OP_OPENAT2:
		sqe.len = sizeof(how);
		sqe.addr2 = (uintptr_t)&how;
		sqe.open_flags = 0;
		break;
	case IORING_OP_RENAMEAT:
	case IORING_OP_LINKAT:
		sqe.len = AT_FDCWD;
		sqe.addr2 = (uintptr_t)q->path2;
		break;
	case IORING_OP_SYMLINKAT:
		sqe.len = 0;
		sqe.addr2 = (uintptr_t)q->path2;
		break;
	case IORING_OP_UNLINKAT:
		sqe.len = 0;
	}
	return ring_run(&r, &sqe);
}

#define LOCKED "/tmp/doors/ws/locked"
static struct request requests[] = {
	{ IORING_OP_OPENAT, "/tmp/doors/secret", NULL, O_RDONLY, { "secret", "/tmp/doors/secret", "", ACT_OPEN, VERB_READ, 0, EACCES }, 0 },
	{ IORING_OP_OPENAT2, "/tmp/doors/secret", NULL, O_RDONLY, { "secret", "/tmp/doors/secret", "", ACT_OPEN, VERB_READ, 0, EACCES }, 0 },
	{ IORING_OP_OPENAT, LOCKED "/new", NULL, O_CREAT | O_WRONLY, { "secret", LOCKED "/new", "", ACT_CREATE, VERB_CREATE, 0, EACCES }, 0 },
	{ IORING_OP_UNLINKAT, LOCKED "/a", NULL, 0, { "secret", LOCKED "/a", "", ACT_UNLINK, VERB_REMOVE, 0, EACCES }, 0 },
	{ IORING_OP_UNLINKAT, LOCKED "/d", NULL, AT_REMOVEDIR, { "secret", LOCKED "/d", "", ACT_RMDIR, VERB_REMOVE, 0, EACCES }, 0 },
	{ IORING_OP_MKDIRAT, LOCKED "/new", NULL, 0, { "secret", LOCKED "/new", "", ACT_MKDIR, VERB_CREATE, 0, EACCES }, 0 },
	{ IORING_OP_SYMLINKAT, "a", LOCKED "/new", 0, { "secret", LOCKED "/new", "", ACT_SYMLINK, VERB_CREATE, 0, EACCES }, 0 },
	{ IORING_OP_RENAMEAT, LOCKED "/a", "/tmp/doors/ws/b", 0, { "secret", LOCKED "/a", "/tmp/doors/ws/b", ACT_RENAME, VERB_REMOVE, 0, EACCES }, 0 },
	{ IORING_OP_LINKAT, LOCKED "/a", "/tmp/doors/ws/b", 0, { "secret", LOCKED "/a", "/tmp/doors/ws/b", ACT_LINK, VERB_READ, 0, EACCES }, 0 },
};

static void check_request(struct request *q, unsigned char how)
{
	struct ruled *r = ruled_new(with_ring, STAGE_ENFORCE);

	CASE("opcode %u %s how %u", q->opcode, q->path, how);
	q->how = how;
	prepare();
	CHECK_EQ(free_run(ring_request, q), 0);
	prepare();
	govern_forget();
	CHECK_EQ(ruled_run(r, ring_request, q), -EACCES);
	check_record(r, &q->e);
	/* the kernel's worker is the sandbox's process and made no system call */
	if (how & IOSQE_ASYNC)
		CHECK_EQ(govern_seen[0].d.syscall, 0);
	CHECK(govern_seen[0].d.h.tgid > 1);
	ruled_free(r);
}

TEST(requests_on_a_ring_are_judged_like_the_calls_they_stand_for)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		check_request(&requests[i], 0);
		check_request(&requests[i], IOSQE_ASYNC);
	}
}

TEST(what_a_policy_allows_works_on_a_ring)
{
	static struct request fine[] = {
		{ IORING_OP_OPENAT, "/tmp/doors/ws/a", NULL, O_RDWR, {}, 0 }, { IORING_OP_OPENAT, "/tmp/doors/ws/new", NULL, O_CREAT | O_WRONLY, {}, 0 },
		{ IORING_OP_RENAMEAT, "/tmp/doors/ws/a", "/tmp/doors/ws/b", 0, {}, 0 },
		{ IORING_OP_UNLINKAT, "/tmp/doors/ws/b", NULL, 0, {}, IOSQE_ASYNC },
	};
	struct ruled *r = ruled_new(with_ring, STAGE_ENFORCE);

	prepare();
	govern_forget();
	for (size_t i = 0; i < 4; i++) {
		CASE("opcode %u", fine[i].opcode);
		CHECK_EQ(ruled_run(r, ring_request, &fine[i]), 0);
	}
	check_silent(r);
	ruled_free(r);
}

static int ring_setup(void *unused)
{
	struct ring r;

	(void)unused;
	return ring_open(&r);
}

TEST(no_ring_without_the_policy)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "guard.io_uring", "", "", ACT_IO_URING, VERB_CALL, REASON_NONE, EPERM };

	govern_forget();
	CHECK_REFUSED(r, ring_setup, NULL, EPERM);
	check_record(r, &e);
	ruled_free(r);
}

/* ---- the 32-bit entry ---- */

static int call32(int nr, long a, long b, long c)
{
	int r;

	asm volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
	return r < 0 ? r : 0;
}

struct call {
	const char *name;
	int nr;
	const char *path, *path2;	/* path2: the second argument, else b */
	long b, c;
	struct expect e;
};

/* Arguments lie below 4 GiB. */
static int run_call32(void *arg)
{
	const struct call *c = arg;
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (low == MAP_FAILED)
		return -errno;
	strcpy(low, c->path);
	if (c->path2)
		strcpy(low + 512, c->path2);
	return call32(c->nr, (long)low, c->path2 ? (long)low + 512 : c->b, c->c);
}

TEST(calls_by_the_32_bit_entry_are_judged_like_any)
{
#define ONE(op, verb) { "secret", LOCKED "/a", "", op, verb, REASON_NONE, EACCES }
#define NEW(op) { "secret", LOCKED "/new", "", op, VERB_CREATE, REASON_NONE, EACCES }
	static struct call calls[] = {
		{ "open", 5, LOCKED "/a", NULL, O_RDONLY, 0, ONE(ACT_OPEN, VERB_READ) },
		{ "open to write", 5, LOCKED "/a", NULL, O_WRONLY, 0, ONE(ACT_OPEN, VERB_CHANGE) },
		{ "creat", 8, LOCKED "/new", NULL, 0600, 0, NEW(ACT_CREATE) },
		{ "unlink", 10, LOCKED "/a", NULL, 0, 0, ONE(ACT_UNLINK, VERB_REMOVE) },
		{ "link", 9, LOCKED "/a", LOCKED "/new", 0, 0, { "secret", LOCKED "/a", LOCKED "/new", ACT_LINK, VERB_READ, REASON_NONE, EACCES } },
		{ "rename", 38, LOCKED "/a", LOCKED "/new", 0, 0, { "secret", LOCKED "/a", LOCKED "/new", ACT_RENAME, VERB_REMOVE, REASON_NONE, EACCES } },
		{ "mkdir", 39, LOCKED "/new", NULL, 0700, 0, NEW(ACT_MKDIR) },
		{ "rmdir", 40, LOCKED "/d", NULL, 0, 0, { "secret", LOCKED "/d", "", ACT_RMDIR, VERB_REMOVE, REASON_NONE, EACCES } },
		{ "mknod", 14, LOCKED "/new", NULL, S_IFIFO | 0600, 0, NEW(ACT_MKNOD) },
		{ "symlink", 83, "a", LOCKED "/new", 0, 0, NEW(ACT_SYMLINK) },
		{ "truncate", 92, LOCKED "/a", NULL, 0, 0, ONE(ACT_TRUNCATE, VERB_CHANGE) },
		{ "truncate64", 193, LOCKED "/a", NULL, 1, 0, ONE(ACT_TRUNCATE, VERB_CHANGE) },
		{ "chmod", 15, LOCKED "/a", NULL, 0600, 0, ONE(ACT_CHMOD, VERB_CHANGE) },
		{ "chown32", 212, LOCKED "/a", NULL, 1, 1, ONE(ACT_CHOWN, VERB_CHANGE) },
		{ "lchown", 16, LOCKED "/a", NULL, 1, 1, ONE(ACT_CHOWN, VERB_CHANGE) },
		{ "utime", 30, LOCKED "/a", NULL, 0, 0, ONE(ACT_SETATTR, VERB_CHANGE) },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		CASE("%s", calls[i].name);
		prepare();
		CHECK_EQ(free_run(run_call32, &calls[i]), 0);
		prepare();
		govern_forget();
		CHECK_EQ(ruled_run(r, run_call32, &calls[i]), -EACCES);
		check_record(r, &calls[i].e);
		ruled_free(r);
	}
}

TEST_MAIN()
