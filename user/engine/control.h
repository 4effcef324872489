/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control protocol of the engine: what `bailiff` and any other client say over /run/bailiff/control (a unix stream socket,
 * root or nobody: SO_PEERCRED). A message is a u32 length (little-endian, at most KV_MAX_BYTES) and that many bytes of base/kv.h; descriptors
 * ride on its first byte by SCM_RIGHTS. One request, one reply, in order, any number on a connection.
 *
 * Every reply has `ok` = 1 or 0. With 0: `error` (a sentence for people), `errno` (number), and for policies one `diag` pair per finding
 * ("file:line:column: error: text").
 *
 * op=hello                        -> version, abi, pid, since (boot ns), enforcing (1/0)
 * op=create  policy (text) policy_file [stage=observe|enforce] [param=k=v]... [name] [allow_degraded=1] [held=1]
 *            [deadline_ms] [user] [agent] [session]      descriptor, if while_fd=1: the session ends when its other end closes
 *                                 -> id, name, stage, enforced (1/0), notice (the one line on stderr: what is enforced here and what is not),
 *                                    seccomp (struct sock_filter array; empty: none), diag (warnings)
 *            A sandbox that is not held and whose connection closes before its first `start` ends at once.
 * op=filter  id                   -> seccomp (as above). The child loads it while it is still ungoverned: once it is a member, asking for
 *                                    the privilege that loading takes would be refused, and be on the record
 * op=start   id pid arg... args_total [call] [trace] [user]   descriptor: pidfd of the blocked child. A long command line is cut: args_total
 *                                 says how many arguments there are
 *                                 -> command (exec id).  On return the child is in the sandbox's cgroup and labelled: governed from its next
 *                                    instruction
 * op=list                         -> one `sandbox` pair each: a kv message {id name stage policy digest state members commands refused would
 *                                    started_ms held}
 * op=summary id                   -> id refused would events members state end_reason journal (directory)
 *                                    [why why_more]: the newest refusal in a sentence, and how many others
 * op=end     id [reason]          -> killed (processes); returns when nothing of it lives
 * op=reload  id policy policy_file [param]...   -> digest, generation
 * op=coverage                     -> one `row` pair per capability: a kv message {name state=full|degraded|missing how change}
 *                                    kernel, lsm, complete (1: all that is built is in force in full, 0)
 * op=state                        -> counters, one pair per counter name; sinks: one `sink` pair each {name state delivered lag error}
 * op=stop                         -> the engine leaves (enforcement stays while sandboxes live)
 */
#ifndef ENGINE_CONTROL_H
#define ENGINE_CONTROL_H

#include "base/kv.h"

#ifndef BAILIFF_VERSION
#define BAILIFF_VERSION "0.1.0"	/* of the product: both programs say it */
#endif

#define CONTROL_MAX_FDS 4
#define CONTROL_NAME "control"	/* the socket's name in run_dir of the settings file */
/*
 * A client that finds no engine starts `bailiffd --on-demand --ready-fd N [--settings FILE]`: FILE is what BAILIFF_SETTINGS names, the one
 * setting that moves everything for programs and tests. The engine writes to N "ready\n" once the socket answers, or one line saying why it
 * cannot start, and closes it. Its stderr is run_dir/engine.log.
 */
#define CONTROL_READY "ready\n"
#define CONTROL_TAKEN "another engine runs on this host"
#define SETTINGS_ENV "BAILIFF_SETTINGS"

struct control_message {
	struct kv kv;
	char *bytes;		/* what kv borrows from */
	int fds[CONTROL_MAX_FDS];
	size_t fd_count;
};

/*
 * One message as it arrives, for a socket that may not block: feed until 1 (a message; the reader is ready for the next), 0 (more has to
 * come), or -ENOLINK (the peer closed between two messages), -EBADMSG (malformed, cut off, descriptors where none belong), -EMSGSIZE, -errno.
 * After an error the connection is of no use. Zero-initialised; memory grows with what arrived, never with what was announced.
 */
struct control_reader {
	uint8_t head[4];
	uint32_t size;		/* announced, once the head is complete */
	size_t have;		/* bytes read, head included */
	struct buf body;
	int fds[CONTROL_MAX_FDS];
	size_t fd_count;
};
int control_read(struct control_reader *r, int sock, struct control_message *out);
void control_reader_done(struct control_reader *r);

/* Send one message with descriptors; blocking. -ETIMEDOUT when the socket has a time limit, -EPIPE when the peer is gone (no SIGPIPE). */
int control_send(int sock, const struct buf *message, const int *fds, size_t fd_count);
/* Receive one whole message; blocking. As control_read(), and -ETIMEDOUT when the socket has a time limit. */
int control_receive(int sock, struct control_message *out);
void control_message_done(struct control_message *m);	/* closes descriptors that nobody took (set to -1 when taken) */
int control_connect(const char *path, int *sock);
/* Send and receive; a reply with ok=0 gives -(its errno) and *reply is filled all the same. */
int control_call(int sock, const struct buf *request, const int *fds, size_t fd_count, struct control_message *reply);

#endif
