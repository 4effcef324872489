/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy room: text -> tree -> model -> check -> compile -> image, and the oracle that says what a policy means.
 * Pure: no kernel, clock or global; the only files are those the caller hands in as text (presets are compiled in).
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/buf.h"
#include "bpf/abi.h"

struct policy;

/* One finding about a policy text. All strings are the list's. */
struct diag {
	bool warning;
	char code[32];		/* short and stable, one a kind of finding: for programs */
	char *file;		/* the file or "preset:base" */
	unsigned line, column;	/* from 1, in characters; line 0: about the whole file */
	unsigned end_line, end_column;	/* behind the last character; 0: not known */
	char *text;		/* what is wrong */
	char *help;		/* what to do; NULL: text says all */
	char *quote;		/* the line as a terminal may show it, cut around the words that are meant; NULL: none */
	unsigned mark, mark_width;	/* those words, in columns of the quote, from 0 */
	struct diag *note;	/* another place that has to do with it, and what; NULL: none */
};
struct diags {
	struct diag *items;
	size_t count, errors;
	int err;		/* -ENOMEM once memory ran out */
};
void diags_done(struct diags *d);
int diags_add(struct diags *to, const struct diags *from);	/* copies; -ENOMEM */
/* "file:line:column: error: text", the line with the words underlined, "help: ...". With colour for a terminal. */
void diags_show(const struct diags *d, bool colour, struct buf *out);
void diags_print(const struct diags *d, struct buf *out);	/* without */
struct json;
void diags_json(const struct diags *d, struct json *j, const char *key);	/* an array */

struct policy_param {
	const char *name, *value;	/* a path must be absolute and clean, or it is an error */
};
/* A policy that another may stand within, by the name that it has there. */
struct policy_ceiling {
	const char *name, *file, *text;
	size_t len;
};
struct policy_source {
	const char *text, *file;	/* file: as messages and events show it */
	size_t len;
	const struct policy_param *params;
	size_t param_count;
	/* More places of Bailiff's own (moved directories), refused like the built-in ones; NULL-terminated, may be NULL. */
	const char *const *own_paths;
	/*
	 * For `policy check`: what this version cannot enforce yet is a warning. For everybody who enforces the result it is an error: a
	 * policy that says more than the kernel does is never loaded. One switch, read in one place (say_unbuilt).
	 */
	bool only_check;
	const struct policy_ceiling *ceilings;	/* what `within` may name beside the presets; looked through first */
	size_t ceiling_count;
	int64_t now_s;			/* since the epoch, to tell what `until` has ended; 0: nothing has (a policy that runs already) */
};

/* Parse and check. 0 and *out, or -EINVAL with diags->errors > 0 (warnings may come with success). */
int policy_load(const struct policy_source *src, struct policy **out, struct diags *diags);
struct policy *policy_share(struct policy *p);	/* one more owner, who frees it too; for one thread */
void policy_free(struct policy *p);

/* Run the policy's tests; an error for each that gets another answer. -EINVAL if any did. */
int policy_tests_run(const struct policy *p, struct diags *diags, size_t *count);
struct policy_test_result {
	const char *question;
	unsigned line;
	bool wanted, allowed;	/* the answer it has to get, and the one it gets */
	uint32_t rule;		/* that gives it */
};
size_t policy_test_count(const struct policy *p);
int policy_test_ask(const struct policy *p, size_t i, struct policy_test_result *out);

/* The ceiling that a text names, for whoever has to fetch it; NULL: none, or no policy. */
char *policy_within(const char *text, size_t len);

/* What a rule number of an image means. Strings live as long as the policy. */
struct policy_rule_info {
	const char *id, *file, *why, *owner, *ticket;	/* why, owner, ticket may be NULL */
	unsigned line, column;
	const char *preset;				/* NULL: the policy's own */
	enum class_id class_id;				/* as events call it */
	const char *class_word;				/* as the language does */
	bool deny;
};
size_t policy_rule_count(const struct policy *p);	/* numbers 0..count-1, in byte order of ids */
/* Also RULE_BUILTIN(x): a class's default leads to its key in the policy, the guard's file is "built-in". -ENOENT; also for RULE_NONE. */
int policy_rule(const struct policy *p, uint32_t rule, struct policy_rule_info *out);

const char *policy_name(const struct policy *p);
const char *policy_owner(const struct policy *p);
const char *policy_digest(const struct policy *p);	/* "sha256:..." of the canonical form with its parameters */
uint32_t policy_record_kinds(const struct policy *p);	/* bits 1 << RECORD_* */
int policy_record_left_out(const struct policy *p, struct buf *out);	/* kinds of the default that are not built: for coverage; may be none */
int policy_open_classes(const struct policy *p, struct buf *out);	/* "calls devices ..." in the language's order */
int policy_canonical(const struct policy *p, struct buf *out);	/* effective policy as YAML with provenance comments left out: what is digested */
int policy_show(const struct policy *p, struct buf *out);	/* effective rules for people, each with its file and line */
int policy_show_json(const struct policy *p, struct buf *out);	/* the same for programs */
const char *policy_preset(const char *name);		/* text of a preset, NULL; policy_preset(NULL): names, one a line */
unsigned policy_preset_revision(const char *name);	/* counts up with each change of what it allows or denies; 0: no such preset */
int policy_preset_tests(const char *name, struct buf *out);	/* a policy of base and this preset, with the preset's tests; -ENOENT */

int policy_schema(struct buf *out);			/* the JSON Schema of the language */
int binding_schema(struct buf *out);			/* of bindings */

/*
 * The same text in one layout, remarks kept: only blanks change, and what comes out means the same or there is an error. -EBADMSG with line and why:
 * not YAML; -EOPNOTSUPP: left alone, it has something that a policy has no need of.
 */
int policy_format(const char *text, size_t len, struct buf *out, unsigned *line, char why[200]);

/*
 * on_refusal, of what this rule (a number or RULE_BUILTIN) refuses of this verb. A refusal has one rule, the one that is reported.
 * The alert is a severity as OCSF numbers it, 1 to 6; 0: the policy says none.
 */
bool policy_refusal_kills(const struct policy *p, uint32_t rule, unsigned verb);
unsigned policy_refusal_alert(const struct policy *p, uint32_t rule, unsigned verb);

/* ---- the image (layout: bpf/abi.h) ---- */
struct policy_image {
	__u32 *words;
	size_t count;
	struct policy_slot slot;	/* offsets from the start of words; generation and counter_base are the loader's */
	__u32 base;		/* what policy_image_relocate() has added so far */
	__u64 stamp;		/* of words; never 0; images with different ones differ */
	__u32 *anchors;		/* the sandbox's own: where its parameters' values lead in words, which others share (abi.h) */
	size_t anchor_words;
	int64_t end_s;		/* in force until then, since the epoch; then `next` is. 0: for ever */
	struct policy_image *next;	/* the first one's, as all behind it */
	__u32 *texts, *hint;	/* for whoever is refused (abi.h); hint NULL: there is none */
	size_t text_words, hint_words;
	struct policy_layout {	/* counts of what holds offsets in it, for relocation; and for people */
		__u32 glob_states, trie_off, trie_states, edge_off, edges, net_sets, rows;
		__u32 trie_anchors[ANCHORS_MAX], glob_anchors[ANCHORS_MAX];	/* before any relocation */
	} layout;
};
/* One image for each time between two ends of rules, in their order. -E2BIG with a diag naming the rule. */
int policy_compile(const struct policy *p, struct policy_image *out, struct diags *diags);
const struct policy_image *policy_image_at(const struct policy_image *img, int64_t at_s);	/* the one in force then */
size_t policy_image_words(const struct policy_image *img);	/* of all of them */
/* The earliest end of a rule after this time, 0: none. Also of a deny, which does not end by itself (docs/policy.md). */
int64_t policy_next_end(const struct policy *p, int64_t after_s);
bool until_parse(const char *text, int64_t *out);	/* a day (its end, UTC) or an RFC 3339 time */
int64_t policy_rule_end(const struct policy *p, uint32_t rule);	/* 0: none */
void policy_image_relocate(struct policy_image *img, __u32 base);	/* make every offset in words and slot absolute */
void policy_image_done(struct policy_image *img);

/* ---- the oracle ---- */
/* What the language judges beside the verbs of bpf/abi.h: by name or amount, in the oracle and in no image yet. */
enum policy_verb {
	PV_CALL = VERB_CALL, PV_USE = VERB_COUNT, PV_STAT, PV_SET_ID, PV_KEEP,	/* by path, but for PV_CALL */
	PV_CAPABILITY, PV_VARIABLE, PV_FAMILY, PV_LIMIT, PV_COUNT,
};
const char *policy_verb_word(unsigned verb);	/* "read", "connect", "use", ... */
struct policy_action {
	unsigned verb;		/* enum verb or enum policy_verb */
	const char *path;	/* path verbs, PV_USE to PV_KEEP: absolute, clean, raw bytes */
	size_t path_len;
	uint8_t addr[16];	/* network verbs; IPv4 mapped */
	uint16_t port;
	uint8_t proto;		/* IPPROTO_TCP or IPPROTO_UDP */
	const char *name;	/* network verbs: a domain name or "@same-sandbox" in the address's place; else the call, capability, ... */
	uint64_t amount;	/* PV_LIMIT: of the limit `name` */
	const char *by;		/* the program that acts; NULL: one that no rule names */
	const char *after;	/* the label that it has; NULL: none */
	int64_t at_s;		/* when, since the epoch; 0: before any rule has ended */
};
struct policy_verdict {
	bool allowed;
	uint32_t rule;		/* rule number or RULE_BUILTIN(x); RULE_NONE where the default of a class in `open:` allowed */
	bool recorded;		/* allowed, and refused while it cannot be recorded: an allow that matches says so, whichever is named */
};
/* Straight from the model, sharing no code with compile: slow and obvious. */
int policy_eval(const struct policy *p, const struct policy_action *a, struct policy_verdict *out);
/* The same question put to an image (relocated or not): the C twin of bpf/decide.bpf.h, for tests and explain. */
int policy_image_eval(const struct policy_image *img, const struct policy_action *a, struct policy_verdict *out);
/* The same, a byte of a path at a time: where the bytes so far have led, and what that says. Equal walks have equal futures. */
enum policy_walk_part { WALK_TRIE, WALK_GLOB, WALK_BYTES, WALK_ANCHORS, WALK_PARTS };	/* the last two: how far, and on the way to which anchors */
struct policy_walk {
	__u32 states[WALK_PARTS];
};
void policy_image_walk(const struct policy_image *img, struct policy_walk *w);	/* before the first byte */
void policy_image_step(const struct policy_image *img, struct policy_walk *w, uint8_t byte);
void policy_image_verdict(const struct policy_image *img, const struct policy_walk *w, enum verb verb, struct policy_verdict *out);
/*
 * What a directory's name decides: the pair of states after path and "/"; equal pairs mean equal rights for everything below. 1: the value of a
 * parameter lies below, and no other name is its equal.
 */
int policy_image_below(const struct policy_image *img, const char *path, size_t len, __u32 pair[2]);

/* ---- what two policies say differently ---- */
struct policy_region {
	const char *pattern;	/* as the rule has it, parameters put in */
	bool whole;		/* every path that it matches differs like this */
	char *but;		/* else: one that does not; may be NULL */
};
struct policy_span {
	uint8_t first[16], last[16];	/* IPv4 mapped */
};
struct policy_difference {
	bool allows;			/* newly allowed; else newly refused */
	uint32_t verbs;			/* bits 1 << VERB_*; connect stands for send too */
	uint32_t was, is;		/* the rule on either side, or RULE_NONE: the class is open. Of paths: on the example's */
	bool by_is;			/* which of the two makes the difference: a deny that came or went, else the allow */
	char *path;			/* a shortest path of those that differ by that rule; NULL for the network */
	size_t path_len;
	struct policy_region *regions;	/* may be none: too much to say */
	size_t region_count;
	struct policy_span *spans;	/* the network: exactly these addresses */
	size_t span_count;
	uint16_t port_first, port_last;
	uint8_t proto;
	const char **names;		/* calls, capabilities, families: those that differ */
	size_t name_count;
};
/* What one side says, or both otherwise, that is no action: an amount, what follows a refusal, the policy's name, ... */
struct policy_setting {
	char *what, *was, *is;		/* "limits.memory", "owner", ...; NULL: that side does not say it */
	bool matters;			/* to what happens; else to people */
};
/* A rule that only one side has, or that the two have otherwise under one id. */
enum rule_says { RULE_SAYS_WHAT, RULE_SAYS_NARROWING, RULE_SAYS_ACCEPT, RULE_SAYS_WHY, RULE_SAYS_OWNER, RULE_SAYS_TICKET, RULE_SAYS };
struct policy_rule_change {
	uint32_t was, is;		/* RULE_NONE: it has none of that id */
	uint32_t changed;		/* bits 1 << RULE_SAYS_* */
	bool decided;			/* what it comes to stands among the actions, if it comes to anything; else compared as written */
};
struct policy_diff {
	struct policy_difference *items;
	size_t count;
	uint32_t open_was, open_is;	/* bits in the language's order of classes */
	uint32_t record_was, record_is;	/* bits in the order of policy_record_word() */
	struct policy_setting *settings;
	size_t setting_count;
	struct policy_rule_change *rules;
	size_t rule_count;
	char **texts;			/* that regions point at and no policy has */
	size_t text_count;
};
const char *policy_class_word(unsigned class);	/* NULL behind the last */
const char *policy_record_word(unsigned kind);
/*
 * Actions are decided on automata, not on the texts: every one that one side allows and the other refuses is in an item, but for what rules narrow
 * (`by`, `until`, ...), domains and labels, which are compared as written. -E2BIG: too large to compare.
 */
int policy_diff(const struct policy *a, const struct policy_image *a_image, const struct policy *b, const struct policy_image *b_image,
		struct policy_diff *out);
bool policy_diff_same(const struct policy_diff *d);	/* they allow, refuse, record and do the same */
bool policy_diff_identical(const struct policy_diff *d);	/* and say it by the same rules: one digest */
void policy_diff_done(struct policy_diff *d);

/*
 * "read /x", "connect 10.0.0.1:443", "send [::1]:53", "connect api.example.com:443", "use /dev/null", "call mount", "capability CAP_KILL",
 * "memory 2G", ...; in front of any "by /usr/bin/git " and "after LABEL " -> action; -EINVAL with a message in why.
 */
int policy_action_parse(const char *text, struct policy_action *out, char why[200]);
void policy_action_done(struct policy_action *a);
void policy_action_print(const struct policy_action *a, struct buf *out);	/* as a question, for terminals */
/* The same, and "write /x" as the three questions that it is. */
#define POLICY_QUESTION_MAX 3
int policy_question_parse(const char *text, struct policy_action out[POLICY_QUESTION_MAX], size_t *count, char why[200]);
void policy_question_done(struct policy_action *a, size_t count);

/* Why an action is refused or allowed, and how near it is to being allowed. */
struct policy_explanation {
	struct policy_verdict verdict;
	bool has_rule, has_nearest;
	struct policy_rule_info rule;		/* that decided; a builtin has no line */
	struct policy_rule_info nearest;	/* refused: the allow that comes closest */
	const char *missing;			/* what nearest lacks: "verb", "path", "port", "protocol", "program", "name", "time" (it has ended); "nothing": a deny wins over it */
};
int policy_explain(const struct policy *p, const struct policy_action *a, struct policy_explanation *out);


/* ---- what a refused one is told ---- */
void policy_why_rule(const struct policy_rule_info *rule, struct buf *out);	/* "by rule ID (FILE:LINE): WHY; ask OWNER" */
void policy_why_quote(const char *text, size_t n, struct buf *out);	/* a name in the sentence: what is not plain ASCII is \xNN */
/* The whole sentence, as bpf/why.bpf.c makes it of the same entry; generation: of p. */
int policy_why_entry(const struct policy *p, uint32_t generation, const struct why_entry *e, uint64_t now_ns, struct buf *out);

#endif
