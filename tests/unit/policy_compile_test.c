/* SPDX-License-Identifier: Apache-2.0 */
/* The image itself: every index in it leads inside, and sandboxes of one policy share it. */
#include "policy/policy.h"
#include "policy_random.h"
#include "test.h"
#include "policy_compile_help.h"

/* ---- every index leads inside ---- */

static void check_globs(const struct policy_image *img)
{
	__u32 classes = 1u << img->slot.class_shift, stride = classes + 1, start = img->slot.glob_start;

	for (__u32 byte = 0; byte < 256; byte++)
		CHECK((img->words[img->slot.class_off + byte / 4] >> 8 * (byte % 4) & 0xff) < classes);
	CHECK(start > 0);
	for (__u32 i = 0; i < img->layout.glob_states; i++) {
		const __u32 *state = img->words + start + i * stride;

		for (__u32 k = 0; k < classes; k++) {
			CHECK(state[k] >= start && (state[k] - start) % stride == 0);
			CHECK((state[k] - start) / stride < img->layout.glob_states);
		}
		CHECK(state[classes] < img->layout.rows);
	}
	CHECK(start + img->layout.glob_states * stride <= img->count);
}

static bool is_trie_state(const struct policy_image *img, __u32 word)
{
	const struct policy_layout *l = &img->layout;

	return word >= l->trie_off && (word - l->trie_off) % 3 == 0 && (word - l->trie_off) / 3 < l->trie_states;
}

static void check_trie(const struct policy_image *img)
{
	const struct policy_layout *l = &img->layout;

	CHECK(is_trie_state(img, img->slot.trie_start));
	CHECK(l->trie_off > 0);
	CHECK(l->edge_off + 2 * l->edges <= img->count);
	for (__u32 i = 0; i < l->trie_states; i++) {
		const __u32 *state = img->words + l->trie_off + 3 * i;

		CHECK(state[0] >= l->edge_off && (state[0] - l->edge_off) % 2 == 0);
		CHECK((state[0] - l->edge_off) / 2 + 255 < l->edges);
		CHECK(is_trie_state(img, state[1]));
		CHECK(state[2] < l->rows);
	}
	for (__u32 i = 0; i < l->edges; i++) {
		const __u32 *edge = img->words + l->edge_off + 2 * i;

		if (edge[0] == UINT32_MAX)
			continue;
		CHECK(is_trie_state(img, edge[0]));
		CHECK(is_trie_state(img, edge[1]));
	}
}

static void check_cells(const struct policy_image *img, const __u32 *cells, size_t count)
{
	__u32 last = img->slot.nrules + B_COUNT;

	for (size_t i = 0; i < count; i++) {
		CHECK(cells[i] >> 16 == RULE_NONE || cells[i] >> 16 < last);
		CHECK((cells[i] & 0xffff) == RULE_NONE || (cells[i] & 0xffff) < last);
	}
}

static void check_ranges(const struct policy_image *img, __u32 off, __u32 bits, unsigned width)
{
	const __u32 *starts = img->words + off, *sets = starts + ((size_t)width << bits);

	CHECK(bits <= 20);
	CHECK(off + ((width + 1ul) << bits) <= img->count);
	for (unsigned k = 0; k < width; k++)
		CHECK_EQ(starts[k], 0);
	for (size_t i = 0; i < 1ul << bits; i++) {
		CHECK(sets[i] < img->layout.net_sets);
		if (width == 1 && i)
			CHECK(starts[i] >= starts[i - 1]);
	}
}

static void check_network(const struct policy_image *img)
{
	const struct policy_slot *s = &img->slot;

	check_ranges(img, s->net4_off, s->net4_bits, 1);
	check_ranges(img, s->net6_off, s->net6_bits, 4);
	CHECK(s->netset_off + 8 * img->layout.net_sets <= img->count);
	for (__u32 i = 0; i < img->layout.net_sets * 4; i++) {
		__u32 off = img->words[s->netset_off + 2 * i], bits = img->words[s->netset_off + 2 * i + 1];

		CHECK(bits <= 16);
		CHECK(off + (2ul << bits) <= img->count);
		CHECK_EQ(img->words[off], 0);
		check_cells(img, img->words + off + (1u << bits), 1ul << bits);
	}
}

static void check_anchors(const struct policy_image *img)
{
	size_t at = 0, last = PATH_BYTES;

	for (size_t count = 0; at < img->anchor_words; count++) {
		const __u32 *anchor = img->anchors + at;
		__u32 next = anchor[ANCHOR_NEXT], len = anchor[ANCHOR_LEN], words = ANCHOR_BYTES + (len + 7) / 8 * 2;

		CHECK(count < ANCHORS_MAX);
		CHECK(len > 1 && len <= last);
		CHECK(at % 2 == 0 && at + words <= img->anchor_words);
		CHECK(next ? next == words : at + words == img->anchor_words);
		CHECK(is_trie_state(img, anchor[ANCHOR_TRIE]));
		CHECK((anchor[ANCHOR_GLOB] - img->slot.glob_start) / ((1u << img->slot.class_shift) + 1) < img->layout.glob_states);
		CHECK(((const char *)(anchor + ANCHOR_BYTES))[0] == '/');
		last = len;
		at += words;
	}
}

TEST(every_index_of_an_image_leads_inside)
{
	struct random r = { .state = random_seed(), .params = true };
	_buf_ struct buf text = {};

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 200; i++) {
		struct policy_image img;
		struct policy *p;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		compile(p, &img);
		CHECK_EQ(img.slot.nrules, policy_rule_count(p));
		check_globs(&img);
		check_trie(&img);
		check_network(&img);
		check_anchors(&img);
		check_cells(&img, img.words + img.slot.row_off, 8 * img.layout.rows);
		policy_image_done(&img);
		policy_free(p);
	}
}

TEST(the_same_policy_makes_the_same_image)
{
	static const char text[] = "version: 1\npolicy: p\nuses: [base, python, git]\n";
	struct policy_image one, two;
	struct policy *p = load(text, strlen(text)), *q = load(text, strlen(text));

	compile(p, &one);
	compile(q, &two);
	CHECK_EQ(one.count, two.count);
	CHECK_MEM(one.words, two.words, one.count * sizeof(__u32));
	CHECK_MEM(&one.slot, &two.slot, sizeof(one.slot));
	/* All shipped presets together: a sandbox's share of the arena, 16 MiB for the host. */
	CHECK(one.count < 25000);
	policy_image_done(&one);
	policy_image_done(&two);
	policy_free(p);
	policy_free(q);
}

/* ---- images that sandboxes share ---- */

static const char shared_text[] = "version: 1\npolicy: p\nuses: [base, python, git]\nparams: {workspace: path, home: path}\n"
	"files:\n  read: [/opt/shared/tools, $home/.config]\n  write: [$workspace]\n  execute: [\"$workspace/**/bin/*\"]\n"
	"  deny:\n    - {path: [\"**/.env\", $workspace/.git/hooks], except: [$workspace/tests/fixtures, $home/.env]}\n";

static void compile_for(const char *workspace, const char *home, struct policy_image *img)
{
	const struct policy_param params[] = { { "workspace", workspace }, { "home", home } };
	struct policy *p = load_given(shared_text, params, 2);

	compile(p, img);
	policy_free(p);
}

TEST(policies_that_differ_in_values_of_path_parameters_share_every_word)
{
	static const struct { const char *workspace, *home; bool shares; } cases[] = {
		{ "/srv/ws/1", "/home/agent", true },
		{ "/srv/ws/2000", "/home/somebody-else", true },
		{ "/a", "/home/whose-name-is-long", true },	/* also where another value is the longer one */
		{ "/data/*[odd]?name", "/home/\xff\x01", true },
		{ "/home/agent/ws", "/home/agent", true },	/* one inside the other, where no rule reaches from this to that */
		{ "/home/agent/.config/ws", "/home/agent", false },	/* and where one does */
		{ "/opt/shared", "/home/agent", false },	/* a rule names a place in it */
		{ "/srv/ws/1", "/home/not/directly", false },	/* base has patterns that begin with /home/ and a star */
		{ "/usr/ws", "/home/agent", false },		/* a rule allows what is around it */
		{ "/srv/ws", "/srv/ws", false },		/* one value for two parameters */
		{ "/", "/home/agent", false },			/* no value that is compared */
	};
	struct policy_image one, other;

	compile_for("/srv/ws/17", "/home/user", &one);
	CHECK_EQ(one.anchor_words, 2 * ANCHOR_BYTES + 4 + 4);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CASE("%s %s", cases[i].workspace, cases[i].home);
		compile_for(cases[i].workspace, cases[i].home, &other);
		CHECK_EQ(share_words(&one, &other), cases[i].shares);
		policy_image_done(&other);
	}
	policy_image_done(&one);
}

TEST(values_that_stand_alike_to_each_other_share_too)
{
	struct policy_image one, other;

	compile_for("/home/a/work/1", "/home/a", &one);
	compile_for("/home/somebody/else/2", "/home/somebody", &other);
	CHECK(share_words(&one, &other));
	policy_image_done(&one);
	policy_image_done(&other);
	compile_for("/usr/a", "/usr/b", &one);
	compile_for("/usr/share/a", "/usr/lib/b", &other);
	CHECK(share_words(&one, &other));
	policy_image_done(&one);
	policy_image_done(&other);
}

TEST(more_values_than_a_list_holds_are_compiled_in)
{
	static const char text[] = HEAD "params: {a: path, b: path, c: path, d: path, e: path, f: path, unused: path}\n"
		"files:\n  read: [$a, $b/x, $c, $d, $e/y, $f]\n";
	static const struct policy_param params[] = { { "a", "/p/a" }, { "b", "/p/b" }, { "c", "/p/c" }, { "d", "/p/d" }, { "e", "/p/e" },
		{ "f", "/p/f" }, { "unused", "/p/u" } };
	static const struct { const char *question; bool allowed; } cases[] = {
		{ "read /p/a/1", true }, { "read /p/b/1", false }, { "read /p/b/x", true }, { "read /p/d", true }, { "read /p/e", false },
		{ "read /p/e/y/z", true }, { "read /p/f/1", true }, { "read /p/u", false }, { "read /p", false }, { "read /p/ab", false },
	};
	struct policy *p = load_given(text, params, ARRAY_SIZE(params));
	struct policy_image img;

	compile(p, &img);
	CHECK_EQ(img.anchor_words, ANCHORS_MAX * (ANCHOR_BYTES + 2));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_verdict x, y;
		struct policy_action a;
		char why[200];

		CASE("%s", cases[i].question);
		CHECK_OK(policy_action_parse(cases[i].question, &a, why));
		CHECK_OK(policy_image_eval(&img, &a, &x));
		CHECK_OK(policy_eval(p, &a, &y));
		CHECK_EQ(x.allowed, cases[i].allowed);
		CHECK_EQ(x.rule, y.rule);
		policy_action_done(&a);
	}
	policy_image_done(&img);
	policy_free(p);
}

TEST(a_directory_that_holds_a_workspace_is_no_other_s_equal)
{
	static const struct { const char *path; int above; } cases[] = {
		{ "/srv", 1 }, { "/srv/ws", 1 }, { "/srv/ws/1", 0 }, { "/srv/ws/1/x", 0 }, { "/srv/w", 0 }, { "/srv/ws1", 0 }, { "/home", 1 },
	};
	struct policy_image img;
	__u32 pair[2];

	compile_for("/srv/ws/1", "/home/agent", &img);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CASE("%s", cases[i].path);
		CHECK_EQ(policy_image_below(&img, cases[i].path, strlen(cases[i].path), pair), cases[i].above);
	}
	policy_image_done(&img);
}

TEST(an_image_can_be_moved_twice)
{
	static const char text[] = "version: 1\npolicy: p\nuses: [base]\n";
	struct policy_image one, two;
	struct policy *p = load(text, strlen(text));

	compile(p, &one);
	compile(p, &two);
	policy_image_relocate(&one, 1000);
	policy_image_relocate(&one, 234);
	policy_image_relocate(&two, 1234);
	CHECK_MEM(one.words, two.words, one.count * sizeof(__u32));
	CHECK_MEM(&one.slot, &two.slot, sizeof(one.slot));
	policy_image_done(&one);
	policy_image_done(&two);
	policy_free(p);
}

TEST(the_slot_says_what_is_open_and_recorded)
{
	static const char text[] = HEAD "calls: {allow: ['@io_uring']}\nrecord: [exit, write]\n";
	static const char open[] = "version: 1\npolicy: p\nopen: [files, network, sockets, devices, privileges, limits, session, labels]\n";
	struct policy_image img;
	struct policy *p = load(text, strlen(text));

	compile(p, &img);
	CHECK_EQ(img.slot.flags, SLOT_IO_URING);
	CHECK_EQ(img.slot.record, 1u << RECORD_EXIT | 1u << RECORD_WRITE);
	policy_image_done(&img);
	policy_free(p);
	p = load(open, strlen(open));
	compile(p, &img);
	CHECK_EQ(img.slot.flags, SLOT_OPEN_FILES | SLOT_OPEN_NETWORK | SLOT_OPEN_SOCKETS);
	policy_image_done(&img);
	policy_free(p);
}

TEST(ten_thousand_addresses_compile)
{
	_buf_ struct buf text = {};
	struct policy_image img;
	struct policy *p;
	double start;

	buf_add_str(&text, HEAD "network:\n  connect:\n");
	for (int i = 0; i < 10000; i++)
		buf_addf(&text, "    - {to: 10.%d.%d.%d, ports: [%d], id: r%d}\n", i % 200, i / 256, i % 251, 1 + i % 9999, i);
	p = load(text.data, text.len);
	start = cpu_seconds();
	compile(p, &img);
	start = cpu_seconds() - start;
	printf("# %.2f s, %zu KiB\n", start, img.count / 256);
#ifndef __SANITIZE_ADDRESS__
	CHECK(start < 2.0);
#endif
	check_network(&img);
	policy_image_done(&img);
	policy_free(p);
}

TEST_MAIN()
