// SPDX-License-Identifier: GPL-2.0-only
/* The decision code of the hooks, under a test run: the same functions, asked without a hook. */
#define WALK_FOR_THE_RECORD	/* no walk here: the path is given */
#include "decide.bpf.h"
#include "tests/bpf/decide.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline void answer_path(struct decide_question *q, struct scratch *s, __u32 index)
{
	__u32 len = q->len, at;

	asm volatile("" : "+r"(len));
	if (len > PATH_BYTES)
		return;
	at = TEXT_END - len;
	asm volatile("" : "+r"(at));
	if (at > TEXT_END)
		return;
	if (bpf_probe_read_kernel(s->text + at, len, q->path))
		return;
	s->walks[0].pos = at;
	path_run(index, 0, q->slot);
	s->ruling.required = 0;
	decide_path(index, 0, q->slot, q->verbs);
	q->required = s->ruling.required;
	q->refused = s->ruling.refused;
	q->rule = s->ruling.rule;
}

SEC("syscall")
int decide(struct decide_question *q)
{
	struct rec_addr addr = q->addr;
	struct ruling ruling = {};
	__s32 index;
	struct scratch *s;

	q->refused = 2;
	if (!q->verbs) {
		decide_address(&addr, q->slot, q->listen, &ruling);
		q->refused = ruling.refused;
		q->required = ruling.required;
		q->rule = ruling.rule;
		return 0;
	}
	index = scratch_claim();
	if (index < 0)
		return 0;
	s = scratch_get(index);
	if (s)
		answer_path(q, s, index);
	scratch_release(index);
	return 0;
}
