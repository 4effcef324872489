/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, full reads and writes, durable replacement, directories. Returns 0 or -errno unless said. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>
#include "base/base.h"

ssize_t read_full(int fd, void *buf, size_t n);		/* until n bytes or end; bytes read or -errno */
int write_full(int fd, const void *buf, size_t n);
int file_slurp(const char *path, size_t max_bytes, char **out, size_t *len);	/* *out NUL-terminated, the caller's to free; -EFBIG */
int file_slurp_at(int dirfd, const char *name, size_t max_bytes, char **out, size_t *len);
int file_replace_at(int dirfd, const char *name, const void *p, size_t n, mode_t mode);	/* temporary, fsync, rename, fsync dir */
int file_write_string(const char *path, const char *text);	/* one write(2) to an existing file (cgroupfs, procfs) */
int dir_make(const char *path, mode_t mode);		/* with its parents; the last one gets mode; 0 if it is there */

#endif
