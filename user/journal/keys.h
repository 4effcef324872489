/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing key of the journal. It evolves: each epoch's key endorses the next one and is then destroyed, so that who takes the host
 * today cannot sign yesterday's record again. <key_dir>/journal.pub is the key of epoch 0, from which all others follow.
 */
#ifndef JOURNAL_KEYS_H
#define JOURNAL_KEYS_H

#include "journal/format.h"

struct signer {
	uint8_t secret[ED25519_KEY_BYTES], public_key[ED25519_KEY_BYTES];
	uint8_t endorsed[SIGNATURE_BYTES];
	uint64_t epoch, made_ms;
};
struct keys {
	int dirfd;
	struct signer now, next;
	bool has_next;		/* made and endorsed, not yet in force: no header names it so far */
};

int keys_open(const char *dir, uint64_t now_ms, struct keys *out);	/* makes the pair at first start */
void keys_done(struct keys *k);
/* Settle what a crash left between making a key and using it: `key` is what the journal's last header names. */
int keys_settle(struct keys *k, const uint8_t key[ED25519_KEY_BYTES]);
int keys_restart(struct keys *k);			/* a new journal begins: this key is its epoch 0 */
int keys_orphaned(struct keys *k, uint64_t epoch);	/* the journal's key is gone: go on as `epoch`, endorsed by nobody */
int keys_make_next(struct keys *k, const uint8_t id[JOURNAL_ID_BYTES], uint64_t now_ms);
int keys_promote(struct keys *k);			/* the next one is in force, the old one is destroyed */

int keys_sign_checkpoint(const struct keys *k, struct journal_checkpoint *c);
int keys_verify_checkpoint(const uint8_t key[ED25519_KEY_BYTES], const struct journal_checkpoint *c);
int keys_verify_endorsement(const uint8_t before[ED25519_KEY_BYTES], const struct journal_header *h);

#endif
