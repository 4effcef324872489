/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one operation costs, in guest instructions (scripts/bench boots a guest whose clock counts them): bare, under Landlock with the same
 * rules, as a bystander, governed, refused, folded; with many rules, many sandboxes, a record of each open. Prints one `op variant
 * instructions` line each. Minimum of several rounds; every variant runs in a child of its own, from the same cgroup, so that only the
 * variant differs. Refusals check their errno: a wrong one reads as fast. At the end, what it costs to compile and replace a policy.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <x86intrin.h>
#include "tests/bench/bench.h"
#include "tests/bench/landlock.h"
#include "tests/vm/govern.h"

#define ROUNDS 9
#define ROUNDS_OPEN 60	/* short: nine would all lie in the first tick, with what was put off before the variant began */
#define BATCH 50
#define FILES (ROUNDS * BATCH)

static char deep[512];
static int tcp_listener = -1, udp_receiver = -1;

/* ---- the operations: one call each; anything but `expect` ends the run ---- */

static void open_read_close(const char *path)
{
	char c;
	int fd = open(path, O_RDONLY);

	bench_must(fd >= 0, path);
	bench_must(read(fd, &c, 1) == 1, "read");
	close(fd);
}

static void op_open4(int i)
{
	(void)i;
	open_read_close("/tmp/ws/d/file");
}

static void op_open12(int i)
{
	(void)i;
	open_read_close(deep);
}

static void op_create(int i)
{
	int fd = open("/tmp/ws/d/new", O_CREAT | O_EXCL | O_WRONLY, 0644);

	(void)i;
	bench_must(fd >= 0, "create");
	close(fd);
	bench_must(!unlink("/tmp/ws/d/new"), "unlink");
}

static void op_rename(int i)
{
	bench_must(!rename(i & 1 ? "/tmp/ws/d/b" : "/tmp/ws/d/a", i & 1 ? "/tmp/ws/d/a" : "/tmp/ws/d/b"), "rename");
}

static void op_mkdir(int i)
{
	(void)i;
	bench_must(!mkdir("/tmp/ws/d/dir", 0755), "mkdir");
	bench_must(!rmdir("/tmp/ws/d/dir"), "rmdir");
}

static void op_stat(int i)
{
	struct stat st;

	(void)i;
	bench_must(!stat("/tmp/ws/d/file", &st), "stat");
}

static void op_exec(int i)
{
	pid_t pid = vfork();
	int status;

	(void)i;
	if (!pid) {
		execl("/t/nothing_tool", "nothing", NULL);
		_exit(127);
	}
	bench_must(waitpid(pid, &status, 0) == pid && status == 0, "exec");
}

static void op_connect(int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger l = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), c;

	(void)i;
	bench_must(fd >= 0, "socket");
	bench_must(!connect(fd, (void *)&a, sizeof(a)), "connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
	c = accept(tcp_listener, NULL, NULL);
	if (c >= 0)
		close(c);
}

static int udp_sender = -1;

static void op_udp(int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7002), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char c;

	(void)i;
	if (udp_sender < 0)
		udp_sender = socket(AF_INET, SOCK_DGRAM, 0);
	bench_must(sendto(udp_sender, "x", 1, 0, (void *)&a, sizeof(a)) == 1, "sendto");
	(void)recv(udp_receiver, &c, 1, MSG_DONTWAIT);
}

static void op_getppid(int i)
{
	(void)i;
	syscall(SYS_getppid);
}

static int pipe_fds[2] = { -1, -1 };

static void op_pipe(int i)
{
	char c = 'x';

	(void)i;
	if (pipe_fds[0] < 0)
		bench_must(!pipe(pipe_fds), "pipe");
	bench_must(write(pipe_fds[1], &c, 1) == 1 && read(pipe_fds[0], &c, 1) == 1, "pipe");
}

static int refused_errno;

static void open_refused(const char *path)
{
	int fd = open(path, O_RDONLY);

	bench_must(fd < 0 && errno == refused_errno, path);
}

/* Another file each time: each refusal is a record. */
static void op_refused(int i)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/no/denied/%d", i);
	open_refused(path);
}

static void op_folded(int i)
{
	(void)i;
	open_refused("/tmp/no/denied/0");
}

enum { OPENS = 1, REFUSALS = 2, OTHERS = 4, ALLOWED = OPENS | OTHERS, ALL = ALLOWED | REFUSALS };
static const struct op {
	const char *name;
	void (*run)(int i);
	unsigned kind;
} ops[] = {
	{ "getppid", op_getppid, OTHERS },	  { "open4", op_open4, OPENS },		 { "open12", op_open12, OPENS },
	{ "stat", op_stat, OTHERS },		  { "create+unlink", op_create, OTHERS }, { "rename", op_rename, OTHERS },
	{ "mkdir+rmdir", op_mkdir, OTHERS },	  { "exec", op_exec, OTHERS },		 { "connect", op_connect, OTHERS },
	{ "udp-send", op_udp, OTHERS },		  { "pipe", op_pipe, OTHERS },		 { "open-refused", op_refused, REFUSALS },
	{ "open-folded", op_folded, REFUSALS },
};

/* ---- measuring ---- */

/* The least of the rounds; of those that wake a reader the mean, since the least is the round in which it did not get to run. */
static void measure(const struct op *op, const char *variant, bool mean)
{
	unsigned long long best = ~0ull, all = 0, t;
	int rounds = op->kind == OPENS ? ROUNDS_OPEN : ROUNDS, r, i;

	for (r = 0; r < rounds; r++) {
		t = __rdtsc();
		for (i = 0; i < BATCH; i++)
			op->run(r * BATCH + i);
		t = __rdtsc() - t;
		all += t;
		if (t < best)
			best = t;
	}
	printf("%s %s %llu\n", op->name, variant, (mean ? all / rounds : best) / BATCH);
	fflush(stdout);
}

/* ---- variants ---- */

struct variant {
	const char *name;
	unsigned kinds;			/* of operations */
	long landlock;			/* more rules for Landlock; -1: not under it */
	long rules;			/* more rules for Bailiff; -1: not governed */
	bool record;			/* of each open */
	bool reader;			/* is woken by each refusal, on the same CPU */
	size_t sandboxes;		/* others that live */
	struct held held;
};

/* Before any is attached; then in this order. */
static struct variant free_variants[] = {
	{ "warm", ALLOWED, -1, -1, false, false, 0, {} },
	{ "bare", ALLOWED, -1, -1, false, false, 0, {} },
	{ "landlock", ALL, 0, -1, false, false, 0, {} },
	{ "landlock-1000", OPENS, 1000, -1, false, false, 0, {} },
};
static struct variant variants[] = {
	{ "bystander", ALLOWED, -1, -1, false, false, 0, {} },
	{ "governed", ALL, -1, 0, false, false, 0, {} },
	{ "reader", REFUSALS, -1, 0, false, true, 0, {} },
	{ "record", OPENS, -1, 0, true, false, 0, {} },
	{ "rules-1000", OPENS, -1, 1000, false, false, 0, {} },
	{ "rules-10000", OPENS, -1, 10000, false, false, 0, {} },
	{ "sandboxes-1000", OPENS, -1, 0, false, false, 1000, {} },
	{ "bystander-1000", OPENS, -1, -1, false, false, 1000, {} },
};

static int variant_run(void *arg)
{
	const struct variant *v = arg;

	refused_errno = v->landlock >= 0 || v->rules >= 0 ? EACCES : 0;
	if (v->landlock >= 0)
		bench_must(!landlock_restrict(v->landlock), "landlock");
	usleep(200000);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (ops[i].kind & v->kinds)
			measure(&ops[i], v->name, v->reader);
	}
	return 0;
}

static struct ruled *sandbox_new(long rules, bool record)
{
	_buf_ struct buf text = {};

	bench_policy(&text, rules, record);
	return ruled_new(text.data, STAGE_ENFORCE);
}

/* Take each record as it comes, as the engine does. */
static void read_until(int result)
{
	struct pollfd p[2] = { { .fd = kernel_ring_fd(govern_kernel), .events = POLLIN }, { .fd = result, .events = POLLIN } };

	while (poll(p, 2, -1) > 0 && !p[1].revents)
		govern_drain();
}

static void variant_finish(struct variant *v)
{
	struct ruled *others[1000] = {}, *r = v->rules >= 0 ? sandbox_new(v->rules, v->record) : NULL;

	for (size_t i = 0; i < v->sandboxes; i++)
		others[i] = sandbox_new(0, false);
	held_release(r, &v->held);
	if (v->reader)
		read_until(v->held.result);
	bench_must(!spawn_result(v->held.pid, v->held.result), v->name);
	if (govern_kernel)
		govern_forget();
	for (size_t i = 0; i < v->sandboxes; i++)
		ruled_free(others[i]);
	if (r)
		ruled_free(r);
}

/* ---- the stage ---- */

static void file_make(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	bench_must(fd >= 0 && write(fd, "x", 1) == 1, path);
	fchmod(fd, mode);
	close(fd);
}

static void stage(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char path[64];
	int i;

	mkdir(GOVERN_CGROUP, 0755);	/* the first cgroup turns memory accounting on: every host has one, so bare has it too */
	mkdir("/tmp/ws", 0777);
	mkdir("/tmp/ws/d", 0777);
	mkdir("/tmp/no", 0777);
	mkdir("/tmp/no/denied", 0777);
	strcpy(deep, "/tmp/ws");
	for (i = 1; i < 10; i++) {
		strcat(deep, i == 1 ? "/1" : "/component");
		mkdir(deep, 0777);
	}
	strcat(deep, "/file");
	file_make(deep, 0644);
	file_make("/tmp/ws/d/file", 0644);
	file_make("/tmp/ws/d/a", 0644);
	for (i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "/tmp/no/denied/%d", i);
		file_make(path, 0644);
	}
	tcp_listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	a.sin_port = htons(7001);
	bench_must(!bind(tcp_listener, (void *)&a, sizeof(a)) && !listen(tcp_listener, 128), "listen");
	udp_receiver = socket(AF_INET, SOCK_DGRAM, 0);
	a.sin_port = htons(7002);
	bench_must(!bind(udp_receiver, (void *)&a, sizeof(a)), "bind");
}

/* A variant's child is forked before the kernel room opens its hundreds of descriptors, which every fork and exec of it would pay for. */
int main(void)
{
	char seed[64];
	size_t i;

	(void)!getrandom(seed, sizeof(seed), 0);
	stage();
	landlock_stage(1000);
	for (i = 0; i < ARRAY_SIZE(free_variants); i++)
		free_variants[i].held = held_spawn(variant_run, &free_variants[i]);
	for (i = 0; i < ARRAY_SIZE(variants); i++)
		variants[i].held = held_spawn(variant_run, &variants[i]);
	sleep(2);
	for (i = 0; i < ARRAY_SIZE(free_variants); i++)
		variant_finish(&free_variants[i]);
	bench_attach();
	sleep(1);
	for (i = 0; i < ARRAY_SIZE(variants); i++)
		variant_finish(&variants[i]);
	bench_publish();
	return 0;
}
