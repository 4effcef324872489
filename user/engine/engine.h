/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's own state, and what its files ask of each other. One thread owns all of it: no lock. main.c opens, runs and closes; everything
 * else happens in callbacks of the loop.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/loop.h"
#include "engine/compiled.h"
#include "engine/server.h"
#include "engine/settings.h"
#include "engine/spine.h"
#include "kernel/kernel.h"
#include "sandbox/cgroup.h"
#include "sandbox/persist.h"
#include "sandbox/registry.h"

#define ENGINE_WHY		512	/* a sentence for people, in buffers named why */
#define ENGINE_TICK_MS		1000
#define ENGINE_DRAIN_MS		200	/* telemetry below the ring's wake-up mark is fetched this often */
#define ENGINE_PULSE_MS		20	/* while a sandbox is ending */
#define ENGINE_COUNT_MS		5000
#define ENGINE_HEARTBEAT_MS	10000	/* with sandboxes */
#define ENGINE_IDLE_BEAT_MS	60000	/* without */
#define ENGINE_OWN_MAX		(8 + SETTINGS_SINKS_MAX)
#define ENGINE_SANDBOXES_MAX	4000	/* living ones; below MAX_SANDBOXES, and a list of them fits in one reply */
#define ENGINE_STUCK_MS		10000	/* an end that takes longer is told to who waits for it */

struct sinks;
struct trouble;

/* A client that waits for the end of a sandbox. */
struct engine_waiter {
	uint64_t conn;
	struct session *session;
	struct engine_waiter *next;
};

struct engine {
	const struct settings *settings;
	char *own[ENGINE_OWN_MAX + 1];	/* places that every policy closes, as the kernel will see them; NULL behind the last */
	bool on_demand;
	char host[256], boot_id[BOOT_ID_CHARS + 1];
	char control[256];
	uint64_t since_ns;

	struct loop *loop;
	struct loop_source *pulse;	/* runs only while a sandbox is ending */
	struct loop_source *drain;	/* runs only while there are sandboxes */
	struct loop_source *ring;
	struct spine spine;
	struct kernel *kernel;
	struct kernel_adoption adoption;
	bool enforcing;			/* this kernel takes LSM programs: what is loaded can refuse */
	bool attached;
	struct registry *sessions;
	struct ulid_maker ids;
	struct cgroups *cgroups;
	int state_dir;
	struct server *server;
	struct engine_waiter *waiters;
	struct engine_trace *traces;	/* end.c: of sandboxes whose end is not on the disk yet */
	struct sinks *sinks;
	struct trouble *trouble;	/* of the record */
	struct buf floor;		/* the seccomp floor, once built */
	struct compiled_cache compiled;

	uint64_t busy_ms;		/* monotonic: when there was last a sandbox or a request */
	uint64_t beat_ms, counted_ms;	/* monotonic: last heartbeat and reconciliation */
	bool leave;			/* idle long enough, or told to stop */
};

/* Fails with a sentence in why. On success the engine serves as soon as engine_run is called. */
int engine_open(const struct settings *s, bool on_demand, struct engine **out, char why[ENGINE_WHY]);
int engine_run(struct engine *e);
void engine_close(struct engine *e);	/* what is pinned stays in force */
void engine_stop(struct engine *e);

/* ---- own.c ---- */
int own_find(struct engine *e);		/* after all of them were made */
void own_free(struct engine *e);

/* ---- lookup.c ---- */
void lookup_source(struct engine *e, struct event_source *out);

/* ---- account.c: records in, counters compared ---- */
int account_drain(struct engine *e);	/* 0: the rings are empty; -EAGAIN: more waits, there or for the disk */
void account_drain_all(struct engine *e);	/* and note what the kernel numbered and never delivered */
void account_retired(struct engine *e, struct session *s, struct session_generation *g);	/* the last counts of what a reload replaced, unless settled */
void account_session(struct engine *e, struct session *s);	/* fetch the kernel's counters of the generation in force */
void account_notices(struct engine *e, struct session *s);	/* write the `counted` notices that are due */
void account_ends(struct engine *e, struct session *s);	/* rules that are past their `until` */
/* Those whose notices are on the disk are known to a successor. One that was killed before that is told of twice, never not at all. */
void account_ends_keep(struct engine *e);
void account_heartbeat(struct engine *e);

/* ---- generation.c ---- */
struct generation_ask {
	const char *text, *file;
	size_t len;
	char *const *params;		/* "k=v" */
	size_t param_count;
	const char *const *own;		/* places of ours, NULL behind the last; the same in the whole life of a cache */
	struct compiled_cache *cache;
};
/* Load and compile. -EINVAL with diags. The image is the cache's, good until the next call. */
int generation_build(const struct generation_ask *ask, struct session_generation **out, struct policy_image **img, struct diags *diags);
/* A generation read back from a file gets its policy again. -EBADMSG: it does not have the digest that was published. */
int generation_revive(struct session_generation *g, const char *const *own);
void generation_diags(struct buf *reply, const struct diags *d);	/* one `diag` pair each */

/* ---- start.c: a command comes in ---- */
struct start_ask {
	struct session_command command;	/* args, call, trace, span, user */
	pid_t asker, pid;
	int pidfd;
	const char *actor;
};
int start_command(struct engine *e, struct session *s, struct start_ask *ask, uint32_t *number, char why[200]);
void start_watch(struct engine *e, struct session *s, struct session_command *c);
void start_forget(struct engine *e, struct session *s, struct session_command *c);	/* its cgroup is empty: remove it */

/* ---- flow.c: a sandbox's life ---- */
int flow_open(struct engine *e);	/* cgroups and their events */
void flow_save(struct engine *e, struct session *s);
void flow_watch(struct engine *e, struct session *s);
void flow_adopted(struct engine *e, struct session *s);
void flow_check(struct engine *e, struct session *s);	/* look whether it is over */
void flow_conn_gone(struct engine *e, uint64_t conn);
int flow_while(struct engine *e, struct session *s, int fd);	/* the sandbox ends when fd's other end closes; fd is the session's then */
void flow_tick(struct engine *e);

/* ---- end.c ---- */
#define SESSION_EMPTY "its last process left"
void end_begin(struct engine *e, struct session *s, const char *reason);	/* at once in the kernel; the rest by and by */
void end_empty(struct engine *e, struct session *s, const char *reason);	/* the same where nothing is left in its cgroup */
void end_resume(struct engine *e, struct session *s);	/* one that an earlier engine began to end */
void end_release(struct engine *e);	/* of ended ones, what was kept until their last line is on the disk */
void end_settle(struct engine *e);	/* the same for all of them, waiting for the disk */
void end_forget(struct engine *e);
bool end_go_on(struct engine *e, struct session *s);	/* true when it is over */
int end_wait(struct engine *e, struct session *s, uint64_t conn);	/* answers when it is over */

/* ---- adopt.c ---- */
int adopt_all(struct engine *e);	/* sandboxes that live on, and what is left of those that do not */

/* ---- coverage.c ---- */
/* All that this policy asks for in this stage holds here. */
bool coverage_permits(struct engine *e, const struct policy *p, enum stage stage, char why[ENGINE_WHY]);
void coverage_line(struct engine *e, const struct session *s, struct buf *out);	/* the one line that a starter prints */
void coverage_notice(struct engine *e, struct session *s);	/* s NULL: of the host */
void coverage_reply(struct engine *e, struct buf *reply);
int coverage_doctor(bool json);		/* prints; 0 when this kernel enforces in full, 1 else, negative errno */

/* ---- why.c ---- */
void why_keep(struct engine *e, struct session *s);	/* its newest refusal as a sentence, while the kernel has it */

/* ---- floor.c: the seccomp floor ---- */
int floor_build(struct engine *e);	/* once; -errno: it cannot be had here */
int floor_get(struct engine *e, const struct session *s, const struct buf **out);	/* *out NULL: none for this sandbox; -errno: start nothing in it */
bool floor_permits(struct engine *e, enum stage stage, char why[ENGINE_WHY]);
const char *floor_word(struct engine *e, const struct session *s);	/* for the line that a starter prints */
const char *floor_missing(struct engine *e, const struct session *s);	/* why it has none, s NULL: why none would have; NULL: there is one */
struct coverage_row floor_row(const struct coverage_row *r, int err);	/* the row as it is, floor_build having said err */

/* ---- ops.c, create.c, reload.c ---- */
void ops_request(void *ctx, struct server_request *q);
void op_create(struct engine *e, struct server_request *q);
void op_reload(struct engine *e, struct server_request *q);
struct session *ops_session(struct engine *e, struct server_request *q);	/* NULL: it was answered already */
void ops_actor(const struct server_request *q, char out[64]);

/* ---- sinks.c ---- */
int sinks_open(struct engine *e, char why[ENGINE_WHY]);
bool sinks_busy(struct engine *e);	/* one that is well has something left to deliver */
uint64_t sinks_confirmed(struct engine *e);	/* lines before it are confirmed by every required sink; UINT64_MAX without one */
void sinks_close(struct engine *e);
void sinks_reply(struct engine *e, struct buf *reply);

/* ---- trouble.c: a journal that cannot be written ---- */
int trouble_new(struct trouble **out);
void trouble_free(struct trouble *t);
void trouble_journal(void *trouble, int err, const char *what);	/* for the journal: on its thread */
void trouble_retired(void *trouble, const struct journal_retired *r);
void trouble_tick(struct engine *e);	/* writes what there is to say, lets retention go on */
bool trouble_text(struct engine *e, char out[ENGINE_WHY]);	/* a sentence for who asks; false: there is no trouble, out is untouched */

/* ---- attaching ---- */
int engine_attach(struct engine *e, char why[256]);
void engine_timers(struct engine *e);	/* after a sandbox was made */
int engine_sources(struct engine *e);		/* last: from here on the loop has something to call */

#endif
