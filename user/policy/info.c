/* SPDX-License-Identifier: Apache-2.0 */
/* What others may ask of a policy: its name, what a rule number means, whether its own tests hold. */
#include "policy/model.h"

static const struct {
	const char *id, *text;
	enum class_id class_id;
} builtins[B_COUNT] = {
#define X(symbol, name, says) [B_##symbol] = { name, says, CLASS_GUARD },
	BUILTIN_RULES(X)
#undef X
};

/* Events know fewer classes than the language. */
static const enum class_id event_classes[PC_COUNT] = {
	[PC_FILES] = CLASS_FILES, [PC_NETWORK] = CLASS_NETWORK, [PC_SOCKETS] = CLASS_SOCKETS, [PC_DEVICES] = CLASS_GUARD,
	[PC_CALLS] = CLASS_GUARD, [PC_PRIVILEGES] = CLASS_GUARD, [PC_LIMITS] = CLASS_SESSION, [PC_SESSION] = CLASS_SESSION,
	[PC_LABELS] = CLASS_SESSION,
};
static const char *const default_ids[PC_COUNT] = {
#define X(symbol, word, built) word ".default",
	POLICY_CLASSES(X)
#undef X
};

static enum class_id builtin_class(const char *id)
{
	static const struct {
		const char *prefix;
		enum class_id class_id;
	} classes[] = {
		{ "files.", CLASS_FILES }, { "network.", CLASS_NETWORK }, { "sockets.", CLASS_SOCKETS }, { "session.", CLASS_SESSION },
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (!strncmp(id, classes[i].prefix, strlen(classes[i].prefix)))
			return classes[i].class_id;
	}
	return CLASS_GUARD;
}

size_t policy_rule_count(const struct policy *p)
{
	return p->rule_count;
}

/* What no rule allows is refused by what the policy does not say: its default leads to where that could be said. */
static void default_info(const struct policy *p, enum policy_class class, struct policy_rule_info *out)
{
	out->class_word = class_table[class].word;
	out->file = p->files[0];
	out->line = p->class_line[class];
	out->owner = p->owner;
}

static int builtin_rule_info(const struct policy *p, uint32_t which, struct policy_rule_info *out)
{
	if (which >= B_COUNT)
		return -ENOENT;
	*out = (struct policy_rule_info){
		.id = builtins[which].id, .file = "built-in", .why = builtins[which].text, .class_id = builtin_class(builtins[which].id),
		.class_word = "guard", .deny = true,
	};
	if (which == B_FILES_DEFAULT)
		default_info(p, PC_FILES, out);
	else if (which == B_NETWORK_DEFAULT)
		default_info(p, PC_NETWORK, out);
	else if (which == B_UNIX_DEFAULT)
		default_info(p, PC_SOCKETS, out);
	return 0;
}

static void named_default_info(const struct policy *p, enum policy_class class, struct policy_rule_info *out)
{
	*out = (struct policy_rule_info){ .id = default_ids[class], .why = "no rule allows this", .class_id = event_classes[class], .deny = true };
	default_info(p, class, out);
}

int policy_rule(const struct policy *p, uint32_t rule, struct policy_rule_info *out)
{
	const struct rule *r;

	if (rule >= BUILTIN_BASE)
		return builtin_rule_info(p, rule - BUILTIN_BASE, out);
	if (rule >= RULE_DEFAULT && rule - RULE_DEFAULT < PC_COUNT)
		return named_default_info(p, rule - RULE_DEFAULT, out), 0;
	if (rule >= p->rule_count)
		return -ENOENT;
	r = p->rules[rule];
	*out = (struct policy_rule_info){
		.id = r->id, .file = r->file, .why = r->why, .owner = r->owner ? r->owner : p->owner, .ticket = r->ticket,
		.line = r->line, .column = r->column, .preset = r->preset, .class_id = event_classes[r->class],
		.class_word = class_table[r->class].word, .deny = r->deny,
	};
	return 0;
}

const char *policy_name(const struct policy *p)
{
	return p->name;
}

const char *policy_owner(const struct policy *p)
{
	return p->owner;
}

uint32_t policy_record_kinds(const struct policy *p)
{
	return p->record & ((1u << RECORD_KINDS) - 1);
}

int policy_record_left_out(const struct policy *p, struct buf *out)
{
	if (!p->record_given)
		buf_add_str(out, "dns");
	return out->err;
}

int policy_open_classes(const struct policy *p, struct buf *out)
{
	size_t start = out->len;

	for (int i = 0; i < PC_COUNT; i++) {
		if (p->open & 1u << i)
			buf_addf(out, "%s%s", out->len > start ? " " : "", class_table[i].word);
	}
	return out->err;
}

/* ---- tests ---- */

size_t policy_test_count(const struct policy *p)
{
	return p->test_count;
}

/* "write" is three questions: the first that gets another answer than wanted stands for it. */
int policy_test_ask(const struct policy *p, size_t i, struct policy_test_result *out)
{
	const struct policy_test *t = &p->tests[i];
	struct policy_action actions[POLICY_QUESTION_MAX];
	struct policy_verdict verdict = {};
	char why[200];
	size_t count;
	int err = policy_question_parse(t->question, actions, &count, why);

	if (err)
		return err;
	for (size_t k = 0; k < count && !err; k++) {
		err = policy_eval(p, &actions[k], &verdict);
		if (verdict.allowed != t->allowed)
			break;
	}
	policy_question_done(actions, count);
	if (!err)
		*out = (struct policy_test_result){ t->question, t->line, t->allowed, verdict.allowed, verdict.rule };
	return err;
}

static void test_run(const struct policy *p, size_t i, struct diags *d)
{
	struct policy_rule_info info = { .id = "what no rule decides" };
	const struct policy_test *t = &p->tests[i];
	struct policy_test_result r;

	if (policy_test_ask(p, i, &r)) {	/* the reader has parsed it: what is left is a label that the policy has not */
		diag_at(d, false, PLACE(p->files[0], t), CODE("bad-question") "\"%.200s\" asks about a label that this policy has not", t->question);
		return;
	}
	if (r.allowed == r.wanted)
		return;
	(void)policy_rule(p, r.rule, &info);
	diag_at(d, false, PLACE(p->files[0], t), CODE("test-failed") "test failed: \"%.200s\" is %s by %s", t->question,
		r.allowed ? "allowed" : "refused", info.id);
	if (r.rule < p->rule_count)
		diag_note(d, PLACE(info.file, p->rules[r.rule]), "this %s it", r.allowed ? "allows" : "refuses");
}

int policy_tests_run(const struct policy *p, struct diags *diags, size_t *count)
{
	size_t before = diags->errors;

	for (size_t i = 0; i < p->test_count; i++)
		test_run(p, i, diags);
	policy_quote(p, diags);
	*count = p->test_count;
	return diags->errors == before ? 0 : -EINVAL;
}
