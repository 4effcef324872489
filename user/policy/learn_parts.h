/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of learn share. */
#ifndef POLICY_LEARN_PARTS_H
#define POLICY_LEARN_PARTS_H

#include "policy/learn.h"
#include "policy/model.h"

#define LEARN_UIDS 2
#define LEARN_PROGRAMS 63	/* told apart; bit 63: some further one */

struct evidence {
	uint64_t count, first_ms, last_ms, programs;
	size_t things;		/* distinct paths or addresses */
	char uids[LEARN_UIDS][32];
	unsigned uid_count;
};
void evidence_merge(struct evidence *to, const struct evidence *from);

/* A distinct path, and all that was needed there. */
struct place {
	char *path;
	size_t len, order;
	uint32_t verbs;
	uint32_t wanted;	/* of these: neither covered nor forbidden */
	uint32_t later;		/* what the next run will need there because of this one */
	bool directory;
	struct evidence e[VERB_PATH_COUNT];
};
/* A rename or link: what the new name grants the old one has to have. */
struct renaming {
	char *from, *to;
	size_t from_len, to_len;
	bool directory, fails;	/* fails: no rule may give what it lacks */
};
struct peer {
	uint8_t addr[16], proto;
	uint16_t port;
	bool listens, wanted, taken;
	size_t order;
	struct evidence e;
};
/* What is not learned, or what is covered: equal ones are one. */
struct remark {
	char *text, *reason;
	bool covered;
	struct evidence e;
};

/* A rule to be: one list item of the policy. */
struct learned {
	enum policy_class class;
	const char *word;	/* the key it stands under */
	uint32_t verbs;
	char **patterns;	/* as written, ASCII: "$workspace/build", "/srv/[0-9]*" */
	size_t pattern_count;
	char *peer;		/* network: "{to: ..., ports: [...]}" without its braces */
	struct evidence e;
};

struct tree_node {
	char *name, *pattern;	/* as seen, and as the rule will say it */
	uint32_t seen, wanted;	/* verbs at this very path */
	bool general, whole;	/* whole: a directory, and a rule for it has all below */
	bool renamed;		/* directories were renamed in it */
	bool param;
	struct evidence e[VERB_PATH_COUNT];
	struct tree_node **children;
	size_t count;
};

struct learn {
	const struct policy *base;
	struct policy *never;	/* of preset base: what it denies nobody learns */
	struct diags d;		/* for its err alone */
	char **programs;
	size_t program_count;
	struct place *places;
	size_t place_count;
	struct renaming *renamings;
	size_t renaming_count;
	struct peer *peers;
	size_t peer_count;
	struct remark *remarks;
	size_t remark_count;
	struct learned **rules;
	size_t rule_count;
	struct learn_totals totals;
};

/* learn.c */
void rules_drop(struct learn *l);
int place_order(const void *a, const void *b);
void places_unite(struct learn *l);
void peers_unite(struct learn *l);
void learn_remark(struct learn *l, bool covered, const struct evidence *e, const char *text, const char *reason);
struct learned *learned_push(struct learn *l, enum policy_class class, const char *word, uint32_t verbs, const struct evidence *e);
void learned_add_pattern(struct learn *l, struct learned *rule, const char *pattern);
/* Does a learned rule have it? Denies are not asked. */
bool learned_allows(const struct learn *l, const char *path, size_t len, unsigned verb);
bool pattern_matches(const struct learn *l, const char *pattern, const char *path, size_t len);	/* a pattern as written */

/* Why a deny of this policy refuses it, or Bailiff itself does: then no allow helps. NULL: none does. */
const char *denied_by(const struct policy *p, const struct policy_action *a);

/* learn_never.c: NULL, or why it must not be learned. */
const char *never_path(const struct learn *l, unsigned verb, const char *path, size_t len);
const char *never_peer(const struct learn *l, const struct peer *peer);
const char *broad_path(const char *path, size_t len);	/* too much lies below for a rule to have it as a whole */
const char *never_below(size_t i, uint32_t *verbs);	/* "**" patterns of what must stay closed in a directory that a rule opens as a whole */

/* learn_name.c: a component as a pattern. True: generalised, else escaped only. */
bool name_generalise(const char *name, uint32_t verbs, struct buf *out);
bool name_numbers(const char *name, struct buf *out);	/* every run of digits */
void name_escape(const char *name, size_t len, struct buf *out);

/* learn_tree.c, learn_net.c: rules from what is wanted. */
int learn_tree(struct learn *l);
int tree_emit(struct learn *l, const struct tree_node *root);	/* learn_emit.c */
int learn_net(struct learn *l);
/* learn_print.c */
void evidence_print(const struct learn *l, const struct evidence *e, struct buf *out);
void learned_print(const struct learned *rule, struct buf *out);	/* the item, as flow */

#endif
