/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal as its users see it: a bounded queue in front of the writer and the thread between them. Appending copies the line and takes a
 * number, nothing else; lines of the journal's own take theirs as marks in the same queue, so numbers are final when given.
 * The thread lets a batch grow for COLLECT_MS, or until it is large or somebody waits, and makes it durable. open.c begins and ends it.
 */
#include <time.h>
#include "journal/internal.h"

#define COLLECT_MS	40u		/* leaves the disk 60 ms of JOURNAL_COMMIT_MS */
#define RETRY_MS	100u
#define RETRY_MAX_MS	5000u
#define CLOSE_MS	3000u

static void wait_until(struct journal *j, uint64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (ms == UINT64_MAX)
		pthread_cond_wait(&j->wake, &j->lock);
	else
		pthread_cond_timedwait(&j->wake, &j->lock, &t);
}

/* ---- the queue; the lock is held ---- */

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
		j->first_ms = journal_clock_ms();
	if (!j->checkpoint_due)
		j->checkpoint_due = journal_clock_ms() + j->checkpoint_ms;
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

void journal_on_durable(void *ctx, uint64_t seq)
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
	until = journal_clock_ms() + j->retry_ms;
	while (journal_clock_ms() < until && !j->urgent) {
		if (j->stop && journal_clock_ms() >= j->stop_ms + CLOSE_MS)
			return err;
		wait_until(j, j->stop && until > j->stop_ms + CLOSE_MS ? j->stop_ms + CLOSE_MS : until);
	}
	j->urgent = false;	/* a flush had its attempt */
	return 0;
}

int journal_on_trouble(void *ctx, int err, const char *what)
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

void journal_on_retired(void *ctx, const struct journal_retired *r)
{
	struct journal *j = ctx;

	if (j->retired)
		j->retired(j->ctx, r);
}

void journal_release(struct journal *j, uint64_t seq)
{
	atomic_store(&j->released, seq);
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
	return due <= journal_clock_ms() ? 0 : due;
}

/* A checkpoint or a new key is the thread's own business, but takes its number in the queue like everything else. */
static void queue_own(struct journal *j)
{
	bool last = j->stop;

	if (!j->checkpoint_due || (!last && journal_clock_ms() < j->checkpoint_due))
		return;
	if (queue_mark(j, !last && writer_epoch_is_over(&j->w) ? MARK_ROTATE : MARK_CHECKPOINT))
		j->checkpoint_due = last ? 0 : journal_clock_ms() + RETRY_MS;	/* no memory: later */
	else
		j->checkpoint_due = 0;
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

void *journal_run(void *arg)
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
	uint64_t until = journal_clock_ms() + timeout_ms;
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
