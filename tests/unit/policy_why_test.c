/* SPDX-License-Identifier: Apache-2.0 */
/* What rules say to whoever is refused, as it goes to the kernel: the texts, where they lie, and what is named as allowed instead. */
#include "policy/policy.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nowner: platform\nopen: [devices, privileges, limits, session, labels]\n"

struct compiled {
	struct policy *policy;
	struct policy_image image;
};

static struct compiled compile(const char *text, const char *workspace)
{
	struct policy_param param = { "workspace", workspace };
	struct policy_source src = { .text = text, .len = strlen(text), .file = "p.yaml", .params = &param, .param_count = workspace != NULL };
	struct diags diags = {};
	struct compiled c = {};

	CHECK_OK(policy_load(&src, &c.policy, &diags));
	CHECK_OK(policy_compile(c.policy, &c.image, &diags));
	diags_done(&diags);
	return c;
}

static void done(struct compiled *c)
{
	policy_free(c->policy);
	policy_image_done(&c->image);
}

/* As the kernel finds it: by its number in the region. */
static const char *text_of(const struct compiled *c, uint32_t number)
{
	static char text[WHY_RULE_BYTES + 1];
	const __u32 *w = c->image.texts;
	__u32 from, to;

	CHECK(number < w[0]);
	from = w[1 + number], to = w[2 + number];
	CHECK(from >= (w[0] + 2) * 4 && from < to && to <= c->image.text_words * 4);
	CHECK(to - from <= WHY_RULE_BYTES);
	memcpy(text, (const char *)w + from, to - from);
	text[to - from] = '\0';
	return text;
}

TEST(a_rule_says_its_id_place_reason_and_owner)
{
	struct compiled c = compile(HEAD "files:\n  deny: [{path: /s, id: no-s, why: credentials, owner: security}]\n", NULL);

	CHECK_STR(text_of(&c, 0), "by rule no-s (p.yaml:6): credentials; ask security");
	done(&c);
}

TEST(without_an_owner_it_is_the_policys_and_without_any_whoever_started_it)
{
	struct compiled c = compile(HEAD "files:\n  deny: [{path: /s, id: no-s}]\n", NULL);

	CHECK_STR(text_of(&c, 0), "by rule no-s (p.yaml:6); ask platform");
	CHECK_STR(text_of(&c, 1 + B_MOUNT), "by rule guard.mount (built-in): mounting, unmounting and changing the root; ask platform");
	done(&c);
	c = compile("version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n", NULL);
	CHECK_STR(text_of(&c, B_SIGNAL), "by rule guard.signal (built-in): signalling a process outside the sandbox; ask whoever started this sandbox");
	done(&c);
}

TEST(a_class_default_leads_to_where_it_could_be_changed)
{
	struct compiled c = compile(HEAD "files:\n  read: [/x]\n", NULL);

	CHECK_STR(text_of(&c, 1 + B_FILES_DEFAULT), "by rule files.default (p.yaml:5): no rule allows this path; ask platform");
	done(&c);
}

TEST(every_text_fits_however_long_its_parts_are)
{
	static char text[4096], why[1001], owner[1001];
	struct compiled c;

	for (int i = 0; i < 500; i++)
		memcpy(why + 2 * i, "\303\244", 2), memcpy(owner + 2 * i, "\303\266", 2);
	snprintf(text, sizeof(text), HEAD "files:\n  deny: [{path: /s, why: %s, owner: %s}]\n", why, owner);
	c = compile(text, NULL);
	CHECK(strstr(text_of(&c, 0), "\303\244...; ask \303\266"));	/* cut between characters */
	done(&c);
}

TEST(texts_do_not_depend_on_what_parameters_are)
{
	const char *text = HEAD "params: {workspace: path}\nfiles: {read: [$workspace], write: [$workspace]}\n";
	struct compiled a = compile(text, "/srv/a"), b = compile(text, "/srv/b");

	CHECK_EQ(a.image.text_words, b.image.text_words);
	CHECK(!memcmp(a.image.texts, b.image.texts, a.image.text_words * 4));	/* so that a thousand workspaces share them */
	done(&a);
	done(&b);
}

/* The hint's verbs, as bits, and its text. */
static uint32_t hint_of(const struct compiled *c, char out[256])
{
	const __u32 *w = c->image.hint;

	out[0] = '\0';
	if (!w)
		return 0;
	CHECK(w[1] < 256 && (w[1] + 3) / 4 + 2 == c->image.hint_words);
	memcpy(out, w + 2, w[1]);
	out[w[1]] = '\0';
	return w[0];
}

TEST(the_workspace_is_named_for_the_verbs_that_are_allowed_there_and_nothing_else_is)
{
	static const struct {
		const char *files, *place;
		uint32_t verbs;
	} rows[] = {
		{ "read: [$workspace]", "\"/srv/w\"", 1u << VERB_READ },
		{ "write: [$workspace]", "\"/srv/w\"", 1u << VERB_CHANGE | 1u << VERB_CREATE | 1u << VERB_REMOVE },
		{ "read: [/srv/other], deny: [$workspace]", "", 0 },
		{ "read: [/srv/other], execute: [$workspace/bin]", "", 0 },
	};
	char text[512], place[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct compiled c;

		CASE("%s", rows[i].files);
		snprintf(text, sizeof(text), HEAD "params: {workspace: path}\nfiles: {%s}\n", rows[i].files);
		c = compile(text, "/srv/w");
		CHECK_EQ(hint_of(&c, place), rows[i].verbs);
		CHECK_STR(place, rows[i].place);
		done(&c);
	}
}

static const char *entry(const struct compiled *c, struct why_entry e)
{
	static struct buf out;

	buf_reset(&out);
	e.times = e.times ? e.times : 1;
	e.error = e.error ? e.error : -EACCES;
	CHECK_OK(policy_why_entry(c->policy, 1, &e, 5000000000, &out));
	return out.data;
}

static struct why_entry with_path(const char *path)
{
	struct why_entry e = { .rule = 0, .operation = ACT_OPEN, .verb = VERB_READ, .generation = 1, .len = strlen(path) };
	size_t kept = strlen(path) < WHY_TEXT_BYTES ? strlen(path) : WHY_TEXT_BYTES;

	memcpy(e.text + WHY_TEXT_BYTES - kept, path + strlen(path) - kept, kept);
	return e;
}

TEST(the_sentence_quotes_names_so_that_none_can_end_it)
{
	struct compiled c = compile(HEAD "files:\n  deny: [{path: /s, id: no-s}]\n", NULL);

	CHECK_STR(entry(&c, with_path("/s/\n\" \\x")), "5s ago: read \"/s/\\x0a\\x22 \\x5cx\": refused (EACCES) by rule no-s (p.yaml:6); ask platform");
	done(&c);
}

TEST(of_a_long_path_the_end_is_told)
{
	struct compiled c = compile(HEAD "files:\n  deny: [{path: /s, id: no-s}]\n", NULL);
	char path[300];

	memset(path, 'a', sizeof(path));
	memcpy(path, "/s/", 3);
	memcpy(path + sizeof(path) - 6, "/leaf", 6);
	CHECK(!strncmp(entry(&c, with_path(path)), "5s ago: read \"...aaaa", 21));
	CHECK(strstr(entry(&c, with_path(path)), "a/leaf\": refused"));
	done(&c);
}

TEST(only_what_the_default_refused_is_given_another_place)
{
	const char *text = HEAD "params: {workspace: path}\nfiles: {read: [$workspace], deny: [{path: /s, id: no-s}]}\n";
	struct compiled c = compile(text, "/srv/w");
	struct why_entry e = with_path("/s");

	CHECK(!strstr(entry(&c, e), "allowed instead"));
	e.rule = 1;
	e.generation = 9;
	CHECK(strstr(entry(&c, e), "by a rule of the policy before this one"));
	e.rule = RULE_BUILTIN(FILES_DEFAULT);
	CHECK(strstr(entry(&c, e), "; ask platform; allowed instead: read below \"/srv/w\""));
	e.verb = VERB_CHANGE;
	CHECK(!strstr(entry(&c, e), "allowed instead"));
	done(&c);
}

TEST_MAIN()
