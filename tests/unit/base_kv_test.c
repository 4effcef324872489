/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket's message: what was written reads back, and nothing malformed is taken. */
#include "base/kv.h"
#include "test.h"

static void sample(struct buf *b)
{
	kv_begin(b);
	kv_add_str(b, "op", "start");
	kv_add_str(b, "none", NULL);
	kv_add_str(b, "arg", "a");
	kv_add(b, "arg", "b\0c", 3);
	kv_add_u64(b, "pid", UINT64_MAX);
	kv_add(b, "empty", NULL, 0);
	CHECK_OK(kv_end(b));
}

/* Parse a copy that ends where the message ends, so that sanitizers see a read past it. */
static int parse_exact(const void *p, size_t n, struct kv *m, void **copy)
{
	*copy = malloc(n ? n : 1);
	if (n)
		memcpy(*copy, p, n);
	return kv_parse(*copy, n, m);
}

TEST(kv_reads_back_what_was_written)
{
	const struct kv_pair *arg;
	_buf_ struct buf b = {};
	struct kv m = {};
	uint64_t v = 0;

	sample(&b);
	CHECK_OK(kv_parse(b.data, b.len, &m));
	CHECK_EQ(m.count, 5);
	CHECK_STR(kv_get(&m, "op"), "start");
	CHECK(!kv_get(&m, "none"));
	CHECK_STR(kv_get(&m, "empty"), "");
	CHECK_OK(kv_get_u64(&m, "pid", &v));
	CHECK(v == UINT64_MAX);
	arg = kv_find(&m, "arg", NULL);
	CHECK_STR(arg->value, "a");
	arg = kv_find(&m, "arg", arg);
	CHECK_EQ(arg->value_len, 3);
	CHECK_MEM(arg->value, "b\0c", 3);
	CHECK(!kv_find(&m, "arg", arg));
	kv_done(&m);
}

TEST(kv_get_hides_a_value_with_nul_inside)
{
	_buf_ struct buf b = {};
	struct kv m = {};

	kv_begin(&b);
	kv_add(&b, "path", "/a\0/b", 5);
	CHECK_OK(kv_parse(b.data, b.len, &m));
	CHECK(!kv_get(&m, "path"));
	CHECK_EQ(kv_find(&m, "path", NULL)->value_len, 5);
	kv_done(&m);
}

TEST(kv_numbers_are_digits_and_fit)
{
	static const struct { const char *text; int err; uint64_t v; } cases[] = {
		{ "0", 0, 0 }, { "18446744073709551615", 0, UINT64_MAX }, { "007", 0, 7 }, { "18446744073709551616", -EINVAL, 0 },
		{ "-1", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "1x", -EINVAL, 0 }, { " 1", -EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_buf_ struct buf b = {};
		struct kv m = {};
		uint64_t v = 99;

		CASE("%s", cases[i].text);
		kv_begin(&b);
		kv_add_str(&b, "n", cases[i].text);
		CHECK_OK(kv_parse(b.data, b.len, &m));
		CHECK_EQ(kv_get_u64(&m, "n", &v), cases[i].err);
		CHECK(v == (cases[i].err ? 99 : cases[i].v));
		CHECK_EQ(kv_get_u64(&m, "absent", &v), -ENOENT);
		kv_done(&m);
	}
}

TEST(kv_refuses_every_truncation_and_every_extra_byte)
{
	_buf_ struct buf b = {};
	struct kv m = {};
	void *copy;

	sample(&b);
	for (size_t n = 0; n < b.len; n++) {
		CASE("cut to %zu", n);
		CHECK_EQ(parse_exact(b.data, n, &m, &copy), -EBADMSG);
		free(copy);
	}
	buf_add_char(&b, 0);
	CHECK_EQ(parse_exact(b.data, b.len, &m, &copy), -EBADMSG);
	free(copy);
}

TEST(kv_survives_every_changed_byte)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	_buf_ struct buf b = {};
	void *copy;

	sample(&b);
	for (size_t at = 0; at < b.len; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			char saved = b.data[at];
			struct kv m = {};

			b.data[at] = values[i];
			if (!parse_exact(b.data, b.len, &m, &copy))
				kv_done(&m);
			free(copy);
			b.data[at] = saved;
		}
	}
}

TEST(kv_refuses_counts_that_cannot_be)
{
	static const uint32_t counts[] = { 1, 2, KV_MAX_PAIRS, KV_MAX_PAIRS + 1, 0x7fffffff, 0xffffffff };
	_buf_ struct buf b = {};
	struct kv m = {};

	kv_begin(&b);
	CHECK_OK(kv_parse(b.data, b.len, &m));
	kv_done(&m);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		memcpy(b.data + 4, &counts[i], 4);
		CHECK_EQ(kv_parse(b.data, b.len, &m), -EBADMSG);
	}
}

TEST(kv_writer_keeps_the_limits)
{
	_buf_ struct buf b = {};
	char *big = calloc(1, KV_MAX_BYTES + 1);

	kv_begin(&b);
	for (int i = 0; i < KV_MAX_PAIRS; i++)
		kv_add_str(&b, "k", "v");
	CHECK_OK(kv_end(&b));
	kv_add_str(&b, "k", "one too many");
	CHECK_EQ(kv_end(&b), -E2BIG);
	kv_begin(&b);
	kv_add(&b, "k", big, KV_MAX_BYTES);
	CHECK_EQ(kv_end(&b), -E2BIG);
	kv_begin(&b);
	kv_add(&b, "k", big, KV_MAX_BYTES - 8 - 6 - 1);
	CHECK_OK(kv_end(&b));
	CHECK_EQ(b.len, KV_MAX_BYTES);
	free(big);
}

TEST_MAIN()
