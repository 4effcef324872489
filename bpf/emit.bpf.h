/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Count, stamp, fold, submit. A refusal is first counted in its preallocated cell (exact, cannot fail), then folded with its equals,
 * and only then does it ask the ring for room. What finds no room is counted and shows as a gap in the CPU's sequence.
 */
#ifndef EMIT_BPF_H
#define EMIT_BPF_H

#include "note.bpf.h"

/* Who: what a record's head says of the sandbox. */
struct who {
	__u64 sandbox;
	__u32 command, generation;
};

static __always_inline void head_fill(struct rec_head *head, __u16 type, __u16 ring, __u32 size, const struct who *h)
{
	struct task_struct *task = LOOK_AT(bpf_get_current_task_btf());
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
/* False: it found no room, and that is counted. */
static __always_inline bool submit(void *ring, const void *record, __u64 size, __u64 flags, __u32 lost_as)
{
	if (!bpf_ringbuf_output(ring, (void *)record, size, flags))
		return true;
	count_lost(lost_as);
	return false;
}

/* A rule's place in what a slot has by rule: builtins follow the policy's own. */
static __always_inline __u32 rule_cell(const struct policy_slot *slot, __u32 rule)
{
	return rule >= BUILTIN_BASE ? slot->nrules + (rule - BUILTIN_BASE) : rule;
}

static __always_inline void count_refusal(__u32 slot_index, __u32 rule, bool would)
{
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct counter *c;
	__u32 cell;

	if (!slot || !slot->in_use)
		return;
	cell = slot->counter_base + rule_cell(slot, rule);
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

/* Sandbox, exec id, program, rule, verb, object, verdict. */
static __always_inline __u64 fold_key(const struct report *r, __u64 object)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 h = mix(r->sandbox, (__u64)r->command << 32 | r->stage);

	/* the inode, for each exec has an open file of its own; read as a number: a typed load would be a pointer, which may not be mixed */
	h = mix(h, (__u64)BPF_CORE_READ(task, mm, exe_file, f_inode));
	return mix(h, object);
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
static __always_inline void decision_fill(struct rec_decision *d, const struct report *r, const struct folded *f, enum verdict verdict)
{
	struct who who = { r->sandbox, r->command, r->generation };

	__builtin_memset(d, 0, sizeof(*d));
	head_fill(&d->h, REC_DECISION, RING_DECISIONS, sizeof(*d), &who);
	d->verdict = verdict;
	d->class_id = r->class_id;
	d->verb = r->verb;
	d->reason = r->reason;
	d->operation = r->operation;
	d->rule = r->rule;
	d->error = verdict == VERDICT_WOULD_DENY ? 0 : r->error;
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

/* Does the policy kill for this (on_refusal)? Who is handed a descriptor asked for nothing, and our own want of room is nobody's deed. */
static __always_inline bool kill_is_asked(const struct report *r)
{
	__u32 slot_index = r->slot, zero = 0;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct arena *a = bpf_map_lookup_elem(&arena, &zero);

	if (!slot || !a || !slot->kill_off || r->operation == ACT_RECEIVE || r->reason == REASON_NO_BUFFER)
		return false;
	return arena_word(a, slot->kill_off + rule_cell(slot, r->rule)) >> (r->verb & 31) & 1;
}

/*
 * The whole process, every thread, by a signal that nothing blocks or ignores, also the init of a pid namespace. It dies before the refused call
 * returns to it. True: by this refusal, and not by one before it.
 */
static __always_inline bool kill_now(const struct report *r)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 index = r->index;
	struct sandbox *sb = bpf_map_lookup_elem(&sandboxes, &index);
	bool dying = BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT;

	if (bpf_send_signal(9) || dying)
		return false;
	if (sb && sb->id == r->sandbox)
		__sync_fetch_and_add(&sb->killed, 1);
	return true;
}

static __always_inline enum verdict verdict_of(const struct report *r)
{
	if (report_would(r))
		return VERDICT_WOULD_DENY;
	return kill_is_asked(r) && kill_now(r) ? VERDICT_KILL : VERDICT_DENY;
}

/*
 * A refusal that has no path. Counted, folded, recorded; 1 when the action is to be refused, 0 in the observe stage.
 * Global, so that it is verified once a program.
 */
noinline int report_refusal(struct report *r)
{
	struct rec_decision *d;
	struct folded f = {};
	enum verdict verdict;
	struct number n;
	__u64 object;
	bool would;

	if (!r)
		return 1;
	verdict = verdict_of(r);
	would = verdict == VERDICT_WOULD_DENY;
	count_refusal(r->slot, r->rule, would);
	object = object_key(r);
	if (!would)
		note(r, object, NULL, 0);
	f.key = fold_key(r, object);
	f.now = bpf_ktime_get_boot_ns();
	if (verdict != VERDICT_KILL && fold(&f))	/* each death has a record of its own */
		return !would;
	n = next_number(RING_DECISIONS);
	d = bpf_ringbuf_reserve(&decisions, sizeof(*d), 0);
	if (!d) {
		count_lost(KC_DECISION_LOST);
		return !would;
	}
	decision_fill(d, r, &f, verdict);
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
	enum verdict verdict;
	__u64 object;
	__u32 len;
	bool would;

	if (!s)
		return 1;
	verdict = verdict_of(&s->report);
	would = verdict == VERDICT_WOULD_DENY;
	count_refusal(s->report.slot, s->report.rule, would);
	object = object_key(&s->report);
	if (!would)
		note(&s->report, object, s, paths);
	f.key = fold_key(&s->report, object);
	f.now = bpf_ktime_get_boot_ns();
	if (verdict != VERDICT_KILL && fold(&f))
		return !would;
	d = (void *)s->record;
	decision_fill(d, &s->report, &f, verdict);
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
	r->index = h->index;
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
