/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters, declared by the policy and given by its caller; and tests, which may name them. */
#include <stdio.h>
#include "policy/model.h"

static const char *const type_words[PARAM_TYPES + 1] = { [PARAM_PATH] = "path", [PARAM_TO] = "to" };

static const struct shape shape_type = { .kind = SHAPE_WORD, .words = type_words };
const struct shape shape_params = { .kind = SHAPE_NAMED, .pattern = "^[a-z0-9_]{1,32}$", .of = &shape_type };

struct param *param_find(struct policy *p, const char *name, size_t len)
{
	for (size_t i = 0; i < p->param_count; i++) {
		if (strlen(p->params[i].name) == len && !memcmp(p->params[i].name, name, len))
			return &p->params[i];
	}
	return NULL;
}

bool param_unknown(struct reader *r, const struct yaml_node *n, const char *name, size_t len)
{
	const char *words[33] = {}, *meant;
	size_t from = name - 1 - n->text, whole = 1 + (len ? len : strcspn(name, "/ "));
	char asked[65];

	snprintf(asked, sizeof(asked), "%.*s", (int)(len < 64 ? len : 64), name);
	for (size_t i = 0; i < r->p->param_count && i < ARRAY_SIZE(words) - 1; i++)
		words[i] = r->p->params[i].name;
	meant = word_nearest(asked, words);
	if (r->misses_params)
		return false;
	if (r->preset)
		READ_ERROR_PART(r, n, from, whole, CODE("unknown-param") "the preset does not declare $%s", asked);
	else if (!len)
		READ_ERROR_PART(r, n, from, whole, CODE("unknown-param") "this is not a parameter, and variables of the environment are not read"
				HELP "declare params: {home: path}, write $home, and give --param home=\"$HOME\"");
	else if (meant)
		READ_ERROR_PART(r, n, from, whole, CODE("unknown-param") "$%s is not a parameter" HELP "did you mean $%s?", asked, meant);
	else
		READ_ERROR_PART(r, n, from, whole, CODE("unknown-param") "$%s is not a parameter" HELP "declare it: params: {%s: path}", asked,
				asked);
	return false;
}

/* ---- values ---- */

static const char *value_given(const struct policy_source *src, const char *name)
{
	for (size_t i = 0; i < src->param_count; i++) {
		if (!strcmp(src->params[i].name, name))
			return src->params[i].value;
	}
	return NULL;
}

static bool value_check(struct reader *r, const struct yaml_node *n, const struct param *param, const char *value)
{
	struct addr_range *ranges = NULL;
	size_t count = 0;
	char why[200];
	enum to_kind kind;
	bool good;

	if (param->type == PARAM_PATH) {
		good = strlen(value) < PATH_BYTES && path_is_clean(value, strlen(value));
		if (!good)
			READ_ERROR(r, n, CODE("param-value") "the value of parameter %s is no path: \"%.80s\""
				   HELP "a path is absolute, without \".\", \"..\", \"//\" or a \"/\" at the end", param->name, value);
		return good;
	}
	kind = to_parse(r->d, value, &ranges, &count, why);
	if (kind == TO_WRONG)
		READ_ERROR(r, n, CODE("param-value") "the value of parameter %s: %s", param->name, why);
	to_say_unbuilt(r, n, kind, value);
	free(ranges);
	return kind != TO_WRONG;
}

static bool param_read(struct reader *r, const struct yaml_node *key, const struct yaml_node *n)
{
	struct policy *p = r->p;
	int type = read_word(r, n, "a parameter's type", type_words);
	struct param *param;
	const char *value;

	if (strspn(key->text, "abcdefghijklmnopqrstuvwxyz0123456789_") != key->len || key->len > 32) {
		READ_ERROR(r, key, CODE("bad-name") "a parameter's name has up to 32 of a-z 0-9 _" HELP "write it small, with \"_\" between words");
		return false;
	}
	param = vec_push(r->d, &p->params, &p->param_count, sizeof(*param));
	if (!param)
		return false;
	param->name = diag_strdup(r->d, key->text);
	param->type = type < 0 ? PARAM_PATH : type;
	param->line = key->line;
	param->column = key->column;
	param->end_line = key->end_line;
	param->end_column = key->end_column;
	if (!param->name || type < 0)
		return false;
	value = value_given(r->src, key->text);
	if (!value) {
		READ_ERROR(r, key, CODE("param-value") "parameter %s has no value" HELP "give --param %s=...", key->text, key->text);
		return false;
	}
	if (!value_check(r, key, param, value))
		return false;
	param->value = diag_strdup(r->d, value);
	return param->value;
}

bool read_params(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = true;

	(void)policy;
	if (n->kind != YAML_MAP) {
		READ_ERROR(r, n, CODE("not-a-map") "params is a map" HELP "write {name: path} or {name: to}");
		return false;
	}
	for (size_t i = 0; i < n->count; i++)
		good &= param_read(r, n->keys[i], n->items[i]);
	return good;
}

/* ---- tests ---- */

/* "$name" where a word starts, put in as it is: an action's path is bytes, not a pattern. */
static bool question_fill(struct reader *r, const struct yaml_node *n, struct buf *out)
{
	for (const char *s = n->text; *s; s++) {
		size_t len = strspn(s + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
		struct param *param;

		if (*s != '$' || s == n->text || s[-1] != ' ') {
			buf_add_char(out, *s);
			continue;
		}
		param = param_find(r->p, s + 1, len);
		if (!param)
			return param_unknown(r, n, s + 1, len);
		param->used = true;
		if (!param->value)
			return false;
		s += len;
		if (strcmp(param->value, "/") || s[1] != '/')
			buf_add_str(out, param->value);
	}
	return !out->err;
}

static const char *const answers[] = { "refused", "allowed", NULL };
static const struct shape shape_answer = { .kind = SHAPE_WORD, .words = answers };
static const struct shape shape_test = {
	.kind = SHAPE_NAMED, .pattern = "^[a-z-]+ .", .of = &shape_answer, .single = true,
};
const struct shape shape_tests = { .kind = SHAPE_LIST, .of = &shape_test };

static bool test_read(struct reader *r, const struct yaml_node *n)
{
	struct policy_action actions[POLICY_QUESTION_MAX];
	_buf_ struct buf question = {};
	struct policy_test *test;
	char why[200];
	size_t count;
	int answer;

	if (n->kind != YAML_MAP || n->count != 1) {
		READ_ERROR(r, n, CODE("bad-test") "a test is one question and its answer" HELP "write {\"read /etc/shadow\": refused}");
		return false;
	}
	answer = read_word(r, n->items[0], "an answer", answers);
	if (!question_fill(r, n->keys[0], &question) || answer < 0)
		return false;
	if (policy_question_parse(question.data ? question.data : "", actions, &count, why)) {
		READ_ERROR(r, n->keys[0], CODE("bad-question") "%s", why);
		return false;
	}
	policy_question_done(actions, count);
	test = vec_push(r->d, &r->p->tests, &r->p->test_count, sizeof(*test));
	if (!test)
		return false;
	test->question = steal(&question.data);
	test->allowed = answer;
	test->line = n->line;
	test->column = n->column;
	test->end_line = n->end_line;
	test->end_column = n->end_column;
	return true;
}

bool read_tests(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = true;

	(void)policy;
	if (!read_is_list(r, n, "tests"))
		return false;
	for (size_t i = 0; i < n->count; i++)
		good &= test_read(r, n->items[i]);
	return good;
}
