/* SPDX-License-Identifier: Apache-2.0 */
/* See landlock.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/base.h"
#include "tests/bench/landlock.h"

#define ALL	  ((1ull << 13) - 1)	/* what Landlock's first version knows */
#define READ_EXEC (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE)

void landlock_stage(size_t extra)
{
	char path[64];

	mkdir("/tmp/rules", 0755);
	for (size_t i = 0; i < extra; i++) {
		snprintf(path, sizeof(path), "/tmp/rules/%zu", i);
		mkdir(path, 0755);
	}
}

static int allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr a = { .allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC) };
	int err = 0;

	if (a.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;	/* not on this disk: nothing to allow */
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0))
		err = -errno;
	close(a.parent_fd);
	return err;
}

static int add_rules(int ruleset, size_t extra)
{
	static const char *const reads[] = { "/lib", "/lib64", "/usr", "/etc", "/proc", "/dev", "/bin", "/t" };
	static const char *const writes[] = { "/tmp/ws", "/dev" };
	char path[64];
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reads) && !err; i++)
		err = allow(ruleset, reads[i], READ_EXEC);
	for (size_t i = 0; i < ARRAY_SIZE(writes) && !err; i++)
		err = allow(ruleset, writes[i], ALL);
	for (size_t i = 0; i < extra && !err; i++) {
		snprintf(path, sizeof(path), "/tmp/rules/%zu", i);
		err = allow(ruleset, path, READ_EXEC);
	}
	return err;
}

int landlock_restrict(size_t extra)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = ALL };
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	int err;

	if (fd < 0)
		return -errno;
	err = add_rules(fd, extra);
	if (!err && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0)))
		err = -errno;
	close(fd);
	return err;
}
