/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For guest suites: run a function in a child that is free, and the same function in a child that is governed by a policy, straight on the
 * kernel room (no engine). A function returns 0 when its act succeeded, else -errno of the act.
 */
#ifndef TESTS_VM_GOVERN_H
#define TESTS_VM_GOVERN_H

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "kernel/kernel.h"
#include "tests/unit/test.h"

#define GOVERN_PINS "/sys/fs/bpf/bailiff-test"
#define GOVERN_CGROUP "/sys/fs/cgroup/govern"

typedef int (*govern_fn)(void *arg);

struct ruled {
	struct policy *policy;
	struct policy_image image;
	uint64_t id;
	uint32_t generation;
};

/* What a run left in the decision ring, newest last. */
struct seen {
	struct rec_decision d;
	char path[PATH_BYTES + 1], path2[PATH_BYTES + 1];
};

extern struct kernel *govern_kernel;
extern struct seen govern_seen[64];
extern size_t govern_seen_count;	/* all since the last govern_forget(); the array keeps the first 64 */
extern size_t govern_telemetry_count;

/* Opens, loads and attaches once a process; a failure is the suite's failure. Needs root in a guest. */
void govern_start(void);
struct kernel *govern_attached(void);
struct ruled *ruled_new(const char *policy_text, enum stage stage);	/* policy: YAML; an error is printed and fails the test */
struct ruled *ruled_new_given(const char *policy_text, const struct policy_param *params, size_t count, enum stage stage);
void ruled_reload(struct ruled *r, const char *policy_text);
void ruled_free(struct ruled *r);
uint32_t ruled_members(struct ruled *r);
bool ruled_members_become(struct ruled *r, uint32_t want);	/* within five seconds */
int ruled_run(struct ruled *r, govern_fn fn, void *arg);	/* fn in a governed child; its result, or -ECHILD if it died of a signal */
pid_t ruled_spawn(struct ruled *r, govern_fn fn, void *arg, int *result_fd);	/* the same, not waited for */
/* In two steps: a child that waits, and its admission (r NULL: free). */
struct held {
	pid_t pid;
	int go, result;
};
struct held held_spawn(govern_fn fn, void *arg);
void held_release(struct ruled *r, struct held *h);
int spawn_result(pid_t pid, int result_fd);
int free_run(govern_fn fn, void *arg);
void govern_drain(void);	/* rings into govern_seen */
void govern_forget(void);
const char *ruled_rule(struct ruled *r, uint32_t rule);	/* id of a rule number */
/* The id of the rule of the last decision of this operation; "" if there was none. */
const char *ruled_last(struct ruled *r, enum operation op);
uint64_t ruled_refused(struct ruled *r, const char *rule_id);	/* exact count */
uint64_t ruled_would(struct ruled *r, const char *rule_id);

/* The act succeeds free and is refused with -err under the policy; what the free run changed must not hinder the second. */
#define CHECK_REFUSED(r, fn, arg, err) \
	do { \
		CHECK_EQ(free_run(fn, arg), 0); \
		CHECK_EQ(ruled_run(r, fn, arg), -(err)); \
	} while (0)

#endif
