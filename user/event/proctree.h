/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes there are, learned from the records alone. A process is tgid and start time, so a pid that is used again
 * is another process. Whatever was missed stays unknown until a record tells it. Memory is bounded: when the table is full, processes that
 * ended are forgotten first (late records may still ask for them until then), then those unseen for longest.
 */
#ifndef EVENT_PROCTREE_H
#define EVENT_PROCTREE_H

#include "base/base.h"
#include "bpf/abi.h"

/* A program as it was started; shared by the forks of one exec. */
struct program {
	uint32_t refs;
	uint32_t path_len, command_line_len;
	char bytes[];			/* path, then the redacted command line */
};

struct proc {
	uint32_t tgid, parent_tgid;
	uint64_t start_ns, parent_start_ns;	/* the first parent seen: a later reaper is not who started it */
	struct program *program;		/* NULL: unknown */
	char comm[17];
	bool ended;
	uint32_t chain;				/* the table's: next of the same bucket */
	uint32_t newer, older;			/* the table's: order of use */
};

struct proctree;
int proctree_new(size_t max, struct proctree **out);
void proctree_free(struct proctree *t);
/* The process of a record's head, made if it is new. A fork that still runs its parent's program gets it. NULL: no memory. */
struct proc *proctree_see(struct proctree *t, const struct rec_head *h);
struct proc *proctree_find(struct proctree *t, uint32_t tgid, uint64_t start_ns);
struct proc *proctree_parent(struct proctree *t, const struct proc *p);
/* It runs this program now. -ENOMEM: it is unknown then. */
int proctree_exec(struct proctree *t, struct proc *p, const char *path, size_t path_len, const char *command_line, size_t command_line_len);
void proctree_exit(struct proctree *t, struct proc *p);
size_t proctree_count(const struct proctree *t);
size_t proctree_bytes(const struct proctree *t);	/* of programs */

#endif
