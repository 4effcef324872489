// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and programs: every call that opens, executes, maps, creates, removes, renames or re-describes a path is judged by the path
 * itself against the sandbox's policy. On 6.1 and later. If it cannot load, no sandbox starts whose policy governs files.
 *
 * What a descriptor may do is judged when it is made (open, arrival by socket), not on each read and write.
 */
#include "dentry.bpf.h"
#include "naming.bpf.h"

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
	o.mnt = LOOK_AT(file)->f_path.mnt;
	o.dentry = LOOK_AT(file)->f_path.dentry;
	return REFUSED(judge(&h, &o));
}

/* A descriptor arrives by SCM_RIGHTS or pidfd_getfd: judged as if opened here. */
static __always_inline int judge_received(const struct here *h, struct file *file)
{
	struct dentry *dentry = LOOK_AT(file)->f_path.dentry;
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
		return guard_object(h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0);
	}
	if (magic == PID_FS_MAGIC)
		return guard_object(h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0);	/* where pidfds live since 6.9 (cb12fd8e0dab) */
	if (file->f_flags & O_PATH)
		return 0;	/* whatever is done with it is judged then */
	o.verbs = open_verbs(file->f_flags & ~(FMODE_EXEC_FLAG | O_TMPFILE_BIT | O_TRUNC), file->f_mode & ~FMODE_CREATED);
	o.mnt = LOOK_AT(file)->f_path.mnt;
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

/*
 * The path that user space named. What overlayfs maps is a file of its own; it carries the outer path as f_path, or since 6.8 (def3ae83da02)
 * beside it. FMODE_BACKING says so and has moved from bit to bit; among files that are mapped NOACCOUNT says the same.
 */
static __always_inline void object_from_file(struct object *o, struct file *file)
{
	struct backing_file *backing = (void *)file;

	if (bpf_core_field_exists(backing->user_path) && BPF_CORE_READ(file, f_mode) & FMODE_NOACCOUNT) {
		o->mnt = BPF_CORE_READ(backing, user_path.mnt);
		o->dentry = BPF_CORE_READ(backing, user_path.dentry);
	} else {
		o->mnt = BPF_CORE_READ(file, f_path.mnt);
		o->dentry = BPF_CORE_READ(file, f_path.dentry);
	}
}

static __always_inline int judge_mapped(struct file *file, enum operation op)
{
	struct here h;
	struct object o = { .op = op, .verbs = 1u << VERB_EXECUTE };

	if (!sandbox_here(&h))
		return 0;
	object_from_file(&o, file);
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
	file = LOOK_AT(vma)->vm_file;
	if (!file)
		return 0;	/* anonymous memory: JIT looks the same as anything else */
	return REFUSED(judge_mapped(file, ACT_PROTECT_EXEC));
}

/* Can nothing be created here, ever? The kernel then refuses by itself; O_CREAT of what is there (`> /proc/self/comm`) creates nothing. */
static __always_inline bool never_creates(const struct path *dir)
{
	const struct inode_operations *op = BPF_CORE_READ(dir, dentry, d_inode, i_op);

	return !BPF_CORE_READ(op, create) && !BPF_CORE_READ(op, atomic_open);
}

/*
 * open(O_CREAT) asks for the creation before the file system has been asked whether the name is there: a refusal now could be of something that
 * the call does not do. ESTALE makes do_filp_open() go on if the name is there, and else look again, by which time it is known, or is as well
 * known as it will be.
 */
static __always_inline bool name_unknown(const struct dentry *dentry)
{
	struct task_struct *task = LOOK_AT(bpf_get_current_task_btf());

	return BPF_CORE_READ(dentry, d_flags) & DCACHE_PAR_LOOKUP && task->nameidata && !(BPF_CORE_READ(task, nameidata, flags) & LOOKUP_REVAL);
}

/* mknod, and open with O_CREAT of a new name. Device nodes would reach any device by a path of the agent's own. */
SEC("lsm/path_mknod")
int BPF_PROG(on_path_mknod, const struct path *dir, struct dentry *dentry, umode_t mode, unsigned int dev, int prev)
{
	umode_t kind = mode & S_IFMT;
	struct here h;
	struct object o = { .verbs = 1u << VERB_CREATE, .op = ACT_MKNOD, .dentry = dentry };
	int judgement;

	if (prev || !sandbox_here(&h))
		return prev;
	if ((kind == S_IFCHR && dev) || kind == S_IFBLK)
		if (guard_refuse(&h, RULE_BUILTIN(CAPABILITY), ACT_MKNOD, dev))
			return -EPERM;
	if (!kind || kind == S_IFREG) {
		if (never_creates(dir) && !h.dead)
			return 0;
		o.op = ACT_CREATE;
		o.early = name_unknown(dentry);
	}
	o.mnt = LOOK_AT(dir)->mnt;
	judgement = judge(&h, &o);
	return judgement == JUDGE_LATER ? -ESTALE : REFUSED(judgement);
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

/* inotify, fanotify, dnotify: a watched directory tells its names, a watched file when it is used. */
SEC("lsm/path_notify")
int BPF_PROG(on_path_notify, const struct path *path, u64 mask, unsigned int type, int prev)
{
	return prev ? prev : REFUSED(judge_path(path, 1u << VERB_READ, ACT_WATCH));
}

/* ---- name changes ---- */

/* Since 5.19 (100f59d96405) RENAME_EXCHANGE comes once, with its flag; both directions are judged here either way. */
SEC("lsm/path_rename")
int BPF_PROG(on_path_rename, const struct path *old_dir, struct dentry *old, const struct path *new_dir, struct dentry *new, unsigned int flags,
	     int prev)
{
	struct here h;
	struct naming n = { .op = ACT_RENAME };

	if (prev || !sandbox_here(&h))
		return prev;
	n.old_mnt = LOOK_AT(old_dir)->mnt;
	n.new_mnt = LOOK_AT(new_dir)->mnt;
	n.old = old;
	n.new = new;
	n.exchange = flags & RENAME_EXCHANGE;
	/* a whiteout takes the place of what went away */
	n.old_verbs = 1u << VERB_REMOVE | (flags & (RENAME_EXCHANGE | RENAME_WHITEOUT) ? 1u << VERB_CREATE : 0);
	/* a target that is there goes away */
	n.new_verbs = 1u << VERB_CREATE | (BPF_CORE_READ(new, d_inode) ? 1u << VERB_REMOVE : 0);
	return name_error(judge_naming(&h, &n));
}

/* The hook gives no mount for the source: link(2) refuses to cross mounts, so it is the target's. */
SEC("lsm/path_link")
int BPF_PROG(on_path_link, struct dentry *old, const struct path *new_dir, struct dentry *new, int prev)
{
	struct here h;
	struct naming n = { .op = ACT_LINK };

	if (prev || !sandbox_here(&h))
		return prev;
	n.old_mnt = n.new_mnt = LOOK_AT(new_dir)->mnt;
	n.old = old;
	n.new = new;
	n.old_verbs = 1u << VERB_READ | 1u << VERB_CHANGE;
	n.new_verbs = 1u << VERB_CREATE;
	return name_error(judge_naming(&h, &n));
}

/* ---- ioctls ---- */

/*
 * File systems keep flags, versions and projects of a file behind ioctls that need no more than a descriptor to read: what is only written
 * ('f', 'v' and 'X' are theirs) changes the file. So does fs-verity, which is written, and fscrypt's policy, which says that it is read.
 */
static __always_inline bool ioctl_changes(unsigned int cmd)
{
	unsigned int type = cmd >> 8 & 255;

	return ((type == 'f' || type == 'v' || type == 'X') && !(cmd & IOC_READ)) || cmd == FS_IOC_SET_ENCRYPTION_POLICY;
}

/* btrfs makes, copies and removes whole trees by ioctl, under names that no hook sees; what shares blocks between open files is judged by them. */
static __always_inline bool ioctl_names(unsigned int cmd)
{
	unsigned int type = cmd >> 8 & 255, nr = cmd & 255;

	return type == BTRFS_IOCTL && !(cmd & IOC_READ) && nr != FICLONE_NR && nr != FICLONERANGE_NR;
}

static __always_inline int guard_ioctl(__u32 rule, unsigned int cmd)
{
	struct here h;

	if (!sandbox_here(&h))
		return 0;
	if (h.dead) {
		dead_refuse(&h, ACT_IOCTL);
		return -EPERM;
	}
	return guard_refuse(&h, rule, ACT_IOCTL, cmd) ? -EPERM : 0;
}

static __always_inline int judge_ioctl(struct file *file, unsigned int cmd)
{
	if (cmd == TIOCSTI || cmd == TIOCLINUX)
		return guard_ioctl(RULE_BUILTIN(TTY), cmd);
	if (cmd == FIOSETOWN || cmd == SIOCSPGRP)
		return guard_ioctl(RULE_BUILTIN(SIGNAL), cmd);
	if (ioctl_names(cmd))
		return guard_ioctl(RULE_BUILTIN(NAME_CHANGE), cmd);
	if (ioctl_changes(cmd))
		return REFUSED(judge_name(&file->f_path, LOOK_AT(file)->f_path.dentry, 1u << VERB_CHANGE, ACT_SETATTR));
	return 0;
}

SEC("lsm/file_ioctl")
int BPF_PROG(on_file_ioctl, struct file *file, unsigned int cmd, unsigned long arg, int prev)
{
	return prev ? prev : judge_ioctl(file, cmd);
}

SEC("lsm/file_ioctl_compat")
int BPF_PROG(on_file_ioctl_compat, struct file *file, unsigned int cmd, unsigned long arg, int prev)
{
	return prev ? prev : judge_ioctl(file, cmd);
}

/* ---- metadata that comes without a mount ---- */

/* Times alone: size, mode and owner have path hooks of their own. */
static __always_inline int judge_setattr(struct dentry *dentry, struct iattr *attr)
{
	unsigned int valid = attr->ia_valid;

	if (valid & (ATTR_SIZE | ATTR_MODE | ATTR_UID | ATTR_GID) || !(valid & (ATTR_ATIME | ATTR_MTIME)))
		return 0;
	return judge_dentry(dentry, ACT_SETATTR);
}

/* Before 6.3 (c1632a0f1120) the hook had two arguments; the loader takes the variant that the kernel's BTF has. */
SEC("lsm/inode_setattr")
int BPF_PROG(on_inode_setattr_2, struct dentry *dentry, struct iattr *attr, int prev)
{
	return prev ? prev : REFUSED(judge_setattr(dentry, attr));
}

SEC("lsm/inode_setattr")
int BPF_PROG(on_inode_setattr_3, struct mnt_idmap *idmap, struct dentry *dentry, struct iattr *attr, int prev)
{
	return prev ? prev : REFUSED(judge_setattr(dentry, attr));
}

SEC("lsm/inode_setxattr")
int BPF_PROG(on_inode_setxattr, void *idmap, struct dentry *dentry)
{
	return REFUSED(judge_dentry(dentry, ACT_SETXATTR));
}

SEC("lsm/inode_removexattr")
int BPF_PROG(on_inode_removexattr, void *idmap, struct dentry *dentry)
{
	return REFUSED(judge_dentry(dentry, ACT_SETXATTR));
}

/* Since 6.2 (72b3897e7810); before, ACLs came as xattrs. */
SEC("lsm/inode_set_acl")
int BPF_PROG(on_inode_set_acl, void *idmap, struct dentry *dentry)
{
	return REFUSED(judge_dentry(dentry, ACT_SETXATTR));
}

SEC("lsm/inode_remove_acl")
int BPF_PROG(on_inode_remove_acl, void *idmap, struct dentry *dentry)
{
	return REFUSED(judge_dentry(dentry, ACT_SETXATTR));
}
