/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as bailiff.yaml: taken, or refused with a place and a reason. */
#include "engine/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_error why = { 0 };
	struct settings s;
	int err;

	if (settings_init(&s))
		return 0;
	err = settings_parse(&s, (const char *)data, size, &why);
	if (err == -EINVAL && !why.text[0])
		abort();
	if (!err && settings_check(&s, &why) && !why.text[0])
		abort();
	if (!err && (!s.run_dir || s.run_dir[0] != '/' || s.sink_count > SETTINGS_SINKS_MAX))
		abort();
	settings_done(&s);
	return 0;
}
