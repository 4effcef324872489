/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal and the one that a command gets in its place: a command that could reach the user's own could type into it
 * (and so act outside the sandbox) or read what is typed for others.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <sys/types.h>
#include <termios.h>
#include "base/base.h"

struct terminal {
	int fd;			/* an open file of our own on the user's terminal; -1: there is none */
	bool blocking;		/* it could not be opened anew: writes may block */
	bool raw;
	struct termios saved;
};

int terminal_open(struct terminal *t, int fd);
void terminal_close(struct terminal *t);		/* restores it */
bool terminal_foreground(const struct terminal *t);	/* may read and set it without being stopped */
/* Keys go to the command's terminal as they are. Output is left processed where others in our pipeline write here, too. */
void terminal_raw(struct terminal *t, bool keep_output);
void terminal_restore(struct terminal *t);
void terminal_copy_size(const struct terminal *t, int master);
/* A new terminal with the user's settings. output_only: the user's terminal keeps processing output, so this one must not. */
int terminal_pty(const struct terminal *t, bool output_only, uid_t owner, int *master, int *slave);

#endif
