/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One descriptor on the parent directory, everything else by names below it: ids are checked by the caller (ulid_valid) and
 * commands are numbers, so no name can lead elsewhere. One inotify descriptor watches cgroup.events of all: the kernel reports
 * a change of `populated` as a modification, and one descriptor serves any number of sandboxes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include "base/file.h"
#include "sandbox/cgroup.h"

#define CGROUP_DEPTH_MAX 32	/* members cannot make cgroups; what an outsider nested is removed down to here */

struct cgroups {
	int dir;
	int notify;
	char path[PATH_MAX];
	char parent[NAME_MAX + 1];
};

int cgroup_find_mount(const char *mountinfo, char *out, size_t size)
{
	FILE *f = fopen(mountinfo, "re");
	char line[8192], where[PATH_MAX];
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (err == -ENOENT && fgets(line, sizeof(line), f)) {
		const char *type = strstr(line, " - ");

		if (!type || strncmp(type, " - cgroup2 ", 11) || sscanf(line, "%*s %*s %*s %*s %4095s", where) != 1)
			continue;
		err = snprintf(out, size, "%s", where) >= (int)size ? -ENAMETOOLONG : 0;
	}
	fclose(f);
	return err;
}

int cgroups_open(const char *mount, const char *parent, struct cgroups **out)
{
	struct cgroups *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	g->dir = g->notify = -1;
	if (snprintf(g->path, sizeof(g->path), "%s/%s", mount, parent) >= (int)sizeof(g->path) ||
	    snprintf(g->parent, sizeof(g->parent), "%s", parent) >= (int)sizeof(g->parent)) {
		cgroups_close(g);
		return -ENAMETOOLONG;
	}
	err = mkdir(g->path, 0755) && errno != EEXIST ? -errno : 0;
	if (!err) {
		g->dir = open(g->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		g->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		err = g->dir < 0 || g->notify < 0 ? -errno : 0;
	}
	if (err) {
		cgroups_close(g);
		return err;
	}
	*out = g;
	return 0;
}

void cgroups_close(struct cgroups *g)
{
	if (!g)
		return;
	if (g->dir >= 0)
		close(g->dir);
	if (g->notify >= 0)
		close(g->notify);
	free(g);
}

const char *cgroups_path(const struct cgroups *g)
{
	return g->path;
}

/* "<id>", "<id>/c<n>", with "/file" behind it if asked for. */
static void name_of(char out[PATH_MAX], const char *id, uint32_t command, const char *file)
{
	int n = command ? snprintf(out, PATH_MAX, "%s/c%u", id, command) : snprintf(out, PATH_MAX, "%s", id);

	if (file)
		snprintf(out + n, PATH_MAX - n, "/%s", file);
}

void cgroup_path(const struct cgroups *g, const char *id, uint32_t command, struct buf *out)
{
	char name[PATH_MAX];

	name_of(name, id, command, NULL);
	buf_addf(out, "%s/%s", g->path, name);
}

static int write_file(struct cgroups *g, const char *id, uint32_t command, const char *file, const char *text)
{
	char name[PATH_MAX];
	_close_ int fd = -1;

	name_of(name, id, command, file);
	fd = openat(g->dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return write_full(fd, text, strlen(text));
}

int cgroup_id_of(struct cgroups *g, const char *id, uint32_t command, uint64_t *cgroup_id)
{
	char name[PATH_MAX];
	struct stat st;

	name_of(name, id, command, NULL);
	if (fstatat(g->dir, name, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	*cgroup_id = st.st_ino;	/* kernfs: the cgroup's id is its inode number */
	return 0;
}

int cgroup_make(struct cgroups *g, const char *id, uint32_t command, uint64_t *cgroup_id)
{
	char name[PATH_MAX];

	name_of(name, id, command, NULL);
	if (mkdirat(g->dir, name, 0755))
		return -errno;
	return cgroup_id_of(g, id, command, cgroup_id);
}

int cgroup_move(struct cgroups *g, const char *id, uint32_t command, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	return write_file(g, id, command, "cgroup.procs", text);
}

int cgroup_kill(struct cgroups *g, const char *id)
{
	int err = write_file(g, id, 0, "cgroup.kill", "1");

	return err == -ENOENT ? 0 : err;	/* gone: nothing lives in it */
}

int cgroup_populated(struct cgroups *g, const char *id, uint32_t command)
{
	char name[PATH_MAX];
	_free_ char *text = NULL;
	const char *at;
	int err;

	name_of(name, id, command, "cgroup.events");
	err = file_slurp_at(g->dir, name, 4096, &text, NULL);
	if (err == -ENOENT || err == -ENODEV)
		return 0;
	if (err)
		return err;
	at = strstr(text, "populated ");
	return at ? at[strlen("populated ")] != '0' : -EBADMSG;
}

static size_t count_lines(struct cgroups *g, const char *name)
{
	_free_ char *text = NULL;
	size_t lines = 0;

	if (file_slurp_at(g->dir, name, 1u << 20, &text, NULL))
		return 0;
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	return lines;
}

bool cgroup_crowded(struct cgroups *g, const char *id)
{
	char name[PATH_MAX];
	size_t lines;

	name_of(name, id, 0, "cgroup.procs");
	lines = count_lines(g, name);
	name_of(name, id, 1, "cgroup.procs");
	return lines + count_lines(g, name) > 1;
}

static bool command_name(const char *name)
{
	return name[0] == 'c' && name[1] >= '1' && name[1] <= '9' && strspn(name + 1, "0123456789") == strlen(name + 1);
}

size_t cgroup_processes(struct cgroups *g, const char *id)
{
	char name[PATH_MAX];
	size_t total;
	struct dirent *e;
	int fd = openat(g->dir, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	name_of(name, id, 0, "cgroup.procs");
	total = count_lines(g, name);
	while ((e = readdir(d))) {
		if (!command_name(e->d_name))
			continue;
		snprintf(name, sizeof(name), "%s/%s/cgroup.procs", id, e->d_name);
		total += count_lines(g, name);
	}
	closedir(d);
	return total;
}

/* Bottom up: a cgroup with children cannot be removed, and its files need not (and cannot) be. */
static int remove_tree(int parent, const char *name, unsigned depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct dirent *e;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while (depth && (e = readdir(d))) {
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			(void)remove_tree(dirfd(d), e->d_name, depth - 1);
	}
	closedir(d);
	return unlinkat(parent, name, AT_REMOVEDIR) && errno != ENOENT ? -errno : 0;
}

int cgroup_remove(struct cgroups *g, const char *id, uint32_t command)
{
	char name[PATH_MAX];

	name_of(name, id, command, NULL);
	if (!unlinkat(g->dir, name, AT_REMOVEDIR))
		return 0;	/* nothing nested, as nearly always */
	return remove_tree(g->dir, name, CGROUP_DEPTH_MAX);
}

int cgroup_watch_fd(struct cgroups *g)
{
	return g->notify;
}

int cgroup_watch(struct cgroups *g, const char *id, uint32_t command)
{
	char path[2 * PATH_MAX], name[PATH_MAX];
	int watch;

	name_of(name, id, command, "cgroup.events");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", g->dir, name);
	watch = inotify_add_watch(g->notify, path, IN_MODIFY);
	return watch < 0 ? -errno : watch;
}

void cgroup_unwatch(struct cgroups *g, int watch)
{
	if (watch >= 0)
		(void)inotify_rm_watch(g->notify, watch);	/* already gone with its directory: as well */
}

void cgroup_watch_read(struct cgroups *g, cgroup_watch_fn fn, void *ctx)
{
	char bytes[64 * sizeof(struct inotify_event)] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(g->notify, bytes, sizeof(bytes));

	for (ssize_t at = 0; n > 0 && at + (ssize_t)sizeof(struct inotify_event) <= n;) {
		const struct inotify_event *e = (const void *)(bytes + at);

		if (e->mask & (IN_MODIFY | IN_Q_OVERFLOW))
			fn(ctx, e->mask & IN_Q_OVERFLOW ? -1 : e->wd);
		at += sizeof(*e) + e->len;
	}
}

int cgroup_list(struct cgroups *g, cgroup_list_fn fn, void *ctx)
{
	int fd = openat(g->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		uint64_t id;

		if (e->d_type == DT_DIR && e->d_name[0] != '.' && !cgroup_id_of(g, e->d_name, 0, &id))
			fn(ctx, e->d_name, id);
	}
	closedir(d);
	return 0;
}

/* Where pid lives in the v2 hierarchy, as its own mount shows it; *out NULL: nowhere. */
static int place_of(pid_t pid, char **out)
{
	_free_ char *text = NULL;
	char path[64];
	const char *line;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	err = file_slurp(path, 1u << 16, &text, NULL);
	if (err)
		return err;
	line = text;
	while (line && strncmp(line, "0::", 3)) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	*out = line ? strndup(line + 3, strcspn(line + 3, "\n")) : NULL;
	return line && !*out ? -ENOMEM : 0;
}

bool cgroup_contains(struct cgroups *g, const char *id, uint32_t command, pid_t pid)
{
	char name[PATH_MAX], tail[2 * PATH_MAX];
	_free_ char *place = NULL;
	int len, at;

	if (place_of(pid, &place) || !place)
		return false;
	name_of(name, id, command, NULL);
	len = snprintf(tail, sizeof(tail), "/%s/%s", g->parent, name);
	at = (int)strlen(place) - len;
	return at >= 0 && !strcmp(place + at, tail);
}

bool cgroup_holds(struct cgroups *g, pid_t pid)
{
	_free_ char *place = NULL;
	char part[NAME_MAX + 4];

	if (place_of(pid, &place))
		return true;
	snprintf(part, sizeof(part), "/%s/", g->parent);
	return place && strstr(place, part);	/* no v2 hierarchy for it: not ours */
}
