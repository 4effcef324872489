/* SPDX-License-Identifier: Apache-2.0 */
/* Where things live on this host: the defaults, moved by the engine's settings file (BAILIFF_SETTINGS names another one). */
#ifndef CLI_WHERE_H
#define CLI_WHERE_H

#include "base/base.h"

struct where {
	const char *settings;	/* NULL: the default file, if there is one */
	char *run_dir, *journal_dir, *key_dir;
	char *control;		/* the socket */
};

int where_load(struct where *w);	/* logged when it fails */
void where_done(struct where *w);

#endif
