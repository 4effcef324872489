/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read YAML: where they stand in a text, and how they say what is wrong there. */
#ifndef BASE_YAML_READER_H
#define BASE_YAML_READER_H

#include <yaml.h>
#include "base/yaml.h"

struct yaml_reader {
	yaml_parser_t parser;
	const char *text;
	size_t len;
	size_t nodes;
	struct yaml_error why;		/* the latest */
	struct yaml_errors *errors;
};
/* What is wrong from one place to another, and what to do; -EBADMSG. An end of {} is none. */
int yaml_fail(struct yaml_reader *r, yaml_mark_t from, yaml_mark_t to, const char *help, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int yaml_fail_syntax(struct yaml_reader *r);	/* what libyaml refused */
int yaml_fail_alias(struct yaml_reader *r, const yaml_event_t *ev);
int yaml_error_keep(struct yaml_reader *r);	/* the latest goes to those that are said; -ENOMEM */

#endif
