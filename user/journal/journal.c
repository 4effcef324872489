/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal as its users see it: a bounded queue in front of the writer and the thread between them. Appending copies the line and takes a
 * number, nothing else; lines of the journal's own take theirs as marks in the same queue, so numbers are final when given.
 * The thread lets a batch grow for COLLECT_MS, or until it is large or somebody waits, and makes it durable.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <time.h>
#include "base/file.h"
#include "journal/writer.h"

#define QUEUE_BYTES	(8u << 20)
#define SEGMENT_BYTES	(64u << 20)
#define CHECKPOINT_MS	10000u
#define KEY_MS		(24u * 3600 * 1000)
#define COLLECT_MS	40u		/* leaves the disk 60 ms of JOURNAL_COMMIT_MS */
#define KEEP_BYTES	(1u << 20)	/* a batch's memory above this is given back when it is not needed any more */
#define RETRY_MS	100u
#define RETRY_MAX_MS	5000u
#define CLOSE_MS	3000u

struct journal {
	int lock_fd, event_fd;
	size_t queue_bytes;
	uint64_t segment_bytes, checkpoint_ms;
	void (*error)(void *ctx, int err, const char *what);
	void *ctx;
	pthread_t thread;
	_Atomic uint64_t durable;
	struct writer w;		/* the thread's */

	pthread_mutex_t lock;		/* all below */
	pthread_cond_t wake, done;	/* for the thread; for those who flush */
	struct batch in;
	size_t in_flight;		/* bytes that the thread has taken and not made durable yet */
	uint64_t next_seq, segment_queued;	/* bytes of the present segment, written or queued */
	uint64_t first_ms;		/* when the oldest line in the queue came */
	uint64_t checkpoint_due;	/* 0: nothing new to sign */
	bool urgent, stop, dead;	/* dead: the thread gave up */
	uint64_t stop_ms, retry_ms;
	uint64_t errors;		/* failed attempts */
	int first_error;		/* since the last flush */
	int last_error;			/* of the trouble that lasts */
	char head[160];
};

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void wait_until(struct journal *j, uint64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (ms == UINT64_MAX)
		pthread_cond_wait(&j->wake, &j->lock);
	else
		pthread_cond_timedwait(&j->wake, &j->lock, &t);
}

/* ---- the queue; the lock is held ---- */

static int grow(void **p, size_t *cap, size_t need, size_t size)
{
	size_t room = *cap ? *cap : 4096;
	void *bigger;

	if (need <= *cap)
		return 0;
	while (room < need)
		room *= 2;
	bigger = reallocarray(*p, room, size);
	if (!bigger)
		return -ENOMEM;
	*p = bigger;
	*cap = room;
	return 0;
}

static int batch_room(struct batch *b, size_t bytes)
{
	int err = grow((void **)&b->bytes, &b->cap, b->len + bytes, 1);

	return err ? err : grow((void **)&b->items, &b->items_cap, b->count + 2, sizeof(*b->items));
}

static int queue_mark(struct journal *j, enum batch_mark mark)
{
	int err = batch_room(&j->in, 0);

	if (err)
		return err;
	j->in.items[j->in.count++] = mark;
	j->next_seq += mark == MARK_ROTATE ? 2 : 1;
	if (mark == MARK_ROTATE)
		j->segment_queued = 0;
	return 0;
}

static void queue_line(struct journal *j, const void *line, size_t n)
{
	struct batch *b = &j->in;

	memcpy(b->bytes + b->len, line, n);
	b->bytes[b->len + n] = '\n';
	b->len += n + 1;
	b->items[b->count++] = n + 1;
	j->segment_queued += n + 1;
	if (b->len == n + 1)
		j->first_ms = clock_ms();
	if (!j->checkpoint_due)
		j->checkpoint_due = clock_ms() + j->checkpoint_ms;
}

static int append_locked(struct journal *j, const void *line, size_t n, uint64_t *seq)
{
	bool was_empty = !j->in.len;
	int err;

	if (j->dead || j->stop)
		return -ESHUTDOWN;
	if (j->in.len + j->in_flight + n + 1 > j->queue_bytes)
		return -ENOBUFS;
	err = batch_room(&j->in, n + 1);
	if (err)
		return err;
	if (j->segment_queued >= j->segment_bytes && !queue_mark(j, MARK_ROTATE))
		j->checkpoint_due = 0;
	queue_line(j, line, n);
	*seq = j->next_seq++;
	if (was_empty || (j->in.len >= j->queue_bytes / 4 && j->in.len - n - 1 < j->queue_bytes / 4))
		pthread_cond_signal(&j->wake);
	return 0;
}

int journal_append(struct journal *j, const void *line, size_t n, uint64_t *seq)
{
	uint64_t at = 0;
	int err;

	if (n > JOURNAL_LINE_MAX)
		return -EMSGSIZE;
	if (n < 2 || *(const char *)line != '{' || ((const char *)line)[n - 1] != '}' || memchr(line, '\n', n) || line_is_own(line, n))
		return -EINVAL;	/* recovery tells whole lines from torn ones by their ends */
	pthread_mutex_lock(&j->lock);
	err = append_locked(j, line, n, &at);
	pthread_mutex_unlock(&j->lock);
	if (!err && seq)
		*seq = at;
	return err;
}

/* ---- the thread ---- */

static void on_durable(void *ctx, uint64_t seq)
{
	struct journal *j = ctx;
	uint64_t one = 1;

	pthread_mutex_lock(&j->lock);
	memcpy(j->head, j->w.head, sizeof(j->head));
	atomic_store_explicit(&j->durable, seq, memory_order_release);
	pthread_cond_broadcast(&j->done);
	pthread_mutex_unlock(&j->lock);
	(void)!write(j->event_fd, &one, sizeof(one));	/* can only fail when it is readable anyway */
}

/* The lock is held. Sleeps before the next attempt; the error when there must be none. */
static int retry_wait(struct journal *j, int err)
{
	uint64_t until;

	j->retry_ms = j->retry_ms ? 2 * j->retry_ms : RETRY_MS;
	if (j->retry_ms > RETRY_MAX_MS)
		j->retry_ms = RETRY_MAX_MS;
	until = clock_ms() + j->retry_ms;
	while (clock_ms() < until && !j->urgent) {
		if (j->stop && clock_ms() >= j->stop_ms + CLOSE_MS)
			return err;
		wait_until(j, j->stop && until > j->stop_ms + CLOSE_MS ? j->stop_ms + CLOSE_MS : until);
	}
	j->urgent = false;	/* a flush had its attempt */
	return 0;
}

static int on_trouble(void *ctx, int err, const char *what)
{
	struct journal *j = ctx;
	bool fresh;

	pthread_mutex_lock(&j->lock);
	fresh = j->last_error != err;
	j->last_error = err;
	if (err) {
		j->errors++;
		if (!j->first_error)
			j->first_error = err;
		pthread_cond_broadcast(&j->done);
	} else {
		j->retry_ms = 0;
	}
	pthread_mutex_unlock(&j->lock);
	if (fresh && j->error)
		j->error(j->ctx, err, what);
	if (!err)
		return 0;
	pthread_mutex_lock(&j->lock);
	err = retry_wait(j, err);
	pthread_mutex_unlock(&j->lock);
	return err;
}

/* Until when may the thread sleep? 0: it has work. */
static uint64_t sleep_until(const struct journal *j)
{
	uint64_t due = UINT64_MAX;

	if (j->stop || j->urgent || j->in.len >= j->queue_bytes / 4)
		return 0;
	if (j->in.count)
		due = j->in.len ? j->first_ms + COLLECT_MS : 0;
	if (j->checkpoint_due && j->checkpoint_due < due)
		due = j->checkpoint_due;
	return due <= clock_ms() ? 0 : due;
}

/* A checkpoint or a new key is the thread's own business, but takes its number in the queue like everything else. */
static void queue_own(struct journal *j)
{
	bool last = j->stop;

	if (!j->checkpoint_due || (!last && clock_ms() < j->checkpoint_due))
		return;
	if (queue_mark(j, !last && writer_key_is_old(&j->w) ? MARK_ROTATE : MARK_CHECKPOINT))
		j->checkpoint_due = last ? 0 : clock_ms() + RETRY_MS;	/* no memory: later */
	else
		j->checkpoint_due = 0;
}

/* Under load the memory is kept, since faulting it in again costs as much as the hashes; the first small batch gives it back. */
static void batch_trim(struct batch *b)
{
	bool large = b->cap > KEEP_BYTES && b->len < b->cap / 8;

	b->len = b->count = 0;
	if (!large)
		return;
	free(b->bytes);
	free(b->items);
	*b = (struct batch){};
}

/* The lock is held. Wait for work and take it; false when there will be no more. */
static bool take(struct journal *j, struct batch *work)
{
	struct batch empty = *work;
	uint64_t until;

	while ((until = sleep_until(j)))
		wait_until(j, until);
	queue_own(j);
	*work = j->in;
	j->in = empty;
	j->in_flight = work->len;
	j->urgent = false;
	return work->count || !j->stop;
}

static void *run(void *arg)
{
	struct journal *j = arg;
	struct batch work = {};
	int err = 0;

	pthread_mutex_lock(&j->lock);
	while (!err && take(j, &work)) {
		pthread_mutex_unlock(&j->lock);
		err = writer_batch(&j->w, &work);
		pthread_mutex_lock(&j->lock);
		batch_trim(&work);
		j->in_flight = 0;
		pthread_cond_broadcast(&j->done);
	}
	j->dead = true;
	pthread_cond_broadcast(&j->done);
	pthread_mutex_unlock(&j->lock);
	free(work.bytes);
	free(work.items);
	if (err && j->error)
		j->error(j->ctx, err, "give up writing the journal; what was queued is lost");
	return NULL;
}

/* ---- open and close ---- */

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
	w->key_ms = o->key_ms ? o->key_ms : KEY_MS;
	err = writer_recover(w, found);
	if (err)
		return err;
	j->next_seq = found->next_seq;
	j->segment_queued = w->seg.size;
	j->durable = found->next_seq;
	if (found->unclean || w->seg.lines == 1)
		j->checkpoint_due = clock_ms() + j->checkpoint_ms;
	memcpy(j->head, w->head, sizeof(j->head));
	w->trouble = on_trouble;
	w->durable = on_durable;
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
	return -pthread_create(&j->thread, NULL, run, j);
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

int journal_flush(struct journal *j)
{
	uint64_t target, errors;
	int err;

	pthread_mutex_lock(&j->lock);
	target = j->next_seq;
	errors = j->errors;
	j->urgent = true;
	pthread_cond_signal(&j->wake);
	while (j->durable < target && j->errors == errors && !j->dead)
		pthread_cond_wait(&j->done, &j->lock);
	err = j->first_error;
	if (!err && j->durable < target)
		err = -EIO;	/* the thread gave up earlier */
	j->first_error = 0;
	pthread_mutex_unlock(&j->lock);
	return err;
}

uint64_t journal_durable_seq(struct journal *j)
{
	return atomic_load_explicit(&j->durable, memory_order_acquire);
}

int journal_wait_durable(struct journal *j, uint64_t seq, unsigned timeout_ms)
{
	uint64_t until = clock_ms() + timeout_ms;
	struct timespec t = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
	int err = 0;

	pthread_mutex_lock(&j->lock);
	while (!err && j->durable <= seq)
		err = pthread_cond_timedwait(&j->done, &j->lock, &t);
	pthread_mutex_unlock(&j->lock);
	return -err;
}

int journal_durable_fd(struct journal *j)
{
	return j->event_fd;
}

int journal_head(struct journal *j, char out[160])
{
	pthread_mutex_lock(&j->lock);
	memcpy(out, j->head, sizeof(j->head));
	pthread_mutex_unlock(&j->lock);
	return *out ? 0 : -ENODATA;
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->stop = true;
	j->stop_ms = clock_ms();
	pthread_cond_signal(&j->wake);
	pthread_mutex_unlock(&j->lock);
	pthread_join(j->thread, NULL);
	pthread_mutex_destroy(&j->lock);
	pthread_cond_destroy(&j->wake);
	pthread_cond_destroy(&j->done);
	journal_free(j);
}
