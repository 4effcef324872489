/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states at anchors. All patterns are run over an anchor's value, byte by byte, as sets that become no states; at its end the patterns
 * that begin there join. What the set is after one more "/" becomes a state like any other, and the image depends on the value only by
 * that: values that no rule tells apart lead to equal states. On the way no group is settled, for an exception may begin at an anchor.
 */
#include "policy/dfa_set.h"

struct track {
	struct list set;	/* closed, nothing dropped */
	uint32_t below;
};

static void track_done(struct track *t)
{
	list_done(&t->set);
}

static void list_take(struct dfa *f, const struct list *l)
{
	for (size_t i = 0; i < l->count; i++)
		dfa_set_take(f, l->items[i]);
}

/* f->set, closed, is where we are now. */
static void track_arrive(struct dfa *f, struct track *t)
{
	dfa_set_close(f);
	t->set.count = 0;
	for (size_t i = 0; i < f->set.count; i++)
		list_add(f->c, &t->set, f->set.items[i]);
}

static void track_byte(struct dfa *f, struct track *t, uint8_t byte)
{
	uint32_t below = t->below;

	dfa_leave_begin(f);
	for (size_t i = 0; i < t->set.count; i++)
		list_add(f->c, &f->now, t->set.items[i]);
	dfa_leave(f, &below);
	dfa_set_begin(f);
	if (byte == '/') {
		list_take(f, &f->slash);
		t->below = below;
	} else {
		list_take(f, &f->common);
		list_take(f, &f->by_class[f->classes.of_byte[byte]]);
	}
	track_arrive(f, t);
}

/* At a border: do anchors end here? */
static void track_anchors(struct dfa *f, struct track *t, const char *path, size_t len)
{
	dfa_set_begin(f);
	list_take(f, &t->set);
	for (uint32_t i = 0; i < f->c->anchor_count; i++) {
		if (f->c->anchors[i].len == len && !memcmp(f->c->anchors[i].value, path, len))
			dfa_roots_take(f, i + 1);
	}
	track_arrive(f, t);
}

static bool anchor_begin(struct dfa *f, uint32_t number)
{
	_cleanup_(track_done) struct track t = { .below = ROW_EMPTY };
	const struct anchor *a = &f->c->anchors[number];
	size_t work = f->work;	/* bounded by the value's length; not what a policy is too large by */

	dfa_set_begin(f);
	dfa_roots_take(f, 0);
	track_arrive(f, &t);
	for (size_t i = 0; i < a->len && !f->c->err; i++) {
		track_byte(f, &t, a->value[i]);
		if (i + 1 == a->len || a->value[i + 1] == '/')
			track_anchors(f, &t, a->value, i + 1);
	}
	f->anchor_rows[number] = dfa_set_row(f, t.below);
	track_byte(f, &t, '/');
	f->work = work;
	f->anchor_below[number] = dfa_set_settle(f, t.below);
	return !f->c->err;
}

bool dfa_anchors_begin(struct dfa *f)
{
	for (uint32_t i = 0; i < f->c->anchor_count; i++) {
		if (!anchor_begin(f, i))
			return false;
	}
	return true;
}

/* Behind an anchor comes "/" or nothing: every byte leads below. */
void dfa_anchors_end(struct dfa *f)
{
	for (uint32_t i = 0; i < f->c->anchor_count && !f->c->err; i++) {
		f->out->anchors[i] = f->out->state_count;
		dfa_state_add(f, f->anchor_rows[i]);
		if (!f->c->err)
			f->out->states[f->out->anchors[i]].fall = f->anchor_below[i];
	}
}
