/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL behind plain functions. The digest is looked up once and each thread keeps one context, since
 * the journal hashes every line and a look-up costs more than a line. A failure of the library is -EIO, or -ENOMEM.
 */
#include "base/hash.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/random.h>
#include <limits.h>
#include <pthread.h>

#define HMAC_BLOCK 64

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static bool have_key;
static EVP_MD *sha256;

static void context_free(void *p)
{
	EVP_MD_CTX_free(p);
}

static void hash_done(void)
{
	if (have_key) {
		context_free(pthread_getspecific(context_key));	/* key destructors do not run for the thread that exits the process */
		(void)pthread_setspecific(context_key, NULL);
	}
	EVP_MD_free(sha256);
	sha256 = NULL;
}

static void hash_init(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	have_key = !pthread_key_create(&context_key, context_free);
	(void)atexit(hash_done);
}

/* This thread's context, or NULL. */
static EVP_MD_CTX *context_get(void)
{
	EVP_MD_CTX *c;

	if (pthread_once(&once, hash_init) || !have_key || !sha256)
		return NULL;
	c = pthread_getspecific(context_key);
	if (c)
		return c;
	c = EVP_MD_CTX_new();
	if (c && pthread_setspecific(context_key, c)) {
		EVP_MD_CTX_free(c);
		return NULL;
	}
	return c;
}

int hash_sha256(const void *p, size_t n, uint8_t out[HASH_BYTES])
{
	EVP_MD_CTX *c = context_get();

	if (!c)
		return -ENOMEM;
	if (!EVP_DigestInit_ex2(c, sha256, NULL) || !EVP_DigestUpdate(c, p, n) || !EVP_DigestFinal_ex(c, out, NULL))
		return -EIO;
	return 0;
}

int hash_sha256_2(uint8_t prefix, const void *a, size_t an, const void *b, size_t bn, uint8_t out[HASH_BYTES])
{
	EVP_MD_CTX *c = context_get();

	if (!c)
		return -ENOMEM;
	if (!EVP_DigestInit_ex2(c, sha256, NULL) || !EVP_DigestUpdate(c, &prefix, 1) || !EVP_DigestUpdate(c, a, an) ||
	    !EVP_DigestUpdate(c, b, bn) || !EVP_DigestFinal_ex(c, out, NULL))
		return -EIO;
	return 0;
}

static int digest_two(EVP_MD_CTX *c, const void *a, size_t an, const void *b, size_t bn, uint8_t out[HASH_BYTES])
{
	if (!EVP_DigestInit_ex2(c, sha256, NULL) || !EVP_DigestUpdate(c, a, an) || !EVP_DigestUpdate(c, b, bn) || !EVP_DigestFinal_ex(c, out, NULL))
		return -EIO;
	return 0;
}

/* RFC 2104 on the thread's context: OpenSSL's own takes ten times as long to set up. */
int hash_hmac_sha256(const void *key, size_t kn, const void *p, size_t n, uint8_t out[HASH_BYTES])
{
	uint8_t inner[HMAC_BLOCK] = {}, outer[HMAC_BLOCK], digest[HASH_BYTES];
	EVP_MD_CTX *c = context_get();
	int err = 0;

	if (!c)
		return -ENOMEM;
	if (kn > HMAC_BLOCK)
		err = hash_sha256(key, kn, inner);
	else if (kn)
		memcpy(inner, key, kn);
	for (size_t i = 0; i < HMAC_BLOCK; i++) {
		outer[i] = inner[i] ^ 0x5c;
		inner[i] ^= 0x36;
	}
	if (!err)
		err = digest_two(c, inner, HMAC_BLOCK, p, n, digest);
	if (!err)
		err = digest_two(c, outer, HMAC_BLOCK, digest, HASH_BYTES, out);
	explicit_bzero(inner, sizeof(inner));
	explicit_bzero(outer, sizeof(outer));
	return err;
}

/* The kernel's own: OpenSSL's generator takes millions of instructions to set itself up for the few bytes that anybody here wants. */
int hash_random(void *p, size_t n)
{
	char *at = p;

	while (n) {
		ssize_t got = getrandom(at, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		at += got;
		n -= got;
	}
	return 0;
}

/* ---- Ed25519 ---- */

static void pkey_free_p(EVP_PKEY **k)
{
	EVP_PKEY_free(*k);
}

static void md_ctx_free_p(EVP_MD_CTX **c)
{
	EVP_MD_CTX_free(*c);
}

static void bio_free_p(BIO **b)
{
	BIO_free(*b);
}
#define _pkey_ _cleanup_(pkey_free_p)
#define _md_ctx_ _cleanup_(md_ctx_free_p)
#define _bio_ _cleanup_(bio_free_p)

void base64_encode(const void *p, size_t n, char *out)
{
	(void)EVP_EncodeBlock((unsigned char *)out, p, n);
}

int base64_decode(const char *text, uint8_t *out, size_t size, size_t *n)
{
	size_t len = strlen(text), pad = len && text[len - 1] == '=' ? 1 + (len > 1 && text[len - 2] == '=') : 0;
	_free_ uint8_t *whole = malloc(len / 4 * 3 + 1);

	if (!whole)
		return -ENOMEM;
	if (len % 4 || strcspn(text, " \t\r\n") != len || EVP_DecodeBlock(whole, (const unsigned char *)text, len) < 0)
		return -EBADMSG;
	*n = len / 4 * 3 - pad;
	if (*n > size)
		return -ENOBUFS;
	memcpy(out, whole, *n);
	explicit_bzero(whole, len / 4 * 3);
	return 0;
}

int sign_keypair(uint8_t secret[ED25519_KEY_BYTES], uint8_t public_key[ED25519_KEY_BYTES])
{
	_pkey_ EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	size_t sn = ED25519_KEY_BYTES, pn = ED25519_KEY_BYTES;
	uint8_t s[ED25519_KEY_BYTES];
	int err = 0;

	if (!k)
		return -EIO;
	if (EVP_PKEY_get_raw_private_key(k, s, &sn) != 1 || EVP_PKEY_get_raw_public_key(k, public_key, &pn) != 1)
		err = -EIO;
	else
		memcpy(secret, s, sizeof(s));
	explicit_bzero(s, sizeof(s));
	return err;
}

int sign_public(const uint8_t secret[ED25519_KEY_BYTES], uint8_t public_key[ED25519_KEY_BYTES])
{
	_pkey_ EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_KEY_BYTES);
	size_t n = ED25519_KEY_BYTES;

	if (!k)
		return -ENOMEM;
	return EVP_PKEY_get_raw_public_key(k, public_key, &n) == 1 ? 0 : -EIO;
}

int sign_message(const uint8_t secret[ED25519_KEY_BYTES], const void *p, size_t n, uint8_t out[SIGNATURE_BYTES])
{
	_pkey_ EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_KEY_BYTES);
	_md_ctx_ EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t len = SIGNATURE_BYTES;

	if (!k || !c)
		return -ENOMEM;
	if (EVP_DigestSignInit(c, NULL, NULL, NULL, k) != 1 || EVP_DigestSign(c, out, &len, p, n) != 1)
		return -EIO;
	return len == SIGNATURE_BYTES ? 0 : -EIO;
}

int sign_verify(const uint8_t public_key[ED25519_KEY_BYTES], const void *p, size_t n, const uint8_t sig[SIGNATURE_BYTES])
{
	_pkey_ EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_KEY_BYTES);
	_md_ctx_ EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (!c)
		return -ENOMEM;
	if (!k || EVP_DigestVerifyInit(c, NULL, NULL, NULL, k) != 1)
		return -EBADMSG;
	return EVP_DigestVerify(c, sig, SIGNATURE_BYTES, p, n) == 1 ? 0 : -EBADMSG;
}

int sign_public_pem(const uint8_t public_key[ED25519_KEY_BYTES], char **out)
{
	_pkey_ EVP_PKEY *k = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_KEY_BYTES);
	_bio_ BIO *b = BIO_new(BIO_s_mem());
	char *text, *copy;
	long n;

	if (!k || !b || PEM_write_bio_PUBKEY(b, k) != 1)
		return -EIO;
	n = BIO_get_mem_data(b, &text);
	copy = strndup(text, n);
	if (!copy)
		return -ENOMEM;
	*out = copy;
	return 0;
}

int sign_public_from_pem(const char *pem, size_t n, uint8_t public_key[ED25519_KEY_BYTES])
{
	_bio_ BIO *b = n <= INT_MAX ? BIO_new_mem_buf(pem, n) : NULL;
	_pkey_ EVP_PKEY *k = b ? PEM_read_bio_PUBKEY(b, NULL, NULL, NULL) : NULL;
	size_t len = ED25519_KEY_BYTES;
	uint8_t raw[ED25519_KEY_BYTES];

	if (!k || EVP_PKEY_get_id(k) != EVP_PKEY_ED25519 || EVP_PKEY_get_raw_public_key(k, raw, &len) != 1 || len != sizeof(raw))
		return -EBADMSG;
	memcpy(public_key, raw, sizeof(raw));
	return 0;
}
