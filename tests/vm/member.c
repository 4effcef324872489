/* SPDX-License-Identifier: Apache-2.0 */
/* The secret, the cgroups, and the one question. */
#include "tests/vm/member.h"

const char member_policy[] =
	"version: 1\npolicy: member\nopen: [devices, privileges, limits, session, labels]\n" NO_NETWORK
	"calls: {allow: [\"@io_uring\"]}\n"
	"files:\n  read: [/]\n  write: [/]\n  execute: [/]\n  deny: [{path: /tmp/secret, id: secret}]\n";

void member_prepare(void)
{
	put_file("/tmp/secret", "s", 0644);
	mkdir(SANDBOX_GROUP, 0755);
	mkdir(SANDBOX_GROUP "/a", 0755);
	mkdir(SANDBOX_GROUP "/a/b", 0755);
	mkdir(ELSEWHERE, 0755);
}

/* What every test asks: 0 where the secret opens. */
int member_look(void)
{
	int fd = open("/tmp/secret", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : rc(close(fd));
}

int group_join(const char *group, pid_t pid)
{
	char path[128], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", pid), err;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fd = open(path, O_WRONLY);
	if (fd < 0)
		return -errno;
	err = rc(write(fd, text, n));
	close(fd);
	return err;
}

uint64_t group_id(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return st.st_ino;
}

int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, __WALL) != pid)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int member_look_when_told(void *ends)
{
	char c;

	return read(((int *)ends)[0], &c, 1) == 1 ? member_look() : -EPROTO;
}
