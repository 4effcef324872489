/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared edge area. An entry belongs to the state whose number it carries, so that any two states may overlap. Behind the last
 * base there are always 256 entries: whatever byte is looked up, the entry is there.
 */
#include "policy/pack.h"

#define PACK_TRIES 512	/* then the end of the area: time matters more than the last hole */

static bool area_reach(struct packer *k, size_t count)
{
	struct sparse_image *out = k->out;
	size_t cap = out->edge_cap ? out->edge_cap : 4096;
	uint32_t *check, *next;

	if (count > IMAGE_WORDS_MAX / 2)
		return compile_too_big(k->c, NULL, "the compiled policy is larger than %u MiB: fewer or shorter rules are needed",
				       IMAGE_WORDS_MAX >> 18);
	while (cap < count)
		cap *= 2;
	if (cap == out->edge_cap)
		return true;
	check = reallocarray(out->check, cap, sizeof(*check));
	if (check)
		out->check = check;
	next = reallocarray(out->next, cap, sizeof(*next));
	if (next)
		out->next = next;
	if (!check || !next)
		return compile_fail(k->c, -ENOMEM);
	memset(check + out->edge_cap, 0xff, (cap - out->edge_cap) * sizeof(*check));
	memset(next + out->edge_cap, 0, (cap - out->edge_cap) * sizeof(*next));
	out->edge_cap = cap;
	return true;
}

static bool edges_fit(const struct packer *k, size_t base, const struct byte_edge *edges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (k->out->check[base + edges[i].byte] != UINT32_MAX)
			return false;
	}
	return true;
}

static bool base_find(struct packer *k, const struct byte_edge *edges, size_t count, size_t *base)
{
	size_t tries = 0, slot = k->first_free;

	for (;; slot++) {
		if (tries == PACK_TRIES && slot < k->out->edge_count + edges[0].byte)
			slot = k->out->edge_count + edges[0].byte;	/* nothing lies there yet */
		if (!area_reach(k, slot + 512))
			return false;
		if (k->out->check[slot] != UINT32_MAX)
			continue;
		tries += tries < PACK_TRIES;
		*base = slot - edges[0].byte;
		if (edges_fit(k, *base, edges, count))
			return true;
	}
}

bool edges_begin(struct packer *k)
{
	k->out->edge_count = k->first_free = 256;	/* from there on every byte's base is inside, and no hole stays for ever */
	return area_reach(k, 256);
}

bool edges_pack(struct packer *k, uint32_t state, const struct byte_edge *edges, size_t count)
{
	struct sparse_image *out = k->out;
	size_t base;

	if (!count)
		return true;	/* base 0: no entry there carries this state's number */
	if (!base_find(k, edges, count, &base))
		return false;
	for (size_t i = 0; i < count; i++) {
		out->check[base + edges[i].byte] = state;
		out->next[base + edges[i].byte] = edges[i].to;
	}
	while (k->first_free < out->edge_cap && out->check[k->first_free] != UINT32_MAX)
		k->first_free++;
	if (base + 256 > out->edge_count)
		out->edge_count = base + 256;
	out->states[state].base = base;
	return true;
}
