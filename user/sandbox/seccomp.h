/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp floor of an enforced sandbox: calls that no program of ours judges, because they pass neither an LSM hook nor a capability that the
 * guard closes. What a program judges is left to it: its refusals are counted and recorded, the floor's are not yet. One table; the engine
 * compiles it once and hands the bytes to who starts a command.
 */
#ifndef SANDBOX_SECCOMP_H
#define SANDBOX_SECCOMP_H

#include "base/buf.h"

/* Which uses of a call are refused. */
enum seccomp_when {
	SECCOMP_ALWAYS,
	SECCOMP_PERSONALITY,		/* all but asking, PER_LINUX, PER_LINUX32, UNAME26 and ADDR_NO_RANDOMIZE (debuggers set it) */
};

struct seccomp_call {
	const char *name;		/* as libseccomp knows it; on every architecture that has it */
	int error;			/* what the caller gets */
	enum seccomp_when when;
	const char *group, *why;
};
extern const struct seccomp_call seccomp_calls[];
extern const size_t seccomp_call_count;

/*
 * Append the filter, an array of struct sock_filter, to *out. The architecture is tested first: 32-bit calls have their own table, x32 and
 * foreign architectures get ENOSYS. -ENOSYS: this machine's architecture has no floor yet.
 */
int seccomp_floor_build(struct buf *out);

#endif
