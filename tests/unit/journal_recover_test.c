/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash may leave is mended; what it cannot leave is named and never touched. */
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include "journal/journal.h"
#include "tests/unit/journal_help.h"

struct image {
	char *lines, *leaves;
	size_t lines_len, leaves_len;
};

static struct image image_take(const struct place *p)
{
	struct image im;

	im.lines = place_read(p, FIRST_LINES, &im.lines_len);
	im.leaves = place_read(p, FIRST_LEAVES, &im.leaves_len);
	return im;
}

/* The journal directory exactly as the image, with the first `lines` and `leaves` bytes of each file, and nothing else. */
static void image_put(const struct place *p, const struct image *im, size_t lines, size_t leaves)
{
	dir_remove(p->dir);
	CHECK_OK(dir_make(p->dir, 0700));
	place_write(p, FIRST_LINES, im->lines, lines);
	place_write(p, FIRST_LEAVES, im->leaves, leaves);
}

static void image_done(struct image *im)
{
	free(im->lines);
	free(im->leaves);
}

static size_t count_lines(const char *p, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines;
}

/* The next place to try: every byte from the first event on, where a crash really cuts, every seventh of the long header. */
static size_t next_byte(const struct image *im, size_t at)
{
	size_t header = strchr(im->lines, '\n') - im->lines;

	return at + (at + 7 < header ? 7 : 1);
}

static size_t whole_bytes(const char *p, size_t n)
{
	while (n && p[n - 1] != '\n')
		n--;
	return n;
}

static struct image small_journal(const struct place *p, unsigned events)
{
	struct journal *j = journal_begin(p, NULL);

	journal_put(j, 1, events);
	journal_close(j);
	return image_take(p);
}

/*
 * The line file is cut at every byte, and the hashes stop in front of the cut, as after a crash: the unfinished line goes, all whole lines
 * stay, the journal goes on in the same segment and is intact.
 */
TEST(a_tail_torn_at_any_byte_is_cut_and_the_journal_goes_on)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);

	for (size_t cut = 0; cut <= im.lines_len; cut = next_byte(&im, cut)) {
		size_t lines = count_lines(im.lines, cut), whole = whole_bytes(im.lines, cut);
		size_t events = lines > 4 ? 3 : lines ? lines - 1 : 0;
		struct journal_recovery found;
		struct journal_report r;
		struct journal *j;

		CASE("cut at %zu of %zu", cut, im.lines_len);
		image_put(&p, &im, cut, (lines ? lines - 1 : 0) * HASH_BYTES);
		CHECK_EQ(place_verify(&p, &r), lines ? 0 : -ENOENT);
		CHECK_EQ(r.torn_bytes, cut - whole);
		j = journal_begin(&p, &found);
		CHECK_EQ(found.torn_bytes, cut - whole);
		CHECK_EQ(found.next_seq, lines ? lines + 1 : 2);
		CHECK_EQ(found.unclean, cut < im.lines_len);
		CHECK_STR(found.damage, "");
		journal_put(j, events + 1, 2);
		journal_close(j);
		check_verifies(&p, &r);
		CHECK_EQ(r.segments, 1);
		CHECK_EQ(r.unsigned_lines, 0);
		CHECK_EQ(check_continuous(&p, 1), events + 2);
	}
	image_done(&im);
	place_remove(&p);
}

TEST(hashes_torn_at_any_byte_are_computed_again)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);

	for (size_t cut = 0; cut <= im.leaves_len; cut++) {
		struct journal_recovery found;
		struct journal_report r;
		struct journal *j;

		CASE("cut at %zu of %zu", cut, im.leaves_len);
		image_put(&p, &im, im.lines_len, cut);
		check_verifies(&p, &r);
		j = journal_begin(&p, &found);
		CHECK_EQ(found.torn_bytes, 0);
		CHECK_STR(found.damage, "");
		CHECK(!found.unclean);
		journal_put(j, 4, 1);
		journal_close(j);
		check_verifies(&p, &r);
		CHECK_EQ(r.segments, 1);
		CHECK_EQ(check_continuous(&p, 1), 4);
	}
	image_done(&im);
	place_remove(&p);
}

TEST(a_missing_file_of_hashes_is_made_again)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3), after;
	struct journal_recovery found;

	place_unlink(&p, FIRST_LEAVES);
	journal_close(journal_begin(&p, &found));
	after = image_take(&p);
	CHECK_EQ(after.leaves_len, im.leaves_len);
	CHECK_MEM(after.leaves, im.leaves, im.leaves_len);
	image_done(&im);
	image_done(&after);
	place_remove(&p);
}

/*
 * Lines whose hashes are there had been durable: when they are gone, no crash did it. The files stay as they are, writing goes on in a new
 * segment, verify names the place before and after.
 */
TEST(lines_missing_in_front_of_their_hashes_are_damage_and_left_alone)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);

	for (size_t cut = 0; cut < im.lines_len; cut = next_byte(&im, cut)) {
		size_t lines = count_lines(im.lines, cut);
		struct journal_recovery found;
		struct journal_report r;
		char expect[64];
		struct image after;
		struct journal *j;
		uint64_t seq;

		CASE("cut at %zu of %zu", cut, im.lines_len);
		snprintf(expect, sizeof(expect), "segment 00000000000000000001 line %zu", lines + 1);
		image_put(&p, &im, cut, im.leaves_len);
		CHECK_EQ(place_verify(&p, &r), -EBADMSG);
		CHECK_HAS(r.first_error, expect);
		j = journal_begin(&p, &found);
		CHECK_HAS(found.damage, expect);
		CHECK_EQ(found.next_seq, im.leaves_len / HASH_BYTES + 2);
		seq = journal_put(j, 100, 1);
		CHECK_EQ(seq, found.next_seq);
		journal_close(j);
		after = image_take(&p);
		CHECK_EQ(after.lines_len, cut);
		CHECK_MEM(after.lines, im.lines, cut);
		CHECK_EQ(after.leaves_len, im.leaves_len);
		image_done(&after);
		CHECK_EQ(place_verify(&p, &r), -EBADMSG);
		CHECK_HAS(r.first_error, expect);
	}
	image_done(&im);
	place_remove(&p);
}

TEST(a_changed_byte_is_never_repaired_and_writing_goes_on_behind_it)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);

	for (size_t at = 0; at < im.lines_len; at = next_byte(&im, at)) {
		char expect[64], was = im.lines[at];
		struct journal_recovery found;
		struct journal_report r;
		struct journal_cursor *c;
		struct journal_line l;
		struct journal *j;
		uint64_t seen = 0;
		int got;

		CASE("byte %zu", at);
		im.lines[at] ^= 1;
		image_put(&p, &im, im.lines_len, im.leaves_len);
		j = journal_begin(&p, &found);
		snprintf(expect, sizeof(expect), "segment 00000000000000000001 line %zu", count_lines(im.lines, at) + 1);
		CHECK_HAS(found.damage, "segment 00000000000000000001 line");
		journal_put(j, 100, 1);
		journal_close(j);
		CHECK_EQ(place_verify(&p, &r), -EBADMSG);
		CHECK_HAS(r.first_error, expect);
		CHECK_OK(journal_cursor_open(p.dir, NULL, &c));
		while ((got = journal_cursor_read(c, &l)) == 1)
			seen = line_n(&l) == 100 ? l.seq : seen;
		CHECK_EQ(got, 0);
		CHECK_EQ(seen, found.next_seq);
		journal_cursor_close(c);
		im.lines[at] = was;
	}
	image_done(&im);
	place_remove(&p);
}

/* Power loss may leave blocks of zeros or halves of lines behind the last commit, even with whole lines after them. */
TEST(rubbish_behind_the_last_commit_is_cut)
{
	static const char *const rubbish[] = { "\n", "x\n", "{\"n\":9\n{\"n\":10}\n", "\n\n\n{\"n\":9}\n{\"n\"", "{}x\n" };
	struct place p = place_make();
	struct image im = small_journal(&p, 3);

	for (size_t i = 0; i <= sizeof(rubbish) / sizeof(rubbish[0]); i++) {
		char zeros[5000] = {};
		const char *more = i < sizeof(rubbish) / sizeof(rubbish[0]) ? rubbish[i] : zeros;
		size_t n = more == zeros ? sizeof(zeros) : strlen(more);
		_free_ char *bytes = malloc(im.lines_len + n);
		struct journal_recovery found;
		struct journal_report r;
		struct journal *j;

		CASE("rubbish %zu", i);
		memcpy(bytes, im.lines, im.lines_len);
		memcpy(bytes + im.lines_len, more, n);
		image_put(&p, &im, im.lines_len, im.leaves_len);
		place_write(&p, FIRST_LINES, bytes, im.lines_len + n);
		check_verifies(&p, &r);
		CHECK_EQ(r.torn_bytes, n);
		j = journal_begin(&p, &found);
		CHECK_EQ(found.torn_bytes, n);
		CHECK(found.unclean);
		CHECK_STR(found.damage, "");
		journal_put(j, 4, 1);
		journal_close(j);
		check_verifies(&p, &r);
		CHECK_EQ(check_continuous(&p, 1), 4);
	}
	image_done(&im);
	place_remove(&p);
}

/* ... but not what stands in front of a signature, even when the hashes are gone. */
TEST(without_hashes_damage_in_front_of_a_checkpoint_is_still_damage)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);
	size_t at = strchr(im.lines, '\n') - im.lines + 1;	/* the brace of the first event */
	struct journal_recovery found;

	im.lines[at] = 0;
	image_put(&p, &im, im.lines_len, 0);
	journal_close(journal_begin(&p, &found));
	CHECK_HAS(found.damage, "line 2: is damaged, and a signed checkpoint stands behind it");
	image_done(&im);
	place_remove(&p);
}

static uint64_t last_segment(const struct place *p)
{
	struct journal_cursor *c;
	struct journal_line l;
	uint64_t first = 0;

	CHECK_OK(journal_cursor_open(p->dir, NULL, &c));
	while (journal_cursor_read(c, &l) == 1) {
		if (memmem(l.text, l.len, "\"kind\":\"segment\"", 16))
			first = l.seq;
	}
	journal_cursor_close(c);
	return first;
}

static void key_file(const struct place *p, const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s", p->keys, name);
}

static void key_write(const struct place *p, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd;

	key_file(p, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, text, strlen(text)));
	close(fd);
}

static char *key_read(const struct place *p)
{
	char path[PATH_MAX], *text = NULL;

	key_file(p, "journal.key", path);
	CHECK_OK(file_slurp(path, 512, &text, NULL));
	return text;
}

/*
 * Killed between the checkpoint that closes a segment and the header of the next: its files are empty or hold a piece of the header, and the key of the
 * closed segment is still there.
 */
TEST(a_segment_torn_at_birth_is_begun_again)
{
	for (size_t piece = 0; piece < 900; piece += 37) {
		struct place p = place_make();
		struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 4096 }, NULL);
		char lines[64], leaves[64], path[PATH_MAX];
		_free_ char *old = NULL, *new = NULL;
		struct journal_recovery found;
		struct journal_report r;
		uint64_t first, n;

		CASE("%zu bytes of header", piece);
		journal_put(j, 1, 20);
		CHECK_OK(journal_flush(j));
		old = key_read(&p);
		journal_put(j, 21, 80);
		journal_close(j);
		new = key_read(&p);
		first = last_segment(&p);
		CHECK(first > 1 && strcmp(old, new));
		snprintf(lines, sizeof(lines), "%020llu.jsonl", (unsigned long long)first);
		snprintf(leaves, sizeof(leaves), "%020llu.leaf", (unsigned long long)first);
		place_cut(&p, lines, piece);
		place_unlink(&p, leaves);
		key_write(&p, "journal.key", old);
		key_write(&p, "journal.key.next", new);
		check_verifies(&p, &r);
		CHECK_EQ(r.segments, 2);
		CHECK_EQ(r.torn_bytes, piece);
		CHECK_EQ(r.unsigned_lines, 0);
		CHECK(r.ends_closed);
		n = check_continuous(&p, 1);
		j = journal_begin(&p, &found);
		CHECK_STR(found.damage, "");
		CHECK_EQ(found.torn_bytes, piece);
		CHECK_EQ(found.next_seq, first + 1);
		CHECK(found.unclean);
		journal_put(j, n + 1, 1);
		journal_close(j);
		check_verifies(&p, &r);
		CHECK(!r.ends_closed);
		CHECK_EQ(check_continuous(&p, 1), n + 1);
		key_file(&p, "journal.key.next", path);
		CHECK(access(path, F_OK));
		place_remove(&p);
	}
}

TEST(a_lost_signing_key_is_said_and_seen)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);
	uint8_t key[ED25519_KEY_BYTES];
	struct journal_recovery found;
	struct journal_report r;

	place_key(&p, key);
	dir_remove(p.keys);
	journal_close(journal_begin(&p, &found));
	CHECK_HAS(found.damage, "signing key");
	CHECK_EQ(journal_verify(p.dir, key, &r), -EBADMSG);
	CHECK_HAS(r.first_error, "does not endorse");
	CHECK_EQ(r.anchored_seq, 5);
	image_done(&im);
	place_remove(&p);
}

/* A boot id of our own, for this process and its children only; false where that is not allowed. */
static bool other_boot(const struct place *p)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/boot_id", p->root);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, "00000000-1111-2222-3333-444444444444\n", 37));
	close(fd);
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount(path, "/proc/sys/kernel/random/boot_id", NULL, MS_BIND, NULL);
}

TEST(after_another_boot_the_segment_is_closed_and_a_new_one_begun)
{
	struct place p = place_make();
	struct image im = small_journal(&p, 3);
	struct journal_report r;
	int status;
	pid_t pid;

	image_put(&p, &im, im.lines_len - 10, im.leaves_len - HASH_BYTES);	/* the power went while the checkpoint was written */
	image_done(&im);
	pid = fork();
	if (!pid) {
		struct journal *j;

		if (!other_boot(&p))
			_exit(77);
		j = journal_begin(&p, NULL);
		journal_put(j, 4, 1);
		journal_close(j);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		place_remove(&p);
		SKIP("needs a mount namespace (root)");
	}
	CHECK_EQ(status, 0);
	check_verifies(&p, &r);
	CHECK_EQ(r.segments, 2);
	CHECK_EQ(r.checkpoints, 2);
	CHECK_EQ(check_continuous(&p, 1), 4);
	place_remove(&p);
}

/* ---- kill -9 ---- */

static void write_until_killed(const struct place *p, int report, unsigned seed)
{
	struct journal *j = journal_begin_with(p, (struct journal_options){ .segment_bytes = 20000, .checkpoint_ms = 7, .epoch_ms = 50 }, NULL);
	uint64_t n = check_continuous(p, 1) + 1;

	srand(seed);
	for (;;) {
		unsigned burst = 1 + rand() % 200;
		uint64_t durable;

		journal_put(j, n, burst);
		n += burst;
		if (rand() % 4 == 0) {
			CHECK_OK(journal_flush(j));
			durable = n - 1;
			CHECK_EQ(write(report, &durable, sizeof(durable)), sizeof(durable));
		} else if (rand() % 3 == 0) {
			usleep(rand() % 3000);
		}
	}
}

/* The last number that the writer knew to be durable. */
static uint64_t last_report(int fd)
{
	uint64_t v, last = 0;

	while (read(fd, &v, sizeof(v)) == sizeof(v))
		last = v;
	return last;
}

TEST(killed_at_any_moment_nothing_durable_is_lost_and_the_chain_holds)
{
	struct place p = place_make();
	unsigned seed = (unsigned)time(NULL) ^ getpid();
	struct journal_recovery found;
	struct journal_report r;
	uint64_t n;

	CASE("seed %u", seed);
	srand(seed);
	for (int round = 0; round < 40; round++) {
		int pipefd[2], status, wait_us = rand() % 60000;
		uint64_t durable = 0, later;
		pid_t pid;

		CHECK_OK(pipe(pipefd));
		pid = fork();
		CHECK(pid >= 0);
		if (!pid) {
			close(pipefd[0]);
			write_until_killed(&p, pipefd[1], seed + round);
			_exit(1);
		}
		close(pipefd[1]);
		if (round % 2)	/* in the middle of its work; else perhaps while it opens the journal */
			CHECK_EQ(read(pipefd[0], &durable, sizeof(durable)), sizeof(durable));
		usleep(wait_us);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		later = last_report(pipefd[0]);
		durable = later ? later : durable;
		close(pipefd[0]);
		CASE("seed %u round %d", seed, round);
		journal_close(journal_begin(&p, &found));
		CHECK_STR(found.damage, "");
		check_verifies(&p, &r);
		CHECK_EQ(r.unsigned_lines, 0);
		n = check_continuous(&p, 1);
		CHECK(n >= durable);
	}
	CHECK(n > 100);
	place_remove(&p);
}

TEST_MAIN()
