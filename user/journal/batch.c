/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a batch: it grows while lines are queued and is emptied when they are durable. */
#include "journal/internal.h"

#define KEEP_BYTES	(1u << 20)	/* a batch's memory above this is given back when it is not needed any more */

static int grow(void **p, size_t *cap, size_t need, size_t size)
{
	size_t room = *cap ? *cap : 4096;
	void *bigger;

	if (need <= *cap)
		return 0;
	while (room < need)
		room *= 2;
	bigger = reallocarray(*p, room, size);
	if (!bigger)
		return -ENOMEM;
	*p = bigger;
	*cap = room;
	return 0;
}

int batch_room(struct batch *b, size_t bytes)
{
	int err = grow((void **)&b->bytes, &b->cap, b->len + bytes, 1);

	return err ? err : grow((void **)&b->items, &b->items_cap, b->count + 2, sizeof(*b->items));
}

/* Under load the memory is kept, since faulting it in again costs as much as the hashes; the first small batch gives it back. */
void batch_trim(struct batch *b)
{
	bool large = b->cap > KEEP_BYTES && b->len < b->cap / 8;

	b->len = b->count = 0;
	if (!large)
		return;
	free(b->bytes);
	free(b->items);
	*b = (struct batch){};
}
