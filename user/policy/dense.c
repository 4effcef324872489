/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The deep patterns to the smallest automaton: states that no path tells apart are one. So equal states mean equal rights below,
 * which is what a rename of a directory asks. And, for both automata, which rule was one too many.
 */
#include "policy/dfa.h"

void dense_image_done(struct dense_image *g)
{
	free(g->next);
	free(g->rows);
	*g = (struct dense_image){};
}

/* One state's transitions, as numbers of blocks. */
void dfa_row_expand(const struct dfa_result *r, size_t state, const uint32_t *block, uint32_t *out)
{
	const struct dfa_state *s = &r->states[state];

	for (uint32_t k = 0; k < r->class_count; k++)
		out[k] = block[s->fall];
	for (uint32_t k = 0; k < s->edge_count; k++)
		out[r->edges[s->edges + k].class] = block[r->edges[s->edges + k].to];
}

/* Blocks are numbered by their first state, and state 0 is the start: so is block 0. */
static bool minimise(struct compiler *c, const struct dfa_result *r, struct dense_image *out)
{
	_free_ uint32_t *block = calloc(r->state_count, sizeof(*block));
	uint32_t count = 0;

	if (!block)
		return compile_fail(c, -ENOMEM);
	if (dfa_blocks(r, block, &count))
		return compile_fail(c, -ENOMEM);
	out->next = calloc(count, r->class_count * sizeof(*out->next));
	out->rows = calloc(count, sizeof(*out->rows));
	if (!out->next || !out->rows)
		return compile_fail(c, -ENOMEM);
	for (size_t i = 0; i < r->state_count; i++) {
		out->rows[block[i]] = r->states[i].row;
		dfa_row_expand(r, i, block, out->next + (size_t)block[i] * r->class_count);
	}
	for (uint32_t i = 0; i < c->anchor_count; i++)
		out->anchors[i] = block[r->anchors[i]];
	memcpy(out->class_of, r->class_of, sizeof(out->class_of));
	out->class_count = r->class_count;
	out->state_count = count;
	return true;
}

/* The automaton of the first rules; *too_big instead of a result that is larger than allowed. */
static bool automaton_make(struct compiler *c, const struct list *rules, size_t count, struct dense_image *out, bool *too_big)
{
	_cleanup_(nfa_done) struct nfa nfa = {};
	_cleanup_(dfa_result_done) struct dfa_result dfa = {};

	if (!nfa_build(c, DEEP, rules->items, count, &nfa) || !dfa_build(c, &nfa, DENSE_RAW_MAX, &dfa))
		return false;
	*too_big = dfa.too_big;
	if (*too_big)
		return true;
	if (!minimise(c, &dfa, out))
		return false;
	*too_big = out->state_count > DENSE_STATES_MAX;
	return true;
}

/* The shortest beginning of the rules, in the order of the text, that is too big: its last rule is the one to name. */
static bool blame(struct compiler *c, const struct list *rules)
{
	size_t low = 1, high = rules->count;

	while (low < high) {
		_cleanup_(dense_image_done) struct dense_image ignored = {};
		size_t middle = (low + high) / 2;
		bool too_big = false;

		if (!automaton_make(c, rules, middle, &ignored, &too_big))
			return false;
		if (too_big)
			high = middle;
		else
			low = middle + 1;
	}
	return compile_too_big(c, c->p->rules[rules->items[low - 1]],
			       "with this rule the patterns with \"**\" need more than %u states (%zu such rules stand before it): use fewer of them, or "
			       "one rule with many paths instead of many rules", DENSE_STATES_MAX, low - 1);
}

bool compile_dense(struct compiler *c, struct dense_image *out)
{
	_cleanup_(list_done) struct list rules = {};
	bool too_big = false;

	if (!rules_of_depth(c, DEEP, &rules) || !automaton_make(c, &rules, rules.count, out, &too_big))
		return false;
	return too_big ? blame(c, &rules) : true;
}
