/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that no pattern tells apart are one class: the automata's tables have a column for each class, not for each byte. */
#include "policy/dfa.h"

void byte_classes_done(struct byte_classes *k)
{
	free(k->of_set);
	free(k->only);
	*k = (struct byte_classes){};
}

/* Every class that the set cuts in two becomes two. */
static void classes_refine(struct byte_classes *k, const struct byte_set *set)
{
	int fresh[512];
	uint32_t count = 0;

	memset(fresh, -1, sizeof(fresh));
	for (int byte = 0; byte < 256; byte++) {
		int *number = &fresh[k->of_byte[byte] << 1 | set_contains(set, byte)];

		if (*number < 0)
			*number = count++;
		k->of_byte[byte] = *number;
	}
	k->count = count;
}

static void set_classes_find(struct byte_classes *k, uint32_t number, const struct byte_set *set)
{
	int count = 0;

	k->only[number] = -1;
	for (int byte = 0; byte < 256; byte++) {
		uint8_t class = k->of_byte[byte];

		if (!set_contains(set, byte) || set_contains(&k->of_set[number], class))
			continue;
		k->of_set[number].bits[class >> 6] |= 1ull << (class & 63);
		k->only[number] = count++ ? -1 : class;
	}
}

bool byte_classes_find(struct compiler *c, const struct nfa *n, struct byte_classes *out)
{
	struct byte_set set;

	out->of_set = calloc(n->sets.count, sizeof(*out->of_set));
	out->only = calloc(n->sets.count, sizeof(*out->only));
	if (!out->of_set || !out->only)
		return compile_fail(c, -ENOMEM);
	for (uint32_t i = 0; i < n->sets.count; i++) {
		memcpy(&set, intern_get(&n->sets, i, NULL), sizeof(set));
		classes_refine(out, &set);
	}
	for (uint32_t i = 0; i < n->sets.count; i++) {
		memcpy(&set, intern_get(&n->sets, i, NULL), sizeof(set));
		set_classes_find(out, i, &set);
	}
	out->slash = out->of_byte['/'];
	return true;
}
