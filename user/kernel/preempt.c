/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before 6.2 (271de525e1d7, in later 6.1.y too) an LSM program is not called, and so allows, while another task was preempted in the middle of the
 * same program on the same processor. Where the kernel preempts only where it says so, that never happens.
 */
#include <stdlib.h>
#include "base/base.h"
#include "base/file.h"
#include "kernel/internal.h"

bool preempts_anywhere(const char *version, const char *model, const char *cmdline)
{
	const char *said = cmdline ? strstr(cmdline, "preempt=") : NULL;

	if (strstr(version, " PREEMPT_DYNAMIC ")) {
		if (model)
			return strstr(model, "(full)") || strstr(model, "(lazy)");
		/* what it was built with is not told; unless it was booted to be, it may preempt */
		return !said || (strncmp(said, "preempt=none", 12) && strncmp(said, "preempt=voluntary", 17));
	}
	return strstr(version, " PREEMPT ") || strstr(version, " PREEMPT_RT ");
}

bool lsm_programs_skipped(void)
{
	_free_ char *version = NULL, *model = NULL, *cmdline = NULL;
	const uint64_t *ksyms;
	size_t n;

	if (!ksyms_get(&ksyms) && ksyms[KSYM_ENTER_RECUR])
		return false;
	if (file_slurp("/proc/version", 4096, &version, &n))
		return true;
	(void)file_slurp("/sys/kernel/debug/sched/preempt", 4096, &model, &n);
	(void)file_slurp("/proc/cmdline", 65536, &cmdline, &n);
	return preempts_anywhere(version, model, cmdline);
}
