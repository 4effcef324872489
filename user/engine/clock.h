/* SPDX-License-Identifier: Apache-2.0 */
/* The three clocks: wall (events), boot (the kernel's records and deadlines; runs on in suspend), monotonic (our own intervals). */
#ifndef ENGINE_CLOCK_H
#define ENGINE_CLOCK_H

#include <time.h>
#include "base/base.h"

static inline uint64_t clock_ns(clockid_t which)
{
	struct timespec t;

	(void)clock_gettime(which, &t);	/* cannot fail for these clocks */
	return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
}

static inline uint64_t clock_wall_ms(void)
{
	return clock_ns(CLOCK_REALTIME) / 1000000;
}

static inline uint64_t clock_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static inline uint64_t clock_mono_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
