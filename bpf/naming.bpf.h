/* SPDX-License-Identifier: GPL-2.0-only */
/* What gives a second name or another one: rename, exchange, link. Both names are judged, and what the new one would grant. */
#ifndef NAMING_BPF_H
#define NAMING_BPF_H

#include "judge.bpf.h"

enum name_verdict { NAME_FINE, NAME_REFUSED, NAME_CROSSES };

static __always_inline int name_error(enum name_verdict v)
{
	if (v == NAME_REFUSED)
		return -EACCES;
	return v == NAME_CROSSES ? -EXDEV : 0;	/* EXDEV: mv and its kin fall back to copying */
}

/*
 * A new name grants nothing that the old one lacked: a directory keeps its states below (what lies in it keeps its rights; where an
 * anchor lies in it that is never so), anything else gains no verb, nor one without the record that
 * the old name wants. to is walks[to], from walks[!to].
 */
static __always_inline bool name_grants(struct scratch *s, __u32 index, __u32 slot, bool directory, __u32 to)
{
	struct walk *a = &s->walks[0], *b = &s->walks[1];
	__u32 old, new;

	if (directory)
		return a->above || b->above || a->below_trie != b->below_trie || a->below_glob != b->below_glob;
	path_rights(index, !to, slot);
	old = s->ruling.rights;
	path_rights(index, to, slot);
	new = s->ruling.rights;
	return new & ~old;
}

/*
 * Nor later, when rules have ended: a second name must not keep a file that the first one loses. Each slot that comes is asked as if it were in
 * force. kinds: NAMED_*.
 */
#define NAMED_DIR 1u
#define NAMED_EXCHANGE 2u
#define NAMED_OTHER_DIR 4u
noinline int name_grants_later(__u32 index, __u32 number, __u32 kinds)
{
	struct scratch *s = scratch_get(index);
	__u32 i;

	if (!s)
		return 1;
	for (i = 0; i < ENDS_MAX; i++) {
		struct policy_slot *slot = bpf_map_lookup_elem(&slots, &number);

		if (!slot)
			return 1;
		number = slot->next;
		if (!number)
			return 0;
		path_run(index, 0, number);
		path_run(index, 1, number);
		if (name_grants(s, index, number, kinds & NAMED_DIR, 1))
			return 1;
		if (kinds & NAMED_EXCHANGE && name_grants(s, index, number, kinds & NAMED_OTHER_DIR, 0))
			return 1;
	}
	return 0;	/* a chain is no longer than that */
}

static __always_inline enum name_verdict refuse_name(const struct here *h, struct scratch *s, __u32 index, enum operation op, __u64 needs)
{
	report_init(&s->report, h, CLASS_FILES, VERB_CREATE, op);
	s->report.rule = RULE_BUILTIN(NAME_CHANGE);
	s->report.error = -EXDEV;
	s->report.hash = s->walks[0].hash ^ s->walks[1].hash;
	s->report.arg = needs;
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
	__u64 needs = needs_of(n->old, n->old_verbs, n->new_verbs);
	__u32 kinds = (directory ? NAMED_DIR : 0) | (n->exchange ? NAMED_EXCHANGE | (is_dir(n->new) ? NAMED_OTHER_DIR : 0) : 0);

	s->walks[0].proc_root = s->walks[1].proc_root = 0;
	walk_from(&s->walks[0], n->old_mnt, n->old);
	walk_from(&s->walks[1], n->new_mnt, n->new);
	path_walk(index, 0);
	path_walk(index, 1);
	if (s->walks[0].why || s->walks[1].why)
		return refuse_unknown(h, &o, s->walks[0].why ? s->walks[0].why : s->walks[1].why) ? NAME_REFUSED : NAME_FINE;
	path_run(index, 0, h->slot);
	path_run(index, 1, h->slot);
	s->ruling.required = 0;
	decide_path(index, 0, h->slot, n->old_verbs);
	if (!s->ruling.refused)
		decide_path(index, 1, h->slot, n->new_verbs);
	if (s->ruling.refused)
		return refuse_path(h, s, index, n->op, needs) ? NAME_REFUSED : NAME_FINE;
	if (name_grants(s, index, h->slot, directory, 1))
		return refuse_name(h, s, index, n->op, needs);
	if (n->exchange && name_grants(s, index, h->slot, is_dir(n->new), 0))
		return refuse_name(h, s, index, n->op, needs);
	if (name_grants_later(index, h->slot, kinds))
		return refuse_name(h, s, index, n->op, needs);
	return record_allowed(h, s, index, &o, needs) == JUDGE_REFUSE ? NAME_REFUSED : NAME_FINE;
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

#endif
