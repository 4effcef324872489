/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How membership ends: members counted as they live and die, a row that is used again, and a bystander with storage of another program's.
 * vm: --cpus 2
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <time.h>
#include "tests/vm/expect.h"
#include "tests/vm/raw.h"

static const char policy[] =
	"version: 1\npolicy: life\nopen: [devices, privileges, limits, session, labels]\n"
	"calls: {allow: [\"@io_uring\"]}\n"
	"network: {connect: [{to: [\"0.0.0.0/0\", \"::/0\"], proto: [tcp, udp]}], listen: [{to: [\"0.0.0.0/0\", \"::/0\"], proto: [tcp, udp]}]}\n"
	"sockets: {unix: [{path: /, i_accept: host-control}]}\n"
	"files:\n  read: [/]\n  write: [/]\n  execute: [/]\n";

/* ---- counting ---- */

static int step[2], told[2];	/* the child tells that a step is done; the test lets it go on */

static int next_step(void)
{
	char c = 's';

	return write(told[1], &c, 1) == 1 && read(step[0], &c, 1) == 1 ? 0 : -EPROTO;
}

static void await_step(void)
{
	char c;

	CHECK_EQ(read(told[0], &c, 1), 1);
}

static void let_go(void)
{
	CHECK_EQ(write(step[1], "g", 1), 1);
}

static void *wait_in_thread(void *pipe)
{
	char c;

	(void)!read(*(int *)pipe, &c, 1);
	return NULL;
}

static int live(void *arg)
{
	struct io_uring_sqe nop = { .opcode = IORING_OP_NOP, .flags = IOSQE_ASYNC };
	pthread_t threads[3];
	struct uring u;
	int ends[2];
	pid_t child;

	(void)arg;
	if (pipe(ends))
		return -errno;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, wait_in_thread, &ends[0]);
	child = fork();
	if (!child) {
		(void)!read(ends[0], &ends[1], 1);
		_exit(0);
	}
	if (next_step())	/* 1: this, three threads, a child */
		return -EPROTO;
	(void)!write(ends[1], "xxxx", 4);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	waitpid(child, NULL, 0);
	if (next_step())	/* 2: this */
		return -EPROTO;
	if (uring_open(&u, IORING_SETUP_SQPOLL) || uring_do(&u, &nop) < 0 || next_step())	/* 3: workers are not counted */
		return -EPROTO;
	close(u.fd);
	munmap(u.ring, 4096);
	munmap(u.sqes, 4096);
	usleep(100000);
	return next_step();	/* 4: nor is their end */
}

static void start_steps(void)
{
	CHECK_EQ(pipe(step) | pipe(told), 0);
}

TEST(members_are_counted_as_they_live)
{
	static const uint32_t counts[] = { 5, 1, 1, 1 };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	int result;
	pid_t pid;

	start_steps();
	pid = ruled_spawn(r, live, NULL, &result);
	for (size_t i = 0; i < 4; i++) {
		CASE("step %zu", i + 1);
		await_step();
		CHECK(ruled_members_become(r, counts[i]));	/* a joined thread is still on its way out */
		CHECK_EQ(kernel_sandbox_free(govern_kernel, r->id), -EBUSY);
		let_go();
	}
	CHECK_EQ(spawn_result(pid, result), 0);
	CHECK(ruled_members_become(r, 0));
	ruled_free(r);
}

static void *exec_in_thread(void *arg)
{
	(void)arg;
	execl("/bin/sh", "sh", "-c", "read x </proc/self/status && echo s >&3 && read x <&4 && read x </proc/self/comm && exit 0; exit 9", NULL);
	return NULL;
}

static int exec_by_thread(void *arg)
{
	pthread_t t;

	(void)arg;
	dup2(told[1], 3);
	dup2(step[0], 4);
	if (!pthread_create(&t, NULL, exec_in_thread, NULL))
		pthread_join(t, NULL);	/* the exec ends this */
	return -EPROTO;
}

/* The thread takes the pid of its leader, which dies: one member, whose /proc is still its own. */
TEST(exec_by_a_thread_keeps_the_count_and_its_own_proc)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	int result, status;
	pid_t pid;
	char line[2];

	start_steps();
	govern_forget();
	pid = ruled_spawn(r, exec_by_thread, NULL, &result);
	CHECK_EQ(read(told[0], line, 2), 2);
	CHECK_EQ(ruled_members(r), 1);
	CHECK_EQ(write(step[1], "g\n", 2), 2);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(result);
	check_silent(r);
	CHECK(ruled_members_become(r, 0));
	ruled_free(r);
}

/* It dies before it is labelled, and nobody has waited for it yet. */
TEST(a_dead_process_that_is_labelled_leaves_when_it_is_reaped)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	siginfo_t info;
	pid_t pid = fork();
	int pidfd;

	if (!pid)
		_exit(0);
	CHECK_EQ(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	CHECK(pidfd >= 0);
	(void)kernel_member_label(govern_kernel, pidfd, r->id, 1);
	close(pidfd);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK(ruled_members_become(r, 0));
	ruled_free(r);
}

/* ---- rows and strangers ---- */

static int open_when_told(void *unused)
{
	char c;

	(void)unused;
	return read(step[0], &c, 1) == 1 ? rc(open("/etc/hosts", O_RDONLY)) : -EPROTO;
}

static void label_by_hand(pid_t pid, uint64_t id, uint32_t index)
{
	struct member m = { .sandbox = id, .index = index, .command = 1 };
	int map = bpf_obj_get(GOVERN_PINS "/maps/members"), pidfd = syscall(SYS_pidfd_open, pid, 0);

	CHECK(map >= 0 && pidfd >= 0);
	CHECK_EQ(bpf_map_update_elem(map, &pidfd, &m, BPF_ANY), 0);
	close(map);
	close(pidfd);
}

TEST(a_label_of_a_sandbox_that_is_gone_gets_nothing_of_the_next_in_its_row)
{
	struct kernel_sandbox old, now;
	struct ruled *r, *next;
	int result;
	pid_t pid;

	(void)govern_attached();
	kernel_tidy(govern_kernel);	/* the lowest row that is free is taken, both times */
	r = ruled_new(policy, STAGE_ENFORCE);
	CHECK_EQ(kernel_sandbox_get(govern_kernel, r->id, &old), 0);
	ruled_free(r);
	kernel_tidy(govern_kernel);
	next = ruled_new(policy, STAGE_OBSERVE);
	CHECK_EQ(kernel_sandbox_get(govern_kernel, next->id, &now), 0);
	CHECK_EQ(now.index, old.index);
	CHECK(now.id != old.id);
	start_steps();
	pid = ruled_spawn(NULL, open_when_told, NULL, &result);
	label_by_hand(pid, old.id, old.index);
	let_go();
	CHECK_EQ(spawn_result(pid, result), -ECHILD);
	CHECK_EQ(ruled_members(next), 0);
	CHECK_EQ(ruled_refused(next, "session.ended"), 0);
	ruled_free(next);
}

/* A map of another tracer's in the same place of the task: it has storage, and no label. */
static int strangers_map(void)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	struct btf *btf = btf__new_empty();
	int map;

	CHECK(btf);
	opts.btf_key_type_id = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	opts.btf_value_type_id = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	CHECK_EQ(btf__load_into_kernel(btf), 0);
	opts.btf_fd = btf__fd(btf);
	map = bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "stranger", 4, 8, 0, &opts);
	CHECK(map >= 0);
	return map;
}

static int child_of_a_stranger(void *arg)
{
	char c;
	int status;
	pid_t pid;

	(void)arg;
	if (read(step[0], &c, 1) != 1)
		return -EPROTO;
	pid = fork();
	if (!pid)
		_exit(open("/tmp/life", O_RDWR) < 0 || sethostname("guest", 5) || unshare(CLONE_NEWNS) || kill(getppid(), 0));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EPERM;
}

TEST(a_bystander_with_storage_of_another_program_is_free)
{
	struct ruled *r = ruled_new("version: 1\npolicy: nothing\n" OPEN_REST NO_NETWORK "files: {}\n", STAGE_ENFORCE);
	int map = strangers_map(), result, pidfd;
	uint64_t value = 1;
	pid_t pid;

	put_file("/tmp/life", "l", 0644);
	start_steps();
	govern_forget();
	pid = ruled_spawn(NULL, child_of_a_stranger, NULL, &result);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	CHECK_EQ(bpf_map_update_elem(map, &pidfd, &value, BPF_ANY), 0);
	let_go();
	CHECK_EQ(spawn_result(pid, result), 0);
	check_silent(r);
	CHECK_EQ(ruled_members(r), 0);
	close(pidfd);
	close(map);
	ruled_free(r);
}

TEST_MAIN()
