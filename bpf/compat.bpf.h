/* SPDX-License-Identifier: GPL-2.0-only */
/* What differs between kernels, and what vmlinux.h cannot hold because it is a macro there. */
#ifndef COMPAT_BPF_H
#define COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#define EPERM 1
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EXDEV 18
#define ESTALE 116

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define SOCK_SEQPACKET 5

#define FMODE_READ 0x1
#define FMODE_WRITE 0x2
#define FMODE_CREATED 0x100000
/*
 * Opens that the kernel makes for itself under an already judged one: overlayfs opening its upper or lower file with the outer path
 * (open_with_fake_path before 6.5, backing files since). No call from user space sets it.
 */
#define FMODE_NOACCOUNT 0x20000000

#define O_TRUNC 01000
#define O_TMPFILE_BIT 020000000
#define FMODE_EXEC_FLAG 0x20	/* __FMODE_EXEC in f_flags: opened by execve, uselib or a script's interpreter */
#define O_PATH 010000000

#define PROT_EXEC 0x4
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFCHR 0020000
#define S_IFBLK 0060000
#define S_IFDIR 0040000
#define S_IFREG 0100000
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4

#define TIOCSTI 0x5412
#define TIOCLINUX 0x541C
#define FIOSETOWN 0x8901
#define SIOCSPGRP 0x8902
#define IOC_READ 0x80000000	/* in an ioctl's number: it gives something back */
#define FS_IOC_SET_ENCRYPTION_POLICY 0x800c6613
#define BTRFS_IOCTL 0x94
#define FICLONE_NR 9
#define FICLONERANGE_NR 13

#define ATTR_MODE 1
#define ATTR_UID 2
#define ATTR_GID 4
#define ATTR_SIZE 8
#define ATTR_ATIME 16
#define ATTR_MTIME 32

#define PROC_SUPER_MAGIC 0x9fa0
#define CGROUP_SUPER_MAGIC 0x27e0eb
#define CGROUP2_SUPER_MAGIC 0x63677270
#define BPF_FS_MAGIC 0xcafe4a11
#define NSFS_MAGIC 0x6e736673
#define ANON_INODE_FS_MAGIC 0x09041934
#define PID_FS_MAGIC 0x50494446
#define SOCKFS_MAGIC 0x534F434B
#define SYSFS_MAGIC 0x62656572
#define DEBUGFS_MAGIC 0x64626720
#define TRACEFS_MAGIC 0x74726163
#define SECURITYFS_MAGIC 0x73636673
#define CONFIGFS_MAGIC 0x62656570
#define EFIVARFS_MAGIC 0xde5e81e4
#define PSTOREFS_MAGIC 0x6165676c
#define BINFMTFS_MAGIC 0x42494e4d
#define FUSECTL_MAGIC 0x65735543
#define SELINUX_MAGIC 0xf97cff8c
#define SMACK_MAGIC 0x43415d53

#define CLONE_INTO_CGROUP 0x200000000ull
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define SIGNAL_GROUP_EXIT 0x00000004	/* signal_struct.flags: every thread of it is dying */
#define TS_COMPAT 0x0002	/* thread_info.status: the call came by the 32-bit table */
#define CAP_OPT_NOAUDIT 2

#define LOOKUP_REVAL 0x20
#define DCACHE_PAR_LOOKUP 0x10000000	/* nobody knows yet whether the name is there */
#define SB_NOUSER 0x80000000	/* never mounted by a user: pipes, sockets, memfds */

/* MNT_NS_INTERNAL: the namespace of mounts that only the kernel uses (fs/mount.h: ERR_PTR(-EINVAL)). */
#define MNT_NS_INTERNAL ((__u64)-22)

#define noinline __attribute__((noinline))

/*
 * A kernel object that is only looked at. Since 6.2 the verifier searches all of the kernel's types by name, up to four times, whenever a program
 * reads a pointer from a structure that it trusts (btf_nested_type_is_trusted): ten million instructions each. What it is told not to trust it does not
 * search for, and a read that faults gives 0, as before. bpf_rdonly_cast (since 6.2) costs nothing at run time.
 */
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;
#define LOOK_AT(p) ((typeof(p))(bpf_rdonly_cast ? bpf_rdonly_cast((p), bpf_core_type_id_kernel(typeof(*(p)))) : (void *)(p)))

/*
 * A value that the verifier cannot know. 6.1 walks a bpf_loop callback once with the caller's exact stack: loop state that starts as a
 * constant makes it delete branches (KERNEL.md 0.1). Every scalar of loop state starts as UNKNOWN(x).
 */
volatile __u32 loop_zero;
#define UNKNOWN(x) ((x) + loop_zero)
/* Arithmetic that the compiler must not make a branch of. */
#define OPAQUE(x) asm volatile("" : "+r"(x))

#endif
