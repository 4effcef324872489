/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two lines that the journal itself writes, and how its files are called. Rendering and parsing are inverse to the byte: a parsed line
 * has no room for anything that its fields do not say. docs/journal.md is the description for people.
 */
#ifndef JOURNAL_FORMAT_H
#define JOURNAL_FORMAT_H

#include "base/hash.h"

#define JOURNAL_ID_BYTES	16
#define JOURNAL_HOST_MAX	64
#define JOURNAL_BOOT_MAX	36
#define JOURNAL_OWN_MAX		2048		/* a line of ours with its newline */
#define JOURNAL_LINE_MAX	(1u << 20)	/* any line without its newline; longer is damage */
#define JOURNAL_OWN_PREFIX	"{\"unmapped\":{\"journal\":{"	/* refused from anybody else, so that no event can pose as ours */
#define JOURNAL_FORMAT		2		/* of the files as a whole; another one is refused, never guessed at */
#define SEGMENT_NAME_DIGITS	20

struct journal_previous {
	uint64_t segment, lines;	/* 0, 0 and the hash of nothing: there is none */
	uint8_t root[HASH_BYTES];
	uint64_t damaged;		/* 1: it was found damaged when the successor was opened */
};

struct journal_header {
	uint8_t id[JOURNAL_ID_BYTES];	/* random, the same in all segments of a journal */
	uint64_t segment;		/* number of its first line */
	char host[JOURNAL_HOST_MAX + 1], boot_id[JOURNAL_BOOT_MAX + 1];
	uint64_t key_epoch;
	uint8_t key[ED25519_KEY_BYTES];		/* public half that signs this segment, and no other */
	uint8_t endorsed[SIGNATURE_BYTES];	/* of all the other members, by the key of the epoch before; in epoch 0 by its own */
	uint64_t oldest;			/* the first segment that retention keeps from now on */
	struct journal_previous previous;
	uint64_t time_ms;
};

struct journal_checkpoint {
	uint8_t id[JOURNAL_ID_BYTES];
	uint64_t segment, lines;	/* the lines of the segment before this one */
	uint8_t root[HASH_BYTES];
	uint64_t key_epoch, closes, time_ms;	/* closes 1: nothing follows in this segment */
	uint8_t signature[SIGNATURE_BYTES];
};

/* Render without newline; returns the length, always below JOURNAL_OWN_MAX. */
size_t header_render(const struct journal_header *h, char out[JOURNAL_OWN_MAX]);
size_t checkpoint_render(const struct journal_checkpoint *c, char out[JOURNAL_OWN_MAX]);
int header_parse(const char *line, size_t n, struct journal_header *out);		/* -EBADMSG; -EPROTONOSUPPORT: of another format */
int checkpoint_parse(const char *line, size_t n, struct journal_checkpoint *out);	/* -EBADMSG */
bool line_is_own(const char *line, size_t n);
bool line_is_checkpoint(const char *line, size_t n);	/* looks like one; checkpoint_parse() says whether it is */

/* The root of a segment's first `lines` lines, as SEGMENT:LINES:ROOT: what a checkpoint signs and what a witness remembers. */
#define STATE_TEXT_MAX 160
struct segment_state {
	uint64_t segment, lines;	/* segment 0: none */
	uint8_t root[HASH_BYTES];
	bool found;			/* a scan has seen it, */
	uint64_t time_ms;		/* signed by a checkpoint of this time */
};
void state_render(const struct segment_state *s, char out[STATE_TEXT_MAX]);
int state_parse(const char *text, size_t n, struct segment_state *out);	/* -EBADMSG */

/* What is signed: short texts that a shell can rebuild. Return the length. */
#define STATEMENT_MAX 640
size_t checkpoint_statement(const struct journal_checkpoint *c, char out[STATEMENT_MAX]);
size_t header_statement(const struct journal_header *h, char out[STATEMENT_MAX]);

void hex_encode(const uint8_t *p, size_t n, char *out);		/* 2n digits and a NUL */
int hex_decode(const char *text, uint8_t *out, size_t n);	/* exactly 2n lower-case digits; -EBADMSG */
int decimal_parse(const char *text, size_t n, uint64_t *out);	/* canonical: no sign, no leading zero; -EBADMSG */

#endif
