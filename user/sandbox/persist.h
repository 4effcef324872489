/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a successor needs to adopt a sandbox, one file each in <run>/sandboxes/<id>: identity, policies as text, commands. Written
 * anew as a whole before anybody is told of a change; readable by root alone. The file is ours and hostile all the same:
 * everything read back is checked.
 */
#ifndef SANDBOX_PERSIST_H
#define SANDBOX_PERSIST_H

#include "sandbox/registry.h"

#define BOOT_ID_CHARS 36

int boot_id_read(char out[BOOT_ID_CHARS + 1]);
int session_save(int dir, const struct session *s, const char *boot_id);
/* Generations come back without policy and ledger (the caller compiles them), commands as alive as they were written. -ESTALE: of another boot. */
int session_load(int dir, const char *name, const char *boot_id, struct session **out);
int session_parse(const void *bytes, size_t len, const char *name, const char *boot_id, struct session **out);	/* the file's bytes */
int session_forget(int dir, const char *id);
typedef void (*session_file_fn)(void *ctx, const char *name);
int session_files(int dir, session_file_fn fn, void *ctx);	/* each name that is an id */

#endif
