/* SPDX-License-Identifier: Apache-2.0 */
/* The presets that are shipped: each reads, has a revision, and what it says of itself holds. */
#include "policy/policy.h"
#include "test.h"

static const struct policy_param params[] = {
	{ "git_host", "192.0.2.10" }, { "resolver", "192.0.2.53" }, { "pip_index", "192.0.2.11" }, { "npm_registry", "192.0.2.12" },
	{ "model", "192.0.2.13" },
};

static void findings_check(const struct diags *d)
{
	_buf_ struct buf said = {};

	diags_print(d, &said);
	CHECK_STR(said.data ? said.data : "", "");
}

static void load(const char *text, struct policy **p)
{
	struct policy_source source = { .text = text, .len = strlen(text), .file = "test.yaml", .params = params, .param_count = ARRAY_SIZE(params) };
	struct diags d = {};

	*p = NULL;
	(void)policy_load(&source, p, &d);
	findings_check(&d);
	CHECK(*p);
	diags_done(&d);
}

static bool next_name(const char **at, char out[64])
{
	size_t n = strcspn(*at, "\n");

	if (!**at)
		return false;
	snprintf(out, 64, "%.*s", (int)n, *at);
	*at += n + 1;
	return true;
}

TEST(every_preset_passes_its_own_tests)
{
	const char *at = policy_preset(NULL);
	char name[64];

	while (next_name(&at, name)) {
		_buf_ struct buf text = {};
		struct diags d = {};
		struct policy *p;
		size_t count;

		CASE("%s", name);
		CHECK_OK(policy_preset_tests(name, &text));
		load(text.data, &p);
		(void)policy_tests_run(p, &d, &count);
		findings_check(&d);
		CHECK(count >= 3);
		CHECK(strstr(text.data, ": allowed}") && strstr(text.data, ": refused}"));
		policy_free(p);
	}
}

TEST(every_preset_says_which_revision_it_is)
{
	const char *at = policy_preset(NULL);
	char name[64], wanted[100];

	while (next_name(&at, name)) {
		CASE("%s", name);
		CHECK(policy_preset_revision(name) > 0);
		snprintf(wanted, sizeof(wanted), "\n# %s, revision %u", name, policy_preset_revision(name));
		CHECK_HAS(policy_preset(name), wanted);
		snprintf(wanted, sizeof(wanted), "\npolicy: %s\n", name);
		CHECK_HAS(policy_preset(name), wanted);
	}
	CHECK_EQ(policy_preset_revision("nothing"), 0);
}

TEST(a_test_of_a_preset_keeps_its_line)
{
	_buf_ struct buf text = {};
	const char *preset = policy_preset("codex"), *a, *b;
	unsigned first = 0, second = 0;

	CHECK_OK(policy_preset_tests("codex", &text));
	for (a = preset; a < strstr(preset, "\ntests:"); a++)
		first += *a == '\n';
	for (b = text.data; b < strstr(text.data, "\ntests:"); b++)
		second += *b == '\n';
	CHECK_EQ(second, first);
}

TEST(all_presets_together_are_one_small_policy)
{
	struct policy_image img;
	struct diags d = {};
	struct policy *p;

	load("version: 1\npolicy: all\nuses: [base, python, pip, node, npm, build, git, git-https, dns, agents-sdk, codex, claude]\n"
	     "params: {git_host: to, resolver: to, pip_index: to, npm_registry: to, model: to}\n", &p);
	CHECK_OK(policy_compile(p, &img, &d));
	CHECK(img.count * 4 < 1u << 20);
	policy_image_done(&img);
	policy_free(p);
}

static const struct {
	const char *text;
	unsigned line, column;
	const char *says;
} wrong[] = {
	{ "version: 1\npolicy: p\nuses: [base, npm]\n", 3, 14, "preset npm needs the parameter npm_registry" },
	{ "version: 1\npolicy: p\nuses: [base, dns]\nparams: {resolver: path}\n", 4, 10,
	  "parameter resolver is declared as path, and preset dns needs it as to" },
	{ "version: 1\npolicy: p\nuses: [base, pip]\nparams: {pip_index: to}\n", 4, 10, "parameter pip_index has no value" },
};

TEST(a_preset_s_parameter_is_declared_by_the_policy)
{
	static const struct policy_param given[] = { { "resolver", "/x" } };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct policy_source source = { .text = wrong[i].text, .len = strlen(wrong[i].text), .file = "test.yaml", .params = given, .param_count = 1 };
		struct diags d = {};
		struct policy *p;

		CASE("%zu", i);
		CHECK_EQ(policy_load(&source, &p, &d), -EINVAL);
		CHECK_EQ(d.count, 1);
		CHECK_STR(d.items[0].text, wrong[i].says);
		CHECK_EQ(d.items[0].line, wrong[i].line);
		CHECK_EQ(d.items[0].column, wrong[i].column);
		diags_done(&d);
	}
}

TEST_MAIN()
