/* SPDX-License-Identifier: Apache-2.0 */
/* The first line through the kernel: a governed child is refused what a free one may, counted and recorded; a bystander is not. vm: --cpus 1 */
#include "tests/vm/govern.h"

#define OPEN_REST "open: [devices, calls, privileges, limits, session, labels]\n"
static const char policy[] =
	"version: 1\npolicy: spine\n" OPEN_REST
	"files:\n"
	"  read: [/]\n"
	"  write: [/tmp/ws]\n"
	"  execute: [/]\n"
	"  deny:\n"
	"    - {path: [/tmp/secret, \"**/.env\"], id: no-secrets, why: credentials}\n"
	"network: {}\n"
	"sockets: {}\n"
	"record: [exec, open]\n";

static int open_read(void *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int open_create(void *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return unlink(path) ? -errno : 0;
}

static void prepare(void)
{
	mkdir("/tmp/ws", 0777);
	mkdir("/tmp/ws/deep", 0777);
	close(open("/tmp/secret", O_CREAT | O_WRONLY, 0644));
	close(open("/tmp/plain", O_CREAT | O_WRONLY, 0644));
	close(open("/tmp/ws/deep/.env", O_CREAT | O_WRONLY, 0644));
}

TEST(a_denied_file_is_refused_counted_and_recorded)
{
	struct ruled *r;

	prepare();
	r = ruled_new(policy, STAGE_ENFORCE);
	govern_forget();
	CHECK_REFUSED(r, open_read, "/tmp/secret", EACCES);
	CHECK_STR(ruled_last(r, ACT_OPEN), "no-secrets");
	CHECK_STR(govern_seen[0].path, "/tmp/secret");
	CHECK_EQ(ruled_refused(r, "no-secrets"), 1);
	CHECK_EQ(ruled_run(r, open_read, "/tmp/plain"), 0);
	CHECK_REFUSED(r, open_read, "/tmp/ws/deep/.env", EACCES);
	CHECK_EQ(ruled_refused(r, "no-secrets"), 2);
	ruled_free(r);
}

TEST(a_write_outside_the_workspace_is_refused_inside_it_works)
{
	struct ruled *r;

	prepare();
	r = ruled_new(policy, STAGE_ENFORCE);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_create, "/tmp/ws/new"), 0);
	CHECK_REFUSED(r, open_create, "/tmp/new", EACCES);
	CHECK_STR(ruled_last(r, ACT_CREATE), "files.default");
	ruled_free(r);
}

TEST(observe_records_what_would_be_refused_and_refuses_nothing)
{
	struct ruled *r;

	prepare();
	r = ruled_new(policy, STAGE_OBSERVE);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_read, "/tmp/secret"), 0);
	CHECK_EQ(ruled_would(r, "no-secrets"), 1);
	CHECK_EQ(ruled_refused(r, "no-secrets"), 0);
	ruled_free(r);
}

TEST_MAIN()
