/* SPDX-License-Identifier: Apache-2.0 */
/* The way from record to journal when the disk is slow or full: what is lost is said exactly, and what can wait waits. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "base/counter.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/spine.h"
#include "tests/unit/test.h"

#define BOOT "11111111-2222-3333-4444-555555555555"

struct world {
	char dir[64], journal[96], keys[96];
	struct spine spine;
	struct journal_recovery found;
};

static int nobody(void *ctx, uint64_t sandbox, uint32_t generation, struct event_sandbox *out)
{
	(void)ctx, (void)sandbox, (void)generation, (void)out;
	return -ENOENT;
}

static int no_command(void *ctx, uint64_t sandbox, uint32_t command, struct event_command *out)
{
	(void)ctx, (void)sandbox, (void)command, (void)out;
	return -ENOENT;
}

static int no_rule(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out)
{
	(void)ctx, (void)sandbox, (void)generation, (void)rule, (void)out;
	return -ENOENT;
}

static void on_error(void *ctx, int err, const char *what)
{
	(void)ctx, (void)err, (void)what;
}

static void reopen(struct world *w)
{
	struct spine_options o = { .host = "testhost", .boot_id = BOOT, .key_dir = w->keys,
		.source = { .sandbox = nobody, .command = no_command, .rule = no_rule },
		.journal = { .dir = w->journal, .key_dir = w->keys, .host = "testhost", .queue_bytes = 64 << 10, .error = on_error } };

	CHECK_OK(spine_open(&w->spine, &o, &w->found));
}

static void open_world(struct world *w)
{
	memset(w, 0, sizeof(*w));
	strcpy(w->dir, "/tmp/bailiff-spine-XXXXXX");
	CHECK(mkdtemp(w->dir) != NULL);
	snprintf(w->journal, sizeof(w->journal), "%s/journal", w->dir);
	snprintf(w->keys, sizeof(w->keys), "%s/keys", w->dir);
	reopen(w);
}

static void close_world(struct world *w)
{
	char cmd[128];

	spine_close(&w->spine);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", w->dir);
	CHECK_OK(system(cmd));
}

static int record(struct world *w, uint64_t seq)
{
	struct rec_exit r = { .h = { .type = REC_EXIT, .ring = RING_TELEMETRY, .size = sizeof(r), .cpu = 1, .command = 1, .seq = seq,
		.time_ns = clock_boot_ns(), .sandbox = 7, .generation = 1, .tgid = 99, .pid = 99, .start_ns = seq, .comm = "flood" } };
	struct rec_head head;

	return spine_record(&w->spine, &r, sizeof(r), &head);
}

/* What the journal tells: each number once, in the record or lost. */
struct told {
	uint8_t *times;
	uint64_t limit, records, gaps;
};

static void on_seq(void *ctx, enum event_seq_kind kind, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last)
{
	struct told *t = ctx;

	if (kind != EVENT_SEQ_RECORD && kind != EVENT_SEQ_GAP)
		return;
	CHECK_EQ(ring, RING_TELEMETRY);
	CHECK_EQ(cpu, 1);
	CHECK(first >= 1 && first <= last && last <= t->limit);
	for (uint64_t i = first; i <= last; i++)
		t->times[i]++;
	*(kind == EVENT_SEQ_GAP ? &t->gaps : &t->records) += last - first + 1;
}

static void read_back(struct world *w, struct told *t, uint64_t limit)
{
	struct journal_cursor *c;
	struct journal_line line;
	int r;

	*t = (struct told){ .times = calloc(limit + 1, 1), .limit = limit };
	CHECK(t->times != NULL);
	CHECK_OK(journal_cursor_open(w->journal, NULL, &c));
	while ((r = journal_cursor_read(c, &line)) == 1) {
		bool heartbeat;
		char boot[40];

		(void)event_seq_walk(line.text, line.len, on_seq, t, &heartbeat, boot);
	}
	CHECK_EQ(r, 0);
	journal_cursor_close(c);
	for (uint64_t i = 1; i <= limit; i++)
		CHECK_EQ(t->times[i], 1);
	free(t->times);
}

static size_t notices(struct world *w, const char *name, const char *part)
{
	struct journal_cursor *c;
	struct journal_line line;
	size_t n = 0;

	CHECK_OK(journal_cursor_open(w->journal, NULL, &c));
	while (journal_cursor_read(c, &line) == 1)
		n += memmem(line.text, line.len, name, strlen(name)) && memmem(line.text, line.len, part, strlen(part));
	journal_cursor_close(c);
	return n;
}

static void settle(struct world *w)
{
	for (int i = 0; i < 1000 && spine_blocked(&w->spine); i++)
		usleep(10000);
	CHECK(!spine_blocked(&w->spine));
	usleep((SEQ_GRACE_MS + 50) * 1000);
	spine_tick(&w->spine);
	for (int i = 0; i < 1000 && spine_blocked(&w->spine); i++)
		usleep(10000);
	(void)journal_flush(w->spine.journal);	/* says once what went wrong before */
	CHECK_OK(journal_flush(w->spine.journal));
}

TEST(spine_a_burst_beyond_the_journals_queue_waits_and_loses_nothing)
{
	enum { N = 20000 };
	struct world w;
	struct told t;
	bool waited = false;

	open_world(&w);
	for (uint64_t i = 1; i <= N; i++) {
		CHECK_OK(record(&w, i));
		waited |= w.spine.backlog.len != 0;
	}
	CHECK(waited);
	settle(&w);
	read_back(&w, &t, N);
	CHECK_EQ(t.records, N);
	close_world(&w);
}

TEST(spine_on_a_full_disk_counts_every_event_that_found_no_room)
{
	struct rlimit was, tight;
	struct world w;
	struct told t;
	uint64_t dropped = 0, n = 0;
	char count[40];

	open_world(&w);
	signal(SIGXFSZ, SIG_IGN);
	CHECK_OK(record(&w, ++n));
	CHECK_OK(journal_flush(w.spine.journal));
	CHECK_OK(getrlimit(RLIMIT_FSIZE, &was));
	tight = was;
	tight.rlim_cur = 16 << 10;	/* no file of the journal may grow beyond: the disk is full */
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &tight));
	while (dropped < 100) {
		CHECK(n < 400000);
		if (record(&w, ++n))
			dropped++;
		if (n % 4096 == 0)
			spine_tick(&w.spine);
	}
	CHECK(spine_blocked(&w.spine));
	CHECK_EQ(w.spine.dropped, 100);
	CHECK_OK(setrlimit(RLIMIT_FSIZE, &was));
	settle(&w);
	CHECK_EQ(w.spine.dropped, 0);
	/* the last ones have nothing behind them: the kernel's own numbers show that they are missing */
	spine_reached(&w.spine, RING_TELEMETRY, 1, n);
	settle(&w);
	read_back(&w, &t, n);
	CHECK_EQ(t.gaps, 100);
	CHECK_EQ(t.records, n - 100);
	snprintf(count, sizeof(count), "\"count\":%d", 100);
	CHECK_EQ(notices(&w, "\"journal.drop\"", count), 1);
	close_world(&w);
}

TEST(spine_what_is_no_record_is_counted_and_told)
{
	struct world w;
	struct rec_head head;
	char junk[200] = { 1, 2, 3 };

	open_world(&w);
	CHECK(spine_record(&w.spine, junk, 8, &head) < 0);
	CHECK(spine_record(&w.spine, junk, sizeof(junk), &head) < 0);
	CHECK_OK(record(&w, 1));
	settle(&w);
	CHECK_EQ(notices(&w, "\"record.bad\"", "\"count\":2"), 1);
	close_world(&w);
}

TEST(spine_resumes_behind_the_last_heartbeat_of_this_boot)
{
	struct world w;
	struct told t;

	open_world(&w);
	for (uint64_t i = 1; i <= 10; i++)
		CHECK_OK(record(&w, i));
	CHECK_OK(spine_heartbeat(&w.spine, "test"));
	CHECK_OK(record(&w, 11));
	CHECK_OK(record(&w, 13));
	spine_close(&w.spine);
	reopen(&w);
	CHECK_OK(spine_resume(&w.spine, w.journal, w.found.next_seq));
	CHECK_OK(record(&w, 17));
	settle(&w);
	read_back(&w, &t, 17);
	CHECK_EQ(t.gaps, 4);	/* 12, and 14 to 16 */
	close_world(&w);
}

TEST(spine_resumes_far_behind_the_end_too)
{
	struct world w;
	struct told t;

	open_world(&w);
	CHECK_OK(spine_heartbeat(&w.spine, "test"));
	for (uint64_t i = 1; i <= 9000; i++)
		CHECK_OK(record(&w, i));
	settle(&w);
	spine_close(&w.spine);
	reopen(&w);
	CHECK_OK(spine_resume(&w.spine, w.journal, w.found.next_seq));
	CHECK_OK(record(&w, 9003));
	settle(&w);
	read_back(&w, &t, 9003);
	CHECK_EQ(t.gaps, 2);
	close_world(&w);
}

TEST(spine_without_a_heartbeat_of_this_boot_begins_blind_and_says_so)
{
	struct world w;

	open_world(&w);
	CHECK_OK(spine_heartbeat(&w.spine, "test"));
	spine_close(&w.spine);
	reopen(&w);
	strcpy(w.spine.boot_id, "another boot");
	CHECK_EQ(spine_resume(&w.spine, w.journal, w.found.next_seq), -ENODATA);
	CHECK_OK(record(&w, 500));
	settle(&w);
	CHECK_EQ(notices(&w, "\"gap\"", "\"gap\""), 0);
	close_world(&w);
}

TEST_MAIN()
