/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* What the test asks the kernel's decision code, and what it answers. */
#ifndef TESTS_BPF_DECIDE_H
#define TESTS_BPF_DECIDE_H

#include "bpf/abi.h"

struct decide_question {
	__u32 slot, verbs;	/* verbs 0: the address is asked */
	__u32 len, listen;
	__u32 refused, rule, required, pad;	/* the answer */
	struct rec_addr addr;
	char path[PATH_BYTES];
};

#endif
