/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine as a whole, in a process of its own, on a fake kernel side: real control socket, cgroups, processes, journal. What it
 * did is read from its replies, from the fake and from the journal.
 */
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "base/file.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/control.h"
#include "engine/engine.h"
#include "event/event.h"
#include "journal/journal.h"
#include "policy/policy.h"
#include "sandbox/cgroup.h"
#include "tests/unit/fake_kernel.h"
#include "tests/unit/test.h"

static const char demo[] =
	"version: 1\npolicy: demo\nowner: tests\nopen: [devices, privileges, limits, session, labels]\n"
	"files:\n  read: [{path: /usr, id: usr}]\n  deny: [{path: /usr/secret, id: secret, why: a secret}]\n";
static const char demo2[] =
	"version: 1\npolicy: demo\nowner: tests\nopen: [devices, privileges, limits, session, labels]\n"
	"files:\n  read: [{path: /usr, id: usr}, {path: /opt, id: opt}]\n  deny: [{path: /usr/secret, id: secret, why: a secret}]\n";

struct world {
	char dir[64], run[96], journal[96], keys[96], control[128], mount[256], parent[64];
	struct cgroups *cgroups;	/* our own view */
	pid_t engine;
	int sock;
};

/* ---- the world ---- */
/* A failed test leaves its engine and more behind: the next one clears that away. */
static pid_t last_engine;
static struct cgroups *last_cgroups;

static void open_world(struct world *w)
{
	if (last_engine) {
		kill(last_engine, SIGKILL);
		waitpid(last_engine, NULL, 0);
	}
	cgroups_close(last_cgroups);
	last_cgroups = NULL;
	last_engine = 0;
	memset(w, 0, sizeof(*w));
	w->sock = -1;
	if (getuid())
		SKIP("needs root");
	if (cgroup_find_mount("/proc/self/mountinfo", w->mount, sizeof(w->mount)))
		SKIP("needs a cgroup v2 mount");
	snprintf(w->parent, sizeof(w->parent), "bailiff-test-%d", getpid());
	if (cgroups_open(w->mount, w->parent, &w->cgroups))
		SKIP("cgroup v2 at %s is not writable here", w->mount);
	last_cgroups = w->cgroups;
	if (!fake)
		fake_init();
	fake_reset();
	strcpy(w->dir, "/tmp/bailiff-flow-XXXXXX");
	CHECK(mkdtemp(w->dir) != NULL);
	snprintf(w->run, sizeof(w->run), "%s/run", w->dir);
	snprintf(w->journal, sizeof(w->journal), "%s/journal", w->dir);
	snprintf(w->keys, sizeof(w->keys), "%s/keys", w->dir);
	snprintf(w->control, sizeof(w->control), "%s/control", w->run);
}

static void set(struct settings *s, const char *key, const char *value)
{
	struct settings_error why;
	char text[512];

	snprintf(text, sizeof(text), "%s=%s", key, value);
	if (settings_set(s, text, &why)) {
		printf("# %s\n", why.text);
		_exit(9);
	}
}

static void engine_process(struct world *w, bool on_demand, const char *linger, int ready)
{
	struct settings s;
	struct engine *e;
	char why[ENGINE_WHY] = "";

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 3; fd < 256; fd++) {	/* as after an exec: it must not hold the gates of blocked children open */
		if (fd != ready && fd != fake_ring_fd)
			close(fd);
	}
	if (settings_init(&s))
		_exit(9);
	set(&s, "run_dir", w->run);
	set(&s, "journal_dir", w->journal);
	set(&s, "key_dir", w->keys);
	set(&s, "cgroup_parent", w->parent);
	set(&s, "host", "testhost");
	set(&s, "linger_seconds", linger);
	if (engine_open(&s, on_demand, &e, why)) {
		printf("# engine: %s\n", why);
		_exit(9);
	}
	(void)!write(ready, "r", 1);
	engine_run(e);
	engine_close(e);
	settings_done(&s);
	exit(0);	/* with the leak check, where there is one */
}

static void engine_start_as(struct world *w, bool on_demand, const char *linger)
{
	int ready[2];
	char c;

	CHECK_OK(pipe2(ready, O_CLOEXEC));
	fflush(stdout);
	w->engine = fork();
	CHECK(w->engine >= 0);
	last_engine = w->engine;
	if (!w->engine) {
		log_set_level(LOG_LEVEL_ERR);
		engine_process(w, on_demand, linger, ready[1]);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	close(ready[0]);
	CHECK_OK(control_connect(w->control, &w->sock));
}

static void engine_start(struct world *w)
{
	engine_start_as(w, false, "3600");
}

static void engine_gone(struct world *w, int how)
{
	int status;

	if (how)
		CHECK_OK(kill(w->engine, how));
	CHECK_EQ(waitpid(w->engine, &status, 0), w->engine);
	if (how != SIGKILL)
		CHECK_EQ(status, 0);
	w->engine = last_engine = 0;
	if (w->sock >= 0)
		close(w->sock);
	w->sock = -1;
}

static void close_world(struct world *w)
{
	char cmd[512];

	if (w->engine)
		engine_gone(w, SIGTERM);
	cgroups_close(w->cgroups);
	last_cgroups = NULL;
	snprintf(cmd, sizeof(cmd), "%s/%s", w->mount, w->parent);
	CHECK_OK(rmdir(cmd));	/* nothing is left in it */
	snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
	CHECK_OK(system(cmd));
}

/* ---- asking ---- */
static void begin(struct buf *b, const char *op, const char *id)
{
	kv_begin(b);
	kv_add_str(b, "op", op);
	kv_add_str(b, "id", id);
}

static void ask(struct world *w, struct buf *b, int fd, struct control_message *m)
{
	int err = control_call(w->sock, b, &fd, fd >= 0, m);

	if (err && kv_get(&m->kv, "error"))
		printf("# %s\n", kv_get(&m->kv, "error"));
	CHECK_OK(err);
	buf_done(b);
}

static int ask_refused(struct world *w, struct buf *b, int fd, char error[512])
{
	struct control_message m;
	int err = control_call(w->sock, b, &fd, fd >= 0, &m);

	snprintf(error, 512, "%s", err && m.kv.count ? kv_get(&m.kv, "error") : "");
	control_message_done(&m);
	buf_done(b);
	return err;
}

static uint64_t number(const struct control_message *m, const char *key)
{
	uint64_t v = UINT64_MAX;

	(void)kv_get_u64(&m->kv, key, &v);
	return v;
}

static void create_begin(struct buf *b, const char *text)
{
	begin(b, "create", NULL);
	kv_add_str(b, "policy", text);
	kv_add_str(b, "policy_file", "demo.yaml");
}

static void created(struct world *w, struct buf *b, int fd, char id[ULID_CHARS + 1])
{
	struct control_message m;

	ask(w, b, fd, &m);
	snprintf(id, ULID_CHARS + 1, "%s", kv_get(&m.kv, "id"));
	CHECK(ulid_valid(id));
	control_message_done(&m);
}

static void create(struct world *w, bool held, char id[ULID_CHARS + 1])
{
	struct buf b = { 0 };

	create_begin(&b, demo);
	if (held)
		kv_add_str(&b, "held", "1");
	created(w, &b, -1, id);
}

/* A blocked child, as `run` would make it. */
struct kid {
	pid_t pid;
	int pidfd, go;
};

static void kid_make(struct kid *k)
{
	int go[2];

	CHECK_OK(pipe2(go, O_CLOEXEC));
	fflush(stdout);
	k->pid = fork();
	CHECK(k->pid >= 0);
	if (!k->pid) {
		char c;

		close(go[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)!read(go[0], &c, 1);
		_exit(0);
	}
	close(go[0]);
	k->go = go[1];
	k->pidfd = syscall(SYS_pidfd_open, k->pid, 0);
	CHECK(k->pidfd >= 0);
}

static int kid_end(struct kid *k)
{
	int status;

	close(k->go);
	CHECK_EQ(waitpid(k->pid, &status, 0), k->pid);
	close(k->pidfd);
	return status;
}

static void wait_killed(struct kid *k)
{
	int status;

	CHECK_EQ(waitpid(k->pid, &status, 0), k->pid);
	CHECK(WIFSIGNALED(status));
	close(k->go);
	close(k->pidfd);
}

static void start_begin(struct buf *b, const char *id, const struct kid *k)
{
	begin(b, "start", id);
	kv_add_u64(b, "pid", k->pid);
	kv_add_str(b, "arg", "sh");
	kv_add_str(b, "arg", "-c");
	kv_add_str(b, "arg", "true");
	kv_add_str(b, "call", "call-7");
	kv_add_str(b, "trace", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

static uint64_t start(struct world *w, const char *id, const struct kid *k)
{
	struct buf b = { 0 };
	struct control_message m;
	uint64_t command;

	start_begin(&b, id, k);
	ask(w, &b, k->pidfd, &m);
	command = number(&m, "command");
	control_message_done(&m);
	return command;
}

static void state_of(struct world *w, const char *id, char state[16])
{
	struct buf b = { 0 };
	struct control_message m;

	begin(&b, "summary", id);
	ask(w, &b, -1, &m);
	snprintf(state, 16, "%s", kv_get(&m.kv, "state"));
	control_message_done(&m);
}

static void wait_state(struct world *w, const char *id, const char *wanted)
{
	char state[16] = "";

	for (int i = 0; i < 400 && strcmp(state, wanted); i++) {
		if (i)
			usleep(10000);
		state_of(w, id, state);
	}
	CHECK_STR(state, wanted);
}

/* Of ended sandboxes the kernel's side goes when their end is on the disk. */
static void wait_released(void)
{
	for (int i = 0; i < 400 && fake_living(); i++)
		usleep(10000);
	CHECK_EQ(fake_living(), 0);
}

static uint64_t end(struct world *w, const char *id)
{
	struct buf b = { 0 };
	struct control_message m;
	uint64_t killed;

	begin(&b, "end", id);
	ask(w, &b, -1, &m);
	killed = number(&m, "killed");
	control_message_done(&m);
	return killed;
}

/* ---- the record ---- */
/* Lines of the journal that hold each of these texts. */
static size_t lines(struct world *w, const char *a, const char *b, const char *c)
{
	struct journal_cursor *cursor;
	struct journal_line line;
	size_t n = 0;
	int r;

	CHECK_OK(journal_cursor_open(w->journal, NULL, &cursor));
	while ((r = journal_cursor_read(cursor, &line)) == 1)
		n += memmem(line.text, line.len, a, strlen(a)) && (!b || memmem(line.text, line.len, b, strlen(b))) &&
		     (!c || memmem(line.text, line.len, c, strlen(c)));
	journal_cursor_close(cursor);
	CHECK_EQ(r, 0);
	return n;
}

static void wait_lines(struct world *w, size_t wanted, const char *a, const char *b, const char *c)
{
	size_t n = 0;

	for (int i = 0; i < 500 && (n = lines(w, a, b, c)) < wanted; i++)
		usleep(10000);
	CHECK_EQ(n, wanted);
}

static uint64_t kernel_id(size_t nth)
{
	for (size_t i = 0; i < FAKE_ROWS; i++) {
		if (fake->rows[i].sandbox.id && !nth--)
			return fake->rows[i].sandbox.id;
	}
	return 0;
}

static uint32_t rule_number(const char *text, const char *id)
{
	struct policy_source src = { .text = text, .file = "demo.yaml", .len = strlen(text) };
	struct diags d = { 0 };
	struct policy_rule_info info;
	struct policy *p;
	uint32_t rule = RULE_NONE;

	CHECK_OK(policy_load(&src, &p, &d));
	for (uint32_t i = 0; i < policy_rule_count(p); i++) {
		if (!policy_rule(p, i, &info) && !strcmp(info.id, id))
			rule = i;
	}
	policy_free(p);
	diags_done(&d);
	CHECK(rule != RULE_NONE);
	return rule;
}

struct refusal {
	struct rec_decision d;
	char path[16];
};

static void refuse(uint64_t sandbox, uint32_t rule, uint64_t repeats, bool lose)
{
	struct fake_row *row = fake_row(sandbox);
	struct refusal r = {
		.d = {
			.h = { .type = REC_DECISION, .ring = RING_DECISIONS, .size = sizeof(r), .cpu = 1, .command = 1, .sandbox = sandbox,
				.generation = row->sandbox.generation, .tgid = 4242, .pid = 4242, .parent_tgid = 1, .comm = "cat",
				.time_ns = clock_boot_ns(), .start_ns = 5, .parent_start_ns = 1 },
			.verdict = VERDICT_DENY, .class_id = CLASS_FILES, .verb = VERB_READ, .operation = ACT_OPEN, .rule = rule,
			.error = -EACCES, .repeats = repeats, .first_ns = repeats ? clock_boot_ns() - 1000 : 0, .path_len = 11,
		},
		.path = "/usr/secret",
	};

	if (rule >= BUILTIN_BASE)
		rule += row->nrules - BUILTIN_BASE;	/* its cell: builtin ones stand behind the policy's */
	CHECK(rule < FAKE_CELLS);
	row->cells[rule].refused += 1 + repeats;
	r.d.h.size = sizeof(r.d) + r.d.path_len;
	fake_submit(&r.d.h, lose);
}

/* ---- claims ---- */
TEST(engine_run_of_one_command_from_create_to_the_last_exit)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1], key[64];

	open_world(&w);
	engine_start(&w);
	create(&w, false, id);
	CHECK_EQ(fake->attaches, 1);
	CHECK_EQ(cgroup_populated(w.cgroups, id, 0), 0);
	kid_make(&k);
	CHECK_EQ(start(&w, id, &k), 1);
	CHECK_EQ(cgroup_populated(w.cgroups, id, 1), 1);
	CHECK_EQ(fake->labels, 1);
	CHECK(cgroup_holds(w.cgroups, k.pid));
	CHECK_EQ(kid_end(&k), 0);
	wait_state(&w, id, "ended");
	wait_released();
	engine_gone(&w, SIGTERM);
	snprintf(key, sizeof(key), "\"%s\"", id);
	CHECK_EQ(lines(&w, "\"session.start\"", key, "demo"), 1);
	CHECK_EQ(lines(&w, "\"policy.load\"", key, "demo.yaml"), 1);
	CHECK_EQ(lines(&w, "\"coverage\"", key, "devices"), 1);
	CHECK_EQ(lines(&w, "\"command.start\"", key, "sh -c true"), 1);
	CHECK_EQ(lines(&w, "\"command.start\"", "call-7", "0af7651916cd43dd8448eb211c80319c"), 1);
	CHECK_EQ(lines(&w, "\"session.end\"", key, "its last process left"), 1);
	CHECK_EQ(lines(&w, "\"engine.stop\"", NULL, NULL), 1);
	close_world(&w);
}

TEST(engine_end_kills_all_commands_and_answers_when_nothing_lives)
{
	struct world w;
	struct kid k[3];
	char id[ULID_CHARS + 1];
	int status;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	for (uint32_t i = 0; i < 3; i++) {
		kid_make(&k[i]);
		CHECK_EQ(start(&w, id, &k[i]), i + 1);
	}
	CHECK_EQ(end(&w, id), 3);
	wait_released();
	CHECK_EQ(cgroup_populated(w.cgroups, id, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(k[i].pid, &status, WNOHANG), k[i].pid);	/* dead already, when the answer came */
		CHECK(WIFSIGNALED(status));
		close(k[i].go);
		close(k[i].pidfd);
	}
	CHECK_EQ(end(&w, id), 0);	/* over is over */
	close_world(&w);
}

TEST(engine_a_held_sandbox_stays_while_empty_and_its_finished_commands_leave_no_cgroup)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];
	uint64_t cgroup;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	for (uint32_t i = 1; i <= 3; i++) {
		kid_make(&k);
		CHECK_EQ(start(&w, id, &k), i);
		kid_end(&k);
		for (int n = 0; n < 200 && !cgroup_id_of(w.cgroups, id, i, &cgroup); n++)
			usleep(10000);
		CHECK_EQ(cgroup_id_of(w.cgroups, id, i, &cgroup), -ENOENT);
	}
	wait_state(&w, id, "live");
	CHECK_EQ(fake->forgets, 3);
	CHECK_EQ(end(&w, id), 0);
	close_world(&w);
}

TEST(engine_a_sandbox_whose_creator_leaves_before_the_first_command_ends)
{
	struct world w;
	char id[ULID_CHARS + 1], held[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, false, id);
	create(&w, true, held);
	close(w.sock);
	CHECK_OK(control_connect(w.control, &w.sock));
	wait_state(&w, id, "ended");
	wait_state(&w, held, "live");
	end(&w, held);
	close_world(&w);
}

TEST(engine_a_deadline_ends_a_sandbox_with_everything_in_it)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_u64(&b, "deadline_ms", 300);
	kv_add_str(&b, "held", "1");
	created(&w, &b, -1, id);
	CHECK(fake->rows[0].sandbox.deadline_ns > clock_boot_ns());
	kid_make(&k);
	start(&w, id, &k);
	wait_state(&w, id, "ended");
	wait_killed(&k);
	wait_lines(&w, 1, "\"session.end\"", "its deadline passed", NULL);
	close_world(&w);
}

TEST(engine_a_sandbox_ends_when_the_other_end_of_its_descriptor_closes)
{
	struct world w;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };
	int hold[2], file;

	open_world(&w);
	engine_start(&w);
	CHECK_OK(pipe2(hold, O_CLOEXEC));
	create_begin(&b, demo);
	kv_add_str(&b, "while_fd", "1");
	created(&w, &b, hold[0], id);
	close(hold[0]);
	CHECK_EQ(write(hold[1], "noise", 5), 5);	/* what is written there means nothing */
	wait_state(&w, id, "live");
	close(hold[1]);
	wait_state(&w, id, "ended");
	create_begin(&b, demo);
	kv_add_str(&b, "while_fd", "1");
	file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	CHECK(ask_refused(&w, &b, file, error) < 0);	/* a file has no other end */
	CHECK_HAS(error, "cannot be watched");
	close(file);
	wait_released();
	close_world(&w);
}

TEST(engine_start_takes_only_the_askers_own_living_child_with_its_own_pidfd)
{
	struct world w;
	struct kid k, other;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };
	int own;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	kid_make(&other);
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, other.pidfd, error), -EBADF);	/* somebody else's pidfd */
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, k.go, error), -EBADF);		/* no pidfd at all */
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EINVAL);
	own = syscall(SYS_pidfd_open, getppid(), 0);
	begin(&b, "start", id);
	kv_add_u64(&b, "pid", getppid());
	CHECK_EQ(ask_refused(&w, &b, own, error), -EPERM);		/* not our child */
	close(own);
	CHECK_OK(kill(other.pid, SIGKILL));
	for (int i = 0; i < 100; i++) {
		siginfo_t si = { 0 };

		if (!waitid(P_PID, other.pid, &si, WEXITED | WNOWAIT | WNOHANG) && si.si_pid)
			break;
		usleep(10000);
	}
	start_begin(&b, id, &other);
	CHECK_EQ(ask_refused(&w, &b, other.pidfd, error), -EPERM);	/* dead, and not yet reaped */
	CHECK_EQ(fake->labels, 0);
	kid_end(&other);
	CHECK_EQ(kid_end(&k), 0);	/* it was not touched */
	end(&w, id);
	close_world(&w);
}

TEST(engine_a_child_that_cannot_be_labelled_is_killed_and_never_runs_free)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	fake->fail_label = true;
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, k.pidfd, error), -ENOMEM);
	CHECK_HAS(error, "was killed");
	wait_killed(&k);
	fake->fail_label = false;
	kid_make(&k);
	CHECK_EQ(start(&w, id, &k), 2);	/* the number of the failed one is not used again */
	kid_end(&k);
	end(&w, id);
	close_world(&w);
}

TEST(engine_a_wrong_policy_is_refused_with_file_line_and_column_and_leaves_nothing)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create_begin(&b, "version: 1\npolicy: x\nfils: {}\n");
	CHECK_EQ(control_call(w.sock, &b, NULL, 0, &m), -EINVAL);
	CHECK_HAS(kv_get(&m.kv, "diag"), "demo.yaml:3:1: error");
	control_message_done(&m);
	buf_done(&b);
	CHECK_EQ(fake->attaches, 0);
	CHECK_EQ(fake_living(), 0);
	close_world(&w);
}

TEST(engine_without_lsm_programs_starts_only_what_accepts_it_and_says_so)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };
	char error[512];

	open_world(&w);
	fake->can_enforce = false;
	engine_start(&w);
	create_begin(&b, demo);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EOPNOTSUPP);
	CHECK_HAS(error, "--allow-degraded");
	create_begin(&b, demo);
	kv_add_str(&b, "allow_degraded", "1");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "enforced"), 0);
	CHECK_HAS(kv_get(&m.kv, "notice"), "NOT ENFORCED");
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	CHECK_EQ(end(&w, kv_get(&m.kv, "id")), 0);
	control_message_done(&m);
	wait_lines(&w, 1, "\"coverage\"", "NOT ENFORCED", NULL);
	close_world(&w);
}

TEST(engine_tells_what_is_enforced_and_hands_out_the_floor_in_enforce_alone)
{
	struct world w;
	struct control_message m;
	const struct kv_pair *floor;
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_str(&b, "name", "my agent");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "(my agent) enforce: files network sockets guard in the kernel; seccomp floor on; not built yet: devices");
	CHECK_EQ(number(&m, "enforced"), 1);
	floor = kv_find(&m.kv, "seccomp", NULL);
	CHECK(floor->value_len > 100 && floor->value_len % 8 == 0);
	end(&w, kv_get(&m.kv, "id"));
	wait_released();
	control_message_done(&m);
	create_begin(&b, demo);
	kv_add_str(&b, "stage", "observe");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "(demo) observe");
	CHECK_EQ(number(&m, "enforced"), 0);
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	CHECK_EQ(fake->rows[0].sandbox.stage, STAGE_OBSERVE);
	end(&w, kv_get(&m.kv, "id"));
	control_message_done(&m);
	create_begin(&b, "version: 1\npolicy: loose\nopen: [network, devices, files, privileges, limits, session, labels]\n");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "(loose) enforce: sockets guard in the kernel;");
	CHECK_HAS(kv_get(&m.kv, "notice"), "; OPEN by policy, nothing of it is judged: files network; not built yet: devices privileges");
	end(&w, kv_get(&m.kv, "id"));
	control_message_done(&m);
	close_world(&w);
}

/* libseccomp's own, asked by the floor before anything else. */
uint32_t seccomp_arch_native(void)
{
	return fake->no_floor ? SCMP_ARCH_AARCH64 : SCMP_ARCH_X86_64;
}

TEST(engine_without_a_seccomp_floor_starts_nothing_in_enforce_and_says_why)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };
	char error[512];

	open_world(&w);
	fake->no_floor = true;
	engine_start(&w);
	create_begin(&b, demo);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EOPNOTSUPP);
	CHECK_HAS(error, "the seccomp floor cannot be built here (Function not implemented)");
	CHECK_HAS(error, "--allow-degraded");
	CHECK_EQ(fake_living(), 0);
	begin(&b, "coverage", NULL);
	ask(&w, &b, -1, &m);
	CHECK_STR(kv_get(&m.kv, "complete"), "0");
	control_message_done(&m);
	create_begin(&b, demo);
	kv_add_str(&b, "stage", "observe");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "seccomp floor off");
	CHECK_EQ(end(&w, kv_get(&m.kv, "id")), 0);
	control_message_done(&m);
	close_world(&w);
}

TEST(engine_starts_without_a_floor_what_was_made_with_allow_degraded_and_records_that)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };
	char id[ULID_CHARS + 1];

	open_world(&w);
	fake->no_floor = true;
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_str(&b, "allow_degraded", "1");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "guard in the kernel; seccomp floor OFF (--allow-degraded)");
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	snprintf(id, sizeof(id), "%s", kv_get(&m.kv, "id"));
	control_message_done(&m);
	wait_lines(&w, 1, "\"coverage\"", "the floor cannot be built here", NULL);
	begin(&b, "filter", id);
	ask(&w, &b, -1, &m);
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	control_message_done(&m);
	CHECK_EQ(end(&w, id), 0);
	close_world(&w);
}

TEST(engine_that_lost_its_floor_starts_nothing_further_in_a_sandbox_made_with_one)
{
	struct world w;
	struct buf b = { 0 };
	char id[ULID_CHARS + 1], error[512];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	engine_gone(&w, SIGKILL);
	fake->no_floor = true;
	engine_start(&w);
	begin(&b, "filter", id);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ENOSYS);
	CHECK_HAS(error, "nothing further starts in it");
	end(&w, id);
	close_world(&w);
}

TEST(engine_records_a_refusal_with_rule_file_and_line_and_counts_it)
{
	struct world w;
	struct control_message m;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule_number(demo, "secret"), 0, false);
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 1);
	CHECK_EQ(number(&m, "events"), 1);
	control_message_done(&m);
	end(&w, id);
	wait_lines(&w, 1, "\"/usr/secret\"", "\"secret\"", "demo.yaml");
	close_world(&w);
}

static void check_why(struct world *w, const char *id, const char *part)
{
	struct buf b = { 0 };
	struct control_message m;

	begin(&b, "summary", id);
	ask(w, &b, -1, &m);
	CHECK(!part == !kv_get(&m.kv, "why"));
	CHECK(!part || strstr(kv_get(&m.kv, "why"), part));
	control_message_done(&m);
}

TEST(engine_tells_the_newest_refusal_of_a_sandbox_also_when_it_has_ended)
{
	struct world w;
	char id[ULID_CHARS + 1];
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	check_why(&w, id, NULL);
	fake->rows[0].why = (struct why_entry){ .key = 1, .rule = rule, .generation = 1, .times = 1, .error = -EACCES, .operation = ACT_OPEN };
	check_why(&w, id, ": refused (EACCES) by rule secret (");
	end(&w, id);
	wait_released();
	check_why(&w, id, ": refused (EACCES) by rule secret (");
	close_world(&w);
}

TEST(engine_final_counts_hold_what_no_event_tells)
{
	struct world w;
	struct control_message m;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule, 999, false);
	for (int i = 0; i < 7; i++)
		refuse(kernel_id(0), RULE_BUILTIN(MOUNT), 0, true);	/* no room in the ring */
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 1007);
	control_message_done(&m);
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"session.end\"", "1000", "guard.mount"), 1);
	CHECK_EQ(lines(&w, "\"gap\"", "\"count\":7", NULL), 1);
	close_world(&w);
}

TEST(engine_reload_replaces_a_policy_and_old_records_keep_their_names)
{
	struct world w;
	struct control_message m;
	struct refusal late = { 0 };
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule_number(demo, "secret"), 4, false);
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", demo2);
	kv_add_str(&b, "policy_file", "two.yaml");
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "generation"), 2);
	CHECK_HAS(kv_get(&m.kv, "digest"), "sha256:");
	control_message_done(&m);
	/* a record of the first generation that comes late */
	late.d = (struct rec_decision){ .h = { .type = REC_DECISION, .ring = RING_DECISIONS, .cpu = 2, .command = 1, .sandbox = kernel_id(0),
		.generation = 1, .tgid = 9, .pid = 9, .comm = "late", .time_ns = clock_boot_ns(), .size = sizeof(late.d) + 11 },
		.verdict = VERDICT_DENY, .class_id = CLASS_FILES, .verb = VERB_READ, .operation = ACT_OPEN,
		.rule = rule_number(demo, "secret"), .error = -EACCES, .path_len = 11 };
	memcpy(late.path, "/usr/secret", 11);
	fake_submit(&late.d.h, false);
	refuse(kernel_id(0), rule_number(demo2, "secret"), 0, false);
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 6);	/* both generations */
	control_message_done(&m);
	fake->fail_reload = true;
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", demo);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ENOSPC);
	CHECK_HAS(error, "the old one stays in force");
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", "nonsense");
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EINVAL);
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"late\"", "demo.yaml", "\"secret\""), 1);
	CHECK_EQ(lines(&w, "\"/usr/secret\"", "two.yaml", "\"secret\""), 1);
	CHECK_EQ(lines(&w, "\"policy.reload\"", "two.yaml", NULL), 1);
	close_world(&w);
}

TEST(engine_killed_its_successor_adopts_names_policies_commands_and_counts)
{
	struct world w;
	struct control_message m;
	struct kid k;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, false, id);
	kid_make(&k);
	start(&w, id, &k);
	refuse(kernel_id(0), rule, 0, false);
	wait_lines(&w, 1, "\"/usr/secret\"", NULL, NULL);
	engine_gone(&w, SIGKILL);
	refuse(kernel_id(0), rule, 2, false);	/* nobody is there, enforcement goes on */
	engine_start(&w);
	wait_state(&w, id, "live");
	CHECK_EQ(fake->loads, 1);
	begin(&b, "list", NULL);
	ask(&w, &b, -1, &m);
	CHECK_EQ(m.kv.count, 2);
	control_message_done(&m);
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 4);
	CHECK_EQ(number(&m, "commands"), 1);
	control_message_done(&m);
	CHECK_EQ(kid_end(&k), 0);
	wait_state(&w, id, "ended");	/* its end is found, though another engine started it */
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"/usr/secret\"", "demo.yaml", "\"secret\""), 2);
	CHECK_EQ(lines(&w, "\"engine.absent\"", NULL, NULL), 1);
	CHECK_EQ(lines(&w, "\"session.end\"", id, NULL), 1);
	CHECK_EQ(lines(&w, "\"gap\"", NULL, NULL), 0);
	close_world(&w);
}

static void lose_an_engine_after_a_reload(bool within)
{
	struct control_message m = { 0 };
	struct buf b = { 0 };
	char id[ULID_CHARS + 1];
	struct world w;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule_number(demo, "secret"), 4, false);
	fake->die_in_reload = within;
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", demo2);
	kv_add_str(&b, "policy_file", "two.yaml");
	if (within)
		CHECK(control_call(w.sock, &b, NULL, 0, &m) < 0);
	else
		CHECK_OK(control_call(w.sock, &b, NULL, 0, &m));
	buf_done(&b);
	control_message_done(&m);
	fake->die_in_reload = false;
	engine_gone(&w, SIGKILL);
	refuse(kernel_id(0), rule_number(demo2, "secret"), 1, false);
	engine_start(&w);
	wait_state(&w, id, "live");
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 7);
	control_message_done(&m);
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"session.end\"", "\"secret\":[2,0]", "\"secret@1\":[5,0]"), 1);
	close_world(&w);
}

TEST(engine_killed_counts_of_a_replaced_policy_are_not_lost)
{
	lose_an_engine_after_a_reload(false);
}

TEST(engine_killed_in_the_middle_of_a_reload_no_count_is_lost)
{
	lose_an_engine_after_a_reload(true);
}

TEST(engine_killed_its_successor_ends_what_nobody_will_ever_start)
{
	char unused[ULID_CHARS + 1], held[ULID_CHARS + 1];
	struct world w;

	open_world(&w);
	engine_start(&w);
	create(&w, false, unused);
	create(&w, true, held);
	engine_gone(&w, SIGKILL);
	engine_start(&w);
	wait_state(&w, unused, "ended");
	wait_state(&w, held, "live");
	end(&w, held);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"session.end\"", unused, "its creator left before the first command"), 1);
	close_world(&w);
}

TEST(engine_killed_what_was_drained_and_never_written_is_a_gap_of_exact_size)
{
	struct world w;
	char id[ULID_CHARS + 1];
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule, 0, false);
	wait_lines(&w, 1, "\"/usr/secret\"", NULL, NULL);
	engine_gone(&w, SIGKILL);
	for (int i = 0; i < 5; i++)
		refuse(kernel_id(0), rule, 0, true);	/* as if the dead engine had taken them from the ring */
	engine_start(&w);
	wait_lines(&w, 1, "\"gap\"", "\"count\":5", NULL);
	refuse(kernel_id(0), rule, 0, false);
	wait_lines(&w, 2, "\"/usr/secret\"", NULL, NULL);
	usleep(1500000);
	CHECK_EQ(lines(&w, "\"gap\"", NULL, NULL), 1);
	end(&w, id);
	close_world(&w);
}

TEST(engine_stopped_in_order_leaves_sandboxes_in_force_and_no_gap)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	start(&w, id, &k);
	refuse(kernel_id(0), RULE_BUILTIN(MOUNT), 0, false);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(fake_living(), 1);
	CHECK(fake->attached);
	CHECK_EQ(cgroup_populated(w.cgroups, id, 1), 1);
	engine_start(&w);
	CHECK_EQ(end(&w, id), 1);
	wait_killed(&k);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"gap\"", NULL, NULL), 0);
	CHECK(!fake->attached);		/* nobody is left to govern */
	close_world(&w);
}

TEST(engine_killed_while_a_sandbox_ends_its_successor_finishes_it)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1], state[16];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	start(&w, id, &k);
	fake->rows[0].sandbox.members = 1;	/* somebody got out of the cgroup and lives */
	begin(&b, "end", id);
	CHECK_OK(control_send(w.sock, &b, NULL, 0));
	buf_done(&b);
	for (int i = 0; i < 400 && fake->rows[0].sandbox.state != SANDBOX_ENDING; i++)
		usleep(10000);
	wait_killed(&k);
	engine_gone(&w, SIGKILL);
	CHECK_EQ(fake->rows[0].sandbox.state, SANDBOX_ENDING);
	engine_start(&w);
	state_of(&w, id, state);
	CHECK_STR(state, "ending");
	fake->rows[0].sandbox.members = 0;
	wait_state(&w, id, "ended");
	close_world(&w);
}

TEST(engine_finds_a_sandbox_that_lost_its_kernel_side_and_kills_what_lived_in_it)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	start(&w, id, &k);
	engine_gone(&w, SIGKILL);
	memset(fake->rows, 0, sizeof(fake->rows));	/* the pins are gone */
	engine_start(&w);
	wait_killed(&k);
	wait_lines(&w, 1, "\"session.end\"", "without its kernel side", id);
	for (int i = 0; i < 300 && cgroup_processes(w.cgroups, id); i++)
		usleep(10000);
	engine_gone(&w, SIGTERM);
	(void)cgroup_remove(w.cgroups, id, 0);
	close_world(&w);
}

TEST(engine_ends_a_sandbox_that_nobody_can_name)
{
	struct world w;
	char id[ULID_CHARS + 1], path[256];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	engine_gone(&w, SIGKILL);
	snprintf(path, sizeof(path), "%s/sandboxes/%s", w.run, id);
	CHECK_OK(unlink(path));
	engine_start(&w);
	wait_released();
	wait_lines(&w, 1, "\"session.end\"", "without a name", NULL);
	close_world(&w);
}

TEST(engine_without_bpf_lsm_takes_its_sandboxes_up_again_after_a_crash)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };

	open_world(&w);
	fake->can_enforce = false;
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_str(&b, "allow_degraded", "1");
	created(&w, &b, -1, id);
	kid_make(&k);
	start(&w, id, &k);
	engine_gone(&w, SIGKILL);
	engine_start(&w);
	wait_state(&w, id, "live");
	CHECK_EQ(fake_living(), 1);
	CHECK_EQ(kid_end(&k), 0);
	wait_state(&w, id, "ended");
	wait_lines(&w, 1, "\"engine.absent\"", NULL, NULL);
	close_world(&w);
}

TEST(engine_on_demand_leaves_when_idle_and_takes_its_programs_along)
{
	struct world w;
	char id[ULID_CHARS + 1];
	uint64_t began;

	open_world(&w);
	engine_start_as(&w, true, "1");
	create(&w, true, id);
	usleep(2500000);
	wait_state(&w, id, "live");	/* a sandbox keeps it */
	end(&w, id);
	began = clock_mono_ms();
	engine_gone(&w, 0);
	CHECK(clock_mono_ms() - began < 6000);
	CHECK_EQ(fake->detaches, 1);
	CHECK(access(w.control, F_OK));
	close_world(&w);
}

TEST(engine_an_end_that_gets_stuck_is_told_and_the_sandbox_stays_refused)
{
	struct world w;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	fake->rows[0].sandbox.members = 2;
	begin(&b, "end", id);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EBUSY);
	CHECK_HAS(error, "2 tasks of it still live outside its cgroup");
	CHECK_EQ(fake->rows[0].sandbox.state, SANDBOX_ENDING);
	fake->rows[0].sandbox.members = 0;
	wait_state(&w, id, "ended");
	close_world(&w);
}

TEST(engine_refuses_what_it_does_not_know_and_members)
{
	struct world w;
	char error[512], id[ULID_CHARS + 1];
	struct buf b = { 0 };
	pid_t pid;
	int status, go[2];

	open_world(&w);
	engine_start(&w);
	begin(&b, "frobnicate", NULL);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ENOSYS);
	begin(&b, "summary", "01ARYZ6S41TSV4RRFFQ69G5FAV");
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ESRCH);
	begin(&b, "summary", "../../etc/passwd");
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ESRCH);
	create(&w, true, id);
	CHECK_OK(pipe2(go, O_CLOEXEC));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct control_message m;
		int sock;
		char c;

		(void)!read(go[0], &c, 1);
		if (control_connect(w.control, &sock) || control_receive(sock, &m))
			_exit(1);
		_exit(strstr(kv_get(&m.kv, "error"), "may not ask the engine") ? 0 : 2);
	}
	CHECK_OK(cgroup_move(w.cgroups, id, 0, pid));
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	end(&w, id);
	close_world(&w);
}

TEST_MAIN()
