/* SPDX-License-Identifier: Apache-2.0 */
/* Many sparse rows in one array: each state's edges go where none of another's lie. */
#ifndef POLICY_PACK_H
#define POLICY_PACK_H

#include "policy/compile.h"

struct byte_edge {
	uint32_t byte, to;
};
struct packer {
	struct compiler *c;
	struct sparse_image *out;
	size_t first_free;
};
bool edges_begin(struct packer *k);
bool edges_pack(struct packer *k, uint32_t state, const struct byte_edge *edges, size_t count);

#endif
