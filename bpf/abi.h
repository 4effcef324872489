/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The contract between the kernel programs and user space: map keys and values,
 * ring records, the layout of a compiled policy, and the rules that Bailiff itself
 * brings. Included by both sides; fixed widths, no pointers, no holes. A change of
 * anything here is a change of BAILIFF_ABI_VERSION: an engine adopts a running host
 * only at its own version.
 */
#ifndef BAILIFF_ABI_H
#define BAILIFF_ABI_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define BAILIFF_ABI_VERSION 6

/* ---- limits ---- */
#define PATH_BYTES	4096	/* the kernel's PATH_MAX: a longer path is refused, with its reason */
#define WALK_STEPS	2300	/* dentries and mounts in one path; 2,048 levels of one byte fill PATH_BYTES */
#define MAX_SANDBOXES	4096
#define MAX_SLOTS	8192	/* a sandbox uses one; two while a policy is being replaced */
#define ARENA_WORDS	(1u << 22)	/* 16 MiB for all compiled policies of the host */
#define COUNTER_CELLS	(1u << 19)	/* 8 MiB of struct counter for all rules of all sandboxes */
#define ENDS_MAX	15	/* times at which rules of one policy may end */
#define ANCHORS_MAX	4	/* values of path parameters that an image can be shared over; more are compiled in */
#define MAX_RULES	0xfff0u	/* rule numbers are u16 in the rows */
#define RULE_NONE	0xffffu
#define RULE_RECORD	0xfffeu	/* in the place of a deny: none, and an allow that matches says `record: required` */
#define ARGV_BYTES	2048
#define FOLD_WINDOW_NS	10000000000ull
#define WHY_ENTRIES	8	/* refusals that a sandbox can read of itself */
#define WHY_OF_RULE	4	/* of these by one rule: a search that is refused everywhere leaves what was refused before it to be read */
#define WHY_TEXT_BYTES	176	/* of an entry's paths: their ends */
#define WHY_RULE_BYTES	511	/* of what a rule says */

/* ---- what is judged ---- */
enum class_id {
	CLASS_FILES, CLASS_NETWORK, CLASS_SOCKETS, CLASS_GUARD, CLASS_SESSION, CLASS_COUNT,
};

/* Bits of a verb mask; the position is the column of a row. */
enum verb {
	VERB_READ, VERB_CHANGE, VERB_CREATE, VERB_REMOVE, VERB_EXECUTE, VERB_UNIX, /* path verbs: columns of a row */
	VERB_PATH_COUNT,
	VERB_CONNECT = VERB_PATH_COUNT, VERB_SEND, VERB_LISTEN,	/* SEND is judged by the rules of CONNECT */
	VERB_CALL,	/* the guard's: op names it */
	VERB_COUNT,
};

/*
 * Rules that no policy text holds. Numbered above every policy rule: rule = BUILTIN_BASE + B_*.
 * X(symbol, id as events show it, what the refused person is told)
 */
#define BUILTIN_BASE 0xfff00000u
#define BUILTIN_RULES(X) \
	X(FILES_DEFAULT,   "files.default",    "no rule allows this path") \
	X(NETWORK_DEFAULT, "network.default",  "no rule allows this address and port") \
	X(UNIX_DEFAULT,    "sockets.default",  "no rule allows this unix socket") \
	X(SOCKET_FAMILY,   "sockets.family",   "only TCP, UDP and unix sockets are open to a sandbox") \
	X(FOREIGN_SOCKET,  "sockets.foreign",  "a socket made outside the sandbox may not be used in it") \
	X(SOCKET_OPTION,   "sockets.option",   "source routes and transparent sockets are closed to a sandbox") \
	X(NAME_CHANGE,     "files.name",       "the new name would grant what the old one lacks") \
	X(PATH_UNKNOWN,    "files.unknown",    "the path cannot be told: too long, detached, raced or unreadable") \
	X(ANON_EXEC,       "files.anonymous",  "code without a file (memfd, kernel-internal) may not be executed") \
	X(SELF,            "guard.self",       "Bailiff's own files, pins, maps and processes") \
	X(MOUNT,           "guard.mount",      "mounting, unmounting and changing the root") \
	X(NAMESPACE,       "guard.namespace",  "new namespaces and joining others") \
	X(PTRACE,          "guard.ptrace",     "looking into or steering a process outside the sandbox") \
	X(SIGNAL,          "guard.signal",     "signalling a process outside the sandbox") \
	X(PROC,            "guard.proc",       "/proc of a process outside the sandbox") \
	X(BPF,             "guard.bpf",        "bpf(2)") \
	X(PERF,            "guard.perf",       "perf events") \
	X(MODULE,          "guard.module",     "kernel modules, kexec and firmware") \
	X(IO_URING,        "guard.io_uring",   "io_uring, unless calls.allow names @io_uring") \
	X(CGROUP,          "guard.cgroup",     "writing cgroup files or leaving the sandbox's cgroup") \
	X(DESCRIPTOR,      "guard.descriptor", "a passed descriptor that the receiver may not have") \
	X(TTY,             "guard.tty",        "typing into a terminal from inside (TIOCSTI, TIOCLINUX)") \
	X(CAPABILITY,      "guard.capability", "a privilege against the host") \
	X(DEADLINE,        "session.deadline", "the session's deadline has passed") \
	X(UNRECORDED,      "session.unrecorded", "a rule wants this on the record, and there is no room for it") \
	X(ENDED,           "session.ended",    "the session has ended") \
	X(OVERLOAD,        "session.overload", "a kernel-side limit of Bailiff is reached; unknown is refused")
enum builtin_rule {
#define X(symbol, id, text) B_##symbol,
	BUILTIN_RULES(X)
#undef X
	B_COUNT,
};
#define RULE_BUILTIN(symbol) (BUILTIN_BASE + B_##symbol)

/* Why a path could not be told, beside PATH_UNKNOWN. */
enum reason {
	REASON_NONE, REASON_TOO_LONG, REASON_DETACHED, REASON_RACED, REASON_UNREADABLE, REASON_TOO_DEEP, REASON_NO_BUFFER,
	REASON_COUNT,
};

/* What was attempted, finer than the verb; a name for people and for OCSF. X(symbol, text) */
#define OPERATIONS(X) \
	X(OPEN, "open") X(CREATE, "create") X(MKDIR, "mkdir") X(MKNOD, "mknod") X(SYMLINK, "symlink") X(LINK, "link") \
	X(RENAME, "rename") X(UNLINK, "unlink") X(RMDIR, "rmdir") X(TRUNCATE, "truncate") X(CHMOD, "chmod") \
	X(CHOWN, "chown") X(SETATTR, "setattr") X(SETXATTR, "setxattr") X(EXEC, "exec") X(MAP_EXEC, "map executable") \
	X(PROTECT_EXEC, "make executable") X(RECEIVE, "receive descriptor") X(SOCKET, "socket") X(CONNECT, "connect") \
	X(SEND, "send") X(BIND, "bind") X(LISTEN, "listen") X(ACCEPT, "accept") X(UNIX_CONNECT, "connect unix") \
	X(UNIX_SEND, "send unix") X(SETSOCKOPT, "setsockopt") X(MOUNT, "mount") X(UMOUNT, "umount") \
	X(MOVE_MOUNT, "move_mount") X(PIVOT_ROOT, "pivot_root") X(CHROOT, "chroot") X(USERNS, "create user namespace") \
	X(PTRACE, "ptrace") X(SIGNAL, "signal") X(PROC, "open /proc of outsider") X(BPF, "bpf") X(PERF, "perf_event_open") \
	X(MODULE, "load kernel code") X(IO_URING, "io_uring") X(USERFAULTFD, "userfaultfd") X(CGROUP, "write cgroup") \
	X(CLONE_CGROUP, "clone into cgroup") X(IOCTL, "ioctl") X(CAPABLE, "use capability") X(KEY, "use key") \
	X(SETTIME, "set clock") X(PRIORITY, "change another process") X(FORK, "fork") X(EXIT, "exit") \
	X(WATCH, "watch")
enum operation {
#define X(symbol, text) ACT_##symbol,
	OPERATIONS(X)
#undef X
	ACT_COUNT,
};

enum verdict { VERDICT_ALLOW, VERDICT_DENY, VERDICT_WOULD_DENY, VERDICT_KILL };	/* KILL: refused, and the process is killed for it */
enum stage { STAGE_OBSERVE, STAGE_ENFORCE };

/* ---- a compiled policy in the arena ---- */
/*
 * All offsets are in 32-bit words from the start of the arena once published (from the start
 * of the image before that; policy_image_relocate() adds the base; no state is at word 0 of either). A path is run byte by byte
 * through two automata side by side:
 *   globs:    patterns with "**", and rules whose `except` has one; dense. g = word index of the state's row; g' = arena[g + class(byte)].
 *             class(byte) = byte `byte` of the 64 words at class_off, as memory has it (little-endian words).
 *             The verdict row of g is row_off + 8 * arena[g + (1 << class_shift)]: each state's row has
 *             (1 << class_shift) + 1 words, so states lie (1 << class_shift) + 1 words apart.
 *   literals: all other paths, "*" and "?" included; sparse (for literal paths: a trie). t = word index of {edges, fall, row};
 *             e = arena[t] + 2 * byte; t' = arena[e] == t ? arena[e + 1] : arena[t + 1]. Verdict row: row_off + 8 * arena[t + 2].
 *             The edges of all states overlap in one area; e + 1 lies in it for every byte, and an entry that nobody has holds ~0.
 * A verdict row is 8 words; word v of a path verb is deny << 16 | allow, each a rule number or RULE_NONE; deny may be RULE_RECORD, here and in
 * port tables: above every rule, so that the smallest of several is a deny if there is one, else the wish for a record if anybody has it.
 * deny = min(deny of t, deny of g); refused if there is one; else allow = min of the two; else the class default: refused by its
 * BUILTIN, or, where the class is open, allowed with RULE_NONE.
 * The path is absolute, without a trailing slash, "/" for the root. The pair after one more '/' says what
 * lies below: a directory may change its name only where that pair stays equal.
 * Sandboxes whose policies differ only in the values of path parameters share the image: the values ("anchors") are not in it. A slot
 * that has any leads to a list of its own, anchors_off (even; 0: none), longest value first: ANCHOR_* words, then the value's bytes, as memory has
 * them, zeros up to 8. Where an anchor is the path or a parent of it, the first such one in the list gives the pair of states and the
 * hash that its bytes lead to, and the run begins behind them. A directory that is a parent of an anchor is no other's equal below.
 * A deny by BUILTIN guard.self is rule number nrules + B_SELF in a row: see rule_of_cell().
 *
 * Network: addresses are split into ranges with one set number each: `net4_off` holds 1 << net4_bits words of range
 * starts (padded with 0xffffffff; the first is 0) followed by as many words of set numbers (padded with the last one); `net6_off` the same
 * with four words a start, the most significant first and each a plain number, padded with all ones. bits <= 20. What is looked up is the
 * last start <= the key, so that padding means the last range. v4-mapped addresses are looked up as v4. To connect or send to "any
 * address" (0.0.0.0, ::) is to reach this host: the tables answer it as 127.0.0.1 and ::1 there, while listen keeps it apart.
 * The set of an address picks {offset, bits} of a port table: 2 words at netset_off + 8 * set + 2 * plane, plane = proto (0 TCP,
 * 1 UDP) + 2 * (0 connect, 1 listen). A port table is 1 << bits words of range starts (padded with 0xffff) followed by as many words
 * of deny << 16 | allow (padded with the last one).
 *
 * Rules that end (`until`): a policy is one image for each time between two ends, each in a slot of its own. From end_ns on the slot `next`
 * is in force in its place; whoever sees that first moves the sandbox on, so that a clock that is set back revives nothing. The slots of a
 * policy share generation, rule numbers and counters; `first` is the number of the earliest.
 *
 * What follows a refusal: `kill_off` (0: nothing kills) holds a word for each rule, then one for each builtin; bit 1 << VERB_*: whoever is
 * refused that verb under this rule is killed.
 */
struct policy_slot {
	__u32 generation;	/* counts up for a sandbox; in every record */
	__u32 flags;		/* SLOT_* */
	__u32 nrules;
	__u32 counter_base;	/* first of nrules + B_COUNT cells */
	__u32 class_off, class_shift, glob_start, trie_start, row_off;
	__u32 net4_off, net4_bits, net6_off, net6_bits, netset_off;
	__u32 record;		/* bits 1 << enum record_kind */
	__u32 arena_base, arena_words;	/* the image's region, which equal images share */
	__u32 in_use;
	__u32 anchors_off, anchors_words;	/* the sandbox's own region */
	__u32 kill_off;
	__u32 first, next;	/* next 0: for ever */
	__u32 pad;
	__u64 end_ns;		/* CLOCK_TAI */
	__u32 texts_off, texts_words;	/* what its rules say to who is refused, shared like an image; 0: there was no room */
	__u32 hint_off, hint_words;	/* where most of what is refused by default would be allowed; 0: nowhere */
};
/*
 * Texts: words[0] rules, builtins among them (rule number, then nrules + B_*); from words[1] on where each one's text begins, in bytes from the
 * start of the region, and where the last one ends. Hint: words[0] bits 1 << VERB_* that it holds for, words[1] bytes, the bytes.
 */
#define SLOT_OPEN_FILES		(1u << 0)	/* class in `open:`: its default allows; guard.self still refuses */
#define SLOT_OPEN_NETWORK	(1u << 1)
#define SLOT_OPEN_SOCKETS	(1u << 2)
#define SLOT_IO_URING		(1u << 3)

enum anchor_word {
	ANCHOR_LEN, ANCHOR_NEXT,	/* bytes of the value; words from here to the next anchor, 0: the last */
	ANCHOR_HASH_LOW, ANCHOR_HASH_HIGH, ANCHOR_TRIE, ANCHOR_GLOB, ANCHOR_BYTES,
};
/* Of a path, for folding equal refusals: each byte is xored in, then multiplied. */
#define PATH_HASH_START 0xcbf29ce484222325ull
#define PATH_HASH_TIMES 0x100000001b3ull

enum record_kind { RECORD_EXEC, RECORD_EXIT, RECORD_CONNECT, RECORD_LISTEN, RECORD_OPEN, RECORD_WRITE, RECORD_KINDS };

/* One cell per rule and one per builtin; only ever added to, by kernel programs. */
struct counter {
	__u64 refused, would;
};

/* ---- sandboxes and members ---- */
struct sandbox {
	__u64 id;		/* 0: free. Never used twice while the host is up */
	__u64 cgroup_id;
	__u64 deadline_ns;	/* CLOCK_BOOTTIME; 0: none */
	__u32 slot;		/* the one word that a reload changes; and a program, when a rule has ended */
	__u32 stage;
	__u32 state;		/* SANDBOX_* */
	__u32 members;		/* living tasks (threads) */
	__u32 replaced;		/* the engine's: slot of the policy before, whose last counts are in no file yet; 0: none */
	__u32 killed;		/* processes that a refusal killed; only ever added to */
	__u32 pad[4];
};
enum { SANDBOX_FREE, SANDBOX_LIVE, SANDBOX_ENDING };

/* Task storage of every member; copied from parent to child. */
struct member {
	__u64 sandbox;		/* struct sandbox.id */
	__u16 index;		/* of struct sandbox; holds only while ids agree */
	__u16 counted;		/* 1: in struct sandbox.members. The kernel's own workers are members that nobody counts */
	__u32 command;		/* exec id: 1 for the sandbox's first command */
};

/* Addresses of the kernel's sequence locks: odd while a path is changing. Constants of the programs that walk paths. */
struct lock_places {
	__u64 rename;		/* rename_lock, fs/dcache.c */
	__u64 mount;		/* mount_lock, fs/namespace.c */
};
#define LOCK_PLACES_MAP ".rodata.locks"

/* ---- ring records ---- */
enum record_type { REC_DECISION = 1, REC_EXEC, REC_EXIT, REC_FLOW, REC_FILE, REC_TYPES };

struct rec_head {
	__u16 type;
	__u16 ring;		/* RING_* */
	__u32 size;		/* of the whole record */
	__u32 cpu;
	__u32 command;
	__u64 seq;		/* per CPU and ring, from 1; a gap is a lost record */
	__u64 time_ns;		/* CLOCK_BOOTTIME */
	__u64 sandbox;
	__u32 generation;	/* of the policy that judged */
	__u32 tgid, pid;	/* in the initial namespace */
	__u32 parent_tgid;
	__u64 start_ns;		/* of the thread group leader, CLOCK_BOOTTIME: tgid + start_ns is a process */
	__u64 parent_start_ns;
	__u32 uid, gid;
	char comm[16];
};
enum { RING_DECISIONS, RING_TELEMETRY, RING_COUNT };

struct rec_addr {
	__u8 addr[16];		/* IPv4 is stored mapped */
	__u16 port;		/* host order */
	__u16 family;		/* as the caller said: AF_INET, AF_INET6, ... */
	__u8 proto;		/* IPPROTO_* */
	__u8 type;		/* SOCK_* */
	__u16 pad;
};

/* A refusal or a would-be refusal. Two byte strings follow: path, path2. */
struct rec_decision {
	struct rec_head h;
	__u8 verdict, class_id, verb, reason;
	__u16 operation;
	__u16 syscall;		/* number + 1; 0: not known (io_uring worker) */
	__u32 rule;		/* policy rule number or RULE_BUILTIN() */
	__s32 error;		/* what the caller got: -EACCES ... */
	__u64 repeats;		/* equal refusals folded since the last record of this fold key */
	__u64 first_ns;		/* when the first of them was; 0 without repeats */
	__u64 fold;		/* the key they share */
	__u64 arg;		/* operation's own: signal, capability, ioctl, target tgid << 32 | ...; of paths NEEDS_* */
	struct rec_addr addr;
	__u32 path_len, path2_len;
};

/*
 * The arg of a decision about paths: every right that the action needed, of which `verb` is the first that it lacked. Bits 1 << VERB_*, and at
 * NEEDS_OTHER those that it needed at path2. So nothing of an action stays unseen in the observe stage, and equal means equal in all of it.
 */
#define NEEDS_OTHER	8
#define NEEDS_MASK	0xffu
#define NEEDS_DIRECTORY	(1u << 16)	/* path leads to a directory that is there */

/* argv follows as the process sees it (NUL between), after the path. */
struct rec_exec {
	struct rec_head h;
	__u32 path_len, argv_len;
	__u32 argv_total;	/* bytes that there were */
	__u32 pad;
	__u64 inode, dev;
};

struct rec_exit {
	struct rec_head h;
	__u32 status;		/* as wait(2) has it */
	__u32 pad;
};

/* connect, send, bind, listen that was allowed and that `record:` asks for, of the policy or of a rule */
struct rec_flow {
	struct rec_head h;
	__u16 operation;
	__u16 pad;
	__u32 rule;
	struct rec_addr addr;
};

/* A path's act that was allowed and that `record:` asks for, of the policy or of a rule; one path follows, of a second name both */
struct rec_file {
	struct rec_head h;
	__u16 operation;
	__u16 verbs;		/* bits */
	__u32 rule;
	__u32 path_len, path2_len;
};

/* The host's own state, in a pinned one-element array: what a successor must agree with. */
struct host_state {
	__u32 abi_version;
	__u32 programs;		/* how many links a complete set has */
	__u64 next_sandbox;	/* the last sandbox id given */
	__u64 engine_beat_ns;	/* CLOCK_BOOTTIME of the engine's last sign of life */
	__u32 engine_tgid;	/* who no member may touch, in any stage */
	__u32 why_dev;		/* of the pin that members may read, as the kernel has it; with */
	__u64 why_ino;		/* 0: there is none */
	__u64 pad[3];
};

/*
 * What `why` can tell a sandbox of itself, by index of struct sandbox: written where a refusal is counted, folded by rule and object, read by
 * why.bpf.c alone. Emptied when a sandbox gets the row.
 */
struct why_entry {
	__u64 key;		/* of rule and object; 0: none, or being written */
	__u64 time_ns;		/* CLOCK_BOOTTIME, of the last time */
	__u64 arg;
	__u32 rule;
	__s32 error;
	__u32 times, generation;	/* generation: whose numbers rule is of */
	__u16 operation;
	__u8 class_id, verb;
	__u8 reason, pad;
	__u16 len, len2;	/* bytes of the paths; of a longer one the end is kept */
	__u8 pad2[6];
	struct rec_addr addr;
	char text[WHY_TEXT_BYTES];	/* one path at its end; of two each at the end of a half */
};
struct why_ring {
	__u32 busy;		/* one writer at a time; who comes meanwhile is not noted (WHY_LOST) */
	__u32 pad;
	struct why_entry entries[WHY_ENTRIES];
};

/* Things that got lost or refused to fit, by name; array cells. X(symbol, what it counts) */
#define KERNEL_COUNTERS(X) \
	X(DECISION_LOST, "decision records that found no room in the ring (each refusal is still counted under its rule)") \
	X(TELEMETRY_LOST, "telemetry records that found no room in the ring") \
	X(NO_BUFFER, "walks refused because no scratch buffer was free") \
	X(RACED, "walks refused because names or mounts kept changing") \
	X(LABEL_FAILED, "forks refused because the membership could not be copied") \
	X(FOLDED, "refusals folded into an earlier record") \
	X(PID_MAP_FULL, "members that could not be entered in the table of pids (their /proc is refused)") \
	X(WHY_LOST, "refusals that `bailiff why` does not show: others of the same sandbox were being noted")
enum kernel_counter {
#define X(symbol, text) KC_##symbol,
	KERNEL_COUNTERS(X)
#undef X
	KC_COUNT,
};

#define ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "a size changed: BAILIFF_ABI_VERSION")
ABI_SIZE(struct policy_slot, 120);
ABI_SIZE(struct counter, 16);
ABI_SIZE(struct sandbox, 64);
ABI_SIZE(struct member, 16);
ABI_SIZE(struct rec_head, 96);
ABI_SIZE(struct rec_addr, 24);
ABI_SIZE(struct rec_decision, 176);
ABI_SIZE(struct rec_exec, 128);
ABI_SIZE(struct rec_exit, 104);
ABI_SIZE(struct rec_flow, 128);
ABI_SIZE(struct rec_file, 112);
ABI_SIZE(struct host_state, 64);
ABI_SIZE(struct why_entry, 256);
ABI_SIZE(struct why_ring, 2056);
#undef ABI_SIZE

#endif
