/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing key of the journal. It evolves: a key signs one segment, then the header of the next one with the next key in it, and is destroyed.
 * So who takes the host today cannot sign what was closed before. <key_dir>/journal.pub is the key of epoch 0, from which all others follow.
 */
#ifndef JOURNAL_KEYS_H
#define JOURNAL_KEYS_H

#include "journal/format.h"

struct signer {
	uint8_t secret[ED25519_KEY_BYTES], public_key[ED25519_KEY_BYTES];
	uint64_t epoch, made_ms;
};
struct keys {
	int dirfd;
	struct signer now, next;
	bool has_next;		/* made, not yet in force: no durable header names it so far */
	bool destroyed, renamed;	/* how far keys_promote() has got */
};

int keys_open(const char *dir, uint64_t now_ms, struct keys *out);	/* makes the pair at first start; -EPROTONOSUPPORT: of another format */
void keys_done(struct keys *k);
/* Settle what a crash left between making a key and using it: `key` is what the journal's last header names. */
int keys_settle(struct keys *k, const uint8_t key[ED25519_KEY_BYTES]);
int keys_restart(struct keys *k);			/* a new journal begins: this key is its epoch 0 */
int keys_make_next(struct keys *k, uint64_t now_ms);
int keys_promote(struct keys *k);			/* the next one is in force, the old one is destroyed; after a failure call it again */

int keys_sign_header(const struct keys *k, struct journal_header *h);		/* by the key in force: the header names the next, or in epoch 0 this one */
int keys_sign_checkpoint(const struct keys *k, struct journal_checkpoint *c);
int keys_verify_checkpoint(const uint8_t key[ED25519_KEY_BYTES], const struct journal_checkpoint *c);
int keys_verify_header(const uint8_t before[ED25519_KEY_BYTES], const struct journal_header *h);

#endif
