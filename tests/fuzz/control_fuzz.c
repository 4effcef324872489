/* SPDX-License-Identifier: Apache-2.0 */
/* The stream of a hostile client, as the engine reads it: in pieces, from a socket that may not block. */
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/kv.h"
#include "engine/control.h"

#define MOST_BYTES (64u << 10)	/* what a socket surely takes without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(control_reader_done) struct control_reader r = {};
	size_t piece = size ? 1 + data[size - 1] : 1;
	struct control_message m;
	int pair[2], got = 0;

	if (size > MOST_BYTES || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
		return 0;
	for (size_t at = 0; at < size && got >= 0; at += piece) {
		size_t n = size - at < piece ? size - at : piece;

		if (send(pair[0], data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			break;
		while ((got = control_read(&r, pair[1], &m)) == 1) {
			for (const struct kv_pair *p = kv_find(&m.kv, "arg", NULL); p; p = kv_find(&m.kv, "arg", p))
				if (p->value[p->value_len])
					__builtin_trap();	/* every value ends in a NUL of ours */
			control_message_done(&m);
		}
	}
	close(pair[0]);
	close(pair[1]);
	return 0;
}
