/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors: everything in order and once, while the journal grows and rotates; a place that survives. */
#include <pthread.h>
#include <stdatomic.h>
#include "journal/journal.h"
#include "tests/unit/journal_help.h"

TEST(a_cursor_goes_over_segments_and_remembers_its_place)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 2000 }, NULL);
	struct journal_cursor *c;
	struct journal_line l;
	uint64_t next = 1, n = 0;

	journal_put(j, 1, 500);
	CHECK_OK(journal_flush(j));
	for (int round = 0;; round++) {
		int i, got = 1;

		CHECK_OK(journal_cursor_open(p.dir, "sink-1", &c));
		CHECK(!journal_cursor_restarted(c));
		CHECK_EQ(journal_cursor_committed(c), round ? next : 0);
		for (i = 0; i < 37 && (got = journal_cursor_read(c, &l)) == 1; i++) {
			CHECK_EQ(l.seq, next++);
			if (line_n(&l))
				CHECK_EQ(line_n(&l), ++n);
		}
		CHECK(got >= 0);
		CHECK_OK(journal_cursor_commit(c, next));
		CHECK_EQ(journal_cursor_committed(c), next);
		(void)journal_cursor_read(c, &l);	/* read, not committed: it must come again */
		journal_cursor_close(c);
		if (i < 37)
			break;
	}
	CHECK_EQ(n, 500);
	CHECK_EQ(next, journal_durable_seq(j));
	journal_close(j);
	place_remove(&p);
}

TEST(cursors_do_not_know_each_other)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_cursor *a, *b;
	struct journal_line l;

	journal_put(j, 1, 5);
	CHECK_OK(journal_flush(j));
	CHECK_OK(journal_cursor_open(p.dir, "a", &a));
	CHECK_OK(journal_cursor_open(p.dir, "b", &b));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(journal_cursor_read(a, &l), 1);
	CHECK_OK(journal_cursor_commit(a, 5));
	CHECK_EQ(journal_cursor_read(b, &l), 1);
	CHECK_EQ(l.seq, 1);
	journal_cursor_close(a);
	journal_cursor_close(b);
	CHECK_OK(journal_cursor_open(p.dir, "b", &b));
	CHECK_EQ(journal_cursor_committed(b), 0);
	journal_cursor_close(b);
	journal_close(j);
	place_remove(&p);
}

TEST(seek_goes_to_a_number_and_to_the_end)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 2000 }, NULL);
	struct journal_cursor *c;
	struct journal_line l;
	uint64_t end;

	journal_put(j, 1, 300);
	CHECK_OK(journal_flush(j));
	end = journal_durable_seq(j);
	CHECK_OK(journal_cursor_open(p.dir, NULL, &c));
	for (uint64_t seq = 1; seq < end; seq += 7) {
		CHECK_OK(journal_cursor_seek(c, seq));
		CHECK_EQ(journal_cursor_read(c, &l), 1);
		CHECK_EQ(l.seq, seq);
	}
	CHECK_OK(journal_cursor_seek(c, UINT64_MAX));
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	journal_put(j, 301, 1);
	CHECK_OK(journal_flush(j));
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(l.seq, end);
	CHECK_EQ(line_n(&l), 301);
	CHECK_OK(journal_cursor_seek(c, end + 1000));	/* behind the end is the end */
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	journal_put(j, 302, 1);
	CHECK_OK(journal_flush(j));
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(line_n(&l), 302);
	journal_cursor_close(c);
	journal_close(j);
	place_remove(&p);
}

TEST(a_cursor_of_an_empty_place_waits_for_the_journal)
{
	struct place p = place_make();
	struct journal_cursor *c;
	struct journal_line l;
	struct journal *j;

	CHECK_OK(dir_make(p.dir, 0700));
	CHECK_OK(journal_cursor_open(p.dir, "early", &c));
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	CHECK_OK(journal_cursor_seek(c, UINT64_MAX));
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	j = journal_begin(&p, NULL);
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(l.seq, 1);
	journal_cursor_close(c);
	journal_close(j);
	place_remove(&p);
}

TEST(an_unfinished_line_is_never_read_and_what_replaces_it_is)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_cursor *c;
	struct journal_line l;
	size_t n;

	journal_put(j, 1, 1);
	journal_close(j);
	_free_ char *text = place_read(&p, FIRST_LINES, &n), *more = malloc(n + 64);

	CHECK_OK(journal_cursor_open(p.dir, NULL, &c));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(journal_cursor_read(c, &l), 1);
	memcpy(more, text, n);
	memcpy(more + n, "{\"n\":2", 6);
	place_write(&p, FIRST_LINES, more, n + 6);
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	memcpy(more + n, "{\"m\":77}\n", 9);
	place_write(&p, FIRST_LINES, more, n + 9);
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(l.len, 8);
	CHECK_MEM(l.text, "{\"m\":77}", 8);
	CHECK_EQ(l.seq, 4);
	journal_cursor_close(c);
	place_remove(&p);
}

TEST(a_limit_holds_back_what_is_not_durable_yet)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_cursor *c;
	struct journal_line l;

	journal_put(j, 1, 3);
	CHECK_OK(journal_flush(j));
	CHECK_OK(journal_cursor_open(p.dir, NULL, &c));
	journal_cursor_limit(c, 3);
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(journal_cursor_read(c, &l), 0);
	journal_cursor_limit(c, 4);
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_EQ(l.seq, 3);
	journal_cursor_close(c);
	journal_close(j);
	place_remove(&p);
}

TEST(a_damaged_or_foreign_place_means_the_first_line_again)
{
	static const char *const bad[] = { "", "x", "bailiff-cursor-1 000102030405060708090a0b0c0d0e0f 5\n",
					   "bailiff-cursor-2 00 5 -\n",
					   "bailiff-cursor-2 000102030405060708090a0b0c0d0e0f 5 -",
					   "bailiff-cursor-2 000102030405060708090a0b0c0d0e0f 05 -\n", "bailiff-cursor-2 000102030405060708090a0b0c0d0e0f  -\n",
					   "bailiff-cursor-2 000102030405060708090a0b0c0d0e0f 4 -\n" /* well-formed, of another journal */ };
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_cursor *c;
	struct journal_line l;

	journal_put(j, 1, 5);
	CHECK_OK(journal_flush(j));
	CHECK_OK(journal_cursor_open(p.dir, "s", &c));
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_OK(journal_cursor_commit(c, 2));
	journal_cursor_close(c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CASE("%s", bad[i]);
		place_write(&p, "cursors/s", bad[i], strlen(bad[i]));
		CHECK_OK(journal_cursor_open(p.dir, "s", &c));
		CHECK_EQ(journal_cursor_read(c, &l), 1);
		CHECK_EQ(l.seq, 1);
		CHECK(journal_cursor_restarted(c));
		journal_cursor_close(c);
	}
	journal_close(j);
	place_remove(&p);
}

TEST(names_that_are_paths_are_refused)
{
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", ".hidden", "a b", "\n",
					   "0123456789012345678901234567890123456789012345678901234567890123456789" };
	struct place p = place_make();
	struct journal_cursor *c;

	CHECK_OK(dir_make(p.dir, 0700));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CASE("%s", bad[i]);
		CHECK_EQ(journal_cursor_open(p.dir, bad[i], &c), -EINVAL);
	}
	CHECK_EQ(journal_cursor_open("/nowhere/at/all", "a", &c), -ENOENT);
	place_remove(&p);
}

/* ---- a reader beside the writer ---- */

struct race {
	const struct place *p;
	_Atomic bool done;
	uint64_t seen;
	const char *wrong;
};

static void *read_along(void *arg)
{
	struct race *r = arg;
	struct journal_cursor *c = NULL;
	struct journal_line l;
	uint64_t seq = 0;

	r->wrong = journal_cursor_open(r->p->dir, NULL, &c) ? "open" : NULL;
	while (!r->wrong) {
		bool last = r->done;
		int got = journal_cursor_read(c, &l);

		if (got < 0)
			r->wrong = "an error";
		if (got == 1 && l.seq != ++seq)
			r->wrong = "a gap in the numbers";
		if (got == 1 && line_n(&l) && line_n(&l) != ++r->seen)
			r->wrong = "a line missing or twice";
		if (got == 1 && (l.text[0] != '{' || l.text[l.len - 1] != '}'))
			r->wrong = "a torn line";
		if (!got && last)
			break;
		if (!got)
			usleep(200);
	}
	journal_cursor_close(c);
	return NULL;
}

TEST(a_reader_beside_the_writer_sees_every_line_once)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 5000, .checkpoint_ms = 5 }, NULL);
	struct race r = { .p = &p };
	struct journal_report report;
	pthread_t t;

	CHECK_OK(pthread_create(&t, NULL, read_along, &r));
	for (unsigned i = 0; i < 200; i++) {
		journal_put(j, 1 + 100 * i, 100);
		if (i % 10 == 0)
			CHECK_OK(journal_flush(j));
		if (i % 25 == 0)
			check_verifies(&p, &report);	/* beside the writer too */
	}
	journal_close(j);
	r.done = true;
	pthread_join(t, NULL);
	CHECK_STR(r.wrong ? r.wrong : "", "");
	CHECK_EQ(r.seen, 20000);
	place_remove(&p);
}

TEST_MAIN()
