/* SPDX-License-Identifier: Apache-2.0 */
/* The stored leaf hashes of a segment, one after the other. */
#ifndef JOURNAL_LEAF_H
#define JOURNAL_LEAF_H

#include "journal/segment.h"

#define LEAF_CHUNK 256

struct leaf_reader {
	int fd;				/* -1: no file */
	uint64_t count, next;		/* stored; next to load */
	size_t have, pos;
	uint8_t chunk[LEAF_CHUNK][HASH_BYTES];
};

int leaf_reader_open(int dirfd, uint64_t first, struct leaf_reader *l);	/* 0 also without a file; fd is the caller's to close */
int leaf_reader_next(struct leaf_reader *l, const uint8_t **out);	/* 1 and the next stored hash, 0 none is left, -errno */
bool leaf_reader_peek_is(const struct leaf_reader *l, const uint8_t hash[HASH_BYTES]);

/* The segment's header says another format than ours, and its leaf hash says that nobody damaged it. */
bool segment_is_foreign(int dirfd, uint64_t first);

#endif
