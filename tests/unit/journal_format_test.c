/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's own lines: rendering and parsing are inverse, and nothing but a rendered line parses. */
#include <jansson.h>
#include "base/hash.h"
#include "journal/format.h"
#include "tests/unit/test.h"

static struct journal_header header_sample(void)
{
	struct journal_header h = { .segment = 77, .host = "web-1.example", .boot_id = "0f0e0d0c-1111-2222-3333-444455556666",
				    .key_epoch = 3, .previous = { .segment = 12, .lines = 65, .damaged = 1 }, .time_ms = 1790000000123 };

	CHECK_OK(hash_random(h.id, sizeof(h.id)));
	CHECK_OK(hash_random(h.key, sizeof(h.key)));
	CHECK_OK(hash_random(h.endorsed, sizeof(h.endorsed)));
	CHECK_OK(hash_random(h.previous.root, sizeof(h.previous.root)));
	return h;
}

static struct journal_checkpoint checkpoint_sample(void)
{
	struct journal_checkpoint c = { .segment = 77, .lines = UINT32_MAX, .key_epoch = 3, .closes = 1, .time_ms = 1790000000123 };

	CHECK_OK(hash_random(c.id, sizeof(c.id)));
	CHECK_OK(hash_random(c.root, sizeof(c.root)));
	CHECK_OK(hash_random(c.signature, sizeof(c.signature)));
	return c;
}

TEST(a_header_parses_back_to_what_was_rendered)
{
	struct journal_header h = header_sample(), back;
	char line[JOURNAL_OWN_MAX];
	size_t n = header_render(&h, line);

	CHECK(n < JOURNAL_OWN_MAX);
	CHECK_OK(header_parse(line, n, &back));
	CHECK_MEM(&h, &back, sizeof(h));
	CHECK(line_is_own(line, n) && !line_is_checkpoint(line, n));
}

TEST(a_checkpoint_parses_back_to_what_was_rendered)
{
	struct journal_checkpoint c = checkpoint_sample(), back;
	char line[JOURNAL_OWN_MAX];
	size_t n = checkpoint_render(&c, line);

	CHECK_OK(checkpoint_parse(line, n, &back));
	CHECK_MEM(&c, &back, sizeof(c));
	CHECK(line_is_own(line, n) && line_is_checkpoint(line, n));
}

TEST(the_largest_header_fits)
{
	struct journal_header h = header_sample();
	char line[JOURNAL_OWN_MAX];

	memset(h.host, '"', sizeof(h.host) - 1);
	memset(h.boot_id, '\n', sizeof(h.boot_id) - 1);
	h.segment = h.key_epoch = h.previous.segment = h.previous.lines = h.time_ms = UINT64_MAX;
	CHECK(header_render(&h, line) < JOURNAL_OWN_MAX - 1);
	CHECK(!strchr(line, '\n') && !strstr(line, "\"\"\""));
}

/* Whatever changes in a line, it does not parse, or it parses to other fields: no byte is free. */
TEST(no_byte_of_our_lines_is_free)
{
	struct journal_header h = header_sample(), h2;
	struct journal_checkpoint c = checkpoint_sample(), c2;
	char line[JOURNAL_OWN_MAX];

	for (int kind = 0; kind < 2; kind++) {
		size_t n = kind ? checkpoint_render(&c, line) : header_render(&h, line);

		for (size_t i = 0; i < n; i++) {
			for (int bit = 0; bit < 8; bit++) {
				CASE("kind %d byte %zu bit %d", kind, i, bit);
				line[i] ^= 1 << bit;
				if (kind)
					CHECK(checkpoint_parse(line, n, &c2) || memcmp(&c, &c2, sizeof(c)));
				else
					CHECK(header_parse(line, n, &h2) || memcmp(&h, &h2, sizeof(h)));
				line[i] ^= 1 << bit;
			}
			CHECK(kind ? checkpoint_parse(line, i, &c2) : header_parse(line, i, &h2));
		}
		CHECK(kind ? checkpoint_parse(line, n + 1, &c2) : header_parse(line, n + 1, &h2));
	}
}

/* What OCSF asks of every event (SIEM facts, section 8). */
TEST(our_lines_are_ocsf_base_events)
{
	struct journal_header h = header_sample();
	struct journal_checkpoint c = checkpoint_sample();
	char line[JOURNAL_OWN_MAX];

	for (int kind = 0; kind < 2; kind++) {
		size_t n = kind ? checkpoint_render(&c, line) : header_render(&h, line);
		json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL), *meta;
		static const char *const integers[] = { "activity_id", "category_uid", "class_uid", "type_uid", "severity_id", "time" };

		CHECK(j);
		for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
			CASE("%s", integers[i]);
			CHECK(json_is_integer(json_object_get(j, integers[i])));
		}
		meta = json_object_get(j, "metadata");
		CHECK_STR(json_string_value(json_object_get(meta, "version")), "1.8.0");
		CHECK(json_is_string(json_object_get(meta, "uid")));
		CHECK(json_is_string(json_object_get(json_object_get(meta, "product"), "vendor_name")));
		json_decref(j);
	}
}

TEST(decimals_are_canonical)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} rows[] = { { "0", 0, 0 }, { "18446744073709551615", 0, UINT64_MAX }, { "18446744073709551616", -EBADMSG, 0 }, { "01", -EBADMSG, 0 },
		     { "", -EBADMSG, 0 }, { "+1", -EBADMSG, 0 }, { "1 ", -EBADMSG, 0 }, { "-1", -EBADMSG, 0 }, { "999999999999999999999", -EBADMSG, 0 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 0;

		CASE("%s", rows[i].text);
		CHECK_EQ(decimal_parse(rows[i].text, strlen(rows[i].text), &v), rows[i].err);
		CHECK(v == rows[i].value);
	}
}

TEST_MAIN()
