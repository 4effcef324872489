/* SPDX-License-Identifier: Apache-2.0 */
/* The seccomp floor's unit tests again, where the kernel surely has a 32-bit entry: not every host that builds has one. */
#include "sandbox/seccomp.h"
#include "tests/unit/sandbox_seccomp_test.c"
