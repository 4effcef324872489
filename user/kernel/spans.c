/* SPDX-License-Identifier: Apache-2.0 */
/* First fit over a range of numbers, with reference counts: arena words and counter cells. Small tables, kept sorted. */
#include "base/base.h"
#include "kernel/internal.h"

static int insert(struct spans *s, size_t at, struct span span)
{
	struct span *more = realloc(s->items, (s->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	s->items = more;
	memmove(more + at + 1, more + at, (s->count - at) * sizeof(*more));
	more[at] = span;
	s->count++;
	return 0;
}

/* What the kernel reads as words of 8 bytes begins at one. */
static uint32_t even(uint32_t at)
{
	return (at + 1) & ~1u;
}

int spans_take(struct spans *s, uint32_t size, uint64_t stamp, uint32_t *base)
{
	uint32_t at = 8;	/* word 0 is no state (decide.bpf.h) */
	size_t i;
	int err;

	for (i = 0; i < s->count && s->items[i].base - at < size; i++)
		at = even(s->items[i].base + s->items[i].size);
	if (size > s->limit || at > s->limit - size)
		return -ENOSPC;
	err = insert(s, i, (struct span){ at, size, 1, stamp });
	if (!err)
		*base = at;
	return err;
}

int spans_mark(struct spans *s, uint32_t base, uint32_t size)
{
	size_t i;

	for (i = 0; i < s->count && s->items[i].base < base; i++)
		;
	if (i < s->count && s->items[i].base == base) {
		s->items[i].refs++;
		return 0;
	}
	return insert(s, i, (struct span){ base, size, 1, 0 });
}

void spans_drop(struct spans *s, uint32_t base)
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		if (s->items[i].base != base || --s->items[i].refs)
			continue;
		memmove(s->items + i, s->items + i + 1, (--s->count - i) * sizeof(*s->items));
		return;
	}
}

void spans_done(struct spans *s)
{
	free(s->items);
	*s = (struct spans){};
}
