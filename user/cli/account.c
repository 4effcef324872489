/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts by name or number. A number that no account has needs its group said. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include "base/log.h"
#include "cli/account.h"

#define MOST_GROUPS 65536	/* the kernel's NGROUPS_MAX */

static int parse_id(const char *text, uint32_t *out)
{
	unsigned long long v = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (*text - '0');
		if (v >= UINT32_MAX)	/* all ones means "leave it" to the kernel */
			return -ERANGE;
	}
	*out = v;
	return 0;
}

static int find_group(const char *text, gid_t *out)
{
	struct group *g = getgrnam(text);

	if (g) {
		*out = g->gr_gid;
		return 0;
	}
	if (!parse_id(text, out))
		return 0;
	return log_err(0, "--user: there is no group \"%s\"", text), -ENOENT;
}

static int take_entry(struct account *a, const struct passwd *p)
{
	a->uid = p->pw_uid;
	a->gid = p->pw_gid;
	a->name = strdup(p->pw_name);
	a->home = strdup(p->pw_dir);
	a->shell = strdup(p->pw_shell);
	return a->name && a->home && a->shell ? 0 : -ENOMEM;
}

static int find_user(const char *text, bool has_group, struct account *a)
{
	struct passwd *p = getpwnam(text);

	if (p)
		return take_entry(a, p);
	if (parse_id(text, &a->uid))
		return log_err(0, "--user: there is no account \"%s\"", text), -ENOENT;
	p = getpwuid(a->uid);
	if (p)
		return take_entry(a, p);
	if (!has_group)
		return log_err(0, "--user: no account has the number %s; say its group as well: %s:GID", text, text), -ENOENT;
	return 0;
}

static int find_groups(struct account *a)
{
	int count = 32, room;

	do {
		gid_t *more = realloc(a->groups, count * sizeof(*more));

		if (!more)
			return -ENOMEM;
		a->groups = more;
		room = count;
		if (!a->name) {
			a->groups[0] = a->gid;
			a->group_count = 1;
			return 0;
		}
	} while (getgrouplist(a->name, a->gid, a->groups, &count) < 0 && count > room && count <= MOST_GROUPS);
	a->group_count = count < room ? count : room;
	return 0;
}

int account_find(const char *text, struct account *out)
{
	_free_ char *user = strdup(text);
	struct account a = {};
	char *group;
	int err;

	if (!user)
		return log_err(-ENOMEM, "--user");
	group = strchr(user, ':');
	if (group)
		*group++ = '\0';
	err = find_user(user, group, &a);
	if (!err && group)
		err = find_group(group, &a.gid);
	if (!err)
		err = find_groups(&a);
	if (err)
		account_done(&a);
	else
		*out = a;
	return err;
}

int account_become(const struct account *a)
{
	if (setgroups(a->group_count, a->groups) || setresgid(a->gid, a->gid, a->gid) || setresuid(a->uid, a->uid, a->uid))
		return -errno;
	return 0;
}

int account_environment(const struct account *a)
{
	if (!a->name)
		return 0;
	if (setenv("HOME", a->home, 1) || setenv("USER", a->name, 1) || setenv("LOGNAME", a->name, 1) || setenv("SHELL", a->shell, 1))
		return -errno;
	return 0;
}

void account_done(struct account *a)
{
	free(a->groups);
	free(a->name);
	free(a->home);
	free(a->shell);
	*a = (struct account){};
}
