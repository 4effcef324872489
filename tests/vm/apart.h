/* SPDX-License-Identifier: Apache-2.0 */
/* Judged from a process with mounts, a root or a working directory of its own, which it had before it was governed. */
#ifndef TESTS_VM_APART_H
#define TESTS_VM_APART_H

#include <sched.h>
#include <sys/mount.h>
#include "tests/vm/expect.h"

/* In a process of its own: set up, then judge from there. The result of fn, or 1 if the set-up failed. */
static inline int run_apart(int (*setup)(void *arg), struct ruled *r, govern_fn fn, void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(setup(arg) ? 1 : -ruled_run(r, fn, arg));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static inline void check_apart(const char *policy, int (*setup)(void *arg), govern_fn fn, void *arg, const struct expect *e)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(run_apart(setup, NULL, fn, arg), 0);
	CHECK_EQ(run_apart(setup, r, fn, arg), -e->err);
	check_record(r, e);
	ruled_free(r);
}

/* The old namespace stays, with its mounts, for as long as this process. */
static inline int own_mounts(void *unused)
{
	(void)unused;
	if (open("/proc/self/ns/mnt", O_RDONLY) < 0)
		return -errno;
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

/* In a file system that only its own namespace has. */
static inline int setup_private(void *unused)
{
	int err = own_mounts(unused);

	mkdir("/tmp/private", 0755);
	if (err || mount("tmpfs", "/tmp/private", "tmpfs", 0, NULL) || chdir("/tmp/private"))
		return -1;
	put_file("f", "text", 0644);
	return 0;
}

#endif
