/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that preempts anywhere: a member whose time is up in the middle of a program is still one to all who run meanwhile, on the same
 * processor. vm: --append preempt=full
 */
#include <sched.h>
#include <sys/mman.h>
#include <time.h>
#include "tests/vm/expect.h"

#define MEMBERS 8
#define SECONDS 8

static const char policy[] =
	"version: 1\npolicy: preempt\n" OPEN_REST NO_NETWORK
	"files:\n  read: [/]\n  write: [/tmp/may]\n  deny: [{path: /tmp/secret, id: secret}]\n";

struct tally {
	uint64_t tries, opened;	/* of all */
	bool preempted;
};

static struct tally *tally;

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void try_open(void)
{
	int fd = open("/tmp/secret", O_RDONLY);

	__atomic_fetch_add(&tally->tries, 1, __ATOMIC_RELAXED);
	if (fd >= 0) {
		__atomic_fetch_add(&tally->opened, 1, __ATOMIC_RELAXED);
		close(fd);
	}
}

static int open_all_the_time(void *unused)
{
	time_t end = now() + SECONDS;

	(void)unused;
	for (uint64_t n = 0; n % 64 || now() < end; n++)
		try_open();
	return 0;
}

static int fork_all_the_time(void *unused)
{
	time_t end = now() + SECONDS;

	(void)unused;
	while (now() < end) {
		pid_t pid = fork();

		if (!pid) {
			try_open();
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	return 0;
}

static void all_of(struct ruled *r, govern_fn fn)
{
	pid_t pids[MEMBERS];
	int results[MEMBERS];

	memset(tally, 0, sizeof(*tally));
	for (int i = 0; i < MEMBERS; i++)
		pids[i] = ruled_spawn(r, fn, NULL, &results[i]);
	for (int i = 0; i < MEMBERS; i++)
		CHECK_EQ(spawn_result(pids[i], results[i]), 0);
	printf("# %llu tries, %llu got through\n", (unsigned long long)tally->tries, (unsigned long long)tally->opened);
}

static void check_all_refused(govern_fn fn)
{
	struct ruled *r;

	tally = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(tally != MAP_FAILED);
	put_file("/tmp/secret", "s", 0644);
	try_open();
	CHECK_EQ(tally->opened, 1);
	r = ruled_new(policy, STAGE_ENFORCE);
	all_of(r, fn);
	CHECK(tally->tries > MEMBERS);
	CHECK_EQ(tally->opened, 0);
	CHECK(ruled_members_become(r, 0));
	ruled_free(r);
	munmap(tally, 4096);
}

TEST(such_a_kernel_can_enforce)
{
	CHECK(kernel_can_enforce());
}

TEST(an_open_is_refused_whoever_was_preempted)
{
	check_all_refused(open_all_the_time);
}

TEST(a_child_is_a_member_whoever_was_preempted)
{
	check_all_refused(fork_all_the_time);
}

TEST_MAIN()
