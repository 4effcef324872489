// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and programs: every call that opens, executes, maps, creates, removes, renames or re-describes a path is judged by the path
 * itself against the sandbox's policy. On 6.1 and later. If it cannot load, no sandbox starts whose policy governs files.
 *
 * What a descriptor may do is judged when it is made (open, arrival by socket), not on each read and write.
 */
#include "judge.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Which verbs an open needs; 0: judged already, or nothing can be done with it. */
static __always_inline __u32 open_verbs(__u32 flags, __u32 mode)
{
	__u32 verbs = 0;

	if (flags & FMODE_EXEC_FLAG)
		return 1u << VERB_EXECUTE;
	if (flags & O_TMPFILE_BIT)
		return 1u << VERB_CREATE;	/* no path_mknod ran; its later name is path_link's */
	if (mode & FMODE_CREATED)
		return 0;			/* path_mknod judged this same action */
	if (mode & FMODE_WRITE || flags & O_TRUNC)
		verbs |= 1u << VERB_CHANGE;
	if (mode & FMODE_READ || !verbs)
		verbs |= 1u << VERB_READ;	/* access mode 3 (ioctl only) counts as read */
	return verbs;
}

SEC("lsm/file_open")
int BPF_PROG(on_file_open, struct file *file, int prev)
{
	struct here h;
	struct object o = { .op = ACT_OPEN };

	if (prev || !sandbox_here(&h))
		return prev;
	if (file->f_mode & FMODE_NOACCOUNT)
		return 0;	/* overlay's own open under one that was judged */
	o.verbs = open_verbs(file->f_flags, file->f_mode);
	if (!o.verbs && !h.dead)
		return 0;
	if (o.verbs & 1u << VERB_EXECUTE)
		o.op = ACT_EXEC;
	o.mnt = file->f_path.mnt;
	o.dentry = file->f_path.dentry;
	return REFUSED(judge(&h, &o));
}

/* A descriptor arrives by SCM_RIGHTS or pidfd_getfd: judged as if opened here. */
static __always_inline int judge_received(const struct here *h, struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	__u64 magic = BPF_CORE_READ(dentry, d_sb, s_magic);
	struct object o = { .op = ACT_RECEIVE };
	char name[8] = {};

	if (magic == ANON_INODE_FS_MAGIC) {
		/* "[eventfd]", "[eventpoll]", "[timerfd]", "[signalfd]": inert. io_uring, bpf, perf, pidfd, fscontext and the rest: not */
		bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name));
		if (name[1] == 'e' && name[2] == 'v' && name[3] == 'e' && name[4] == 'n' && name[5] == 't')
			return 0;
		if (name[1] == 't' && name[2] == 'i' && name[3] == 'm' && name[4] == 'e' && name[5] == 'r')
			return 0;
		if (name[1] == 's' && name[2] == 'i' && name[3] == 'g' && name[4] == 'n' && name[5] == 'a')
			return 0;
		return guard_refuse(h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0);
	}
	if (file->f_flags & O_PATH)
		return 0;	/* whatever is done with it is judged then */
	o.verbs = open_verbs(file->f_flags & ~(FMODE_EXEC_FLAG | O_TMPFILE_BIT | O_TRUNC), file->f_mode & ~FMODE_CREATED);
	o.mnt = file->f_path.mnt;
	o.dentry = dentry;
	return judge(h, &o);
}

/* Sockets are net.bpf.c's: it knows who made them. */
SEC("lsm/file_receive")
int BPF_PROG(on_file_receive, struct file *file, int prev)
{
	struct here h;

	if (prev || !sandbox_here(&h))
		return prev;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK)
		return 0;
	return REFUSED(judge_received(&h, file));
}

static __always_inline int judge_mapped(struct file *file, enum operation op)
{
	struct here h;
	struct object o = { .op = op, .verbs = 1u << VERB_EXECUTE };

	if (!sandbox_here(&h))
		return 0;
	o.mnt = file->f_path.mnt;
	o.dentry = file->f_path.dentry;
	return judge(&h, &o);
}

/* ld.so FILE and dlopen: the only sight of FILE as code. Inside execve the image and its interpreter were judged when opened. */
SEC("lsm/mmap_file")
int BPF_PROG(on_mmap_file, struct file *file, unsigned long reqprot, unsigned long prot, unsigned long flags, int prev)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (prev || !file || !(prot & PROT_EXEC) || BPF_CORE_READ_BITFIELD_PROBED(task, in_execve))
		return prev;
	return REFUSED(judge_mapped(file, ACT_MAP_EXEC));
}

SEC("lsm/file_mprotect")
int BPF_PROG(on_file_mprotect, struct vm_area_struct *vma, unsigned long reqprot, unsigned long prot, int prev)
{
	struct file *file;

	if (prev || !(prot & PROT_EXEC))
		return prev;
	file = vma->vm_file;
	if (!file)
		return 0;	/* anonymous memory: JIT looks the same as anything else */
	return REFUSED(judge_mapped(file, ACT_PROTECT_EXEC));
}

/* mknod, and open with O_CREAT of a new name. Device nodes would reach any device by a path of the agent's own. */
SEC("lsm/path_mknod")
int BPF_PROG(on_path_mknod, const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int dev, int prev)
{
	struct here h;

	if (prev || !sandbox_here(&h))
		return prev;
	if (((mode & S_IFMT) == S_IFCHR && dev) || (mode & S_IFMT) == S_IFBLK)
		if (guard_refuse(&h, RULE_BUILTIN(CAPABILITY), ACT_MKNOD, dev))
			return -EPERM;
	return REFUSED(judge_name(dir, dentry, 1u << VERB_CREATE, ACT_CREATE));
}

SEC("lsm/path_mkdir")
int BPF_PROG(on_path_mkdir, const struct path *dir, struct dentry *dentry, umode_t mode, int prev)
{
	return prev ? prev : REFUSED(judge_name(dir, dentry, 1u << VERB_CREATE, ACT_MKDIR));
}

SEC("lsm/path_symlink")
int BPF_PROG(on_path_symlink, const struct path *dir, struct dentry *dentry, const char *target, int prev)
{
	return prev ? prev : REFUSED(judge_name(dir, dentry, 1u << VERB_CREATE, ACT_SYMLINK));
}

SEC("lsm/path_unlink")
int BPF_PROG(on_path_unlink, const struct path *dir, struct dentry *dentry, int prev)
{
	return prev ? prev : REFUSED(judge_name(dir, dentry, 1u << VERB_REMOVE, ACT_UNLINK));
}

SEC("lsm/path_rmdir")
int BPF_PROG(on_path_rmdir, const struct path *dir, struct dentry *dentry, int prev)
{
	return prev ? prev : REFUSED(judge_name(dir, dentry, 1u << VERB_REMOVE, ACT_RMDIR));
}

SEC("lsm/path_truncate")
int BPF_PROG(on_path_truncate, const struct path *path, int prev)
{
	return prev ? prev : REFUSED(judge_path(path, 1u << VERB_CHANGE, ACT_TRUNCATE));
}

SEC("lsm/path_chmod")
int BPF_PROG(on_path_chmod, const struct path *path, umode_t mode, int prev)
{
	return prev ? prev : REFUSED(judge_path(path, 1u << VERB_CHANGE, ACT_CHMOD));
}

/* kuid_t and kgid_t are structs of one int: they arrive as words */
SEC("lsm/path_chown")
int BPF_PROG(on_path_chown, const struct path *path)
{
	return REFUSED(judge_path(path, 1u << VERB_CHANGE, ACT_CHOWN));
}
