/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/ulid.h"
#include "base/hash.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* False when all 80 bits were ones: then the next millisecond begins afresh. */
static bool random_increment(uint8_t r[10])
{
	for (int i = 9; i >= 0; i--) {
		if (++r[i])
			return true;
	}
	return false;
}

static void encode(uint64_t ms, const uint8_t r[10], char *out)
{
	uint8_t bytes[16];
	unsigned bit = 0;

	for (int i = 0; i < 6; i++)
		bytes[i] = ms >> (8 * (5 - i));
	memcpy(bytes + 6, r, 10);
	/* 128 bits in 26 digits of five: the first digit holds the top three bits */
	for (int i = 0; i < ULID_CHARS; i++) {
		unsigned v = 0, take = i ? 5 : 3;

		for (unsigned k = 0; k < take; k++, bit++)
			v = v << 1 | (bytes[bit / 8] >> (7 - bit % 8) & 1);
		out[i] = alphabet[v];
	}
	out[ULID_CHARS] = '\0';
}

int ulid_make(struct ulid_maker *m, uint64_t now_ms, char out[ULID_CHARS + 1])
{
	/* a clock that was set back must not make a name that sorts before an older one */
	if (now_ms > m->last_ms || !random_increment(m->random)) {
		int err = hash_random(m->random, sizeof(m->random));

		if (err)
			return err;
		m->last_ms = now_ms > m->last_ms ? now_ms : m->last_ms + 1;
	}
	encode(m->last_ms, m->random, out);
	return 0;
}

bool ulid_valid(const char *text)
{
	return strlen(text) == ULID_CHARS && text[0] <= '7' && strspn(text, alphabet) == ULID_CHARS;
}
