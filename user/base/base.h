/* SPDX-License-Identifier: Apache-2.0 */
/* What every file uses: cleanup attributes, steal(), sizes, checked arithmetic on strings. Knows nothing of the product. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PLURAL(n) ((n) == 1 ? "" : "s")	/* of what is counted, in a sentence for people */

static inline void base_free_p(void *p)
{
	free(*(void **)p);
}

static inline void base_close_p(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		close(*fd);
		errno = saved;
	}
}

#define _free_	__attribute__((cleanup(base_free_p)))
#define _close_	__attribute__((cleanup(base_close_p)))
#define _cleanup_(f) __attribute__((cleanup(f)))

/* Take a pointer out of a _free_ variable: the caller owns it now. */
#define steal(p) ({ __typeof__(*(p)) _v = *(p); *(p) = NULL; _v; })
#define steal_fd(p) ({ int _v = *(p); *(p) = -1; _v; })

#endif
