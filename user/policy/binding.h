/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A binding says where a policy applies: which sandboxes, at which stage, with which parameters. Read, checked and resolved here; fetching
 * and applying the policy is its caller's. Pure, like the whole room.
 */
#ifndef POLICY_BINDING_H
#define POLICY_BINDING_H

#include "policy/policy.h"

enum binding_stage { BINDING_OBSERVE, BINDING_READ_ONLY, BINDING_TRANSACTIONAL, BINDING_ENFORCE, BINDING_STAGES };
enum binding_unbound { UNBOUND_REFUSE, UNBOUND_HOLD, UNBOUND_ALLOW };
enum binding_tighten { TIGHTEN_KEEP, TIGHTEN_RECHECK, TIGHTEN_KILL };

struct binding_pair {
	char *name, *value;
};
/* All that is given has to match; "*" in a value stands for any characters. */
struct binding_selector {
	char *image, *unit, *cgroup, *user, *namespace;
	struct binding_pair *labels;
	size_t label_count;
};
struct binding_grant {
	char *rule, **by;	/* the rule's id; who may open it */
	size_t by_count;
	uint64_t most_s;	/* for how long at most; 0: until it is taken back */
};
struct binding {
	char *name, *file;
	struct binding_selector *match;	/* any of them */
	size_t match_count;
	uint64_t priority;
	char *policy, *digest;		/* digest NULL: whatever has the name */
	struct binding_pair *params;
	size_t param_count;
	enum binding_stage stage;
	char *shadow;			/* "next" or a policy's name; NULL: none */
	enum binding_unbound on_unbound;
	enum binding_tighten on_tighten;
	struct binding_grant *grants;
	size_t grant_count;
	unsigned line;
};

bool binding_is(const char *text, size_t len);	/* a document of this kind, right or wrong */
int binding_load(const char *text, size_t len, const char *file, struct binding **out, struct diags *diags);	/* -EINVAL with diags */
void binding_free(struct binding *b);

/* What is known of a sandbox; NULL: not known, and then nothing that asks for it matches. */
struct binding_facts {
	const char *image, *unit, *cgroup, *user, *namespace;
	const struct binding_pair *labels;
	size_t label_count;
};
/* The one that matches with the highest priority. -ENOENT: none; -ENOTUNIQ: two, which why names: never guessed. */
int binding_resolve(const struct binding *const *all, size_t count, const struct binding_facts *facts, const struct binding **out, char why[200]);

#endif
