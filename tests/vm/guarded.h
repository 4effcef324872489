/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of acts that the guard refuses in every sandbox: run free, governed, and in the observe stage. */
#ifndef TESTS_VM_GUARDED_H
#define TESTS_VM_GUARDED_H

#include "tests/vm/expect.h"
#include "tests/vm/raw.h"

struct guarded {
	const char *name;
	int (*act)(long arg);	/* 0 or -errno; undoes what it did */
	long arg;
	const char *rule;
	enum operation op;
	int err;
	int free_err;		/* where nothing here can succeed: how far the free one gets, which is not err */
	uid_t uid;
	const char *path;	/* in the record; NULL: none */
};

/* An argument that is a path. */
static inline const char *guarded_path(long arg)
{
	const char *path;

	_Static_assert(sizeof(path) == sizeof(arg), "a long holds a pointer here");
	memcpy(&path, &arg, sizeof(path));
	return path;
}

/* policy NULL: everything that a policy can allow. */
void check_guarded(const char *policy, const struct guarded *g);
void check_guarded_observed(const struct guarded *g);
#define CHECK_GUARDED(table) \
	do { \
		for (size_t _i = 0; _i < sizeof(table) / sizeof(table[0]); _i++) \
			check_guarded(NULL, &(table)[_i]); \
	} while (0)
#define CHECK_GUARDED_OBSERVED(table) \
	do { \
		for (size_t _i = 0; _i < sizeof(table) / sizeof(table[0]); _i++) \
			check_guarded_observed(&(table)[_i]); \
	} while (0)
extern const char guarded_policy[];

/* A process outside every sandbox, of this user, that waits to be killed. */
pid_t outsider_start(uid_t uid);
void outsider_stop(pid_t pid);
bool outsider_signalled(pid_t pid);	/* by SIGURG, since it started */

#endif
