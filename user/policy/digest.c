/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's name that nobody can choose: SHA-256 of its canonical form. Apart, so that only its users link the digests. */
#include "base/hash.h"
#include "policy/model.h"

const char *policy_digest(const struct policy *p)
{
	static const char digits[] = "0123456789abcdef";
	_buf_ struct buf canonical = {};
	uint8_t hash[HASH_BYTES];
	char *out = p->digest;

	if (out[0])
		return out;
	if (policy_canonical(p, &canonical) || hash_sha256(canonical.data, canonical.len, hash))
		return NULL;
	memcpy(out, "sha256:", 7);
	for (int i = 0; i < HASH_BYTES; i++) {
		out[7 + 2 * i] = digits[hash[i] >> 4];
		out[8 + 2 * i] = digits[hash[i] & 15];
	}
	return out;
}
