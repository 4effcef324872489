/* SPDX-License-Identifier: Apache-2.0 */
/*
 * True paths, whatever root, mount or working directory a process has; and names that change while a path is judged.
 * vm: --cpus 2
 */
#include <sys/mman.h>
#include "tests/vm/apart.h"

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif

static const char policy[] =
	"version: 1\npolicy: roots\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/]\n"
	"  write: [/tmp/roots/ok, /tmp/roots/part]\n"
	"  execute: [/]\n"
	"  deny:\n"
	"    - {path: [/tmp/roots/secret, /tmp/roots/jail/secret, /tmp/roots/shut], id: secret}\n"
	"    - {path: [/tmp/roots/a/x, /tmp/roots/b/y], id: moving}\n";

static void prepare(void)
{
	static const char *const dirs[] = { "", "/ok", "/secret", "/shut", "/jail", "/jail/secret", "/jail/proc", "/part" };
	char path[64];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "/tmp/roots%s", dirs[i]);
		mkdir(path, 0755);
		strcat(path, "/f");
		put_file(path, "text", 0644);
	}
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

	return err ? err : mount("proc", "/tmp/roots/jail/proc", "proc", 0, NULL) || chroot("/tmp/roots/jail") || chdir("/");
}

TEST(who_was_in_another_root_before_sees_true_paths)
{
	const struct expect e = { "secret", "/tmp/roots/jail/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(run_apart(setup_chroot, r, open_path, "/f"), 0);
	ruled_free(r);
	check_apart(policy, setup_chroot, open_path, "/secret/f", &e);
	check_apart(policy, setup_chroot, open_path, "/proc/../../../secret/f", &e);
}

/* ---- mounts ---- */

TEST(a_bind_mount_of_the_operator_is_judged_by_the_path_used)
{
	static const struct expect shut = { "secret", "/tmp/roots/shut/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(mount("/tmp/roots/secret", "/tmp/roots/part", NULL, MS_BIND, NULL), 0);
	CHECK_EQ(mount("/tmp/roots/ok", "/tmp/roots/shut", NULL, MS_BIND, NULL), 0);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_path, "/tmp/roots/part/f"), 0);
	check_silent(r);
	CHECK_REFUSED(r, open_path, "/tmp/roots/shut/f", EACCES);
	check_record(r, &shut);
	CHECK_REFUSED(r, open_path, "/tmp/roots/secret/f", EACCES);
	CHECK_EQ(ruled_refused(r, "secret"), 2);
	ruled_free(r);
	CHECK_EQ(umount("/tmp/roots/part"), 0);
	CHECK_EQ(umount("/tmp/roots/shut"), 0);
}

static int bind_itself(void *unused)
{
	(void)unused;
	if (mount("/tmp/roots/secret", "/tmp/roots/part", NULL, MS_BIND, NULL))
		return -errno;
	return rc(umount("/tmp/roots/part"));
}

static int bind_apart(void *unused)
{
	return unshare(CLONE_NEWNS) ? -errno : bind_itself(unused);
}

static int chroot_itself(void *unused)
{
	(void)unused;
	return rc(chroot("/tmp/roots/jail"));
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

static int setup_unmounted(void *unused)
{
	return setup_private(unused) || umount2("/tmp/private", MNT_DETACH);
}

static int setup_clone(void *unused)
{
	int fd = own_mounts(unused) ? -1 : syscall(SYS_open_tree, AT_FDCWD, "/tmp/roots/ok", 1 /* OPEN_TREE_CLONE */);

	return fd < 0 ? -1 : fchdir(fd);
}

/* The directory was entered before the namespace changed: it is in a mount of the old one. */
static int setup_left(void *unused)
{
	int dir = open("/tmp/roots/ok", O_PATH);

	return own_mounts(unused) || fchdir(dir);
}

TEST(a_place_in_no_tree_of_ours_is_refused_as_detached)
{
	static int (*const setups[])(void *) = { setup_unmounted, setup_clone, setup_left };
	const struct expect e = { "files.unknown", "", "", ACT_OPEN, VERB_READ, REASON_DETACHED, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(run_apart(setup_private, r, open_f, NULL), 0);
	ruled_free(r);
	for (size_t i = 0; i < 3; i++) {
		CASE("%zu", i);
		check_apart(policy, setups[i], open_f, NULL, &e);
	}
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
		(void)!rename("/tmp/roots/a/x", "/tmp/roots/b/y");
		(void)!rename("/tmp/roots/b/y", "/tmp/roots/a/x");
	}
}

TEST(no_mixture_of_old_and_new_names_is_ever_judged)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	struct storm s = { .rounds = 4000 };
	uint64_t raced;
	pid_t pid;

	prepare();
	CHECK_EQ(system("mkdir -p /tmp/roots/a/x /tmp/roots/b && echo text >/tmp/roots/a/x/f"), 0);
	s.seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	s.dir = open("/tmp/roots/a/x", O_PATH);
	s.other = open("/tmp/roots/ok", O_PATH);
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
