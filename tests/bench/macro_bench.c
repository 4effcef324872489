/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What whole workloads cost, in guest instructions: bare, under Landlock with the same rules, as a bystander, governed. Each workload is a
 * command of the shell, run in an own directory below /tmp/ws that is emptied outside the measured time. Prints `macro-NAME variant instructions`
 * lines, the least of several rounds. macro_bench NAME COMMAND [NAME COMMAND...]
 */
#include <sys/random.h>
#include <x86intrin.h>
#include "tests/bench/bench.h"
#include "tests/bench/landlock.h"

#define ROUNDS 3	/* one where only the caches are to be filled */

static char **workloads;

static void shell(const char *command)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		if (chdir("/tmp/ws"))
			_exit(98);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		printf("# %s: status %#x\n", command, status);
		fflush(stdout);
		_exit(1);
	}
}

static void measure(const char *name, const char *command, const char *variant, int rounds)
{
	unsigned long long best = ~0ull, t;

	for (int i = 0; i < rounds; i++) {
		shell("rm -rf /tmp/ws/work && mkdir /tmp/ws/work");
		t = __rdtsc();
		shell(command);
		t = __rdtsc() - t;
		if (t < best)
			best = t;
	}
	printf("macro-%s %s %llu\n", name, variant, best);
	fflush(stdout);
}

struct variant {
	const char *name;
	bool attached, landlock, governed;
	struct held held;
};
static struct variant variants[] = {
	{ "warm", false, false, false, {} },	 { "bare", false, false, false, {} }, { "landlock", false, true, false, {} },
	{ "bystander", true, false, false, {} }, { "governed", true, false, true, {} },
};

static int variant_run(void *arg)
{
	const struct variant *v = arg;

	if (v->landlock && landlock_restrict(0))
		return 1;
	usleep(200000);
	for (char **w = workloads; w[0] && w[1]; w += 2)
		measure(w[0], w[1], v->name, strcmp(v->name, "warm") ? ROUNDS : 1);
	return 0;
}

static void variant_finish(struct variant *v, struct ruled *r)
{
	held_release(v->governed ? r : NULL, &v->held);
	bench_must(!spawn_result(v->held.pid, v->held.result), v->name);
}

int main(int argc, char **argv)
{
	_buf_ struct buf policy = {};
	struct ruled *r = NULL;
	char seed[64];

	if (argc < 3)
		return fprintf(stderr, "usage: macro_bench NAME COMMAND...\n"), 2;
	workloads = argv + 1;
	(void)!getrandom(seed, sizeof(seed), 0);
	mkdir(GOVERN_CGROUP, 0755);
	mkdir("/tmp/ws", 0777);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
		variants[i].held = held_spawn(variant_run, &variants[i]);
	sleep(2);
	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		if (variants[i].attached && !r) {
			govern_start();
			bench_policy(&policy, 0, false);
			r = ruled_new(policy.data, STAGE_ENFORCE);
			sleep(1);
		}
		variant_finish(&variants[i], r);
		if (govern_kernel)
			govern_forget();
	}
	ruled_free(r);
	return 0;
}
