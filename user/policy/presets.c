/* SPDX-License-Identifier: Apache-2.0 */
/* The presets' texts, compiled in from presets/ as they are. */
#include "policy/policy.h"

#define PRESET(symbol, file) \
	__asm__(".pushsection .rodata\n" \
		"preset_" #symbol ":\n" \
		".incbin \"user/policy/presets/" file "\"\n" \
		".byte 0\n" \
		".popsection\n"); \
	extern const char preset_##symbol[] __attribute__((visibility("hidden")))
PRESET(base, "base.yaml");
PRESET(python, "python.yaml");
PRESET(git, "git.yaml");

static const struct {
	const char *name, *text;
} presets[] = {
	{ "base", preset_base },
	{ "python", preset_python },
	{ "git", preset_git },
};

const char *policy_preset(const char *name)
{
	if (!name)
		return "base\npython\ngit\n";
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		if (!strcmp(presets[i].name, name))
			return presets[i].text;
	}
	return NULL;
}
