/* SPDX-License-Identifier: Apache-2.0 */
/* A policy from a file, for the commands about policies. */
#include <stdio.h>
#include <time.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/param.h"
#include "cli/policy.h"

#define POLICY_BYTES (1u << 20)

struct params {
	struct policy_param *items;
	char **texts;
	size_t count;
};

static void params_done(struct params *p)
{
	for (size_t i = 0; p->texts && i < p->count; i++)
		free(p->texts[i]);
	free(p->texts);
	free(p->items);
}

static int params_take(const struct cli_list *list, struct params *out)
{
	out->items = calloc(list->count + 1, sizeof(*out->items));
	out->texts = calloc(list->count + 1, sizeof(*out->texts));
	if (!out->items || !out->texts)
		return log_err(-ENOMEM, "--param");
	for (size_t i = 0; i < list->count; i++) {
		int err = cli_param_resolve(list->items[i], &out->texts[i]);
		char *equals;

		if (err)
			return err;
		out->count++;
		equals = strchr(out->texts[i], '=');
		*equals = '\0';
		out->items[i] = (struct policy_param){ out->texts[i], equals + 1 };
	}
	return 0;
}

int policy_from_file(const char *file, const struct policy_options *o, struct policy **out, struct diags *diags)
{
	_cleanup_(params_done) struct params params = {};
	struct policy_source source = { .file = file, .only_check = true, .now_s = time(NULL) };	/* the engine reads it again */
	_free_ char *text = NULL;
	int err = params_take(&o->params, &params);

	if (err)
		return CLI_USAGE;
	err = file_slurp(file, POLICY_BYTES, &text, &source.len);
	if (err) {
		log_err(err, "%s", file);
		return CLI_FAILED;
	}
	source.text = text;
	source.params = params.items;
	source.param_count = params.count;
	err = policy_load(&source, out, diags);
	if (err == -ENOMEM)
		log_err(err, "%s", file);
	return err ? CLI_FAILED : CLI_OK;
}

bool policy_colour(void)
{
	const char *no = getenv("NO_COLOR");	/* https://no-color.org: not empty */

	return isatty(STDERR_FILENO) && (!no || !no[0]);
}

int policy_from_file_or_say(const char *file, const struct policy_options *o, struct policy **out)
{
	_buf_ struct buf said = {};
	struct diags diags = {};
	int code = policy_from_file(file, o, out, &diags);

	diags_show(&diags, policy_colour(), &said);
	if (said.data)
		fputs(said.data, stderr);
	diags_done(&diags);
	return code;
}
