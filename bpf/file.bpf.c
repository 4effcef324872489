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
		return guard_object(h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0);
	}
	if (magic == PID_FS_MAGIC)
		return guard_object(h, RULE_BUILTIN(DESCRIPTOR), ACT_RECEIVE, 0);	/* where pidfds live since 6.9 (cb12fd8e0dab) */
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
	file = vma->vm_file;
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
	struct task_struct *task = bpf_get_current_task_btf();

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
	o.mnt = dir->mnt;
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

enum name_verdict { NAME_FINE, NAME_REFUSED, NAME_CROSSES };

static __always_inline int name_error(enum name_verdict v)
{
	if (v == NAME_REFUSED)
		return -EACCES;
	return v == NAME_CROSSES ? -EXDEV : 0;	/* EXDEV: mv and its kin fall back to copying */
}

static __always_inline bool is_dir(const struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode && (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR;
}

/*
 * A new name grants nothing that the old one lacked: a directory keeps its states below (what lies in it keeps its rights), anything else
 * gains no verb. to is walks[to], from walks[!to].
 */
static __always_inline bool name_grants(struct scratch *s, __u32 index, __u32 slot, bool directory, __u32 to)
{
	struct walk *a = &s->walks[0], *b = &s->walks[1];
	__u32 old, new;

	if (directory)
		return a->below_trie != b->below_trie || a->below_glob != b->below_glob;
	path_rights(index, !to, slot);
	old = s->ruling.rights;
	path_rights(index, to, slot);
	new = s->ruling.rights;
	return new & ~old;
}

static __always_inline enum name_verdict refuse_name(const struct here *h, struct scratch *s, __u32 index, enum operation op)
{
	report_init(&s->report, h, CLASS_FILES, VERB_CREATE, op);
	s->report.rule = RULE_BUILTIN(NAME_CHANGE);
	s->report.error = -EXDEV;
	s->report.hash = s->walks[0].hash ^ s->walks[1].hash;
	return report_path(index, 2) ? NAME_CROSSES : NAME_FINE;
}

/* What a call that gives a second name is about. */
struct naming {
	const struct vfsmount *old_mnt, *new_mnt;
	struct dentry *old, *new;
	__u32 old_verbs, new_verbs;
	__u32 exchange;
	enum operation op;
};

static __always_inline enum name_verdict judge_naming_in(const struct here *h, const struct naming *n, struct scratch *s, __u32 index)
{
	struct object o = { .dentry = n->new, .op = n->op, .verbs = n->new_verbs };
	bool directory = is_dir(n->old);

	s->walks[0].proc_root = s->walks[1].proc_root = 0;
	walk_from(&s->walks[0], n->old_mnt, n->old);
	walk_from(&s->walks[1], n->new_mnt, n->new);
	path_walk(index, 0);
	path_walk(index, 1);
	if (s->walks[0].why || s->walks[1].why)
		return refuse_unknown(h, &o, s->walks[0].why ? s->walks[0].why : s->walks[1].why) ? NAME_REFUSED : NAME_FINE;
	path_run(index, 0, h->slot);
	path_run(index, 1, h->slot);
	decide_path(index, 0, h->slot, n->old_verbs);
	if (!s->ruling.refused)
		decide_path(index, 1, h->slot, n->new_verbs);
	if (s->ruling.refused)
		return refuse_path(h, s, index, n->op, 2) ? NAME_REFUSED : NAME_FINE;
	if (name_grants(s, index, h->slot, directory, 1))
		return refuse_name(h, s, index, n->op);
	if (n->exchange && name_grants(s, index, h->slot, is_dir(n->new), 0))
		return refuse_name(h, s, index, n->op);
	record_allowed(h, s, &o);
	return NAME_FINE;
}

static __always_inline enum name_verdict judge_naming(const struct here *h, const struct naming *n)
{
	enum name_verdict v = NAME_REFUSED;
	struct object o = { .dentry = n->old, .op = n->op, .verbs = n->old_verbs | n->new_verbs };
	struct scratch *s;
	__u64 proc_root = 0;
	__s32 index;

	if (h->dead) {
		dead_refuse(h, n->op);
		return NAME_REFUSED;
	}
	switch (judge_special(h, &o, &proc_root)) {
	case SPECIAL_REFUSE:
		return NAME_REFUSED;
	case SPECIAL_ALLOW:
		return NAME_FINE;
	case SPECIAL_STEERS:	/* such file systems know no renames */
	case SPECIAL_NONE:
		break;
	}
	index = scratch_claim();
	if (index < 0)
		return refuse_unknown(h, &o, REASON_NO_BUFFER) ? NAME_REFUSED : NAME_FINE;
	s = scratch_get(index);
	if (s)
		v = judge_naming_in(h, n, s, index);
	scratch_release(index);
	return v;
}

/* Since 5.19 (100f59d96405) RENAME_EXCHANGE comes once, with its flag; both directions are judged here either way. */
SEC("lsm/path_rename")
int BPF_PROG(on_path_rename, const struct path *old_dir, struct dentry *old, const struct path *new_dir, struct dentry *new, unsigned int flags,
	     int prev)
{
	struct here h;
	struct naming n = { .op = ACT_RENAME };

	if (prev || !sandbox_here(&h))
		return prev;
	n.old_mnt = old_dir->mnt;
	n.new_mnt = new_dir->mnt;
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
	n.old_mnt = n.new_mnt = new_dir->mnt;
	n.old = old;
	n.new = new;
	n.old_verbs = 1u << VERB_READ | 1u << VERB_CHANGE;
	n.new_verbs = 1u << VERB_CREATE;
	return name_error(judge_naming(&h, &n));
}

/* ---- metadata that comes without a mount ---- */

struct mount_search {
	__u64 next, head, s_root, ns;	/* list nodes; the superblock's root; the caller's mount namespace */
	__u64 exact, other;		/* found: a mount of the whole file system, of a part of it */
};

static long search_mount(__u32 i, struct mount_search *m)
{
	__u64 mount = m->next - bpf_core_field_offset(struct mount, mnt_instance);
	struct mount *at = (void *)mount;

	if (m->next == m->head || !m->next)
		return 1;
	if ((__u64)BPF_CORE_READ(at, mnt_ns) == m->ns) {
		if ((__u64)BPF_CORE_READ(at, mnt.mnt_root) == m->s_root) {
			m->exact = mount;
			return 1;
		}
		m->other = mount;
	}
	m->next = (__u64)BPF_CORE_READ(at, mnt_instance.next);
	return 0;
}

/*
 * The mount by which this namespace sees a superblock: one of the whole file system if there is one, else one of a part (if the object is
 * not below it the walk ends detached, and that refuses).
 */
static __always_inline __u64 mount_of(struct dentry *dentry)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct super_block *sb = BPF_CORE_READ(dentry, d_sb);
	struct mount_search m = {};

	m.head = (__u64)sb + bpf_core_field_offset(struct super_block, s_mounts);
	m.next = (__u64)BPF_CORE_READ(sb, s_mounts.next) + loop_zero;
	m.s_root = (__u64)BPF_CORE_READ(sb, s_root);
	m.ns = (__u64)BPF_CORE_READ(task, nsproxy, mnt_ns);
	m.exact = UNKNOWN(0);
	m.other = UNKNOWN(0);
	bpf_loop(4096, search_mount, &m, 0);
	return m.exact ? m.exact : m.other;
}

static __always_inline int judge_dentry(struct dentry *dentry, enum operation op)
{
	struct here h;
	struct object o = { .verbs = 1u << VERB_CHANGE, .op = op, .dentry = dentry };
	__u64 mount;

	if (!sandbox_here(&h) || credentials_lent())
		return 0;
	if (BPF_CORE_READ(dentry, d_sb, s_flags) & SB_NOUSER && !h.dead)
		return judge_internal(&h, &o);
	mount = mount_of(dentry);
	if (!mount)
		return refuse_unknown(&h, &o, REASON_DETACHED);
	o.mnt = (void *)(mount + bpf_core_field_offset(struct mount, mnt));
	return judge(&h, &o);
}

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
