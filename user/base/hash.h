/* SPDX-License-Identifier: Apache-2.0 */
/* The door to OpenSSL's digests, signatures and random bytes. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/base.h"

#define HASH_BYTES 32
#define SIGNATURE_BYTES 64
#define ED25519_KEY_BYTES 32

int hash_sha256(const void *p, size_t n, uint8_t out[HASH_BYTES]);
int hash_sha256_2(uint8_t prefix, const void *a, size_t an, const void *b, size_t bn, uint8_t out[HASH_BYTES]);	/* H(prefix || a || b) */
int hash_hmac_sha256(const void *key, size_t kn, const void *p, size_t n, uint8_t out[HASH_BYTES]);
int hash_random(void *p, size_t n);
/* In padded base64. out: 4 bytes for each 3 begun, and a NUL. Back: at most size bytes; -EBADMSG, -ENOBUFS. */
void base64_encode(const void *p, size_t n, char *out);
int base64_decode(const char *text, uint8_t *out, size_t size, size_t *n);

int sign_keypair(uint8_t secret[ED25519_KEY_BYTES], uint8_t public_key[ED25519_KEY_BYTES]);
int sign_public(const uint8_t secret[ED25519_KEY_BYTES], uint8_t public_key[ED25519_KEY_BYTES]);	/* the public half of a secret */
int sign_message(const uint8_t secret[ED25519_KEY_BYTES], const void *p, size_t n, uint8_t out[SIGNATURE_BYTES]);
int sign_verify(const uint8_t public_key[ED25519_KEY_BYTES], const void *p, size_t n, const uint8_t sig[SIGNATURE_BYTES]);	/* -EBADMSG */
int sign_public_pem(const uint8_t public_key[ED25519_KEY_BYTES], char **out);	/* the caller's to free */
int sign_public_from_pem(const char *pem, size_t n, uint8_t public_key[ED25519_KEY_BYTES]);

#endif
