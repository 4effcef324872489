/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is which rule. The canonical form of a rule holds what it rules and nothing else: not its place, not its reason, and
 * parameters by name, so that an id stays when lines move, texts change or another workspace is given. Without an id of its own a
 * rule is class.key.hash; numbers are places in the byte order of ids.
 */
#include <stdio.h>
#include "policy/model.h"

static int string_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A list is a set: sorted, each once, each on a line of its own. */
static void strings_add(struct buf *out, const char *name, const char **items, size_t count)
{
	if (count > 1)
		qsort(items, count, sizeof(items[0]), string_order);
	for (size_t i = 0; i < count; i++) {
		if (!i || strcmp(items[i], items[i - 1]))
			buf_addf(out, "%s %s\n", name, items[i]);
	}
}

static void patterns_add(struct buf *out, const char *name, const struct pattern *items, size_t count)
{
	_free_ const char **sources = calloc(count + 1, sizeof(*sources));

	if (!sources) {
		out->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < count; i++)
		sources[i] = items[i].source;
	strings_add(out, name, sources, count);
}

static void network_add(struct buf *out, const struct rule *rule)
{
	strings_add(out, "to", (const char **)rule->to, rule->to_count);
	for (size_t i = 0; i < rule->port_count; i++)
		buf_addf(out, "port %u-%u\n", rule->ports[i].first, rule->ports[i].last);
	buf_addf(out, "proto %x\n", rule->protos);
}

static void thens_add(struct buf *out, const struct rule *rule)
{
	for (size_t i = 0; i < rule->then_count; i++) {
		buf_addf(out, "then %s\n", class_table[rule->thens[i].class].word);
		strings_add(out, "only", (const char **)rule->thens[i].only, rule->thens[i].only_count);
	}
}

/* What narrows a rule makes it another; nothing is added where nothing is said, so that ids stay as they were. */
static void narrowing_add(struct buf *out, const struct rule *rule)
{
	patterns_add(out, "by", rule->by, rule->by_count);
	if (rule->until_s)
		buf_addf(out, "until %lld\n", (long long)rule->until_s);
	if (rule->effect)
		buf_addf(out, "effect %x\n", rule->effect);
	if (rule->record_required)
		buf_add_str(out, "record required\n");
	if (rule->tls_off)
		buf_add_str(out, "tls off\n");
}

static char *canonical_of(const struct rule *rule)
{
	struct buf out = {};

	buf_addf(&out, "%s %s %x\n", class_table[rule->class].word, rule->word, rule->verbs);
	patterns_add(&out, "path", rule->paths, rule->path_count);
	patterns_add(&out, "except", rule->excepts, rule->except_count);
	if (rule->class == PC_NETWORK)
		network_add(&out, rule);
	strings_add(&out, "name", (const char **)rule->names, rule->name_count);
	patterns_add(&out, "node", rule->nodes, rule->node_count);
	if (rule->most)
		buf_addf(&out, "most %llu\n", (unsigned long long)rule->most);
	thens_add(&out, rule);
	narrowing_add(&out, rule);
	if (out.err)
		buf_done(&out);
	return out.data;
}

/* FNV-1a and a finisher: names, not secrets; a collision is looked for below. */
static uint64_t text_hash(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ull;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ull;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 32;
}

static char *id_of(const struct rule *rule, bool whole)
{
	uint64_t h = text_hash(rule->canonical);
	struct buf out = {};

	if (whole)
		buf_addf(&out, "%s.%s.%016llx", class_table[rule->class].word, rule->word, (unsigned long long)h);
	else
		buf_addf(&out, "%s.%s.%08x", class_table[rule->class].word, rule->word, (uint32_t)(h >> 32));
	if (out.err)
		buf_done(&out);
	return out.data;
}

/* By id; of two copies of one rule the policy's own comes first, then the presets in their order (the sort is by place then). */
static int rule_order(const void *a, const void *b)
{
	const struct rule *x = *(struct rule *const *)a, *y = *(struct rule *const *)b;
	int order = strcmp(x->id, y->id);

	if (!order)
		order = strcmp(x->canonical, y->canonical);
	if (!order)
		order = !!x->preset - !!y->preset;
	if (!order)
		order = x->file != y->file ? strcmp(x->file, y->file) : 0;
	if (!order)
		order = x->line != y->line ? (x->line < y->line ? -1 : 1) : x->column < y->column ? -1 : x->column > y->column;
	return order;
}

static void rules_sort(struct policy *p)
{
	if (p->rule_count > 1)
		qsort(p->rules, p->rule_count, sizeof(p->rules[0]), rule_order);
}

static void name_all(struct policy *p, struct diags *d)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		struct rule *rule = p->rules[i];

		rule->canonical = canonical_of(rule);
		if (rule->canonical && !rule->id)
			rule->id = id_of(rule, false);
		if (!rule->canonical || !rule->id)
			d->err = -ENOMEM;
	}
}

/* Different rules whose short hashes agree get the long one: still the same whatever the order of the text. */
static bool lengthen_collisions(struct policy *p, struct diags *d)
{
	bool any = false;

	for (size_t i = 0, end; i < p->rule_count; i = end) {
		bool differ = false;

		for (end = i + 1; end < p->rule_count && !strcmp(p->rules[i]->id, p->rules[end]->id); end++)
			differ |= strcmp(p->rules[i]->canonical, p->rules[end]->canonical) != 0;
		for (size_t k = i; differ && k < end; k++) {
			char *longer = p->rules[k]->named ? NULL : id_of(p->rules[k], true);

			if (!p->rules[k]->named && !longer)
				d->err = -ENOMEM;
			if (!longer)
				continue;
			free(p->rules[k]->id);
			p->rules[k]->id = longer;
			any = true;
		}
	}
	return any;
}

static bool is_builtin_id(const char *id)
{
#define X(symbol, name, text) if (!strcmp(id, name)) return true;
	BUILTIN_RULES(X)
#undef X
	return false;
}

static void say_twice(struct diags *d, const struct rule *first, const struct rule *again)
{
	const struct rule *later = first->preset || (!again->preset && again->line >= first->line) ? again : first;
	const struct rule *earlier = later == again ? first : again;

	if (strcmp(first->canonical, again->canonical))
		diag_at(d, false, PLACE(later->file, later), CODE("id-taken") "the id \"%s\" is taken by %s:%u" HELP "give one of them another id",
			later->id, earlier->file, earlier->line);
	else
		diag_at(d, false, PLACE(later->file, later), CODE("rule-twice") "this rule stands already at %s:%u" HELP "keep one",
			earlier->file, earlier->line);
	diag_note(d, PLACE(earlier->file, earlier), "the other one");
}

/* Drop a preset's copy of a rule that is there already; everything else that has an id twice is an error. */
static void settle_twins(struct policy *p, struct diags *d)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->rule_count; i++) {
		struct rule *last = kept ? p->rules[kept - 1] : NULL, *rule = p->rules[i];

		if (last && !strcmp(last->id, rule->id)) {
			if (rule->preset && !strcmp(last->canonical, rule->canonical)) {
				rule_free(rule);
				continue;
			}
			say_twice(d, last, rule);
		}
		if (rule->named && is_builtin_id(rule->id))
			diag_at(d, false, PLACE(rule->file, rule), CODE("id-taken") "the id \"%s\" is one of Bailiff's own" HELP "give it another id",
				rule->id);
		p->rules[kept++] = rule;
	}
	p->rule_count = kept;
}

void rules_identify(struct policy *p, struct diags *d)
{
	name_all(p, d);
	if (d->err)
		return;
	rules_sort(p);
	if (lengthen_collisions(p, d))
		rules_sort(p);
	if (d->err)
		return;
	settle_twins(p, d);
	if (p->rule_count > MAX_RULES - B_COUNT)
		diag_at(d, false, (struct text_place){ .file = p->files[0] }, CODE("too-big") "%zu rules: a policy holds at most %u"
			HELP "put paths of one reason into one rule", p->rule_count, MAX_RULES - B_COUNT);
}
