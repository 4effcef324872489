/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `why`, the one pin that members may read: whoever reads sees the last refusals of its own sandbox and nothing else, says the kernel what the
 * C twin says, and nobody inside can change, take away, hold or flood it. vm: --cpus 2
 */
#include <arpa/inet.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include "tests/vm/expect.h"


#define PIN GOVERN_PINS "/why"
#define ROOM 16384

static char *said;	/* what a child read */

static const char policy[] =
	"version: 1\npolicy: why\nowner: platform\n" OPEN_REST NO_NETWORK
	"params: {workspace: path}\n"
	"files:\n  read: [/tmp/why, /bin, /lib, /dev, /proc]\n  write: [$workspace]\n"
	"  deny: [{path: /tmp/why/secret, id: no-secrets, why: credentials, owner: security}]\n";

static int read_all(int fd)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, said + n, ROOM - 1 - n)) > 0)
		n += got;
	said[n] = '\0';
	return got < 0 ? -errno : 0;
}

static int read_pin(void *arg)
{
	int fd = open(PIN, O_RDONLY);

	(void)arg;
	return fd < 0 ? -errno : read_all(fd);
}

static const char *inside(struct ruled *r)
{
	said[0] = '\0';
	CHECK_EQ(ruled_run(r, read_pin, NULL), 0);
	return said;
}

static int open_path(void *path)
{
	int fd = open(path, O_RDONLY);

	return fd < 0 ? -errno : 0;
}

static void prepare(void)
{
	if (said)
		return;
	said = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir("/tmp", 01777);
	mkdir("/tmp/why", 0755);
	mkdir("/tmp/why/w", 0777);
	mkdir("/etc", 0755);
	put_file("/tmp/why/secret", "s", 0644);
	put_file("/etc/other", "o", 0644);
}

static struct ruled *sandbox_in(enum stage stage)
{
	static const struct policy_param workspace = { "workspace", "/tmp/why/w" };

	govern_start();
	prepare();
	return ruled_new_given(policy, &workspace, 1, stage);
}

static struct ruled *sandbox(void)
{
	return sandbox_in(STAGE_ENFORCE);
}

static bool has(const char *part)
{
	if (strstr(said, part))
		return true;
	test_put(said);
	return false;
}

static size_t lines(void)
{
	size_t n = 0;

	for (const char *p = said; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

TEST(a_refused_one_reads_what_which_rule_and_whom_to_ask)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), -EACCES);
	inside(r);
	CHECK_EQ(lines(), 1);
	CHECK(has("s ago: read \"/tmp/why/secret\": refused (EACCES) by rule no-secrets (test.yaml:"));
	CHECK(has("): credentials; ask security\n"));
	ruled_free(r);
}

TEST(nothing_refused_is_said_and_so_is_no_sandbox)
{
	struct ruled *r = sandbox();

	CHECK_STR(inside(r), "nothing was refused in this sandbox\n");
	CHECK_EQ(free_run(read_pin, NULL), 0);
	CHECK_STR(said, "not in a sandbox\n");
	ruled_free(r);
}

static int create_outside(void *arg)
{
	int fd = open("/etc/new", O_CREAT | O_WRONLY, 0600);

	(void)arg;
	return fd < 0 ? -errno : 0;
}

TEST(what_the_default_refuses_names_the_workspace_and_nothing_else_that_is_allowed)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, create_outside, NULL), -EACCES);
	inside(r);
	CHECK(has("; ask platform; allowed instead: create below \"/tmp/why/w\"\n"));
	CHECK(!strstr(said, "/bin") && !strstr(said, "/lib") && !strstr(said, "/proc"));
	ruled_free(r);
}

static int as_nobody(void *arg)
{
	if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
		return -ENOTRECOVERABLE;
	return read_pin(arg);
}

TEST(any_user_reads_it)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/etc/other"), -EACCES);
	CHECK_EQ(ruled_run(r, as_nobody, NULL), 0);
	CHECK(has("\"/etc/other\""));
	ruled_free(r);
}

TEST(it_is_read_in_a_mount_namespace_of_its_own_and_by_another_way)
{
	struct ruled *r = sandbox();
	int fd, status;
	pid_t pid;

	CHECK_EQ(ruled_run(r, open_path, "/etc/other"), -EACCES);
	put_file("/tmp/why/w/bound", "", 0644);
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount(PIN, "/tmp/why/w/bound", NULL, MS_BIND, NULL))
			_exit(1);
		CHECK_EQ(ruled_run(r, read_pin, NULL), 0);
		CHECK(has("\"/etc/other\""));
		said[0] = '\0';
		CHECK_EQ(ruled_run(r, open_path, "/tmp/why/w/bound"), 0);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	fd = open("/tmp/why/w/bound", O_RDONLY);
	CHECK(fd >= 0);
	close(fd);
	ruled_free(r);
}

/* ---- who reads decides ---- */

static int read_given(void *fd)
{
	return read_all(*(int *)fd);
}

TEST(a_sandbox_never_sees_anothers_refusals)
{
	struct ruled *a = sandbox(), *b = sandbox();
	int fd;

	CHECK_EQ(ruled_run(a, open_path, "/tmp/why/secret"), -EACCES);
	CHECK_STR(inside(b), "nothing was refused in this sandbox\n");
	fd = open(PIN, O_RDONLY);	/* by nobody's member, and inherited */
	CHECK_EQ(ruled_run(b, read_given, &fd), 0);
	CHECK_STR(said, "nothing was refused in this sandbox\n");
	close(fd);
	fd = open(PIN, O_RDONLY);
	CHECK_EQ(ruled_run(a, read_given, &fd), 0);
	CHECK(has("no-secrets"));
	close(fd);
	ruled_free(a);
	CHECK_STR(inside(b), "nothing was refused in this sandbox\n");
	ruled_free(b);
}

static int gate[2];

static int open_and_wait(void *arg)
{
	int fd = open(PIN, O_RDONLY);
	char c;

	(void)arg;
	if (fd < 0 || dup2(fd, 900) < 0)
		return -errno;
	(void)!read(gate[0], &c, 1);
	return 0;
}

TEST(a_descriptor_that_one_sandbox_opened_shows_the_reader_its_own)
{
	struct ruled *a = sandbox(), *b = sandbox();
	int result, pidfd, fd = -1;
	pid_t pid;

	CHECK_EQ(pipe(gate), 0);
	CHECK_EQ(ruled_run(a, open_path, "/tmp/why/secret"), -EACCES);
	pid = ruled_spawn(a, open_and_wait, NULL, &result);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	for (int i = 0; i < 500 && fd < 0; i++, usleep(10000))
		fd = syscall(SYS_pidfd_getfd, pidfd, 900, 0);
	CHECK(fd >= 0);
	CHECK_EQ(ruled_run(b, read_given, &fd), 0);
	CHECK_STR(said, "nothing was refused in this sandbox\n");
	CHECK_EQ(write(gate[1], "e", 1), 1);
	CHECK_EQ(spawn_result(pid, result), 0);
	close(pidfd);
	close(fd);
	close(gate[0]);
	close(gate[1]);
	ruled_free(a);
	ruled_free(b);
}

TEST(a_row_that_is_used_again_tells_nothing_of_before)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), -EACCES);
	ruled_free(r);
	kernel_tidy(govern_kernel);
	r = sandbox();
	CHECK_STR(inside(r), "nothing was refused in this sandbox\n");
	ruled_free(r);
}

/* ---- folding ---- */

static int open_often(void *path)
{
	for (int i = 0; i < 1000; i++)
		(void)open(path, O_RDONLY);
	return 0;
}

static int open_many(void *arg)
{
	char path[64];

	(void)arg;
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/etc/many-%d", i);
		(void)open(path, O_CREAT | O_WRONLY, 0600);
	}
	return 0;
}

TEST(repeats_are_counted_in_one_line_and_push_nothing_out)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/etc/other"), -EACCES);
	CHECK_EQ(ruled_run(r, open_often, "/tmp/why/secret"), 0);
	inside(r);
	CHECK_EQ(lines(), 2);
	CHECK(has("s ago, 1000 times: read \"/tmp/why/secret\""));
	CHECK(has("\"/etc/other\""));
	ruled_free(r);
}

TEST(a_search_that_one_rule_refuses_everywhere_leaves_what_another_refused)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), -EACCES);
	CHECK_EQ(ruled_run(r, open_many, NULL), 0);
	inside(r);
	CHECK(has("many-99\""));
	CHECK(has("no-secrets"));
	CHECK_EQ(lines(), 1 + WHY_OF_RULE);
	ruled_free(r);
}

TEST(the_newest_comes_first)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/etc/other"), -EACCES);
	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), -EACCES);
	inside(r);
	CHECK(has("secret") && has("other") && strstr(said, "secret") < strstr(said, "other"));
	CHECK_EQ(ruled_run(r, open_path, "/etc/other"), -EACCES);
	inside(r);
	CHECK(strstr(said, "other") < strstr(said, "secret"));
	ruled_free(r);
}

TEST(the_observe_stage_refuses_nothing_and_says_so)
{
	struct ruled *r = sandbox_in(STAGE_OBSERVE);

	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), 0);
	CHECK_STR(inside(r), "nothing was refused in this sandbox\n");
	ruled_free(r);
}

TEST(a_rule_of_a_policy_that_was_replaced_is_not_called_by_anothers_name)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), -EACCES);
	ruled_reload(r, "version: 1\npolicy: why\n" OPEN_REST NO_NETWORK "files: {read: [{path: /, id: all-of-it}]}\n");
	inside(r);
	CHECK(has("refused (EACCES) by a rule of the policy before this one\n"));
	CHECK(!strstr(said, "all-of-it"));
	ruled_free(r);
}

/* ---- the twin ---- */

#define LONG "/tmp/why/w/" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" \
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789end"

static int all_kinds(void *arg)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(443) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(8080) };
	int fd;

	(void)arg;
	inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
	inet_pton(AF_INET6, "2001:db8::9", &v6.sin6_addr);
	fd = open("/etc/line\nbreak \"quoted\" \\ \xff\xc3\xa4", O_CREAT | O_WRONLY, 0600);
	fd = open("/etc/" "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		  "01234567890123456789012345678901234567890123456789012345678901234567890123456789end", O_CREAT | O_WRONLY, 0600);
	(void)rename("/etc/other", "/etc/moved");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)connect(fd, (void *)&v4, sizeof(v4));
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	(void)connect(fd, (void *)&v6, sizeof(v6));
	(void)kill(getppid(), SIGURG);	/* which would do nothing */
	(void)mount("none", "/tmp/why", "tmpfs", 0, NULL);
	return fd < 0 ? -errno : 0;
}

/* Behind the age, which is the reader's. */
static void check_line(const char *got, const char *want)
{
	const char *a = strstr(got, " ago"), *b = strstr(want, " ago");

	CHECK(a && b);
	CHECK_STR(a, b);
}

TEST(the_kernel_says_each_refusal_as_the_twin_does)
{
	struct ruled *r = sandbox();
	struct why_entry entries[WHY_ENTRIES];
	struct timespec now;
	int count, at = 0;
	char *line, *save = NULL;

	CHECK_EQ(ruled_run(r, all_kinds, NULL), 0);
	inside(r);
	count = kernel_why(govern_kernel, r->id, entries);
	clock_gettime(CLOCK_BOOTTIME, &now);
	CHECK_EQ(count, 7);
	CHECK_EQ(lines(), 7);
	for (line = strtok_r(said, "\n", &save); line; line = strtok_r(NULL, "\n", &save), at++) {
		struct buf want = {};

		CASE("%s", line);
		CHECK_EQ(policy_why_entry(r->policy, r->generation, &entries[at], now.tv_sec * 1000000000ull + now.tv_nsec, &want), 0);
		check_line(line, want.data);
		buf_done(&want);
	}
	ruled_free(r);
}

/* ---- nobody inside can change, take away, hold or replace it ---- */

#define AGAIN GOVERN_PINS "/again"

static int by_lease(long kind)
{
	int fd = open(PIN, O_RDONLY);

	return fd < 0 ? -errno : rc(fcntl(fd, F_SETLEASE, kind));
}

static int act_write(long arg) { (void)arg; return rc(open(PIN, O_WRONLY)); }
static int act_unlink(long arg) { (void)arg; return rc(unlink(AGAIN)); }
static int act_rename(long arg) { (void)arg; int err = rc(rename(PIN, AGAIN)); (void)rename(AGAIN, PIN); return err; }
static int act_link(long arg) { (void)arg; int err = rc(link(PIN, AGAIN)); (void)unlink(AGAIN); return err; }
static int act_chmod(long arg) { (void)arg; int err = rc(chmod(PIN, 0400)); (void)chmod(PIN, 0444); return err; }
static int act_chown(long arg) { (void)arg; return rc(chown(PIN, 0, 0)); }
static int act_utime(long arg) { (void)arg; return rc(utimensat(AT_FDCWD, PIN, NULL, 0)); }
static int act_watch(long arg) { (void)arg; return rc(inotify_add_watch(inotify_init(), PIN, IN_ACCESS)); }
static int act_list(long arg) { (void)arg; return rc(open(GOVERN_PINS, O_RDONLY | O_DIRECTORY)); }
static int act_symlink(long arg) { (void)arg; int err = rc(symlink("/x", AGAIN)); (void)unlink(AGAIN); return err; }
static int act_mkdir(long arg) { (void)arg; int err = rc(mkdir(AGAIN, 0700)); (void)rmdir(AGAIN); return err; }
static int act_mount_over(long arg)
{
	(void)arg;
	int err = rc(mount("/tmp/why/secret", PIN, NULL, MS_BIND, NULL));

	(void)umount(PIN);
	return err;
}

static const struct attempt {
	const char *name;
	int (*act)(long arg);
	long arg;
	int err;
} attempts[] = {
	{ "open it for writing", act_write, 0, EACCES },
	{ "unlink", act_unlink, 0, EACCES },
	{ "rename", act_rename, 0, EACCES },
	{ "link", act_link, 0, EACCES },
	{ "change its mode", act_chmod, 0, EACCES },
	{ "change its owner", act_chown, 0, EACCES },
	{ "change its times", act_utime, 0, EACCES },
	{ "watch it", act_watch, 0, EACCES },
	{ "list what is pinned beside it", act_list, 0, EACCES },
	{ "put a name beside it", act_symlink, 0, EACCES },
	{ "make a directory beside it", act_mkdir, 0, EACCES },
	{ "mount over it", act_mount_over, 0, EPERM },
	{ "hold a write lease, which every other reader would wait for", by_lease, F_WRLCK, EPERM },
	{ "hold a read lease", by_lease, F_RDLCK, EPERM },
};

static int attempt(void *arg)
{
	const struct attempt *a = arg;

	return a->act(a->arg);
}

TEST(root_inside_can_neither_change_nor_take_away_nor_hold_it)
{
	struct ruled *r = sandbox();

	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		CASE("%s", attempts[i].name);
		(void)!link(PIN, AGAIN);
		if (attempts[i].act != act_unlink)
			(void)unlink(AGAIN);
		CHECK_EQ(free_run(attempt, (void *)&attempts[i]), 0);
		if (attempts[i].act == act_unlink)
			CHECK_EQ(link(PIN, AGAIN), 0);
		CHECK_EQ(ruled_run(r, attempt, (void *)&attempts[i]), -attempts[i].err);
		(void)unlink(AGAIN);
	}
	CHECK(strlen(inside(r)) > 0);
	ruled_free(r);
}

static int read_the_map(void *arg)
{
	union bpf_attr attr = {};

	(void)arg;
	attr.pathname = (uintptr_t)(GOVERN_PINS "/maps/whys");
	return rc(syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr)));
}

TEST(the_map_behind_it_is_closed)
{
	struct ruled *r = sandbox();

	CHECK_REFUSED(r, read_the_map, NULL, EPERM);
	ruled_free(r);
}

static int byte_by_byte(void *arg)
{
	int fd = open(PIN, O_RDONLY);
	size_t n = 0;

	(void)arg;
	while (n < ROOM - 1 && read(fd, said + n, 1) == 1)
		n++;
	said[n] = '\0';
	return 0;
}

TEST(it_can_be_read_a_byte_at_a_time)
{
	struct ruled *r = sandbox();

	CHECK_EQ(ruled_run(r, open_path, "/tmp/why/secret"), -EACCES);
	CHECK_EQ(ruled_run(r, byte_by_byte, NULL), 0);
	CHECK_EQ(lines(), 1);
	CHECK(has("; ask security\n"));
	ruled_free(r);
}

TEST_MAIN()
