/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of what the kernel's BTF does not name, from /proc/kallsyms: read once, for to make its text costs the kernel more than anything we do
 * with it (libbpf would read it once for every family).
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/base.h"
#include "kernel/internal.h"

static const char *const names[KSYM_COUNT] = {
	[KSYM_RENAME_LOCK] = " rename_lock", [KSYM_MOUNT_LOCK] = " mount_lock", [KSYM_ENTER_RECUR] = " __bpf_prog_enter_recur",
};

/* "<address> <type> <name>", and a module's with its name behind a tab. */
static void line_read(const char *line, size_t n, uint64_t out[KSYM_COUNT])
{
	const char *space = memchr(line, ' ', n);
	size_t left;

	space = space && space + 1 < line + n ? memchr(space + 1, ' ', line + n - space - 1) : NULL;
	if (!space)
		return;
	left = line + n - space;
	for (size_t i = 0; i < KSYM_COUNT; i++)
		if (!out[i] && left == strlen(names[i]) && !memcmp(space, names[i], left))
			out[i] = strtoull(line, NULL, 16);
}

static int all_read(int fd, uint64_t out[KSYM_COUNT])
{
	char text[16384];
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, text + have, sizeof(text) - have)) > 0) {
		char *line = text, *end;

		have += n;
		while ((end = memchr(line, '\n', text + have - line))) {
			line_read(line, end - line, out);
			line = end + 1;
		}
		have -= line - text;
		memmove(text, line, have);
		if (have == sizeof(text))
			return -EPROTO;
	}
	return n < 0 ? -errno : 0;
}

int ksyms_get(const uint64_t **out)
{
	static uint64_t found[KSYM_COUNT];
	static bool known;
	int fd, err;

	*out = found;
	if (known)
		return 0;
	fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = all_read(fd, found);
	close(fd);
	known = !err;
	return err;
}
