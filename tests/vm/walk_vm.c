/* SPDX-License-Identifier: Apache-2.0 */
/* The walk's loops, each by every one of its exits: paths of all lengths, too long, too deep; mounts found, not found, too many. vm: --cpus 1 */
#include "tests/vm/apart.h"

static const char policy[] =
	"version: 1\npolicy: walk\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/]\n"
	"  write: [/tmp/walk/ok, /tmp/walk/part]\n"
	"  execute: [/]\n"
	"  deny:\n"
	"    - {path: [/tmp/walk/secret], id: secret}\n"
	"    - {path: [\"**/*z\"], id: last}\n";

static void prepare(void)
{
	static const char *const dirs[] = { "", "/ok", "/secret", "/stack", "/src", "/part" };
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

static int open_path(void *path)
{
	return rc(open(path, O_RDONLY));
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
	check_apart(policy, stack, open_path, "/tmp/walk/stack/f", &e);
}

TEST(a_mount_is_found_behind_many_and_not_behind_too_many)
{
	const struct expect far = { "secret", "/tmp/walk/secret/f", "", ACT_SETATTR, VERB_CHANGE, REASON_NONE, EACCES };
	const struct expect too_far = { "files.unknown", "", "", ACT_SETATTR, VERB_CHANGE, REASON_DETACHED, EACCES };
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(run_apart(stack_and_copy, r, set_times, "/tmp/walk/ok/f"), 0);
	ruled_free(r);
	check_apart(policy, stack_and_copy, set_times, "/tmp/walk/secret/f", &far);
	check_apart(policy, stack_and_copy_twice, set_times, "/tmp/walk/ok/f", &too_far);
}

/* A file system of which this namespace sees a part alone. */
static int setup_part(void *unused)
{
	if (setup_private(unused) || mkdir("sub", 0755) || chdir("/"))
		return -1;
	put_file("/tmp/private/sub/f", "text", 0644);
	return mount("/tmp/private/sub", "/tmp/walk/part", NULL, MS_BIND, NULL) ||
	       mount("/tmp/private/sub", "/tmp/walk/secret", NULL, MS_BIND, NULL) || umount("/tmp/private");
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
	return chdir("/") || umount2("/tmp/private", MNT_DETACH);
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
	check_apart(policy, setup_part_denied, set_times, "/tmp/walk/secret/f", &denied);
	check_apart(policy, setup_none, set_times_held, NULL, &none);
}

TEST_MAIN()
