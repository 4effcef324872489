/* SPDX-License-Identifier: Apache-2.0 */
/* A journal's beginning, from an unlocked directory to a thread that waits for lines, and its end. One process at a time holds the directory. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <time.h>
#include "base/file.h"
#include "journal/internal.h"
#include "journal/retire.h"

#define QUEUE_BYTES	(8u << 20)
#define SEGMENT_BYTES	(64u << 20)
#define CHECKPOINT_MS	10000u
#define EPOCH_MS	(3600u * 1000)

uint64_t journal_clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static int lock_dir(int dirfd)
{
	int fd = openat(dirfd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), err;

	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}

static void boot_id_read(char out[JOURNAL_BOOT_MAX + 1])
{
	_free_ char *text = NULL;

	if (file_slurp("/proc/sys/kernel/random/boot_id", 64, &text, NULL))
		text = NULL;
	snprintf(out, JOURNAL_BOOT_MAX + 1, "%.*s", (int)strcspn(text ? text : "unknown", "\n"), text ? text : "unknown");
}

static int open_dir(struct journal *j, const struct journal_options *o)
{
	int err = dir_make(o->dir, 0700);

	if (err)
		return err;
	j->w.dirfd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->w.dirfd < 0)
		return -errno;
	j->lock_fd = lock_dir(j->w.dirfd);
	if (j->lock_fd < 0)
		return j->lock_fd;
	j->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return j->event_fd < 0 ? -errno : 0;
}

static int open_writer(struct journal *j, const struct journal_options *o, struct journal_recovery *found)
{
	struct writer *w = &j->w;
	int err = keys_open(o->key_dir, writer_now_ms(), &w->keys);

	if (err)
		return err;
	snprintf(w->host, sizeof(w->host), "%s", o->host ? o->host : "");
	boot_id_read(w->boot_id);
	w->epoch_ms = o->epoch_ms ? o->epoch_ms : EPOCH_MS;
	w->retain_bytes = o->retain_bytes;
	w->retain_ms = o->retain_ms;
	err = writer_recover(w, found);
	if (err)
		return err;
	retire_delete(w);	/* what a crash kept from being deleted */
	j->next_seq = found->next_seq;
	j->segment_queued = w->seg.size;
	j->durable = found->next_seq;
	if (found->unclean || w->seg.lines == 1)
		j->checkpoint_due = journal_clock_ms() + j->checkpoint_ms;
	memcpy(j->head, w->head, sizeof(j->head));
	w->trouble = journal_on_trouble;
	w->durable = journal_on_durable;
	w->retired = journal_on_retired;
	w->released = &j->released;
	w->ctx = j;
	return 0;
}

static int start_thread(struct journal *j)
{
	pthread_condattr_t attr;
	int err = pthread_condattr_init(&attr);

	if (err)
		return -err;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->wake, &attr);
	pthread_cond_init(&j->done, &attr);
	pthread_condattr_destroy(&attr);
	return -pthread_create(&j->thread, NULL, journal_run, j);
}

static void journal_free(struct journal *j)
{
	writer_done(&j->w);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	if (j->event_fd >= 0)
		close(j->event_fd);
	free(j->in.bytes);
	free(j->in.items);
	free(j);
}

int journal_open(const struct journal_options *o, struct journal **out, struct journal_recovery *found)
{
	struct journal *j = calloc(1, sizeof(*j));
	struct journal_recovery here = {};
	int err;

	if (!j)
		return -ENOMEM;
	j->lock_fd = j->event_fd = j->w.dirfd = j->w.keys.dirfd = j->w.seg.fd = j->w.seg.leaf_fd = -1;
	j->queue_bytes = o->queue_bytes ? o->queue_bytes : QUEUE_BYTES;
	j->segment_bytes = o->segment_bytes ? o->segment_bytes : SEGMENT_BYTES;
	j->checkpoint_ms = o->checkpoint_ms ? o->checkpoint_ms : CHECKPOINT_MS;
	j->error = o->error;
	j->retired = o->retired;
	j->ctx = o->ctx;
	err = open_dir(j, o);
	if (!err)
		err = open_writer(j, o, &here);
	if (!err)
		err = start_thread(j);
	if (err) {
		journal_free(j);
		return err;
	}
	if (found)
		*found = here;
	*out = j;
	return 0;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	j->stop_ms = journal_clock_ms();
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->thread, NULL);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->wake);
	pthread_cond_destroy(&j->done);
	journal_free(j);
}
