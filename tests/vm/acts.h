/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that read, change, create, remove or execute, each with the verbs that the language says it needs; and how to prove it: run free,
 * then governed where nothing but these verbs is allowed, then where one of them is not.
 */
#ifndef TESTS_VM_ACTS_H
#define TESTS_VM_ACTS_H

#include <linux/fs.h>
#include <linux/openat2.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/sendfile.h>
#include <sys/un.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>
#include "tests/vm/expect.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define VERBS 5
static const char *const words[VERBS] = { "read", "change", "create", "remove", "execute" };

/* In "exact" nothing is allowed but the verbs of the act; in a directory named by a verb's number, all but that verb. */
static void policy_for(const char *base, unsigned verbs, char *text, size_t size)
{
	size_t n = snprintf(text, size, "version: 1\npolicy: files\n" OPEN_REST NO_NETWORK "files:\n");
	unsigned v;

	for (v = 0; v < VERBS; v++)
		n += snprintf(text + n, size - n, "  %s: [\"%s/[0-4]\"%s%s%s]\n", words[v], base, verbs & 1u << v ? ", " : "",
			      verbs & 1u << v ? base : "", verbs & 1u << v ? "/exact" : "");
	n += snprintf(text + n, size - n, "  deny:\n");
	for (v = 0; v < VERBS; v++)
		n += snprintf(text + n, size - n, "    - {path: [%s/%u], verbs: [%s], id: no-%u}\n", base, v, words[v], v);
}

static int open_error;	/* why opened() failed: an act that needs a descriptor is refused when it opens */

static int opened(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		open_error = errno;
	return fd;
}

static long by_openat2(const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve, .mode = flags & O_CREAT ? 0600 : 0 };

	return syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static long io_open(const char *path, int flags)
{
	char c = 'x';
	int fd = open(path, flags, 0600);

	if (fd < 0)
		return -1;
	return flags & O_WRONLY ? write(fd, &c, 1) : read(fd, &c, 1);
}

static long renamed(const char *from, const char *to, unsigned flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static long tmpfile_named(void)
{
	char link[64];
	int fd = opened(".", O_TMPFILE | O_RDWR);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, AT_FDCWD, "new", AT_SYMLINK_FOLLOW);
}

static long map_exec(const char *path)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, opened(path, O_RDONLY), 0) == MAP_FAILED ? -1 : 0;
}

static long protect_exec(const char *path)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, opened(path, O_RDONLY), 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

/* A mapping to read that the kernel makes executable, because the process asked for that once and for all. */
static long map_implied(const char *path)
{
	int fd = opened(path, O_RDONLY);

	personality(READ_IMPLIES_EXEC);
	return mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}

static long executed(const char *path)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	int status;
	pid_t pid;

	errno = posix_spawn(&pid, path, NULL, NULL, argv, envp);
	if (errno)
		return -1;
	waitpid(pid, &status, 0);
	errno = ENOEXEC;
	return status ? -1 : 0;
}

static long executed_by_handle(const char *path)
{
	char *argv[] = { "true", NULL }, *envp[] = { NULL };
	int fd = open(path, O_PATH | O_CLOEXEC), status = 0;
	pid_t pid = fork();

	if (!pid) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	return status ? -1 : 0;
}

/* Reopened through the O_PATH descriptor that no hook saw. */
static long reopened(const char *path, int flags)
{
	char link[64];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", open(path, O_PATH));
	return open(link, flags);
}

static long bound(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	strcpy(un.sun_path, path);
	return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof(un));
}

/* An access list that says more than a mode: the owner, user 1, the group, the mask of both, the rest. */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 4, 0, 1, 0, 0, 0, 4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff,
	0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
};
#define ACL "system.posix_acl_access", acl, sizeof(acl), 0
static const struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
static const struct timeval micro[2] = { { 1, 0 }, { 2, 0 } };
static const long no_dump = FS_NODUMP_FL;
static const struct fsxattr no_dump_x = { .fsx_xflags = FS_XFLAG_NODUMP };
static long flags_now;
#define FD(flags) opened("f", flags)

#define R (1u << VERB_READ)
#define C (1u << VERB_CHANGE)
#define N (1u << VERB_CREATE)
#define D (1u << VERB_REMOVE)
#define X (1u << VERB_EXECUTE)

/* An act, the verbs that it needs, what its record calls it and which name it is about. */
#define ACTS(A) \
	A(open_read, R, OPEN, "f", open("f", O_RDONLY)) \
	A(open_read_and_read, R, OPEN, "f", io_open("f", O_RDONLY)) \
	A(open_write, C, OPEN, "f", open("f", O_WRONLY)) \
	A(open_write_and_write, C, OPEN, "f", io_open("f", O_WRONLY)) \
	A(open_append, C, OPEN, "f", open("f", O_WRONLY | O_APPEND)) \
	A(open_both, R | C, OPEN, "f", open("f", O_RDWR)) \
	A(open_mode_3, R, OPEN, "f", open("f", O_ACCMODE)) \
	A(open_truncate, C, OPEN, "f", open("f", O_WRONLY | O_TRUNC)) \
	A(open_read_truncate, R | C, OPEN, "f", open("f", O_RDONLY | O_TRUNC)) \
	A(open_create_what_is_there, C, OPEN, "f", open("f", O_WRONLY | O_CREAT, 0600)) \
	A(openat, R, OPEN, "f", openat(open(".", O_PATH), "f", O_RDONLY)) \
	A(openat2, R, OPEN, "f", by_openat2("f", O_RDONLY, 0)) \
	A(openat2_beneath, R, OPEN, "f", by_openat2("f", O_RDONLY, RESOLVE_BENEATH)) \
	A(openat2_in_root, R, OPEN, "f", by_openat2("f", O_RDONLY, RESOLVE_IN_ROOT)) \
	A(openat2_no_links, R, OPEN, "f", by_openat2("f", O_RDONLY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)) \
	A(openat2_create, N, CREATE, "new", by_openat2("new", O_WRONLY | O_CREAT, RESOLVE_BENEATH)) \
	A(reopen_path_descriptor, R, OPEN, "f", reopened("f", O_RDONLY)) \
	A(reopen_for_writing, C, OPEN, "f", reopened("f", O_WRONLY)) \
	A(open_fifo, R | C, OPEN, "fifo", open("fifo", O_RDWR)) \
	A(list_directory, R, OPEN, "", open(".", O_RDONLY | O_DIRECTORY)) \
	A(watch, R, WATCH, "f", inotify_add_watch(inotify_init(), "f", IN_MODIFY)) \
	A(watch_directory, R, WATCH, "", inotify_add_watch(inotify_init(), ".", IN_CREATE)) \
	A(creat, N, CREATE, "new", creat("new", 0600)) \
	A(open_create, N, CREATE, "new", open("new", O_RDWR | O_CREAT | O_EXCL, 0600)) \
	A(open_create_by_dangling_link, N, CREATE, "new", open("dangling", O_WRONLY | O_CREAT, 0600)) \
	A(tmpfile, N, OPEN, NULL, open(".", O_TMPFILE | O_RDWR, 0600)) \
	A(tmpfile_named, R | C | N, LINK, NULL, tmpfile_named()) \
	A(mkdir, N, MKDIR, "new", mkdir("new", 0700)) \
	A(mkdirat, N, MKDIR, "new", mkdirat(open(".", O_PATH), "new", 0700)) \
	A(mkfifo, N, MKNOD, "new", mknod("new", S_IFIFO | 0600, 0)) \
	A(mknod_socket, N, MKNOD, "new", mknod("new", S_IFSOCK | 0600, 0)) \
	A(mknod_file, N, CREATE, "new", mknod("new", S_IFREG | 0600, 0)) \
	A(symlink, N, SYMLINK, "new", symlink("f", "new")) \
	A(link, R | C | N, LINK, NULL, link("f", "new")) \
	A(linkat_descriptor, R | C | N, LINK, NULL, linkat(FD(O_PATH), "", AT_FDCWD, "new", AT_EMPTY_PATH)) \
	A(rename, D | N, RENAME, NULL, rename("f", "new")) \
	A(rename_over, D | N, RENAME, NULL, rename("f", "g")) \
	A(rename_directory, D | N, RENAME, NULL, rename("d", "new")) \
	A(rename_directory_over, D | N, RENAME, NULL, rename("d", "e")) \
	A(rename_noreplace, D | N, RENAME, NULL, renamed("f", "new", RENAME_NOREPLACE)) \
	A(rename_exchange, D | N, RENAME, NULL, renamed("f", "g", RENAME_EXCHANGE)) \
	A(rename_exchange_kinds, D | N, RENAME, NULL, renamed("f", "d", RENAME_EXCHANGE)) \
	A(unlink, D, UNLINK, "f", unlink("f")) \
	A(unlinkat, D, UNLINK, "f", unlinkat(open(".", O_PATH), "f", 0)) \
	A(unlink_symlink, D, UNLINK, "dangling", unlink("dangling")) \
	A(rmdir, D, RMDIR, "d", rmdir("d")) \
	A(unlinkat_directory, D, RMDIR, "d", unlinkat(AT_FDCWD, "d", AT_REMOVEDIR)) \
	A(truncate, C, TRUNCATE, "f", truncate("f", 1)) \
	A(ftruncate, C, OPEN, "f", ftruncate(FD(O_WRONLY), 1)) \
	A(fallocate, C, OPEN, "f", fallocate(FD(O_WRONLY), 0, 0, 4096)) \
	A(chmod, C, CHMOD, "f", chmod("f", 0600)) \
	A(fchmod, R | C, CHMOD, "f", fchmod(FD(O_RDONLY), 0600)) \
	A(fchmodat, C, CHMOD, "f", fchmodat(AT_FDCWD, "f", 0600, 0)) \
	A(fchmodat2, C, CHMOD, "f", syscall(SYS_fchmodat2, FD(O_PATH), "", 0600, AT_EMPTY_PATH)) \
	A(chmod_directory, C, CHMOD, "d", chmod("d", 0700)) \
	A(chown, C, CHOWN, "f", chown("f", 1, 1)) \
	A(lchown, C, CHOWN, "dangling", lchown("dangling", 1, 1)) \
	A(fchown, R | C, CHOWN, "f", fchown(FD(O_RDONLY), 1, 1)) \
	A(fchownat, C, CHOWN, "f", fchownat(FD(O_PATH), "", 1, 1, AT_EMPTY_PATH)) \
	A(utimensat, C, SETATTR, "f", utimensat(AT_FDCWD, "f", times, 0)) \
	A(utimensat_now, C, SETATTR, "f", utimensat(AT_FDCWD, "f", NULL, 0)) \
	A(utimensat_symlink, C, SETATTR, "dangling", utimensat(AT_FDCWD, "dangling", times, AT_SYMLINK_NOFOLLOW)) \
	A(futimens, R | C, SETATTR, "f", futimens(FD(O_RDONLY), times)) \
	A(utimes, C, SETATTR, "f", utimes("f", micro)) \
	A(utime, C, SETATTR, "f", utime("f", NULL)) \
	A(set_acl, C, SETXATTR, "f", setxattr("f", ACL)) \
	A(lset_acl, C, SETXATTR, "f", lsetxattr("f", ACL)) \
	A(fset_acl, R | C, SETXATTR, "f", fsetxattr(FD(O_RDONLY), ACL)) \
	A(remove_acl, C, SETXATTR, "acl", removexattr("acl", "system.posix_acl_access")) \
	A(set_flags, R | C, SETATTR, "f", ioctl(FD(O_RDONLY), FS_IOC_SETFLAGS, &no_dump)) \
	A(set_xflags, R | C, SETATTR, "f", ioctl(FD(O_RDONLY), FS_IOC_FSSETXATTR, &no_dump_x)) \
	A(get_flags, R, OPEN, "f", ioctl(FD(O_RDONLY), FS_IOC_GETFLAGS, &flags_now)) \
	A(bind_unix, N, MKNOD, "new", bound("new")) \
	A(execve, X, EXEC, "prog", executed("prog")) \
	A(execve_symlink, X, EXEC, "prog", executed("prog-link")) \
	A(execveat, X, EXEC, "prog", executed_by_handle("prog")) \
	A(map_executable, R | X, MAP_EXEC, "f", map_exec("f")) \
	A(map_implied_executable, R | X, MAP_EXEC, "f", map_implied("f")) \
	A(make_executable, R | X, PROTECT_EXEC, "f", protect_exec("f"))

/* What overlayfs does not have. */
#define PLAIN_ACTS(A) \
	A(openat2_cached, R, OPEN, "f", by_openat2("f", O_RDONLY, RESOLVE_CACHED)) \
	A(mknod_whiteout, N, MKNOD, "new", mknod("new", S_IFCHR | 0600, 0)) \
	A(rename_whiteout, D | N, RENAME, NULL, renamed("f", "new", RENAME_WHITEOUT))

#define A(id, verbs, op, leaf, call) \
	__attribute__((unused)) static long act_##id(void) \
	{ \
		return call; \
	}
ACTS(A)
PLAIN_ACTS(A)
#undef A

struct act {
	const char *name;
	long (*call)(void);
	unsigned verbs;
	enum operation op;
	const char *leaf;
};

/* Where acts are run: directories below base, made ready by prepare(). */
struct place {
	const char *base;
	void (*prepare)(const char *dir);
};

struct run {
	const struct act *act;
	char dir[64];
};

static int run_act(void *arg)
{
	const struct run *run = arg;
	long r;

	if (chdir(run->dir))
		return -errno;
	r = run->act->call();
	return open_error ? -open_error : rc(r);
}

static void copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	struct stat st;

	CHECK_EQ(fstat(in, &st), 0);
	CHECK_EQ(sendfile(out, in, NULL, st.st_size), st.st_size);
	close(in);
	close(out);
}

/* A directory as every act finds it, whatever the one before left. */
static void fill(const char *dir)
{
	mkdir(dir, 0755);
	CHECK_EQ(chdir(dir), 0);
	renamed("new", "d", RENAME_NOREPLACE);
	unlink("new");
	rmdir("new");
	rmdir("f");
	rmdir("d");
	unlink("d");
	mkdir("d", 0755);
	mkdir("e", 0755);
	unlink("f");
	put_file("f", "text of f", 0640);
	put_file("g", "text of g", 0640);
	put_file("acl", "", 0600);
	CHECK_EQ(setxattr("acl", ACL), 0);
	mkfifo("fifo", 0600);
	(void)!symlink("new", "dangling");
	(void)!symlink("prog", "prog-link");
	if (access("prog", X_OK))
		copy_file("/bin/busybox", "prog");
	CHECK_EQ(chdir("/"), 0);
}

/* The verb that is denied decides; an act that first opens what it works on is refused there when it may not read. */
static void check_refused(struct ruled *r, const struct run *run, unsigned verb)
{
	const struct act *act = run->act;
	char rule[16], path[128];
	struct expect e = { .rule = rule, .verb = verb, .op = act->op, .err = EACCES };

	snprintf(rule, sizeof(rule), "no-%u", verb);
	snprintf(path, sizeof(path), "%s%s%s", run->dir, act->leaf && act->leaf[0] ? "/" : "", act->leaf ? act->leaf : "");
	if (act->leaf)
		e.path = path;
	if (verb == VERB_READ && act->op != ACT_LINK && act->op != ACT_WATCH)
		e.op = ACT_OPEN;
	if (verb == VERB_CREATE && act->op == ACT_LINK && !strncmp(act->name, "tmpfile", 7))
		e.op = ACT_OPEN;
	check_record(r, &e);
}

/* The same act free and governed, each time in a directory as it should be. */
static int run_both(struct ruled *r, struct run *run, const struct place *place, const char *dir)
{
	int got;

	CASE("in %s", dir);
	snprintf(run->dir, sizeof(run->dir), "%s/%s", place->base, dir);
	place->prepare(run->dir);
	got = free_run(run_act, run);
	if (got == -ENOSYS || got == -EOPNOTSUPP)
		SKIP("not on this kernel: %s", strerror(-got));
	CHECK_EQ(got, 0);
	place->prepare(run->dir);
	govern_forget();
	got = ruled_run(r, run_act, run);
	govern_drain();
	return got;
}

static void check_act(const struct place *place, const struct act *act)
{
	struct run run = { .act = act };
	char text[1024], dir[8];
	struct ruled *r;
	unsigned v;
	int got;

	policy_for(place->base, act->verbs, text, sizeof(text));
	r = ruled_new(text, STAGE_ENFORCE);
	got = run_both(r, &run, place, "exact");
	check_silent(r);
	CHECK_EQ(got, 0);
	for (v = 0; v < VERBS; v++) {
		if (!(act->verbs & 1u << v))
			continue;
		snprintf(dir, sizeof(dir), "%u", v);
		CHECK_EQ(run_both(r, &run, place, dir), -EACCES);
		check_refused(r, &run, v);
	}
	ruled_free(r);
}

#endif
