/* SPDX-License-Identifier: Apache-2.0 */
/* Which kernels may preempt a task in the middle of an LSM program: what they say of themselves, in Debian's and others' words. */
#include "kernel/internal.h"
#include "tests/unit/test.h"

#define DYNAMIC "Linux version 6.1.0-1-amd64 (x) #1 SMP PREEMPT_DYNAMIC Debian 6.1.4-1\n"

TEST(a_model_that_is_told_is_believed)
{
	CHECK(preempts_anywhere(DYNAMIC, "none voluntary (full) \n", "preempt=voluntary"));
	CHECK(preempts_anywhere(DYNAMIC, "none voluntary full (lazy) \n", NULL));
	CHECK(!preempts_anywhere(DYNAMIC, "none (voluntary) full \n", "preempt=full"));
	CHECK(!preempts_anywhere(DYNAMIC, "(none) voluntary full \n", NULL));
}

TEST(a_model_that_is_not_told_is_what_was_booted_and_else_the_worst)
{
	CHECK(!preempts_anywhere(DYNAMIC, NULL, "quiet preempt=voluntary\n"));
	CHECK(!preempts_anywhere(DYNAMIC, NULL, "preempt=none"));
	CHECK(preempts_anywhere(DYNAMIC, NULL, "preempt=full quiet"));
	CHECK(preempts_anywhere(DYNAMIC, NULL, "quiet"));
	CHECK(preempts_anywhere(DYNAMIC, NULL, NULL));
}

TEST(a_kernel_built_one_way_is_that)
{
	CHECK(preempts_anywhere("Linux version 6.1.4 (x) #1 SMP PREEMPT Mon\n", NULL, NULL));
	CHECK(preempts_anywhere("Linux version 6.1.4 (x) #1 SMP PREEMPT_RT Debian\n", NULL, NULL));
	CHECK(!preempts_anywhere("Linux version 6.1.4 (x) #1 SMP Mon\n", NULL, NULL));
}

TEST_MAIN()
