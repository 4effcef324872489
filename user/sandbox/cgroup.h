/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cgroup v2 directories of sandboxes: <mount>/<parent>/<id>, and in it c<n> for each command. Works on names and files alone,
 * so that tests can use any directory; only mount detection knows the filesystem.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <sys/types.h>
#include "base/buf.h"

struct cgroups;
int cgroup_find_mount(const char *mountinfo, char *out, size_t size);	/* first cgroup2 mount in a mountinfo file; -ENOENT */
int cgroups_open(const char *mount, const char *parent, struct cgroups **out);	/* makes the parent */
void cgroups_close(struct cgroups *g);
const char *cgroups_path(const struct cgroups *g);
void cgroup_path(const struct cgroups *g, const char *id, uint32_t command, struct buf *out);

/* command 0: the sandbox's own directory. */
int cgroup_make(struct cgroups *g, const char *id, uint32_t command, uint64_t *cgroup_id);
int cgroup_id_of(struct cgroups *g, const char *id, uint32_t command, uint64_t *cgroup_id);
int cgroup_move(struct cgroups *g, const char *id, uint32_t command, pid_t pid);
bool cgroup_contains(struct cgroups *g, const char *id, uint32_t command, pid_t pid);	/* pid is in just this one; false also when that cannot be told */
int cgroup_kill(struct cgroups *g, const char *id);	/* every process below, also ones that are just being born */
int cgroup_populated(struct cgroups *g, const char *id, uint32_t command);	/* 1, 0, -errno; a directory that is gone is empty */
size_t cgroup_processes(struct cgroups *g, const char *id);	/* in the sandbox's directory and its commands' */
bool cgroup_crowded(struct cgroups *g, const char *id);	/* more than one process in the sandbox's directory and its first command's */
int cgroup_remove(struct cgroups *g, const char *id, uint32_t command);	/* with what members nested; -EBUSY while populated */

/* Watches: readable when a watched directory may have become empty or populated. Level of truth is cgroup_populated(). */
int cgroup_watch_fd(struct cgroups *g);
int cgroup_watch(struct cgroups *g, const char *id, uint32_t command);	/* watch number or -errno */
void cgroup_unwatch(struct cgroups *g, int watch);
typedef void (*cgroup_watch_fn)(void *ctx, int watch);	/* -1: the queue overflowed, look at all */
void cgroup_watch_read(struct cgroups *g, cgroup_watch_fn fn, void *ctx);

/* Each directory below the parent: what an earlier engine may have left. */
typedef void (*cgroup_list_fn)(void *ctx, const char *name, uint64_t cgroup_id);
int cgroup_list(struct cgroups *g, cgroup_list_fn fn, void *ctx);
/* True when pid lives in a cgroup below ours (by /proc/<pid>/cgroup), or when that cannot be told. */
bool cgroup_holds(struct cgroups *g, pid_t pid);

#endif
