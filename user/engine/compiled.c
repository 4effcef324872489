/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/compiled.h"

void compiled_drop(struct compiled *p)
{
	buf_done(&p->key);
	policy_free(p->policy);
	policy_image_done(&p->image);
	diags_done(&p->diags);
	*p = (struct compiled){ 0 };
}

void compiled_done(struct compiled_cache *c)
{
	for (size_t i = 0; i < COMPILED_KEPT; i++)
		compiled_drop(&c->places[i]);
}

struct compiled *compiled_find(struct compiled_cache *c, const struct buf *key)
{
	for (size_t i = 0; i < COMPILED_KEPT; i++) {
		struct compiled *p = &c->places[i];

		if (!p->policy || p->key.len != key->len || memcmp(p->key.data, key->data, key->len))
			continue;
		p->used = ++c->uses;
		return p;
	}
	return NULL;
}

static struct compiled *oldest(struct compiled_cache *c)
{
	struct compiled *p = NULL;

	for (size_t i = 0; i < COMPILED_KEPT; i++) {
		struct compiled *q = &c->places[i];

		if (q->policy && (!p || q->used < p->used))
			p = q;
	}
	return p;
}

static struct compiled *free_place(struct compiled_cache *c)
{
	for (size_t i = 0; i < COMPILED_KEPT; i++) {
		if (!c->places[i].policy)
			return &c->places[i];
	}
	return NULL;
}

static size_t words_kept(const struct compiled_cache *c)
{
	size_t n = 0;

	for (size_t i = 0; i < COMPILED_KEPT; i++)
		n += policy_image_words(&c->places[i].image);
	return n;
}

struct compiled *compiled_keep(struct compiled_cache *c, struct compiled *from)
{
	struct compiled *p;

	while (!free_place(c) || (words_kept(c) && words_kept(c) + policy_image_words(&from->image) > COMPILED_WORDS))
		compiled_drop(oldest(c));
	p = free_place(c);
	*p = *from;
	p->used = ++c->uses;
	*from = (struct compiled){ 0 };
	return p;
}
