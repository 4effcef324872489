// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guard that every sandbox has, whatever its policy says: nothing against the host, out of the sandbox, or against Bailiff. In the
 * observe stage it records and lets pass, but for Bailiff's own things. On 6.1 and later. If it cannot load, no sandbox starts.
 */
#include "emit.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SIGKILL 9
#define F_SETOWN 8
#define F_SETOWN_EX 15
#define F_SETLEASE 1024
#define BIT(cap) (1ull << (cap))

/* The end of every guard hook: 0 or -EPERM. */
static __always_inline int guard(__u32 rule, enum operation op, __u64 arg)
{
	struct here h;

	if (!sandbox_here(&h))
		return 0;
	if (h.dead) {
		dead_refuse(&h, op);
		return -EPERM;
	}
	return guard_refuse(&h, rule, op, arg) ? -EPERM : 0;
}

/* ---- mounts and roots ---- */

SEC("lsm/sb_mount")
int BPF_PROG(on_sb_mount, const char *dev, const struct path *path, const char *type, unsigned long flags, void *data, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MOUNT), ACT_MOUNT, flags);
}

SEC("lsm/sb_umount")
int BPF_PROG(on_sb_umount, struct vfsmount *mnt, int flags, int prev)
{
	if (prev)
		return prev;
	/* every pin goes with its file system */
	return guard(BPF_CORE_READ(mnt, mnt_sb, s_magic) == BPF_FS_MAGIC ? RULE_BUILTIN(SELF) : RULE_BUILTIN(MOUNT), ACT_UMOUNT, flags);
}

SEC("lsm/move_mount")
int BPF_PROG(on_move_mount, const struct path *from, const struct path *to, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MOUNT), ACT_MOVE_MOUNT, 0);
}

SEC("lsm/sb_pivotroot")
int BPF_PROG(on_sb_pivotroot, const struct path *old, const struct path *new, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MOUNT), ACT_PIVOT_ROOT, 0);
}

SEC("lsm/path_chroot")
int BPF_PROG(on_path_chroot, const struct path *path, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MOUNT), ACT_CHROOT, 0);
}

SEC("lsm/userns_create")
int BPF_PROG(on_userns_create, const struct cred *cred, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(NAMESPACE), ACT_USERNS, 0);
}

/* ---- other processes ---- */

static __always_inline bool is_engine(struct task_struct *target)
{
	__u32 zero = 0;
	struct host_state *state = bpf_map_lookup_elem(&host, &zero);

	return state && state->engine_tgid && state->engine_tgid == target->tgid;
}

/* Members may act on members of their own sandbox, nobody else. */
static __always_inline int guard_process(struct task_struct *target, __u32 rule, enum operation op, __u64 arg)
{
	struct here h;

	if (!sandbox_here(&h))
		return 0;
	if (h.dead) {
		dead_refuse(&h, op);
		return -EPERM;
	}
	if (same_sandbox(&h, target))
		return 0;
	return guard_refuse(&h, is_engine(target) ? RULE_BUILTIN(SELF) : rule, op, arg) ? -EPERM : 0;
}

SEC("lsm/ptrace_access_check")
int BPF_PROG(on_ptrace_access, struct task_struct *child, unsigned int mode, int prev)
{
	return prev ? prev : guard_process(child, RULE_BUILTIN(PTRACE), ACT_PTRACE, (__u64)child->tgid << 32 | mode);
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(on_ptrace_traceme, struct task_struct *parent, int prev)
{
	return prev ? prev : guard_process(parent, RULE_BUILTIN(PTRACE), ACT_PTRACE, (__u64)parent->tgid << 32);
}

/*
 * With credentials the signal is another process's, sent from an interrupt (USB); whoever runs here has nothing to do with it. They are read as a
 * number: a verifier that trusts arguments takes a pointer for never NULL (6.12), and would leave the guard out.
 */
SEC("lsm/task_kill")
int BPF_PROG(on_task_kill, struct task_struct *target, struct kernel_siginfo *info, int sig, const struct cred *cred, int prev)
{
	__u64 sender = 0;

	if (prev)
		return prev;
	if (bpf_get_current_task_btf()->bpf_storage)
		bpf_probe_read_kernel(&sender, sizeof(sender), ctx + 3);
	return sender ? 0 : guard_process(target, RULE_BUILTIN(SIGNAL), ACT_SIGNAL, (__u64)target->tgid << 32 | sig);
}

SEC("lsm/task_setnice")
int BPF_PROG(on_task_setnice, struct task_struct *target, int nice, int prev)
{
	return prev ? prev : guard_process(target, RULE_BUILTIN(SIGNAL), ACT_PRIORITY, (__u64)target->tgid << 32);
}

SEC("lsm/task_setscheduler")
int BPF_PROG(on_task_setscheduler, struct task_struct *target, int prev)
{
	return prev ? prev : guard_process(target, RULE_BUILTIN(SIGNAL), ACT_PRIORITY, (__u64)target->tgid << 32);
}

SEC("lsm/task_setioprio")
int BPF_PROG(on_task_setioprio, struct task_struct *target, int ioprio, int prev)
{
	return prev ? prev : guard_process(target, RULE_BUILTIN(SIGNAL), ACT_PRIORITY, (__u64)target->tgid << 32);
}

SEC("lsm/task_setrlimit")
int BPF_PROG(on_task_setrlimit, struct task_struct *target, unsigned int resource, struct rlimit *limit, int prev)
{
	return prev ? prev : guard_process(target, RULE_BUILTIN(SIGNAL), ACT_PRIORITY, (__u64)target->tgid << 32 | resource);
}

/* The task's own number in its pid namespace: what it calls itself. */
static __always_inline __u32 own_number(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pid *pid = BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]);
	__u32 level = BPF_CORE_READ(pid, level), nr = 0;

	bpf_probe_read_kernel(&nr, sizeof(nr), (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * bpf_core_type_size(struct upid) +
			      bpf_core_field_offset(struct upid, nr));
	return nr;
}

/*
 * The owner of a file gets its signals (SIGIO, or any that F_SETSIG names) from the kernel, past task_kill. A process may own its files and nobody
 * else; F_SETOWN_EX and the ioctls have the number in memory that can change under us.
 */
SEC("lsm/file_fcntl")
int BPF_PROG(on_file_fcntl, struct file *file, unsigned int cmd, unsigned long arg, int prev)
{
	__u32 who = arg;

	if (!prev && cmd == F_SETLEASE && BPF_CORE_READ(file, f_inode, i_sb, s_magic) == BPF_FS_MAGIC)
		return guard(RULE_BUILTIN(SELF), ACT_IOCTL, cmd);	/* others would wait for it before they could read `why` */
	if (prev || (cmd != F_SETOWN && cmd != F_SETOWN_EX) || !bpf_get_current_task_btf()->bpf_storage)
		return prev;
	if (cmd == F_SETOWN && (!who || who == own_number()))
		return 0;
	return guard(RULE_BUILTIN(SIGNAL), ACT_SIGNAL, cmd == F_SETOWN ? (__u64)who << 32 : 0);
}

/* ---- the kernel itself ---- */

/* What reaches programs, maps and links that are there already: among them those that enforce. */
static __always_inline bool bpf_reaches(int cmd)
{
	return cmd == BPF_OBJ_GET || cmd == BPF_PROG_GET_FD_BY_ID || cmd == BPF_MAP_GET_FD_BY_ID || cmd == BPF_LINK_GET_FD_BY_ID;
}

SEC("lsm/bpf")
int BPF_PROG(on_bpf, int cmd, union bpf_attr *attr, unsigned int size, int prev)
{
	return prev ? prev : guard(bpf_reaches(cmd) ? RULE_BUILTIN(SELF) : RULE_BUILTIN(BPF), ACT_BPF, cmd);
}

SEC("lsm/perf_event_open")
int BPF_PROG(on_perf_event_open)
{
	return guard(RULE_BUILTIN(PERF), ACT_PERF, 0);
}

/* A member makes the kernel load a module by using what is not there yet (a socket family, a binary format). */
SEC("lsm/kernel_module_request")
int BPF_PROG(on_kernel_module_request, char *name, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MODULE), ACT_MODULE, 0);
}

SEC("lsm/kernel_read_file")
int BPF_PROG(on_kernel_read_file, struct file *file, int id, bool contents, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MODULE), ACT_MODULE, id);
}

SEC("lsm/kernel_load_data")
int BPF_PROG(on_kernel_load_data, int id, bool contents, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(MODULE), ACT_MODULE, id);
}

/* ---- io_uring and userfaultfd, by the name of their anonymous inode ---- */

static __always_inline bool io_uring_allowed(const struct here *h)
{
	__u32 index = h->slot;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &index);

	return slot && slot->flags & SLOT_IO_URING;
}

SEC("lsm/inode_init_security_anon")
int BPF_PROG(on_anon_inode, struct inode *inode, const struct qstr *name, const struct inode *context, int prev)
{
	struct here h;
	char b[8] = {};

	if (prev || !sandbox_here(&h))
		return prev;
	if (h.dead) {
		dead_refuse(&h, ACT_IO_URING);
		return -EPERM;
	}
	bpf_probe_read_kernel_str(b, sizeof(b), BPF_CORE_READ(name, name));
	if (b[1] == 'i' && b[2] == 'o' && b[3] == '_') {
		if (io_uring_allowed(&h))
			return 0;
		return guard_refuse(&h, RULE_BUILTIN(IO_URING), ACT_IO_URING, 0) ? -EPERM : 0;
	}
	if (b[1] == 'u' && b[2] == 's' && b[3] == 'e')
		return guard_refuse(&h, RULE_BUILTIN(CAPABILITY), ACT_USERFAULTFD, 0) ? -EPERM : 0;
	return 0;
}

/* Registered credentials look like overlay's copy-up to the capable hook: closed even where io_uring is open. */
SEC("lsm/uring_override_creds")
int BPF_PROG(on_uring_override_creds, const struct cred *cred, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(IO_URING), ACT_IO_URING, 1);
}

SEC("lsm/uring_cmd")
int BPF_PROG(on_uring_cmd, struct io_uring_cmd *cmd, int prev)
{
	return prev ? prev : guard(RULE_BUILTIN(IO_URING), ACT_IO_URING, 2);
}

/* ---- privileges: what has no hook of its own (setns, the new mount calls, swapon, reboot, ...) is stopped by its capability ---- */

static const __u64 closed_capabilities = BIT(12) /* NET_ADMIN */ | BIT(13) /* NET_RAW */ | BIT(16) /* SYS_MODULE */ | BIT(17) /* SYS_RAWIO */ |
	BIT(19) /* SYS_PTRACE */ | BIT(20) /* SYS_PACCT */ | BIT(21) /* SYS_ADMIN */ | BIT(22) /* SYS_BOOT */ | BIT(25) /* SYS_TIME */ |
	BIT(26) /* SYS_TTY_CONFIG */ | BIT(27) /* MKNOD */ | BIT(30) /* AUDIT_CONTROL */ | BIT(32) /* MAC_OVERRIDE */ | BIT(33) /* MAC_ADMIN */ |
	BIT(34) /* SYSLOG */ | BIT(37) /* AUDIT_READ */ | BIT(38) /* PERFMON */ | BIT(39) /* BPF */ | BIT(40) /* CHECKPOINT_RESTORE */;

#define CAP_SYSLOG 34
#define CAP_BPF 39

/* Is the task in this call, by its number in the 64-bit or the 32-bit table? */
static __always_inline bool in_call(__u64 native, __u64 compat)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

	return BPF_CORE_READ(regs, orig_ax) == (task->thread_info.status & TS_COMPAT ? compat : native);
}

/* Narrow capabilities that the kernel always asks for as `this or CAP_SYS_ADMIN`: the second question tells. */
static const __u64 asked_first = BIT(38) /* PERFMON */ | BIT(40) /* CHECKPOINT_RESTORE */;

/* What a call asks for beside its own capability is the same refusal: told once. bpf(2) asks before or after its own hook. */
static __always_inline bool is_news(int cap)
{
	if (asked_first >> (cap & 63) & 1)
		return false;
	if (in_call(321, 357))
		return cap == CAP_BPF;
	return cap == CAP_SYSLOG || !in_call(103, 103);	/* syslog(2) */
}

static __always_inline int refuse_capability(const struct here *h, int cap)
{
	if (cap == CAP_BPF && in_call(321, 357))
		return guard_refuse(h, RULE_BUILTIN(BPF), ACT_BPF, 0);
	return guard_refuse(h, RULE_BUILTIN(CAPABILITY), ACT_CAPABLE, cap);
}

/* Without an audit flag it is a question, not a use: refused all the same, but not news. Lent credentials: overlay's copy-up. */
SEC("lsm/capable")
int BPF_PROG(on_capable, const struct cred *cred, struct user_namespace *ns, int cap, unsigned int opts, int prev)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct here h;

	if (prev || !task->bpf_storage || !(closed_capabilities >> (cap & 63) & 1) || !sandbox_here(&h))
		return prev;
	if (h.dead) {
		if (is_news(cap))
			dead_refuse(&h, ACT_CAPABLE);
		return -EPERM;
	}
	if (credentials_lent())
		return 0;
	if (opts & CAP_OPT_NOAUDIT || !is_news(cap))
		return h.stage == STAGE_OBSERVE ? 0 : -EPERM;
	return refuse_capability(&h, cap) ? -EPERM : 0;
}
