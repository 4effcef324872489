/* SPDX-License-Identifier: Apache-2.0 */
/* Who is a member: labels by pidfd, governed cgroups. The kernel programs keep it up from there. */
#include <stdio.h>
#include "base/base.h"
#include "base/file.h"
#include "kernel/internal.h"

int kernel_cgroup_govern(struct kernel *k, uint64_t cgroup_id, uint64_t id, uint32_t command)
{
	struct kernel_sandbox sb;
	struct member m;
	int err = kernel_sandbox_get(k, id, &sb);

	if (err)
		return err;
	m = (struct member){ .sandbox = id, .index = sb.index, .command = command };
	return bpf_map_update_elem(k->maps[MAP_GOVERNED], &cgroup_id, &m, BPF_ANY) ? -errno : 0;
}

int kernel_cgroup_forget(struct kernel *k, uint64_t cgroup_id)
{
	return bpf_map_delete_elem(k->maps[MAP_GOVERNED], &cgroup_id) && errno != ENOENT ? -errno : 0;
}

/* The pid that a pidfd stands for, in our namespace. */
static int pidfd_pid(int pidfd, uint32_t *pid)
{
	_free_ char *text = NULL;
	const char *line;
	char path[64];
	size_t len;
	int err;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	err = file_slurp(path, 4096, &text, &len);
	if (err)
		return err;
	line = strstr(text, "Pid:\t");
	if (!line || atol(line + 5) <= 0)
		return -ESRCH;
	*pid = atol(line + 5);
	return 0;
}

int kernel_member_label(struct kernel *k, int pidfd, uint64_t id, uint32_t command)
{
	struct kernel_sandbox sb;
	struct member m, old;
	uint32_t pid;
	int err = kernel_sandbox_get(k, id, &sb);

	if (err)
		return err;
	if (k->options.observe_only)
		return 0;	/* the cgroup is the membership there */
	err = pidfd_pid(pidfd, &pid);
	if (err)
		return err;
	m = (struct member){ .sandbox = id, .index = sb.index, .command = command };
	if (!bpf_map_lookup_elem(k->maps[MAP_MEMBERS], &pidfd, &old)) {
		if (old.sandbox != id)
			return -EBUSY;	/* membership is sticky */
		if (old.command == command)
			return 0;	/* the move into its cgroup said it all */
		m.counted = old.counted;
		if (bpf_map_update_elem(k->maps[MAP_MEMBERS], &pidfd, &m, BPF_EXIST))
			return -errno;
		return bpf_map_update_elem(k->maps[MAP_MEMBER_PIDS], &pid, &m, BPF_ANY) ? -errno : 0;
	}
	/* counted first: from the label on the task may leave, and its leaving is counted */
	m.counted = 1;
	__atomic_fetch_add(&k->sandboxes[sb.index].members, 1, __ATOMIC_RELAXED);
	if (bpf_map_update_elem(k->maps[MAP_MEMBERS], &pidfd, &m, BPF_NOEXIST)) {
		err = -errno;
		__atomic_fetch_sub(&k->sandboxes[sb.index].members, 1, __ATOMIC_RELAXED);
		return err;
	}
	return bpf_map_update_elem(k->maps[MAP_MEMBER_PIDS], &pid, &m, BPF_ANY) ? -errno : 0;
}
