/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pin that members may read (bpf/why.bpf.c). It enforces nothing and is no part of the set of programs: where it cannot be had, a sandbox is as
 * safe and its agent less wise.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "base/base.h"
#include "kernel/internal.h"
#include "why.skel.h"

static struct bpf_object *open_why(const struct bpf_object_open_opts *opts)
{
	size_t size;
	const void *elf = why_bpf__elf_bytes(&size);

	return bpf_object__open_mem(elf, size, opts);
}

static const struct family why_family = { .name = "why", .open = open_why };

static int attach(struct bpf_object *obj, struct bpf_link **out)
{
	union bpf_iter_link_info info = { .map.map_fd = bpf_object__find_map_fd_by_name(obj, "lines") };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	*out = bpf_program__attach_iter(bpf_object__find_program_by_name(obj, "why"), &opts);
	return *out ? 0 : -errno;
}

/* Every user of a sandbox has to come by, and sees the names of what is pinned beside it no more than before. */
static int let_through(const char *dir)
{
	struct stat st;

	if (stat(dir, &st))
		return -errno;
	return (st.st_mode & 0011) == 0011 || !chmod(dir, (st.st_mode & 07777) | 0011) ? 0 : -errno;
}

static int open_way(const char *pin_dir)
{
	char parent[200];
	char *slash;
	int err = let_through(pin_dir);

	snprintf(parent, sizeof(parent), "%s", pin_dir);
	slash = strrchr(parent, '/');
	if (err || !slash || slash == parent)
		return err;
	*slash = '\0';
	return let_through(parent);
}

/* Which inode it is: what the programs go by. */
static int publish(struct kernel *k, const char *path)
{
	struct stat st;

	if (chmod(path, 0444) || stat(path, &st))
		return -errno;
	k->host->why_dev = major(st.st_dev) << 20 | minor(st.st_dev);
	__atomic_store_n(&k->host->why_ino, st.st_ino, __ATOMIC_RELEASE);
	return open_way(k->pin_dir);
}

static int pin_anew(struct kernel *k, const char *path)
{
	struct bpf_object *obj = NULL;
	struct bpf_link *link = NULL;
	char root[256];
	int err;

	snprintf(root, sizeof(root), "%s/maps", k->pin_dir);
	err = family_load(&why_family, root, &k->options, &obj);
	if (err)
		return err;
	err = attach(obj, &link);
	if (!err)
		err = bpf_link__pin(link, path);
	if (!err)
		bpf_link__disconnect(link);
	bpf_link__destroy(link);
	bpf_object__close(obj);
	return err;
}

int why_open(struct kernel *k)
{
	char path[256];
	struct stat st;
	int err;

	if (k->options.observe_only)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "%s/why", k->pin_dir);
	if (!stat(path, &st) && k->host->why_ino == st.st_ino)
		return publish(k, path);	/* an earlier engine's */
	k->host->why_ino = 0;
	(void)unlink(path);
	err = pin_anew(k, path);
	return err ? err : publish(k, path);
}

int why_probe(void)
{
	struct kernel_options small = { .decision_ring_bytes = 4096, .telemetry_ring_bytes = 4096 };
	struct bpf_object *obj = NULL;
	struct bpf_link *link = NULL;
	int err = family_load(&why_family, NULL, &small, &obj);

	if (!err)
		err = attach(obj, &link);
	bpf_link__destroy(link);
	bpf_object__close(obj);
	return err;
}

int kernel_why(const struct kernel *k, uint64_t id, struct why_entry out[WHY_ENTRIES])
{
	const struct why_ring *ring = NULL;
	size_t count = 0;

	for (size_t i = 0; id && i < MAX_SANDBOXES && !ring; i++)
		ring = k->sandboxes[i].id == id ? &k->whys[i] : NULL;
	for (size_t i = 0; ring && i < WHY_ENTRIES; i++) {
		struct why_entry e = ring->entries[i];
		size_t at = count;

		if (!e.key || e.key != *(volatile __u64 *)&ring->entries[i].key)
			continue;
		for (; at && out[at - 1].time_ns < e.time_ns; at--)
			out[at] = out[at - 1];
		out[at] = e;
		count++;
	}
	return ring ? (int)count : -ENOENT;
}
