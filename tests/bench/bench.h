/* SPDX-License-Identifier: Apache-2.0 */
/* What the benchmarks of the guest share: the policy they are governed by, attaching, and what publishing costs. */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

#include "tests/vm/govern.h"

/* Ten rules about the places that the operations use, and as many literal ones as are asked for. record: of each open. */
void bench_policy(struct buf *out, long rules, bool record);
void bench_must(bool fine, const char *what);	/* else says so with errno and ends the run: nothing is measured that did not happen */
void bench_attach(void);	/* as govern_start(); prints what it costs to load and to attach */
void bench_publish(void);	/* prints what it costs to compile policies and to replace one */

#endif
