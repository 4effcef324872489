/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting one command in a sandbox and standing in for it until it ends: descriptors, terminal, signals, job control, exit code. What
 * governs the command is the caller's: it is asked while the command is ready but blocked.
 *
 * Three processes: us, in the user's session; a keeper, leader of the command's own session, its parent and no more than that (without a
 * parent in its session the kernel would ignore a terminal's stop signals); and the command, leader of its own process group.
 */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include <signal.h>
#include "cli/account.h"
#include "cli/streams.h"

struct launch {
	char **argv;
	const struct account *user;	/* NULL: as we are */
	const void *filter;		/* struct sock_filter array; NULL: none */
	size_t filter_bytes;
	const char *cgroup;		/* the command is to be born in it, if it can be; NULL: in ours */
	const char *tail_hint;		/* sandbox id, for the message about a command that may not be run */
	int (*govern)(void *ctx, pid_t pid, int pidfd);	/* logs its own failure; then the command is never run */
	void *ctx;
};

/* The command's exit code, 128 + the signal it died of, or CLI_NOT_STARTED, CLI_NOT_EXECUTABLE, CLI_NOT_FOUND (logged). */
int launch_run(const struct launch *l);

/* ---- between launch.c and keeper.c ---- */
enum keeper_kind {
	KEEPER_PID,	/* value: of the command's process */
	KEEPER_READY,	/* all is set up; it waits for a byte */
	KEEPER_FAILED,	/* value: enum keeper_step; error */
	KEEPER_STATUS,	/* value: as waitpid() has it; after an end the process stays a zombie until we hang up */
};
enum keeper_step { STEP_FORK, STEP_TERMINAL, STEP_STREAMS, STEP_LIMITS, STEP_FILTER, STEP_USER, STEP_EXEC };
struct keeper_message {	/* small enough to be written at once */
	int32_t kind, value, error;
};
/* How we were started, for the command to find. */
struct keeper_origin {
	sigset_t mask;
	bool child_ignored;	/* SIGCHLD: while it is ignored, ends leave no status */
};
struct keeper_pipes {
	int go;		/* to read: a byte each for keeper and command; its end means "give up", then "that was all" */
	int report;	/* to write */
};
__attribute__((noreturn)) void keeper_run(const struct launch *l, const struct streams *io, const struct keeper_pipes *pipes,
					  const struct keeper_origin *origin);

#endif
