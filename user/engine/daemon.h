/* SPDX-License-Identifier: Apache-2.0 */
/* What makes a process the host's one engine: the lock, leaving the caller's session, telling that it is ready. */
#ifndef ENGINE_DAEMON_H
#define ENGINE_DAEMON_H

#include "base/base.h"

int daemon_lock(const char *run_dir, int *fd);		/* makes run_dir; -EWOULDBLOCK: another engine has it. Held while fd is open */
int daemon_detach(const char *run_dir);			/* returns in the child alone: own session, no terminal, stderr in run_dir/engine.log */
int daemon_move(const char *cgroup_mount, const char *parent);	/* out of the caller's cgroup, so that whoever ends that does not end us */
void daemon_limits(void);				/* many descriptors; the last one that the kernel picks when memory is short */
void daemon_say_ready(int ready_fd, const char *trouble);	/* NULL: ready. Closes the descriptor; -1: nobody asked */
void daemon_notify(const char *state);			/* sd_notify(3)'s protocol; nothing without NOTIFY_SOCKET */

#endif
