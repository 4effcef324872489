/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that sort by the time they were made and are unique across hosts: 48 bits of milliseconds and 80 random bits, written as
 * 26 characters of Crockford's base32 (ULID). Within one process each is greater than the one before.
 */
#ifndef SANDBOX_ULID_H
#define SANDBOX_ULID_H

#include "base/base.h"

#define ULID_CHARS 26

struct ulid_maker {
	uint64_t last_ms;
	uint8_t random[10];
};

int ulid_make(struct ulid_maker *m, uint64_t now_ms, char out[ULID_CHARS + 1]);
bool ulid_valid(const char *text);	/* exactly what ulid_make writes: safe as a file name */

#endif
