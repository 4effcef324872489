/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that end (`until`). What is in force between two ends is a policy of its own, compiled as such: the kernel changes from one image to the next
 * by its clock. An allow that has ended allows nothing; a deny goes on, for time alone opens nothing.
 */
#include "policy/compile.h"

/* Does its end change what is allowed? */
static bool is_ending(const struct rule *rule)
{
	return rule->until_s && !rule->deny;
}

static bool is_over(const struct rule *rule, int64_t at_s)
{
	return is_ending(rule) && at_s >= rule->until_s;
}

/* ---- the policy as it is at a time ---- */

struct view {
	struct policy p;
	struct rule *over;	/* stand in for those that have ended: the numbers of the others stay */
};

static void view_done(struct view *v)
{
	free(v->p.rules);
	free(v->over);
}

static bool view_make(const struct policy *p, int64_t at_s, struct view *out)
{
	out->p = *p;
	out->p.rules = calloc(p->rule_count + 1, sizeof(*out->p.rules));
	out->over = calloc(p->rule_count + 1, sizeof(*out->over));
	if (!out->p.rules || !out->over)
		return false;
	out->p.io_uring = false;
	for (size_t i = 0; i < p->rule_count; i++) {
		struct rule *rule = p->rules[i];

		out->p.rules[i] = rule;
		if (is_over(rule, at_s)) {
			out->over[i] = *rule;
			out->over[i].path_count = out->over[i].range_count = out->over[i].name_count = 0;
			out->p.rules[i] = &out->over[i];
		}
		for (size_t k = 0; k < out->p.rules[i]->name_count; k++)
			out->p.io_uring |= rule->class == PC_CALLS && !rule->deny && !strcmp(rule->names[k], "@io_uring");
	}
	return true;
}

/* ---- the times ---- */

struct end {
	int64_t at_s;
	const struct rule *rule;	/* that ends then */
};

static int end_order(const void *a, const void *b)
{
	const struct end *x = a, *y = b;

	return x->at_s < y->at_s ? -1 : x->at_s > y->at_s;
}

/* Sorted, each once; out has room for all rules. */
static size_t ends_collect(const struct policy *p, struct end *out)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < p->rule_count; i++) {
		if (is_ending(p->rules[i]))
			out[n++] = (struct end){ p->rules[i]->until_s, p->rules[i] };
	}
	qsort(out, n, sizeof(*out), end_order);
	for (size_t i = 0; i < n; i++) {
		if (!kept || out[kept - 1].at_s != out[i].at_s)
			out[kept++] = out[i];
	}
	return kept;
}

int64_t policy_next_end(const struct policy *p, int64_t after_s)
{
	int64_t next = 0;

	for (size_t i = 0; i < p->rule_count; i++) {
		int64_t at_s = p->rules[i]->until_s;

		if (at_s > after_s && (!next || at_s < next))
			next = at_s;
	}
	return next;
}

int64_t policy_rule_end(const struct policy *p, uint32_t rule)
{
	return rule < p->rule_count ? p->rules[rule]->until_s : 0;
}

/* ---- the images ---- */

static int too_many(const struct policy *p, const struct rule *rule, struct diags *d)
{
	diag_at(d, false, PLACE(rule->file, rule), CODE("too-big") "rules of this policy end at more than %d different times"
		HELP "let rules end together, at the end of the same day", ENDS_MAX);
	policy_quote(p, d);
	return -E2BIG;
}

static int too_big(const struct policy *p, const struct end *end, struct diags *d)
{
	diag_at(d, false, PLACE(end->rule->file, end->rule), CODE("too-big") "the compiled policy is larger than %u MiB, once for each time at which rules end"
		HELP "let rules end together, or write fewer of them", IMAGE_WORDS_MAX >> 18);
	policy_quote(p, d);
	return -E2BIG;
}

/* What is in force from one end to the next. */
static int stretch_compile(const struct policy *p, int64_t from_s, struct policy_image *out, struct diags *d)
{
	_cleanup_(view_done) struct view v = {};

	if (!view_make(p, from_s, &v))
		return d->err = -ENOMEM;
	return compile_image(&v.p, out, d);
}

static int stretches_compile(const struct policy *p, const struct end *ends, size_t count, struct policy_image *first, struct diags *d)
{
	struct policy_image *last = first;
	size_t words = first->count;

	for (size_t i = 0; i < count; i++) {
		int err;

		last->end_s = ends[i].at_s;
		last->next = calloc(1, sizeof(*last->next));
		if (!last->next)
			return d->err = -ENOMEM;
		last = last->next;
		err = stretch_compile(p, ends[i].at_s, last, d);
		if (err)
			return err;
		words += last->count;
		if (words > IMAGE_WORDS_MAX)
			return too_big(p, &ends[i], d);
	}
	return 0;
}

int policy_compile(const struct policy *p, struct policy_image *out, struct diags *d)
{
	_free_ struct end *ends = calloc(p->rule_count + 1, sizeof(*ends));
	struct policy_image first = {};
	size_t count;
	int err;

	if (!ends)
		return d->err = -ENOMEM;
	count = ends_collect(p, ends);
	if (count > ENDS_MAX)
		return too_many(p, ends[ENDS_MAX].rule, d);
	err = compile_image(p, &first, d);
	if (!err)
		err = stretches_compile(p, ends, count, &first, d);
	if (err) {
		policy_image_done(&first);
		return err;
	}
	*out = first;
	return 0;
}

static void one_done(struct policy_image *img)
{
	free(img->words);
	free(img->anchors);
	free(img->texts);
	free(img->hint);
}

void policy_image_done(struct policy_image *img)
{
	struct policy_image *next = img->next;

	one_done(img);
	*img = (struct policy_image){};
	while (next) {
		struct policy_image *one = next;

		next = one->next;
		one_done(one);
		free(one);
	}
}

const struct policy_image *policy_image_at(const struct policy_image *img, int64_t at_s)
{
	while (img->next && at_s >= img->end_s)
		img = img->next;
	return img;
}

size_t policy_image_words(const struct policy_image *img)
{
	size_t words = 0;

	for (; img; img = img->next)
		words += img->count;
	return words;
}
