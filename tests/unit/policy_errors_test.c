/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How findings are collected and shown. What is said about each wrong policy is pinned in tests/policies (tests/e2e/policy_corpus_test.py);
 * here is what a corpus of files cannot hold: memory, colour, hostile lines, what an engine says.
 */
#include "policy/policy.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"

static const struct policy_param params[] = { { "workspace", "/srv/ws" } };

static int load(const char *text, struct policy **p, struct diags *d)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .params = params, .param_count = ARRAY_SIZE(params) };

	return policy_load(&source, p, d);
}

/* What is said about a text that is wrong. */
static void said_of(const char *text, bool colour, struct buf *out)
{
	struct diags d = {};
	struct policy *p = NULL;

	CHECK_EQ(load(text, &p, &d), -EINVAL);
	CHECK(!p && d.errors > 0);
	diags_show(&d, colour, out);
	CHECK_OK(out->err);
	diags_done(&d);
}

TEST(a_hostile_text_does_not_fill_memory_with_complaints)
{
	_buf_ struct buf text = {}, said = {};
	struct diags d = {};
	struct policy *p = NULL;

	buf_add_str(&text, HEAD "files:\n  read:\n");
	for (int i = 0; i < 5000; i++)
		buf_add_str(&text, "    - relative\n");
	CHECK_OK(text.err);
	CHECK_EQ(load(text.data, &p, &d), -EINVAL);
	CHECK_EQ(d.errors, 5000);
	CHECK_EQ(d.count, 200);
	diags_print(&d, &said);
	CHECK_HAS(said.data, "p.yaml:205:7: error: too many findings: the rest is not shown\n");
	diags_done(&d);
}

TEST(a_line_that_is_too_long_is_cut_around_what_is_meant)
{
	_buf_ struct buf text = {}, said = {};

	buf_add_str(&text, HEAD "files: {read: [");
	for (int i = 0; i < 20000; i++)
		buf_add_str(&text, i == 1000 ? "rel, " : "/abcdefg, ");
	buf_add_str(&text, "/x]}\n");
	CHECK_OK(text.err);
	said_of(text.data, false, &said);
	CHECK_STR(said.data,
		  "p.yaml:4:10016: error: a path starts with \"/\", \"**\" or a parameter, not \"rel\"\n"
		  "   4 | .../abcdefg, /abcdefg, /abcdefg, /abcdefg, /abcdefg, rel, /abcdefg, /abcdefg, /abcdefg, /abcdefg, /abcdefg, /abcd...\n"
		  "     |                                                      ^~~\n"
		  "     help: write it from the root: /...\n");
}

TEST(what_an_author_wrote_reaches_no_terminal_raw)
{
	static const struct {
		const char *line, *quoted;
	} lines[] = {
		{ "files: {read: [\"\\e[2Jx\"]}\n", "   4 | files: {read: [\"\\e[2Jx\"]}\n     |                ^~~~~~~~\n" },
		{ "files: {read: [a\xe2\x80\xae" "b]}\n", "   4 | files: {read: [a\\u{202e}b]}\n     |                ^~~~~~~~~~\n" },
		{ "files: {read: [\xe6\x97\xa5\xe6\x9c\xac]}\n", "   4 | files: {read: [\xe6\x97\xa5\xe6\x9c\xac]}\n     |                ^~~~\n" },
		{ "files: {read: [e\xcc\x81]}\n", "   4 | files: {read: [e\xcc\x81]}\n     |                ^\n" },
		{ "about: a\x1b[2Jb\n", "   4 | about: a\\x1b[2Jb\n     |         ^" },
		{ "about: a\xff" "b\n", "   4 | about: a\\xffb\n     |         ^" },
		{ "files:\n\tread: [/x]\n", "   5 |     read: [/x]\n     | ^" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_buf_ struct buf text = {}, said = {};

		CASE("%zu", i);
		buf_addf(&text, HEAD "%s", lines[i].line);
		CHECK_OK(text.err);
		said_of(text.data, false, &said);
		CHECK_HAS(said.data, lines[i].quoted);
		for (size_t k = 0; k < said.len; k++)
			CHECK(said.data[k] == '\n' || (unsigned char)said.data[k] >= 0x20);
	}
}

TEST(colour_changes_nothing_but_the_colour)
{
	_buf_ struct buf plain = {}, coloured = {}, stripped = {};

	said_of(HEAD "fiels: {}\n", false, &plain);
	said_of(HEAD "fiels: {}\n", true, &coloured);
	CHECK_HAS(coloured.data, "\x1b[1;31merror: \x1b[0m");
	for (const char *s = coloured.data; *s; s++) {
		if (*s == '\x1b')
			s = strchr(s, 'm');
		else
			buf_add_char(&stripped, *s);
	}
	CHECK_STR(stripped.data, plain.data);
}

TEST(findings_can_be_copied_whole)
{
	_buf_ struct buf x = {}, y = {};
	struct diags d = {}, copy = {};
	struct policy *p = NULL;

	CHECK_EQ(load(HEAD "files:\n  read: [/srv/x/y]\n  deny: [/srv/x]\n", &p, &d), -EINVAL);
	CHECK_OK(diags_add(&copy, &d));
	CHECK_EQ(copy.errors, d.errors);
	diags_print(&d, &x);
	diags_done(&d);
	diags_print(&copy, &y);
	diags_done(&copy);
	CHECK_STR(x.data, y.data);
	CHECK_HAS(y.data, "p.yaml:6:10: note: this deny\n   6 |   deny: [/srv/x]\n");
}

/* `policy check` may only warn: what an engine loads, a kernel has to enforce. */
TEST(what_is_not_built_is_an_error_for_an_engine)
{
	_buf_ struct buf said = {};

	said_of(HEAD "record: [exec, dns]\n", false, &said);
	CHECK_HAS(said.data, "p.yaml:4:16: error: recording \"dns\" is not built yet\n");
}

TEST_MAIN()
