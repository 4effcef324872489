/* SPDX-License-Identifier: Apache-2.0 */
/* The YAML door: places of nodes, what is refused and with which words, and hostile text. */
#include "base/yaml.h"
#include "test.h"

static struct yaml_error why;

static int parse(const char *text, size_t len, struct yaml_node **out)
{
	char *copy = malloc(len ? len : 1);	/* ends where the text ends: sanitizers see a read past it */
	int err;

	if (len)
		memcpy(copy, text, len);
	err = yaml_parse(copy, len, out, &why);
	free(copy);
	if (err == -EBADMSG)
		CHECK(why.line >= 1 && why.column >= 1 && why.text[0]);
	return err;
}

TEST(yaml_tree_knows_its_places)
{
	static const char text[] = "version: 1\nfiles:\n  r\xc3\xa9" "ad: [\"/a\", /b]\n  deny:\n    - {path: x}\n";
	const struct yaml_node *files, *read, *deny;
	struct yaml_node *root;

	CHECK_OK(parse(text, sizeof(text) - 1, &root));
	CHECK_EQ(root->kind, YAML_MAP);
	CHECK_STR(yaml_get(root, "version")->text, "1");
	files = yaml_get(root, "files");
	read = yaml_get(files, "r\xc3\xa9" "ad");
	CHECK_EQ(read->kind, YAML_LIST);
	CHECK_EQ(read->count, 2);
	CHECK_EQ(read->line, 3);
	CHECK_EQ(read->column, 9);	/* characters, not bytes */
	CHECK(read->items[0]->quoted && !read->items[1]->quoted);
	CHECK_EQ(read->items[1]->column, 16);
	CHECK_EQ(read->items[1]->end_column, 18);
	deny = yaml_get(files, "deny");
	CHECK_STR(yaml_get(deny->items[0], "path")->text, "x");
	CHECK_EQ(deny->items[0]->line, 5);
	CHECK(!yaml_get(root, "absent") && !yaml_get(read, "absent"));
	yaml_free(root);
}

TEST(yaml_scalars_stay_text)
{
	static const char text[] = "[yes, ~, null, 0x10, 1e3, '', |\n  x\n]";
	struct yaml_node *root;

	CHECK_EQ(parse(text, sizeof(text) - 1, &root), -EBADMSG);	/* a block in brackets is not YAML */
	CHECK_OK(parse("[yes, ~, null, 0x10, '']", 24, &root));
	CHECK_STR(root->items[0]->text, "yes");
	CHECK_STR(root->items[1]->text, "~");
	CHECK_STR(root->items[3]->text, "0x10");
	CHECK(root->items[4]->quoted && !root->items[4]->len);
	yaml_free(root);
}

#define T(text, line, column, has) { text, sizeof(text) - 1, line, column, has }
TEST(yaml_errors_say_where_and_what_to_do)
{
	static const struct { const char *text; size_t len; unsigned line, column; const char *has; } cases[] = {
		T("", 1, 1, "empty"),
		T("# only a comment\n", 1, 1, "empty"),
		T("---\n", 2, 1, "empty"),
		T("a: 1\nb: 2\na: 3\n", 3, 1, "twice, first on line 1"),
		T("{x: 1, y: {z: 1, z: 2}}", 1, 18, "\"z\" stands here twice"),
		T("a: &x 1\n", 1, 4, "anchors"),
		T("&x {}", 1, 1, "anchors"),
		T("a: &x [1]\nb: *x\n", 1, 4, "anchors"),
		T("b: *x\n", 1, 4, "needs quotes"),
		T("b: **/.env\n", 1, 4, "needs quotes"),
		T("*.example.com\n", 1, 1, "needs quotes"),
		T("a: !!str 1\n", 1, 4, "tags"),
		T("a: !x 1\n", 1, 4, "tags"),
		T("a: @internet\n", 1, 4, "needs quotes: write \"@"),
		T("a: 1\n---\nb: 1\n", 2, 1, "second document"),
		T("? [a]\n: 1\n", 1, 3, "key must be a word"),
		T("{[a]: 1}", 1, 2, "key must be a word"),
		T("a:\n\tb: 1\n", 2, 1, "tab"),
		T("a: \"x\\0y\"\n", 1, 4, "NUL"),
		T("a: \"unfinished\n", 1, 4, "closing quote"),
		T("a: [1, 2\n", 2, 1, "\"]\" is missing"),
		T("a: {b: 1\n", 2, 1, "\"}\" is missing"),
		T("a: 1\n  b: 2\n", 2, 4, ": "),
		T("a: x: y\n", 1, 5, "quote the value"),
		T("- 1\nb: 2\n", 2, 1, "list"),
		T("a: \"\\q\"\n", 1, 5, "escape"),
		T("%TAG ! tag:x,2000:\n---\na: 1\n", 1, 1, "%TAG"),
		T("a: \xff\n", 1, 4, "UTF-8"),
		T("a: \x01\n", 1, 4, "control character"),
		T("a: 1\n...\nb: 1\n", 3, 1, "document"),
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct yaml_node *root = NULL;
		char said[500];

		CASE("%s -> %u:%u %s", cases[i].text, why.line, why.column, why.text);
		CHECK_EQ(parse(cases[i].text, cases[i].len, &root), -EBADMSG);
		CASE("%s -> %u:%u %s", cases[i].text, why.line, why.column, why.text);
		CHECK(!root);
		snprintf(said, sizeof(said), "%s: %s", why.text, why.help);
		CHECK_HAS(said, cases[i].has);
		CHECK_EQ(why.line, cases[i].line);
		CHECK_EQ(why.column, cases[i].column);
	}
}

static const char sample[] = "version: 1\nabout: \"q\\n\\u263a\"\nfiles: {read: ['/a', b], deny: [{path: \"**/.env\"}]}\ntext: |\n  x\n  y\n"
			     "list:\n- 1\n-\n  a: b\n";

TEST(yaml_survives_truncation_at_every_byte)
{
	for (size_t n = 0; n < sizeof(sample); n++) {
		struct yaml_node *root = NULL;

		CASE("cut to %zu", n);
		if (!parse(sample, n, &root))
			yaml_free(root);
	}
}

TEST(yaml_survives_every_changed_byte)
{
	static const unsigned char values[] = { 0, '\t', '\n', '"', '[', '{', ':', '*', '&', 0x80, 0xff };
	char text[sizeof(sample)];

	for (size_t at = 0; at + 1 < sizeof(sample); at++) {
		for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
			struct yaml_node *root = NULL;

			memcpy(text, sample, sizeof(sample));
			text[at] = values[i];
			if (!parse(text, sizeof(sample) - 1, &root))
				yaml_free(root);
		}
	}
}

static char *repeat(const char *part, size_t times, size_t *len)
{
	size_t n = strlen(part);
	char *text = malloc(n * times + 1);

	for (size_t i = 0; i < times; i++)
		memcpy(text + i * n, part, n);
	text[n * times] = '\0';
	*len = n * times;
	return text;
}

TEST(yaml_depth_is_bounded)
{
	static const char *parts[] = { "[", "{a: ", "- ", "[[", "? ", "{[" };

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		struct yaml_node *root = NULL;
		size_t len;
		char *text = repeat(parts[i], 20000, &len);

		CASE("%s", parts[i]);
		CHECK_EQ(parse(text, len, &root), -EBADMSG);
		free(text);
	}
	CHECK_HAS(why.text, "");
}

TEST(yaml_depth_limit_is_exact)
{
	char text[128] = "";
	struct yaml_node *root = NULL;

	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		strcat(text, "[");
	for (int i = 0; i < YAML_MAX_DEPTH; i++)
		strcat(text, "]");
	CHECK_OK(parse(text, strlen(text), &root));
	yaml_free(root);
	strcat(text, "]");
	memmove(text + 1, text, strlen(text) + 1);
	text[0] = '[';
	CHECK_EQ(parse(text, strlen(text), &root), -EBADMSG);
	CHECK_HAS(why.text, "nested deeper than 16");
}

TEST(yaml_node_count_is_bounded)
{
	struct yaml_node *root = NULL;
	size_t len;
	char *text = repeat("- a\n", YAML_MAX_NODES, &len);

	CHECK_EQ(parse(text, len, &root), -EBADMSG);
	CHECK_HAS(why.text, "too many values");
	CHECK_EQ(why.line, YAML_MAX_NODES);
	free(text);
}

TEST(yaml_map_of_many_keys_is_fast_and_checked)
{
	char *text = malloc(99000 * 16), *at = text;
	struct yaml_node *root = NULL;

	for (int i = 0; i < 99000; i++)
		at += sprintf(at, "k%d: 1\n", i);
	CHECK_OK(parse(text, at - text, &root));
	CHECK_EQ(root->count, 99000);
	yaml_free(root);
	root = NULL;
	at += sprintf(at, "k42: 1\n");
	CHECK_EQ(parse(text, at - text, &root), -EBADMSG);
	CHECK_EQ(why.line, 99001);
	CHECK_HAS(why.text, "first on line 43");
	free(text);
}

TEST_MAIN()
