/* SPDX-License-Identifier: Apache-2.0 */
/* What the subcommands of `bailiff policy` share: a policy from a file and its parameters from the command line. */
#ifndef CLI_POLICY_H
#define CLI_POLICY_H

#include "cli/option.h"
#include "policy/policy.h"

#define POLICY_BYTES (1u << 20)

struct policy_options {
	struct cli_list params;
	bool json, canonical;
	bool check, write, binding;
	const char *by, *output, *at;
};
#define POLICY_OPTION_PARAM \
	{ "param", 0, "NAME=VALUE", OPTION_LIST, offsetof(struct policy_options, params), "a parameter of the policy; may be repeated" }
#define POLICY_OPTION_JSON { "json", 0, NULL, OPTION_FLAG, offsetof(struct policy_options, json), "for programs" }

/*
 * Read and check a file, or "preset:NAME": a policy of base and that preset, with its tests. CLI_OK and *out; CLI_FAILED with the findings in
 * diags (or logged, if the file cannot be read); CLI_USAGE for a parameter that is none.
 */
int policy_from_file(const char *file, const struct policy_options *o, struct policy **out, struct diags *diags);
/* The same of a text in memory, as if it were that file's. */
int policy_from_text(const char *text, size_t len, const char *file, const struct policy_options *o, struct policy **out, struct diags *diags);
/* Is it a binding? Then it is read and checked, and *code is CLI_OK or CLI_FAILED. */
bool policy_binding_check(const char *file, struct diags *diags, int *code);
/* Findings go to stderr, in colour if that is a terminal and NO_COLOR does not say otherwise. */
bool policy_colour(void);
/* The same, with findings on stderr. */
int policy_from_file_or_say(const char *file, const struct policy_options *o, struct policy **out);

/* One subcommand: `run` gets the words that are no options. */
struct policy_command {
	const struct cli_spec *spec;
	int (*run)(char **rest, size_t count, const struct policy_options *o);
	size_t operands_max;
	int (*run_bare)(const struct policy_options *o);	/* without a word; NULL: it needs one */
};
extern const struct policy_command policy_explain_command, policy_test_command, policy_diff_command, policy_show_command,
	policy_schema_command, policy_lint_command, policy_init_command, policy_fmt_command;

/* "base.metadata (preset:base:92): why" */
void policy_rule_print(struct buf *out, const struct policy_rule_info *rule);
void policy_rule_json(struct json *j, const char *key, const struct policy_rule_info *rule);

/* `policy digest`, which needs OpenSSL's digests: linked into the helper alone. */
int cmd_policy_digest(int argc, char **argv);

#endif
