/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else may have refused: plain permissions, a read-only mount, another security module, a seccomp filter. Asked by calls that no policy judges,
 * so that asking is not refused in its turn.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "base/file.h"
#include "cli/why.h"

#ifndef SYS_lsm_list_modules
#define SYS_lsm_list_modules 461
#endif

static int mode_of(const char *verb)
{
	static const struct {
		const char *verb;
		int mode;
	} modes[] = { { "read", R_OK }, { "execute", X_OK }, { "change", W_OK }, { "write", W_OK } };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(modes[i].verb, verb))
			return modes[i].mode;
	}
	return -1;
}

/* access(2) asks what the kernel asks before it asks Bailiff, with the ids that count. */
static void say_permissions(const char *verb, const char *path)
{
	const char *slash = strrchr(path, '/');
	_buf_ struct buf parent = {};
	int mode = mode_of(verb);
	struct stat st;

	if (mode < 0 && slash) {	/* to create and remove is to write the directory */
		buf_add(&parent, path, slash == path ? 1 : slash - path);
		path = parent.err ? "" : parent.data;
		mode = W_OK | X_OK;
	}
	if (mode < 0)
		return;
	if (!faccessat(AT_FDCWD, path, mode, AT_EACCESS))
		printf("  plain permissions allow it: %s\n", path);
	else if (errno == EACCES && !stat(path, &st))
		printf("  plain permissions or another module refuse it: %s is of uid %u, gid %u, mode %04o; this is uid %u, gid %u\n", path, st.st_uid, st.st_gid,
		       st.st_mode & 07777, geteuid(), getegid());
	else
		printf("  %s: %s\n", path, strerror(errno));
}

static void say_seccomp(const char *status)
{
	const char *at = strstr(status, "\nSeccomp:");
	unsigned mode = 0;

	if (at && sscanf(at, "\nSeccomp: %u", &mode) == 1 && mode)
		printf("  a seccomp filter is in force: it refuses calls with EPERM or ENOSYS and leaves no trace (`bailiff run` sets one of its own)\n");
	if (strstr(status, "\nNoNewPrivs:\t1"))
		printf("  no_new_privs is set: set-id programs gain nothing\n");
}

/* Their numbers are the kernel's (linux/lsm.h). Before 6.8 nobody can ask without reading a file. */
static void say_modules(void)
{
	static const struct {
		uint64_t id;
		const char *name;
	} known[] = { { 101, "SELinux" }, { 102, "Smack" }, { 103, "TOMOYO" }, { 104, "AppArmor" }, { 110, "Landlock" } };
	uint64_t ids[32];
	uint32_t size = sizeof(ids);
	long n = syscall(SYS_lsm_list_modules, ids, &size, 0);

	for (long i = 0; i < n; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(known); k++) {
			if (ids[i] == known[k].id)
				printf("  %s is active on this host and may refuse by itself\n", known[k].name);
		}
	}
	if (n < 0)
		printf("  this kernel does not tell which other security modules are active\n");
}

void why_not(const char *verb, const char *object)
{
	_free_ char *status = NULL;
	size_t len;

	if (object)
		printf("not Bailiff's refusal, as far as its last refusals go: none of them is %s %s\n", verb, object);
	else
		printf("not Bailiff's refusal: nothing was refused in this sandbox\n");
	if (object && strchr(object, '/'))
		say_permissions(verb, object);
	if (!file_slurp("/proc/self/status", 65536, &status, &len))
		say_seccomp(status);
	say_modules();
}
