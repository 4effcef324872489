/* SPDX-License-Identifier: Apache-2.0 */
/* The counters' names and values. Relaxed atomics: each is a sum of its own, read for show. */
#include "base/counter.h"

const struct counter_info counter_table[COUNTER_COUNT] = {
#define X(symbol, name, text) [COUNT_##symbol] = { name, text },
	COUNTERS(X)
#undef X
};

_Atomic uint64_t counter_values[COUNTER_COUNT];
