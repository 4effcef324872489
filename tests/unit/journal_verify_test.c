/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever changes the record is found: the place is named. What no file can prove needs a witness. */
#include "journal/journal.h"
#include "journal/format.h"
#include "tests/unit/journal_help.h"

/* Several segments, a checkpoint here and there; names in order. */
static unsigned make_journal(const struct place *p, char (*name)[64], unsigned max)
{
	struct journal *j = journal_begin_with(p, (struct journal_options){ .segment_bytes = 1500, .epoch_ms = 1 }, NULL);
	struct journal_cursor *c;
	struct journal_line l;
	unsigned n = 0;

	for (unsigned i = 0; i < 4; i++) {
		journal_put(j, 1 + 12 * i, 12);
		journal_close(j);
		j = journal_begin_with(p, (struct journal_options){ .segment_bytes = 1500, .epoch_ms = 1 }, NULL);
	}
	journal_close(j);
	CHECK_OK(journal_cursor_open(p->dir, NULL, &c));
	while (journal_cursor_read(c, &l) == 1) {
		if (memmem(l.text, l.len, "\"kind\":\"segment\"", 16) && n < max)
			snprintf(name[n++], 64, "%020llu.jsonl", (unsigned long long)l.seq);
	}
	journal_cursor_close(c);
	CHECK(n >= 3);
	return n;
}

static void leaf_name(const char *lines, char out[64])
{
	snprintf(out, 64, "%.20s.leaf", lines);
}

/* The number, from 1, of the line that byte `at` belongs to. */
static size_t line_at(const char *text, size_t at)
{
	size_t n = 1;

	for (size_t i = 0; i < at; i++)
		n += text[i] == '\n';
	return n;
}

TEST(a_flipped_byte_anywhere_is_found_and_its_line_named)
{
	struct place p = place_make();
	char name[16][64];
	unsigned segments = make_journal(&p, name, 16);

	for (unsigned s = 0; s < segments; s++) {
		size_t n;
		_free_ char *text = place_read(&p, name[s], &n);

		for (size_t at = 0; at < n; at++) {
			struct journal_report r;
			char expect[200];

			text[at] ^= at % 7 ? 1 : 0x20;
			place_write(&p, name[s], text, n);
			text[at] ^= at % 7 ? 1 : 0x20;
			CASE("%.40s byte %zu", name[s], at);
			CHECK_EQ(place_verify(&p, &r), -EBADMSG);
			snprintf(expect, sizeof(expect), "segment %.20s line %zu:", name[s], line_at(text, at));
			if (!strstr(r.first_error, expect)) {	/* a header's or checkpoint's own fields may be what is named first */
				snprintf(expect, sizeof(expect), "segment %.20s line %zu", name[s], line_at(text, at));
				CHECK_HAS(r.first_error, expect);
			}
		}
		place_write(&p, name[s], text, n);
	}
	place_remove(&p);
}

TEST(a_flipped_hash_is_told_from_a_flipped_line)
{
	struct place p = place_make();
	char name[16][64], leaf[64];
	unsigned segments = make_journal(&p, name, 16);

	for (unsigned s = 0; s < segments; s++) {
		size_t n;
		_free_ char *bytes = NULL;

		leaf_name(name[s], leaf);
		bytes = place_read(&p, leaf, &n);
		for (size_t at = 0; at < n; at += 5) {
			struct journal_report r;
			char expect[200];

			bytes[at] ^= 0x10;
			place_write(&p, leaf, bytes, n);
			bytes[at] ^= 0x10;
			CASE("%.40s byte %zu", leaf, at);
			CHECK_EQ(place_verify(&p, &r), -EBADMSG);
			snprintf(expect, sizeof(expect), "segment %.20s line %zu: does not match its leaf hash", leaf, at / HASH_BYTES + 1);
			CHECK_HAS(r.first_error, expect);
			if (at / HASH_BYTES + 1 < n / HASH_BYTES)	/* a checkpoint stands behind it */
				CHECK_HAS(r.first_error, "the .leaf file was changed");
		}
		place_write(&p, leaf, bytes, n);
	}
	place_remove(&p);
}

TEST(a_changed_line_is_told_by_the_checkpoint_behind_it)
{
	struct place p = place_make();
	char name[16][64];
	struct journal_report r;
	size_t n;

	make_journal(&p, name, 16);
	_free_ char *text = place_read(&p, name[0], &n);
	char *event = strstr(text, "some event");

	CHECK(event);
	event[0] = 'S';
	place_write(&p, name[0], text, n);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "the line was changed");
	CHECK_HAS(r.first_error, "segment 00000000000000000001 line 2: does not match its leaf hash");
	place_remove(&p);
}

/* Somebody who knows the format changes line and hash together; only the signature remains. */
TEST(a_change_of_line_and_hash_together_breaks_the_signed_root)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_report r;
	uint8_t leaf[HASH_BYTES];
	size_t n, m;

	journal_put(j, 1, 5);
	journal_close(j);
	_free_ char *text = place_read(&p, FIRST_LINES, &n), *leaves = place_read(&p, FIRST_LEAVES, &m);
	char *event = strstr(text, "{\"n\":3"), *end = strchr(event, '\n');

	event[5] = '4';
	CHECK_OK(hash_sha256_2(0, event, end - event, NULL, 0, leaf));
	memcpy(leaves + 3 * HASH_BYTES, leaf, HASH_BYTES);
	place_write(&p, FIRST_LINES, text, n);
	place_write(&p, FIRST_LEAVES, leaves, m);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "lines 1 to 6: do not give the root that the checkpoint in line 7 signs");
	CHECK_EQ(r.anchored_seq, 0);
	place_remove(&p);
}

TEST(a_removed_line_is_named)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_report r;
	size_t n, m;

	journal_put(j, 1, 5);
	journal_close(j);
	_free_ char *text = place_read(&p, FIRST_LINES, &n), *leaves = place_read(&p, FIRST_LEAVES, &m);
	char *line = strstr(text, "{\"n\":3"), *next = strchr(line, '\n') + 1;

	memmove(line, next, text + n - next);
	n -= next - line;
	place_write(&p, FIRST_LINES, text, n);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "line 4: does not match its leaf hash but that of the next line: a line was removed here");
	/* its hash too */
	memmove(leaves + 3 * HASH_BYTES, leaves + 4 * HASH_BYTES, m - 4 * HASH_BYTES);
	place_write(&p, FIRST_LEAVES, leaves, m - HASH_BYTES);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "line 6: the checkpoint covers 6 lines but stands behind 5: lines were removed or put in before it");
	place_remove(&p);
}

TEST(an_inserted_line_is_named)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_report r;
	size_t n;

	journal_put(j, 1, 5);
	journal_close(j);
	_free_ char *text = place_read(&p, FIRST_LINES, &n), *more = malloc(n + 8);
	size_t at = strstr(text, "{\"n\":3") - text;

	memcpy(more, text, at);
	memcpy(more + at, "{\"x\":1}\n", 8);
	memcpy(more + at + 8, text + at, n - at);
	place_write(&p, FIRST_LINES, more, n + 8);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "line 4: does not match its leaf hash, which is that of the next line: a line was put in here");
	place_remove(&p);
}

TEST(a_removed_segment_is_named_wherever_it_was)
{
	char name[16][64], leaf[64];
	unsigned segments = 3;

	for (unsigned gone = 0; gone < segments - 1; gone++) {
		struct place p = place_make();
		struct journal_report r;
		char expect[200];

		segments = make_journal(&p, name, 16);
		CASE("segment %u of %u", gone, segments);
		leaf_name(name[gone], leaf);
		place_unlink(&p, name[gone]);
		place_unlink(&p, leaf);
		CHECK_EQ(place_verify(&p, &r), -EBADMSG);
		snprintf(expect, sizeof(expect), "segment %.20s line 1: follows segment %.20s, which is not here", name[gone + 1], name[gone]);
		CHECK_HAS(r.first_error, expect);
		place_remove(&p);
	}
}

TEST(a_swapped_or_renamed_segment_is_named)
{
	struct place p = place_make();
	char name[16][64];
	struct journal_report r;
	size_t n, m;

	make_journal(&p, name, 16);
	_free_ char *one = place_read(&p, name[0], &n), *two = place_read(&p, name[1], &m);

	place_write(&p, name[0], two, m);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "segment 00000000000000000001 line 1: is the header of segment");
	place_write(&p, name[0], one, n);
	check_verifies(&p, &r);
	place_remove(&p);
}

/* Lines and hashes behind the last checkpoint: without hashes nobody can tell, with them the cut is seen. */
TEST(a_tail_cut_in_front_of_its_hashes_is_named)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_report r;
	size_t n;

	journal_put(j, 1, 5);
	journal_close(j);
	_free_ char *text = place_read(&p, FIRST_LINES, &n);

	text[n - 1] = 0;
	place_cut(&p, FIRST_LINES, strrchr(text, '\n') + 1 - text);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "line 7: is missing with all behind it; their 1 leaf hashes are there");
	place_remove(&p);
}

TEST(a_tail_cut_with_its_hashes_is_found_by_a_witnessed_head)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .checkpoint_ms = 5 }, NULL);
	uint8_t key[ED25519_KEY_BYTES];
	char early[160], late[160];
	struct journal_report r;

	journal_put(j, 1, 5);
	while (journal_head(j, early))
		usleep(1000);
	journal_put(j, 6, 5);
	do {
		usleep(1000);
		CHECK_OK(journal_head(j, late));
	} while (!strcmp(early, late));
	journal_close(j);
	place_key(&p, key);
	CHECK_OK(journal_verify_head(p.dir, key, early, &r));
	CHECK_OK(journal_verify_head(p.dir, key, late, &r));
	CHECK(r.head_found);
	/* back to the state behind the first checkpoint: all is well by itself */
	place_cut(&p, FIRST_LEAVES, 7 * HASH_BYTES);
	size_t n;
	_free_ char *text = place_read(&p, FIRST_LINES, &n);
	char *end = text;

	for (int i = 0; i < 7; i++)
		end = strchr(end, '\n') + 1;
	place_cut(&p, FIRST_LINES, end - text);
	CHECK_OK(journal_verify(p.dir, key, &r));
	CHECK_OK(journal_verify_head(p.dir, key, early, &r));
	CHECK_EQ(journal_verify_head(p.dir, key, late, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "never had the witnessed root");
	CHECK_EQ(journal_verify_head(p.dir, key, "1:2:3", &r), -EINVAL);
	place_remove(&p);
}

TEST(lines_behind_the_last_checkpoint_are_only_self_asserted)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_report r;

	journal_put(j, 1, 3);
	CHECK_OK(journal_flush(j));
	check_verifies(&p, &r);		/* while the journal is open */
	CHECK_EQ(r.anchored_seq, 0);
	CHECK_EQ(r.unsigned_lines, 4);
	journal_close(j);
	j = journal_begin(&p, NULL);
	journal_put(j, 4, 2);
	CHECK_OK(journal_flush(j));
	check_verifies(&p, &r);
	CHECK_EQ(r.anchored_seq, 5);
	CHECK_EQ(r.unsigned_lines, 2);
	CHECK(r.anchored_ms > 1700000000000);
	journal_close(j);
	place_remove(&p);
}

TEST(another_key_does_not_verify)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	uint8_t secret[ED25519_KEY_BYTES], key[ED25519_KEY_BYTES];
	struct journal_report r;

	journal_put(j, 1, 3);
	journal_close(j);
	CHECK_OK(sign_keypair(secret, key));
	CHECK_EQ(journal_verify(p.dir, key, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "segment 00000000000000000001 line 1: is signed by key");
	CHECK_EQ(r.anchored_seq, 0);
	place_remove(&p);
}

/* A checkpoint made by somebody without the key, everything else consistent. */
TEST(a_forged_checkpoint_is_named)
{
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);
	struct journal_checkpoint c;
	uint8_t secret[ED25519_KEY_BYTES], key[ED25519_KEY_BYTES], leaf[HASH_BYTES];
	char line[JOURNAL_OWN_MAX], text[STATEMENT_MAX];
	struct journal_report r;
	size_t n, m, len;

	journal_put(j, 1, 3);
	journal_close(j);
	_free_ char *lines = place_read(&p, FIRST_LINES, &n), *leaves = place_read(&p, FIRST_LEAVES, &m);
	char *last;

	lines[n - 1] = 0;
	last = strrchr(lines, '\n') + 1;
	CHECK_OK(checkpoint_parse(last, strlen(last), &c));
	CHECK_OK(sign_keypair(secret, key));
	CHECK_OK(sign_message(secret, text, checkpoint_statement(&c, text), c.signature));
	len = checkpoint_render(&c, line);
	CHECK_EQ(len, strlen(last));
	memcpy(last, line, len);
	lines[n - 1] = '\n';
	CHECK_OK(hash_sha256_2(0, line, len, NULL, 0, leaf));
	memcpy(leaves + m - HASH_BYTES, leaf, HASH_BYTES);
	place_write(&p, FIRST_LINES, lines, n);
	place_write(&p, FIRST_LEAVES, leaves, m);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "line 5: is a checkpoint with a signature that is not by the key of this segment");
	CHECK_EQ(r.anchored_seq, 0);
	place_remove(&p);
}

/* A whole journal written anew by somebody with another key: consistent in itself, and not ours. */
TEST(a_journal_rewritten_with_another_key_is_not_ours)
{
	struct place p = place_make(), forger = place_make();
	struct journal *j = journal_begin(&p, NULL);
	uint8_t key[ED25519_KEY_BYTES];
	struct journal_report r;

	journal_put(j, 1, 3);
	journal_close(j);
	place_key(&p, key);
	j = journal_begin(&forger, NULL);
	journal_put(j, 1, 2);
	journal_close(j);
	CHECK_EQ(journal_verify(forger.dir, key, &r), -EBADMSG);
	place_remove(&p);
	place_remove(&forger);
}

TEST(hashes_missing_from_a_closed_segment_are_named)
{
	struct place p = place_make();
	char name[16][64], leaf[64];
	struct journal_report r;

	make_journal(&p, name, 16);
	leaf_name(name[0], leaf);
	place_cut(&p, leaf, 3 * HASH_BYTES + 5);
	CHECK_EQ(place_verify(&p, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "segment 00000000000000000001 line 4: its leaf hash is missing");
	place_remove(&p);
}

TEST(a_place_without_a_journal_is_no_journal)
{
	struct place p = place_make();
	uint8_t key[ED25519_KEY_BYTES] = {};
	struct journal_report r;

	CHECK_EQ(journal_verify(p.dir, key, &r), -ENOENT);
	CHECK_OK(dir_make(p.dir, 0700));
	CHECK_EQ(journal_verify(p.dir, key, &r), -ENOENT);
	CHECK_HAS(r.first_error, "no journal");
	place_remove(&p);
}

TEST_MAIN()
