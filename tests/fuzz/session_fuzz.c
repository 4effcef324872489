/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the file that an engine leaves for its successor: read whole or refused, and what was read can be used and freed. */
#include "base/base.h"
#include "sandbox/persist.h"

#define NAME "01ARYZ6S41TSV4RRFFQ69G5FAV"
#define BOOT "11111111-2222-3333-4444-555555555555"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session *s;

	if (session_parse(data, size, NAME, BOOT, &s))
		return 0;
	if (!s->generation || s->stage > STAGE_ENFORCE || strlen(s->name) >= SESSION_NAME_MAX)
		abort();
	for (struct session_command *c = s->commands; c; c = c->older) {
		if (c->args_len > SESSION_ARGS_MAX || c->args[c->args_len])
			abort();
	}
	session_commands_trim(s);
	(void)session_total(s);
	session_free(s);
	return 0;
}
