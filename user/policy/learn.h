/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what was seen to the smallest policy that would have allowed it. Observations in, one at a time; then what of them the policy lacks,
 * generalised by written rules (learn_name.c, learn_tree.c, learn_net.c) and without what must never be learned (learn_never.c). Pure; the
 * same observations in the same order give the same bytes.
 */
#ifndef POLICY_LEARN_H
#define POLICY_LEARN_H

#include "policy/policy.h"

struct learn;

/* One event of a journal. Strings are copied. */
struct learn_seen {
	uint32_t verbs, verbs2;		/* of paths: bits 1 << VERB_* that the action needed at path, and at path2 */
	const char *path, *path2;	/* raw bytes; NULL: it is about none */
	size_t path_len, path2_len;
	bool directory;			/* path led to a directory that was there, or made one */
	bool makes;			/* opened, and made by that: the next run finds it there */
	bool network, listens;		/* about an address */
	uint8_t addr[16], proto;	/* IPv4 mapped; IPPROTO_* */
	uint16_t port;
	const char *what, *rule;	/* neither path nor address: what it was, for people; and the rule that refused it */
	const char *program, *uid;	/* may be NULL */
	uint64_t count, first_ms, last_ms;
};

/* Against a policy, whose rules count as covered; it must outlive this. */
int learn_new(const struct policy *base, struct learn **out);
void learn_free(struct learn *l);
int learn_add(struct learn *l, const struct learn_seen *seen);
int learn_work(struct learn *l);	/* once, after the last learn_add() */

/* The text of a policy with the learned rules put in, each with its evidence as a remark. -EOPNOTSUPP with why: nowhere to put them. */
int learn_into(const struct learn *l, const char *text, size_t len, struct buf *out, char why[200]);
struct learn_totals {
	size_t seen, covered, learned, refused;	/* distinct things: all; covered by the policy; that rules were learned for; not to be learned */
	size_t rules;
};
void learn_totals(const struct learn *l, struct learn_totals *out);
/* What was covered already and by what, and what is not learned and why, as lines that begin with `prefix`. */
void learn_report(const struct learn *l, const char *prefix, struct buf *out);
/* Presets that allow much of what was learned, as such lines; none: no line. Not those that cannot do without a parameter. */
void learn_presets(const struct learn *l, const char *prefix, struct buf *out);
/* Everything that was to be learned and that this policy refuses, a line each; the count. 0 of the text that learn_into() made. */
size_t learn_missing(const struct learn *l, const struct policy *learned, struct buf *out);

/* ---- the tables, for documents and tests ---- */
void learn_never_document(struct buf *out);	/* rows of Markdown */
void learn_general_document(struct buf *out);
const char *policy_deputy(size_t i, const char **could);	/* a question about what acts for whoever asks; NULL behind the last */

/* ---- rules that nothing used ---- */
struct tighten;
int tighten_new(const struct policy *p, struct tighten **out);
void tighten_free(struct tighten *t);
int tighten_see(struct tighten *t, const struct policy_action *a);	/* an action that was allowed or attempted */
void tighten_report(const struct tighten *t, struct buf *out, size_t *unused);

#endif
