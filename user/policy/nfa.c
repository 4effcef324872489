/* SPDX-License-Identifier: Apache-2.0 */
/* Pattern texts (checked by pattern.c) to positions. */
#include "policy/nfa.h"

#define POSITIONS_MAX (1u << 19)	/* more would not fit an image either */

void nfa_done(struct nfa *n)
{
	free(n->positions);
	free(n->groups);
	intern_done(&n->sets);
	*n = (struct nfa){};
}

/* ---- sets of bytes ---- */

static void set_put(struct byte_set *s, unsigned byte)
{
	s->bits[byte >> 6] |= 1ull << (byte & 63);
}

static struct byte_set set_not_slash(void)
{
	struct byte_set s = { { ~0ull, ~0ull, ~0ull, ~0ull } };

	s.bits['/' >> 6] &= ~(1ull << ('/' & 63));
	return s;
}

static unsigned hex_value(char c)
{
	return c <= '9' ? c - '0' : (c & 0xdf) - 'A' + 10;
}

uint8_t pattern_byte_take(const char **s)
{
	const char *p = *s;

	if (p[0] != '\\') {
		*s += 1;
		return p[0];
	}
	if (p[1] != 'x') {
		*s += 2;
		return p[1];
	}
	*s += 4;
	return hex_value(p[2]) << 4 | hex_value(p[3]);
}

static struct byte_set set_take(const char **s)
{
	struct byte_set set = {}, all = set_not_slash();
	bool negated;

	(*s)++;
	negated = **s == '!' || **s == '^';
	*s += negated;
	while (**s != ']') {
		unsigned first = pattern_byte_take(s), last = first;

		if (**s == '-' && (*s)[1] != ']') {
			(*s)++;
			last = pattern_byte_take(s);
		}
		for (; first <= last; first++)
			set_put(&set, first);
	}
	(*s)++;
	for (int i = 0; i < 4; i++)
		set.bits[i] = (negated ? ~set.bits[i] : set.bits[i]) & all.bits[i];
	return set;
}

static bool set_number(struct compiler *c, struct nfa *n, const struct byte_set *set, uint32_t *out)
{
	return !intern_add(&n->sets, set, sizeof(*set), out) || compile_fail(c, -ENOMEM);
}

/* ---- positions ---- */

static bool position_new(struct compiler *c, struct nfa *n, const struct position *like, uint32_t *out)
{
	size_t cap = n->position_cap ? n->position_cap * 2 : 256;
	struct position *grown;

	if (n->position_count >= POSITIONS_MAX)
		return compile_too_big(c, n->rule, "with this rule the paths are too long all together (more than %u bytes of distinct beginnings): "
				       "use fewer or shorter rules", POSITIONS_MAX);
	if (n->position_count == n->position_cap) {
		grown = reallocarray(n->positions, cap, sizeof(*grown));
		if (!grown)
			return compile_fail(c, -ENOMEM);
		n->positions = grown;
		n->position_cap = cap;
	}
	*out = n->position_count++;
	n->positions[*out] = *like;
	n->positions[*out].first = n->positions[*out].last = n->positions[*out].sibling = 0;
	n->positions[*out].ends = false;
	n->positions[*out].row = ROW_EMPTY;
	n->positions[*out].reach = row_none();
	return true;
}

/* The child of *at with this label, made if need be; *at moves there. */
static bool position_step(struct compiler *c, struct nfa *n, uint32_t *at, enum position_kind kind, uint32_t set)
{
	struct position like = n->positions[*at];
	uint32_t child, fresh;

	for (child = like.first; child; child = n->positions[child].sibling) {
		if (n->positions[child].kind == kind && (kind != POSITION_BYTE || n->positions[child].set == set)) {
			*at = child;
			return true;
		}
	}
	like.kind = kind;
	like.set = set;
	if (!position_new(c, n, &like, &fresh))
		return false;
	if (n->positions[*at].last)
		n->positions[n->positions[*at].last].sibling = fresh;
	else
		n->positions[*at].first = fresh;
	n->positions[*at].last = fresh;
	*at = fresh;
	return true;
}

static bool set_step(struct compiler *c, struct nfa *n, uint32_t *at, const struct byte_set *set)
{
	uint32_t number = 0;

	return set_number(c, n, set, &number) && position_step(c, n, at, POSITION_BYTE, number);
}

static bool byte_step(struct compiler *c, struct nfa *n, uint32_t *at, uint8_t byte)
{
	struct byte_set set = {};

	set_put(&set, byte);
	return set_step(c, n, at, &set);
}

/* One component without its "/". */
static bool component_put(struct compiler *c, struct nfa *n, uint32_t *at, const char *s, const char *end)
{
	bool only_stars = (size_t)(end - s) == strspn(s, "*"), good = true;
	struct byte_set any = set_not_slash(), set;

	if (only_stars)	/* no component is empty */
		good = set_step(c, n, at, &any);
	while (s < end && good) {
		if (*s == '*') {
			s++;
			good = position_step(c, n, at, POSITION_STAR, 0);
		} else if (*s == '?') {
			s++;
			good = set_step(c, n, at, &any);
		} else if (*s == '[') {
			set = set_take(&s);
			good = set_step(c, n, at, &set);
		} else {
			good = byte_step(c, n, at, pattern_byte_take(&s));
		}
	}
	return good;
}

static bool pattern_put(struct compiler *c, struct nfa *n, uint32_t *at, const char *text)
{
	const char *s = text, *end;
	bool good = true;

	while (good && s[0] == '/' && s[1]) {
		s++;
		end = s + strcspn(s, "/");
		if (end - s == 2 && s[0] == '*' && s[1] == '*')
			good = position_step(c, n, at, POSITION_GLOBSTAR, 0);
		else
			good = byte_step(c, n, at, '/') && component_put(c, n, at, s, end);
		s = end;
	}
	return good;
}

static bool shared_end(struct compiler *c, struct nfa *n, uint32_t at, struct row row)
{
	n->positions[at].ends = true;
	n->positions[at].row = row_union(c, n->positions[at].row, row_index(c, row));
	row_merge(&n->positions[at].reach, &row);
	return !c->err;
}

/* The root of the patterns that begin at this anchor, made if need be. */
static bool root_get(struct compiler *c, struct nfa *n, uint32_t *root, uint32_t group, bool is_except)
{
	struct position like = { .group = group, .is_except = is_except };

	return *root || position_new(c, n, &like, root);
}

static bool shared_put(struct compiler *c, struct nfa *n, uint32_t number, const struct pattern *pattern)
{
	const struct rule *rule = c->p->rules[number];
	const char *rest;
	uint32_t *root = &n->shared_roots[anchor_of(c, pattern, &rest)], at;

	if (!root_get(c, n, root, 0, false))
		return false;
	at = *root;
	return pattern_put(c, n, &at, rest) && shared_end(c, n, at, row_of_rule(number, rule));
}

/* A place of our own is bytes, not a pattern. */
static bool own_put(struct compiler *c, struct nfa *n, const struct own_place *own)
{
	uint32_t at = n->shared_roots[0];

	for (const char *s = own->path; *s; s++) {
		if (!byte_step(c, n, &at, *s))
			return false;
	}
	return shared_end(c, n, at, row_of_deny(c->p->rule_count + B_SELF, own->verbs));
}

static bool private_put(struct compiler *c, struct nfa *n, uint32_t group, bool is_except, const struct pattern *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct group *g = &n->groups[group];
		const char *rest;
		uint32_t anchor = anchor_of(c, &items[i], &rest), *root = is_except ? &g->except_roots[anchor] : &g->main_roots[anchor], at;

		if (!root_get(c, n, root, group, is_except))
			return false;
		at = *root;
		if (!pattern_put(c, n, &at, rest))
			return false;
		n->positions[at].ends = true;
	}
	return true;
}

static bool group_add(struct compiler *c, struct nfa *n, uint32_t number)
{
	const struct rule *rule = c->p->rules[number];
	uint32_t group = n->group_count;
	struct group *g = vec_push(c->d, &n->groups, &n->group_count, sizeof(*g));

	if (!g)
		return compile_fail(c, -ENOMEM);
	g->reach = row_of_rule(number, rule);
	g->row = row_index(c, g->reach);
	return root_get(c, n, &g->main_roots[0], group, false) && root_get(c, n, &g->except_roots[0], group, true) &&
	       private_put(c, n, group, false, rule->paths, rule->path_count) &&
	       private_put(c, n, group, true, rule->excepts, rule->except_count);
}

static bool rule_put(struct compiler *c, struct nfa *n, enum depth depth, uint32_t number)
{
	const struct rule *rule = c->p->rules[number];

	n->rule = rule;
	if (rule->except_count)
		return rule_depth(rule, NULL) != depth || group_add(c, n, number);
	for (size_t i = 0; i < rule->path_count; i++) {
		if (rule_depth(rule, &rule->paths[i]) == depth && !shared_put(c, n, number, &rule->paths[i]))
			return false;
	}
	return true;
}

/* Children come after their parents: backwards, every reach is complete before it is handed up. */
static void reach_spread(struct nfa *n)
{
	for (size_t i = n->position_count; i-- > 1;) {
		struct position *at = &n->positions[i];

		for (uint32_t child = at->first; child; child = n->positions[child].sibling)
			row_merge(&at->reach, &n->positions[child].reach);
	}
}

static bool roots_make(struct compiler *c, struct nfa *n)
{
	struct byte_set any = set_not_slash();
	struct position like = {};
	uint32_t nobody;

	if (!vec_push(c->d, &n->groups, &n->group_count, sizeof(struct group)))
		return compile_fail(c, -ENOMEM);
	return set_number(c, n, &any, &n->set_not_slash) && position_new(c, n, &like, &nobody) &&
	       root_get(c, n, &n->shared_roots[0], 0, false);
}

bool nfa_build(struct compiler *c, enum depth depth, const uint32_t *rules, size_t count, struct nfa *out)
{
	const struct policy *p = c->p;

	if (!roots_make(c, out))
		return false;
	for (size_t i = 0; i < p->own_count && depth == SHALLOW; i++) {
		if (!own_put(c, out, &p->own[i]))
			return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!rule_put(c, out, depth, rules[i]))
			return false;
	}
	reach_spread(out);
	return !c->err;
}
