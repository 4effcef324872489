/* SPDX-License-Identifier: Apache-2.0 */
/* The peer of every figure about files: Landlock with the same rules, and as many more as are asked for. */
#ifndef TESTS_BENCH_LANDLOCK_H
#define TESTS_BENCH_LANDLOCK_H

#include <stddef.h>

/* May be called once a process, for good. Extra rules are for directories below /tmp/rules, which are made first. */
void landlock_stage(size_t extra);
int landlock_restrict(size_t extra);

#endif
