/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a start costs, in guest time of fork, launcher, exec of a static program that does nothing, wait (idle waits included): bare, under
 * Landlock, by `bailiff run` with the engine up and another sandbox alive, and the very first start, which also starts the engine and
 * attaches; and of that time what is work of any process, waiting left out. Prints `start-NAME variant instructions` lines; of several rounds the
 * median. start_bench POLICY [ROUNDS].
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>
#include "tests/bench/landlock.h"

#define ROUNDS_MAX 99

static const char *policy;

/* ---- what is started ---- */

static void quiet(void)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!getenv("BENCH_LOUD"))
		dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

static void bare(void)
{
	execl("/t/nothing_tool", "nothing", NULL);
}

static void landlock(void)
{
	(void)landlock_restrict(0);
	execl("/t/nothing_tool", "nothing", NULL);
}

static void run(void)
{
	quiet();
	execl("/t/bailiff", "bailiff", "run", "-p", policy, "--", "/t/nothing_tool", NULL);
}

static void version(void)
{
	quiet();
	execl("/t/bailiff", "bailiff", "help", NULL);
}

/* What this guest's only CPU has done for processes so far: a nanosecond is an instruction. */
static unsigned long long work(void)
{
	unsigned long long ns = 0;
	FILE *f = fopen("/proc/schedstat", "r");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "cpu0 %*u %*u %*u %*u %*u %*u %llu", &ns) == 1)
			break;
	}
	if (f)
		fclose(f);
	return ns;
}

static unsigned long long once(void (*what)(void), const char *name)
{
	unsigned long long t = __rdtsc();
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		what();
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		printf("# start-%s: status %#x\n", name, status);
		exit(1);
	}
	return __rdtsc() - t;
}

static int by_value(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;

	return x < y ? -1 : x > y;
}

static void measure(const char *name, const char *variant, void (*what)(void), int rounds)
{
	unsigned long long t[ROUNDS_MAX] = {}, w[ROUNDS_MAX] = {};

	(void)once(what, name);
	for (int i = 0; i < rounds; i++) {
		usleep(200000);		/* what the round before left to others is done by then */
		w[i] = work();
		t[i] = once(what, name);
		usleep(200000);
		w[i] = work() - w[i];
	}
	qsort(t, rounds, sizeof(t[0]), by_value);
	qsort(w, rounds, sizeof(w[0]), by_value);
	printf("%s %s %llu\n%s-work %s %llu\n", name, variant, t[rounds / 2], name, variant, w[rounds / 2]);
	printf("# %s %s: %llu to %llu\n", name, variant, t[0], t[rounds - 1]);
	fflush(stdout);
}

/* A sandbox that stays. */
static void hold(void)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		quiet();
		execl("/t/bailiff", "bailiff", "create", "-p", policy, NULL);
		_exit(99);
	}
	if (waitpid(pid, &status, 0) != pid || status) {
		printf("# create: status %#x\n", status);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 9;
	char seed[64];

	if (argc < 2 || rounds < 1 || rounds > ROUNDS_MAX)
		return fprintf(stderr, "usage: start POLICY [ROUNDS]\n"), 2;
	policy = argv[1];
	(void)!getrandom(seed, sizeof(seed), 0);
	measure("start", "bare", bare, rounds);
	measure("start", "landlock", landlock, rounds);
	measure("start-program", "governed", version, rounds);
	printf("start-first governed %llu\n", once(run, "first"));
	hold();
	sleep(1);
	measure("start", "governed", run, rounds);
	return 0;
}
