/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks: one blocking thread each, reading the journal by its own cursor. The engine starts and stops them and carries their notices. */
#include <stdio.h>
#include "engine/engine.h"

int sinks_open(struct engine *e, char why[ENGINE_WHY])
{
	if (!e->settings->sink_count)
		return 0;
	snprintf(why, ENGINE_WHY, "sinks are not built into this engine yet: take \"sinks:\" out of its settings");
	return -ENOSYS;
}

void sinks_close(struct engine *e)
{
	(void)e;
}

void sinks_reply(struct engine *e, struct buf *reply)
{
	(void)e, (void)reply;
}
