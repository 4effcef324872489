/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff why: its two other parts. */
#ifndef CLI_WHY_H
#define CLI_WHY_H

#include "policy/policy.h"

/* Not Bailiff's refusal: what else may be, as far as that can be known here. verb and object NULL: of nothing in particular. */
void why_not(const char *verb, const char *object);
/* Of an event, or the last ones of a sandbox, by id or name, from the journal (dir NULL: this host's). An exit code. */
int why_record(const char *dir, const char *what);

#endif
