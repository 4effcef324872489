/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a sandbox: one that was ended or is overdue refuses at every hook and kills. vm: --cpus 2 */
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include "tests/vm/lo.h"
#include "tests/vm/raw.h"

static const char policy[] =
	"version: 1\npolicy: life\nopen: [devices, privileges, limits, session, labels]\n"
	"calls: {allow: [\"@io_uring\"]}\n"
	"network: {connect: [{to: [\"0.0.0.0/0\", \"::/0\"], proto: [tcp, udp]}], listen: [{to: [\"0.0.0.0/0\", \"::/0\"], proto: [tcp, udp]}]}\n"
	"sockets: {unix: [{path: /, i_accept: host-control}]}\n"
	"files:\n  read: [/]\n  write: [/]\n  execute: [/]\n";
static const uint16_t ports[] = { 7001 };
static int step[2];	/* lets the child go on */

static int fd_tcp, fd_udp, fd_unix, pair[2], outsider;

static long map_exec(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, open("/bin/busybox", O_RDONLY), 0) == MAP_FAILED ? -1 : 0;
}

static long connect_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0life" };

	return connect(fd_unix, (void *)&a, offsetof(struct sockaddr_un, sun_path) + 5);
}

static long perf_open(void)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(attr) };

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static long last_act(int which)
{
	struct uring u;
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 7001, &a);
	int one = 1;

	switch (which) {
	case 0: return open("/etc/hosts", O_RDONLY);
	case 1: return open("/tmp/new-life", O_CREAT | O_WRONLY, 0600);
	case 2: return mkdir("/tmp/dir-life", 0700);
	case 3: return rename("/tmp/life", "/tmp/life2");
	case 4: return unlink("/tmp/life");
	case 5: return chmod("/tmp/life", 0600);
	case 6: return truncate("/tmp/life", 0);
	case 7: return map_exec();
	case 8: return execl("/bin/true", "true", NULL);
	case 9: return fork();
	case 10: return socket(AF_INET, SOCK_STREAM, 0);
	case 11: return connect(fd_tcp, &a.any, len);
	case 12: return sendto(fd_udp, "x", 1, 0, &a.any, len);
	case 13: return bind(fd_tcp, &a.any, len);
	case 14: return listen(fd_tcp, 1);
	case 15: return setsockopt(fd_tcp, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	case 16: return connect_unix();
	case 17: return send(pair[0], "x", 1, 0);
	case 18: return fd_receive(pair[1]);
	case 19: return kill(outsider, 0);
	case 20: return ptrace(PTRACE_SEIZE, outsider, 0, 0);
	case 21: return setpriority(PRIO_PROCESS, 0, 1);
	case 22: return mount("t", "/tmp", "tmpfs", 0, NULL);
	case 23: return unshare(CLONE_NEWUSER);
	case 24: return sethostname("guest", 5);
	case 25: return syscall(SYS_bpf, 0, NULL, 0);
	case 26: return perf_open();
	case 27: return uring_open(&u, 0);
	case 28: return symlink("x", "/tmp/link-life");
	case 29: return link("/tmp/life", "/tmp/link2-life");
	case 30: return chown("/tmp/life", 0, 0);
	default: return 0;
	}
}
#define LAST_ACTS 31

/* Which sandbox ends it: by end, by its deadline, by its deadline in the observe stage. */
enum ending { ENDED, OVERDUE, OVERDUE_OBSERVED, ENDINGS };

static int act_at_the_end(void *which)
{
	char c;

	if (read(step[0], &c, 1) != 1)
		return -EPROTO;
	last_act(*(int *)which);
	return 0;
}

static struct ruled *ruled_until(uint64_t deadline_ns, enum stage stage)
{
	struct ruled *r = ruled_new(policy, stage);
	struct stat st;
	uint64_t id;

	/* the same policy again, with a deadline */
	CHECK_EQ(stat(GOVERN_CGROUP, &st), 0);
	CHECK_EQ(kernel_sandbox_new(govern_kernel, &r->image, stage, st.st_ino, deadline_ns, &id), 0);
	CHECK_EQ(kernel_sandbox_free(govern_kernel, r->id), 0);
	r->id = id;
	return r;
}

static uint64_t boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void check_last_act(int which, enum ending ending)
{
	uint64_t deadline = ending == ENDED ? 0 : boot_ns() + 60000000;
	struct ruled *r = ruled_until(deadline, ending == OVERDUE_OBSERVED ? STAGE_OBSERVE : STAGE_ENFORCE);
	const char *rule = ending == ENDED ? "session.ended" : "session.deadline";
	int result;
	pid_t pid;

	CASE("act %d, ending %d", which, ending);
	fd_tcp = socket(AF_INET, SOCK_STREAM, 0);
	fd_udp = socket(AF_INET, SOCK_DGRAM, 0);
	fd_unix = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	CHECK_EQ(fd_send(pair[0], fd_tcp), 0);
	govern_forget();
	pid = ruled_spawn(r, act_at_the_end, &which, &result);
	if (ending == ENDED)
		CHECK_EQ(kernel_sandbox_end(govern_kernel, r->id), 0);
	else
		while (boot_ns() <= deadline)
			usleep(5000);
	CHECK_EQ(write(step[1], "x", 1), 1);
	CHECK_EQ(spawn_result(pid, result), -ECHILD);
	CHECK_EQ(ruled_refused(r, rule), 1);
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_STR(ruled_rule(r, govern_seen[0].d.rule), rule);
	CHECK_EQ(govern_seen[0].d.verdict, VERDICT_DENY);
	CHECK_EQ(govern_seen[0].d.class_id, CLASS_SESSION);
	close(fd_tcp);
	close(fd_udp);
	close(fd_unix);
	close(pair[0]);
	close(pair[1]);
	ruled_free(r);
}

TEST(after_its_end_every_hook_refuses_and_kills)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0life" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(pipe(step), 0);
	lo_start(ports, 1);
	CHECK_EQ(system("echo -1 >/proc/sys/kernel/perf_event_paranoid"), 0);
	CHECK_EQ(bind(listener, (void *)&a, offsetof(struct sockaddr_un, sun_path) + 5), 0);
	CHECK_EQ(listen(listener, 64), 0);
	put_file("/tmp/life", "l", 0644);
	outsider = getpid();
	for (int ending = 0; ending < ENDINGS; ending++)
		for (int which = 0; which < LAST_ACTS; which++)
			check_last_act(which, ending);
	CHECK_EQ(access("/tmp/life", F_OK), 0);
	CHECK(access("/tmp/new-life", F_OK) && access("/tmp/dir-life", F_OK) && access("/tmp/link-life", F_OK) && access("/tmp/link2-life", F_OK));
	close(listener);
}

static int act_before(void *which)
{
	(void)which;
	return rc(open("/etc/hosts", O_RDONLY));
}

TEST(before_its_deadline_it_lives)
{
	struct ruled *r = ruled_until(boot_ns() + 3600000000000ull, STAGE_ENFORCE);

	CHECK_EQ(ruled_run(r, act_before, NULL), 0);
	ruled_free(r);
}

TEST_MAIN()
