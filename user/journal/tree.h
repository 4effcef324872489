/* SPDX-License-Identifier: Apache-2.0 */
/* The Merkle tree of RFC 9162 section 2.1, grown leaf by leaf: only the roots of its full subtrees are kept. */
#ifndef JOURNAL_TREE_H
#define JOURNAL_TREE_H

#include "base/hash.h"

struct tree {
	uint64_t leaves;
	uint8_t node[64][HASH_BYTES];	/* node[i]: the full subtree of 2^i leaves, valid where bit i of leaves is set */
};

int tree_leaf(const void *line, size_t n, uint8_t out[HASH_BYTES]);	/* SHA-256(0x00 || line) */
int tree_add(struct tree *t, const uint8_t leaf[HASH_BYTES]);
int tree_root(const struct tree *t, uint8_t out[HASH_BYTES]);		/* of no leaf: SHA-256 of nothing */

#endif
