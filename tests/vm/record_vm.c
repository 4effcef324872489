/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record: required. What such a rule allows is on the record or does not happen: the ring is filled for real, and nobody drains it. vm: alone --cpus 2
 */
#include <sys/mman.h>
#include <sys/un.h>
#include "tests/vm/lo.h"
#include "tests/vm/raw.h"

#define DIR "/tmp/record"
#define OPEN "version: 1\npolicy: record\nopen: [devices, privileges, limits, session, labels]\n"
#define NETWORK(say) \
	"network: {connect: [{to: 127.0.0.1, ports: [81], proto: [tcp, udp]" say "}], listen: [{to: 127.0.0.1, ports: [82]" say "}]}\n" \
	"sockets: {unix: [{path: /tmp/record/sock, i_accept: host-control" say "}]}\n"
#define FILES(say) \
	"files:\n  read: [/etc, /bin, /tmp/record/free, {path: /tmp/record/must, id: must" say "}]\n" \
	"  write: [/tmp/record/free, {path: /tmp/record/must, id: must-write" say "}]\n  execute: [/bin, {path: /tmp/record/must, id: must-run" say "}]\n"
#define REQUIRED ", record: required"
static const char required[] = OPEN FILES(REQUIRED) NETWORK(REQUIRED), plain[] = OPEN FILES("") NETWORK("");
/* Fills the ring: everything that it opens is recorded as well as may be. */
static const char filler[] = OPEN "files: {read: [/]}\nnetwork: {}\nsockets: {}\nrecord: [open]\n";

static void start_small(void)
{
	struct kernel_options o = { .pin_dir = GOVERN_PINS, .telemetry_ring_bytes = 65536 };
	struct kernel_adoption found;
	char why[256] = "";

	if (govern_kernel)
		return;
	mkdir(GOVERN_CGROUP, 0755);
	if (kernel_open(&o, &govern_kernel, &found, why) || kernel_attach(govern_kernel, why)) {
		printf("# %s\n", why);
		CHECK(!"the kernel side opens");
	}
}

static void prepare(void)
{
	start_small();
	mkdir(DIR, 0777);
	mkdir(DIR "/must", 0777);
	mkdir(DIR "/free", 0777);
	put_file(DIR "/must/x", "x", 0755);
	put_file(DIR "/free/y", "y", 0755);
	unlink(DIR "/must/new");
	unlink(DIR "/free/kept");
	unlink(DIR "/free/moved");
	unlink(DIR "/must/second");
}

/* ---- what the telemetry ring holds ---- */

static struct rec_file last_file;
static struct rec_flow last_flow;
static char last_path[PATH_BYTES + 1], last_path2[PATH_BYTES + 1];
static size_t files, flows;

static void on_record(void *ctx, const void *record, size_t size)
{
	const struct rec_head *h = record;

	(void)ctx;
	if (h->type == REC_FILE && size >= sizeof(last_file)) {
		const char *text = (const char *)record + sizeof(last_file);

		memcpy(&last_file, record, sizeof(last_file));
		memset(last_path, 0, sizeof(last_path));
		memset(last_path2, 0, sizeof(last_path2));
		memcpy(last_path, text, last_file.path_len);
		memcpy(last_path2, text + last_file.path_len, last_file.path2_len);
		files++;
	} else if (h->type == REC_FLOW) {
		memcpy(&last_flow, record, sizeof(last_flow));
		flows++;
	}
}

static void drain(void)
{
	while (kernel_drain(govern_kernel, on_record, NULL) > 0)
		;
}

static void forget(void)
{
	drain();
	files = flows = 0;
}

/* ---- acts ---- */

static int open_it(void *path)
{
	return rc(open(path, O_RDONLY));
}

static int create_it(void *path)
{
	return rc(open(path, O_CREAT | O_EXCL | O_WRONLY, 0644));
}

static int truncate_it(void *path)
{
	return rc(truncate(path, 0));
}

static int map_code(void *path)
{
	int fd = open("/bin/busybox", O_RDONLY);

	if (fd < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return -ENOTRECOVERABLE;
	(void)path;
	execl(DIR "/must/x", "x", NULL);
	return errno == ENOEXEC ? 0 : -errno;
}

static int rename_inside(void *arg)
{
	(void)arg;
	return rc(rename(DIR "/must/x", DIR "/must/second"));
}

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

static int bind_here(void *arg)
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

static const struct {
	const char *name;
	govern_fn fn;
	void *arg;
	enum operation op;
	bool flow;
} acts[] = {
	{ "read", open_it, DIR "/must/x", ACT_OPEN, false },
	{ "create", create_it, DIR "/must/new", ACT_CREATE, false },
	{ "truncate", truncate_it, DIR "/must/x", ACT_TRUNCATE, false },
	{ "execute", map_code, NULL, ACT_EXEC, false },
	{ "rename", rename_inside, NULL, ACT_RENAME, false },
	{ "unix", connect_unix, NULL, ACT_UNIX_CONNECT, false },
	{ "connect", connect_out, NULL, ACT_CONNECT, true },
	{ "send", send_out, NULL, ACT_SEND, true },
	{ "bind", bind_here, NULL, ACT_BIND, true },
};

static int listener(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = DIR "/sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(un.sun_path);
	CHECK_OK(bind(fd, (void *)&un, sizeof(un)));
	CHECK_OK(listen(fd, 64));
	return fd;
}

/* ---- the ring ---- */

static int open_thousands(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3000; i++)
		close(open("/tmp", O_RDONLY));
	return 0;
}

/* Full: 3,000 of 124 bytes into 64 KiB. What the acts need is larger. */
static void fill(void)
{
	struct ruled *r = ruled_new(filler, STAGE_ENFORCE);
	uint64_t before = kernel_lost(govern_kernel, KC_TELEMETRY_LOST);

	CHECK_OK(ruled_run(r, open_thousands, NULL));
	CHECK(kernel_lost(govern_kernel, KC_TELEMETRY_LOST) > before + 1000);
	ruled_free(r);
}

TEST(what_is_allowed_so_is_on_the_record)
{
	int fd;

	prepare();
	fd = listener();
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		struct ruled *r = ruled_new(required, STAGE_ENFORCE);

		CASE("%s", acts[i].name);
		prepare();
		forget();
		CHECK_OK(ruled_run(r, acts[i].fn, acts[i].arg));
		drain();
		CHECK_EQ(acts[i].flow ? flows : files, 1);
		CHECK_EQ(acts[i].flow ? last_flow.operation : last_file.operation, acts[i].op);
		CHECK_EQ(acts[i].flow ? last_flow.h.sandbox : last_file.h.sandbox, r->id);
		if (acts[i].arg)
			CHECK_STR(last_path, acts[i].arg);
		ruled_free(r);
	}
	close(fd);
}

TEST(with_a_full_ring_it_is_refused_and_nothing_else_is)
{
	int fd;

	prepare();
	fd = listener();
	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		struct ruled *p = ruled_new(plain, STAGE_ENFORCE), *r = ruled_new(required, STAGE_ENFORCE);

		CASE("%s", acts[i].name);
		prepare();
		forget();
		fill();
		CHECK_OK(ruled_run(p, acts[i].fn, acts[i].arg));
		prepare();
		CHECK_EQ(ruled_run(r, acts[i].fn, acts[i].arg), -EACCES);
		CHECK_EQ(ruled_refused(r, "session.unrecorded"), 1);
		CHECK_OK(ruled_run(r, open_it, DIR "/free/y"));
		govern_forget();	/* somebody reads it */
		CHECK_OK(ruled_run(r, acts[i].fn, acts[i].arg));
		CHECK_EQ(ruled_refused(r, "session.unrecorded"), 1);
		ruled_free(p);
		ruled_free(r);
	}
	close(fd);
}

TEST(a_rename_is_recorded_with_both_names)
{
	struct ruled *r;

	prepare();
	r = ruled_new(required, STAGE_ENFORCE);
	forget();
	CHECK_OK(ruled_run(r, rename_inside, NULL));
	drain();
	CHECK_STR(last_path, DIR "/must/x");
	CHECK_STR(last_path2, DIR "/must/second");
	ruled_free(r);
}

TEST(another_rule_for_the_same_takes_nothing_off_the_record)
{
	struct ruled *r;

	prepare();
	r = ruled_new(OPEN "files:\n  read: [{path: /tmp/record, id: a}, {path: \"/tmp/**/x\", id: m}, {path: /tmp/record/must, id: z, record: required}]\n"
		      "network: {}\nsockets: {}\n", STAGE_ENFORCE);
	forget();
	fill();
	CHECK_EQ(ruled_run(r, open_it, DIR "/must/x"), -EACCES);
	CHECK_OK(ruled_run(r, open_it, DIR "/free/y"));
	ruled_free(r);
	govern_forget();
}

TEST(the_refusal_says_what_and_why)
{
	struct ruled *r;

	prepare();
	r = ruled_new(required, STAGE_ENFORCE);
	forget();
	fill();
	CHECK_EQ(ruled_run(r, open_it, DIR "/must/x"), -EACCES);
	govern_seen_count = 0;
	CHECK_STR(ruled_last(r, ACT_OPEN), "session.unrecorded");
	CHECK_STR(govern_seen[0].path, DIR "/must/x");
	ruled_free(r);
}

TEST(observe_refuses_nothing_for_it)
{
	struct ruled *r;

	prepare();
	r = ruled_new(required, STAGE_OBSERVE);
	forget();
	fill();
	CHECK_OK(ruled_run(r, open_it, DIR "/must/x"));
	CHECK_EQ(ruled_would(r, "session.unrecorded"), 1);
	ruled_free(r);
	govern_forget();
}

TEST(nobody_dies_for_want_of_room_unless_the_policy_names_it)
{
	static const char *const entries[] = { "'*'", "session.unrecorded" };

	for (int i = 0; i < 2; i++) {
		char text[1600];
		struct ruled *r;

		prepare();
		snprintf(text, sizeof(text), "%son_refusal: [{match: %s, do: kill}]\n", required, entries[i]);
		r = ruled_new(text, STAGE_ENFORCE);
		forget();
		fill();
		CHECK_EQ(ruled_run(r, open_it, DIR "/must/x"), i ? -ECHILD : -EACCES);
		ruled_free(r);
		govern_forget();
	}
}

/* ---- to get it off the record ---- */

static int link_it(void *arg)
{
	(void)arg;
	return rc(link(DIR "/must/x", DIR "/free/kept"));
}

static int rename_it(void *arg)
{
	(void)arg;
	return rc(rename(DIR "/must/x", DIR "/free/moved"));
}

static int link_inside(void *arg)
{
	(void)arg;
	return rc(link(DIR "/must/x", DIR "/must/second"));
}

TEST(no_second_name_gets_a_file_off_the_record)
{
	static const char alike[] = OPEN "files:\n  read: [{path: /tmp/record/free, id: f}, {path: /tmp/record/must, id: m%s}]\n"
		"  write: [{path: /tmp/record/free, id: fw}, {path: /tmp/record/must, id: mw%s}]\nnetwork: {}\nsockets: {}\n";
	static const govern_fn tries[] = { link_it, rename_it };

	for (int i = 0; i < 2; i++) {
		char text[1000];
		struct ruled *p, *r;

		CASE("try %d", i);
		prepare();
		snprintf(text, sizeof(text), alike, "", "");
		p = ruled_new(text, STAGE_ENFORCE);
		snprintf(text, sizeof(text), alike, REQUIRED, REQUIRED);
		r = ruled_new(text, STAGE_ENFORCE);
		CHECK_OK(ruled_run(p, tries[i], NULL));
		unlink(DIR "/free/kept");
		unlink(DIR "/free/moved");
		prepare();
		CHECK_EQ(ruled_run(r, tries[i], NULL), -EXDEV);
		CHECK_OK(ruled_run(r, link_inside, NULL));
		ruled_free(p);
		ruled_free(r);
	}
}

TEST_MAIN()
