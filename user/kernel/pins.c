/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pins are the enforcement: while they are there, what they pin is in force, whoever lives. They must be on the host's own bpffs, for
 * they die with their mount (KERNEL.md 9).
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "base/base.h"
#include "base/file.h"
#include "kernel/internal.h"

const char *const map_names[MAP_COUNT] = {
	[MAP_ARENA] = "arena", [MAP_SLOTS] = "slots", [MAP_SANDBOXES] = "sandboxes", [MAP_COUNTERS] = "counters", [MAP_MEMBERS] = "members",
	[MAP_SOCKET_OWNERS] = "socket_owners", [MAP_MEMBER_PIDS] = "member_pids", [MAP_GOVERNED] = "governed", [MAP_FOLDS] = "folds",
	[MAP_DECISIONS] = "decisions", [MAP_TELEMETRY] = "telemetry", [MAP_SEQUENCES] = "sequences", [MAP_LOST] = "lost",
	[MAP_SCRATCHES] = "scratches", [MAP_CLAIMS] = "claims", [MAP_HOST] = "host", [MAP_WHYS] = "whys",
};

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned)fs.f_type == BPF_FS_MAGIC;
}

int pins_dir(const char *pin_dir, char why[256])
{
	static const char *const parts[] = { "maps", "links" };
	char path[256];
	size_t i;
	int err;

	if (!strncmp(pin_dir, "/sys/fs/bpf/", 12) && !on_bpffs("/sys/fs/bpf") && mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700")) {
		err = -errno;
		snprintf(why, 256, "/sys/fs/bpf is no bpffs and cannot be mounted: %s", strerror(-err));
		return err;
	}
	if (mkdir(pin_dir, 0700) && errno != EEXIST) {
		err = -errno;
		snprintf(why, 256, "cannot make %s: %s", pin_dir, strerror(-err));
		return err;
	}
	if (!on_bpffs(pin_dir)) {
		snprintf(why, 256, "%s is not on a bpffs: pins cannot live there", pin_dir);
		return -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(path, sizeof(path), "%s/%s", pin_dir, parts[i]);
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int pins_open_maps(struct kernel *k)
{
	char path[256];
	size_t i;

	for (i = 0; i < MAP_COUNT; i++) {
		snprintf(path, sizeof(path), "%s/maps/%s", k->pin_dir, map_names[i]);
		k->maps[i] = bpf_obj_get(path);
		if (k->maps[i] >= 0)
			continue;
		/* observe-only programs use fewer maps */
		if (!k->options.observe_only || errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Call fn for each name in a directory of pins; a missing directory has none. */
static int each_pin(const char *dir, int (*fn)(const char *path, void *ctx), void *ctx)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];
	int err = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (!err && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		err = fn(path, ctx);
	}
	closedir(d);
	return err;
}

/* A pin counts when it is a link that can be had. */
static int count_link(const char *path, void *ctx)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	_close_ int fd = bpf_obj_get(path);

	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		(*(size_t *)ctx)++;
	return 0;
}

size_t pins_count_links(const char *pin_dir)
{
	char dir[256];
	size_t n = 0;

	snprintf(dir, sizeof(dir), "%s/links", pin_dir);
	(void)each_pin(dir, count_link, &n);
	return n;
}

static int remove_pin(const char *path, void *ctx)
{
	struct stat st;

	(void)ctx;
	if (!lstat(path, &st) && S_ISDIR(st.st_mode))
		return pins_remove(path);
	return unlink(path) ? -errno : 0;
}

int pins_remove(const char *dir)
{
	return each_pin(dir, remove_pin, NULL);
}
