/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Bailiff's own things are on this host. The policy room closes the default places by itself; what the settings moved, and the
 * tokens of sinks, is handed to it with each policy. Paths as the kernel sees them: symlinks resolved, or a rule would not meet them.
 */
#include <limits.h>
#include <stdio.h>
#include "engine/engine.h"

static int add(struct engine *e, const char *path)
{
	char real[PATH_MAX];
	size_t n = 0;

	if (!realpath(path, real))
		return errno == ENOENT ? 0 : -errno;	/* a token that comes later is protected from the next start on */
	while (e->own[n])
		n++;
	if (n == ENGINE_OWN_MAX)
		return -E2BIG;
	e->own[n] = strdup(real);
	return e->own[n] ? 0 : -ENOMEM;
}

int own_find(struct engine *e)
{
	const struct settings *s = e->settings;
	const char *const dirs[] = { s->run_dir, s->journal_dir, s->key_dir, s->pin_dir };
	const char *cgroups = cgroups_path(e->cgroups);
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !err; i++)
		err = add(e, dirs[i]);
	/* below the usual place reading is harmless and writing is closed anyway */
	if (!err && strncmp(cgroups, "/sys/fs/cgroup/", 15))
		err = add(e, cgroups);
	for (size_t i = 0; i < s->sink_count && !err; i++)
		err = add(e, s->sinks[i].token_file);
	return err;
}

void own_free(struct engine *e)
{
	for (size_t i = 0; e->own[i]; i++)
		free(e->own[i]);
}
