/* SPDX-License-Identifier: Apache-2.0 */
/* The growing tree against RFC 9162 as it is written there: a recursive definition over all leaves. */
#include "journal/tree.h"
#include "journal/format.h"
#include "tests/unit/test.h"

#define MOST 300

static void naive_root(const uint8_t (*leaf)[HASH_BYTES], size_t n, uint8_t out[HASH_BYTES])
{
	uint8_t left[HASH_BYTES], right[HASH_BYTES];
	size_t k = 1;

	if (n == 0) {
		CHECK_OK(hash_sha256("", 0, out));
		return;
	}
	if (n == 1) {
		memcpy(out, leaf[0], HASH_BYTES);
		return;
	}
	while (2 * k < n)
		k *= 2;
	naive_root(leaf, k, left);
	naive_root(leaf + k, n - k, right);
	CHECK_OK(hash_sha256_2(1, left, HASH_BYTES, right, HASH_BYTES, out));
}

TEST(roots_equal_the_definition_for_every_size)
{
	static uint8_t leaf[MOST][HASH_BYTES];
	struct tree t = {};

	for (size_t n = 0; n <= MOST; n++) {
		uint8_t grown[HASH_BYTES], naive[HASH_BYTES];

		CASE("%zu leaves", n);
		CHECK_OK(tree_root(&t, grown));
		naive_root(leaf, n, naive);
		CHECK_MEM(grown, naive, HASH_BYTES);
		if (n == MOST)
			break;
		CHECK_OK(tree_leaf(&n, sizeof(n), leaf[n]));
		CHECK_OK(tree_add(&t, leaf[n]));
	}
}

/* Made with sha256sum and xxd as docs/journal.md shows it. */
TEST(known_roots_stay_what_they_are)
{
	static const struct {
		unsigned leaves;
		const char *root;
	} rows[] = {
		{ 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ 1, "022a6979e6dab7aa5ae4c3e5e45f7e977112a7e63593820dbec1ec738a24f93c" },
		{ 2, "b137985ff484fb600db93107c77b0365c80d78f5b429ded0fd97361d077999eb" },
		{ 3, "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1" },
	};
	static const char *const line[] = { "a", "b", "c" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tree t = {};
		uint8_t leaf[HASH_BYTES], root[HASH_BYTES];
		char text[2 * HASH_BYTES + 1];

		for (unsigned k = 0; k < rows[i].leaves; k++) {
			CHECK_OK(tree_leaf(line[k], 1, leaf));
			CHECK_OK(tree_add(&t, leaf));
		}
		CHECK_OK(tree_root(&t, root));
		hex_encode(root, sizeof(root), text);
		CASE("%u leaves", rows[i].leaves);
		CHECK_STR(text, rows[i].root);
	}
}

TEST_MAIN()
