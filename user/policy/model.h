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

struct rule {
	char *id, *canonical;	/* canonical: what makes it this rule and no other; its id is the hash of it unless one was given */
	bool named;
	const char *file, *preset;	/* the policy's strings */
	unsigned line, column, end_line, end_column;
	char *why, *owner, *ticket;
	const char *word;	/* the key it stands under: "read", "write", "deny", "connect", ... */
	enum class_id class_id;
	bool deny, accepted;	/* accepted: i_accept: host-control */
	uint32_t verbs;		/* bits 1 << VERB_*; connect includes send */
	struct pattern *paths, *excepts;
	size_t path_count, except_count;
	char **to;		/* as written */
	size_t to_count;
	struct addr_range *ranges;
	size_t range_count;
	struct port_range *ports;	/* sorted and merged; none: every port */
	size_t port_count;
	uint32_t protos;
};

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
	uint32_t record;
	bool record_given;	/* else the default, of which one kind is not built yet */
	bool io_uring;
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
};
#define READ_ERROR(r, node, ...)   diag_at((r)->d, false, PLACE((r)->file, node), __VA_ARGS__)
#define READ_WARNING(r, node, ...) diag_at((r)->d, true, PLACE((r)->file, node), __VA_ARGS__)

/* What the language has and this version does not enforce: an error, or only a warning where nobody will enforce it. */
void say_unbuilt(struct reader *r, const struct yaml_node *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * What a value looks like. The reader judges; this is what the JSON Schema says, so that an editor completes and complains while
 * somebody types. A schema may allow more than the reader does (it cannot know parameters), never less.
 */
enum shape_kind {
	SHAPE_TEXT,	/* a scalar: `pattern` if not NULL (ECMA 262), numbers too if `number` */
	SHAPE_WORD,	/* one of `words`; a number if `number` */
	SHAPE_LIST,	/* of `of`, also empty */
	SHAPE_SOME,	/* one `of`, or a list of at least one */
	SHAPE_NAMED,	/* a map from names (`pattern`) to `of`; `single`: of exactly one */
	SHAPE_FIELDS,	/* a map with the keys of a table */
	SHAPE_EITHER,	/* `of` or `other` */
};
struct shape {
	enum shape_kind kind;
	const char *pattern;
	const char *const *words;	/* NULL-terminated */
	const struct shape *of, *other;
	const struct field *fields;
	size_t field_count;
	bool number, single;
};
#define SHAPE_OF_FIELDS(table) { .kind = SHAPE_FIELDS, .fields = (table), .field_count = ARRAY_SIZE(table) }
extern const struct shape shape_text, shape_path, shape_paths;	/* shape.c */
extern const struct shape shape_params, shape_tests;	/* read_params.c */
extern const struct shape shape_files, shape_sockets;	/* read_files.c */
extern const struct shape shape_network;		/* read_network.c */
extern const struct shape shape_policy;			/* read.c: the whole document */

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
bool read_files(struct reader *r, const struct yaml_node *n, void *policy);		/* read_files.c */
bool read_sockets(struct reader *r, const struct yaml_node *n, void *policy);
bool read_network(struct reader *r, const struct yaml_node *n, void *policy);		/* read_network.c */
struct rule *rule_new(struct reader *r, const struct yaml_node *at);			/* read_rule.c */
void rule_free(struct rule *rule);
bool rule_add(struct reader *r, struct rule *rule);	/* takes it, also when it fails */
bool read_rule_id(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_why(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_owner(struct reader *r, const struct yaml_node *n, void *rule);
bool read_rule_ticket(struct reader *r, const struct yaml_node *n, void *rule);
extern const struct shape shape_rule_id;
#define RULE_FIELDS \
	FIELD("id", read_rule_id, &shape_rule_id, "A name for the rule, which events, counters and explanations show. Without one it is class.key.hash."), \
	FIELD("why", read_rule_why, &shape_text, "The reason, shown to whoever is refused."), \
	FIELD("owner", read_rule_owner, &shape_text, "Whom to ask about this rule; else the policy's owner."), \
	FIELD("ticket", read_rule_ticket, &shape_text, "Where the decision is written down."), \
	FIELD("by", NULL), FIELD("until", NULL), FIELD("effect", NULL), FIELD("record", NULL)

/* ---- pattern.c ---- */
bool pattern_read(struct reader *r, const struct yaml_node *n, struct pattern *out);
bool path_is_clean(const char *path, size_t len);	/* absolute, no empty, "." or ".." component, no slash at the end, no NUL */
/* The bytes of the leading components without wildcards; true if that is the whole pattern. Room: strlen(text) + 1. */
bool pattern_literal(const char *text, char *out, size_t *len);

/* ---- address.c ---- */
/* Append the ranges that a `to` text means; false with the reason in why. */
bool to_parse(struct diags *d, const char *text, struct addr_range **ranges, size_t *count, char why[200]);
bool ports_parse(const char *text, struct port_range *out);
addr_num addr_from_bytes(const uint8_t *p, size_t n);

/* ---- ids.c, check.c, own.c, eval.c ---- */
void policy_quote(const struct policy *p, struct diags *d);	/* read.c: the lines of findings that have none yet */
void rules_identify(struct policy *p, struct diags *d);	/* canonical forms, ids, order; drops a preset's copy of our own rule */
void policy_check(struct policy *p, struct diags *d);
void own_places_add(struct policy *p, const struct policy_source *src, struct diags *d);
bool path_matches(const char *pattern, const char *path, size_t len);	/* the path or one of its parents matches */

#endif
