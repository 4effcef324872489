/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one event costs in the journal, in CPU time: the appender's copy, the thread's leaf and tree hashes, writing and syncing. The line is
 * as long as the mean refusal. CPU time, not wall time, so that a busy machine changes little. journal_bench [DIR] [EVENTS]; prints
 * `name native value`.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include "journal/journal.h"
#include "journal/tree.h"

#define LINE_BYTES 750

static double cpu_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void bench_hash(const char *line, unsigned events)
{
	double start = cpu_ns(CLOCK_THREAD_CPUTIME_ID), leaf_end;
	uint8_t leaf[HASH_BYTES];
	struct tree t = {};

	for (unsigned i = 0; i < events; i++)
		(void)tree_leaf(line, LINE_BYTES, leaf);
	leaf_end = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < events; i++)
		(void)tree_add(&t, leaf);
	printf("journal-leaf native %.0f\n", (leaf_end - start) / events);
	printf("journal-tree native %.0f\n", (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - leaf_end) / events);
}

int main(int argc, char **argv)
{
	const char *dir = argc > 1 ? argv[1] : "build/bench-journal";
	unsigned events = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000000, refused = 0;
	char line[LINE_BYTES], keys[4096];
	struct journal_options o = { .dir = dir, .key_dir = keys, .host = "bench" };
	struct journal *j;
	double own, all, wall;
	int err;

	snprintf(keys, sizeof(keys), "%s-keys", dir);
	memset(line, 'x', sizeof(line));
	memcpy(line, "{\"a\":\"", 6);
	memcpy(line + sizeof(line) - 2, "\"}", 2);
	bench_hash(line, events);
	err = journal_open(&o, &j, NULL);
	if (err)
		return fprintf(stderr, "%s: %s\n", dir, strerror(-err)), 1;
	own = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	wall = cpu_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < events;) {
		if (!journal_append(j, line, sizeof(line), NULL)) {
			i++;
			continue;
		}
		refused++;
		usleep(2000);
	}
	own = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - own;
	err = journal_flush(j);
	all = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - all;
	wall = cpu_ns(CLOCK_MONOTONIC) - wall;
	journal_close(j);
	printf("journal-append native %.0f\n", own / events);
	printf("journal-durable native %.0f\n", all / events);
	printf("# %.0f ns per event by the wall clock; %u times the queue was full\n", wall / events, refused);
	return err ? 1 : 0;
}
