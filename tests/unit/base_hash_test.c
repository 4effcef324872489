/* SPDX-License-Identifier: Apache-2.0 */
/* Digests against published vectors (FIPS 180-2, RFC 4231, RFC 6962 section 2.1), signatures against RFC 8032 section 7.1. */
#include "base/buf.h"
#include "base/hash.h"
#include "test.h"
#include <pthread.h>

static const char *hex(const uint8_t *p, size_t n)
{
	static struct buf b;

	buf_reset(&b);
	buf_add_hex(&b, p, n);
	return b.data;
}

static void unhex(const char *s, uint8_t *out)
{
	for (size_t i = 0; s[2 * i]; i++)
		CHECK_EQ(sscanf(s + 2 * i, "%2hhx", &out[i]), 1);
}

TEST(sha256_matches_published_vectors)
{
	uint8_t d[HASH_BYTES], e[HASH_BYTES];

	CHECK_OK(hash_sha256("abc", 3, d));
	CHECK_STR(hex(d, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_OK(hash_sha256(NULL, 0, d));
	CHECK_STR(hex(d, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_OK(hash_sha256("\0abcd", 5, d));
	CHECK_OK(hash_sha256_2(0, "ab", 2, "cd", 2, e));
	CHECK_MEM(d, e, HASH_BYTES);
	CHECK_OK(hash_sha256_2(0, NULL, 0, NULL, 0, d));
	CHECK_STR(hex(d, 32), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
}

TEST(hmac_matches_published_vectors)
{
	uint8_t d[HASH_BYTES], key[131];

	CHECK_OK(hash_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, d));
	CHECK_STR(hex(d, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	CHECK_OK(hash_hmac_sha256(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54, d));
	CHECK_STR(hex(d, 32), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void *hash_many(void *want)
{
	for (int i = 0; i < 2000; i++) {
		uint8_t d[HASH_BYTES];

		if (hash_sha256("abc", 3, d) || memcmp(d, want, HASH_BYTES))
			return want;
	}
	return NULL;
}

TEST(sha256_is_safe_in_threads)
{
	uint8_t want[HASH_BYTES];
	pthread_t t[4];
	void *bad;

	CHECK_OK(hash_sha256("abc", 3, want));
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		CHECK_OK(pthread_create(&t[i], NULL, hash_many, want));
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		CHECK_OK(pthread_join(t[i], &bad));
		CHECK(!bad);
	}
}

TEST(ed25519_matches_rfc_8032)
{
	uint8_t secret[32], public_key[32], sig[SIGNATURE_BYTES];

	unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", secret);
	unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", public_key);
	CHECK_OK(sign_message(secret, "\x72", 1, sig));
	CHECK_STR(hex(sig, 64), "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
				"387b2eaeb4302aeeb00d291612bb0c00");
	CHECK_OK(sign_verify(public_key, "\x72", 1, sig));
	CHECK_EQ(sign_verify(public_key, "\x73", 1, sig), -EBADMSG);
	for (size_t i = 0; i < sizeof(sig); i++) {
		sig[i] ^= 1;
		CHECK_EQ(sign_verify(public_key, "\x72", 1, sig), -EBADMSG);
		sig[i] ^= 1;
	}
}

TEST(keys_travel_as_pem)
{
	uint8_t secret[32], public_key[32], back[32] = {}, sig[SIGNATURE_BYTES];
	char *pem = NULL;

	CHECK_OK(sign_keypair(secret, public_key));
	CHECK_OK(sign_message(secret, "m", 1, sig));
	CHECK_OK(sign_verify(public_key, "m", 1, sig));
	CHECK_OK(sign_public_pem(public_key, &pem));
	CHECK_HAS(pem, "-----BEGIN PUBLIC KEY-----");
	CHECK_OK(sign_public_from_pem(pem, strlen(pem), back));
	CHECK_MEM(back, public_key, 32);
	for (size_t n = 0; n + 2 < strlen(pem); n++)
		CHECK_EQ(sign_public_from_pem(pem, n, back), -EBADMSG);
	free(pem);
}

TEST(random_bytes_differ)
{
	uint8_t a[32], b[32];

	CHECK_OK(hash_random(a, sizeof(a)));
	CHECK_OK(hash_random(b, sizeof(b)));
	CHECK(memcmp(a, b, sizeof(a)));
}

TEST_MAIN()
