/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The path verdict as hooks use it: claim scratch, walk, special file systems, decide, report. 1 refuses. One action that passes
 * several hooks is judged by the first: what a later hook sees again (overlay's inner open, the file that this open created, the
 * image that exec opened) is let through by the marks that the kernel puts on it.
 */
#ifndef JUDGE_BPF_H
#define JUDGE_BPF_H

#include "decide.bpf.h"
#include "emit.bpf.h"

/* What is to be judged. */
struct object {
	const struct vfsmount *mnt;
	struct dentry *dentry;
	__u32 verbs;
	enum operation op;
	bool early;	/* the kernel does not know yet whether the name is there: refuse without a word (JUDGE_LATER) */
};

enum judgement { JUDGE_PASS, JUDGE_REFUSE, JUDGE_LATER };

#define WRITES (1u << VERB_CHANGE | 1u << VERB_CREATE | 1u << VERB_REMOVE)

/* The verb that stands for a mask where none was judged apart. */
static __always_inline enum verb first_verb(__u32 verbs)
{
	enum verb verb = VERB_READ;

#define X(v) \
	if (verbs & 1u << (v)) { \
		verb = v; \
		goto found; \
	}
	EACH_PATH_VERB(X)
#undef X
found:
	return verb;
}

/* Refuse for a path that cannot be told. */
static __always_inline int refuse_unknown(const struct here *h, const struct object *o, __u32 why)
{
	struct report r;

	report_init(&r, h, CLASS_FILES, first_verb(o->verbs), o->op);
	r.rule = RULE_BUILTIN(PATH_UNKNOWN);
	r.reason = why;
	r.hash = (__u64)o->dentry;
	return report_refusal(&r);
}

/* Kernel-internal mounts hold pipes, sockets, memfds and overlay's own clones: open by themselves, but never code (KERNEL.md 2.4). */
static __always_inline int judge_internal(const struct here *h, const struct object *o)
{
	struct report r;

	if (!(o->verbs & 1u << VERB_EXECUTE))
		return 0;
	report_init(&r, h, CLASS_FILES, VERB_EXECUTE, o->op);
	r.rule = RULE_BUILTIN(ANON_EXEC);
	r.hash = (__u64)o->dentry;
	return report_refusal(&r);
}

/* The process that an object of procfs belongs to, as thread id in the initial namespace; 0: none. */
static __always_inline __u32 proc_pid(struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	struct proc_inode *pi;

	if (!inode)
		return 0;
	pi = (void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode);
	return BPF_CORE_READ(pi, pid, numbers[0].nr);
}

/* The guard's refusal of an object that a path leads to; the caller gets what any refused path gives. */
static __always_inline int guard_object(const struct here *h, __u32 rule, enum operation op, __u64 arg)
{
	struct report r;

	report_init(&r, h, CLASS_GUARD, VERB_CALL, op);
	r.rule = rule;
	r.arg = arg;
	r.always = rule == RULE_BUILTIN(SELF);
	return report_refusal(&r);
}

/* What /proc/<pid>/net holds belongs to no process by itself: the nearest parent that does decides. Deeper than this is only /proc/sys. */
#define PROC_DEPTH 8

static __always_inline __u32 proc_owner(struct dentry *dentry)
{
	struct dentry *parent;
	__u32 pid, i;

#pragma unroll
	for (i = 0; i < PROC_DEPTH; i++) {
		pid = proc_pid(dentry);
		parent = BPF_CORE_READ(dentry, d_parent);
		if (pid || parent == dentry)
			return pid;
		dentry = parent;
	}
	return 0;
}

enum special { SPECIAL_NONE, SPECIAL_ALLOW, SPECIAL_REFUSE, SPECIAL_STEERS };

/* Writing there steers the kernel itself: /proc/sys/kernel/core_pattern runs a program as root on the host. No policy opens it. */
static __always_inline bool steers_kernel(__u64 magic)
{
	switch (magic) {
	case SYSFS_MAGIC: case DEBUGFS_MAGIC: case TRACEFS_MAGIC: case SECURITYFS_MAGIC: case CONFIGFS_MAGIC: case EFIVARFS_MAGIC:
	case PSTOREFS_MAGIC: case BINFMTFS_MAGIC: case FUSECTL_MAGIC: case SELINUX_MAGIC: case SMACK_MAGIC:
		return true;
	default:
		return false;
	}
}

/* /proc/<pid>: members see members, outsiders are refused; writes go on to the policy as /proc/self. */
static __always_inline enum special judge_proc(const struct here *h, const struct object *o, __u64 *proc_root)
{
	struct dentry *dentry = o->dentry;
	__u32 pid = proc_owner(dentry);
	struct member *owner;

	if (!pid)
		return o->verbs & WRITES ? SPECIAL_STEERS : SPECIAL_NONE;
	owner = bpf_map_lookup_elem(&member_pids, &pid);
	if (!owner || owner->sandbox != h->sandbox)
		return guard_object(h, RULE_BUILTIN(PROC), ACT_PROC, pid) ? SPECIAL_REFUSE : SPECIAL_ALLOW;
	if (!(o->verbs & ~(1u << VERB_READ)))
		return SPECIAL_ALLOW;
	*proc_root = (__u64)BPF_CORE_READ(dentry, d_sb, s_root);
	return SPECIAL_NONE;
}

/*
 * The one pin that members may read: which refusals it shows is decided by who reads, not by who opened it. Nothing but reading: to watch it, to
 * name it anew or to change it is refused like all of Bailiff's.
 */
static __always_inline bool is_why(const struct object *o)
{
	struct dentry *dentry = o->dentry;
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);
	__u32 zero = 0;
	struct host_state *state = bpf_map_lookup_elem(&host, &zero);

	if (o->verbs != 1u << VERB_READ || (o->op != ACT_OPEN && o->op != ACT_RECEIVE) || !inode || !state || !state->why_ino)
		return false;
	return BPF_CORE_READ(inode, i_ino) == state->why_ino && BPF_CORE_READ(inode, i_sb, s_dev) == state->why_dev;
}

/* File systems whose objects are the kernel's, whatever path they are mounted at. */
static __always_inline enum special judge_special(const struct here *h, const struct object *o, __u64 *proc_root)
{
	struct dentry *dentry = o->dentry;
	__u64 magic = BPF_CORE_READ(dentry, d_sb, s_magic);

	if (magic == PROC_SUPER_MAGIC)
		return judge_proc(h, o, proc_root);
	if (magic == BPF_FS_MAGIC && is_why(o))
		return SPECIAL_ALLOW;
	if (magic == BPF_FS_MAGIC)
		return guard_object(h, RULE_BUILTIN(SELF), o->op, 0) ? SPECIAL_REFUSE : SPECIAL_ALLOW;
	if ((magic == CGROUP2_SUPER_MAGIC || magic == CGROUP_SUPER_MAGIC) && o->verbs & WRITES)
		return guard_object(h, RULE_BUILTIN(CGROUP), ACT_CGROUP, 0) ? SPECIAL_REFUSE : SPECIAL_ALLOW;
	if (steers_kernel(magic) && o->verbs & WRITES)
		return SPECIAL_STEERS;
	if (magic == NSFS_MAGIC)
		return guard_object(h, RULE_BUILTIN(NAMESPACE), o->op, 0) ? SPECIAL_REFUSE : SPECIAL_ALLOW;
	return SPECIAL_NONE;
}

static __always_inline bool is_dir(const struct dentry *dentry)
{
	struct inode *inode = BPF_CORE_READ(dentry, d_inode);

	return inode && (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFDIR;
}

/* NEEDS_*: verbs at the path, others at the second one. */
static __always_inline __u64 needs_of(const struct dentry *dentry, __u32 verbs, __u32 others)
{
	return verbs | others << NEEDS_OTHER | (is_dir(dentry) ? NEEDS_DIRECTORY : 0);
}

/* A refusal by the ruling's rule, with the first walked path, or with both where others are needed at the second. */
static __always_inline int refuse_path(const struct here *h, struct scratch *s, __u32 index, enum operation op, __u64 needs)
{
	__u32 paths = needs & NEEDS_MASK << NEEDS_OTHER ? 2 : 1;

	report_init(&s->report, h, s->ruling.verb == VERB_UNIX ? CLASS_SOCKETS : CLASS_FILES, s->ruling.verb, op);
	s->report.rule = s->ruling.rule;
	s->report.always = s->ruling.rule == RULE_BUILTIN(SELF);
	s->report.hash = s->walks[0].hash ^ (paths > 1 ? s->walks[1].hash : 0);
	s->report.arg = needs;
	return report_path(index, paths);
}

static __always_inline bool records_file(const struct policy_slot *slot, const struct object *o)
{
	if (!slot)
		return false;
	return (slot->record & 1u << RECORD_OPEN && o->op == ACT_OPEN) || (slot->record & 1u << RECORD_WRITE && o->verbs & WRITES);
}

/* No record, no action. Counted exactly, whether or not the other ring has room for this refusal. */
static __always_inline enum judgement refuse_unrecorded(const struct here *h, struct scratch *s, __u32 index, const struct object *o, __u64 needs)
{
	s->ruling.rule = RULE_BUILTIN(UNRECORDED);
	return refuse_path(h, s, index, o->op, needs) ? JUDGE_REFUSE : JUDGE_PASS;
}

/* What `record:` asks for about an act that is allowed, with one walked path or both: of the policy, which may be lost, or of a rule, which may not. */
static __always_inline enum judgement record_allowed(const struct here *h, struct scratch *s, __u32 index, const struct object *o, __u64 needs)
{
	struct who who = { h->sandbox, h->command, h->generation };
	__u32 slot_index = h->slot, len;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct rec_file *f = (void *)s->record;

	if (!s->ruling.required && !records_file(slot, o))
		return JUDGE_PASS;
	if (o->early)
		return JUDGE_LATER;	/* nor is anything created yet that could be told */
	__builtin_memset(f, 0, sizeof(*f));
	head_fill(&f->h, REC_FILE, RING_TELEMETRY, sizeof(*f), &who);
	f->operation = o->op;
	f->verbs = o->verbs;
	f->rule = s->ruling.rule;
	len = f->path_len = copy_text(s, sizeof(*f), 0);
	if (needs & NEEDS_MASK << NEEDS_OTHER) {
		f->path2_len = copy_text(s, sizeof(*f) + len, 1);
		len += f->path2_len;
	}
	asm volatile("" : "+r"(len));
	if (len > 2 * PATH_BYTES)
		return s->ruling.required ? JUDGE_REFUSE : JUDGE_PASS;
	f->h.size += len;
	head_number(&f->h, RING_TELEMETRY);
	if (submit(&telemetry, f, sizeof(*f) + len, BPF_RB_NO_WAKEUP, KC_TELEMETRY_LOST) || !s->ruling.required)
		return JUDGE_PASS;
	return refuse_unrecorded(h, s, index, o, needs);
}

static __always_inline int judge_walked(const struct here *h, const struct object *o, struct scratch *s, __u32 index, bool steers)
{
	walk_from(&s->walks[0], o->mnt, o->dentry);
	path_walk(index, 0);
	if (s->walks[0].why)
		return o->early ? JUDGE_LATER : refuse_unknown(h, o, s->walks[0].why);
	if (s->walks[0].internal)
		return judge_internal(h, o);
	path_run(index, 0, h->slot);
	s->ruling.required = 0;
	decide_path(index, 0, h->slot, o->verbs);
	if (steers && !s->ruling.refused) {
		s->ruling.refused = 1;
		s->ruling.rule = RULE_BUILTIN(CAPABILITY);
		s->ruling.verb = first_verb(o->verbs & WRITES);
	}
	if (s->ruling.refused)
		return o->early ? JUDGE_LATER : refuse_path(h, s, index, o->op, needs_of(o->dentry, o->verbs, 0));
	return record_allowed(h, s, index, o, needs_of(o->dentry, o->verbs, 0));
}

static __always_inline int judge(const struct here *h, const struct object *o)
{
	struct scratch *s;
	enum special special;
	__u64 proc_root = 0;
	__s32 index;
	int refused = 1;

	if (h->dead) {
		dead_refuse(h, o->op);
		return 1;
	}
	special = judge_special(h, o, &proc_root);
	if (special == SPECIAL_ALLOW || special == SPECIAL_REFUSE)
		return special == SPECIAL_REFUSE;
	index = scratch_claim();
	if (index < 0)
		return refuse_unknown(h, o, REASON_NO_BUFFER);
	s = scratch_get(index);
	if (s) {
		s->walks[0].proc_root = proc_root;
		refused = judge_walked(h, o, s, index, special == SPECIAL_STEERS);
	}
	scratch_release(index);
	return refused;
}

/* For hooks that give a directory and a name in it. */
static __always_inline int judge_name(const struct path *dir, struct dentry *dentry, __u32 verbs, enum operation op)
{
	struct here h;
	struct object o = { .verbs = verbs, .op = op, .dentry = dentry };

	if (!sandbox_here(&h))
		return 0;
	o.mnt = LOOK_AT(dir)->mnt;
	return judge(&h, &o);
}

static __always_inline int judge_path(const struct path *path, __u32 verbs, enum operation op)
{
	struct dentry *dentry = LOOK_AT(path)->dentry;

	return judge_name(path, dentry, verbs, op);
}

#define REFUSED(x) ((x) ? -EACCES : 0)

#endif
