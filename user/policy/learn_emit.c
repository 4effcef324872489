/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of what is wanted as rules: neighbours together, and what stays closed in a directory that is opened as a whole. */
#include "policy/learn_parts.h"

static const struct {
	const char *word;
	uint32_t verbs;
} keys[] = {
	{ "read", 1u << VERB_READ }, { "change", 1u << VERB_CHANGE }, { "create", 1u << VERB_CREATE }, { "remove", 1u << VERB_REMOVE },
	{ "write", VERBS_WRITE }, { "execute", 1u << VERB_EXECUTE }, { "unix", 1u << VERB_UNIX },
};

/* write is one rule where all three are wanted. */
static bool key_fits(size_t key, uint32_t wanted)
{
	bool all = (wanted & VERBS_WRITE) == VERBS_WRITE;

	if (keys[key].verbs == VERBS_WRITE)
		return all;
	return wanted & keys[key].verbs && !(all && keys[key].verbs & VERBS_WRITE);
}

static const char *param_name(const struct learn *l, const char *value)
{
	for (size_t i = 0; i < l->base->param_count; i++) {
		if (l->base->params[i].type == PARAM_PATH && l->base->params[i].value && !strcmp(l->base->params[i].value, value))
			return l->base->params[i].name;
	}
	return "";
}

static void node_path(const struct learn *l, const struct tree_node *n, struct buf *path)
{
	if (n->param)
		buf_addf(path, "$%s", param_name(l, n->name));
	else
		buf_addf(path, "/%s", n->pattern);
}

static struct evidence key_evidence(const struct tree_node *n, size_t key)
{
	struct evidence e = {};
	size_t things = 0;

	for (unsigned v = 0; v < VERB_PATH_COUNT; v++) {
		if (!(keys[key].verbs & n->wanted & 1u << v))
			continue;
		evidence_merge(&e, &n->e[v]);
		things = n->e[v].things > things ? n->e[v].things : things;
	}
	e.things = things;	/* the same ones, written in three ways */
	return e;
}

/* Neighbours that want the same are one rule. */
static void rules_emit(struct learn *l, const struct tree_node *n, size_t key, struct buf *path)
{
	struct learned *rule = NULL;
	size_t len = path->len;

	for (size_t i = 0; i < n->count; i++) {
		const struct tree_node *c = n->children[i];
		struct evidence e;

		if (!key_fits(key, c->wanted))
			continue;
		e = key_evidence(c, key);
		node_path(l, c, path);
		if (!rule || c->whole)
			rule = learned_push(l, keys[key].verbs == 1u << VERB_UNIX ? PC_SOCKETS : PC_FILES, keys[key].word, keys[key].verbs, &e);
		else
			evidence_merge(&rule->e, &e);
		if (rule && !path->err)
			learned_add_pattern(l, rule, path->data);
		if (c->whole)
			rule = NULL;
		path->len = len;
	}
	for (size_t i = 0; i < n->count; i++) {
		node_path(l, n->children[i], path);
		rules_emit(l, n->children[i], key, path);
		path->len = len;
	}
}

/* Does the policy itself have an answer for what is there? */
static bool is_answered(const struct learn *l, const char *dir, size_t len, const char *pattern, uint32_t verbs)
{
	const char *name = strncmp(pattern, "**/*", 4) ? pattern + 3 : "x.key";
	struct policy_action a = { .verb = verbs & 1u << VERB_READ ? VERB_READ : VERB_CHANGE };
	struct policy_verdict v;
	_buf_ struct buf path = {};

	buf_addf(&path, "%.*s/%s", (int)len, dir, name);
	a.path = path.data;
	a.path_len = path.len;
	return !path.err && !policy_eval(l->base, &a, &v) && (v.allowed || denied_by(l->base, &a));
}

/* of[0]: every verb; of[1]: writing. done: bits of those that a directory above has closed. */
struct closing {
	struct buf path, sample;
	struct learned *of[2];
};

static void closed_add(struct learn *l, struct closing *c, uint32_t wanted, unsigned done)
{
	const char *pattern;
	uint32_t verbs;

	for (size_t k = 0; (pattern = never_below(k, &verbs)); k++) {
		unsigned kind = verbs == VERBS_WRITE;
		_buf_ struct buf text = {};

		if (!(verbs & wanted) || done & 1u << kind || is_answered(l, c->sample.data, c->sample.len, pattern, verbs))
			continue;
		if (!c->of[kind])
			c->of[kind] = learned_push(l, PC_FILES, "deny", verbs, &(struct evidence){});
		buf_addf(&text, "%.*s/%s", (int)c->path.len, c->path.data, pattern);
		if (c->of[kind] && !text.err)
			learned_add_pattern(l, c->of[kind], text.data);
	}
}

/* A directory that is opened as a whole stays closed to what is never learned, where the policy does not say so already. */
static void closed_find(struct learn *l, const struct tree_node *n, struct closing *at, unsigned done)
{
	size_t len = at->path.len, sample_len = at->sample.len;

	for (size_t i = 0; i < n->count; i++) {
		const struct tree_node *c = n->children[i];
		unsigned now = done;

		node_path(l, c, &at->path);
		buf_addf(&at->sample, "%s%s", c->param ? "" : "/", c->name);
		if (at->path.err || at->sample.err) {
			l->d.err = -ENOMEM;
			return;
		}
		if (c->whole && c->wanted & VERBS_FILES) {
			closed_add(l, at, c->wanted, done);
			now |= 1 | (c->wanted & VERBS_WRITE ? 2 : 0);
		}
		closed_find(l, c, at, now);
		at->path.len = len;
		at->sample.len = sample_len;
	}
}

int tree_emit(struct learn *l, const struct tree_node *root)
{
	struct closing closing = {};
	_buf_ struct buf path = {};

	for (size_t key = 0; key < ARRAY_SIZE(keys); key++) {
		buf_reset(&path);
		rules_emit(l, root, key, &path);
	}
	closed_find(l, root, &closing, 0);
	buf_done(&closing.path);
	buf_done(&closing.sample);
	return path.err ? path.err : l->d.err;
}
