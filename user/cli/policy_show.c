/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff policy show: the effective policy, and the presets. */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = {
	POLICY_OPTION_PARAM,
	{ "canonical", 0, NULL, OPTION_FLAG, offsetof(struct policy_options, canonical), "as the policy text that the digest is of" },
	POLICY_OPTION_JSON,
};
static const struct cli_spec spec = {
	.usage = "bailiff policy show [FILE|preset:NAME] [--param NAME=VALUE]... [--canonical|--json]",
	.about = "Print the effective policy: presets united, parameters put in, each rule with its id and its place. With preset:NAME the text of a\n"
		 "preset; alone, the presets that there are.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 printed, 1 the policy is wrong, 2 usage",
};

static int preset_show(const char *name)
{
	const char *text = policy_preset(name);

	if (!text) {
		log_err(0, "there is no preset \"%s\": there are\n%s", name, policy_preset(NULL));
		return CLI_USAGE;
	}
	fputs(text, stdout);
	return CLI_OK;
}

/* The value of a key on a line of its own, quotes taken off. */
static void preset_about(const char *text, char out[256])
{
	const char *at = strstr(text, "\nabout: ");
	size_t n;

	out[0] = '\0';
	if (!at)
		return;
	at += strlen("\nabout: ");
	at += *at == '"';
	n = strcspn(at, "\n");
	n -= n && at[n - 1] == '"';
	snprintf(out, 256, "%.*s", (int)n, at);
}

static void preset_json(struct json *j, const char *name, const char *about)
{
	json_begin_object(j, NULL);
	json_str(j, "preset", name);
	json_u64(j, "revision", policy_preset_revision(name));
	json_str(j, "about", about);
	json_end_object(j);
}

static int presets_list(const struct policy_options *o)
{
	_free_ char *names = strdup(policy_preset(NULL));
	_buf_ struct buf out = {};
	char about[256], *at = NULL;
	struct json j;

	if (!names)
		return log_err(-ENOMEM, "policy show"), CLI_FAILED;
	json_init(&j, &out);
	if (o->json)
		json_begin_array(&j, NULL);
	for (char *name = strtok_r(names, "\n", &at); name; name = strtok_r(NULL, "\n", &at)) {
		preset_about(policy_preset(name), about);
		if (o->json)
			preset_json(&j, name, about);
		else
			buf_addf(&out, "%-11s revision %u  %s\n", name, policy_preset_revision(name), about);
	}
	if (o->json) {
		json_end_array(&j);
		buf_add_char(&out, '\n');
	}
	fputs(out.data ? out.data : "", stdout);
	return CLI_OK;
}

static int policy_show_run(char **rest, size_t count, const struct policy_options *o)
{
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	int code;

	(void)count;
	if (!strncmp(rest[0], "preset:", 7))
		return preset_show(rest[0] + 7);
	code = policy_from_file_or_say(rest[0], o, &p);
	if (code)
		return code;
	if (o->json)
		(void)policy_show_json(p, &out);
	else if (o->canonical)
		(void)policy_canonical(p, &out);
	else
		(void)policy_show(p, &out);
	policy_free(p);
	if (out.err)
		return log_err(out.err, "%s", rest[0]), CLI_FAILED;
	printf("%s%s", out.data, o->json ? "\n" : "");
	return CLI_OK;
}

const struct policy_command policy_show_command = { .spec = &spec, .run = policy_show_run, .operands_max = 1, .run_bare = presets_list };
