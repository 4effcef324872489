/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal's tests share: a journal in a directory of its own, lines that can be told apart, and hands on its files. */
#ifndef TESTS_UNIT_JOURNAL_HELP_H
#define TESTS_UNIT_JOURNAL_HELP_H

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sys/stat.h>
#include "base/file.h"
#include "journal/journal.h"
#include "tests/unit/test.h"

struct place {
	char root[64], dir[96], keys[96];
};

static inline int place_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static inline void dir_remove(const char *path)
{
	nftw(path, place_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void place_remove(const struct place *p)
{
	dir_remove(p->root);
}

static inline void place_name(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "%s/journal", p->root);
	snprintf(p->keys, sizeof(p->keys), "%s/keys", p->root);
}

static inline struct place place_make(void)
{
	struct place p = { .root = "/dev/shm/bailiff-journal-XXXXXX" };	/* thousands of syncs need no disk */

	if (!mkdtemp(p.root)) {
		snprintf(p.root, sizeof(p.root), "/tmp/bailiff-journal-XXXXXX");
		CHECK(mkdtemp(p.root));
	}
	place_name(&p);
	return p;
}

__attribute__((noinline, unused)) static char *place_read(const struct place *p, const char *name, size_t *n)
{
	char path[2 * PATH_MAX], *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	CHECK_OK(file_slurp(path, 64u << 20, &text, n));
	return text;
}

static inline void place_write(const struct place *p, const char *name, const void *bytes, size_t n)
{
	char path[2 * PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, bytes, n));
	close(fd);
}

static inline void place_cut(const struct place *p, const char *name, off_t size)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	CHECK_OK(truncate(path, size));
}

static inline void place_unlink(const struct place *p, const char *name)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	CHECK_OK(unlink(path));
}

/* The name of the first segment's files. */
#define FIRST_LINES "00000000000000000001.jsonl"
#define FIRST_LEAVES "00000000000000000001.leaf"

static inline struct journal *journal_begin_with(const struct place *p, struct journal_options o, struct journal_recovery *found)
{
	struct journal *j = NULL;

	o.dir = p->dir;
	o.key_dir = p->keys;
	o.host = "testhost";
	CHECK_OK(journal_open(&o, &j, found));
	return j;
}

static inline struct journal *journal_begin(const struct place *p, struct journal_recovery *found)
{
	return journal_begin_with(p, (struct journal_options){}, found);
}

/* Event lines {"n":FROM,...} up to FROM + count; returns the number that the last one got. */
static inline uint64_t journal_put(struct journal *j, uint64_t from, unsigned count)
{
	uint64_t seq = 0;

	for (unsigned i = 0; i < count; i++) {
		char line[128];
		int n = snprintf(line, sizeof(line), "{\"n\":%llu,\"text\":\"some event or other\"}", (unsigned long long)from + i);
		int err;

		while ((err = journal_append(j, line, n, &seq)) == -ENOBUFS)
			usleep(1000);
		CHECK_OK(err);
	}
	return seq;
}

static inline void place_key(const struct place *p, uint8_t key[ED25519_KEY_BYTES])
{
	CHECK_OK(journal_public_key(p->keys, key));
}

static inline int place_verify(const struct place *p, struct journal_report *r)
{
	uint8_t key[ED25519_KEY_BYTES];

	place_key(p, key);
	return journal_verify(p->dir, key, r);
}

static inline void check_verifies(const struct place *p, struct journal_report *r)
{
	int err = place_verify(p, r);

	if (err)
		test_fail(__FILE__, __LINE__, "verify: %d: %s", err, r->first_error);
}

/* The n of an event line, 0 for a line of the journal's own. */
static inline uint64_t line_n(const struct journal_line *l)
{
	char text[32] = "";

	memcpy(text, l->text, l->len < 31 ? l->len : 31);
	return !strncmp(text, "{\"n\":", 5) ? strtoull(text + 5, NULL, 10) : 0;
}

/* Read everything from `from` on: events must count up without a gap, numbers too. Returns the last n seen. */
static inline uint64_t check_continuous(const struct place *p, uint64_t expect_n)
{
	struct journal_cursor *c = NULL;
	struct journal_line l;
	uint64_t seq = 0, n;
	int got;

	CHECK_OK(journal_cursor_open(p->dir, NULL, &c));
	while ((got = journal_cursor_read(c, &l)) == 1) {
		if (seq)
			CHECK_EQ(l.seq, seq + 1);
		seq = l.seq;
		n = line_n(&l);
		if (n)
			CHECK_EQ(n, expect_n++);
	}
	CHECK_EQ(got, 0);
	journal_cursor_close(c);
	return expect_n - 1;
}

#endif
