/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a command runs as: "name", "uid", each with ":group" or ":gid". Looked up before the sandbox is closed, since that reads files. */
#ifndef CLI_ACCOUNT_H
#define CLI_ACCOUNT_H

#include <sys/types.h>
#include "base/base.h"

struct account {
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int group_count;
	char *name, *home, *shell;	/* NULL: a number that no account has */
};

int account_find(const char *text, struct account *out);	/* logged when it fails */
int account_become(const struct account *a);			/* groups, group, user: for good */
int account_environment(const struct account *a);		/* HOME, USER, LOGNAME, SHELL, where the account is known */
void account_done(struct account *a);

#endif
