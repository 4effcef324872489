/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine in a process of its own, on a fake kernel side: real control socket, cgroups, processes, journal. What it did is read from its
 * replies, from the fake and from the journal (engine_record.h). For one file of a test, as the fake is.
 */
#ifndef TESTS_UNIT_ENGINE_WORLD_H
#define TESTS_UNIT_ENGINE_WORLD_H

#include <fcntl.h>
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

static const char demo[] __attribute__((unused)) =
	"version: 1\npolicy: demo\nowner: tests\nopen: [devices, privileges, limits, session, labels]\n"
	"files:\n  read: [{path: /usr, id: usr}]\n  deny: [{path: /usr/secret, id: secret, why: a secret}]\n";
static const char demo2[] __attribute__((unused)) =
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

static inline void open_world(struct world *w)
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

static inline void set(struct settings *s, const char *key, const char *value)
{
	struct settings_error why;
	char text[512];

	snprintf(text, sizeof(text), "%s=%s", key, value);
	if (settings_set(s, text, &why)) {
		printf("# %s\n", why.text);
		_exit(9);
	}
}

static inline void engine_process(struct world *w, bool on_demand, const char *linger, int ready)
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

static inline void engine_start_as(struct world *w, bool on_demand, const char *linger)
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

static inline void engine_start(struct world *w)
{
	engine_start_as(w, false, "3600");
}

static inline void engine_gone(struct world *w, int how)
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

static inline void close_world(struct world *w)
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
static inline void begin(struct buf *b, const char *op, const char *id)
{
	kv_begin(b);
	kv_add_str(b, "op", op);
	kv_add_str(b, "id", id);
}

static inline void ask(struct world *w, struct buf *b, int fd, struct control_message *m)
{
	int err = control_call(w->sock, b, &fd, fd >= 0, m);

	if (err && kv_get(&m->kv, "error"))
		printf("# %s\n", kv_get(&m->kv, "error"));
	CHECK_OK(err);
	buf_done(b);
}

static inline int ask_refused(struct world *w, struct buf *b, int fd, char error[512])
{
	struct control_message m;
	int err = control_call(w->sock, b, &fd, fd >= 0, &m);

	snprintf(error, 512, "%s", err && m.kv.count ? kv_get(&m.kv, "error") : "");
	control_message_done(&m);
	buf_done(b);
	return err;
}

static inline uint64_t number(const struct control_message *m, const char *key)
{
	uint64_t v = UINT64_MAX;

	(void)kv_get_u64(&m->kv, key, &v);
	return v;
}

static inline void create_begin(struct buf *b, const char *text)
{
	begin(b, "create", NULL);
	kv_add_str(b, "policy", text);
	kv_add_str(b, "policy_file", "demo.yaml");
}

static inline void created(struct world *w, struct buf *b, int fd, char id[ULID_CHARS + 1])
{
	struct control_message m;

	ask(w, b, fd, &m);
	snprintf(id, ULID_CHARS + 1, "%s", kv_get(&m.kv, "id"));
	CHECK(ulid_valid(id));
	control_message_done(&m);
}

static inline void create(struct world *w, bool held, char id[ULID_CHARS + 1])
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

static inline void kid_make(struct kid *k)
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

static inline int kid_end(struct kid *k)
{
	int status;

	close(k->go);
	CHECK_EQ(waitpid(k->pid, &status, 0), k->pid);
	close(k->pidfd);
	return status;
}

static inline void wait_killed(struct kid *k)
{
	int status;

	CHECK_EQ(waitpid(k->pid, &status, 0), k->pid);
	CHECK(WIFSIGNALED(status));
	close(k->go);
	close(k->pidfd);
}

static inline void start_begin(struct buf *b, const char *id, const struct kid *k)
{
	begin(b, "start", id);
	kv_add_u64(b, "pid", k->pid);
	kv_add_str(b, "arg", "sh");
	kv_add_str(b, "arg", "-c");
	kv_add_str(b, "arg", "true");
	kv_add_str(b, "call", "call-7");
	kv_add_str(b, "trace", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

static inline uint64_t start(struct world *w, const char *id, const struct kid *k)
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

static inline void state_of(struct world *w, const char *id, char state[16])
{
	struct buf b = { 0 };
	struct control_message m;

	begin(&b, "summary", id);
	ask(w, &b, -1, &m);
	snprintf(state, 16, "%s", kv_get(&m.kv, "state"));
	control_message_done(&m);
}

static inline void wait_state(struct world *w, const char *id, const char *wanted)
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
static inline void wait_released(void)
{
	for (int i = 0; i < 400 && fake_living(); i++)
		usleep(10000);
	CHECK_EQ(fake_living(), 0);
}

static inline uint64_t end(struct world *w, const char *id)
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

#endif
