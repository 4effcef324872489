/* SPDX-License-Identifier: Apache-2.0 */
/* A policy from a file, for the commands about policies. */
#include <stdio.h>
#include <time.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/param.h"
#include "cli/policy.h"

#define POLICY_DIRECTORY "/etc/bailiff/policies/"

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

/* A ceiling's text: NAME.yaml beside the policy, else where the host's policies are. None is no failure: it may be a preset's name. */
struct ceiling {
	struct policy_ceiling ceiling;
	char *name, *file, *text;
};

static void ceiling_done(struct ceiling *c)
{
	free(c->name);
	free(c->file);
	free(c->text);
}

static bool ceiling_try(struct ceiling *c, const char *directory, size_t len)
{
	_buf_ struct buf path = {};

	buf_addf(&path, "%.*s%s.yaml", (int)len, directory, c->name);
	if (path.err || file_slurp(path.data, POLICY_BYTES, &c->text, &c->ceiling.len))
		return false;
	c->file = steal(&path.data);
	c->ceiling.name = c->name;
	c->ceiling.file = c->file;
	c->ceiling.text = c->text;
	return true;
}

static void ceiling_find(struct policy_source *source, struct ceiling *c)
{
	const char *slash = strrchr(source->file, '/');

	c->name = policy_within(source->text, source->len);
	if (!c->name || strchr(c->name, '/'))
		return;
	if (!ceiling_try(c, source->file, slash ? (size_t)(slash - source->file) + 1 : 0) &&
	    !ceiling_try(c, POLICY_DIRECTORY, strlen(POLICY_DIRECTORY)))
		return;
	source->ceilings = &c->ceiling;
	source->ceiling_count = 1;
}

static int text_take(const char *file, char **text, size_t *len)
{
	struct buf preset = {};
	int err;

	if (strncmp(file, "preset:", 7)) {
		err = file_slurp(file, POLICY_BYTES, text, len);
		if (err)
			log_err(err, "%s", file);
		return err;
	}
	err = policy_preset_tests(file + 7, &preset);
	if (err)
		log_err(0, "there is no preset \"%s\"; `bailiff policy show` lists them", file + 7);
	*text = preset.data;
	*len = preset.len;
	return err;
}

int policy_from_text(const char *text, size_t len, const char *file, const struct policy_options *o, struct policy **out, struct diags *diags)
{
	_cleanup_(ceiling_done) struct ceiling ceiling = {};
	_cleanup_(params_done) struct params params = {};
	struct policy_source source = { .file = file, .only_check = true, .now_s = time(NULL) };	/* the engine reads it again */
	int err = params_take(&o->params, &params);

	if (err)
		return CLI_USAGE;
	source.text = text;
	source.len = len;
	source.params = params.items;
	source.param_count = params.count;
	ceiling_find(&source, &ceiling);
	err = policy_load(&source, out, diags);
	if (err == -ENOMEM)
		log_err(err, "%s", file);
	return err ? CLI_FAILED : CLI_OK;
}

int policy_from_file(const char *file, const struct policy_options *o, struct policy **out, struct diags *diags)
{
	_free_ char *text = NULL;
	size_t len;

	if (text_take(file, &text, &len))
		return CLI_FAILED;
	return policy_from_text(text, len, file, o, out, diags);
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
