/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `run` tells when its command failed: the newest of the sandbox's own refusals, from where the sandbox reads them itself. The journal has
 * them all, but not everybody who may run a sandbox may read that.
 */
#include "engine/clock.h"
#include "engine/engine.h"

void why_keep(struct engine *e, struct session *s)
{
	struct why_entry entries[WHY_ENTRIES];
	struct session_generation *g = s->generation;
	int count = s->enforced && g && g->policy ? kernel_why(e->kernel, s->kernel_id, entries) : 0;
	_buf_ struct buf line = { 0 };

	if (count <= 0 || policy_why_entry(g->policy, g->number, &entries[0], clock_boot_ns(), &line))
		return;
	free(s->why);
	s->why = steal(&line.data);
	s->why_more = count - 1;
}
