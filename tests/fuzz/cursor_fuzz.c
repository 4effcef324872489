/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the file of a durable cursor: it opens, reads a line that exists or none, and a committed place is read back. */
#include <fcntl.h>
#include <stdio.h>
#include "base/file.h"
#include "journal/journal.h"

#define EVENTS 5

static char dir[64], keys[80];
static uint64_t end;

static void remove_all(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	(void)!system(cmd);
}

static void prepare(void)
{
	struct journal_options o = { .dir = dir, .key_dir = keys, .host = "fuzz" };
	char path[96];
	struct journal *j;

	snprintf(dir, sizeof(dir), "/dev/shm/bailiff-fuzz-XXXXXX");
	if (!mkdtemp(dir))
		abort();
	(void)atexit(remove_all);
	snprintf(keys, sizeof(keys), "%s/keys", dir);
	snprintf(path, sizeof(path), "%s/cursors", dir);
	if (dir_make(path, 0700) || journal_open(&o, &j, NULL))
		abort();
	for (int i = 0; i < EVENTS; i++) {
		if (journal_append(j, "{}", 2, NULL))
			abort();
	}
	journal_close(j);
	end = EVENTS + 3;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_cursor *c;
	struct journal_line l;
	char path[128];
	uint64_t next;
	int fd, got;

	if (!end)
		prepare();
	snprintf(path, sizeof(path), "%s/cursors/c", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write_full(fd, data, size))
		abort();
	close(fd);
	if (journal_cursor_open(dir, "c", &c))
		abort();
	got = journal_cursor_read(c, &l);
	if (got < 0 || (got && (l.seq < 1 || l.seq >= end)))
		abort();
	if (journal_cursor_restarted(c) && (!got || l.seq != 1))
		abort();
	next = got ? l.seq + 1 : end;
	if (journal_cursor_commit(c, next))
		abort();
	journal_cursor_close(c);
	if (journal_cursor_open(dir, "c", &c) || journal_cursor_committed(c) != next)
		abort();
	journal_cursor_close(c);
	return 0;
}
