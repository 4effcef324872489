/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs: exec by every way to name an image, interpreters, code that is mapped, code without a file; and what was started stays
 * governed. vm: --cpus 1
 */
#include <spawn.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/shm.h>
#include "tests/vm/expect.h"

#define LOADER "/lib64/ld-linux-x86-64.so.2"
static const char policy[] =
	"version: 1\npolicy: exec\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/]\n"
	"  write: [/tmp]\n"
	"  execute: [/]\n"
	"  deny:\n"
	"    - {path: [/tmp/exec/no], verbs: [execute], id: no-exec}\n"
	"    - {path: [/tmp/exec/unread], verbs: [read], id: no-read}\n"
	"    - {path: [/tmp/exec/secret], id: secret}\n";

static void copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	struct stat st;

	CHECK_EQ(fstat(in, &st), 0);
	CHECK_EQ(sendfile(out, in, NULL, st.st_size), st.st_size);
	close(in);
	close(out);
}

static void prepare(void)
{
	static const char *const dirs[] = { "", "/yes", "/no", "/unread" };
	size_t i;
	char path[64];

	if (!access("/tmp/exec/ready", F_OK))
		return;
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "/tmp/exec%s", dirs[i]);
		CHECK_EQ(mkdir(path, 0755), 0);
	}
	copy_program("/bin/busybox", "/tmp/exec/yes/true");
	copy_program("/bin/busybox", "/tmp/exec/no/true");
	copy_program("/proc/self/exe", "/tmp/exec/yes/dynamic");
	copy_program("/proc/self/exe", "/tmp/exec/no/dynamic");
	put_file("/tmp/exec/yes/script", "#!/bin/sh\nexit 0\n", 0755);
	put_file("/tmp/exec/no/script", "#!/bin/sh\nexit 0\n", 0755);
	put_file("/tmp/exec/unread/script", "#!/bin/sh\nexit 0\n", 0755);
	put_file("/tmp/exec/yes/by-no", "#!/tmp/exec/no/true\n", 0755);
	put_file("/tmp/exec/yes/twice", "#!/tmp/exec/yes/by-no\n", 0755);
	CHECK_EQ(symlink("/tmp/exec/no/true", "/tmp/exec/true"), 0);
	put_file("/tmp/exec/secret", "secret", 0644);
	put_file("/tmp/exec/ready", "", 0644);
}

/* Run a command: 0, -errno of the exec, or minus its exit code. */
static int run_argv(char *const argv[])
{
	char *envp[] = { NULL };
	int status, err;
	pid_t pid;

	err = posix_spawn(&pid, argv[0], NULL, NULL, argv, envp);
	if (err)
		return -err;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

/* Up to four words. No test of ours is called "nothing", so that this program run with it does nothing. */
struct command {
	char *argv[5];
	int err;
	struct expect e;
};

static int run_command(void *arg)
{
	return run_argv(((struct command *)arg)->argv);
}

TEST(programs_scripts_interpreters_and_launchers)
{
	static struct command commands[] = {
		{ { "/tmp/exec/yes/true" }, 0, {} },
		{ { "/tmp/exec/yes/script" }, 0, {} },
		{ { "/tmp/exec/yes/dynamic", "nothing" }, 0, {} },
		{ { LOADER, "/tmp/exec/yes/dynamic", "nothing" }, 0, {} },
		{ { "/tmp/exec/no/true" }, EACCES, { "no-exec", "/tmp/exec/no/true", "", ACT_EXEC, VERB_EXECUTE, 0, EACCES } },
		{ { "/tmp/exec/true" }, EACCES, { "no-exec", "/tmp/exec/no/true", "", ACT_EXEC, VERB_EXECUTE, 0, EACCES } },
		{ { "/tmp/exec/no/script" }, EACCES, { "no-exec", "/tmp/exec/no/script", "", ACT_EXEC, VERB_EXECUTE, 0, EACCES } },
		/* an allowed script by an interpreter that is not, also at second hand */
		{ { "/tmp/exec/yes/by-no" }, EACCES, { "no-exec", "/tmp/exec/no/true", "", ACT_EXEC, VERB_EXECUTE, 0, EACCES } },
		{ { "/tmp/exec/yes/twice" }, EACCES, { "no-exec", "/tmp/exec/no/true", "", ACT_EXEC, VERB_EXECUTE, 0, EACCES } },
		/* executing is not reading: the kernel starts the interpreter, which may not open the script */
		{ { "/tmp/exec/unread/script" }, 2, { "no-read", "/tmp/exec/unread/script", "", ACT_OPEN, VERB_READ, 0, EACCES } },
		/* the loader as a program: its mapping is the only sight of the file */
		{ { LOADER, "/tmp/exec/no/dynamic", "nothing" }, 127, { "no-exec", "/tmp/exec/no/dynamic", "", ACT_MAP_EXEC, VERB_EXECUTE, 0, EACCES } },
		/* said plainly: to an interpreter a script is data */
		{ { "/bin/sh", "/tmp/exec/no/script" }, 0, {} },
	};
	size_t i;

	prepare();
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct command *c = &commands[i];
		struct ruled *r;

		CASE("%s %s", c->argv[0], c->argv[1] ? c->argv[1] : "");
		CHECK_EQ(free_run(run_command, c), 0);
		r = ruled_new(policy, STAGE_ENFORCE);
		govern_forget();
		CHECK_EQ(ruled_run(r, run_command, c), -c->err);
		if (c->err)
			check_record(r, &c->e);
		else
			check_silent(r);
		ruled_free(r);
	}
}

/* ---- code without a file ---- */

static int memfd_with(const char *path)
{
	int in = open(path, O_RDONLY), fd = memfd_create("code", MFD_CLOEXEC);
	struct stat st;

	if (in < 0 || fd < 0 || fstat(in, &st) || sendfile(fd, in, NULL, st.st_size) != st.st_size)
		return -1;
	return fd;
}

static int by_fork(long (*call)(int fd), int fd)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		call(fd);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return -WEXITSTATUS(status);
}

static char *true_argv[] = { "true", NULL }, *no_env[] = { NULL };

static long call_fexecve(int fd)
{
	return fexecve(fd, true_argv, no_env);
}

static long call_execveat(int fd)
{
	return syscall(SYS_execveat, fd, "", true_argv, no_env, AT_EMPTY_PATH);
}

static long call_by_proc(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return execve(path, true_argv, no_env);
}

static int memfd_fexecve(void *unused)
{
	(void)unused;
	return by_fork(call_fexecve, memfd_with("/bin/busybox"));
}

static int memfd_execveat(void *unused)
{
	(void)unused;
	return by_fork(call_execveat, memfd_with("/bin/busybox"));
}

static int memfd_by_proc(void *unused)
{
	(void)unused;
	return by_fork(call_by_proc, memfd_with("/bin/busybox"));
}

static int memfd_script(void *unused)
{
	int fd = memfd_create("script", 0);

	(void)unused;
	if (write(fd, "#!/bin/true\n", 12) != 12)
		return -errno;
	return by_fork(call_execveat, fd);
}

static int memfd_map(void *unused)
{
	(void)unused;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, memfd_with("/bin/busybox"), 0) == MAP_FAILED ? -errno : 0;
}

static int memfd_protect(void *unused)
{
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, memfd_with("/bin/busybox"), 0);

	(void)unused;
	return p == MAP_FAILED ? -EINVAL : rc(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int shm_map(void *unused)
{
	int id = shmget(IPC_PRIVATE, 4096, 0700);
	void *p = shmat(id, NULL, SHM_EXEC);
	int err = (intptr_t)p == -1 ? -errno : 0;

	(void)unused;
	shmctl(id, IPC_RMID, NULL);
	return err;
}

TEST(code_without_a_file_is_refused)
{
	static const struct {
		const char *name;
		govern_fn fn;
		enum operation op;
	} ways[] = {
		{ "fexecve", memfd_fexecve, ACT_EXEC }, { "execveat", memfd_execveat, ACT_EXEC }, { "/proc/self/fd", memfd_by_proc, ACT_EXEC },
		{ "a script", memfd_script, ACT_EXEC }, { "mmap", memfd_map, ACT_MAP_EXEC }, { "mprotect", memfd_protect, ACT_PROTECT_EXEC },
		{ "shmat", shm_map, ACT_MAP_EXEC },
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
		struct expect e = { "files.anonymous", "", "", ways[i].op, VERB_EXECUTE, REASON_NONE, EACCES };

		CASE("%s", ways[i].name);
		govern_forget();
		CHECK_REFUSED(r, ways[i].fn, NULL, EACCES);
		check_record(r, &e);
		ruled_free(r);
	}
}

static int jit(void *unused)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	*(unsigned char *)p = 0xc3;
	if (mprotect(p, 4096, PROT_READ | PROT_EXEC))
		return -errno;
	((void (*)(void))p)();
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p == MAP_FAILED ? -errno : 0;
}

TEST(memory_that_a_compiler_fills_may_run)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(ruled_run(r, jit, NULL), 0);
	check_silent(r);
	ruled_free(r);
}

/* ---- what was started stays governed ---- */

static int cat_secret(void *unused)
{
	char *argv[] = { "/bin/busybox", "cat", "/tmp/exec/secret", NULL };

	(void)unused;
	return run_argv(argv);
}

/* A daemon: twice forked, in a session of its own, its parents gone. */
static int daemon_reads(void *path)
{
	int result[2], v = -ECHILD;

	if (pipe(result))
		return -errno;
	if (!fork()) {
		setsid();
		if (fork())
			_exit(0);
		while (getppid() != 1)
			usleep(1000);
		v = rc(open(path, O_RDONLY));
		(void)!write(result[1], &v, sizeof(v));
		_exit(0);
	}
	wait(NULL);
	close(result[1]);
	(void)!read(result[0], &v, sizeof(v));
	return v;
}

TEST(a_started_program_and_a_daemon_stay_governed)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "secret", "/tmp/exec/secret", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };

	prepare();
	govern_forget();
	CHECK_EQ(free_run(cat_secret, NULL), 0);
	CHECK_EQ(ruled_run(r, cat_secret, NULL), -1);
	check_record(r, &e);
	/* the same program again is the same refusal: counted, not told again */
	CHECK_EQ(ruled_run(r, cat_secret, NULL), -1);
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(ruled_refused(r, "secret"), 2);
	CHECK_REFUSED(r, daemon_reads, "/tmp/exec/secret", EACCES);
	CHECK_EQ(ruled_refused(r, "secret"), 3);
	ruled_free(r);
}

TEST_MAIN()
