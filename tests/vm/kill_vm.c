/* SPDX-License-Identifier: Apache-2.0 */
/*
 * on_refusal: kill. The process that is refused dies of it, all of it and nobody else, whatever it does against that; the record says so.
 * vm: --cpus 2
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include "tests/vm/lo.h"
#include "tests/vm/raw.h"

#define SECRET "/tmp/kill/secret"
#define CLASSES \
	"calls: {allow: [\"@io_uring\"]}\n" \
	"network: {connect: [{to: 127.0.0.1, ports: [80]}]}\n" \
	"sockets: {unix: [{path: /, i_accept: host-control}]}\n" \
	"files:\n  read: [/]\n  write: [/]\n  execute: [/]\n  deny:\n    - {path: /tmp/kill/secret, id: secret}\n    - {path: /tmp/kill/mild, id: mild}\n"
#define HEAD "version: 1\npolicy: kill\nopen: [devices, privileges, limits, session, labels]\n" CLASSES
static const char kill_secret[] = HEAD "on_refusal: [{match: secret, do: kill, alert: critical}, {match: \"*\", do: deny}]\n";
static const char kill_all[] = HEAD "on_refusal: [{match: \"*\", do: kill}]\n";

static void prepare(void)
{
	mkdir("/tmp/kill", 0777);
	put_file(SECRET, "s", 0644);
	put_file("/tmp/kill/mild", "m", 0644);
}

static int open_it(void *path)
{
	return rc(open(path, O_RDONLY));
}

/* How it ended: the signal, or 0. */
static int death_of(pid_t pid, int result)
{
	int status;

	close(result);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static int death_by(struct ruled *r, govern_fn fn, void *arg)
{
	int result;
	pid_t pid = ruled_spawn(r, fn, arg, &result);

	return death_of(pid, result);
}

static uint32_t killed(struct ruled *r)
{
	struct kernel_sandbox sb;

	CHECK_OK(kernel_sandbox_get(govern_kernel, r->id, &sb));
	return sb.killed;
}

/* One death: its record, its count, and that of the sandbox. */
static void check_death(struct ruled *r, const char *rule, enum operation op)
{
	govern_drain();
	if (govern_seen_count != 1)
		seen_print(r);
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(govern_seen[0].d.verdict, VERDICT_KILL);
	CHECK_EQ(govern_seen[0].d.operation, op);
	CHECK_STR(ruled_rule(r, govern_seen[0].d.rule), rule);
	CHECK_EQ(ruled_refused(r, rule), 1);
	CHECK_EQ(killed(r), 1);
}

TEST(who_is_refused_what_the_policy_kills_for_dies_and_the_record_says_so)
{
	struct ruled *r;

	prepare();
	r = ruled_new(kill_secret, STAGE_ENFORCE);
	govern_forget();
	CHECK_OK(free_run(open_it, SECRET));
	CHECK_EQ(death_by(r, open_it, SECRET), SIGKILL);
	check_death(r, "secret", ACT_OPEN);
	CHECK_STR(govern_seen[0].path, SECRET);
	CHECK_EQ(govern_seen[0].d.error, -EACCES);
	ruled_free(r);
}

TEST(what_another_entry_matches_first_is_only_refused)
{
	struct ruled *r;

	prepare();
	r = ruled_new(kill_secret, STAGE_ENFORCE);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_it, "/tmp/kill/mild"), -EACCES);
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(govern_seen[0].d.verdict, VERDICT_DENY);
	CHECK_EQ(killed(r), 0);
	ruled_free(r);
}

TEST(each_death_has_its_record_though_equal_refusals_are_folded)
{
	struct ruled *r;

	prepare();
	r = ruled_new(kill_secret, STAGE_ENFORCE);
	govern_forget();
	for (int i = 0; i < 5; i++)
		CHECK_EQ(death_by(r, open_it, SECRET), SIGKILL);
	govern_drain();
	CHECK_EQ(govern_seen_count, 5);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(govern_seen[i].d.verdict, VERDICT_KILL);
		CHECK_EQ(govern_seen[i].d.repeats, 0);
	}
	CHECK_EQ(ruled_refused(r, "secret"), 5);
	CHECK_EQ(killed(r), 5);
	ruled_free(r);
}

TEST(observe_kills_nobody)
{
	struct ruled *r;

	prepare();
	r = ruled_new(kill_all, STAGE_OBSERVE);
	govern_forget();
	CHECK_OK(ruled_run(r, open_it, SECRET));
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(govern_seen[0].d.verdict, VERDICT_WOULD_DENY);
	CHECK_EQ(killed(r), 0);
	ruled_free(r);
}

/* ---- by what, besides a path ---- */

static int connect_out(void *arg)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	union lo_addr a;
	socklen_t len = lo_addr("127.0.0.1", 81, &a);
	int err = rc(connect(fd, &a.any, len));

	(void)arg;
	return err == -ECONNREFUSED ? 0 : err;
}

static int packet_socket(void *arg)
{
	(void)arg;
	return rc(socket(AF_PACKET, SOCK_RAW, 0));
}

static int trace_outsider(void *pid)
{
	return rc(ptrace(PTRACE_SEIZE, *(pid_t *)pid, 0, 0));
}

static int share_nothing(void *arg)
{
	(void)arg;
	return rc(unshare(CLONE_NEWNS));
}

static int link_away(void *arg)
{
	(void)arg;
	return rc(link(SECRET, "/tmp/kill/second"));
}

TEST(every_class_and_the_guard_can_kill)
{
	pid_t other = 1;
	const struct {
		const char *match, *rule;
		govern_fn fn;
		void *arg;
		enum operation op;
	} cases[] = {
		{ "files", "secret", open_it, SECRET, ACT_OPEN },
		{ "read", "secret", open_it, SECRET, ACT_OPEN },
		{ "secret", "secret", link_away, NULL, ACT_LINK },
		{ "network", "network.default", connect_out, NULL, ACT_CONNECT },
		{ "connect", "network.default", connect_out, NULL, ACT_CONNECT },
		{ "sockets", "sockets.family", packet_socket, NULL, ACT_SOCKET },
		{ "guard", "guard.ptrace", trace_outsider, &other, ACT_PTRACE },
		{ "guard.ptrace", "guard.ptrace", trace_outsider, &other, ACT_PTRACE },
		{ "calls", "guard.ptrace", trace_outsider, &other, ACT_PTRACE },
		{ "privileges", "guard.capability", share_nothing, NULL, ACT_CAPABLE },
	};

	prepare();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1200];
		struct ruled *r;

		CASE("%s", cases[i].match);
		snprintf(text, sizeof(text), "%son_refusal: [{match: %s, do: kill}]\n", HEAD, cases[i].match);
		r = ruled_new(text, STAGE_ENFORCE);
		govern_forget();
		CHECK_EQ(death_by(r, cases[i].fn, cases[i].arg), SIGKILL);
		check_death(r, cases[i].rule, cases[i].op);
		ruled_free(r);
	}
}

/* ---- what a process does against it ---- */

static int ignore_all(void *arg)
{
	sigset_t all;

	(void)arg;
	for (int sig = 1; sig < 65; sig++)
		signal(sig, SIG_IGN);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	(void)open(SECRET, O_RDONLY);
	return 0;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void *refused_thread(void *arg)
{
	(void)open(SECRET, O_RDONLY);
	for (;;)
		pause();
	return arg;
}

/* The refused thread is not the leader; the leader and a third one do nothing. */
static int by_a_thread(void *arg)
{
	pthread_t t;

	(void)arg;
	if (pthread_create(&t, NULL, sleeper, NULL) || pthread_create(&t, NULL, refused_thread, NULL))
		return -EAGAIN;
	sleeper(NULL);
	return 0;
}

/* The leader has left; its thread goes on alone. */
static int by_the_last_thread(void *arg)
{
	pthread_t t;

	(void)arg;
	if (pthread_create(&t, NULL, refused_thread, NULL))
		return -EAGAIN;
	syscall(SYS_exit, 0);
	return 0;
}

static int by_uring(void *arg)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)SECRET, .flags = *(bool *)arg ? IOSQE_ASYNC : 0 };
	struct uring u;
	int err = uring_open(&u, 0);

	if (!err)
		(void)uring_do(&u, &sqe);
	for (;;)
		pause();
	return err;
}

static int by_the_32_bit_table(void *arg)
{
	char *page = low_page();

	(void)arg;
	if (!page)
		return -ENOMEM;
	strcpy(page, SECRET);
	(void)ia32(5, (long)page, O_RDONLY, 0, 0, 0);
	return 0;
}

TEST(nothing_that_a_process_does_saves_it)
{
	static bool no, yes = true;
	const struct {
		const char *name;
		govern_fn fn;
		void *arg;
	} cases[] = {
		{ "all signals ignored and blocked", ignore_all, NULL }, { "by one thread of three", by_a_thread, NULL },
		{ "by the last thread", by_the_last_thread, NULL }, { "io_uring", by_uring, &no }, { "io_uring's worker", by_uring, &yes },
		{ "int 0x80", by_the_32_bit_table, NULL },
	};

	prepare();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ruled *r = ruled_new(kill_secret, STAGE_ENFORCE);

		CASE("%s", cases[i].name);
		govern_forget();
		CHECK_EQ(death_by(r, cases[i].fn, cases[i].arg), SIGKILL);
		check_death(r, "secret", ACT_OPEN);
		CHECK(ruled_members_become(r, 0));
		ruled_free(r);
	}
}

/* The init of a pid namespace takes no signal from inside it, not even SIGKILL. */
static int as_init(void *arg)
{
	int *go = arg;
	char c;

	if (read(go[0], &c, 1) != 1 || getpid() != 1)
		return 1;
	(void)kill(1, SIGKILL);		/* nothing happens */
	(void)ignore_all(NULL);
	return 2;
}

TEST(the_init_of_a_pid_namespace_dies_too)
{
	static char stack[65536];
	struct ruled *r;
	int go[2], pidfd, status;
	pid_t pid;

	prepare();
	r = ruled_new(kill_secret, STAGE_ENFORCE);
	CHECK_OK(pipe(go));
	pid = clone(as_init, stack + sizeof(stack), CLONE_NEWPID | SIGCHLD, go);
	CHECK(pid > 0);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	CHECK_OK(kernel_member_label(govern_kernel, pidfd, r->id, 1));
	close(pidfd);
	govern_forget();
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	check_death(r, "secret", ACT_OPEN);
	close(go[0]);
	close(go[1]);
	ruled_free(r);
}

/* ---- nobody else ---- */

/* The parent of the one that dies; it is of the sandbox as well. */
static int parent_of_the_dead(void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	if (!pid) {
		(void)open(SECRET, O_RDONLY);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : -EPROTO;
}

TEST(the_rest_of_the_sandbox_lives_on)
{
	struct ruled *r;

	prepare();
	r = ruled_new(kill_secret, STAGE_ENFORCE);
	govern_forget();
	CHECK_OK(ruled_run(r, parent_of_the_dead, NULL));
	check_death(r, "secret", ACT_OPEN);
	ruled_free(r);
}

static int receiver_end;

static int receive_it(void *arg)
{
	int fd = fd_receive(receiver_end);

	(void)arg;
	return fd < 0 ? fd : 0;
}

TEST(who_is_handed_a_forbidden_descriptor_is_refused_it_and_lives)
{
	struct ruled *r;
	int pair[2], fd;

	prepare();
	r = ruled_new(kill_all, STAGE_ENFORCE);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	receiver_end = pair[1];
	fd = open(SECRET, O_RDONLY);
	CHECK_OK(fd_send(pair[0], fd));
	CHECK_OK(free_run(receive_it, NULL));
	CHECK_OK(fd_send(pair[0], fd));
	govern_forget();
	CHECK_EQ(ruled_run(r, receive_it, NULL), -EACCES);
	govern_drain();
	CHECK_EQ(govern_seen_count, 1);
	CHECK_EQ(govern_seen[0].d.verdict, VERDICT_DENY);
	CHECK_STR(ruled_rule(r, govern_seen[0].d.rule), "secret");
	CHECK_EQ(killed(r), 0);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	ruled_free(r);
}

/* An outsider does the same beside it, and is the target of what the member dies for. */
TEST(outsiders_live_whatever_members_die_for)
{
	struct held out;
	struct ruled *r;
	int status;

	prepare();
	out = held_spawn(open_it, SECRET);	/* waits until it is let go */
	r = ruled_new(kill_all, STAGE_ENFORCE);
	CHECK_EQ(death_by(r, trace_outsider, &out.pid), SIGKILL);
	CHECK_EQ(waitpid(out.pid, &status, WNOHANG), 0);
	held_release(NULL, &out);
	CHECK_OK(spawn_result(out.pid, out.result));
	ruled_free(r);
}

TEST(a_reload_changes_who_dies)
{
	struct ruled *r;

	prepare();
	r = ruled_new(kill_secret, STAGE_ENFORCE);
	CHECK_EQ(death_by(r, open_it, SECRET), SIGKILL);
	ruled_reload(r, HEAD);
	CHECK_EQ(ruled_run(r, open_it, SECRET), -EACCES);
	ruled_reload(r, kill_all);
	CHECK_EQ(death_by(r, open_it, "/tmp/kill/mild"), SIGKILL);
	CHECK_EQ(killed(r), 2);
	ruled_free(r);
}

TEST_MAIN()
