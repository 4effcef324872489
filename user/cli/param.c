/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --param NAME=VALUE as it leaves the command line: a value that begins with "." is a path seen from here, and whoever reads it
 * elsewhere has to find the same place. Every other value stays as it is: it may be an address.
 */
#include <stdio.h>
#include "base/log.h"
#include "cli/param.h"

static bool is_from_here(const char *value)
{
	return !strcmp(value, ".") || !strcmp(value, "..") || !strncmp(value, "./", 2) || !strncmp(value, "../", 3);
}

int cli_param_resolve(const char *item, char **out)
{
	const char *value = strchr(item, '=');
	_free_ char *path = NULL;
	char *text;

	if (!value || value == item)
		return log_err(0, "--param %s: write NAME=VALUE", item), -EINVAL;
	value++;
	if (is_from_here(value)) {
		path = realpath(value, NULL);
		if (!path)
			return log_err(-errno, "--param %s", item), -EINVAL;
	}
	if (asprintf(&text, "%.*s%s", (int)(value - item), item, path ? path : value) < 0)
		return log_err(-ENOMEM, "--param");
	*out = text;
	return 0;
}
