/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll loop: descriptors, timers (monotonic), signals. Single-threaded; callbacks may add and remove sources. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <sys/signalfd.h>
#include "base/base.h"

struct loop;
struct loop_source;
typedef void (*loop_fd_fn)(void *ctx, int fd, uint32_t epoll_events);
typedef void (*loop_timer_fn)(void *ctx);
typedef void (*loop_signal_fn)(void *ctx, const struct signalfd_siginfo *info);

int loop_new(struct loop **out);
void loop_free(struct loop *l);
int loop_add_fd(struct loop *l, int fd, uint32_t epoll_events, loop_fd_fn fn, void *ctx, struct loop_source **out);	/* fd stays the caller's */
int loop_change_fd(struct loop_source *s, uint32_t epoll_events);
/* every_ms 0: once, then call loop_remove */
int loop_add_timer(struct loop *l, uint64_t first_ms, uint64_t every_ms, loop_timer_fn fn, void *ctx, struct loop_source **out);
int loop_add_signal(struct loop *l, int signo, loop_signal_fn fn, void *ctx, struct loop_source **out);	/* blocks the signal */
void loop_remove(struct loop_source *s);	/* NULL is fine; safe inside its own callback */
int loop_run(struct loop *l);			/* until loop_stop; 0 or -errno */
void loop_stop(struct loop *l);

#endif
