/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that holds a reader's durable place, <dir>/cursors/<name>, one line: "bailiff-cursor-2 JOURNAL-ID NEXT STATE". STATE is the newest signed
 * state that the reader's receiver has confirmed (SEGMENT:LINES:ROOT), or "-": whoever checks the journal learns from it whom to ask.
 */
#ifndef JOURNAL_PLACE_H
#define JOURNAL_PLACE_H

#include "journal/format.h"

#define CURSOR_DIR	"cursors"
#define CURSOR_NAME_MAX	64
#define CURSOR_FILE_MAX	320

struct cursor_place {
	uint8_t id[JOURNAL_ID_BYTES];
	uint64_t next;			/* everything before it is done */
	struct segment_state told;	/* segment 0: none */
};

bool place_name_valid(const char *name);
int place_parse(const char *text, size_t n, struct cursor_place *out);	/* -EBADMSG */
size_t place_render(const struct cursor_place *p, char out[CURSOR_FILE_MAX]);

/* Of all places in <dir>/cursors: the states that receivers of this journal have confirmed, at most max. Returns how many. */
size_t place_witnesses(int dir, const uint8_t id[JOURNAL_ID_BYTES], char (*names)[CURSOR_NAME_MAX + 1], struct segment_state *states, size_t max);

#endif
