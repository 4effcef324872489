/* SPDX-License-Identifier: Apache-2.0 */
/* One layout for a policy's text: pinned on small texts; stable and without a change of meaning on presets and random policies. */
#include "policy/policy.h"
#include "test.h"
#include "policy_random.h"

static const struct {
	const char *claim, *text, *tidy;
} rows[] = {
	{ "one blank behind a colon", "a:    b\n", "a: b\n" },
	{ "two before a remark", "a: b # r\n", "a: b  # r\n" },
	{ "blanks in brackets", "a: [ b ,c,   {d: e , f: g} ]\n", "a: [b, c, {d: e, f: g}]\n" },
	{ "by two", "a:\n    b:\n        c: d\n", "a:\n  b:\n    c: d\n" },
	{ "a list stands under its key", "a:\n- b\n-   c\n", "a:\n  - b\n  - c\n" },
	{ "a map in a list", "a:\n- b: c\n  d: e\n", "a:\n  - b: c\n    d: e\n" },
	{ "lines inside brackets follow the bracket", "a: [b,\n  c,\n      d]\n", "a: [b,\n    c,\n    d]\n" },
	{ "or the line, where it ends the line", "a: [\n    b,\n    c\n    ]\n", "a: [\n  b,\n  c\n]\n" },
	{ "one empty line at most", "a: b\n\n\n\nc: d\n\n", "a: b\n\nc: d\n" },
	{ "a remark goes with what follows", "a:\n    b: c\n    # r\n    d: e\n# s\nf: g\n", "a:\n  b: c\n  # r\n  d: e\n# s\nf: g\n" },
	{ "or with what it was written under", "a:\n    b: c\n    # r\nd: e\n", "a:\n  b: c\n  # r\nd: e\n" },
	{ "a remark at the end stays there", "a: b\n# r\n", "a: b\n# r\n" },
	{ "values stay as they are", "a: 'it''s'\nb: \"\\x41 #\"\nc: x#y\n", "a: 'it''s'\nb: \"\\x41 #\"\nc: x#y\n" },
	{ "characters are not bytes", "a: \303\251   # r\nb: [\303\251 , c]\n", "a: \303\251  # r\nb: [\303\251, c]\n" },
	{ "ends of lines", "a: b\r\nc: d", "a: b\nc: d\n" },
	{ "a text in lines", "a:   |\n  b:   c\n\n  d\n\n\nc:  d\n", "a: |\n  b:   c\n\n  d\n\nc: d\n" },
	{ "a text in lines at the end", "a: >\n  b\n\n\n", "a: >\n  b\n" },
	{ "a value on a line of its own", "a:\n      b\n", "a:\n  b\n" },
};

static void tidy(const char *text, size_t len, struct buf *out)
{
	unsigned line;
	char why[200];

	CHECK_OK(policy_format(text, len, out, &line, why));
}

TEST(a_text_gets_the_layout)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_buf_ struct buf once = {}, twice = {};

		CASE("%s", rows[i].claim);
		tidy(rows[i].text, strlen(rows[i].text), &once);
		CHECK_STR(once.data, rows[i].tidy);
		tidy(once.data, once.len, &twice);
		CHECK_STR(twice.data, once.data);
	}
}

TEST(the_presets_have_it)
{
	char names[400], *at = NULL;

	snprintf(names, sizeof(names), "%s", policy_preset(NULL));
	for (char *name = strtok_r(names, "\n", &at); name; name = strtok_r(NULL, "\n", &at)) {
		_buf_ struct buf out = {};

		CASE("%s", name);
		tidy(policy_preset(name), strlen(policy_preset(name)), &out);
		CHECK_STR(out.data, policy_preset(name));
	}
}

/* The digest is of the canonical form: the digest itself would need a library. */
static void canonical(const struct buf *text, struct buf *out)
{
	struct policy_source source = { .text = text->data, .len = text->len, .file = "p.yaml" };
	struct diags d = {};
	struct policy *p;

	CHECK_OK(policy_load(&source, &p, &d));
	CHECK_OK(policy_canonical(p, out));
	policy_free(p);
	diags_done(&d);
}

/* Blanks where YAML does not mind, and remarks. */
static void untidy(struct random *r, const struct buf *text, struct buf *out)
{
	for (size_t i = 0; i < text->len; i++) {
		char c = text->data[i];

		if (c == '\n' && random_chance(r, 30))
			buf_add_str(out, random_chance(r, 50) ? "   " : "  # a remark: [not, {a: value");
		buf_add_char(out, c);
		if (c == '\n' && random_chance(r, 20))
			buf_add_str(out, random_chance(r, 50) ? "\n" : "\n\n      # alone\n");
		if (c == ',' && i + 1 < text->len && text->data[i + 1] == ' ' && random_chance(r, 30))
			buf_add_str(out, "   ");
	}
}

TEST(random_policies_keep_their_meaning_and_the_layout_is_stable)
{
	struct random r = { .state = random_seed() };

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 300; i++) {
		_buf_ struct buf text = {}, ugly = {}, once = {}, twice = {}, before = {}, after = {};
		struct policy *p;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		policy_free(p);
		untidy(&r, &text, &ugly);
		CHECK_OK(ugly.err);
		tidy(ugly.data, ugly.len, &once);
		tidy(once.data, once.len, &twice);
		CHECK_STR(twice.data, once.data);
		canonical(&text, &before);
		canonical(&once, &after);
		CHECK_STR(after.data, before.data);
	}
}

TEST(lines_that_end_as_no_editor_ends_them_are_left_alone)
{
	static const char *const texts[] = { "# r\ra: b\r", "a: b\rc: d", "a: b\302\205c: d\n", "a: b # \342\200\250c: d\n", "a: 'b\342\200\251c'\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_buf_ struct buf out = {};
		unsigned line;
		char why[200];

		CASE("%zu", i);
		CHECK_EQ(policy_format(texts[i], strlen(texts[i]), &out, &line, why), -EOPNOTSUPP);
	}
}

TEST(what_is_no_yaml_is_said_with_its_line)
{
	_buf_ struct buf out = {};
	unsigned line = 0;
	char why[200];

	CHECK_EQ(policy_format("a: b\nc: [", 9, &out, &line, why), -EBADMSG);
	CHECK(line >= 2);
	CHECK(why[0]);
}

TEST_MAIN()
