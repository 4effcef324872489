/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `bailiff`: one function a command, argv[0] being the command's own name. Each answers --help on stdout with 0,
 * documents its exit codes there, and logs its own failure once. main.c's table is the only place that knows them all.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/base.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	/* run, create and exec: a command of the user's is meant to own the codes below */
	CLI_NOT_STARTED = 125,
	CLI_NOT_EXECUTABLE = 126,
	CLI_NOT_FOUND = 127,
};

int cmd_run(int argc, char **argv);
int cmd_create(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_end(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_tail(int argc, char **argv);
int cmd_learn(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_journal(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* Replace this process by a helper beside our own binary or in its install directories; argv[0] is set. -errno when it cannot be run. */
int cli_exec_helper(const char *name, char **argv);
int cli_find_helper(const char *name, char *path, size_t size);

#endif
