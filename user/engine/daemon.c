/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "base/file.h"
#include "engine/control.h"
#include "engine/daemon.h"

#define LOG_NAME "engine.log"

int daemon_lock(const char *run_dir, int *out)
{
	char path[512];
	_close_ int fd = -1;
	int err = dir_make(run_dir, 0755);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	*out = steal_fd(&fd);
	return 0;
}

static int own_streams(const char *run_dir)
{
	char path[512];
	_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	_close_ int log = -1;

	snprintf(path, sizeof(path), "%s/" LOG_NAME, run_dir);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (null < 0 || log < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

int daemon_detach(const char *run_dir)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid)
		_exit(0);
	if (setsid() < 0 || chdir("/"))
		return -errno;
	umask(022);
	return own_streams(run_dir);
}

int daemon_move(const char *cgroup_mount, const char *parent)
{
	char path[4600];

	if (snprintf(path, sizeof(path), "%s/%s/engine", cgroup_mount, parent) >= (int)sizeof(path) - 14)
		return -ENAMETOOLONG;
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	strcat(path, "/cgroup.procs");
	return file_write_string(path, "0");
}

void daemon_limits(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);	/* fewer descriptors: fewer clients, which is counted */
	}
	(void)file_write_string("/proc/self/oom_score_adj", "-900");	/* refused in some containers: then as any process */
}

void daemon_say_ready(int fd, const char *trouble)
{
	char line[600];
	int n;

	if (fd < 0)
		return;
	n = trouble ? snprintf(line, sizeof(line), "%s\n", trouble) : snprintf(line, sizeof(line), "%s", CONTROL_READY);
	(void)write_full(fd, line, n < (int)sizeof(line) ? n : (int)sizeof(line) - 1);	/* whoever asked may be gone */
	close(fd);
}

void daemon_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_close_ int fd = -1;
	size_t len;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(addr.sun_path))
		return;
	len = strlen(path);
	memcpy(addr.sun_path, path, len);
	if (path[0] == '@')
		addr.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&addr, offsetof(struct sockaddr_un, sun_path) + len);
}
