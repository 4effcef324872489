/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as YAML: a tree within its limits, or an error with a place and words. */
#include "base/yaml.h"

static void walk(const struct yaml_node *n, unsigned depth)
{
	if (depth > YAML_MAX_DEPTH || !n->line || !n->column || (n->kind == YAML_SCALAR && strlen(n->text) != n->len))
		abort();
	for (size_t i = 0; i < n->count; i++) {
		walk(n->items[i], depth + 1);
		if (n->kind == YAML_MAP && n->keys[i]->kind != YAML_SCALAR)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct yaml_node *root = NULL;
	struct yaml_error why;
	int err = yaml_parse((const char *)data, size, &root, &why);

	if (err == -EBADMSG && (root || !why.line || !why.column || !why.text[0]))
		abort();
	if (!err)
		walk(root, 0);
	yaml_free(root);
	return 0;
}
