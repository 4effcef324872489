/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk and its loops, each by every one of its exits: paths of all lengths, too long, too deep, detached; many mounts; roots, mounts and
 * names that change before or while a path is judged. vm: --cpus 2
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include "tests/vm/expect.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#define DETACHED { "files.unknown", "", "", ACT_OPEN, VERB_READ, REASON_DETACHED, EACCES }

static const char policy[] =
	"version: 1\npolicy: walk\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/]\n"
	"  write: [/tmp/walk/ok, /tmp/walk/part]\n"
	"  execute: [/]\n"
	"  deny:\n"
	"    - {path: [/tmp/walk/secret, /tmp/walk/jail/secret, /tmp/walk/shut], id: secret}\n"
	"    - {path: [/tmp/walk/a/x, /tmp/walk/b/y], id: moving}\n"
	"    - {path: [\"**/*z\"], id: last}\n";

static void prepare(void)
{
	static const char *const dirs[] = { "", "/ok", "/secret", "/shut", "/jail", "/jail/secret", "/jail/proc", "/stack", "/src", "/part", "/private" };
	char path[64];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "/tmp/walk%s", dirs[i]);
		mkdir(path, 0755);
		strcat(path, "/f");
		put_file(path, "text", 0644);
	}
}

/* ---- lengths ---- */

/* A directory whose path has exactly so many bytes, in components of at most `most`. */
static int deep_dir(const char *base, size_t total, size_t most)
{
	size_t len = strlen(base), n;
	int fd = open(base, O_PATH), next;
	char name[256];

	while (len < total) {
		n = total - len - 1 < most ? total - len - 1 : most;
		if (total - len - 1 - n == 1)
			n--;	/* one byte is left for the slash and none for a name */
		memset(name, 'd', n);
		name[n] = 0;
		mkdirat(fd, name, 0755);
		next = openat(fd, name, O_PATH);
		CHECK(next >= 0);
		close(fd);
		fd = next;
		len += n + 1;
	}
	return fd;
}

struct lengths {
	int dir;
	unsigned base, from, to;	/* length of the directory's path; of the files' paths */
};

static void leaf(char *name, unsigned len, char last)
{
	memset(name, 'n', len);
	name[len - 1] = last;
	name[len] = 0;
}

static void make_leaves(const struct lengths *l)
{
	char name[256];
	unsigned n;

	for (n = l->from; n <= l->to; n++) {
		leaf(name, n - l->base - 1, 'y');
		close(openat(l->dir, name, O_CREAT | O_WRONLY, 0644));
		leaf(name, n - l->base - 1, 'z');
		close(openat(l->dir, name, O_CREAT | O_WRONLY, 0644));
	}
}

/* Of two names that differ in their last byte alone one opens and the other does not. The length at which this was not so, or 0. */
static int judge_leaves(void *arg)
{
	const struct lengths *l = arg;
	char name[256];
	unsigned n;
	int fd;

	for (n = l->from; n <= l->to; n++) {
		leaf(name, n - l->base - 1, 'y');
		fd = openat(l->dir, name, O_RDONLY);
		if (fd < 0)
			return n;
		close(fd);
		leaf(name, n - l->base - 1, 'z');
		if (openat(l->dir, name, O_RDONLY) >= 0 || errno != EACCES)
			return n;
	}
	return 0;
}

TEST(a_path_of_any_length_is_read_to_its_last_byte)
{
	struct lengths all[] = {
		{ open("/tmp", O_PATH), 4, 6, 60 },
		{ deep_dir("/tmp", 990, 9), 990, 992, 1024 },
		{ deep_dir("/tmp", 4060, 39), 4060, 4062, PATH_BYTES },
	};

	for (size_t i = 0; i < 3; i++) {
		const struct lengths *l = &all[i];
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		CASE("from %u", l->from);
		make_leaves(l);
		govern_forget();
		CHECK_EQ(ruled_run(r, judge_leaves, &all[i]), 0);
		CHECK_EQ(ruled_refused(r, "last"), l->to - l->from + 1);
		govern_drain();
		CHECK_EQ(govern_seen_count, l->to - l->from + 1);
		for (unsigned n = 0; n < govern_seen_count; n++) {
			CHECK_EQ(govern_seen[n].d.path_len, l->from + n);
			CHECK_EQ(govern_seen[n].path[l->from + n - 1], 'z');
		}
		ruled_free(r);
	}
}

struct at {
	int dir;
	const char *name;
};

static int open_at(void *arg)
{
	const struct at *a = arg;

	return rc(openat(a->dir, a->name, O_RDONLY));
}

/* Expect e of an open that is fine free. */
static void check_at(int dir, const char *name, const struct expect *e)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct at a = { dir, name };

	govern_forget();
	CHECK_REFUSED(r, open_at, &a, EACCES);
	check_record(r, e);
	ruled_free(r);
}

TEST(a_path_of_two_thousand_levels_is_judged)
{
	int dir = deep_dir("/tmp", 4092, 1);
	struct expect e = { "last", NULL, NULL, ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct at fine = { dir, "y" };

	close(openat(dir, "y", O_CREAT | O_WRONLY, 0644));
	close(openat(dir, "z", O_CREAT | O_WRONLY, 0644));
	CHECK_EQ(ruled_run(r, open_at, &fine), 0);
	ruled_free(r);
	check_at(dir, "z", &e);
	CHECK_EQ(govern_seen[0].d.path_len, 4094);
	CHECK(!memcmp(govern_seen[0].path + 4070, "/d/d/d/d/d/d/d/d/d/d/d/z", 24));
}

TEST(a_path_too_long_to_be_named_is_refused)
{
	const struct expect e = { "files.unknown", "", "", ACT_OPEN, VERB_READ, REASON_TOO_LONG, EACCES };
	int dir = deep_dir("/tmp", PATH_BYTES - 1, 39), deeper = deep_dir("/tmp", 2 * PATH_BYTES, 1);

	close(openat(dir, "y", O_CREAT | O_WRONLY, 0644));
	close(openat(deeper, "y", O_CREAT | O_WRONLY, 0644));
	check_at(dir, "y", &e);		/* by one byte */
	check_at(deeper, "y", &e);	/* by as much again */
}

/* ---- helpers with a view of their own ---- */

/* In a process of its own: set up, then judge from there. The result of fn, or 1 if the set-up failed. */
static int run_apart(int (*setup)(void *arg), struct ruled *r, govern_fn fn, void *arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(setup(arg) ? 1 : -ruled_run(r, fn, arg));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static void check_apart(int (*setup)(void *arg), govern_fn fn, void *arg, const struct expect *e)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	govern_forget();
	CHECK_EQ(run_apart(setup, NULL, fn, arg), 0);
	CHECK_EQ(run_apart(setup, r, fn, arg), -e->err);
	check_record(r, e);
	ruled_free(r);
}

/* The old namespace stays, with its mounts, for as long as this process. */
static int own_mounts(void *unused)
{
	(void)unused;
	if (open("/proc/self/ns/mnt", O_RDONLY) < 0)
		return -errno;
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ? -errno : 0;
}

static int open_f(void *unused)
{
	(void)unused;
	return rc(open("f", O_RDONLY));
}

static int open_path(void *path)
{
	return rc(open(path, O_RDONLY));
}

static int setup_chroot(void *unused)
{
	int err = own_mounts(unused);

	return err ? err : mount("proc", "/tmp/walk/jail/proc", "proc", 0, NULL) || chroot("/tmp/walk/jail") || chdir("/");
}

TEST(who_was_in_another_root_before_sees_true_paths)
{
	const struct expect e = { "secret", "/tmp/walk/jail/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(run_apart(setup_chroot, r, open_path, "/f"), 0);
	ruled_free(r);
	check_apart(setup_chroot, open_path, "/secret/f", &e);
	check_apart(setup_chroot, open_path, "/proc/../../../secret/f", &e);
}

/* ---- mounts ---- */

TEST(a_bind_mount_of_the_operator_is_judged_by_the_path_used)
{
	static const struct expect shut = { "secret", "/tmp/walk/shut/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(mount("/tmp/walk/secret", "/tmp/walk/part", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount("/tmp/walk/ok", "/tmp/walk/shut", NULL, MS_BIND, NULL), 0);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_path, "/tmp/walk/part/f"), 0);
	check_silent(r);
	CHECK_REFUSED(r, open_path, "/tmp/walk/shut/f", EACCES);
	check_record(r, &shut);
	CHECK_REFUSED(r, open_path, "/tmp/walk/secret/f", EACCES);
	CHECK_EQ(ruled_refused(r, "secret"), 2);
	ruled_free(r);
	CHECK_EQ(umount("/tmp/walk/part"), 0);
	CHECK_EQ(umount("/tmp/walk/shut"), 0);
}

static int bind_itself(void *unused)
{
	(void)unused;
	if (mount("/tmp/walk/secret", "/tmp/walk/part", NULL, MS_BIND, NULL))
		return -errno;
	return rc(umount("/tmp/walk/part"));
}

static int bind_apart(void *unused)
{
	return unshare(CLONE_NEWNS) ? -errno : bind_itself(unused);
}

static int chroot_itself(void *unused)
{
	(void)unused;
	return rc(chroot("/tmp/walk/jail"));
}

TEST(no_sandbox_gives_an_object_a_second_path)
{
	static const struct { govern_fn fn; const char *rule; enum operation op; } ways[] = {
		{ bind_itself, "guard.mount", ACT_MOUNT }, { bind_apart, "guard.capability", ACT_CAPABLE }, { chroot_itself, "guard.mount", ACT_CHROOT },
	};

	prepare();
	for (size_t i = 0; i < 3; i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		CASE("%s", ways[i].rule);
		govern_forget();
		CHECK_REFUSED(r, ways[i].fn, NULL, EPERM);
		CHECK_STR(ruled_last(r, ways[i].op), ways[i].rule);
		CHECK_EQ(ruled_refused(r, ways[i].rule), 1);
		ruled_free(r);
	}
}

static int setup_private(void *unused)
{
	int err = own_mounts(unused);

	if (err || mount("tmpfs", "/tmp/walk/private", "tmpfs", 0, NULL) || chdir("/tmp/walk/private"))
		return -1;
	put_file("f", "text", 0644);
	return 0;
}

static int setup_unmounted(void *unused)
{
	return setup_private(unused) || umount2("/tmp/walk/private", MNT_DETACH);
}

static int setup_clone(void *unused)
{
	int fd = own_mounts(unused) ? -1 : syscall(SYS_open_tree, AT_FDCWD, "/tmp/walk/ok", 1 /* OPEN_TREE_CLONE */);

	return fd < 0 ? -1 : fchdir(fd);
}

/* The directory was entered before the namespace changed: it is in a mount of the old one. */
static int setup_left(void *unused)
{
	int dir = open("/tmp/walk/ok", O_PATH);

	return own_mounts(unused) || fchdir(dir);
}

TEST(a_place_in_no_tree_of_ours_is_refused_as_detached)
{
	static int (*const setups[])(void *) = { setup_unmounted, setup_clone, setup_left };
	const struct expect e = DETACHED;
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(run_apart(setup_private, r, open_f, NULL), 0);
	ruled_free(r);
	for (size_t i = 0; i < 3; i++) {
		CASE("%zu", i);
		check_apart(setups[i], open_f, NULL, &e);
	}
}

/* ---- many mounts ---- */

#define STACKED (WALK_STEPS + 1)

static int stack(void *unused)
{
	int err = own_mounts(unused);

	for (int i = 0; !err && i < STACKED; i++)
		err = rc(mount("/tmp/walk/src", "/tmp/walk/stack", NULL, MS_BIND, NULL));
	return err;
}

static int set_times(void *path)
{
	return rc(utimensat(AT_FDCWD, path, NULL, 0));
}

/* As many again, and as many again, all before ours in the list of the file system's mounts. */
static int stack_and_copy(void *unused)
{
	return stack(unused) || own_mounts(unused);
}

static int stack_and_copy_twice(void *unused)
{
	return stack_and_copy(unused) || own_mounts(unused);
}

TEST(more_mounts_than_a_walk_has_steps_are_too_deep)
{
	const struct expect e = { "files.unknown", "", "", ACT_OPEN, VERB_READ, REASON_TOO_DEEP, EACCES };

	prepare();
	check_apart(stack, open_path, "/tmp/walk/stack/f", &e);
}

TEST(a_mount_is_found_behind_many_and_not_behind_too_many)
{
	const struct expect far = { "secret", "/tmp/walk/secret/f", "", ACT_SETATTR, VERB_CHANGE, REASON_NONE, EACCES };
	const struct expect too_far = { "files.unknown", "", "", ACT_SETATTR, VERB_CHANGE, REASON_DETACHED, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(run_apart(stack_and_copy, r, set_times, "/tmp/walk/ok/f"), 0);
	ruled_free(r);
	check_apart(stack_and_copy, set_times, "/tmp/walk/secret/f", &far);
	check_apart(stack_and_copy_twice, set_times, "/tmp/walk/ok/f", &too_far);
}

/* A file system of which this namespace sees a part alone. */
static int setup_part(void *unused)
{
	if (setup_private(unused) || mkdir("sub", 0755) || chdir("/"))
		return -1;
	put_file("/tmp/walk/private/sub/f", "text", 0644);
	return mount("/tmp/walk/private/sub", "/tmp/walk/part", NULL, MS_BIND, NULL) ||
	       mount("/tmp/walk/private/sub", "/tmp/walk/secret", NULL, MS_BIND, NULL) || umount("/tmp/walk/private");
}

static int setup_part_denied(void *unused)
{
	return setup_part(unused) || umount("/tmp/walk/part");
}

static int held;

static int setup_none(void *unused)
{
	if (setup_private(unused))
		return -1;
	held = open("f", O_RDONLY);
	return chdir("/") || umount2("/tmp/walk/private", MNT_DETACH);
}

static int set_times_held(void *unused)
{
	(void)unused;
	return rc(futimens(held, NULL));
}

TEST(times_are_judged_by_a_mount_of_this_namespace_or_refused)
{
	const struct expect denied = { "secret", "/tmp/walk/secret/f", "", ACT_SETATTR, VERB_CHANGE, REASON_NONE, EACCES };
	const struct expect none = { "files.unknown", "", "", ACT_SETATTR, VERB_CHANGE, REASON_DETACHED, EACCES };

	prepare();
	check_apart(setup_part_denied, set_times, "/tmp/walk/secret/f", &denied);
	check_apart(setup_none, set_times_held, NULL, &none);
}

/* ---- names that change meanwhile ---- */

struct storm {
	int dir, other;		/* O_PATH: of the directory that moves, of one that does not */
	int rounds;
	int *seen;		/* shared: [0] opened what was denied, [1] refused, [2] fine opened, [3] fine refused */
};

static int open_in_storm(void *arg)
{
	const struct storm *s = arg;
	int i, fd;

	for (i = 0; i < s->rounds; i++) {
		fd = openat(s->dir, "f", O_RDONLY);
		s->seen[fd < 0]++;
		close(fd);
		fd = openat(s->other, "f", O_RDONLY);
		s->seen[2 + (fd < 0)]++;
		close(fd);
	}
	return 0;
}

/* Each move changes two components at once; a path made of one old and one new would be allowed. */
static void rage(void)
{
	for (;;) {
		(void)!rename("/tmp/walk/a/x", "/tmp/walk/b/y");
		(void)!rename("/tmp/walk/b/y", "/tmp/walk/a/x");
	}
}

TEST(no_mixture_of_old_and_new_names_is_ever_judged)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct storm s = { .rounds = 4000 };
	uint64_t raced;
	pid_t pid;

	prepare();
	CHECK_EQ(system("mkdir -p /tmp/walk/a/x /tmp/walk/b && echo text >/tmp/walk/a/x/f"), 0);
	s.seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s.dir = open("/tmp/walk/a/x", O_PATH);
	s.other = open("/tmp/walk/ok", O_PATH);
	CHECK_EQ(free_run(open_in_storm, &s), 0);
	CHECK_EQ(s.seen[0], s.rounds);
	memset(s.seen, 0, 4096);
	fflush(stdout);
	pid = fork();
	if (!pid)
		rage();
	CHECK_EQ(ruled_run(r, open_in_storm, &s), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	raced = kernel_lost(govern_kernel, KC_RACED);
	printf("# of %d opens: %d fine ones got through, %llu walks gave up\n", s.rounds, s.seen[2], (unsigned long long)raced);
	CHECK_EQ(s.seen[0], 0);
	CHECK_EQ(s.seen[1], s.rounds);
	CHECK(s.seen[2] > 0);
	CHECK_EQ(s.seen[3] + s.seen[1] - ruled_refused(r, "moving"), ruled_refused(r, "files.unknown"));
	CHECK(ruled_refused(r, "moving") > 0);
	ruled_free(r);
}

TEST_MAIN()
