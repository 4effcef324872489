/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Count, stamp, fold, submit. A refusal is first counted in its preallocated cell (exact, cannot fail), then folded with its equals,
 * and only then does it ask the ring for room. What finds no room is counted and shows as a gap in the CPU's sequence.
 */
#ifndef EMIT_BPF_H
#define EMIT_BPF_H

#include "path.bpf.h"

/* Who: what a record's head says of the sandbox. */
struct who {
	__u64 sandbox;
	__u32 command, generation;
};

static __always_inline void head_fill(struct rec_head *head, __u16 type, __u16 ring, __u32 size, const struct who *h)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 ids = bpf_get_current_uid_gid(), pids = bpf_get_current_pid_tgid();

	head->type = type;
	head->ring = ring;
	head->size = size;
	head->command = h->command;
	head->time_ns = bpf_ktime_get_boot_ns();
	head->sandbox = h->sandbox;
	head->generation = h->generation;
	head->tgid = pids >> 32;
	head->pid = pids;
	head->parent_tgid = task->real_parent->tgid;
	head->start_ns = task->group_leader->start_boottime;
	head->parent_start_ns = task->real_parent->group_leader->start_boottime;
	head->uid = ids;
	head->gid = ids >> 32;
	bpf_get_current_comm(head->comm, sizeof(head->comm));
}

/* The CPU's next number, taken right before the ring is asked for room: what is numbered and not received was lost. */
struct number {
	__u64 seq;
	__u32 cpu;
};

static __always_inline struct number next_number(__u32 ring)
{
	__u32 cpu = bpf_get_smp_processor_id(), key = ring * MAX_CPUS + cpu;
	struct sequence *seq = bpf_map_lookup_elem(&sequences, &key);
	struct number n = { .cpu = cpu };

	if (seq)
		n.seq = __sync_fetch_and_add(&seq->n, 1) + 1;
	return n;
}

static __always_inline void head_number(struct rec_head *head, __u32 ring)
{
	struct number n = next_number(ring);

	head->cpu = n.cpu;
	head->seq = n.seq;
}

/* Telemetry is read on a timer: a wake-up per record costs ten times the record (PERF.md 3). */
static __always_inline void submit(void *ring, const void *record, __u64 size, __u64 flags, __u32 lost_as)
{
	if (bpf_ringbuf_output(ring, (void *)record, size, flags))
		count_lost(lost_as);
}

/* The cell of a rule in the slot's counters; builtins follow the policy's own. */
static __always_inline void count_refusal(__u32 slot_index, __u32 rule, bool would)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct counter *c;
	__u32 cell;

	if (!slot || !slot->in_use)
		return;
	cell = slot->counter_base + (rule >= BUILTIN_BASE ? slot->nrules + (rule - BUILTIN_BASE) : rule);
	c = bpf_map_lookup_elem(&counters, &cell);
	if (c)
		__sync_fetch_and_add(would ? &c->would : &c->refused, 1);
}

/* What was folded since the last record of a key. */
struct folded {
	__u64 key, now, first_ns, repeats;
};

/* Equal refusals inside a window are counted in the first one's entry. True: no record now. */
static __always_inline bool fold(struct folded *out)
{
	struct fold *f = bpf_map_lookup_elem(&folds, &out->key);
	struct fold fresh = { .first_ns = out->now };

	if (!f) {
		bpf_map_update_elem(&folds, &out->key, &fresh, BPF_ANY);
		return false;
	}
	if (out->now - f->first_ns < FOLD_WINDOW_NS) {
		__sync_fetch_and_add(&f->repeats, 1);
		count_lost(KC_FOLDED);
		return true;
	}
	out->first_ns = f->first_ns;
	out->repeats = __sync_fetch_and_and(&f->repeats, 0);
	f->first_ns = out->now;
	return false;
}

static __always_inline __u64 mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

/* Sandbox, exec id, program, verb, object, verdict. */
static __always_inline __u64 fold_key(const struct report *r)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 h = mix(r->sandbox, (__u64)r->command << 32 | r->rule);

	/* the inode, for each exec has an open file of its own; read as a number: a typed load would be a pointer, which may not be mixed */
	h = mix(h, (__u64)BPF_CORE_READ(task, mm, exe_file, f_inode));
	h = mix(h, (__u64)r->operation << 32 | (__u32)r->verb << 8 | r->stage);
	h = mix(h, r->hash);
	h = mix(h, r->arg);
	h = mix(h, (__u64)r->addr.port << 32 | (__u32)r->addr.family << 16 | r->addr.proto);
	h = mix(h, *(__u64 *)&r->addr.addr[0]);
	return mix(h, *(__u64 *)&r->addr.addr[8]);
}

/* System call number + 1; kernel workers have none, and the 32-bit table's would be read as another call's. */
static __always_inline __u16 current_syscall(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs;

	if (task->flags & (PF_KTHREAD | PF_IO_WORKER) || task->thread_info.status & TS_COMPAT)
		return 0;
	regs = (void *)bpf_task_pt_regs(task);
	return BPF_CORE_READ(regs, orig_ax) + 1;
}

/* Everything of a decision but its paths. */
static __always_inline void decision_fill(struct rec_decision *d, const struct report *r, const struct folded *f, bool would)
{
	struct who who = { r->sandbox, r->command, r->generation };

	__builtin_memset(d, 0, sizeof(*d));
	head_fill(&d->h, REC_DECISION, RING_DECISIONS, sizeof(*d), &who);
	d->verdict = would ? VERDICT_WOULD_DENY : VERDICT_DENY;
	d->class_id = r->class_id;
	d->verb = r->verb;
	d->reason = r->reason;
	d->operation = r->operation;
	d->rule = r->rule;
	d->error = would ? 0 : r->error;
	d->arg = r->arg;
	d->addr = r->addr;
	d->fold = f->key;
	d->first_ns = f->first_ns;
	d->repeats = f->repeats;
	d->syscall = current_syscall();
}

static __always_inline bool report_would(const struct report *r)
{
	return r->stage == STAGE_OBSERVE && !r->always;
}

/*
 * A refusal that has no path. Counted, folded, recorded; 1 when the action is to be refused, 0 in the observe stage.
 * Global, so that it is verified once a program.
 */
noinline int report_refusal(struct report *r)
{
	struct rec_decision *d;
	struct folded f = {};
	struct number n;
	bool would;

	if (!r)
		return 1;
	would = report_would(r);
	count_refusal(r->slot, r->rule, would);
	f.key = fold_key(r);
	f.now = bpf_ktime_get_boot_ns();
	if (fold(&f))
		return !would;
	n = next_number(RING_DECISIONS);
	d = bpf_ringbuf_reserve(&decisions, sizeof(*d), 0);
	if (!d) {
		count_lost(KC_DECISION_LOST);
		return !would;
	}
	decision_fill(d, r, &f, would);
	d->h.cpu = n.cpu;
	d->h.seq = n.seq;
	bpf_ringbuf_submit(d, BPF_RB_FORCE_WAKEUP);
	return !would;
}

/* Copy a walked text behind what the record already holds. */
static __always_inline __u32 copy_text(struct scratch *s, __u32 at, __u32 which)
{
	__u32 pos = which ? s->walks[1].pos : s->walks[0].pos;
	__u32 len;

	asm volatile("" : "+r"(pos), "+r"(at));
	if (pos < TEXT_SLACK || pos > TEXT_END || at > sizeof(struct rec_decision) + PATH_BYTES)
		return 0;
	len = TEXT_END - pos;
	asm volatile("" : "+r"(len));
	if (len > PATH_BYTES)
		return 0;
	if (bpf_probe_read_kernel(s->record + at, len, s->text + text_at(which, pos)))
		return 0;
	return len;
}

/* The same for scratch->report, with the walked text (paths: 1) or both (2). */
noinline int report_path(__u32 index, __u32 paths)
{
	struct scratch *s = scratch_get(index);
	struct rec_decision *d;
	struct folded f = {};
	__u32 len;
	bool would;

	if (!s)
		return 1;
	would = report_would(&s->report);
	count_refusal(s->report.slot, s->report.rule, would);
	f.key = fold_key(&s->report);
	f.now = bpf_ktime_get_boot_ns();
	if (fold(&f))
		return !would;
	d = (void *)s->record;
	decision_fill(d, &s->report, &f, would);
	len = d->path_len = copy_text(s, sizeof(*d), 0);
	if (paths > 1) {
		d->path2_len = copy_text(s, sizeof(*d) + len, 1);
		len += d->path2_len;
	}
	asm volatile("" : "+r"(len));
	if (len > 2 * PATH_BYTES)
		return !would;
	d->h.size += len;
	head_number(&d->h, RING_DECISIONS);
	submit(&decisions, s->record, sizeof(*d) + len, BPF_RB_FORCE_WAKEUP, KC_DECISION_LOST);
	return !would;
}

/* Start a report: everything that is not about the object. */
static __always_inline void report_init(struct report *r, const struct here *h, enum class_id class_id, enum verb verb, enum operation op)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->sandbox = h->sandbox;
	r->command = h->command;
	r->slot = h->slot;
	r->generation = h->generation;
	r->stage = h->stage;
	r->class_id = class_id;
	r->verb = verb;
	r->operation = op;
	r->error = -EACCES;
}

/* A guard refusal: an operation that no policy of this sandbox opens. 1: refuse. */
static __always_inline int guard_refuse(const struct here *h, __u32 rule, enum operation op, __u64 arg)
{
	struct report r;

	report_init(&r, h, CLASS_GUARD, VERB_CALL, op);
	r.rule = rule;
	r.error = -EPERM;
	r.arg = arg;
	r.always = rule == RULE_BUILTIN(SELF);
	return report_refusal(&r);
}

/* The session is over or past its deadline: refuse in every stage and end the process. */
static __always_inline void dead_refuse(const struct here *h, enum operation op)
{
	struct report r;

	report_init(&r, h, CLASS_SESSION, VERB_CALL, op);
	r.rule = BUILTIN_BASE + h->dead - 1;
	r.error = -EPERM;
	r.always = 1;
	report_refusal(&r);
	bpf_send_signal(9);
}

#endif
