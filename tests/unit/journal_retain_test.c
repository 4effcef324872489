/* SPDX-License-Identifier: Apache-2.0 */
/* Retention deletes whole old segments, says so under a signature first, and leaves a record that verifies from the first key on. */
#include <stdatomic.h>
#include "journal/journal.h"
#include "tests/unit/journal_forge.h"

#define SEGMENTS 4096

static _Atomic uint64_t gone_segments, gone_bytes, kept;
static _Atomic int failed;

static void on_retired(void *ctx, const struct journal_retired *r)
{
	(void)ctx;
	gone_segments += r->err ? 0 : r->segments;
	gone_bytes += r->bytes;
	kept = r->kept;
	failed = r->err;
}

static struct journal *begin(const struct place *p, struct journal_options o)
{
	gone_segments = gone_bytes = kept = 0;
	failed = 0;
	o.segment_bytes = o.segment_bytes ? o.segment_bytes : 4096;
	o.retired = on_retired;
	return journal_begin_with(p, o, NULL);
}

/* Events from..to, flushed every so often so that segments are closed on the way. */
static void put(struct journal *j, uint64_t from, uint64_t to)
{
	for (; from <= to; from += 50) {
		journal_put(j, from, to - from + 1 < 50 ? to - from + 1 : 50);
		CHECK_OK(journal_flush(j));
	}
}

static uint64_t bytes_of(const struct place *p)
{
	uint64_t seg[SEGMENTS], total = 0;
	size_t n = forge_segments(p, seg, SEGMENTS);

	for (size_t i = 0; i < 2 * n; i++) {
		char name[64], path[PATH_MAX];
		struct stat st;

		forge_name(seg[i / 2], i % 2 ? "leaf" : "jsonl", name);
		snprintf(path, sizeof(path), "%s/%s", p->dir, name);
		CHECK_OK(stat(path, &st));
		total += st.st_size;
	}
	return total;
}

TEST(old_segments_go_by_size_and_the_rest_verifies_from_the_first_key)
{
	struct place p = place_make();
	struct journal *j = begin(&p, (struct journal_options){ .retain_bytes = 40000 });
	struct journal_report r;
	uint64_t seg[SEGMENTS];

	journal_release(j, UINT64_MAX);
	put(j, 1, 5000);
	journal_close(j);
	CHECK(gone_segments > 20 && gone_bytes > 100000 && !failed);
	CHECK(bytes_of(&p) < 40000 + 2 * 8192);
	CHECK(forge_segments(&p, seg, SEGMENTS) > 2);
	CHECK_EQ(seg[0], kept);
	check_verifies(&p, &r);
	CHECK_EQ(r.first_seq, seg[0]);
	CHECK(r.retired_ms > 1700000000000);
	place_remove(&p);
}

TEST(nothing_goes_that_was_not_released_and_then_it_goes)
{
	struct place p = place_make();
	struct journal *j = begin(&p, (struct journal_options){ .retain_bytes = 10000 });
	struct journal_report r;
	uint64_t seg[SEGMENTS];

	put(j, 1, 1000);
	CHECK_EQ(gone_segments, 0);
	CHECK_EQ(check_continuous(&p, 1), 1000);
	journal_release(j, 500);
	put(j, 1001, 1500);
	CHECK(gone_segments > 0);
	CHECK(forge_segments(&p, seg, SEGMENTS) > 2);
	CHECK(seg[0] <= 500);
	journal_release(j, UINT64_MAX);
	put(j, 1501, 2000);
	journal_close(j);
	CHECK(bytes_of(&p) < 30000);
	check_verifies(&p, &r);
	place_remove(&p);
}

TEST(segments_that_ended_long_ago_go_and_the_newest_closed_one_stays)
{
	struct place p = place_make();
	struct journal *j = begin(&p, (struct journal_options){ .retain_ms = 1 });
	struct journal_report r;
	uint64_t seg[SEGMENTS];

	journal_release(j, UINT64_MAX);
	put(j, 1, 1000);
	usleep(3000);
	put(j, 1001, 1200);
	journal_close(j);
	CHECK(gone_segments > 3);
	CHECK(forge_segments(&p, seg, SEGMENTS) >= 2);
	check_verifies(&p, &r);
	CHECK(r.segments >= 2);
	place_remove(&p);
}

TEST(without_a_limit_nothing_ever_goes)
{
	struct place p = place_make();
	struct journal *j = begin(&p, (struct journal_options){ .segment_bytes = 4096 });

	journal_release(j, UINT64_MAX);
	put(j, 1, 1000);
	journal_close(j);
	CHECK_EQ(check_continuous(&p, 1), 1000);
	place_remove(&p);
}

static struct place retired_journal(void)
{
	struct place p = place_make();
	struct journal *j = begin(&p, (struct journal_options){ .retain_bytes = 20000 });

	journal_release(j, UINT64_MAX);
	put(j, 1, 2000);
	journal_close(j);
	CHECK(gone_segments > 5);
	return p;
}

TEST(a_segment_that_is_missing_beyond_the_signed_word_was_removed)
{
	struct place p = retired_journal();
	uint64_t seg[SEGMENTS];
	struct journal_report r;

	forge_segments(&p, seg, SEGMENTS);
	forge_unlink(&p, seg[0]);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "nothing signed says that retention retired it: removed");
	place_remove(&p);
}

TEST(every_byte_of_the_retired_headers_counts)
{
	struct place p = retired_journal();
	struct journal_report r;
	size_t n;
	_free_ char *text = place_read(&p, "retired", &n);

	for (size_t at = 0; at < n; at += 97) {
		CASE("byte %zu", at);
		text[at] ^= 1;
		place_write(&p, "retired", text, n);
		text[at] ^= 1;
		CHECK_EQ(place_verify(&p, &r), -EBADMSG);
		CHECK(strstr(r.first_error, "file retired") || strstr(r.first_error, "does not endorse") || strstr(r.first_error, "not here"));
	}
	place_unlink(&p, "retired");
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "file retired: the headers of what was retired before segment");
	place_remove(&p);
}

TEST(the_key_of_the_first_segment_that_is_left_verifies_without_the_retired_headers)
{
	struct place p = retired_journal();
	uint64_t seg[SEGMENTS];
	struct journal_header h;
	struct journal_report r;
	struct forge f;

	forge_segments(&p, seg, SEGMENTS);
	forge_read(&p, seg[0], &f);
	CHECK_OK(header_parse(f.line[0], strlen(f.line[0]), &h));
	place_unlink(&p, "retired");
	CHECK_OK(journal_verify(p.dir, h.key, &r));
	CHECK_EQ(r.first_seq, seg[0]);
	forge_free(&f);
	place_remove(&p);
}

TEST(a_state_of_a_retired_segment_cannot_be_looked_for_and_verify_says_so)
{
	struct place p = retired_journal();
	uint8_t key[ED25519_KEY_BYTES];
	struct journal_report r;
	char head[160];

	snprintf(head, sizeof(head), "%020d:5:%064d", 1, 0);
	place_key(&p, key);
	CHECK_EQ(journal_verify_head(p.dir, key, head, &r), -ENODATA);
	CHECK_HAS(r.first_error, "was retired");
	place_remove(&p);
}

/* A crash before the first file is unlinked, after some, between lines and hashes, in the middle of a header in `retired`. */
TEST(what_a_crash_kept_from_being_deleted_is_no_damage_and_goes_at_the_next_start)
{
	for (int crash = 0; crash < 4; crash++) {
		struct place p = place_make();
		struct journal *j = begin(&p, (struct journal_options){ .retain_bytes = 1 });
		uint64_t seg[SEGMENTS];
		struct forge f[2];
		struct journal_report r;
		size_t n;
		_free_ char *text = NULL;

		CASE("crash %d", crash);
		put(j, 1, 300);
		CHECK(forge_segments(&p, seg, SEGMENTS) > 3);
		forge_read(&p, seg[0], &f[0]);
		forge_read(&p, seg[1], &f[1]);
		journal_release(j, UINT64_MAX);
		put(j, 301, 500);
		journal_close(j);
		CHECK(gone_segments > 2);
		for (int i = crash == 1; i < 2; i++)
			forge_write(&p, &f[i], true);
		if (crash == 2) {
			char name[64];

			forge_name(seg[0], "jsonl", name);
			place_unlink(&p, name);
		}
		if (crash == 3) {
			text = place_read(&p, "retired", &n);
			place_cut(&p, "retired", strchr(text, '\n') - text - 20);
		}
		if (crash != 3)		/* its headers are not all in `retired`: only the writer, who has them, can go on */
			check_verifies(&p, &r);
		journal_close(begin(&p, (struct journal_options){ .retain_bytes = 1 }));
		CHECK(forge_segments(&p, seg, SEGMENTS) >= 2);
		CHECK_EQ(seg[0], kept ? kept : seg[0]);
		CHECK(seg[0] > f[1].first);
		if (crash != 3)
			check_verifies(&p, &r);
		forge_free(&f[0]);
		forge_free(&f[1]);
		place_remove(&p);
	}
}

TEST_MAIN()
