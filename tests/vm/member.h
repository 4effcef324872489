/* SPDX-License-Identifier: Apache-2.0 */
/* What suites about membership ask: does the secret open? Who is a member is refused. */
#ifndef TESTS_VM_MEMBER_H
#define TESTS_VM_MEMBER_H

#include "tests/vm/expect.h"

#define SANDBOX_GROUP "/sys/fs/cgroup/sandboxed"
#define ELSEWHERE "/sys/fs/cgroup/elsewhere"

extern const char member_policy[];
void member_prepare(void);	/* the secret, and the cgroups */
int member_look(void);		/* 0 where the secret opens */
int member_look_when_told(void *ends);	/* a govern_fn: after a byte in ends[0] */
int group_join(const char *group, pid_t pid);
uint64_t group_id(const char *path);
int status_of(pid_t pid);	/* of a child that exits with a positive errno: 0 or -errno */

#endif
