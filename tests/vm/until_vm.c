/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `until`: an allow ends when the kernel's clock says so, with nobody there to end it, and whatever was done before to keep it. The guest's
 * clock is set from outside the sandbox. vm: --cpus 2
 */
#include <sys/mman.h>
#include <sys/un.h>
#include <time.h>
#include <bpf/bpf.h>
#include "tests/vm/lo.h"
#include "tests/vm/raw.h"

#define DIR "/tmp/until"
#define FIRST "2097-01-01T00:00:00Z"
#define FIRST_S 4007836800
#define SECOND "2098-01-01T00:00:00Z"
#define SECOND_S 4039372800
#define HEAD "version: 1\npolicy: until\nopen: [devices, privileges, limits, session, labels]\n"
#define REST "  execute: [/bin, /lib, /lib64, /usr]\nnetwork: {}\nsockets: {}\n"

static struct timespec today;

static void clock_set(int64_t to_s)
{
	struct timespec t = { .tv_sec = to_s };

	CHECK_OK(clock_settime(CLOCK_REALTIME, &t));
}

static void clock_reset(void)
{
	CHECK_OK(clock_settime(CLOCK_REALTIME, &today));
}

static void prepare(void)
{
	if (!today.tv_sec)
		clock_gettime(CLOCK_REALTIME, &today);
	mkdir(DIR, 0777);
	mkdir(DIR "/soon", 0777);
	mkdir(DIR "/soon/dir", 0777);
	mkdir(DIR "/ever", 0777);
	put_file(DIR "/soon/x", "x", 0644);
	put_file(DIR "/ever/y", "y", 0644);
}

static int open_it(void *path)
{
	return rc(open(path, O_RDONLY));
}

static int open_write(void *path)
{
	return rc(open(path, O_WRONLY));
}

static const char soon[] = HEAD "files:\n  read: [{path: /tmp/until/soon, id: soon, until: \"" FIRST "\"}, {path: /tmp/until/ever, id: ever}]\n" REST;

TEST(an_allow_ends_by_the_clock_alone_and_no_clock_brings_it_back)
{
	struct ruled *r;

	prepare();
	r = ruled_new(soon, STAGE_ENFORCE);
	clock_set(FIRST_S - 1000);
	CHECK_OK(ruled_run(r, open_it, DIR "/soon/x"));
	clock_set(FIRST_S);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_it, DIR "/soon/x"), -EACCES);
	CHECK_STR(ruled_last(r, ACT_OPEN), "files.default");
	CHECK_OK(ruled_run(r, open_it, DIR "/ever/y"));
	clock_reset();
	CHECK_EQ(ruled_run(r, open_it, DIR "/soon/x"), -EACCES);
	CHECK_EQ(ruled_refused(r, "files.default"), 2);
	CHECK_EQ(govern_seen[0].d.h.generation, 1);
	ruled_free(r);
}

TEST(a_deny_goes_on_for_time_alone_opens_nothing)
{
	struct ruled *r;

	prepare();
	r = ruled_new(HEAD "files:\n  read: [/]\n  deny: [{path: /tmp/until/soon, id: shut, until: \"" FIRST "\"}]\n" REST, STAGE_ENFORCE);
	clock_set(SECOND_S);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_it, DIR "/soon/x"), -EACCES);
	CHECK_STR(ruled_last(r, ACT_OPEN), "shut");
	clock_reset();
	ruled_free(r);
}

TEST(observe_tells_of_an_end_and_refuses_nothing)
{
	struct ruled *r;

	prepare();
	r = ruled_new(soon, STAGE_OBSERVE);
	clock_set(FIRST_S);
	CHECK_OK(ruled_run(r, open_it, DIR "/soon/x"));
	CHECK_EQ(ruled_would(r, "files.default"), 1);
	clock_reset();
	ruled_free(r);
}

TEST(ends_that_nobody_saw_come_together)
{
	struct ruled *r;

	prepare();
	r = ruled_new(HEAD "files:\n  read: [{path: /tmp/until/soon, id: a, until: \"" FIRST "\"}, {path: /tmp/until/ever, id: b, until: \"" SECOND "\"}]\n" REST,
		      STAGE_ENFORCE);
	CHECK_OK(ruled_run(r, open_it, DIR "/ever/y"));
	clock_set(SECOND_S + 5);
	CHECK_EQ(ruled_run(r, open_it, DIR "/ever/y"), -EACCES);
	CHECK_EQ(ruled_run(r, open_it, DIR "/soon/x"), -EACCES);
	CHECK_EQ(ruled_refused(r, "files.default"), 2);
	clock_reset();
	ruled_free(r);
}

/* ---- every class ---- */

static int connect_out(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 81, &a);
	int err = rc(connect(fd, &a.any, len));

	(void)arg;
	return err == -ECONNREFUSED ? 0 : err;
}

static int send_out(void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 81, &a);

	(void)arg;
	return rc(sendto(fd, "x", 1, 0, &a.any, len));
}

static int listen_here(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 82, &a);

	(void)arg;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return rc(bind(fd, &a.any, len));
}

static int connect_unix(void *arg)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = DIR "/sock" };

	(void)arg;
	return rc(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&un, sizeof(un)));
}

static int ring(void *arg)
{
	struct uring u;

	(void)arg;
	return uring_open(&u, 0);
}

static int map_code(void *path)
{
	int fd = open(path, O_RDONLY);

	return fd < 0 ? -ENOTRECOVERABLE : mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -errno : 0;
}

static int remove_create(void *path)
{
	int err = rc(unlink(path));

	return err ? err : rc(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644));
}

#define END ", until: \"" FIRST "\"}"
TEST(every_class_ends)
{
	static const struct {
		const char *name, *text;
		govern_fn fn;
		void *arg;
		int err;
	} cases[] = {
		{ "change", "files: {change: [{path: /tmp/until" END "]}\n", open_write, DIR "/soon/x", EACCES },
		{ "write", "files: {write: [{path: /tmp/until" END "]}\n", remove_create, DIR "/soon/x", EACCES },
		{ "deep", "files: {read: [{path: \"/**/x\"" END "]}\n", open_it, DIR "/soon/x", EACCES },
		{ "execute", "files: {read: [/], execute: [{path: /tmp/until" END "]}\n", map_code, DIR "/soon/x", EACCES },
		{ "connect", "network: {connect: [{to: 127.0.0.1, ports: [81]" END "]}\n", connect_out, NULL, EACCES },
		{ "send", "network: {connect: [{to: 127.0.0.1, proto: udp" END "]}\n", send_out, NULL, EACCES },
		{ "listen", "network: {listen: [{to: 127.0.0.1" END "]}\n", listen_here, NULL, EACCES },
		{ "unix", "sockets: {unix: [{path: /tmp/until, i_accept: host-control" END "]}\n", connect_unix, NULL, EACCES },
		{ "io_uring", "calls: {allow: [{group: \"@io_uring\"" END "]}\n", ring, NULL, EPERM },
	};
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = DIR "/sock" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	prepare();
	unlink(un.sun_path);
	CHECK_OK(bind(listener, (void *)&un, sizeof(un)));
	CHECK_OK(listen(listener, 8));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[600];
		struct ruled *r;

		CASE("%s", cases[i].name);
		snprintf(text, sizeof(text), "%s%s", HEAD, cases[i].text);
		r = ruled_new(text, STAGE_ENFORCE);
		CHECK_OK(ruled_run(r, cases[i].fn, cases[i].arg));
		clock_set(FIRST_S);
		CHECK_EQ(ruled_run(r, cases[i].fn, cases[i].arg), -cases[i].err);
		clock_reset();
		ruled_free(r);
	}
	close(listener);
}

/* ---- to keep it beyond its end ---- */

static int link_it(void *arg)
{
	(void)arg;
	return rc(link(DIR "/soon/x", DIR "/ever/kept"));
}

static int rename_it(void *arg)
{
	(void)arg;
	return rc(rename(DIR "/soon/x", DIR "/ever/moved"));
}

static int rename_dir(void *arg)
{
	(void)arg;
	return rc(rename(DIR "/soon/dir", DIR "/ever/dir"));
}

static int exchange(void *arg)
{
	(void)arg;
	return rc(syscall(SYS_renameat2, AT_FDCWD, DIR "/ever/y", AT_FDCWD, DIR "/soon/x", 2 /* RENAME_EXCHANGE */));
}

static void unname(void)
{
	unlink(DIR "/ever/kept");
	unlink(DIR "/ever/moved");
	rmdir(DIR "/ever/dir");
	prepare();
}

#define BOTH(end) HEAD "files:\n  read: [/]\n  write: [{path: /tmp/until/soon, id: soon" end "}, {path: /tmp/until/ever, id: ever}]\n" REST
TEST(a_second_name_does_not_outlive_the_rule_of_the_first)
{
	static const govern_fn acts[] = { link_it, rename_it, rename_dir, exchange };

	prepare();
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		struct ruled *plain = ruled_new(BOTH(""), STAGE_ENFORCE), *r = ruled_new(BOTH(", until: \"" FIRST "\""), STAGE_ENFORCE);

		CASE("act %zu", i);
		unname();
		CHECK_OK(free_run(acts[i], NULL));
		unname();
		if (acts[i] != rename_dir)	/* whose rules differ below by their ids: that is no equal directory, with an end or without */
			CHECK_OK(ruled_run(plain, acts[i], NULL));
		unname();
		govern_forget();
		CHECK_EQ(ruled_run(r, acts[i], NULL), -EXDEV);
		govern_drain();
		CHECK_EQ(govern_seen_count, 1);
		CHECK_STR(ruled_rule(r, govern_seen[0].d.rule), "files.name");
		clock_set(FIRST_S);	/* and then there is nothing to take along */
		CHECK_EQ(ruled_run(r, acts[i], NULL), -EACCES);
		clock_reset();
		ruled_free(r);
		ruled_free(plain);
	}
}

TEST(a_name_that_ends_as_early_is_as_good)
{
	struct ruled *r;

	prepare();
	unname();
	r = ruled_new(HEAD "files:\n  read: [/]\n  write: [{path: [/tmp/until/soon, /tmp/until/ever], until: \"" FIRST "\"}]\n" REST, STAGE_ENFORCE);
	CHECK_OK(ruled_run(r, link_it, NULL));
	CHECK_OK(ruled_run(r, rename_dir, NULL));
	ruled_free(r);
}

static int set_back(void *arg)
{
	struct timespec t = { .tv_sec = FIRST_S - 100 };

	(void)arg;
	return rc(clock_settime(CLOCK_REALTIME, &t));
}

TEST(a_member_cannot_set_the_clock_back)
{
	struct ruled *r;

	prepare();
	r = ruled_new(soon, STAGE_ENFORCE);
	clock_set(FIRST_S + 100);
	CHECK_EQ(ruled_run(r, set_back, NULL), -EPERM);
	CHECK_EQ(ruled_run(r, open_it, DIR "/soon/x"), -EACCES);
	clock_reset();
	ruled_free(r);
}

/* ---- engines come and go ---- */

static size_t slots_in_use(void)
{
	int fd = bpf_obj_get(GOVERN_PINS "/maps/slots");
	struct policy_slot *all = mmap(NULL, MAX_SLOTS * sizeof(*all), PROT_READ, MAP_SHARED, fd, 0);
	size_t n = 0;

	CHECK(fd >= 0 && all != MAP_FAILED);
	for (size_t i = 0; i < MAX_SLOTS; i++)
		n += all[i].in_use;
	munmap(all, MAX_SLOTS * sizeof(*all));
	close(fd);
	return n;
}

static void engine_again(void)
{
	kernel_close(govern_kernel);
	govern_kernel = NULL;
	govern_start();
}

TEST(a_successor_keeps_what_is_to_come_and_gives_all_of_it_back)
{
	struct ruled *r;
	size_t before;

	prepare();
	govern_start();
	kernel_tidy(govern_kernel);
	before = slots_in_use();
	r = ruled_new(soon, STAGE_ENFORCE);
	CHECK_EQ(slots_in_use(), before + 2);
	engine_again();
	CHECK_EQ(slots_in_use(), before + 2);
	clock_set(FIRST_S);
	CHECK_EQ(ruled_run(r, open_it, DIR "/soon/x"), -EACCES);
	engine_again();		/* one is past and stays as long as the policy, whose counters it has */
	CHECK_EQ(slots_in_use(), before + 2);
	CHECK_EQ(ruled_refused(r, "files.default"), 1);
	clock_reset();
	ruled_reload(r, soon);
	CHECK_OK(ruled_run(r, open_it, DIR "/soon/x"));
	kernel_counters_settled(govern_kernel, r->id);
	CHECK_EQ(slots_in_use(), before + 2);
	ruled_free(r);
	kernel_tidy(govern_kernel);
	CHECK_EQ(slots_in_use(), before);
}

TEST_MAIN()
