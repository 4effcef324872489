/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one operation costs, in guest instructions (scripts/bench boots a guest whose clock counts them): bare, under Landlock with the same
 * rules, as a bystander, governed, refused, folded. Prints one `op variant instructions` line each. Minimum of several rounds; every variant
 * runs in a child of its own, from the same cgroup, so that only the variant differs. Refusals check their errno: a wrong one reads as fast.
 */
#include <arpa/inet.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <x86intrin.h>
#include "tests/vm/govern.h"

#define ROUNDS 9
#define BATCH 50
#define FILES (ROUNDS * BATCH)

static const char policy[] =
	"version: 1\npolicy: bench\n"
	"open: [devices, calls, privileges, limits, session, labels]\n"
	"files:\n"
	"  read: [/lib, /lib64, /usr, /etc, /proc, /dev, /bin, /t, /tmp/ws]\n"
	"  write: [/tmp/ws]\n"
	"  execute: [/t, /lib, /lib64, /bin]\n"
	"  deny:\n"
	"    - {path: [\"**/.env\", \"**/.ssh\", \"**/*.key\"], id: secrets}\n"
	"    - {path: [/tmp/ws/denied], id: denied}\n"
	"network:\n"
	"  connect:\n"
	"    - {to: 127.0.0.1, ports: [7001]}\n"
	"    - {to: 127.0.0.1, ports: [7002], proto: udp}\n"
	"sockets: {}\n"
	"record: []\n";

static char deep[512];
static int tcp_listener = -1, udp_receiver = -1;

/* ---- the operations: one call each; anything but `expect` ends the run ---- */

static void must(bool fine, const char *what)
{
	if (fine)
		return;
	printf("# %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static void open_read_close(const char *path)
{
	char c;
	int fd = open(path, O_RDONLY);

	must(fd >= 0, path);
	must(read(fd, &c, 1) == 1, "read");
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
	must(fd >= 0, "create");
	close(fd);
	must(!unlink("/tmp/ws/d/new"), "unlink");
}

static void op_rename(int i)
{
	must(!rename(i & 1 ? "/tmp/ws/d/b" : "/tmp/ws/d/a", i & 1 ? "/tmp/ws/d/a" : "/tmp/ws/d/b"), "rename");
}

static void op_mkdir(int i)
{
	(void)i;
	must(!mkdir("/tmp/ws/d/dir", 0755), "mkdir");
	must(!rmdir("/tmp/ws/d/dir"), "rmdir");
}

static void op_stat(int i)
{
	struct stat st;

	(void)i;
	must(!stat("/tmp/ws/d/file", &st), "stat");
}

static void op_exec(int i)
{
	pid_t pid = vfork();
	int status;

	(void)i;
	if (!pid) {
		execl("/t/nothing", "nothing", NULL);
		_exit(127);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0, "exec");
}

static void op_connect(int i)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7001), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger l = { 1, 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), c;

	(void)i;
	must(fd >= 0, "socket");
	must(!connect(fd, (void *)&a, sizeof(a)), "connect");
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
	must(sendto(udp_sender, "x", 1, 0, (void *)&a, sizeof(a)) == 1, "sendto");
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
		must(!pipe(pipe_fds), "pipe");
	must(write(pipe_fds[1], &c, 1) == 1 && read(pipe_fds[0], &c, 1) == 1, "pipe");
}

static int refused_errno;

static void open_refused(const char *path)
{
	int fd = open(path, O_RDONLY);

	must(fd < 0 && errno == refused_errno, path);
}

/* Another file each time: each refusal is a record. */
static void op_refused(int i)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/ws/denied/%d", i);
	open_refused(path);
}

static void op_folded(int i)
{
	(void)i;
	open_refused("/tmp/ws/denied/0");
}

static const struct op {
	const char *name;
	void (*run)(int i);
	bool refused;
} ops[] = {
	{ "getppid", op_getppid, false },	  { "open4", op_open4, false },		{ "open12", op_open12, false },
	{ "stat", op_stat, false },		  { "create+unlink", op_create, false }, { "rename", op_rename, false },
	{ "mkdir+rmdir", op_mkdir, false },	  { "exec", op_exec, false },		{ "connect", op_connect, false },
	{ "udp-send", op_udp, false },		  { "pipe", op_pipe, false },		{ "open-refused", op_refused, true },
	{ "open-refused-folded", op_folded, true },
};

/* ---- measuring ---- */

static void measure(const struct op *op, const char *variant)
{
	unsigned long long best = ~0ull, t;
	int r, i;

	for (r = 0; r < ROUNDS; r++) {
		t = __rdtsc();
		for (i = 0; i < BATCH; i++)
			op->run(r * BATCH + i);
		t = __rdtsc() - t;
		if (t < best)
			best = t;
	}
	printf("%s %s %llu\n", op->name, variant, best / BATCH);
	fflush(stdout);
}

static const char *variant_name;

static int measure_all(void *arg)
{
	size_t i;

	(void)arg;
	usleep(200000);
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		if (ops[i].refused && !refused_errno)
			continue;
		if (getenv("BENCH_OP") && strcmp(getenv("BENCH_OP"), ops[i].name))
			continue;
		measure(&ops[i], variant_name);
	}
	return 0;
}

/* ---- Landlock with the same rules ---- */

static int landlock_allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr a = { .allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC) };
	int err = 0;

	if (a.parent_fd < 0)
		return 0;	/* not on this disk: nothing to allow */
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &a, 0))
		err = -errno;
	close(a.parent_fd);
	return err;
}

static int landlock_measure(void *arg)
{
	static const char *const reads[] = { "/lib", "/lib64", "/usr", "/etc", "/proc", "/dev", "/bin", "/t" };
	static const char *const writes[] = { "/tmp/ws/d", "/tmp/ws/1" };
	uint64_t all = (1ull << 13) - 1, read_exec = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_EXECUTE;
	struct landlock_ruleset_attr attr = { .handled_access_fs = all };
	int fd = syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr.handled_access_fs), 0);
	size_t i;

	must(fd >= 0, "landlock");
	for (i = 0; i < ARRAY_SIZE(reads); i++)
		must(!landlock_allow(fd, reads[i], read_exec), "landlock rule");
	for (i = 0; i < ARRAY_SIZE(writes); i++)
		must(!landlock_allow(fd, writes[i], all), "landlock rule");
	must(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	must(!syscall(SYS_landlock_restrict_self, fd, 0), "landlock_restrict_self");
	return measure_all(arg);
}

/* ---- the stage ---- */

static void file_make(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	must(fd >= 0 && write(fd, "x", 1) == 1, path);
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
	mkdir("/tmp/ws/denied", 0777);
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
		snprintf(path, sizeof(path), "/tmp/ws/denied/%d", i);
		file_make(path, 0644);
	}
	tcp_listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	a.sin_port = htons(7001);
	must(!bind(tcp_listener, (void *)&a, sizeof(a)) && !listen(tcp_listener, 128), "listen");
	udp_receiver = socket(AF_INET, SOCK_DGRAM, 0);
	a.sin_port = htons(7002);
	must(!bind(udp_receiver, (void *)&a, sizeof(a)), "bind");
}

/* A variant's child is forked before the kernel room opens its hundreds of descriptors, which every fork and exec of it would pay for. */
struct variant {
	const char *name;
	int refused;
	govern_fn fn;
	struct held held;
};

static int variant_run(void *arg)
{
	struct variant *v = arg;

	variant_name = v->name;
	refused_errno = v->refused;
	return v->fn(NULL);
}

static void variant_finish(struct variant *v, struct ruled *r)
{
	held_release(r, &v->held);
	must(!spawn_result(v->held.pid, v->held.result), v->name);
	if (govern_kernel)
		govern_forget();
}

int main(void)
{
	static struct variant variants[] = {
		{ "warm", 0, measure_all, {} },	    { "bare", 0, measure_all, {} },	    { "landlock", EACCES, landlock_measure, {} },
		{ "bystander", 0, measure_all, {} }, { "governed", EACCES, measure_all, {} },
	};
	struct ruled *r;
	char seed[64];
	size_t i;

	(void)!getrandom(seed, sizeof(seed), 0);
	stage();
	for (i = 0; i < ARRAY_SIZE(variants); i++)
		variants[i].held = held_spawn(variant_run, &variants[i]);
	sleep(2);
	for (i = 0; i < 3; i++)
		variant_finish(&variants[i], NULL);
	govern_start();
	r = ruled_new(policy, STAGE_ENFORCE);
	sleep(1);
	variant_finish(&variants[3], NULL);
	variant_finish(&variants[4], r);
	ruled_free(r);
	return 0;
}
