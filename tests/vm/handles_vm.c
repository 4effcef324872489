/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that arrive without a path: descriptors passed by an outsider or taken from another process, file handles, directories that are
 * only handles. vm: --cpus 1
 */
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include "tests/vm/expect.h"

static const char policy[] =
	"version: 1\npolicy: handles\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/tmp/handles/ok, /tmp/handles/ws, /proc/self]\n"
	"  write: [/tmp/handles/ws]\n"
	"  execute: [/]\n"
	"  deny: [{path: [/tmp/handles/secret], id: secret}]\n";

static void prepare(void)
{
	static const char *const dirs[] = { "", "/ok", "/ws", "/secret", "/out" };
	char path[64];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "/tmp/handles%s", dirs[i]);
		mkdir(path, 0755);
		strcat(path, "/f");
		put_file(path, "text", 0644);
	}
}

/* ---- what can be passed ---- */

static int open_plain(const char *path, int flags)
{
	return open(path, flags, 0600);
}

static int make_memfd(const char *path, int flags)
{
	return memfd_create(path, flags);
}

static int make_pipe(const char *path, int end)
{
	int fds[2];

	(void)path;
	return pipe(fds) ? -1 : fds[end];
}

static int make_inert(const char *what, int unused)
{
	sigset_t none;

	(void)unused;
	sigemptyset(&none);
	switch (what[0]) {
	case 'e':
		return eventfd(0, 0);
	case 'p':
		return epoll_create1(0);
	case 't':
		return timerfd_create(CLOCK_MONOTONIC, 0);
	default:
		return signalfd(-1, &none, 0);
	}
}

static int make_map(void)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };

	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int make_perf(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr), .config = PERF_COUNT_SW_CPU_CLOCK };

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

/* Anonymous inodes that reach somewhere. A ring (io_uring) cannot be passed at all. */
static int make_power(const char *what, int unused)
{
	(void)unused;
	switch (what[0]) {
	case 'i':
		return inotify_init();
	case 'p':
		return syscall(SYS_pidfd_open, getpid(), 0);
	case 'b':
		return make_map();
	case 'e':
		return make_perf();
	case 'u':
		return syscall(SYS_userfaultfd, 0);
	case 'f':
		return syscall(SYS_fsopen, "tmpfs", 0);
	default:
		return socket(AF_INET, SOCK_STREAM, 0);
	}
}

struct passed {
	const char *what;
	int (*make)(const char *what, int flags);
	int flags;
	struct expect e;	/* rule NULL: it arrives */
};

static int send_descriptor(int to, int fd)
{
	char c = 'x', control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(to, &msg, 0) == 1 ? 0 : -errno;
}

/* The descriptor, or -EACCES when the message came without it. */
static int receive_descriptor(int from)
{
	char c, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { &c, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(from, &msg, 0) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (msg.msg_flags & MSG_CTRUNC || !cmsg || cmsg->cmsg_len < CMSG_LEN(sizeof(int)))
		return -EACCES;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(int));
	return fd;
}

static int receive(void *from)
{
	int fd = receive_descriptor(*(int *)from);

	return fd < 0 ? fd : 0;
}

/* An outsider sends; the receiver is free (r NULL) or governed. */
static int pass(struct ruled *r, const struct passed *p)
{
	int pair[2], fd = p->make(p->what, p->flags), got;

	CHECK(fd >= 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(send_descriptor(pair[0], fd), 0);
	got = ruled_run(r, receive, &pair[1]);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	return got;
}

#define POWER(what) { what, make_power, 0, { "guard.descriptor", "", "", ACT_RECEIVE, VERB_CALL, REASON_NONE, EACCES } }

TEST(a_passed_descriptor_arrives_only_where_it_could_have_been_opened)
{
	static const struct passed all[] = {
		{ "/tmp/handles/ok/f", open_plain, O_RDONLY, {} },
		{ "/tmp/handles/ws/f", open_plain, O_RDWR, {} },
		{ "/tmp/handles/ws", open_plain, O_RDONLY | O_DIRECTORY, {} },
		{ "/tmp/handles/secret/f", open_plain, O_RDONLY,
		  { "secret", "/tmp/handles/secret/f", "", ACT_RECEIVE, VERB_READ, REASON_NONE, EACCES } },
		{ "/tmp/handles/ok/f", open_plain, O_WRONLY,
		  { "files.default", "/tmp/handles/ok/f", "", ACT_RECEIVE, VERB_CHANGE, REASON_NONE, EACCES } },
		{ "/tmp/handles/ok/f", open_plain, O_RDWR | O_TRUNC,
		  { "files.default", "/tmp/handles/ok/f", "", ACT_RECEIVE, VERB_CHANGE, REASON_NONE, EACCES } },
		{ "/tmp/handles/out/new", open_plain, O_WRONLY | O_CREAT,
		  { "files.default", "/tmp/handles/out/new", "", ACT_RECEIVE, VERB_CHANGE, REASON_NONE, EACCES } },
		{ "/tmp/handles/out", open_plain, O_RDONLY | O_DIRECTORY,
		  { "files.default", "/tmp/handles/out", "", ACT_RECEIVE, VERB_READ, REASON_NONE, EACCES } },
		{ "/tmp/handles/out", open_plain, O_TMPFILE | O_RDWR, { "files.default", NULL, "", ACT_RECEIVE, VERB_READ, REASON_NONE, EACCES } },
		{ "/dev/null", open_plain, O_RDWR, { "files.default", "/dev/null", "", ACT_RECEIVE, VERB_READ, REASON_NONE, EACCES } },
		/* only a handle: what is done with it is judged */
		{ "/tmp/handles/secret", open_plain, O_PATH, {} },
		{ "memory", make_memfd, 0, {} },
		{ "a pipe to read", make_pipe, 0, {} },
		{ "a pipe to write", make_pipe, 1, {} },
		{ "eventfd", make_inert, 0, {} },
		{ "poll", make_inert, 0, {} },
		{ "timerfd", make_inert, 0, {} },
		{ "signalfd", make_inert, 0, {} },
		POWER("inotify"), POWER("pidfd"), POWER("bpf map"), POWER("event of perf"), POWER("userfaultfd"), POWER("fsopen"),
		{ "tcp", make_power, 0, { "sockets.foreign", "", "", ACT_RECEIVE, VERB_CONNECT, REASON_NONE, EACCES } },
		{ "/proc/self/ns/net", open_plain, O_RDONLY, { "guard.namespace", "", "", ACT_RECEIVE, VERB_CALL, REASON_NONE, EACCES } },
		{ "/proc/self/maps", open_plain, O_RDONLY, { "guard.proc", "", "", ACT_PROC, VERB_CALL, REASON_NONE, EACCES } },
		{ GOVERN_CGROUP "/cgroup.procs", open_plain, O_RDWR, { "guard.cgroup", "", "", ACT_CGROUP, VERB_CALL, REASON_NONE, EACCES } },
		{ GOVERN_PINS, open_plain, O_RDONLY, { "guard.self", "", "", ACT_RECEIVE, VERB_CALL, REASON_NONE, EACCES } },
	};

	prepare();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const struct passed *p = &all[i];
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		CASE("%s %o", p->what, p->flags);
		govern_forget();
		CHECK_EQ(pass(NULL, p), 0);
		CHECK_EQ(pass(r, p), p->e.rule ? -EACCES : 0);
		if (p->e.rule)
			check_record(r, &p->e);
		else
			check_silent(r);
		ruled_free(r);
	}
}

/* ---- a handle of a directory ---- */

struct under {
	int dir;
	const char *name;
};

static int open_under(void *arg)
{
	const struct under *u = arg;

	return rc(openat(u->dir, u->name, O_RDONLY));
}

TEST(what_lies_under_a_passed_handle_is_judged_by_its_path)
{
	static const char *const names[] = { "f", "../secret/f", "./f" };
	struct under u;
	const struct expect e = { "secret", "/tmp/handles/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };

	prepare();
	u.dir = open("/tmp/handles/secret", O_PATH);
	for (size_t i = 0; i < 3; i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		u.name = names[i];
		CASE("%s", u.name);
		govern_forget();
		CHECK_REFUSED(r, open_under, &u, EACCES);
		check_record(r, &e);
		u.name = "../ok/f";
		CHECK_EQ(ruled_run(r, open_under, &u), 0);
		ruled_free(r);
	}
}

/* ---- taken from a process ---- */

struct theft {
	pid_t from;	/* 0: from itself */
	int fd;
};

static int take(void *arg)
{
	const struct theft *t = arg;
	int pidfd = syscall(SYS_pidfd_open, t->from ? t->from : getpid(), 0);

	return rc(syscall(SYS_pidfd_getfd, pidfd, t->fd, 0));
}

TEST(a_descriptor_is_not_taken_from_an_outsider_nor_past_the_policy)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct theft t = {};
	const struct expect e = { "secret", "/tmp/handles/secret/f", "", ACT_RECEIVE, VERB_READ, REASON_NONE, EACCES };

	prepare();
	t.fd = open("/tmp/handles/ok/f", O_RDONLY);
	t.from = fork();
	if (!t.from) {
		pause();
		_exit(0);
	}
	govern_forget();
	CHECK_REFUSED(r, take, &t, EPERM);
	CHECK_STR(ruled_last(r, ACT_PTRACE), "guard.ptrace");
	kill(t.from, SIGKILL);
	waitpid(t.from, NULL, 0);
	/* of its own, inherited from before: taken again, it is judged */
	t.from = 0;
	CHECK_EQ(ruled_run(r, take, &t), 0);
	t.fd = open("/tmp/handles/secret/f", O_RDONLY);
	govern_forget();
	CHECK_REFUSED(r, take, &t, EACCES);
	check_record(r, &e);
	ruled_free(r);
}

/* ---- file handles ---- */

static union {
	struct file_handle handle;
	char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
} named;

static int open_handle(void *mount)
{
	return rc(open_by_handle_at(*(int *)mount, &named.handle, O_RDONLY));
}

TEST(a_file_handle_opens_what_its_path_would)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "secret", "/tmp/handles/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	int mount = open("/tmp", O_RDONLY | O_DIRECTORY), id;

	prepare();
	govern_forget();
	named.handle.handle_bytes = MAX_HANDLE_SZ;
	CHECK_EQ(name_to_handle_at(AT_FDCWD, "/tmp/handles/ok/f", &named.handle, &id, 0), 0);
	CHECK_EQ(ruled_run(r, open_handle, &mount), 0);
	check_silent(r);
	named.handle.handle_bytes = MAX_HANDLE_SZ;
	CHECK_EQ(name_to_handle_at(AT_FDCWD, "/tmp/handles/secret/f", &named.handle, &id, 0), 0);
	CHECK_REFUSED(r, open_handle, &mount, EACCES);
	check_record(r, &e);
	ruled_free(r);
}

/* ---- memory files ---- */

static const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };

static int use_memory(void *unused)
{
	int fd = memfd_create("scratch", 0), again;
	char path[64];

	(void)unused;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR);
	if (fd < 0 || again < 0 || write(again, "x", 1) != 1 || ftruncate(fd, 4096) || fchmod(fd, 0600) || futimens(fd, times))
		return -errno;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -errno : 0;
}

TEST(memory_files_and_pipes_are_the_sandboxs_own)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(free_run(use_memory, NULL), 0);
	CHECK_EQ(ruled_run(r, use_memory, NULL), 0);
	check_silent(r);
	ruled_free(r);
}

TEST_MAIN()
