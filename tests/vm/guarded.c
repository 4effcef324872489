/* SPDX-License-Identifier: Apache-2.0 */
/* See guarded.h. */
#include <sys/prctl.h>
#include "tests/vm/guarded.h"

const char guarded_policy[] =
	"version: 1\npolicy: guard\n" OPEN_REST
	"files: {read: [/], write: [/], execute: [/]}\n"
	"network: {connect: [{to: [\"0.0.0.0/0\", \"::/0\"], proto: [tcp, udp]}]}\n"
	"sockets: {unix: [{path: /, i_accept: host-control}]}\n";

static int act(void *arg)
{
	const struct guarded *g = arg;

	if (g->uid && (setresgid(g->uid, g->uid, g->uid) || setresuid(g->uid, g->uid, g->uid)))
		return -ENOTRECOVERABLE;
	return g->act(g->arg);
}

void check_guarded(const char *policy, const struct guarded *g)
{
	struct ruled *r = ruled_new(policy ? policy : guarded_policy, STAGE_ENFORCE);

	CASE("%s uid %d", g->name, g->uid);
	govern_forget();
	CHECK_EQ(free_run(act, (void *)g), -g->free_err);
	CHECK_EQ(ruled_run(r, act, (void *)g), -g->err);
	govern_drain();
	if (govern_seen_count != 1)
		seen_print(r);
	CHECK_EQ(govern_seen_count, 1);
	CHECK_STR(ruled_rule(r, govern_seen[0].d.rule), g->rule);
	CHECK_EQ(govern_seen[0].d.operation, g->op);
	CHECK_EQ(govern_seen[0].d.error, -g->err);
	CHECK_EQ(govern_seen[0].d.h.uid, g->uid);
	CHECK_STR(govern_seen[0].path, g->path ? g->path : "");
	CHECK_EQ(ruled_refused(r, g->rule), 1);
	CHECK_EQ(ruled_would(r, g->rule), 0);
	ruled_free(r);
}

/* What one act meets there may be more than one hook: each says what it would have refused. */
void check_guarded_observed(const struct guarded *g)
{
	struct ruled *r = ruled_new(guarded_policy, STAGE_OBSERVE);

	CASE("%s uid %d, observed", g->name, g->uid);
	govern_forget();
	CHECK_EQ(ruled_run(r, act, (void *)g), -g->free_err);
	CHECK(ruled_would(r, g->rule) >= 1);
	CHECK_EQ(ruled_refused(r, g->rule), 0);
	govern_drain();
	CHECK(govern_seen_count >= 1);
	for (size_t i = 0; i < govern_seen_count && i < 64; i++) {
		CHECK_EQ(govern_seen[i].d.verdict, VERDICT_WOULD_DENY);
		CHECK_EQ(govern_seen[i].d.error, 0);
	}
	ruled_free(r);
}

pid_t outsider_start(uid_t uid)
{
	int ready[2];
	sigset_t held;
	char c;
	pid_t pid;

	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		setpgid(0, 0);
		sigemptyset(&held);
		sigaddset(&held, SIGURG);
		sigprocmask(SIG_BLOCK, &held, NULL);	/* stays pending, to be seen */
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid) || prctl(PR_SET_DUMPABLE, 1) || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

void outsider_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

bool outsider_signalled(pid_t pid)
{
	unsigned long long pending = 0, shared = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		(void)!sscanf(line, "SigPnd: %llx", &pending);
		(void)!sscanf(line, "ShdPnd: %llx", &shared);
	}
	fclose(f);
	return (pending | shared) >> (SIGURG - 1) & 1;
}
