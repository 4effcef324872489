/* SPDX-License-Identifier: Apache-2.0 */
/* The other programs of the house: beside our own binary, or where an installation puts what people do not type. */
#include <limits.h>
#include <stdio.h>
#include "cli/cli.h"

static const char *const places[] = { "", "../sbin/", "../libexec/bailiff/", "../lib/bailiff/" };

int cli_find_helper(const char *name, char *path, size_t size)
{
	char self[PATH_MAX], *slash;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int len = snprintf(path, size, "%s%s%s", self, places[i], name);

		if (len > 0 && (size_t)len < size && !access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

int cli_exec_helper(const char *name, char **argv)
{
	char path[PATH_MAX];
	int err = cli_find_helper(name, path, sizeof(path));

	if (err)
		return err;
	argv[0] = path;
	execv(path, argv);
	return -errno;
}
