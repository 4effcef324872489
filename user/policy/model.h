/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy text means, as data: the room's own header. Rules are sorted by id, so that a rule's number is its place.
 * read*.c fill it, check.c doubts it, eval.c and compile.c answer from it, each in its own way.
 */
#ifndef POLICY_MODEL_H
#define POLICY_MODEL_H

#include "base/yaml.h"
#include "policy/policy.h"

/* The classes of the language, in its order. X(symbol, word, enforced today) */
#define POLICY_CLASSES(X) \
	X(FILES, "files", true) X(NETWORK, "network", true) X(SOCKETS, "sockets", true) X(DEVICES, "devices", false) \
	X(CALLS, "calls", true) X(PRIVILEGES, "privileges", false) X(LIMITS, "limits", false) X(SESSION, "session", false) \
	X(LABELS, "labels", false)
enum policy_class {
#define X(symbol, word, built) PC_##symbol,
	POLICY_CLASSES(X)
#undef X
	PC_COUNT,
};
struct class_info {
	const char *word;
	bool built;
};
extern const struct class_info class_table[PC_COUNT];

/* The verbs of paths, by their bit. */
extern const char *const path_verb_words[VERB_PATH_COUNT];
#define VERBS_WRITE (1u << VERB_CHANGE | 1u << VERB_CREATE | 1u << VERB_REMOVE)
#define VERBS_FILES (VERBS_WRITE | 1u << VERB_READ | 1u << VERB_EXECUTE)
#define VERBS_PATH  (VERBS_FILES | 1u << VERB_UNIX)
enum policy_class verb_class(unsigned verb);	/* which class judges it (eval.c) */

/* Rule numbers of the defaults that bpf/abi.h has no builtin for: RULE_DEFAULT + PC_x. In no image and no event. */
#define RULE_DEFAULT 0xffe00000u

struct text_place {
	const char *file;
	unsigned line, column, end_line, end_column;
};
/* The place of whatever has line, column, end_line and end_column: a node, a rule, a test. */
#define PLACE(in, x) ((struct text_place){ (in), (x)->line, (x)->column, (x)->end_line, (x)->end_column })

typedef unsigned __int128 addr_num;	/* IPv4: below 2^32 */

struct pattern {
	char *source;		/* as written, "**" spelled out as "/" and "**"; parameters by name */
	char *text;		/* what is matched: parameters put in, their bytes escaped */
};
struct addr_range {
	bool v6;
	addr_num first, last;
};
struct port_range {
	uint16_t first, last;
};
enum { PROTO_TCP = 1u << 0, PROTO_UDP = 1u << 1 };
enum effect { EFFECT_UNSAID, EFFECT_READ, EFFECT_WRITE };

/* What a label leaves of a class: the rules of these ids. */
struct label_then {
	enum policy_class class;
	char **only;
	size_t only_count;
};

struct rule {
	char *id, *canonical;	/* canonical: what makes it this rule and no other; its id is the hash of it unless one was given */
	bool named;
	const char *file, *preset;	/* the policy's strings */
	unsigned line, column, end_line, end_column;
	char *why, *owner, *ticket;
	const char *word;	/* the key it stands under: "read", "write", "deny", "connect", ... */
	enum policy_class class;
	bool deny, accepted;	/* accepted: i_accept: host-control */
	uint32_t verbs;		/* bits 1 << VERB_* or PV_*; connect includes send */
	struct pattern *paths, *excepts;
	size_t path_count, except_count;
	char **to;		/* as written */
	size_t to_count;
	struct addr_range *ranges;
	size_t range_count;
	struct port_range *ports;	/* sorted and merged; none: every port */
	size_t port_count;
	uint32_t protos;
	char **domains;		/* in small letters, "*." in front where it says so; each stands in `to` too */
	size_t domain_count;
	bool same_sandbox, tls_off;
	/* Classes that are ruled by name: groups, calls, capabilities, variables, families; the name of a limit or label. */
	char **names;
	size_t name_count;
	struct pattern *nodes;	/* by path, but not by the automata: devices, set-id programs, what is kept, what gives a label */
	size_t node_count;
	uint64_t most;		/* a limit, in its unit (amount.c) */
	struct label_then *thens;
	size_t then_count;
	/* Fields that any rule may carry and the kernel does not know yet. */
	struct pattern *by;	/* none: every program */
	size_t by_count;
	int64_t until_s;	/* since the epoch: an allow ends at this second; 0: never */
	struct text_place until_at;
	enum effect effect;
	bool record_required;
};

/* on_refusal: the first that matches. */
enum refusal_do { REFUSAL_DENY, REFUSAL_ASK, REFUSAL_FREEZE, REFUSAL_KILL, REFUSAL_DOS };
extern const char *const refusal_do_words[REFUSAL_DOS + 1], *const alert_words[7];
struct refusal {
	char *match;		/* "*", a class, a verb or a rule's id */
	enum refusal_do action;
	int alert;		/* of alert_words; -1: none given */
	unsigned line, column;
};
enum workspace_kind { WORKSPACE_UNSAID, WORKSPACE_DIRECT, WORKSPACE_COPY, WORKSPACE_EPHEMERAL, WORKSPACE_KINDS };
extern const char *const workspace_words[WORKSPACE_KINDS + 1];

enum param_type { PARAM_PATH, PARAM_TO, PARAM_TYPES };
struct param {
	char *name, *value;	/* value NULL: none given, which is an error of its own */
	enum param_type type;
	unsigned line, column, end_line, end_column;
	bool used;
};

struct policy_test {
	char *question;		/* parameters put in */
	bool allowed;
	unsigned line, column, end_line, end_column;
};

struct own_place {
	char *path;
	uint32_t verbs;
};

struct policy {
	char *text;		/* the policy's own, for quoting it; text_len bytes */
	size_t text_len;
	char *name, *owner, *about;
	char *within;		/* the ceiling's name */
	struct text_place within_at;
	char **files;		/* [0]: the policy's own; then "preset:x" */
	char **presets;		/* same order; [0] is NULL */
	size_t file_count;
	struct param *params;
	size_t param_count;
	struct rule **rules;
	size_t rule_count;
	uint32_t open;		/* bits 1 << PC_* */
	uint32_t own_open;	/* those that the policy itself lists */
	struct text_place open_at;	/* of the list; line 0: there is none */
	unsigned class_line[PC_COUNT];	/* of its key in the policy's own text, where its default is to be changed; else that of its name */
	uint32_t named;		/* classes that the policy itself has rules of */
	uint32_t record;	/* bits 1 << RECORD_*, and RECORD_DNS, RECORD_CALL */
	bool record_given;	/* else the default, of which one kind is not built yet */
	bool io_uring, metadata_strict;
	enum workspace_kind workspace;
	struct refusal *refusals;
	size_t refusal_count;
	struct policy_test *tests;
	size_t test_count;
	struct own_place *own;	/* what B_SELF refuses */
	size_t own_count;
	char *digest;		/* 80 bytes, filled when first asked for */
	size_t shares;		/* owners beside the first */
};

/* ---- diag.c ---- */
/*
 * A text is CODE("kind-of-finding") "what is wrong" HELP "what to do". Text and help begin small and end without a full stop.
 * The two bytes that hold it together are none of UTF-8's, and so in nothing that an author wrote.
 */
#define CODE(slug) slug "\xfe"
#define HELP "\xff"
void diag_at(struct diags *d, bool warning, struct text_place at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_vat(struct diags *d, bool warning, struct text_place at, const char *fmt, va_list ap);
/* The other place that the last finding is about: one at most. */
void diag_note(struct diags *d, struct text_place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_add(struct diags *d, bool warning, const char *file, unsigned line, unsigned column, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* Some bytes of a scalar's text; all of the node where its text and what is written differ (escapes, several lines). */
struct text_place place_part(const char *file, const struct yaml_node *n, size_t from, size_t bytes);
void diags_sort(struct diags *d);
void diags_quote(struct diags *d, const char *file, const char *text, size_t len);	/* of that file, where not done yet */
/* Room for one more of *items (size bytes each), zeroed and counted; NULL when memory ran out (noted in d). */
void *vec_push(struct diags *d, void *items, size_t *count, size_t size);
char *diag_strdup(struct diags *d, const char *s);

/* ---- words.c ---- */
/* The word of a NULL-terminated list that was probably meant, or NULL. */
const char *word_nearest(const char *word, const char *const *list);

/* ---- reading: one text into the policy ---- */
struct reader {
	struct policy *p;
	struct diags *d;
	const struct policy_source *src;
	const char *file, *preset;	/* preset: NULL for the policy itself */
	const struct yaml_node *used_at;	/* where the policy names the preset */
	bool misses_params;	/* the preset's: already said */
};
#define READ_ERROR(r, node, ...)   diag_at((r)->d, false, PLACE((r)->file, node), __VA_ARGS__)
#define READ_ERROR_PART(r, node, from, bytes, ...) diag_at((r)->d, false, place_part((r)->file, node, from, bytes), __VA_ARGS__)
#define READ_WARNING(r, node, ...) diag_at((r)->d, true, PLACE((r)->file, node), __VA_ARGS__)

/* What the language has and this version does not enforce: an error, or only a warning where nobody will enforce it. */
void say_unbuilt(struct reader *r, const struct yaml_node *at, const char *todo, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * What a value looks like. The reader judges; this is what the JSON Schema says, so that an editor completes and complains while
 * somebody types. A schema may allow more than the reader does (it cannot know parameters), never less.
 */
enum shape_kind {
	SHAPE_TEXT,	/* a scalar: `pattern` if not NULL (ECMA 262), numbers too if `number` */
	SHAPE_WORD,	/* one of `words`; a number if `number` */
	SHAPE_LIST,	/* of `of`, also empty if not `filled` */
	SHAPE_SOME,	/* one `of`, or a list of at least one */
	SHAPE_NAMED,	/* a map from names (`pattern`) to `of`; `single`: of exactly one */
	SHAPE_FIELDS,	/* a map with the keys of a table; `filled`: at least one of them */
	SHAPE_EITHER,	/* `of` or `other` */
};
struct shape {
	enum shape_kind kind;
	const char *name;		/* under which the schema writes it once; NULL: wherever it is met */
	const char *pattern;
	const char *const *words;	/* NULL-terminated */
	const struct shape *of, *other;
	const struct field *fields;
	size_t field_count;
	bool number, single, filled;
};
#define SHAPE_OF_FIELDS(table, ...) { .kind = SHAPE_FIELDS, .fields = (table), .field_count = ARRAY_SIZE(table), __VA_ARGS__ }
extern const struct shape shape_text, shape_path, shape_paths, shape_name, shape_version, shape_amount;	/* shape.c */
extern const struct shape shape_params, shape_tests;	/* read_params.c */
extern const struct shape shape_files, shape_unix;	/* read_files.c */
extern const struct shape shape_sockets, shape_devices, shape_calls, shape_privileges, shape_session;	/* read_named.c */
extern const struct shape shape_limits;			/* read_limits.c */
extern const struct shape shape_labels, shape_on_refusal;	/* read_labels.c */
extern const struct shape shape_network;		/* read_network.c */
extern const struct shape shape_policy, shape_binding;	/* read.c, binding_read.c: the whole document */

/*
 * One key of a map. Read in the table's order, whatever the text's. The parser, the messages that list keys and the schema come from these
 * tables alone; a key that can be read has a shape and a sentence.
 */
struct field {
	const char *name;
	bool (*read)(struct reader *r, const struct yaml_node *value, void *into);
	const struct shape *shape;
	const char *about;	/* one or two sentences for whoever points at the key in an editor */
	bool required;
	bool unbuilt;		/* read and kept, and then said not to be built; read NULL: this version cannot even read it */
	bool misplaced;		/* not for here: read only says why, and no schema has it */
};
#define FIELD_PARTS(word, reader, looks, says, ...) .name = (word), .read = (reader), .shape = (looks), .about = (says)
#define FIELD(...)	{ FIELD_PARTS(__VA_ARGS__, NULL, NULL, NULL) }	/* name, reader[, shape, sentence] */
#define NEEDED(...)	{ FIELD_PARTS(__VA_ARGS__, NULL, NULL, NULL), .required = true }
#define UNBUILT(...)	{ FIELD_PARTS(__VA_ARGS__, NULL, NULL, NULL), .unbuilt = true }
#define MISPLACED(...)	{ FIELD_PARTS(__VA_ARGS__, NULL, NULL, NULL), .misplaced = true }

/* ---- fields.c ---- */
/* Every finding of YAML's own is said; false: there is no tree. */
bool read_tree(struct reader *r, const char *text, size_t len, struct yaml_node **out);
/* A key that has to be there; one that is misspelt has been told so already. */
void key_needed(struct reader *r, const struct yaml_node *map, const char *name, const char *text, const char *help);
/* False if anything in the map was wrong; all of it has then been said. */
bool read_fields(struct reader *r, const struct yaml_node *map, const char *what, const struct field *fields, size_t count, void *into);
bool read_text(struct reader *r, const struct yaml_node *n, const char *what, char **out);
bool read_is_list(struct reader *r, const struct yaml_node *n, const char *what);
/* A word out of a NULL-terminated list; its index or -1 (said). */
int read_word(struct reader *r, const struct yaml_node *n, const char *what, const char *const *words);

bool read_params(struct reader *r, const struct yaml_node *n, void *policy);		/* read_params.c */
struct param *param_find(struct policy *p, const char *name, size_t len);
bool param_unknown(struct reader *r, const struct yaml_node *n, const char *name, size_t len);	/* says so; false */
bool read_tests(struct reader *r, const struct yaml_node *n, void *policy);
bool read_preset_params(struct reader *r, const struct yaml_node *n, void *policy);	/* read_preset.c */
bool read_preset_tests(struct reader *r, const struct yaml_node *n, void *policy);
extern const char *const preset_words[];		/* presets.c: their names */
bool read_files(struct reader *r, const struct yaml_node *n, void *policy);		/* read_files.c */
bool read_sockets_unix(struct reader *r, const struct yaml_node *n, void *policy);
bool pattern_push(struct reader *r, const struct yaml_node *n, struct pattern **items, size_t *count);
bool patterns_read(struct reader *r, const struct yaml_node *n, struct pattern **items, size_t *count);	/* one or a list */
bool read_sockets(struct reader *r, const struct yaml_node *n, void *policy);		/* read_named.c */
bool read_devices(struct reader *r, const struct yaml_node *n, void *policy);
bool read_calls(struct reader *r, const struct yaml_node *n, void *policy);
bool read_privileges(struct reader *r, const struct yaml_node *n, void *policy);
bool read_session(struct reader *r, const struct yaml_node *n, void *policy);
bool read_limits(struct reader *r, const struct yaml_node *n, void *policy);		/* read_limits.c */
bool read_labels(struct reader *r, const struct yaml_node *n, void *policy);		/* read_labels.c */
extern const char *const record_words[];	/* words.c: by enum record_kind, then dns and call */
bool read_on_refusal(struct reader *r, const struct yaml_node *n, void *policy);
bool read_network(struct reader *r, const struct yaml_node *n, void *policy);		/* read_network.c */
struct rule *rule_new(struct reader *r, const struct yaml_node *at);			/* read_rule.c */
void rule_free(struct rule *rule);
bool rule_add(struct reader *r, struct rule *rule);	/* takes it, also when it fails */
bool read_rule_id(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_why(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_owner(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_ticket(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_by(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_until(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_effect(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_record(struct reader *r, const struct yaml_node *n, void *rule);
extern const struct shape shape_rule_id, shape_until, shape_effect, shape_record_required;
/* What every rule may carry: what is said of it, and what narrows it. */
#define NOTE_FIELDS \
	FIELD("id", read_rule_id, &shape_rule_id, "A name for the rule, which events, counters and explanations show. Without one it is class.key.hash."), \
	FIELD("why", read_rule_why, &shape_text, "The reason, shown to whoever is refused."), \
	FIELD("owner", read_rule_owner, &shape_text, "Whom to ask about this rule; else the policy's owner."), \
	FIELD("ticket", read_rule_ticket, &shape_text, "Where the decision is written down.")
#define RULE_FIELDS \
	NOTE_FIELDS, \
	UNBUILT("by", read_rule_by, &shape_paths, "The programs that may use the rule, by path; what they start may not."), \
	FIELD("until", read_rule_until, &shape_until, "When the rule ends: a day (its end, in UTC) or a time with its zone."), \
	FIELD("record", read_rule_record, &shape_record_required, "required: refused while it cannot be recorded.")
#define EFFECT_FIELD \
	UNBUILT("effect", read_rule_effect, &shape_effect, "What it does to the other side; the read-only stage keeps only what says read.")

/* ---- pattern.c ---- */
bool pattern_read(struct reader *r, const struct yaml_node *n, struct pattern *out);
bool path_is_clean(const char *path, size_t len);	/* absolute, no empty, "." or ".." component, no slash at the end, no NUL */
/* The bytes of the leading components without wildcards; true if that is the whole pattern. Room: strlen(text) + 1. */
bool pattern_literal(const char *text, char *out, size_t *len);

/* ---- address.c ---- */
/* What a `to` text is. A domain and @same-sandbox have no ranges. */
enum to_kind { TO_WRONG, TO_RANGES, TO_DOMAIN, TO_SAME_SANDBOX };
/* Append the ranges that it means; TO_WRONG with the reason in why. */
enum to_kind to_parse(struct diags *d, const char *text, struct addr_range **ranges, size_t *count, char why[200]);
void to_say_unbuilt(struct reader *r, const struct yaml_node *at, enum to_kind kind, const char *text);	/* read_network.c */
bool ranges_cover(const struct addr_range *ranges, size_t count, const struct addr_range *range);	/* all of it, by several if need be */
bool range_meets_internet(const struct addr_range *range);
bool ranges_cover_internet(const struct addr_range *ranges, size_t count);
bool ports_parse(const char *text, struct port_range *out);
addr_num addr_from_bytes(const uint8_t *p, size_t n);

/* ---- domain.c ---- */
/* "api.example.com" or "*.example.com" in small letters into out (room: strlen + 1); false with the reason. */
bool domain_parse(const char *text, char *out, char why[200]);
bool domain_covers(const char *rule, const char *name);	/* name: a domain too, or a name that is asked about */

/* ---- groups.c: names that the language knows ---- */
extern const char *const device_groups[], *const call_groups[], *const capability_words[], *const family_words[];
bool device_in_group(const char *group, const char *path, size_t len);
const char *device_group_node(const char *group, size_t i);	/* its nodes by pattern; NULL behind the last */
extern const char *const call_names[];			/* call_names.c: every system call, sorted */
bool call_in_group(const char *group, const char *call);
bool call_is_guarded(const char *call);			/* refused unless a group that has it is allowed */
const char *guarded_call(size_t i);			/* NULL behind the last; a call may come twice */
bool wildcard_matches(const char *pattern, const char *text);	/* "*" alone means something; covers "*" in text */

/* ---- amount.c: limits and times ---- */
extern const char *const limit_words[];
bool amount_parse(const char *limit, const char *text, uint64_t *out, char why[200]);
void amount_print(struct buf *out, const char *limit, uint64_t amount);
void until_print(struct buf *out, int64_t until_s);

/* ---- eval_named.c ---- */
bool named_matches(const struct rule *rule, const struct policy_action *a);
bool policy_has_label(const struct policy *p, const char *name);
bool is_guarded(const struct policy_action *a);		/* else it is allowed where no rule says anything */
uint32_t label_refuses(const struct policy *p, const struct policy_action *a, uint32_t allowed_by);	/* a rule's number or RULE_NONE */

bool refusal_word_is_known(const char *word);	/* refusal.c: a class, a verb or everything */

bool rule_has_ended(const struct rule *rule, const struct policy_action *a);	/* eval.c */

/* ---- canonical.c ---- */
struct rule_key {
	enum policy_class class;
	const char *word, *names;	/* names: the key of what the rule is about, where that is names or nodes */
};
extern const struct rule_key rule_keys[];	/* the keys that hold rules, in the language's order; word NULL behind the last */
void words_print(struct buf *out, const char *name, uint32_t bits, const char *const *words);
void rule_matter_print(struct buf *out, const struct policy *p, const struct rule *rule);	/* what it is about, values put in */
void rule_narrowing_print(struct buf *out, const struct rule *rule);

/* ---- ids.c, check.c, own.c, eval.c ---- */
void policy_quote(const struct policy *p, struct diags *d);	/* read.c: the lines of findings that have none yet */
void rules_identify(struct policy *p, struct diags *d);	/* canonical forms, ids, order; drops a preset's copy of our own rule */
void policy_check(struct policy *p, bool only_check, struct diags *d);
bool ports_cover(const struct rule *wide, const struct rule *narrow);	/* check.c */
void within_check(const struct policy *p, const struct policy_source *src, struct diags *d);	/* within.c */
void names_check(const struct policy *p, struct diags *d);	/* check_names.c */
bool allow_is_idle(const struct rule *rule, uint32_t open);	/* its class is open: it allows nothing that was not */
void own_places_add(struct policy *p, const struct policy_source *src, struct diags *d);
bool path_matches(const char *pattern, const char *path, size_t len);	/* the path or one of its parents matches */

#endif
