/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are wanted, as a tree, and the tree as rules. On the way: names become patterns (learn_name.c), numbers that are all that
 * tells neighbours apart become one pattern, and a directory of which many things were used the same way becomes a rule as a whole.
 */
#include "policy/learn_parts.h"

/* So many entries of a directory used alike are no accident. A directory that is a parameter was named by a person: two suffice. */
#define MANY 4
#define MANY_IN_PARAM 2

static void node_free(struct tree_node *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		node_free(n->children[i]);
	free(n->children);
	free(n->name);
	free(n->pattern);
	free(n);
}

static void node_free_p(struct tree_node **n)
{
	node_free(*n);
}

/* ---- building ---- */

static struct tree_node *child_at(struct learn *l, struct tree_node *n, const char *name, size_t len)
{
	struct tree_node *fresh, **slot;
	size_t low = 0, high = n->count;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strncmp(n->children[mid]->name, name, len);

		if (!order)
			order = n->children[mid]->name[len] ? 1 : 0;
		if (!order)
			return n->children[mid];
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	fresh = calloc(1, sizeof(*fresh));
	if (fresh)
		fresh->name = strndup(name, len);
	slot = fresh && fresh->name ? vec_push(&l->d, &n->children, &n->count, sizeof(*slot)) : NULL;
	if (!slot) {
		l->d.err = -ENOMEM;
		node_free(fresh);
		return NULL;
	}
	memmove(&n->children[low + 1], &n->children[low], (n->count - 1 - low) * sizeof(*slot));
	return n->children[low] = fresh;
}

/* The node of a path; the value of a parameter is one component, the longest first. */
static struct tree_node *node_at(struct learn *l, struct tree_node *root, const char *path, size_t len)
{
	const struct param *in = NULL;
	size_t at = 0, best = 0;

	for (size_t i = 0; i < l->base->param_count; i++) {
		const struct param *p = &l->base->params[i];
		size_t n = p->type == PARAM_PATH && p->value ? strlen(p->value) : 0;

		if (n > 1 && n > best && n <= len && !memcmp(p->value, path, n) && (n == len || path[n] == '/')) {
			in = p;
			best = n;
		}
	}
	if (in) {
		root = child_at(l, root, in->value, best);
		if (root)
			root->param = true;
		at = best;
	}
	while (root && at < len) {
		size_t n = strcspn(path + at + 1, "/");

		if (n > len - at - 1)
			n = len - at - 1;
		if (n)
			root = child_at(l, root, path + at + 1, n);
		at += 1 + n;
	}
	return root;
}

static void place_put(struct learn *l, struct tree_node *root, const struct place *p)
{
	struct tree_node *n = node_at(l, root, p->path, p->len);

	if (!n)
		return;
	n->seen |= p->verbs;
	n->wanted |= p->wanted;
	n->whole |= p->directory;
	for (unsigned v = 0; v < VERB_PATH_COUNT; v++) {
		if (p->wanted & 1u << v)
			evidence_merge(&n->e[v], &p->e[v]);
	}
}

/* A directory keeps its rights below only where both of its names are in one rule. */
static void renaming_put(struct learn *l, struct tree_node *root, const struct renaming *r)
{
	size_t shared = 0;
	struct tree_node *n;

	for (size_t i = 0; i < r->from_len && i < r->to_len && r->from[i] == r->to[i]; i++)
		shared = r->from[i] == '/' ? i : shared;
	n = r->directory && shared ? node_at(l, root, r->from, shared) : NULL;
	if (n)
		n->renamed = true;
}

/* ---- names ---- */

static void node_merge(struct learn *l, struct tree_node *to, struct tree_node *from)
{
	to->seen |= from->seen;
	to->wanted |= from->wanted;
	to->whole |= from->whole;
	to->renamed |= from->renamed;
	for (unsigned v = 0; v < VERB_PATH_COUNT; v++)
		evidence_merge(&to->e[v], &from->e[v]);
	for (size_t i = 0; i < from->count; i++) {
		struct tree_node *same = child_at(l, to, from->children[i]->name, strlen(from->children[i]->name));

		if (same)
			node_merge(l, same, from->children[i]);
	}
}

static void pattern_set(struct learn *l, struct tree_node *n, struct buf *text)
{
	free(n->pattern);
	if (text->err)
		l->d.err = text->err;
	n->pattern = steal(&text->data);
	text->len = text->cap = 0;
}

/* Names that differ in their numbers alone, two or more of them. */
static void numbers_find(struct learn *l, struct tree_node *n, size_t at)
{
	_buf_ struct buf mine = {};
	bool found = false;

	if (n->children[at]->general || !name_numbers(n->children[at]->name, &mine) || mine.err)
		return;
	for (size_t i = 0; i < n->count; i++) {
		_buf_ struct buf other = {};

		if (i == at || n->children[i]->param || !name_numbers(n->children[i]->name, &other) || other.err || strcmp(mine.data, other.data))
			continue;
		found = true;
		break;
	}
	if (!found)
		return;
	pattern_set(l, n->children[at], &mine);
	n->children[at]->general = true;
}

static void names_set(struct learn *l, struct tree_node *n)
{
	for (size_t i = 0; i < n->count; i++) {
		struct tree_node *c = n->children[i];
		_buf_ struct buf text = {};

		if (c->param)
			buf_add_char(&text, '$');	/* its name is found when it is printed */
		else
			c->general = name_generalise(c->name, c->seen, &text);
		pattern_set(l, c, &text);
	}
	for (size_t i = 0; i < n->count && n->count <= 4096; i++) {
		if (!n->children[i]->param)
			numbers_find(l, n, i);
	}
}

/* Patterns first, so that a name finds the one that it belongs to. */
static int general_order(const void *a, const void *b)
{
	const struct tree_node *x = *(struct tree_node *const *)a, *y = *(struct tree_node *const *)b;

	return x->general != y->general ? y->general - x->general : strcmp(x->pattern, y->pattern);
}

static int pattern_order(const void *a, const void *b)
{
	return strcmp((*(struct tree_node *const *)a)->pattern, (*(struct tree_node *const *)b)->pattern);
}

/* Is c's name one of n's pattern? */
static bool node_covers(struct learn *l, const struct tree_node *n, const struct tree_node *c)
{
	_buf_ struct buf pattern = {}, name = {};

	if (n->param || c->param)
		return false;
	if (!strcmp(n->pattern, c->pattern))
		return true;
	if (!n->general || c->general)
		return false;
	buf_addf(&pattern, "/%s", n->pattern);
	buf_addf(&name, "/%s", c->name);
	if (pattern.err || name.err) {
		l->d.err = -ENOMEM;
		return false;
	}
	return path_matches(pattern.data, name.data, name.len);
}

static void names_merge(struct learn *l, struct tree_node *n)
{
	size_t kept = 0;

	if (l->d.err || !n->count)
		return;
	qsort(n->children, n->count, sizeof(*n->children), general_order);
	for (size_t i = 0; i < n->count; i++) {
		struct tree_node *c = n->children[i], *same = NULL;

		for (size_t k = 0; k < kept && !same && (n->children[k]->general || c->general); k++)
			same = node_covers(l, n->children[k], c) ? n->children[k] : NULL;
		if (same) {
			node_merge(l, same, c);
			node_free(c);
		} else {
			n->children[kept++] = c;
		}
	}
	n->count = kept;
	qsort(n->children, n->count, sizeof(*n->children), pattern_order);
	for (size_t i = 0; i < n->count; i++) {
		names_set(l, n->children[i]);
		names_merge(l, n->children[i]);
	}
}

/* ---- whole directories ---- */

static uint32_t wanted_below(const struct tree_node *n)
{
	uint32_t verbs = n->wanted;

	for (size_t i = 0; i < n->count; i++)
		verbs |= wanted_below(n->children[i]);
	return verbs;
}

/* What is below does not want these verbs any more: its parent has them. */
static void take_below(struct tree_node *n, uint32_t verbs, struct evidence to[VERB_PATH_COUNT])
{
	for (size_t i = 0; i < n->count; i++) {
		struct tree_node *c = n->children[i];

		for (unsigned v = 0; v < VERB_PATH_COUNT; v++) {
			if (c->wanted & verbs & 1u << v)
				evidence_merge(&to[v], &c->e[v]);
		}
		c->wanted &= ~verbs;
		take_below(c, verbs, to);
	}
}

static uint32_t used_alike(const struct tree_node *n)
{
	unsigned counts[VERB_PATH_COUNT] = {};
	uint32_t verbs = 0, below;

	for (size_t i = 0; i < n->count; i++) {
		below = wanted_below(n->children[i]);
		for (unsigned v = 0; v < VERB_PATH_COUNT; v++)
			counts[v] += below >> v & 1;
	}
	for (unsigned v = 0; v < VERB_PATH_COUNT; v++) {
		if (v != VERB_UNIX && counts[v] && (counts[v] >= (n->param ? MANY_IN_PARAM : MANY) || n->renamed))
			verbs |= 1u << v;
	}
	return verbs;
}

static uint32_t may_be_whole(const struct learn *l, const struct buf *path, uint32_t verbs)
{
	if (broad_path(path->data, path->len))
		return 0;
	for (unsigned verb = 0; verb < VERB_PATH_COUNT; verb++) {
		struct policy_action a = { .verb = verb, .path = path->data, .path_len = path->len };

		if (never_path(l, verb, path->data, path->len) || denied_by(l->base, &a))
			verbs &= ~(1u << verb);
	}
	return verbs;
}

/* path: of the node, as it was seen; "" for the root. */
static void make_whole(struct learn *l, struct tree_node *n, struct buf *path)
{
	size_t len = path->len;
	uint32_t verbs;

	for (size_t i = 0; i < n->count; i++) {
		if (!n->children[i]->param)
			buf_add_char(path, '/');
		buf_add_str(path, n->children[i]->name);
		make_whole(l, n->children[i], path);
		path->len = len;
		if (path->data)
			path->data[len] = '\0';
	}
	if (path->err || !len)
		return;
	verbs = used_alike(n);
	if (verbs)
		verbs = may_be_whole(l, path, verbs);
	if (verbs & VERBS_WRITE)	/* who writes there does so in more ways than one */
		verbs |= may_be_whole(l, path, wanted_below(n) & VERBS_WRITE);
	n->wanted |= verbs;
	n->whole |= verbs || (n->count && n->wanted);
	take_below(n, n->wanted & ~(1u << VERB_UNIX), n->e);
}

int learn_tree(struct learn *l)
{
	_cleanup_(node_free_p) struct tree_node *root = calloc(1, sizeof(*root));
	_buf_ struct buf path = {};

	if (!root)
		return -ENOMEM;
	for (size_t i = 0; i < l->place_count; i++) {
		if (l->places[i].wanted)
			place_put(l, root, &l->places[i]);
	}
	for (size_t i = 0; i < l->renaming_count; i++)
		renaming_put(l, root, &l->renamings[i]);
	if (l->d.err)
		return l->d.err;
	names_set(l, root);
	names_merge(l, root);
	make_whole(l, root, &path);
	return path.err ? path.err : tree_emit(l, root);
}
