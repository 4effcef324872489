/* SPDX-License-Identifier: Apache-2.0 */
/* The few settings that clients need, read from the same file as the engine reads; it alone judges the rest of it. */
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "base/yaml.h"
#include "cli/where.h"
#include "engine/control.h"

#define SETTINGS_FILE "/etc/bailiff/bailiff.yaml"
#define SETTINGS_BYTES (1u << 20)

static const struct {
	const char *key, *initial;
	size_t offset;
} settings[] = {
	{ "run_dir", "/run/bailiff", offsetof(struct where, run_dir) },
	{ "journal_dir", "/var/lib/bailiff/journal", offsetof(struct where, journal_dir) },
	{ "key_dir", "/var/lib/bailiff/keys", offsetof(struct where, key_dir) },
};

static int set_text(struct where *w, size_t i, const char *text)
{
	char **to = (char **)((char *)w + settings[i].offset);
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int read_settings(struct where *w, const char *path, bool must_exist)
{
	_cleanup_(base_free_p) char *text = NULL;
	struct yaml_node *root = NULL;
	struct yaml_error why;
	size_t len;
	int err = file_slurp(path, SETTINGS_BYTES, &text, &len);

	if (err == -ENOENT && !must_exist)
		return 0;
	if (err)
		return log_err(err, "%s", path);
	err = yaml_parse(text, len, &root, &why);
	if (err)
		return log_err(0, "%s:%u:%u: %s%s%s", path, why.line, why.column, why.text, why.help[0] ? ": " : "", why.help), err;
	for (size_t i = 0; i < ARRAY_SIZE(settings) && !err; i++) {
		const struct yaml_node *n = root->kind == YAML_MAP ? yaml_get(root, settings[i].key) : NULL;

		if (n && n->kind == YAML_SCALAR && n->text[0] == '/')
			err = set_text(w, i, n->text);
	}
	yaml_free(root);
	return err;
}

int where_load(struct where *w)
{
	struct where fresh = { .settings = getenv(SETTINGS_ENV) };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings) && !err; i++)
		err = set_text(&fresh, i, settings[i].initial);
	if (!err)
		err = read_settings(&fresh, fresh.settings ? fresh.settings : SETTINGS_FILE, fresh.settings);
	if (!err && asprintf(&fresh.control, "%s/%s", fresh.run_dir, CONTROL_NAME) < 0) {
		fresh.control = NULL;
		err = -ENOMEM;
	}
	if (err)
		where_done(&fresh);
	else
		*w = fresh;
	return err;
}

void where_done(struct where *w)
{
	free(w->run_dir);
	free(w->journal_dir);
	free(w->key_dir);
	free(w->control);
	*w = (struct where){};
}
