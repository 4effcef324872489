/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The power goes at any moment. This program's own pwritev, pwrite and fdatasync keep a diary of what the journal wrote and synced. From it come disks as a
 * power cut may leave them: everything up to some entry happened; what was synced by then is there; of what was not, any sectors may be
 * missing (old bytes, or zeros behind the old end) and the file may end anywhere. Recovery has to make a good journal of each. Every write of a
 * key file is synced before the next step, so of these the disk has what they were behind some entry, or in the middle of being wiped.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include "journal/journal.h"
#include "tests/unit/journal_help.h"

#define FILES 64
#define SECTOR 512

static const char *const key_names[] = { "journal.key", "journal.key.next" };
#define KEYS 2

struct key_files {
	size_t len[KEYS];	/* 0: not there */
	char text[KEYS][256];
};

struct entry {
	int file;		/* index into names; -1: a key file */
	bool sync;
	size_t offset, len;
	char *bytes;
	struct key_files keys;	/* as they are then */
};

static struct place here;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool recording;
static struct entry *diary;
static size_t entries, room;
static char names[FILES][64];
static int files;

static int file_of(int fd)
{
	char link[64], path[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return -1;
	path[n] = 0;
	name = strrchr(path, '/') + 1;
	if (!strncmp(name, "journal.key", 11))
		return -1;
	for (int i = 0; i < files; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	if (files == FILES || strlen(name) >= sizeof(names[0]))
		return -1;
	strcpy(names[files], name);
	return files++;
}

static void keys_read(struct key_files *k)
{
	*k = (struct key_files){};
	for (int i = 0; i < KEYS; i++) {
		char path[PATH_MAX];
		int fd;
		ssize_t n = -1;

		snprintf(path, sizeof(path), "%s/%s", here.keys, key_names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0) {
			n = read(fd, k->text[i], sizeof(k->text[i]));
			close(fd);
		}
		k->len[i] = n > 0 ? n : 0;
	}
}

static void keys_put(const struct key_files *k, bool half_wiped)
{
	for (int i = 0; i < KEYS; i++) {
		struct key_files copy = *k;
		char path[PATH_MAX];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", here.keys, key_names[i]);
		(void)unlink(path);
		if (!k->len[i])
			continue;
		if (!i && half_wiped)
			memset(copy.text[i], 0, k->len[i] / 2);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		CHECK(fd >= 0);
		CHECK_OK(write_full(fd, copy.text[i], k->len[i]));
		close(fd);
	}
}

static void note(int fd, bool sync, const void *bytes, size_t len, size_t offset)
{
	pthread_mutex_lock(&lock);
	if (recording) {
		if (entries == room) {
			struct entry *bigger = reallocarray(diary, room ? 2 * room : 1024, sizeof(*diary));

			if (!bigger)
				abort();
			diary = bigger;
			room = room ? 2 * room : 1024;
		}
		diary[entries] = (struct entry){ .file = file_of(fd), .sync = sync, .offset = offset, .len = len };
		if (!sync) {
			diary[entries].bytes = malloc(len + 1);
			memcpy(diary[entries].bytes, bytes, len);
		}
		keys_read(&diary[entries].keys);
		entries++;
	}
	pthread_mutex_unlock(&lock);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t offset)
{
	ssize_t put = syscall(SYS_pwritev, fd, v, n, offset, 0), left = put;

	for (int i = 0; i < n && left > 0; i++) {
		size_t len = left < (ssize_t)v[i].iov_len ? (size_t)left : v[i].iov_len;

		note(fd, false, v[i].iov_base, len, offset);
		offset += len;
		left -= len;
	}
	return put;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t offset)
{
	ssize_t put = syscall(SYS_pwrite64, fd, p, n, offset);

	if (put > 0)
		note(fd, false, p, put, offset);
	return put;
}

int fdatasync(int fd)
{
	note(fd, true, NULL, 0, 0);
	return 0;
}

/* ---- the disk ---- */

struct disk_file {
	char *safe, *all;	/* synced; with everything written */
	size_t safe_len, all_len;
};

static void apply(struct disk_file *f, const struct entry *e)
{
	size_t end = e->offset + e->len;

	if (e->sync) {
		f->safe = realloc(f->safe, f->all_len + 1);
		memcpy(f->safe, f->all, f->all_len);
		f->safe_len = f->all_len;
		return;
	}
	if (end > f->all_len) {
		f->all = realloc(f->all, end + 1);
		memset(f->all + f->all_len, 0, end - f->all_len);
		f->all_len = end;
	}
	memcpy(f->all + e->offset, e->bytes, e->len);
}

/* What is left of a file: safe bytes, and of the others what chance will have. */
static size_t survive(const struct disk_file *f, char *out)
{
	size_t len = f->safe_len + (f->all_len > f->safe_len ? rand() % (f->all_len - f->safe_len + 1) : 0);

	memset(out, 0, len);
	if (f->safe)
		memcpy(out, f->safe, f->safe_len < len ? f->safe_len : len);
	for (size_t at = 0; at < len; at += SECTOR) {
		size_t n = len - at < SECTOR ? len - at : SECTOR;

		if (rand() % 3)
			memcpy(out + at, f->all + at, n);
	}
	return len;
}

static void put_disk(const struct place *p, struct disk_file *f)
{
	dir_remove(p->dir);
	CHECK_OK(dir_make(p->dir, 0700));
	for (int i = 0; i < files; i++) {
		_free_ char *bytes = malloc(f[i].all_len + 1);

		if (!f[i].all && !strstr(names[i], "jsonl"))
			continue;	/* nothing of it yet */
		if (f[i].all)
			place_write(p, names[i], bytes, survive(&f[i], bytes));
	}
}

/* Every byte of lines that was synced is in the journal that recovery made. */
static void check_kept(const struct place *p, const struct disk_file *f)
{
	for (int i = 0; i < files; i++) {
		_free_ char *now = NULL;
		size_t n;

		if (!strstr(names[i], "jsonl") || !f[i].safe_len)
			continue;
		now = place_read(p, names[i], &n);
		CHECK(n >= f[i].safe_len);
		CHECK_MEM(now, f[i].safe, f[i].safe_len);
	}
}

/* As they were behind the last entry that happened, or in front of the next; that one may be the wiping of a key. */
static void put_keys(size_t at)
{
	bool later = at < entries && rand() % 2, wiping = at < entries && diary[at].file < 0 && !diary[at].sync;

	if (wiping)
		keys_put(&diary[at - 1].keys, rand() % 2);
	else
		keys_put(&diary[later ? at : at - 1].keys, false);
}

static void cut_power(const struct place *p, size_t at)
{
	struct disk_file disk[FILES] = {};
	struct journal_recovery found;
	struct journal_report r;
	struct journal *j;
	uint64_t n;

	for (size_t i = 0; i < at; i++) {
		if (diary[i].file >= 0)
			apply(&disk[diary[i].file], &diary[i]);
	}
	put_disk(p, disk);
	put_keys(at);
	j = journal_begin(p, &found);
	CHECK_STR(found.damage, "");
	n = check_continuous(p, 1);
	journal_put(j, n + 1, 1);
	journal_close(j);
	check_kept(p, disk);
	check_verifies(p, &r);
	CHECK_EQ(check_continuous(p, 1), n + 1);
	for (int i = 0; i < files; i++) {
		free(disk[i].safe);
		free(disk[i].all);
	}
}

TEST(whatever_a_power_cut_leaves_recovery_makes_a_good_journal_of_it)
{
	struct place p = place_make();
	unsigned seed = (unsigned)time(NULL) ^ getpid();
	struct journal *j;

	here = p;
	recording = true;
	j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = 6000, .checkpoint_ms = 5 }, NULL);
	for (unsigned i = 0; i < 30; i++) {
		journal_put(j, 1 + 20 * i, 20);
		CHECK_OK(journal_flush(j));
		if (i % 5 == 0)
			usleep(6000);
	}
	journal_close(j);
	recording = false;
	CHECK(entries > 100 && files > 4);
	srand(seed);
	for (size_t at = 1; at <= entries; at++) {
		for (int chance = 0; chance < 4; chance++) {
			CASE("seed %u, after %zu of %zu entries, chance %d", seed, at, entries, chance);
			cut_power(&p, at);
		}
	}
	place_remove(&p);
}

TEST_MAIN()
