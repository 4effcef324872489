/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On overlayfs the same calls need the same verbs, though the kernel then copies up, opens and renames below on the sandbox's behalf: each
 * act on files that are still in the lower layer, judged once by the path that the sandbox sees. vm: --cpus 1 --modules overlay
 */
#include <sys/mount.h>
#include "tests/vm/acts.h"

#define BASE "/tmp/overlay/merged"

/* Every act starts from a lower layer with all files and an empty upper one. */
static void prepare(const char *dir)
{
	char lower[64];

	umount2(BASE, MNT_DETACH);
	CHECK_EQ(system("cd /tmp && mkdir -p overlay && cd overlay && rm -rf upper work && mkdir -p lower upper work merged"), 0);
	snprintf(lower, sizeof(lower), "/tmp/overlay/lower%s", dir + strlen(BASE));
	fill(lower);
	CHECK_EQ(mount("overlay", BASE, "overlay", 0, "lowerdir=/tmp/overlay/lower,upperdir=/tmp/overlay/upper,workdir=/tmp/overlay/work,redirect_dir=on"),
		 0);
}

static const struct place overlay = { BASE, prepare };

#define A(id, verbs, op, leaf, call) \
	TEST(id##_on_overlayfs) \
	{ \
		static const struct act act = { #id, act_##id, verbs, ACT_##op, leaf }; \
		check_act(&overlay, &act); \
	}
ACTS(A)
#undef A

/* ---- names that are not in memory yet ---- */

static const char policy[] =
	"version: 1\npolicy: cold\n" OPEN_REST NO_NETWORK
	"files:\n"
	"  read: [/]\n"
	"  change: [" BASE "/exact/g]\n"
	"  execute: [/]\n";

static int open_create(void *path)
{
	return rc(open(path, O_CREAT | O_WRONLY, 0600));
}

/* So that the open has to ask for the creation before the file system knows whether the name is there. */
static void forget_names(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	CHECK_EQ(write(fd, "3\n", 2), 2);
	close(fd);
}

struct cold {
	const char *path;
	enum operation op;	/* refused as what it is, once that is known */
	enum verb verb;
	bool refused;
};

static void check_cold(const struct cold *c, enum stage stage)
{
	struct ruled *r = ruled_new(policy, stage);
	const struct expect e = { "files.default", strstr(c->path, "dangling") ? BASE "/exact/new" : c->path, "", c->op, c->verb, REASON_NONE, EACCES };

	CASE("%s stage %d", c->path, stage);
	prepare(BASE "/exact");
	CHECK_EQ(free_run(open_create, (void *)c->path), 0);
	prepare(BASE "/exact");
	forget_names();
	govern_forget();
	CHECK_EQ(ruled_run(r, open_create, (void *)c->path), c->refused && stage == STAGE_ENFORCE ? -EACCES : 0);
	govern_drain();
	CHECK_EQ(govern_seen_count, c->refused);
	if (c->refused && stage == STAGE_ENFORCE)
		check_record(r, &e);
	CHECK_EQ(ruled_would(r, "files.default"), c->refused && stage == STAGE_OBSERVE);
	ruled_free(r);
}

TEST(an_open_that_might_have_created_leaves_the_record_of_what_it_did)
{
	static const struct cold files[] = {
		{ BASE "/exact/f", ACT_OPEN, VERB_CHANGE, true }, { BASE "/exact/new", ACT_CREATE, VERB_CREATE, true },
		{ BASE "/exact/dangling", ACT_CREATE, VERB_CREATE, true }, { BASE "/exact/g", ACT_OPEN, VERB_CHANGE, false },
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		check_cold(&files[i], STAGE_ENFORCE);
		check_cold(&files[i], STAGE_OBSERVE);
	}
}

TEST_MAIN()
