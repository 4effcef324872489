/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is judged by what it is, however it is spelled, and a new name never grants what the old one lacked: spellings, links, renames,
 * names of any bytes, files that lost their name. vm: --cpus 1
 */
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include "tests/vm/expect.h"

static const char policy[] =
	"version: 1\npolicy: names\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/]\n"
	"  write: [/tmp/names/ws]\n"
	"  execute: [/]\n"
	"  deny:\n"
	"    - {path: [/tmp/names/secret], id: secret}\n"
	"    - {path: [\"**/.env\"], id: env}\n"
	"    - {path: [/tmp/names/ws/p/hidden], id: hidden}\n"
	"    - {path: [/tmp/names/ws/noread], verbs: [read], id: no-read}\n"
	"    - {path: [/tmp/names/ws/noexec], verbs: [execute], id: no-exec}\n"
	"    - {path: [/tmp/names/ws/keep], verbs: [remove], id: keep}\n"
	"    - {path: [/tmp/names/ws/ro], verbs: [write], id: read-only}\n";

static void make(const char *path, const char *kind)
{
	char full[512];

	snprintf(full, sizeof(full), "/tmp/names/%s", path);
	if (kind[0] == 'd')
		mkdir(full, 0777);
	else if (kind[0] == 'f')
		put_file(full, kind, 0644);
	else
		(void)!symlink(kind + 1, full);
}

/* The same tree for every act, whatever the one before it did. */
static void prepare(void)
{
	static const struct { const char *path, *kind; } tree[] = {
		{ "secret", "d" }, { "secret/f", "f" }, { "ws", "d" }, { "ws/a", "f" }, { "ws/b", "f" }, { "ws/d", "d" }, { "ws/d/f", "f" },
		{ "ws/e", "d" }, { "ws/p", "d" }, { "ws/p/hidden", "f" }, { "ws/noread", "d" }, { "ws/noread/f", "f" }, { "ws/noread/d", "d" },
		{ "ws/noexec", "d" }, { "ws/noexec/f", "f" }, { "ws/keep", "d" }, { "ws/keep/f", "f" }, { "ws/ro", "d" }, { "ws/ro/f", "f" },
		{ "ws/.env", "f" }, { "ws/env", "d" }, { "ws/env/.env", "f" }, { "abs", "l/tmp/names/secret/f" }, { "rel", "lsecret/f" },
		{ "one", "labs" }, { "two", "lws/../one" }, { "dir", "lsecret" }, { "ws/up", "l.." }, { "self", "l/proc/self/root" },
	};
	size_t i;

	CHECK_EQ(system("rm -rf /tmp/names"), 0);
	mkdir("/tmp/names", 0777);
	for (i = 0; i < sizeof(tree) / sizeof(tree[0]); i++)
		make(tree[i].path, tree[i].kind);
}

/* ---- spellings of one file ---- */

struct spelling {
	const char *cwd, *path;	/* %d: an O_PATH descriptor of the directory */
};

static int open_spelled(void *arg)
{
	const struct spelling *s = arg;
	char path[256];

	if (chdir(s->cwd))
		return -errno;
	snprintf(path, sizeof(path), s->path, open("/tmp/names/secret", O_PATH));
	return rc(open(path, O_RDONLY));
}

TEST(every_spelling_of_a_denied_file_is_refused_and_recorded_as_one)
{
	static struct spelling spellings[] = {
		{ "/", "/tmp/names/secret/f" }, { "/", "//tmp//names/./secret///f" }, { "/", "/tmp/names/ws/../secret/f" },
		{ "/", "/tmp/names/ws/d/../../../names/secret/f" }, { "/", "tmp/names/secret/f" }, { "/tmp/names", "secret/f" },
		{ "/tmp/names/secret", "f" }, { "/tmp/names/ws/d", "../../secret/f" }, { "/", "/tmp/names/abs" }, { "/", "/tmp/names/rel" },
		{ "/", "/tmp/names/one" }, { "/", "/tmp/names/two" }, { "/", "/tmp/names/dir/f" }, { "/", "/tmp/names/ws/up/secret/f" },
		{ "/", "/tmp/names/ws/up/dir/../secret/f" }, { "/", "/tmp/names/self/tmp/names/secret/f" },
		{ "/", "/proc/self/root/tmp/names/secret/f" }, { "/", "/proc/thread-self/root/tmp/names/secret/f" },
		{ "/tmp/names", "/proc/self/cwd/secret/f" }, { "/tmp/names/secret", "/proc/self/cwd/f" }, { "/", "/proc/self/fd/%d/f" },
		{ "/", "/dev/fd/%d/f" }, { "/", "/proc/self/fd/%d/../secret/f" }, { "/", "/../../tmp/names/secret/f" },
	};
	const struct expect e = { "secret", "/tmp/names/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	size_t i;

	prepare();
	for (i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);

		CASE("%s from %s", spellings[i].path, spellings[i].cwd);
		govern_forget();
		CHECK_REFUSED(r, open_spelled, &spellings[i], EACCES);
		check_record(r, &e);
		ruled_free(r);
	}
}

static int open_it(void *path)
{
	return rc(open(path, O_RDONLY));
}

TEST(a_name_of_any_bytes_is_recorded_byte_for_byte)
{
	static const char *const names[] = {
		"new\nline", "quo\"te'", "back\\slash", "\xff\xfe\x80", "\x1b]0;title\x07\x1b[31m", "tab\there", "\xed\xa0\x80", " ", "-rf", "*?[a]", "\x7f\x01",
		"\xe2\x80\xae" "cod.exe", "%s%n",
	};
	char path[320], longest[256];
	size_t i;

	prepare();
	memset(longest, 'x', 255);
	longest[255] = 0;
	for (i = 0; i <= sizeof(names) / sizeof(names[0]); i++) {
		struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
		struct expect e = { "secret", path, "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };

		snprintf(path, sizeof(path), "/tmp/names/secret/%s", i < sizeof(names) / sizeof(names[0]) ? names[i] : longest);
		put_file(path, "f", 0644);
		CASE("%s", path);
		govern_forget();
		CHECK_REFUSED(r, open_it, path, EACCES);
		check_record(r, &e);
		ruled_free(r);
	}
}

/* ---- new names ---- */

struct change {
	char what;		/* m rename, x exchange, l link, t O_TMPFILE in `from` named `to` */
	const char *from, *to;
	int err;		/* 0: fine */
	const char *rule;
	enum verb verb;
};

static int temporary(const char *dir, const char *name)
{
	char link[64];
	int fd = open(dir, O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static int run_change(void *arg)
{
	const struct change *c = arg;

	if (chdir("/tmp/names"))
		return -errno;
	switch (c->what) {
	case 'm':
		return rc(rename(c->from, c->to));
	case 'x':
		return rc(syscall(SYS_renameat2, AT_FDCWD, c->from, AT_FDCWD, c->to, RENAME_EXCHANGE));
	case 'l':
		return rc(link(c->from, c->to));
	default:
		return rc(temporary(c->from, c->to));
	}
}

static void check_change(struct change *c)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	char from[128], to[128];
	struct expect e = { c->rule, from, to, c->what == 'm' || c->what == 'x' ? ACT_RENAME : ACT_LINK, c->verb, REASON_NONE, c->err };

	CASE("%c %s %s", c->what, c->from, c->to);
	snprintf(from, sizeof(from), "/tmp/names/%s", c->from);
	snprintf(to, sizeof(to), "/tmp/names/%s", c->to);
	if (c->what == 't')
		e.path = NULL;	/* the directory and a number */
	prepare();
	CHECK_EQ(free_run(run_change, c), 0);
	prepare();
	govern_forget();
	CHECK_EQ(ruled_run(r, run_change, c), -c->err);
	if (c->err)
		check_record(r, &e);
	else
		check_silent(r);
	ruled_free(r);
}

TEST(a_new_name_grants_nothing_that_the_old_one_lacked)
{
	static struct change changes[] = {
		{ 'm', "ws/a", "ws/c", 0, NULL, 0 },
		{ 'm', "ws/a", "ws/b", 0, NULL, 0 },
		{ 'm', "ws/a", "ws/noread/c", 0, NULL, 0 },
		{ 'm', "ws/noread/f", "ws/c", EXDEV, "files.name", VERB_CREATE },
		{ 'm', "ws/noread/f", "ws/noread/g", 0, NULL, 0 },
		{ 'm', "ws/noread/f", "ws/noexec/g", EXDEV, "files.name", VERB_CREATE },
		{ 'm', "ws/a", "secret/c", EACCES, "secret", VERB_CREATE },
		{ 'm', "secret/f", "ws/c", EACCES, "secret", VERB_REMOVE },
		{ 'm', "ws/a", "ws/.env", EACCES, "env", VERB_CREATE },
		{ 'm', "ws/.env", "ws/c", EACCES, "env", VERB_REMOVE },
		{ 'm', "ws/p/hidden", "ws/c", EACCES, "hidden", VERB_REMOVE },
		{ 'm', "ws/a", "ws/keep/new", 0, NULL, 0 },
		{ 'm', "ws/a", "ws/keep/f", EACCES, "keep", VERB_REMOVE },
		{ 'm', "ws/keep/f", "ws/c", EACCES, "keep", VERB_REMOVE },
		{ 'm', "ws/a", "ws/ro/c", EACCES, "read-only", VERB_CREATE },
		{ 'm', "ws/a", "outside", EACCES, "files.default", VERB_CREATE },
		/* directories: what lies below keeps its rights, or nothing moves */
		{ 'm', "ws/d", "ws/c", 0, NULL, 0 },
		{ 'm', "ws/d", "ws/p/d", 0, NULL, 0 },
		{ 'm', "ws/env", "ws/c", 0, NULL, 0 },
		{ 'm', "ws/p", "ws/q", EXDEV, "files.name", VERB_CREATE },
		{ 'm', "ws/noread/d", "ws/c", EXDEV, "files.name", VERB_CREATE },
		{ 'm', "ws/d", "ws/noread/c", EXDEV, "files.name", VERB_CREATE },
		{ 'm', "ws/noread", "ws/c", EXDEV, "files.name", VERB_CREATE },
		{ 'm', "ws/e", "ws/p/hidden2", 0, NULL, 0 },
		{ 'm', "ws/d", "ws/.env2", 0, NULL, 0 },
		{ 'm', "ws/d", "ws/ro/d", EACCES, "read-only", VERB_CREATE },
		{ 'm', "ws", "sw", EACCES, "files.default", VERB_CREATE },
		/* both ways at once */
		{ 'x', "ws/a", "ws/b", 0, NULL, 0 },
		{ 'x', "ws/a", "ws/d", 0, NULL, 0 },
		{ 'x', "ws/a", "ws/noread/f", EXDEV, "files.name", VERB_CREATE },
		{ 'x', "ws/noread/f", "ws/a", EXDEV, "files.name", VERB_CREATE },
		{ 'x', "ws/d", "ws/noread/d", EXDEV, "files.name", VERB_CREATE },
		{ 'x', "ws/noread/d", "ws/d", EXDEV, "files.name", VERB_CREATE },
		{ 'x', "ws/a", "ws/noread/d", EXDEV, "files.name", VERB_CREATE },
		{ 'x', "ws/p", "ws/d", EXDEV, "files.name", VERB_CREATE },
		{ 'x', "ws/a", "secret/f", EACCES, "secret", VERB_CREATE },
		{ 'x', "ws/a", "ws/keep/f", EACCES, "keep", VERB_REMOVE },
		{ 'x', "ws/keep/f", "ws/a", EACCES, "keep", VERB_REMOVE },
		/* second names */
		{ 'l', "ws/a", "ws/c", 0, NULL, 0 },
		{ 'l', "ws/a", "ws/noexec/c", 0, NULL, 0 },
		{ 'l', "ws/noexec/f", "ws/c", EXDEV, "files.name", VERB_CREATE },
		{ 'l', "ws/noread/f", "ws/c", EACCES, "no-read", VERB_READ },
		{ 'l', "ws/ro/f", "ws/c", EACCES, "read-only", VERB_CHANGE },
		{ 'l', "secret/f", "ws/c", EACCES, "secret", VERB_READ },
		{ 'l', "ws/a", "ws/.env3", 0, NULL, 0 },
		{ 'l', "ws/a", "secret/c", EACCES, "secret", VERB_CREATE },
		/* files that had no name */
		{ 't', "ws", "ws/c", 0, NULL, 0 },
		{ 't', "ws", "secret/c", EACCES, "secret", VERB_CREATE },
		{ 't', "ws", "ws/noread/c", 0, NULL, 0 },
		{ 't', "ws/noexec", "ws/c", EXDEV, "files.name", VERB_CREATE },
		{ 't', "ws/noread", "ws/c", EACCES, "no-read", VERB_READ },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		check_change(&changes[i]);
}

static int rename_then_read(void *path)
{
	int err = rc(rename("/tmp/names/ws/env", "/tmp/names/ws/c"));

	return err ? err : open_it(path);
}

TEST(what_a_moved_directory_holds_is_still_judged)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "env", "/tmp/names/ws/c/.env", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };

	prepare();
	CHECK_EQ(free_run(rename_then_read, "/tmp/names/ws/c/.env"), 0);
	prepare();
	govern_forget();
	CHECK_EQ(ruled_run(r, rename_then_read, "/tmp/names/ws/c/.env"), -EACCES);
	check_record(r, &e);
	ruled_free(r);
}

static int rename_parent(void *unused)
{
	(void)unused;
	return rc(rename("/tmp/names/ws", "/tmp/names/sw"));
}

TEST(a_parent_that_holds_a_denied_name_further_down_keeps_its_name)
{
	static const char wide[] =
		"version: 1\npolicy: wide\n" OPEN_REST NO_NETWORK
		"files:\n  read: [/]\n  write: [/tmp]\n  execute: [/]\n"
		"  deny: [{path: [/tmp/names/ws/p/hidden], id: hidden}]\n";
	struct ruled *r = ruled_new(wide, STAGE_ENFORCE);
	const struct expect e = { "files.name", "/tmp/names/ws", "/tmp/names/sw", ACT_RENAME, VERB_CREATE, REASON_NONE, EXDEV };

	prepare();
	CHECK_EQ(free_run(rename_parent, NULL), 0);
	prepare();
	govern_forget();
	CHECK_EQ(ruled_run(r, rename_parent, NULL), -EXDEV);
	check_record(r, &e);
	ruled_free(r);
}

static int rename_beside(void *unused)
{
	(void)unused;
	return rc(rename("/tmp/names/ws/p", "/tmp/names/ws/q"));
}

/* The workspace is in no automaton (abi.h): what lies above it knows of it all the same. */
TEST(a_parent_of_a_workspace_keeps_its_name_and_what_lies_beside_it_does_not)
{
	static const char wide[] =
		"version: 1\npolicy: wide\nparams: {workspace: path}\n" OPEN_REST NO_NETWORK
		"files:\n  read: [/]\n  write: [/tmp]\n  execute: [/]\n  deny: [{path: [$workspace/hidden], id: hidden}]\n";
	const struct policy_param inside = { "workspace", "/tmp/names/ws/p" }, beside = { "workspace", "/tmp/names/ws2" };
	struct ruled *in = ruled_new_given(wide, &inside, 1, STAGE_ENFORCE), *out = ruled_new_given(wide, &beside, 1, STAGE_ENFORCE);

	prepare();
	CHECK_EQ(ruled_run(in, rename_parent, NULL), -EXDEV);
	CHECK_EQ(ruled_run(in, rename_beside, NULL), -EXDEV);
	CHECK_EQ(ruled_run(out, rename_beside, NULL), 0);
	CHECK_EQ(ruled_run(out, rename_parent, NULL), 0);
	govern_forget();
	ruled_free(in);
	ruled_free(out);
}

TEST(a_hard_link_of_the_operator_is_judged_by_the_name_used)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "secret", "/tmp/names/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };

	prepare();
	CHECK_EQ(link("/tmp/names/secret/f", "/tmp/names/ws/second"), 0);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_it, "/tmp/names/ws/second"), 0);
	check_silent(r);
	CHECK_REFUSED(r, open_it, "/tmp/names/secret/f", EACCES);
	check_record(r, &e);
	ruled_free(r);
}

/* What the call does when it reaches the file system: this one knows no snapshots. */
static int snapshot(void *unused)
{
	struct btrfs_ioctl_vol_args_v2 args = { .fd = open("/tmp/names/ws", O_RDONLY), .name = "copy" };

	(void)unused;
	return rc(ioctl(args.fd, BTRFS_IOC_SNAP_CREATE_V2, &args));
}

TEST(no_tree_is_copied_to_another_name_by_ioctl)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "files.name", "", "", ACT_IOCTL, VERB_CALL, REASON_NONE, EPERM };

	prepare();
	govern_forget();
	CHECK_EQ(free_run(snapshot, NULL), -ENOTTY);
	CHECK_EQ(ruled_run(r, snapshot, NULL), -EPERM);
	check_record(r, &e);
	ruled_free(r);
}

/* ---- files without a name ---- */

TEST(a_file_that_lost_its_name_is_judged_by_its_last_one)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	const struct expect e = { "secret", "/tmp/names/secret/f", "", ACT_OPEN, VERB_READ, REASON_NONE, EACCES };
	char gone[64], fine[64];

	prepare();
	snprintf(gone, sizeof(gone), "/proc/self/fd/%d", open("/tmp/names/secret/f", O_PATH));
	snprintf(fine, sizeof(fine), "/proc/self/fd/%d", open("/tmp/names/ws/a", O_PATH));
	CHECK_EQ(unlink("/tmp/names/secret/f"), 0);
	CHECK_EQ(unlink("/tmp/names/ws/a"), 0);
	govern_forget();
	CHECK_REFUSED(r, open_it, gone, EACCES);
	check_record(r, &e);
	CHECK_REFUSED(r, open_it, gone, EACCES);
	CHECK_EQ(ruled_refused(r, "secret"), 2);
	CHECK_EQ(ruled_run(r, open_it, fine), 0);
	ruled_free(r);
}

TEST_MAIN()
