/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a journal: a segment and its hashes, read by the scanner, verify, a cursor and recovery. Input: two bytes (little-endian) that say how
 * many of the bytes after them are hashes; the rest are lines. Whatever it was, writing must be able to go on behind it.
 */
#include <fcntl.h>
#include <stdio.h>
#include "base/file.h"
#include "journal/journal.h"
#include "journal/scan.h"

#define LINES "00000000000000000001.jsonl"
#define LEAVES "00000000000000000001.leaf"

static char dir[64], keys[80];
static int dirfd = -1;

static void clean(void)
{
	uint64_t *list = NULL;
	size_t n = 0;

	if (dirfd < 0 || segment_list(dirfd, "jsonl", &list, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		char name[SEGMENT_NAME_MAX];

		segment_name(list[i], "jsonl", name);
		(void)unlinkat(dirfd, name, 0);
		segment_name(list[i], "leaf", name);
		(void)unlinkat(dirfd, name, 0);
	}
	free(list);
}

static void remove_all(void)
{
	char path[128];

	clean();
	(void)unlinkat(dirfd, "lock", 0);
	snprintf(path, sizeof(path), "%s/journal.key", keys);
	(void)unlink(path);
	snprintf(path, sizeof(path), "%s/journal.pub", keys);
	(void)unlink(path);
	(void)rmdir(keys);
	(void)rmdir(dir);
}

static void prepare(void)
{
	snprintf(dir, sizeof(dir), "/dev/shm/bailiff-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		abort();
	(void)atexit(remove_all);
}

static void put(const char *name, const void *p, size_t n)
{
	_close_ int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write_full(fd, p, n))
		abort();
}

/* Lines that parse must render to the same bytes. */
static void check_line(const char *line, size_t n)
{
	char again[JOURNAL_OWN_MAX];
	struct journal_header h;
	struct journal_checkpoint c;
	uint64_t v;

	if (!header_parse(line, n, &h) && (header_render(&h, again) != n || memcmp(again, line, n)))
		abort();
	if (!checkpoint_parse(line, n, &c) && (checkpoint_render(&c, again) != n || memcmp(again, line, n)))
		abort();
	(void)journal_line_u64(line, n, "time", &v);
}

static uint64_t read_all(uint64_t expect)
{
	struct journal_cursor *c;
	struct journal_line l;
	uint64_t seq = 0;
	bool found = false;
	int got;

	if (journal_cursor_open(dir, NULL, &c))
		abort();
	while ((got = journal_cursor_read(c, &l)) == 1) {
		if (l.seq <= seq)
			abort();
		seq = l.seq;
		check_line(l.text, l.len);
		found |= seq == expect && l.len == 2;
	}
	journal_cursor_close(c);
	if (expect && !found)
		abort();
	return seq;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct journal_options o = { .dir = dir, .key_dir = keys, .host = "fuzz" };
	static const uint8_t key[ED25519_KEY_BYTES];
	struct journal_recovery found;
	struct journal_report report;
	struct segment_scan scan;
	struct journal *j;
	size_t leaves;
	uint64_t seq;
	int err;

	if (dirfd < 0)
		prepare();
	if (size < 2)
		return 0;
	leaves = data[0] | data[1] << 8;
	data += 2;
	size -= 2;
	if (leaves > size)
		leaves = size;
	put(LEAVES, data, leaves);
	put(LINES, data + leaves, size - leaves);
	if (!segment_scan(dirfd, 1, NULL, 0, &scan))
		segment_scan_done(&scan);
	(void)journal_verify(dir, key, &report);
	(void)read_all(0);
	err = journal_open(&o, &j, &found);
	if (err == -EPROTONOSUPPORT) {
		clean();
		return 0;
	}
	if (err)
		abort();
	if (journal_append(j, "{}", 2, &seq) || seq != found.next_seq)
		abort();
	journal_close(j);
	(void)read_all(seq);
	clean();
	return 0;
}
