/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bailiff's own places, which every policy refuses whatever it says and even where `files` is open. They are part of the model,
 * so that the oracle and the image have them from one place.
 */
#include "policy/model.h"

static const struct {
	const char *path;
	uint32_t verbs;
} own_places[] = {
	{ "/sys/fs/bpf", VERBS_PATH },
	{ "/var/lib/bailiff", VERBS_PATH },
	{ "/run/bailiff", VERBS_PATH },
	{ "/etc/bailiff", VERBS_WRITE },
	{ "/sys/fs/cgroup", VERBS_WRITE },
};

static void own_add(struct policy *p, struct diags *d, const char *path, uint32_t verbs)
{
	struct own_place *own = vec_push(d, &p->own, &p->own_count, sizeof(*own));

	if (!own)
		return;
	own->path = diag_strdup(d, path);
	own->verbs = verbs;
}

void own_places_add(struct policy *p, const struct policy_source *src, struct diags *d)
{
	const char *const *path = src->own_paths;

	for (size_t i = 0; i < ARRAY_SIZE(own_places); i++)
		own_add(p, d, own_places[i].path, own_places[i].verbs);
	for (; path && *path; path++) {
		if (path_is_clean(*path, strlen(*path)) && (*path)[1])
			own_add(p, d, *path, VERBS_PATH);
		else
			diag_at(d, false, (struct text_place){ .file = p->files[0] },
				CODE("own-place") "a place of Bailiff's own has to be absolute and clean: \"%.200s\"", *path);
	}
}
