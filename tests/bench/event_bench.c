/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one event costs from ring record to durable line in the journal, in CPU time of all threads, stage by stage, natively; and how long its
 * line is. Records as the kernel writes them, of several kinds in turn, are fed where the ring would feed them. CPU time and not wall time, so
 * that a busy machine changes little; the least of three runs. event_bench DIR [EVENTS]; prints `name native value`.
 */
#include <stdio.h>
#include <time.h>
#include "event/parts.h"
#include "journal/journal.h"
#include "journal/tree.h"
#include "tests/unit/event_sample.h"

#define RUNS 3
#define KINDS 8

static struct sample telemetry[KINDS], refusals[4];

static double cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void print(const char *name, double value)
{
	printf("%s native %.0f\n", name, value);
	fflush(stdout);
}

/* ---- records: mostly opens, as under `record: [open]` ---- */

static void make_samples(void)
{
	static const char argv[] = "python3\0-m\0pytest\0-x\0tests/test_login.py\0--timeout=60";

	for (int i = 0; i < KINDS - 3; i++)
		sample_file(&telemetry[i], ACT_OPEN, 5, i % 2 ? "/home/agent/work/src/login/session.py" : "/usr/lib/python3.11/encodings/utf_8.py");
	sample_exec(&telemetry[KINDS - 3], "/usr/bin/python3.11", argv, sizeof(argv) - 1);
	sample_flow(&telemetry[KINDS - 2], ACT_CONNECT, 5, sample_v4(140, 82, 121, 4, 443));
	sample_exit(&telemetry[KINDS - 1], 0);
	sample_decision(&refusals[0], ACT_OPEN, VERB_READ, 5, "/home/agent/.aws/credentials", NULL);
	sample_decision(&refusals[1], ACT_OPEN, VERB_CHANGE, 5, "/etc/passwd", NULL);
	sample_decision(&refusals[2], ACT_RENAME, VERB_REMOVE, 5, "/home/agent/work/a", "/home/agent/b");
	sample_guard(&refusals[3], ACT_MOUNT, RULE_BUILTIN(MOUNT), 0);
}

/* ---- stages ---- */

struct bench {
	struct events *events;
	struct journal *journal;
	struct buf line;
	unsigned long bytes, refused;
	struct sample *samples;
	size_t count;
};

static int stage_decode(struct bench *s, const struct sample *r)
{
	struct event e;

	(void)s;
	return event_decode(r, r->head.size, &e);
}

static int stage_line(struct bench *s, const struct sample *r)
{
	int err = events_record(s->events, r, r->head.size, &s->line);

	s->bytes += s->line.len;
	return err;
}

static int stage_leaf(struct bench *s, const struct sample *r)
{
	uint8_t leaf[HASH_BYTES];

	(void)r;
	return tree_leaf(s->line.data, s->line.len, leaf);
}

static int stage_journal(struct bench *s, const struct sample *r)
{
	int err = stage_line(s, r);

	if (err)
		return err;
	while ((err = journal_append(s->journal, s->line.data, s->line.len, NULL)) == -ENOBUFS) {
		s->refused++;
		usleep(1000);	/* costs next to no CPU time; the engine leaves the ring alone meanwhile */
	}
	return err;
}

static double run(struct bench *s, int (*fn)(struct bench *, const struct sample *), unsigned events)
{
	double start = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	static uint64_t seq = 1000;

	s->bytes = 0;
	for (unsigned i = 0; i < events; i++) {
		struct sample *r = &s->samples[i % s->count];
		int err;

		r->head.seq = ++seq;
		err = fn(s, r);
		if (err) {
			fprintf(stderr, "event_bench: a record of type %u: error %d\n", r->head.type, err);
			exit(1);
		}
	}
	if (s->journal && journal_flush(s->journal))
		exit(1);
	return (cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - start) / events;
}

static double least(struct bench *s, int (*fn)(struct bench *, const struct sample *), unsigned events)
{
	double best = 1e18, t;

	for (int i = 0; i < RUNS; i++) {
		t = run(s, fn, events);
		if (t < best)
			best = t;
	}
	return best;
}

int main(int argc, char **argv)
{
	unsigned events = argc > 2 ? strtoul(argv[2], NULL, 10) : 300000;
	struct bench s = { .events = sample_events(), .samples = telemetry, .count = KINDS };
	char keys[4096];
	struct journal_options o = { .dir = argc > 1 ? argv[1] : "build/bench/journal", .key_dir = keys, .host = "bench" };
	struct journal_recovery found;
	struct journal *journal;
	double all;
	int err;

	snprintf(keys, sizeof(keys), "%s-keys", o.dir);
	make_samples();
	print("event-decode", least(&s, stage_decode, events));
	print("event-line", least(&s, stage_line, events));
	print("event-bytes-telemetry", (double)s.bytes / events);
	print("event-leaf", least(&s, stage_leaf, events));
	s.samples = refusals;
	s.count = sizeof(refusals) / sizeof(refusals[0]);
	print("event-line-refusal", least(&s, stage_line, events));
	print("event-bytes-refusal", (double)s.bytes / events);
	s.samples = &telemetry[KINDS - 3];
	s.count = 1;
	print("event-line-exec", least(&s, stage_line, events));
	err = journal_open(&o, &journal, &found);
	if (err)
		return fprintf(stderr, "%s: %s\n", o.dir, strerror(-err)), 1;
	s.samples = telemetry;
	s.count = KINDS;
	s.journal = journal;
	all = least(&s, stage_journal, events);
	print("event-to-journal", all);
	print("event-rate", 1e9 / all);
	journal_close(journal);
	events_free(s.events);
	buf_done(&s.line);
	return 0;
}
