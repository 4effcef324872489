/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine and the client as they are shipped, on a kernel that enforces: what a member is refused, and what a crash of the
 * engine changes (nothing in force, nothing in the counts, nothing unsaid in the record). vm: alone --timeout 900
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include "base/file.h"
#include "base/kv.h"
#include "engine/control.h"
#include "event/event.h"
#include "journal/journal.h"
#include "tests/unit/test.h"

#define WS "/ws"	/* not below /tmp, which the base preset opens */
#define JOURNAL "/var/lib/bailiff/journal"
#define CONTROL "/run/bailiff/control"
#define OPEN "open: [devices, privileges, limits, session, labels]\n"

static const char demo[] =
	"version: 1\npolicy: demo\nuses: [base]\n" OPEN
	"files:\n  read: [/t, " WS "]\n  write: [" WS "]\n  deny: [{path: " WS "/secret, id: secret, why: a secret}]\nrecord: [exec, exit]\n";

/* ---- the world ---- */
static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, text, strlen(text)));
	close(fd);
}

static char *get(const char *path)
{
	char *text;

	CHECK_OK(file_slurp(path, 1 << 20, &text, NULL));
	return text;
}

static bool there(const char *path)
{
	return !access(path, F_OK);
}

static void wait_there(const char *path, unsigned seconds)
{
	for (unsigned i = 0; i < seconds * 20 && !there(path); i++)
		usleep(50000);
	CASE("%s", path);
	CHECK(there(path));
	CASE("%s", "");
}

/* A shell command; its exit code, its output in /tmp/out. */
static int sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int sh(const char *fmt, ...)
{
	char line[4096], whole[4200];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "{ %s\n} >/tmp/out 2>&1 </dev/null", line);
	status = system(whole);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void shown(const char *what)
{
	_free_ char *text = get("/tmp/out");

	printf("# %s: %s\n", what, text);
}

static void must(int code, const char *what)
{
	if (code)
		shown(what);
	CHECK_EQ(code, 0);
}

static pid_t engine;
static bool dirty;	/* a test is under way, or failed: loading all programs is dear, so good tests share an engine */

static void engine_start(const char *settings, const char *control)
{
	int sock = -1;

	engine = fork();
	CHECK(engine >= 0);
	if (!engine) {
		execl("/t/bailiffd", "bailiffd", settings ? "--settings" : NULL, settings, NULL);
		_exit(9);
	}
	for (int i = 0; i < 2400 && control_connect(control, &sock); i++) {
		CHECK_EQ(waitpid(engine, NULL, WNOHANG), 0);
		usleep(50000);
	}
	CHECK(sock >= 0);
	close(sock);
}

static void engine_end(int sig)
{
	int status;

	CHECK_OK(kill(engine, sig));
	CHECK_EQ(waitpid(engine, &status, 0), engine);
	engine = 0;
	if (sig == SIGTERM)
		CHECK_EQ(status, 0);
}

/* What a test before this one left when it failed. */
static void clear(void)
{
	if (engine) {
		kill(engine, SIGKILL);
		waitpid(engine, NULL, 0);
		engine = 0;
	}
	(void)!system("for d in /sys/fs/cgroup/bailiff/*; do [ ! -e $d/cgroup.kill ] || echo 1 >$d/cgroup.kill; done 2>/dev/null\n"
		      "rm -rf " WS " /run/bailiff /var/lib/bailiff /sys/fs/bpf/bailiff /data");
}

static void begin(void)
{
	if (dirty || !engine)
		clear();
	dirty = true;
	(void)!system("rm -rf " WS "; mkdir " WS);
	put(WS "/secret", "the secret\n");
	put(WS "/plain", "plain\n");
	put("/tmp/demo.yaml", demo);
	put("/tmp/settings.yaml", "linger_seconds: 8\n");
	if (!engine)
		engine_start("/tmp/settings.yaml", CONTROL);
}

static void done(void)
{
	dirty = false;
}

static void create(const char *policy, const char *options, char id[32])
{
	_free_ char *text = NULL;

	must(sh("bailiff create -p %s %s >/tmp/id", policy, options), "create");
	text = get("/tmp/id");
	snprintf(id, 32, "%.*s", (int)strcspn(text, "\n"), text);
	CHECK_EQ(strlen(id), 26);
}

/* A command in the sandbox, not waited for. */
static void exec_in_background(const char *id, const char *script)
{
	put("/tmp/script", script);
	CHECK_OK(sh("cp /tmp/script " WS "/script"));
	CHECK_OK(sh("bailiff exec %s -- sh " WS "/script >/tmp/exec.out 2>&1 &", id));
}

static uint64_t asked(const char *id, const char *key, char *state)
{
	_buf_ struct buf b = { 0 };
	struct control_message m;
	uint64_t v = UINT64_MAX;
	int sock;

	kv_begin(&b);
	kv_add_str(&b, "op", "summary");
	kv_add_str(&b, "id", id);
	CHECK_OK(control_connect(CONTROL, &sock));
	CHECK_OK(control_call(sock, &b, NULL, 0, &m));
	(void)kv_get_u64(&m.kv, key, &v);
	if (state)
		snprintf(state, 100, "%s: %s", kv_get(&m.kv, "state"), kv_get(&m.kv, "end_reason"));
	control_message_done(&m);
	close(sock);
	return v;
}

/* ---- the record ---- */
static size_t lines(const char *a, const char *b)
{
	struct journal_cursor *c;
	struct journal_line line;
	size_t n = 0;

	CHECK_OK(journal_cursor_open(JOURNAL, NULL, &c));
	while (journal_cursor_read(c, &line) == 1)
		n += memmem(line.text, line.len, a, strlen(a)) && (!b || memmem(line.text, line.len, b, strlen(b)));
	journal_cursor_close(c);
	return n;
}

#define NUMBERS 4096
struct told {
	uint8_t times[2][8][NUMBERS];	/* how often a number is in the record or in a gap */
	uint64_t high[2][8], gaps, records;
};

static void on_seq(void *ctx, enum event_seq_kind kind, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last)
{
	struct told *t = ctx;

	if (kind != EVENT_SEQ_RECORD && kind != EVENT_SEQ_GAP)
		return;
	CHECK(ring < 2 && cpu < 8 && last < NUMBERS && first && first <= last);
	for (uint64_t i = first; i <= last; i++)
		t->times[ring][cpu][i]++;
	if (last > t->high[ring][cpu])
		t->high[ring][cpu] = last;
	*(kind == EVENT_SEQ_GAP ? &t->gaps : &t->records) += last - first + 1;
}

/* Every number that the kernel gave is in the record or declared lost, and none is both. */
static void all_numbers_told(void)
{
	static struct told t;
	struct journal_cursor *c;
	struct journal_line line;

	memset(&t, 0, sizeof(t));
	CHECK_OK(journal_cursor_open(JOURNAL, NULL, &c));
	while (journal_cursor_read(c, &line) == 1) {
		bool heartbeat;
		char boot[40];

		(void)event_seq_walk(line.text, line.len, on_seq, &t, &heartbeat, boot);
	}
	journal_cursor_close(c);
	for (size_t ring = 0; ring < 2; ring++) {
		for (size_t cpu = 0; cpu < 8; cpu++) {
			for (uint64_t i = 1; i <= t.high[ring][cpu]; i++) {
				CASE("ring %zu cpu %zu number %llu", ring, cpu, (unsigned long long)i);
				CHECK_EQ(t.times[ring][cpu][i], 1);
			}
		}
	}
	CASE("%s", "");
	CHECK(t.records > 0);
	printf("# %llu records, %llu in gaps\n", (unsigned long long)t.records, (unsigned long long)t.gaps);
}

/* ---- claims ---- */
TEST(engine_vm_a_run_is_refused_recorded_and_summed_up)
{
	_free_ char *out = NULL;

	begin();
	CHECK_EQ(sh("bailiff run -p /tmp/demo.yaml -- sh -c 'cat " WS "/plain; cat " WS "/secret; cat " WS "/secret; exit 3'"), 3);
	out = get("/tmp/out");
	CHECK_HAS(out, "enforce: files network sockets guard in the kernel; seccomp floor on");
	CHECK_HAS(out, "plain\n");
	CHECK(!strstr(out, "the secret"));
	CHECK_HAS(out, ": 2 refused");
	for (int i = 0; i < 300 && there("/sys/fs/bpf/bailiff/links/on_file_open"); i++)
		usleep(100000);
	CHECK(!there("/sys/fs/bpf/bailiff/links/on_file_open"));	/* nothing is attached while nothing is governed */
	CHECK_EQ(lines("\"decision\"", "/tmp/demo.yaml"), 1);	/* the second is folded, and counted */
	CHECK_EQ(lines("\"session.end\"", "its last process left"), 1);
	all_numbers_told();
	done();
}

TEST(engine_vm_killed_enforcement_and_counts_go_on_and_the_next_one_adopts)
{
	char id[32];

	begin();
	create("/tmp/demo.yaml", "", id);
	exec_in_background(id,
		"i=0; while [ $i -lt 120 ]; do cat " WS "/secret >>" WS "/leak 2>/dev/null; i=$((i+1)); [ $i = 40 ] && echo >" WS "/some; done\n"
		"echo >" WS "/done; sleep 10000\n");
	wait_there(WS "/some", 120);
	engine_end(SIGKILL);
	CHECK(!there(WS "/done"));
	wait_there(WS "/done", 240);	/* nobody is there, and it is refused all the same */
	CHECK_EQ(sh("[ ! -s " WS "/leak ]"), 0);
	engine_start("/tmp/settings.yaml", CONTROL);
	CHECK_EQ(asked(id, "refused", NULL), 120);
	CHECK_EQ(asked(id, "commands", NULL), 1);
	must(sh("bailiff end %s", id), "end");
	CHECK_EQ(sh("ps | grep -v grep | grep -q 'sleep 10000'"), 1);
	sleep(2);	/* gaps are told after a second, lines written after less */
	CHECK_EQ(lines("\"engine.absent\"", NULL), 1);
	CHECK_EQ(lines("\"session.end\"", id), 1);
	all_numbers_told();
	must(sh("bailiff journal verify"), "verify");
	done();
}

TEST(engine_vm_a_deadline_holds_without_an_engine_and_the_next_one_finishes_it)
{
	char id[32], state[100] = "";
	_free_ char *before = NULL, *after = NULL;
	time_t made;

	begin();
	made = time(NULL);
	create("/tmp/demo.yaml", "--deadline 25s", id);
	exec_in_background(id, "i=0; while :; do i=$((i+1)); echo $i >" WS "/beat; done\n");
	wait_there(WS "/beat", 60);
	engine_end(SIGKILL);
	CHECK(time(NULL) < made + 25);
	sleep(made + 30 - time(NULL));
	before = get(WS "/beat");
	sleep(3);
	after = get(WS "/beat");
	CHECK_STR(before, after);
	engine_start("/tmp/settings.yaml", CONTROL);
	for (int i = 0; i < 200 && !strstr(state, "ended"); i++) {
		(void)asked(id, "refused", state);
		usleep(100000);
	}
	CHECK_STR(state, "ended: its deadline passed");
	CHECK_EQ(sh("ps | grep -v grep | grep -q " WS "/script"), 1);
	done();
}

TEST(engine_vm_reloads_under_load_lose_no_count)
{
	char id[32];
	_free_ char *fails = NULL;
	static const char only[] =
		"version: 1\npolicy: swap\nuses: [base]\n" OPEN "files:\n  read: [" WS "/script, " WS "/%s]\n  write: [" WS "/fails, " WS "/stop]\n";
	char text[1000];

	begin();
	put(WS "/a", "a");
	put(WS "/b", "b");
	snprintf(text, sizeof(text), only, "a");
	put("/tmp/a.yaml", text);
	snprintf(text, sizeof(text), only, "b");
	put("/tmp/b.yaml", text);
	create("/tmp/a.yaml", "", id);
	exec_in_background(id, "n=0; i=0; while [ $i -lt 80 ]; do for f in a b; do cat " WS "/$f >/dev/null 2>&1 || n=$((n+1)); done; i=$((i+1)); done\n"
		"echo $n >" WS "/fails; sleep 10000\n");
	for (int i = 0; i < 200 && !there(WS "/fails"); i++)
		must(sh("bailiff reload %s -p /tmp/%c.yaml", id, i % 2 ? 'a' : 'b'), "reload");
	wait_there(WS "/fails", 60);
	usleep(100000);
	fails = get(WS "/fails");
	CHECK(atoi(fails) > 20);
	CHECK_EQ(asked(id, "refused", NULL), atoi(fails));
	must(sh("bailiff end %s", id), "end");
	engine_end(SIGTERM);
	done();
}

TEST(engine_vm_a_member_gets_at_nothing_of_the_engine_also_where_settings_moved_it)
{
	static const char settings[] = "run_dir: /data/run\njournal_dir: /data/journal\nkey_dir: /data/keys\n";
	static const char all[] = "version: 1\npolicy: all\n" OPEN "files:\n  read: [/]\n  write: [/]\n  execute: [/]\nsockets: {unix: [/data]}\n";
	static const char *const acts[] = {
		"cat /data/keys/*", "ls /data/journal", "echo x >/data/run/lock", "rm -f /data/run/control", "mv /data /date", "ls /sys/fs/bpf/bailiff",
		"rm -rf /sys/fs/bpf/bailiff/links", "bailiff ps", "kill -9 $(cat /tmp/engine.pid)", "ls /proc/$(cat /tmp/engine.pid)/fd",
		"echo 0 >/sys/fs/cgroup/cgroup.procs",
	};
	char pid[16];
	int code;

	clear();
	put("/tmp/moved.yaml", settings);
	put("/tmp/all.yaml", all);
	engine_start("/tmp/moved.yaml", "/data/run/control");
	snprintf(pid, sizeof(pid), "%d", engine);
	put("/tmp/engine.pid", pid);
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		CASE("%s", acts[i]);
		code = sh("BAILIFF_SETTINGS=/tmp/moved.yaml bailiff run -p /tmp/all.yaml -- sh -c '%s'", acts[i]);
		if (!code || code == 125)
			shown(acts[i]);
		CHECK(code && code != 125);	/* refused, and not for want of a sandbox */
		CHECK_EQ(waitpid(engine, NULL, WNOHANG), 0);
	}
	CASE("%s", "");
	CHECK_EQ(sh("BAILIFF_SETTINGS=/tmp/moved.yaml bailiff run -p /tmp/all.yaml -- sh -c 'echo free >/free'"), 0);
	CHECK_EQ(sh("cat /data/keys/* >/dev/null && ls /data/journal /sys/fs/bpf/bailiff"), 0);	/* outside it all succeeds */
	engine_end(SIGTERM);
}

TEST_MAIN()
