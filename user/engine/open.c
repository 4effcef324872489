/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine opens: state directory, loop, journal, kernel side with adoption, notices, sinks; the control socket comes last, for it is what
 * tells others that all is well.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"

/* ---- callbacks ---- */
static void on_stop(void *ctx, const struct signalfd_siginfo *info)
{
	log_info("stopping: signal %u from pid %u", info->ssi_signo, info->ssi_pid);
	engine_stop(ctx);
}

static void on_hangup(void *ctx, const struct signalfd_siginfo *info)
{
	(void)ctx, (void)info;
	log_info("SIGHUP: the settings are read at start alone; tokens of sinks are read anew at each connection");
}

static void on_gone(void *ctx, uint64_t conn)
{
	flow_conn_gone(ctx, conn);
}

/* A member must not ask the engine that governs it, whatever path led it to the socket. */
static bool on_peer(void *ctx, pid_t pid, const char **why)
{
	struct engine *e = ctx;

	*why = "a process of a sandbox may not ask the engine";
	return cgroup_holds(e->cgroups, pid);
}

/* ---- parts ---- */
static int open_dirs(struct engine *e, char why[ENGINE_WHY])
{
	char path[128];
	int err;

	snprintf(path, sizeof(path), "%s/sandboxes", e->settings->run_dir);
	err = dir_make(path, 0700);
	e->state_dir = err ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err && e->state_dir < 0)
		err = -errno;
	if (!err)
		err = boot_id_read(e->boot_id);
	if (err)
		snprintf(why, ENGINE_WHY, "%s: %s", path, strerror(-err));
	if (strcmp(e->settings->host, "auto"))
		snprintf(e->host, sizeof(e->host), "%s", e->settings->host);
	else if (gethostname(e->host, sizeof(e->host) - 1))
		snprintf(e->host, sizeof(e->host), "localhost");
	return err;
}

/* Signals first: threads that are started later inherit that they are blocked. */
static int open_loop(struct engine *e, char why[ENGINE_WHY])
{
	int err = loop_new(&e->loop);

	if (!err)
		err = loop_add_signal(e->loop, SIGTERM, on_stop, e, NULL);
	if (!err)
		err = loop_add_signal(e->loop, SIGINT, on_stop, e, NULL);
	if (!err)
		err = loop_add_signal(e->loop, SIGHUP, on_hangup, e, NULL);
	if (!err)
		err = registry_new(&e->sessions);
	if (!err)
		err = flow_open(e);
	if (err)
		snprintf(why, ENGINE_WHY, "cgroups (%s, %s): %s", e->settings->cgroup_mount, e->settings->cgroup_parent, strerror(-err));
	return err;
}

static const char *open_failure(int err)
{
	if (err == -EBUSY)
		return "another engine writes it";
	if (err == -EPROTONOSUPPORT)
		return "it, or its signing key, was written by a Bailiff with another format: move both directories away, and begin anew";
	return strerror(-err);
}

static int open_spine(struct engine *e, struct journal_recovery *found, char why[ENGINE_WHY])
{
	const struct settings *s = e->settings;
	struct spine_options o = {
		.host = e->host, .boot_id = e->boot_id, .key_dir = s->key_dir,
		.journal = { .dir = s->journal_dir, .key_dir = s->key_dir, .host = e->host, .queue_bytes = s->journal_queue_bytes,
			.segment_bytes = s->journal_segment_bytes, .checkpoint_ms = s->checkpoint_ms, .epoch_ms = s->journal_epoch_seconds * 1000,
			.retain_bytes = s->journal_retain_bytes, .retain_ms = s->journal_retain_days * 86400000, .error = trouble_journal,
			.retired = trouble_retired },
	};
	int err = trouble_new(&e->trouble);

	if (err)
		return err;
	o.journal.ctx = e->trouble;
	lookup_source(e, &o.source);
	err = spine_open(&e->spine, &o, found);
	if (err)
		snprintf(why, ENGINE_WHY, "the journal in %s cannot be opened: %s", s->journal_dir, open_failure(err));
	return err;
}

/* Pins die with their mount, and a private mount namespace dies with its last process: enforcement would end with us. */
static void check_mounts(void)
{
	char host[64] = "", ours[64] = "";
	bool known = readlink("/proc/1/ns/mnt", host, sizeof(host) - 1) > 0 && readlink("/proc/self/ns/mnt", ours, sizeof(ours) - 1) > 0;

	if (known && strcmp(host, ours))
		log_warn(0, "the engine runs in a mount namespace of its own: enforcement ends when that does");
}

static int open_kernel(struct engine *e, char why[ENGINE_WHY])
{
	struct kernel_options o = { .pin_dir = e->settings->pin_dir, .decision_ring_bytes = e->settings->decision_ring_bytes,
		.telemetry_ring_bytes = e->settings->telemetry_ring_bytes };
	char text[256] = "";
	int err;

	check_mounts();
	e->enforcing = kernel_can_enforce();
	o.observe_only = !e->enforcing;
	err = kernel_open(&o, &e->kernel, &e->adoption, text);
	if (err)
		snprintf(why, ENGINE_WHY, "%s", text[0] ? text : strerror(-err));
	e->attached = !err && e->adoption.adopted;
	return err;
}

static void tell_start(struct engine *e, const struct journal_recovery *found)
{
	struct event_notice start = { .kind = NOTICE_ENGINE_START, .time_ns = clock_boot_ns(),
		.text = e->enforcing ? NULL : "observe only: this kernel refuses LSM programs" };
	struct event_notice recovery = { .kind = NOTICE_JOURNAL_RECOVERY, .time_ns = start.time_ns, .bytes = found->torn_bytes,
		.text = found->damage[0] ? found->damage : NULL };

	if (found->damage[0])
		log_err(0, "the journal is damaged: %s; it is left as it is, and a new segment begun", found->damage);
	if (found->unclean || found->damage[0])
		(void)spine_notice(&e->spine, &recovery);
	(void)spine_notice(&e->spine, &start);
	coverage_notice(e, NULL);
}

/* Where the numbers go on: after a crash the journal says it, and what was drained and never written becomes a gap. */
static void resume(struct engine *e, const struct journal_recovery *found)
{
	struct event_notice n = { .kind = NOTICE_GAP, .time_ns = clock_boot_ns(),
		.text = "an earlier engine drained records and the journal does not say how far: what was lost there cannot be counted" };
	int err;

	if (!e->adoption.adopted)
		return;	/* new rings number from one */
	err = spine_resume(&e->spine, e->settings->journal_dir, found->next_seq);
	if (err) {
		log_warn(err, "sequence numbers cannot be resumed from the journal");
		(void)spine_notice(&e->spine, &n);
	}
}

static int open_server(struct engine *e, char why[ENGINE_WHY])
{
	struct server_options o = { .path = e->control, .max_connections = e->settings->control_connections,
		.max_per_process = e->settings->control_per_process, .request = ops_request, .gone = on_gone, .refuse = on_peer, .ctx = e };
	int err;

	snprintf(e->control, sizeof(e->control), "%s/%s", e->settings->run_dir, CONTROL_NAME);
	err = server_open(e->loop, &o, &e->server);
	if (err)
		snprintf(why, ENGINE_WHY, "%s: %s", e->control, strerror(-err));
	return err;
}

static int open_all(struct engine *e, char why[ENGINE_WHY])
{
	struct journal_recovery found;
	int err = open_dirs(e, why);

	if (!err)
		err = open_loop(e, why);
	if (!err)
		err = open_spine(e, &found, why);
	if (!err)
		err = open_kernel(e, why);
	if (err)
		return err;
	kernel_beat(e->kernel);
	resume(e, &found);
	tell_start(e, &found);
	err = own_find(e);
	if (!err)
		err = adopt_all(e);
	if (!err)
		err = engine_sources(e);
	if (err) {
		snprintf(why, ENGINE_WHY, "%s", strerror(-err));
		return err;
	}
	account_heartbeat(e);
	(void)journal_flush(e->spine.journal);	/* from here on a successor knows where to count from; a disk that fails is logged by the journal */
	err = sinks_open(e, why);
	return err ? err : open_server(e, why);
}

int engine_open(const struct settings *s, bool on_demand, struct engine **out, char why[ENGINE_WHY])
{
	struct engine *e = calloc(1, sizeof(*e));
	int err;

	if (!e) {
		snprintf(why, ENGINE_WHY, "no memory");
		return -ENOMEM;
	}
	e->settings = s;
	e->on_demand = on_demand;
	e->state_dir = -1;
	e->since_ns = clock_boot_ns();
	e->busy_ms = clock_mono_ms();
	err = open_all(e, why);
	if (err) {
		engine_close(e);
		return err;
	}
	*out = e;
	return 0;
}
