/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A journal on a disk that is full, fails or lies. This program's own pwritev, pwrite and fdatasync stand in front of the C library's and fail
 * when told to.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include "journal/journal.h"
#include "tests/unit/journal_help.h"

enum call { PWRITEV, PWRITE, FDATASYNC, CALLS };
static _Atomic int fail_next[CALLS];	/* so many calls fail ... */
static _Atomic int fail_errno = EIO;
static _Atomic bool short_writes, drop_on_failed_sync;
static _Atomic unsigned calls[CALLS];

static bool fails(enum call c)
{
	calls[c]++;
	if (fail_next[c] <= 0)
		return false;
	fail_next[c]--;
	errno = fail_errno;
	return true;
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
	struct iovec one = v[0];

	if (fails(PWRITEV))
		return -1;
	if (!short_writes)
		return syscall(SYS_pwritev, fd, v, n, offset, 0);
	one.iov_len = one.iov_len > 1 ? one.iov_len / 2 : 1;
	return syscall(SYS_pwritev, fd, &one, 1, offset, 0);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
	if (fails(PWRITE))
		return -1;
	return syscall(SYS_pwrite64, fd, p, short_writes && n > 1 ? n / 2 : n, offset);
}

/* After a failed sync a kernel may drop the pages and call them clean: here they are overwritten. */
int fdatasync(int fd)
{
	static const char zeros[64];

	if (fails(FDATASYNC)) {
		if (drop_on_failed_sync) {
			off_t end = lseek(fd, 0, SEEK_END);

			(void)!syscall(SYS_pwrite64, fd, zeros, sizeof(zeros), end > 64 ? end - 64 : 0);
			errno = EIO;
		}
		return -1;
	}
	return syscall(SYS_fdatasync, fd);
}

struct errors {
	_Atomic int troubles, heals, last;
	char what[128];
};

static void on_error(void *ctx, int err, const char *what)
{
	struct errors *e = ctx;

	if (!err) {
		e->heals++;
		return;
	}
	snprintf(e->what, sizeof(e->what), "%s", what);
	e->last = err;
	e->troubles++;
}

static void calm(void)
{
	for (int i = 0; i < CALLS; i++)
		fail_next[i] = 0;
	short_writes = drop_on_failed_sync = false;
	fail_errno = EIO;
}

static struct journal *begin(const struct place *p, struct errors *e, size_t queue_bytes)
{
	calm();
	*e = (struct errors){};
	return journal_begin_with(p, (struct journal_options){ .error = on_error, .ctx = e, .queue_bytes = queue_bytes, .segment_bytes = 20000 }, NULL);
}

TEST(each_kind_of_failure_is_reported_once_and_heals)
{
	static const struct {
		enum call call;
		int err, times;
		const char *what;
	} rows[] = {
		{ PWRITEV, ENOSPC, 2, "write the journal" }, { PWRITEV, EIO, 1, "write the journal" }, { FDATASYNC, EIO, 2, "sync the journal" },
		{ FDATASYNC, ENOSPC, 1, "sync the journal" }, { PWRITE, ENOSPC, 2, "write the journal's leaf hashes" }, { PWRITEV, EDQUOT, 1, "write the journal" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place p = place_make();
		struct errors e;
		struct journal *j = begin(&p, &e, 0);
		struct journal_report r;

		CASE("row %zu", i);
		journal_put(j, 1, 50);
		CHECK_OK(journal_flush(j));
		fail_errno = rows[i].err;
		fail_next[rows[i].call] = rows[i].times;
		journal_put(j, 51, 50);
		CHECK_EQ(journal_flush(j), -rows[i].err);
		for (int k = 0; k < 500 && journal_durable_seq(j) < 102; k++)
			usleep(10000);
		CHECK_EQ(journal_durable_seq(j), 102);
		CHECK_EQ(e.troubles, 1);
		CHECK_EQ(e.last, -rows[i].err);
		CHECK_STR(e.what, rows[i].what);
		CHECK_EQ(e.heals, 1);
		(void)journal_flush(j);
		journal_put(j, 101, 1);
		CHECK_OK(journal_flush(j));
		journal_close(j);
		check_verifies(&p, &r);
		CHECK_EQ(check_continuous(&p, 1), 101);
		place_remove(&p);
	}
}

TEST(short_writes_are_finished)
{
	struct place p = place_make();
	struct errors e;
	struct journal *j = begin(&p, &e, 0);
	struct journal_report r;

	short_writes = true;
	journal_put(j, 1, 2000);
	CHECK_OK(journal_flush(j));
	journal_close(j);
	calm();
	check_verifies(&p, &r);
	CHECK_EQ(check_continuous(&p, 1), 2000);
	CHECK_EQ(e.troubles, 0);
	place_remove(&p);
}

/* fsync(2) that failed and then says all is well, the pages being gone: only writing everything anew helps. */
TEST(a_failed_sync_is_not_believed_when_it_is_repeated)
{
	struct place p = place_make();
	struct errors e;
	struct journal *j = begin(&p, &e, 0);
	struct journal_report r;

	drop_on_failed_sync = true;
	for (unsigned i = 0; i < 10; i++) {
		fail_next[FDATASYNC] = 1;
		journal_put(j, 1 + 10 * i, 10);
		CHECK_EQ(journal_flush(j), -EIO);
		CHECK_OK(journal_flush(j));
	}
	journal_close(j);
	check_verifies(&p, &r);
	CHECK_EQ(check_continuous(&p, 1), 100);
	place_remove(&p);
}

TEST(while_the_disk_is_full_lines_wait_and_the_rest_is_refused)
{
	struct place p = place_make();
	struct errors e;
	struct journal *j = begin(&p, &e, 16384);
	struct journal_report r;
	unsigned taken = 0;
	char line[64];
	int err;

	fail_errno = ENOSPC;
	fail_next[PWRITEV] = 1 << 30;
	do {
		int n = snprintf(line, sizeof(line), "{\"n\":%u,\"text\":\"x\"}", taken + 1);

		err = journal_append(j, line, n, NULL);
		taken += !err;
	} while (!err);
	CHECK_EQ(err, -ENOBUFS);
	CHECK(taken > 400);
	CHECK_EQ(journal_flush(j), -ENOSPC);
	CHECK_EQ(journal_append(j, line, strlen(line), NULL), -ENOBUFS);
	CHECK_EQ(journal_durable_seq(j), 2);
	calm();
	(void)journal_flush(j);
	for (int k = 0; k < 500 && journal_durable_seq(j) < taken + 2; k++)
		usleep(10000);
	journal_close(j);
	check_verifies(&p, &r);
	CHECK_EQ(check_continuous(&p, 1), taken);
	place_remove(&p);
}

TEST(closing_on_a_dead_disk_ends_and_says_what_it_means)
{
	struct place p = place_make();
	struct errors e;
	struct journal *j = begin(&p, &e, 0);
	struct journal_recovery found;
	struct journal_report r;
	struct timespec from, to;

	journal_put(j, 1, 10);
	CHECK_OK(journal_flush(j));
	fail_next[FDATASYNC] = 1 << 30;
	journal_put(j, 11, 10);
	clock_gettime(CLOCK_MONOTONIC, &from);
	journal_close(j);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK(to.tv_sec - from.tv_sec < 10);
	CHECK_HAS(e.what, "give up");
	calm();
	j = journal_begin(&p, &found);
	CHECK_STR(found.damage, "");
	journal_close(j);
	check_verifies(&p, &r);
	CHECK(check_continuous(&p, 1) >= 10);
	place_remove(&p);
}

TEST(random_trouble_loses_nothing)
{
	struct place p = place_make();
	unsigned seed = (unsigned)time(NULL) ^ getpid();
	static const int errors[] = { EIO, ENOSPC, EDQUOT };
	struct journal_report r;
	struct errors e;
	struct journal *j = begin(&p, &e, 0);

	srand(seed);
	CASE("seed %u", seed);
	for (unsigned i = 0; i < 60; i++) {
		fail_errno = errors[rand() % 3];
		short_writes = rand() % 2;
		drop_on_failed_sync = rand() % 2;
		fail_next[rand() % CALLS] = rand() % 3;
		journal_put(j, 1 + 100 * i, 100);
		if (rand() % 3 == 0)
			(void)journal_flush(j);
	}
	calm();
	while (journal_flush(j))
		;
	journal_close(j);
	check_verifies(&p, &r);
	CHECK_EQ(check_continuous(&p, 1), 6000);
	place_remove(&p);
}

/* A real full disk: a small file system of its own, filled, then emptied. */
TEST(a_full_file_system_is_waited_out)
{
	struct place p = place_make();
	char fill[PATH_MAX];
	int status;
	pid_t pid;

	CHECK_OK(dir_make(p.dir, 0700));
	snprintf(fill, sizeof(fill), "%s/filler", p.dir);
	pid = fork();
	if (!pid) {
		_free_ char *zeros = calloc(1, 512 << 10);
		struct journal_report r;
		struct errors e;
		struct journal *j;
		int fd;

		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("t", p.dir, "tmpfs", 0, "size=1m"))
			_exit(77);
		fd = open(fill, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		CHECK_OK(write_full(fd, zeros, 512 << 10));
		j = begin(&p, &e, 0);
		journal_put(j, 1, 12000);
		CHECK_EQ(journal_flush(j), -ENOSPC);
		CHECK_OK(unlink(fill));
		close(fd);
		while (journal_flush(j) == -ENOSPC)
			;
		journal_close(j);
		check_verifies(&p, &r);
		CHECK_EQ(check_continuous(&p, 1), 12000);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	place_remove(&p);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("needs a mount namespace (root)");
	CHECK_EQ(status, 0);
}

TEST_MAIN()
