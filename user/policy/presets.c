/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The presets' texts, compiled in from presets/ as they are. A preset begins with remarks ("# name, revision N" is one of them) and ends
 * with its tests, which hold for a policy that has base, itself and nothing else.
 */
#include "policy/model.h"

/* X(symbol, name, presets/<name>.yaml) */
#define PRESETS(X) \
	X(base, "base") X(python, "python") X(node, "node") X(build, "build") X(git, "git") X(git_https, "git-https") X(pip, "pip") \
	X(npm, "npm") X(dns, "dns") X(agents_sdk, "agents-sdk") X(codex, "codex") X(claude, "claude")

#define X(symbol, name) \
	__asm__(".pushsection .rodata\n" \
		"preset_" #symbol ":\n" \
		".incbin \"user/policy/presets/" name ".yaml\"\n" \
		".byte 0\n" \
		".popsection\n"); \
	extern const char preset_##symbol[] __attribute__((visibility("hidden")));
PRESETS(X)
#undef X

const char *const preset_words[] = {
#define X(symbol, name) name,
	PRESETS(X)
#undef X
	NULL,
};

static const char *const preset_texts[] = {
#define X(symbol, name) preset_##symbol,
	PRESETS(X)
#undef X
};

const char *policy_preset(const char *name)
{
	if (!name) {
#define X(symbol, name) name "\n"
		return PRESETS(X);
#undef X
	}
	for (size_t i = 0; preset_words[i]; i++) {
		if (!strcmp(preset_words[i], name))
			return preset_texts[i];
	}
	return NULL;
}

unsigned policy_preset_revision(const char *name)
{
	const char *text = policy_preset(name), *at = text ? strstr(text, ", revision ") : NULL;

	return at ? strtoul(at + strlen(", revision "), NULL, 10) : 0;
}

/* The line that a place in the text stands on, from 1. */
static unsigned line_of(const char *text, const char *at)
{
	unsigned line = 1;

	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* Empty lines are put in so that a test keeps the number of its line. */
int policy_preset_tests(const char *name, struct buf *out)
{
	const char *text = policy_preset(name), *params, *tests;
	unsigned line;

	if (!text)
		return -ENOENT;
	params = strstr(text, "\nparams: ");
	tests = strstr(text, "\ntests:\n");
	if (!tests)
		return -ENODATA;
	buf_addf(out, "version: 1\npolicy: %s\nuses: [base%s%s]\n", name, strcmp(name, "base") ? ", " : "", strcmp(name, "base") ? name : "");
	if (params)
		buf_addf(out, "%.*s\n", (int)strcspn(params + 1, "\n"), params + 1);
	for (line = 4 + !!params; line < line_of(text, tests + 1); line++)
		buf_add_char(out, '\n');
	buf_add_str(out, tests + 1);
	return out->err;
}
