/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only presets have to be read for. A preset's parameter is one of the policy that uses it: the policy declares it, so that
 * whoever reviews the policy sees everything that is put in from outside. A preset's tests are about itself and base, and are not the policy's.
 */
#include "policy/model.h"

static bool preset_param(struct reader *r, const struct yaml_node *key, const struct yaml_node *type)
{
	struct param *param = param_find(r->p, key->text, key->len);
	const char *word = param && param->type == PARAM_PATH ? "path" : "to";

	if (!param)
		diag_at(r->d, false, PLACE(r->p->files[0], r->used_at),
			CODE("preset-param") "preset %s needs the parameter %s" HELP "declare it: params: {%s: %s}", r->preset, key->text, key->text,
			type->text);
	else if (strcmp(word, type->text))
		diag_at(r->d, false, PLACE(r->p->files[0], param),
			CODE("param-type") "parameter %s is declared as %s, and preset %s needs it as %s", key->text, word, r->preset, type->text);
	if (param)
		param->used = true;
	return param && !strcmp(word, type->text);
}

bool read_preset_params(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = true;

	(void)policy;
	for (size_t i = 0; n->kind == YAML_MAP && i < n->count; i++)
		good &= preset_param(r, n->keys[i], n->items[i]);
	r->misses_params = !good;
	return good;
}

bool read_preset_tests(struct reader *r, const struct yaml_node *n, void *policy)
{
	(void)r;
	(void)n;
	(void)policy;
	return true;
}
