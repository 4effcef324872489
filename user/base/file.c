/* SPDX-License-Identifier: Apache-2.0 */
/* Files as wholes. Interrupted and short calls are gone on with here, so that callers see all or an error. */
#include "base/file.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

ssize_t read_full(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, (char *)buf + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += got;
	}
	return done;
}

int write_full(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t put = write(fd, (const char *)buf + done, n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		done += put;
	}
	return 0;
}

/* procfs and cgroupfs say size 0, so a file is read until its end and never trusted to stat(2). */
int file_slurp_at(int dirfd, const char *name, size_t max_bytes, char **out, size_t *len)
{
	_close_ int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	size_t cap = max_bytes < 65536 ? max_bytes : 65536, have = 0;
	_free_ char *data = NULL;

	if (fd < 0)
		return -errno;
	for (;;) {
		char *bigger = realloc(data, cap + 2);
		ssize_t n;

		if (!bigger)
			return -ENOMEM;
		data = bigger;
		n = read_full(fd, data + have, cap + 1 - have);	/* one more than allowed: tells "exactly full" from "too big" */
		if (n < 0)
			return n;
		have += n;
		if (have <= cap)
			break;
		if (cap >= max_bytes)
			return -EFBIG;
		cap = cap > max_bytes / 2 ? max_bytes : cap * 2;
	}
	data[have] = '\0';
	*out = steal(&data);
	if (len)
		*len = have;
	return 0;
}

int file_slurp(const char *path, size_t max_bytes, char **out, size_t *len)
{
	return file_slurp_at(AT_FDCWD, path, max_bytes, out, len);
}

static int write_durably(int dirfd, const char *name, const void *p, size_t n, mode_t mode)
{
	_close_ int fd = -1;
	int err;

	(void)unlinkat(dirfd, name, 0);	/* left by a crash */
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	err = fchmod(fd, mode) ? -errno : write_full(fd, p, n);
	if (!err && fsync(fd))
		err = -errno;
	return err;
}

static int dir_sync(int dirfd)
{
	_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);	/* dirfd may be O_PATH */

	if (fd < 0)
		return -errno;
	return fsync(fd) ? -errno : 0;
}

int file_replace_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode)
{
	char tmp[NAME_MAX + 1];
	int err;

	if (strchr(name, '/'))
		return -EINVAL;	/* the directory that is synced must be the one that is written */
	if (snprintf(tmp, sizeof(tmp), ".%s.new", name) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	err = write_durably(dirfd, tmp, p, n, mode);
	if (!err && renameat(dirfd, tmp, dirfd, name))
		err = -errno;
	if (err) {
		(void)unlinkat(dirfd, tmp, 0);
		return err;
	}
	return dir_sync(dirfd);
}

int file_write_string(const char *path, const char *text)
{
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	do {
		n = write(fd, text, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static int dir_make_one(const char *path, mode_t mode)
{
	struct stat st;

	if (!mkdir(path, mode))
		return chmod(path, mode) ? -errno : 0;	/* the caller's mode, whatever the umask */
	if (errno != EEXIST)
		return -errno;
	if (stat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int dir_make(const char *path, mode_t mode)
{
	char copy[PATH_MAX];
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (!len)
		return -ENOENT;
	if (len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, len);
	copy[len] = '\0';
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int err;

		*slash = '\0';
		err = dir_make_one(copy, 0755);
		*slash = '/';
		if (err)
			return err;
	}
	return dir_make_one(copy, mode);
}
