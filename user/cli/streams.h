/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command gets as its descriptors 0-2. Files and pipes are passed as they are. A terminal is replaced by a new one of the command's
 * own. A socket is replaced by a pipe, since a sandbox may not use sockets that were made outside it. We copy in between.
 */
#ifndef CLI_STREAMS_H
#define CLI_STREAMS_H

#include "cli/relay.h"
#include "cli/terminal.h"

struct streams {
	int give[3];		/* for the command; -1: ours as it is */
	int master, slave;	/* its terminal; -1: it gets none */
	struct terminal terminal;
	bool keep_output;	/* somebody else in our pipeline writes to the user's terminal */
	struct relay relay;
	struct relay_channel *keys;	/* from the user's terminal; NULL: nothing is typed for the command */
};

#define STREAMS_NONE { .give = { -1, -1, -1 }, .master = -1, .slave = -1, .terminal.fd = -1 }

int streams_open(struct streams *s, uid_t owner);
/* After the fork, in us: let go of the command's ends, so that who reads or writes them sees the command end them. */
int streams_let_go(struct streams *s);
void streams_attend(struct streams *s);	/* take the terminal if we are in the foreground; at the start and whenever that may have changed */
void streams_drain(struct streams *s, bool (*interrupted)(void *ctx), void *ctx);	/* what the command wrote before it ended */
void streams_done(struct streams *s);	/* restores the terminal */

#endif
