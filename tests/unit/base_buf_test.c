/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer, the JSON writer against a reader that is not ours, and the escaping for terminals. */
#include "base/buf.h"
#include "test.h"
#include <jansson.h>
#include <time.h>

static const char *json_of(const void *p, size_t n)
{
	static struct buf b;
	struct json j;

	buf_reset(&b);
	json_init(&j, &b);
	json_strn(&j, NULL, p, n);
	CHECK_OK(b.err);
	CHECK_EQ(strlen(b.data), b.len);
	return b.data;
}

TEST(buf_grows_and_stays_terminated)
{
	_buf_ struct buf b = {};

	for (int i = 0; i < 100000; i++) {
		buf_add_char(&b, 'a' + i % 26);
		CHECK_EQ(b.data[b.len], 0);
	}
	CHECK_EQ(b.len, 100000);
	buf_reset(&b);
	CHECK_STR(b.data, "");
}

TEST(buf_remembers_its_first_failure)
{
	_buf_ struct buf b = {};

	buf_add_str(&b, "x");
	CHECK_EQ(buf_reserve(&b, SIZE_MAX), -ENOMEM);
	buf_add_str(&b, "y");
	buf_addf(&b, "%d", 5);
	CHECK_EQ(b.err, -ENOMEM);
	CHECK_STR(b.data, "x");
}

TEST(buf_formats_beyond_its_room)
{
	_buf_ struct buf b = {};
	char long_text[5000];

	memset(long_text, 'q', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	buf_addf(&b, "%s/%d", long_text, 7);
	CHECK_EQ(b.len, sizeof(long_text) + 1);
	CHECK_STR(b.data + sizeof(long_text) - 1, "/7");
}

TEST(buf_writes_numbers)
{
	static const struct { uint64_t v; const char *text; } cases[] = {
		{ 0, "0" }, { 9, "9" }, { 10, "10" }, { 99, "99" }, { 100, "100" }, { 12345, "12345" }, { UINT64_MAX, "18446744073709551615" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_buf_ struct buf b = {};

		buf_add_u64(&b, cases[i].v);
		CHECK_STR(b.data, cases[i].text);
	}
}

#define T(in, out) { in, sizeof(in) - 1, out }
TEST(json_strings_are_escaped_and_nothing_is_lost)
{
	static const struct { const char *in; size_t n; const char *out; } cases[] = {
		T("", "\"\""),
		T("plain text of some length", "\"plain text of some length\""),
		T("a\"b\\c", "\"a\\\"b\\\\c\""),
		T("\n\t\r\b\f", "\"\\n\\t\\r\\b\\f\""),
		T("\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\""),
		T("a\0b", "\"a\\\\x00b\""),
		T("\xff", "\"\\\\xff\""),
		T("\\xff", "\"\\\\x5cxff\""),
		T("\\", "\"\\\\\""),
		T("caf\xc3\xa9", "\"caf\xc3\xa9\""),
		T("\xc3", "\"\\\\xc3\""),				/* cut */
		T("\xc0\xaf", "\"\\\\xc0\\\\xaf\""),			/* overlong */
		T("\xe0\x80\xaf", "\"\\\\xe0\\\\x80\\\\xaf\""),
		T("\xed\xa0\x80", "\"\\\\xed\\\\xa0\\\\x80\""),		/* surrogate */
		T("\xf4\x90\x80\x80", "\"\\\\xf4\\\\x90\\\\x80\\\\x80\""),	/* beyond Unicode */
		T("\xc2\x9b" "31m", "\"\\u009b31m\""),			/* C1: CSI */
		T("\xe2\x80\xae", "\"\\u202e\""),			/* bidi override */
		T("\xe2\x80\x8b", "\"\\u200b\""),			/* zero width */
		T("\xf3\xa0\x81\x81", "\"\\udb40\\udc41\""),		/* tag character */
		T("\xf0\x9f\x98\x80", "\"\xf0\x9f\x98\x80\""),
		T("1234567\"", "\"1234567\\\"\""),
		T("12345678\x1b[31m90123456", "\"12345678\\u001b[31m90123456\""),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CASE("row %zu", i);
		CHECK_STR(json_of(cases[i].in, cases[i].n), cases[i].out);
	}
}

/* Read our text form back: \xNN is a byte, everything else is itself. */
static size_t unescape(const char *s, size_t n, char *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (s[i] == '\\' && i + 3 < n && s[i + 1] == 'x' && sscanf(s + i + 2, "%2x", &byte) == 1) {
			out[k++] = byte;
			i += 3;
		} else {
			out[k++] = s[i];
		}
	}
	return k;
}

TEST(json_of_any_bytes_parses_and_reads_back_as_the_same_bytes)
{
	static const char spice[] = "\\x\"\xc3\xa9\xe2\x80\xae\xf0\x9f\x98\x80\xff\0\n/a";
	char in[64], back[64 * 4];
	unsigned seed = 7;

	for (int round = 0; round < 200000; round++) {
		size_t n = rand_r(&seed) % sizeof(in), got;
		json_t *parsed;

		for (size_t i = 0; i < n; i++)
			in[i] = rand_r(&seed) % 3 ? spice[rand_r(&seed) % (sizeof(spice) - 1)] : rand_r(&seed);
		parsed = json_loads(json_of(in, n), JSON_DECODE_ANY, NULL);
		CHECK(parsed);
		got = unescape(json_string_value(parsed), json_string_length(parsed), back);
		CHECK_EQ(got, n);
		CHECK_MEM(back, in, n);
		json_decref(parsed);
	}
}

TEST(json_long_strings_cross_chunks_unharmed)
{
	static char in[20000];

	for (size_t shift = 0; shift < 5; shift++) {
		size_t n = sizeof(in) - shift;
		json_t *parsed;

		memset(in, 'a', shift);
		for (size_t i = shift; i + 2 < sizeof(in); i += 3)
			memcpy(in + i, "\xe2\x82\xac", 3);	/* a character over every chunk border */
		while ((n - shift) % 3)
			n--;
		parsed = json_loads(json_of(in, n), JSON_DECODE_ANY, NULL);
		CHECK(parsed);
		CHECK_EQ(json_string_length(parsed), n);
		CHECK_MEM(json_string_value(parsed), in, n);
		json_decref(parsed);
	}
}

TEST(json_nests_and_places_commas)
{
	_buf_ struct buf b = {};
	struct json j;

	json_init(&j, &b);
	json_begin_object(&j, NULL);
	json_u64(&j, "n", 18446744073709551615ull);
	json_i64(&j, "i", INT64_MIN);
	json_str(&j, "absent", NULL);
	json_begin_array(&j, "a");
	json_bool(&j, NULL, true);
	json_begin_object(&j, NULL);
	json_end_object(&j);
	json_begin_array(&j, NULL);
	json_end_array(&j);
	json_bool(&j, NULL, false);
	json_end_array(&j);
	json_hex(&j, "h", "\x00\xfe", 2);
	json_raw(&j, "r", "{\"x\":1}", 7);
	json_str(&j, "ke\"y", "v");
	json_end_object(&j);
	CHECK_OK(b.err);
	CHECK_STR(b.data, "{\"n\":18446744073709551615,\"i\":-9223372036854775808,\"a\":[true,{},[],false],\"h\":\"00fe\",\"r\":{\"x\":1},"
			  "\"ke\\\"y\":\"v\"}");
}

TEST(json_refuses_what_it_cannot_nest)
{
	_buf_ struct buf b = {};
	struct json j;

	json_init(&j, &b);
	for (int i = 0; i < 40; i++)
		json_begin_array(&j, NULL);
	CHECK_EQ(b.err, -EOVERFLOW);
	buf_reset(&b);
	json_init(&j, &b);
	json_end_object(&j);
	CHECK_EQ(b.err, -EINVAL);
}

TEST(terminal_gets_nothing_that_steers_it)
{
	static const struct { const char *in; size_t n; const char *out; } cases[] = {
		T("plain caf\xc3\xa9", "plain caf\xc3\xa9"),
		T("a\nb\x1b[31m", "a\\x0ab\\x1b[31m"),
		T("\xff\0", "\\xff\\x00"),
		T("\xe2\x80\xae", "\\u{202e}"),
		T("\xc2\x9b", "\\u{9b}"),
		T("\\x1b \\u{202e} \\n", "\\x5cx1b \\x5cu{202e} \\n"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_buf_ struct buf b = {};

		CASE("row %zu", i);
		buf_add_terminal(&b, cases[i].in, cases[i].n);
		CHECK_STR(b.data, cases[i].out);
	}
}

TEST_MAIN()
