/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a segment: their names, the list of them, and reading one line by line. Knows no hash, so that a plain reader links none. */
#ifndef JOURNAL_SEGMENT_H
#define JOURNAL_SEGMENT_H

#include <sys/types.h>
#include "journal/format.h"

#define SEGMENT_NAME_MAX 32

void segment_name(uint64_t first, const char *extension, char out[SEGMENT_NAME_MAX]);	/* extension "jsonl" or "leaf" */
int segment_open(int dirfd, uint64_t first, const char *extension, int flags);		/* a descriptor or -errno; files are made 0600 */
int segment_list(int dirfd, const char *extension, uint64_t **out, size_t *count);	/* first numbers, ascending; the caller's to free */
int segment_header(int dirfd, uint64_t first, struct journal_header *out);	/* -EBADMSG: its first line is none; -EPROTONOSUPPORT */

struct line_reader {
	int fd;			/* borrowed */
	char *buf;
	size_t have, pos;	/* buf[pos..have) is not handed out yet */
	off_t base;		/* offset in the file of buf[0] */
};
void line_reader_init(struct line_reader *r, int fd);
void line_reader_done(struct line_reader *r);
void line_reader_seek(struct line_reader *r, off_t offset);
/* 1: a whole line, valid until the next call; 0: none (more), what is left is unfinished; -EMSGSIZE: longer than JOURNAL_LINE_MAX; -errno. */
int line_reader_next(struct line_reader *r, const char **text, size_t *len);
off_t line_reader_offset(const struct line_reader *r);	/* where the next line begins */

#endif
