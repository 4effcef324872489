/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shallow patterns to states {edges, fall, row}. For literal paths that is a trie: a state stands for the bytes read so far, its
 * fall is where all bytes lead that leave the trie: to what the directories above grant for good. Equal states are made one from
 * the ends backwards, so that two directories with the same rights below end in one state, as a rename asks; states on a cycle
 * (a "*" before other bytes) stay apart, which only refuses a rename more.
 */
#include "policy/dfa.h"
#include "policy/pack.h"

void sparse_image_done(struct sparse_image *t)
{
	free(t->states);
	free(t->check);
	free(t->next);
	*t = (struct sparse_image){};
}

#define STATE_NEW    UINT32_MAX
#define STATE_OPEN   (UINT32_MAX - 1)	/* its successors are being numbered */
#define TARGET_SELF  (UINT32_MAX - 2)	/* in a signature: back to the state itself */
#define SIGNATURE_OWN (UINT32_MAX - 3)	/* a signature that no other state has */

struct frame {
	uint32_t state, next;	/* next: the successor to look at; 0 is the fall */
};
struct merger {
	struct compiler *c;
	const struct dfa_result *dfa;
	struct intern signatures;
	uint32_t *number;	/* of each raw state */
	struct list kept;	/* number -> the raw state that stands for it */
	struct list signature;
	int first_byte[256], next_byte[256];	/* the bytes of a class, chained; -1 ends */
	struct frame *stack;
	size_t depth;
};

static void merger_done(struct merger *m)
{
	intern_done(&m->signatures);
	list_done(&m->kept);
	list_done(&m->signature);
	free(m->number);
	free(m->stack);
}

static uint32_t successor(const struct merger *m, const struct dfa_state *s, uint32_t i)
{
	return i ? m->dfa->edges[s->edges + i - 1].to : s->fall;
}

static uint32_t target(const struct merger *m, uint32_t state, uint32_t to)
{
	return to == state ? TARGET_SELF : m->number[to];
}

static int pair_order(const void *a, const void *b)
{
	return memcmp(a, b, 2 * sizeof(uint32_t));
}

/* {row, fall, edges that differ from it, by class}; or its own name where a successor has no number yet. */
static void signature_make(struct merger *m, uint32_t state)
{
	const struct dfa_state *s = &m->dfa->states[state];
	uint32_t fall = target(m, state, s->fall);
	bool closed = true;

	m->signature.count = 0;
	list_add(m->c, &m->signature, s->row);
	list_add(m->c, &m->signature, fall);
	for (uint32_t i = 0; i <= s->edge_count; i++) {
		uint32_t to = target(m, state, successor(m, s, i));

		closed &= to != STATE_OPEN;
		if (!i || to == fall)
			continue;
		list_add(m->c, &m->signature, m->dfa->edges[s->edges + i - 1].class);
		list_add(m->c, &m->signature, to);
	}
	if (m->signature.count > 4)	/* any fixed order of the pairs {class, target} will do */
		qsort(m->signature.items + 2, m->signature.count / 2 - 1, 2 * sizeof(uint32_t), pair_order);
	if (closed)
		return;
	m->signature.count = 0;
	list_add(m->c, &m->signature, SIGNATURE_OWN);
	list_add(m->c, &m->signature, state);
}

static void state_number(struct merger *m, uint32_t state)
{
	uint32_t number = 0;

	signature_make(m, state);
	if (m->c->err || intern_add(&m->signatures, m->signature.items, m->signature.count * sizeof(uint32_t), &number)) {
		compile_fail(m->c, -ENOMEM);
		return;
	}
	if (number == m->kept.count)
		list_add(m->c, &m->kept, state);
	m->number[state] = number;
}

/* Successors first; a state is numbered when all of them are, or wait for it. */
static void states_number(struct merger *m, uint32_t from)
{
	if (m->number[from] != STATE_NEW)
		return;
	m->stack[m->depth++] = (struct frame){ from, 0 };
	m->number[from] = STATE_OPEN;
	while (m->depth && !m->c->err) {
		struct frame *top = &m->stack[m->depth - 1];
		const struct dfa_state *s = &m->dfa->states[top->state];
		uint32_t to;

		if (top->next > s->edge_count) {
			state_number(m, top->state);
			m->depth--;
			continue;
		}
		to = successor(m, s, top->next++);
		if (m->number[to] != STATE_NEW)
			continue;
		m->number[to] = STATE_OPEN;
		m->stack[m->depth++] = (struct frame){ to, 0 };
	}
}

static void bytes_chain(struct merger *m)
{
	memset(m->first_byte, -1, sizeof(m->first_byte));
	for (int byte = 255; byte >= 0; byte--) {
		uint8_t class = m->dfa->class_of[byte];

		m->next_byte[byte] = m->first_byte[class];
		m->first_byte[class] = byte;
	}
}

static bool states_merge(struct merger *m)
{
	size_t n = m->dfa->state_count;

	bytes_chain(m);
	m->number = calloc(n, sizeof(*m->number));
	m->stack = calloc(n + 1, sizeof(*m->stack));
	if (!m->number || !m->stack)
		return compile_fail(m->c, -ENOMEM);
	memset(m->number, 0xff, n * sizeof(*m->number));
	states_number(m, 0);
	for (uint32_t i = 0; i < m->c->anchor_count; i++)
		states_number(m, m->dfa->anchors[i]);
	return !m->c->err;
}

/* ---- to bytes, and into the shared edge area ---- */

struct order {
	uint32_t number, count;
};

static int order_dense(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

/* What leaves a kept state, by byte. */
static size_t bytes_of(const struct merger *m, uint32_t number, struct byte_edge out[256])
{
	const struct dfa_state *s = &m->dfa->states[m->kept.items[number]];
	size_t count = 0;

	for (uint32_t i = 0; i < s->edge_count; i++) {
		const struct dfa_edge *edge = &m->dfa->edges[s->edges + i];
		int byte = m->first_byte[edge->class];

		for (; m->number[edge->to] != m->number[s->fall] && byte >= 0; byte = m->next_byte[byte])
			out[count++] = (struct byte_edge){ byte, m->number[edge->to] };
	}
	return count;
}

/* The states with most edges first: later ones fill the holes between them. */
static bool states_pack(const struct merger *m, struct sparse_image *out)
{
	_free_ struct order *order = calloc(out->state_count, sizeof(*order));
	struct byte_edge edges[256];
	struct packer k = { .c = m->c, .out = out };
	size_t count;

	if (!order)
		return compile_fail(m->c, -ENOMEM);
	for (uint32_t i = 0; i < out->state_count; i++) {
		const struct dfa_state *s = &m->dfa->states[m->kept.items[i]];

		out->states[i] = (struct sparse_state){ .fall = m->number[s->fall], .row = s->row };
		order[i] = (struct order){ i, s->edge_count };
	}
	qsort(order, out->state_count, sizeof(*order), order_dense);
	if (!edges_begin(&k))
		return false;
	for (size_t i = 0; i < out->state_count; i++) {
		count = bytes_of(m, order[i].number, edges);
		if (!edges_pack(&k, order[i].number, edges, count))
			return false;
	}
	return true;
}

static bool sparse_make(struct compiler *c, const struct dfa_result *dfa, struct sparse_image *out)
{
	_cleanup_(merger_done) struct merger m = { .c = c, .dfa = dfa };

	if (!states_merge(&m))
		return false;
	out->start = m.number[0];
	for (uint32_t i = 0; i < c->anchor_count; i++)
		out->anchors[i] = m.number[dfa->anchors[i]];
	out->state_count = m.kept.count;
	out->states = calloc(out->state_count, sizeof(out->states[0]));
	if (!out->states)
		return compile_fail(c, -ENOMEM);
	return states_pack(&m, out);
}

static bool raw_make(struct compiler *c, const struct list *rules, size_t count, struct dfa_result *out)
{
	_cleanup_(nfa_done) struct nfa nfa = {};

	return nfa_build(c, SHALLOW, rules->items, count, &nfa) && dfa_build(c, &nfa, SPARSE_RAW_MAX, out);
}

static bool blame(struct compiler *c, const struct list *rules)
{
	size_t low = literal_rules(c, rules) + 1, high = rules->count;

	while (low < high) {
		_cleanup_(dfa_result_done) struct dfa_result ignored = {};
		size_t middle = (low + high) / 2;

		if (!raw_make(c, rules, middle, &ignored))
			return false;
		if (ignored.too_big)
			high = middle;
		else
			low = middle + 1;
	}
	return compile_too_big(c, c->p->rules[rules->items[low - 1]],
			       "with this rule the paths make too large an automaton: use fewer \"*\" and \"?\", or fewer rules");
}

bool compile_sparse(struct compiler *c, struct sparse_image *out)
{
	_cleanup_(list_done) struct list rules = {};
	_cleanup_(dfa_result_done) struct dfa_result dfa = {};

	if (!rules_of_depth(c, SHALLOW, &rules) || !raw_make(c, &rules, rules.count, &dfa))
		return false;
	return dfa.too_big ? blame(c, &rules) : sparse_make(c, &dfa, out);
}
