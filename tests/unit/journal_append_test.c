/* SPDX-License-Identifier: Apache-2.0 */
/* Appending, numbering, rotation, checkpoints, flushing, the bounded queue, the lock. */
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include "journal/journal.h"
#include "tests/unit/journal_help.h"

TEST(a_new_journal_is_intact_and_numbers_from_its_header_on)
{
	struct place p = place_make();
	struct journal_recovery found;
	struct journal *j = journal_begin(&p, &found);
	struct journal_report r;

	CHECK_EQ(found.next_seq, 2);
	CHECK(!found.unclean && !found.torn_bytes && !*found.damage);
	CHECK_EQ(journal_put(j, 1, 10), 11);
	CHECK_OK(journal_flush(j));
	CHECK_EQ(journal_durable_seq(j), 12);
	journal_close(j);
	check_verifies(&p, &r);
	CHECK_EQ(r.segments, 1);
	CHECK_EQ(r.lines, 12);
	CHECK_EQ(r.checkpoints, 1);
	CHECK_EQ(r.anchored_seq, 12);
	CHECK_EQ(r.unsigned_lines, 0);
	CHECK_EQ(check_continuous(&p, 1), 10);
	place_remove(&p);
}

TEST(a_journal_opened_again_goes_on_in_the_same_segment)
{
	struct place p = place_make();
	struct journal_report r;

	for (int i = 0; i < 5; i++) {
		struct journal_recovery found;
		struct journal *j = journal_begin(&p, &found);

		CHECK(!found.unclean);
		journal_put(j, 1 + 10 * i, 10);
		journal_close(j);
	}
	check_verifies(&p, &r);
	CHECK_EQ(r.segments, 1);
	CHECK_EQ(r.checkpoints, 5);
	CHECK_EQ(check_continuous(&p, 1), 50);
	place_remove(&p);
}

TEST(opening_without_appending_adds_nothing)
{
	struct place p = place_make();
	struct journal_recovery found;
	struct journal_report r;

	journal_close(journal_begin(&p, &found));
	for (int i = 0; i < 3; i++) {
		journal_close(journal_begin(&p, &found));
		CHECK_EQ(found.next_seq, 3);	/* header and checkpoint of the first time */
		CHECK(!found.unclean);
	}
	check_verifies(&p, &r);
	place_remove(&p);
}

TEST(segments_rotate_by_size_and_each_is_closed_by_a_checkpoint)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 4096 }, NULL);
	struct journal_report r;
	uint64_t last = journal_put(j, 1, 1000);

	CHECK_OK(journal_flush(j));
	CHECK_EQ(journal_durable_seq(j), last + 1);
	journal_close(j);
	check_verifies(&p, &r);
	CHECK(r.segments > 8);
	CHECK(r.checkpoints >= r.segments);
	CHECK_EQ(r.lines, 1000 + r.segments + r.checkpoints);
	CHECK_EQ(check_continuous(&p, 1), 1000);
	place_remove(&p);
}

TEST(numbers_given_by_append_are_those_in_the_files)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 2048, .checkpoint_ms = 1 }, NULL);
	uint64_t given[500];
	struct journal_cursor *c;
	struct journal_line l;

	for (unsigned i = 0; i < 500; i++) {
		given[i] = journal_put(j, i + 1, 1);
		if (i % 50 == 0)
			usleep(3000);
	}
	journal_close(j);
	CHECK_OK(journal_cursor_open(p.dir, NULL, &c));
	while (journal_cursor_read(c, &l) == 1) {
		if (line_n(&l))
			CHECK_EQ(l.seq, given[line_n(&l) - 1]);
	}
	journal_cursor_close(c);
	place_remove(&p);
}

TEST(checkpoints_come_by_time_and_only_when_there_is_something_to_sign)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .checkpoint_ms = 20 }, NULL);
	struct journal_report r;
	char first[160] = "", head[160] = "";
	uint64_t checkpoints;

	for (int i = 0; i < 1000 && journal_head(j, first); i++)
		usleep(5000);
	CHECK_HAS(first, "00000000000000000001:1:");	/* the header */
	journal_put(j, 1, 1);
	for (int i = 0; i < 1000 && !strcmp(first, head[0] ? head : first); i++) {
		usleep(5000);
		CHECK_OK(journal_head(j, head));
	}
	CHECK_HAS(head, "00000000000000000001:3:");
	usleep(100000);
	check_verifies(&p, &r);
	CHECK_EQ(r.unsigned_lines, 0);
	checkpoints = r.checkpoints;
	usleep(100000);
	journal_close(j);
	check_verifies(&p, &r);
	CHECK_EQ(r.checkpoints, checkpoints);
	CHECK_EQ(r.checkpoints, 2);
	place_remove(&p);
}

TEST(a_line_is_durable_within_the_commit_window)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct pollfd fd = { .fd = journal_durable_fd(j), .events = POLLIN };
	uint64_t count;

	journal_put(j, 1, 1);
	CHECK_EQ(poll(&fd, 1, 5000), 1);	/* the window is 100 ms; a loaded machine is not what is tested here */
	CHECK_EQ(read(fd.fd, &count, sizeof(count)), sizeof(count));
	CHECK_EQ(journal_durable_seq(j), 3);
	CHECK_EQ(journal_wait_durable(j, 3, 10), -ETIMEDOUT);
	journal_put(j, 2, 1);
	CHECK_OK(journal_wait_durable(j, 3, 5000));
	journal_close(j);
	place_remove(&p);
}

TEST(lines_that_could_be_taken_for_others_are_refused)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	static char big[(1u << 20) + 1];
	const char own[] = "{\"unmapped\":{\"journal\":{\"kind\":\"checkpoint\"}}}";

	memset(big, 'x', sizeof(big));
	CHECK_EQ(journal_append(j, "{}\n{}", 5, NULL), -EINVAL);
	CHECK_EQ(journal_append(j, "", 0, NULL), -EINVAL);
	CHECK_EQ(journal_append(j, "{", 1, NULL), -EINVAL);
	CHECK_EQ(journal_append(j, "[1]", 3, NULL), -EINVAL);
	CHECK_EQ(journal_append(j, "{} ", 3, NULL), -EINVAL);
	CHECK_EQ(journal_append(j, own, sizeof(own) - 1, NULL), -EINVAL);
	CHECK_EQ(journal_append(j, big, sizeof(big), NULL), -EMSGSIZE);
	big[0] = '{';
	big[sizeof(big) - 2] = '}';
	CHECK_OK(journal_append(j, big, sizeof(big) - 1, NULL));
	CHECK_OK(journal_flush(j));
	journal_close(j);
	CHECK_EQ(check_continuous(&p, 1), 0);
	place_remove(&p);
}

TEST(a_second_writer_is_kept_out)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL), *other = NULL;
	struct journal_options o = { .dir = p.dir, .key_dir = p.keys, .host = "h" };

	CHECK_EQ(journal_open(&o, &other, NULL), -EBUSY);
	CHECK(!other);
	journal_close(j);
	CHECK_OK(journal_open(&o, &other, NULL));
	journal_close(other);
	place_remove(&p);
}

TEST(a_full_queue_says_so_and_loses_nothing_that_it_took)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .queue_bytes = 8192 }, NULL);
	char line[1024];
	unsigned taken = 0, refused = 0;
	uint64_t last = 0;

	memset(line, 'x', sizeof(line));
	for (unsigned i = 0; i < 5000; i++) {
		int n = snprintf(line, sizeof(line), "{\"n\":%u,\"pad\":\"", taken + 1), err;

		line[n] = 'x';
		line[sizeof(line) - 2] = '"';
		line[sizeof(line) - 1] = '}';
		err = journal_append(j, line, sizeof(line), &last);
		if (!err)
			taken++;
		else
			refused++;
		CHECK(!err || err == -ENOBUFS);
	}
	CHECK(taken >= 7 && refused > 0);
	CHECK_OK(journal_flush(j));
	journal_close(j);
	CHECK_EQ(check_continuous(&p, 1), taken);
	place_remove(&p);
}

struct adder {
	struct journal *j;
	unsigned id;
};

static void *add_many(void *arg)
{
	const struct adder *a = arg;

	for (unsigned i = 0; i < 2000; i++) {
		char line[64];
		int n = snprintf(line, sizeof(line), "{\"thread\":%u,\"i\":%u}", a->id, i);

		while (journal_append(a->j, line, n, NULL) == -ENOBUFS)
			usleep(500);
	}
	return NULL;
}

TEST(several_threads_append_and_each_keeps_its_order)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 20000 }, NULL);
	struct adder a[3];
	pthread_t t[3];
	unsigned next[3] = {}, id, i;
	struct journal_cursor *c;
	struct journal_report r;
	struct journal_line l;

	for (i = 0; i < 3; i++) {
		a[i] = (struct adder){ j, i };
		CHECK_OK(pthread_create(&t[i], NULL, add_many, &a[i]));
	}
	for (i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	journal_close(j);
	check_verifies(&p, &r);
	CHECK_OK(journal_cursor_open(p.dir, NULL, &c));
	while (journal_cursor_read(c, &l) == 1) {
		char text[64] = "";

		memcpy(text, l.text, l.len < 63 ? l.len : 63);
		if (sscanf(text, "{\"thread\":%u,\"i\":%u}", &id, &i) == 2)
			CHECK_EQ(i, next[id]++);
	}
	journal_cursor_close(c);
	CHECK_EQ(next[0] + next[1] + next[2], 6000);
	place_remove(&p);
}

TEST(keys_evolve_and_the_first_public_key_still_verifies_everything)
{
	struct place p = place_make();
	struct journal_options o = { .segment_bytes = 4096, .epoch_ms = 1 };
	struct journal_report r;
	char path[PATH_MAX];

	for (int i = 0; i < 3; i++) {
		struct journal *j = journal_begin_with(&p, o, NULL);

		journal_put(j, 1 + 200 * i, 200);
		usleep(2000);
		journal_close(j);
	}
	check_verifies(&p, &r);
	CHECK(r.key_epoch >= 2);	/* a key is not replaced in the millisecond of its birth */
	CHECK_EQ(check_continuous(&p, 1), 600);
	snprintf(path, sizeof(path), "%s/journal.key.next", p.keys);
	CHECK(access(path, F_OK));
	place_remove(&p);
}

TEST(a_public_half_that_a_crash_kept_from_being_written_is_written)
{
	struct place p = place_make();
	uint8_t before[ED25519_KEY_BYTES], after[ED25519_KEY_BYTES];
	char path[PATH_MAX];

	journal_close(journal_begin(&p, NULL));
	place_key(&p, before);
	snprintf(path, sizeof(path), "%s/journal.pub", p.keys);
	CHECK_OK(truncate(path, 10));
	journal_close(journal_begin(&p, NULL));
	place_key(&p, after);
	CHECK_MEM(before, after, sizeof(before));
	place_remove(&p);
}

TEST(private_things_are_private)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	static const struct {
		const char *name;
		mode_t mode;
	} rows[] = { { "journal", 0700 }, { "keys", 0700 }, { "keys/journal.key", 0600 }, { "keys/journal.pub", 0644 },
		     { "journal/" FIRST_LINES, 0600 }, { "journal/" FIRST_LEAVES, 0600 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char path[PATH_MAX];
		struct stat st;

		CASE("%s", rows[i].name);
		snprintf(path, sizeof(path), "%s/%s", p.root, rows[i].name);
		CHECK_OK(stat(path, &st));
		CHECK_EQ(st.st_mode & 0777, rows[i].mode);
	}
	journal_close(j);
	place_remove(&p);
}

TEST_MAIN()
