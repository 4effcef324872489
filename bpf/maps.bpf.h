/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map once: who writes it, who reads it, what "full" means. All are pinned by name in the pin directory, so that the
 * program families share them and a later engine adopts them. Sizes are per host.
 */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include "compat.bpf.h"
#include "abi.h"

/*
 * All compiled policies, as one piece of memory without a look-up a byte. Written by the engine through mmap in regions that no slot
 * points at yet, read by every decision. 16 MiB. Full: the engine refuses the new policy; nothing in force changes.
 */
struct arena {
	__u32 words[ARENA_WORDS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct arena);
} arena SEC(".maps");

/* What a policy slot holds. The engine fills a slot while no sandbox points at it. 832 KiB. Full: as for the arena. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SLOTS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct policy_slot);
} slots SEC(".maps");

/* The sandboxes. Written by the engine, members counted by programs. 256 KiB. Full: no new sandbox. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SANDBOXES);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct sandbox);
} sandboxes SEC(".maps");

/*
 * Exact counts: a preallocated cell per rule of each slot, so that counting can never fail. Added to by programs, read by the engine. 8 MiB.
 * Full: no new policy slot.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, COUNTER_CELLS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

/*
 * Who is a member: set by the engine (first command), copied at fork, set when a task is moved into a governed cgroup. Lives as long
 * as its task. No room (memory): the fork fails, for a child without a label would be free.
 */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, int);
	__type(value, struct member);
} members SEC(".maps");

/* Which sandbox made a socket; copied to the sockets that accept() makes. Missing means made outside: refused to members. */
struct socket_owner {
	__u64 sandbox;
	__u32 source;		/* SOURCE_*: net.bpf.c */
	__u32 pad;
};
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, int);
	__type(value, struct socket_owner);
} socket_owners SEC(".maps");

/*
 * Thread id (initial namespace) to label: for /proc of members, and for the time in which a label cannot be read (member_of()). Programs enter
 * and remove. 4 MiB. Full: /proc of that member is refused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct member);
} member_pids SEC(".maps");

/* Governed cgroups: who is moved in becomes a member. Written by the engine. 1 MiB. Full: the engine refuses to start the command. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u64);
	__type(value, struct member);
} governed SEC(".maps");

/* Refusals seen lately. An LRU that drops an entry costs a second record of the same thing, never a count. 1 MiB. */
struct fold {
	__u64 first_ns, repeats;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u64);
	__type(value, struct fold);
} folds SEC(".maps");

/* The last refusals of each sandbox, for itself to read (why.bpf.c). 8 MiB, so that no sandbox takes another's room. Full: the oldest goes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, MAX_SANDBOXES);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct why_ring);
} whys SEC(".maps");

/* The two rings: a flood of telemetry cannot push a decision out. Sizes are set before load. Full: counted in lost, the sequence shows the gap. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} decisions SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} telemetry SEC(".maps");

/* Sequence numbers by ring and CPU, a cache line each. 64 KiB. */
#define MAX_CPUS 512
struct sequence {
	__u64 n, pad[7];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_COUNT * MAX_CPUS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct sequence);
} sequences SEC(".maps");

/* KERNEL_COUNTERS. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KC_COUNT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/*
 * Scratch: walks, their text, the report and the record under way. Task-context programs can be preempted by another task's program on the
 * same CPU (measured under preempt=full), so a buffer is claimed by a bit and given back at every exit. 8 buffers a CPU (20 KiB each);
 * max_entries is set to 8 * CPUs before load. None free: refused.
 */
#define TEXT_SLACK 256		/* a name is written before the length of the whole is checked */
#define TEXT_END (TEXT_SLACK + PATH_BYTES)
#define TEXT_SPAN (TEXT_END + 64)
struct walk {
	__u64 from_dentry, from_mount;	/* where to start */
	__u64 dentry, mount, root;	/* where we are: struct dentry *, struct mount *, its mnt_root */
	__u64 proc_root;	/* s_root of a procfs whose object belongs to a process, else 0 */
	__u64 hash;		/* of the bytes that were run, for folding */
	__u32 pos;		/* first byte of the path in the text */
	__u32 why, done;	/* REASON_*, top reached */
	__u32 internal;		/* the top is a mount that only the kernel uses */
	__u32 trie, glob;	/* the automata's states after the path */
	__u32 below_trie, below_glob;	/* the same after one more '/' */
	__u32 class_off;
	__u32 from;		/* first byte to run: behind the anchor that the path lies in */
	__u32 above;		/* an anchor lies below */
	__u32 same;		/* words of 8 bytes in which an anchor and the path agree */
};
/* What the policy says about an action. */
struct ruling {
	__u32 rule;	/* that allowed or refused; RULE_NONE where an open class's default allowed */
	__u32 refused;
	__u32 verb;	/* which of the asked verbs was refused; else the last one */
	__u32 rights;	/* of a path: the verbs that are allowed, as bits, and above RIGHTS_UNRECORDED those without a record; filled by path_rights() */
	__u32 required;	/* allowed only with a record of it; of several questions, if any was */
};
#define RIGHTS_UNRECORDED 16
struct report {
	__u64 sandbox;
	__u32 command, slot;
	__u32 generation, stage;
	__u32 rule;
	__s32 error;
	__u16 operation;
	__u8 class_id, verb;
	__u8 reason, always;	/* always: refuses in every stage */
	__u16 index;		/* of struct sandbox */
	__u64 arg, hash;
	struct rec_addr addr;
};
struct scratch {
	struct walk walks[2];
	struct ruling ruling;
	struct report report;
	char text[2 * TEXT_SPAN];
	char record[sizeof(struct rec_decision) + 2 * PATH_BYTES + ARGV_BYTES];
};
#define SCRATCH_PER_CPU 8
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SCRATCH_PER_CPU);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");
struct claims {
	__u32 bits, pad[15];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_CPUS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct claims);
} claims SEC(".maps");

/* The host's own state: ABI version, the engine's sign of life. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct host_state);
} host SEC(".maps");

#endif
