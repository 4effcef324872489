/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention. The header of a segment says which one is the oldest that is kept from then on, under the signature of the epoch before; what is older is
 * deleted, but for its headers: they go, each as it was, to the file `retired`. So keys and roots lead from the first key to the first kept segment
 * without a gap, and a copy of a retired segment can still be proven to be part of the record.
 */
#ifndef JOURNAL_RETIRE_H
#define JOURNAL_RETIRE_H

#include "journal/format.h"

#define RETIRED_FILE "retired"

struct writer;
void retire_decide(struct writer *w);	/* before a header is made: w->oldest moves up to what it will say */
void retire_delete(struct writer *w);	/* behind the durable header. What fails is told and done with the next segment */

/* The header in line `n` of the file leads on from the one before it; NULL for the first. False, with why. */
typedef bool (*retired_fn)(void *ctx, const struct journal_header *h, uint64_t n);
/* Call fn for each retired header in front of segment `before`, in order. 0; -ENOENT: there is no such file; -EBADMSG: fn said no; -errno. */
int retired_walk(int dirfd, uint64_t before, retired_fn fn, void *ctx);

#endif
