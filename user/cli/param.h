/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of a policy on a command line. */
#ifndef CLI_PARAM_H
#define CLI_PARAM_H

#include "base/base.h"

/* "workspace=." to "workspace=/home/me/project"; *out is the caller's to free. -EINVAL (logged) without a name or for a path that is not there. */
int cli_param_resolve(const char *item, char **out);

#endif
