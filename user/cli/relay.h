/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from one descriptor to another, several pairs at once, without ever blocking on one of them. */
#ifndef CLI_RELAY_H
#define CLI_RELAY_H

#include <poll.h>
#include "base/base.h"

#define RELAY_CHANNELS 4
#define RELAY_BYTES 16384
#define RELAY_POLLS (2 * RELAY_CHANNELS)

enum relay_flags {
	RELAY_OWN_IN	= 1 << 0,	/* closed by the relay: the writer then sees EPIPE once its reader is gone */
	RELAY_OWN_OUT	= 1 << 1,	/* closed by the relay once all has been written: the reader sees the end */
	RELAY_INPUT	= 1 << 2,	/* towards the command; the others are its output, and drained at the end */
	RELAY_DISCARD	= 1 << 3,	/* nobody to write to any more: go on reading */
	RELAY_SMALL	= 1 << 4,	/* `out` may block: write little at a time, and only after a poll */
};

struct relay_channel {
	int in, out;		/* -1: ended */
	unsigned flags;
	bool paused;		/* do not read for now */
	size_t start, len;
	char data[RELAY_BYTES];
};

struct relay {
	struct relay_channel *channels[RELAY_CHANNELS];
	size_t count;
};

int relay_add(struct relay *r, int in, int out, unsigned flags, struct relay_channel **added);
void relay_done(struct relay *r);
/* Fill RELAY_POLLS entries (unused ones are -1), poll, and serve what came. */
void relay_poll(const struct relay *r, struct pollfd *p);
void relay_serve(struct relay *r, const struct pollfd *p);
bool relay_has_output(const struct relay *r);	/* an output that has not ended, or bytes of one not yet written */

#endif
