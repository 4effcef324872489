/* SPDX-License-Identifier: Apache-2.0 */
/* Governed cgroups: who is moved or born into one becomes a member with every thread, and stays its sandbox's. vm: --cpus 2 */
#include <linux/sched.h>
#include <pthread.h>
#include "tests/vm/member.h"

#define THREADS 4
struct crowd {
	int go[2], results[THREADS];
	pthread_t threads[THREADS];
};
static struct crowd crowd;

static void *crowd_member(void *out)
{
	char c;

	if (read(crowd.go[0], &c, 1) == 1)
		*(int *)out = member_look();
	return NULL;
}

/* The number of threads, this one among them, that were refused. */
static int crowd_run(void *ready)
{
	int refused = 0;

	for (int i = 1; i < THREADS; i++)
		if (pthread_create(&crowd.threads[i], NULL, crowd_member, &crowd.results[i]))
			return -EAGAIN;
	if (write(*(int *)ready, "r", 1) != 1)
		return -errno;
	crowd_member(&crowd.results[0]);
	for (int i = 0; i < THREADS; i++) {
		if (i)
			pthread_join(crowd.threads[i], NULL);
		refused += crowd.results[i] == -EACCES;
	}
	return refused;
}

static int crowd_moved(const char *group, struct ruled *r)
{
	int ready[2], result;
	char c;
	pid_t pid;

	CHECK_EQ(pipe(crowd.go) | pipe(ready), 0);
	pid = ruled_spawn(NULL, crowd_run, &ready[1], &result);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(group_join(group, pid), 0);
	if (r)
		CHECK_EQ(ruled_members(r), THREADS);
	CHECK_EQ(write(crowd.go[1], "xxxx", THREADS), THREADS);
	return spawn_result(pid, result);
}

TEST(a_process_that_is_moved_in_is_a_member_with_every_thread)
{
	struct ruled *r;

	member_prepare();
	r = ruled_new(member_policy, STAGE_ENFORCE);
	CHECK_EQ(crowd_moved(SANDBOX_GROUP, NULL), 0);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(SANDBOX_GROUP), r->id, 7), 0);
	CHECK_EQ(crowd_moved(SANDBOX_GROUP, r), THREADS);
	CHECK(ruled_members_become(r, 0));
	CASE("nested");
	CHECK_EQ(crowd_moved(SANDBOX_GROUP "/a/b", r), THREADS);
	CHECK(ruled_members_become(r, 0));
	CASE("elsewhere");
	CHECK_EQ(crowd_moved(ELSEWHERE, NULL), 0);
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(SANDBOX_GROUP)), 0);
	CHECK_EQ(crowd_moved(SANDBOX_GROUP, NULL), 0);
	ruled_free(r);
}

static int born_in(void *group)
{
	struct clone_args a = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = open(group, O_RDONLY | O_DIRECTORY) };
	pid_t pid = syscall(SYS_clone3, &a, sizeof(a));

	if (!pid)
		_exit(-member_look());
	return status_of(pid);
}

TEST(a_process_that_an_outsider_bears_in_there_is_a_member)
{
	struct ruled *r;

	member_prepare();
	r = ruled_new(member_policy, STAGE_ENFORCE);
	CHECK_EQ(free_run(born_in, SANDBOX_GROUP), 0);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(SANDBOX_GROUP), r->id, 7), 0);
	govern_forget();
	CHECK_EQ(free_run(born_in, SANDBOX_GROUP), -EACCES);
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(govern_seen[0].d.h.command, 7);
	CHECK_EQ(free_run(born_in, SANDBOX_GROUP "/a/b"), -EACCES);
	CHECK_EQ(free_run(born_in, ELSEWHERE), 0);
	CHECK(ruled_members_become(r, 0));
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(SANDBOX_GROUP)), 0);
	ruled_free(r);
}

/* Nested governed cgroups carry the numbers of commands; another sandbox's do not take a member over. */
TEST(a_move_gives_a_new_command_but_never_a_new_sandbox)
{
	struct ruled *r, *other;
	int ends[2], result;
	pid_t pid;

	member_prepare();
	r = ruled_new(member_policy, STAGE_ENFORCE);
	other = ruled_new("version: 1\npolicy: all\n" OPEN_REST NO_NETWORK "files: {read: [/]}\n", STAGE_ENFORCE);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(SANDBOX_GROUP "/a"), r->id, 9), 0);
	CHECK_EQ(kernel_cgroup_govern(govern_kernel, group_id(ELSEWHERE), other->id, 1), 0);
	for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
		CASE("elsewhere %d", elsewhere);
		CHECK_EQ(pipe(ends), 0);
		pid = ruled_spawn(r, member_look_when_told, ends, &result);
		CHECK_EQ(group_join(elsewhere ? ELSEWHERE : SANDBOX_GROUP "/a", pid), 0);
		govern_forget();
		CHECK_EQ(write(ends[1], "x", 1), 1);
		CHECK_EQ(spawn_result(pid, result), -EACCES);
		govern_drain();
		CHECK_EQ(govern_seen[0].d.h.sandbox, r->id);
		CHECK_EQ(govern_seen[0].d.h.command, elsewhere ? 1 : 9);
	}
	CHECK_EQ(ruled_members(other), 0);
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(SANDBOX_GROUP "/a")), 0);
	CHECK_EQ(kernel_cgroup_forget(govern_kernel, group_id(ELSEWHERE)), 0);
	ruled_free(other);
	ruled_free(r);
}

TEST_MAIN()
