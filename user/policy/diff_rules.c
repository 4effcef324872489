/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What no automaton tells apart: amounts, what follows a refusal, names and notes; and every rule that the other side has not, or has
 * otherwise, so that nothing that stands in a policy's canonical form differs unsaid.
 */
#include <stdio.h>
#include "policy/diff.h"

/* ---- settings ---- */

/* Takes was and is; NULL: not said there. */
static int setting_add(struct differ *d, bool matters, const char *what, char *was, char *is)
{
	struct diags ignored = {};
	struct policy_setting *s = vec_push(&ignored, &d->out->settings, &d->out->setting_count, sizeof(*s));

	if (!s) {
		free(was);
		free(is);
		return -ENOMEM;
	}
	*s = (struct policy_setting){ .matters = matters, .what = strdup(what), .was = was, .is = is };
	return s->what && (was || is) ? 0 : -ENOMEM;
}

static int setting_note(struct differ *d, bool matters, const char *what, const char *was, const char *is)
{
	if (!was ? !is : is && !strcmp(was, is))
		return 0;
	return setting_add(d, matters, what, was ? strdup(was) : NULL, is ? strdup(is) : NULL);
}

/* The least of a limit's rules is what holds; false: no rule has it, or its class is open. */
static bool limit_of(const struct policy *p, const char *word, uint64_t *most)
{
	bool found = false;

	for (size_t i = 0; i < p->rule_count && !(p->open & 1u << PC_LIMITS); i++) {
		const struct rule *rule = p->rules[i];

		if (rule->class != PC_LIMITS || strcmp(rule->word, word) || (found && rule->most >= *most))
			continue;
		*most = rule->most;
		found = true;
	}
	return found;
}

static int limits_note(struct differ *d)
{
	int err = 0;

	for (const char *const *word = limit_words; *word && !err; word++) {
		_buf_ struct buf what = {}, was = {}, is = {};
		uint64_t most;

		buf_addf(&what, "limits.%s", *word);
		if (limit_of(d->a, *word, &most))
			amount_print(&was, *word, most);
		if (limit_of(d->b, *word, &most))
			amount_print(&is, *word, most);
		err = what.err ? what.err : setting_note(d, true, what.data, was.data, is.data);
	}
	return err;
}

static char *refusal_text(const struct refusal *r)
{
	struct buf out = {};

	buf_addf(&out, "%s: %s%s%s", r->match, refusal_do_words[r->action], r->alert >= 0 ? ", alert " : "", r->alert >= 0 ? alert_words[r->alert] : "");
	return out.err ? NULL : out.data;
}

static bool refusal_equal(const struct refusal *x, const struct refusal *y)
{
	return !strcmp(x->match, y->match) && x->action == y->action && x->alert == y->alert;
}

static const struct refusal *refusal_find(const struct policy *p, const struct refusal *wanted)
{
	for (size_t i = 0; i < p->refusal_count; i++) {
		if (refusal_equal(&p->refusals[i], wanted))
			return &p->refusals[i];
	}
	return NULL;
}

/* The first that matches holds: those that both have may come in another order. */
static int refusals_reordered(struct differ *d)
{
	const struct policy *sides[] = { d->a, d->b };
	struct buf order[2] = {};
	int err = 0;

	for (int i = 0; i < 2; i++) {
		for (size_t k = 0; k < sides[i]->refusal_count; k++) {
			if (refusal_find(sides[!i], &sides[i]->refusals[k]))
				buf_addf(&order[i], "%s%s", order[i].len ? ", " : "", sides[i]->refusals[k].match);
		}
		err = err ? err : order[i].err;
	}
	if (!err)
		err = setting_note(d, true, "the order of on_refusal", order[0].data, order[1].data);
	buf_done(&order[0]);
	buf_done(&order[1]);
	return err;
}

static int refusals_note(struct differ *d)
{
	int err = 0;

	for (size_t i = 0; i < d->a->refusal_count && !err; i++) {
		if (!refusal_find(d->b, &d->a->refusals[i]))
			err = setting_add(d, true, "on_refusal", refusal_text(&d->a->refusals[i]), NULL);
	}
	for (size_t i = 0; i < d->b->refusal_count && !err; i++) {
		if (!refusal_find(d->a, &d->b->refusals[i]))
			err = setting_add(d, true, "on_refusal", NULL, refusal_text(&d->b->refusals[i]));
	}
	return err ? err : refusals_reordered(d);
}

static const char *param_type_of(const struct policy *p, const char *name)
{
	static const char *const words[PARAM_TYPES] = { [PARAM_PATH] = "path", [PARAM_TO] = "to" };

	for (size_t i = 0; i < p->param_count; i++) {
		if (!strcmp(p->params[i].name, name))
			return words[p->params[i].type];
	}
	return NULL;
}

/* What the starter has to give; what the values mean stands in the rules. */
static int params_note(struct differ *d)
{
	const struct policy *sides[] = { d->a, d->b };
	int err = 0;

	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < sides[side]->param_count && !err; i++) {
			const char *name = sides[side]->params[i].name;
			_buf_ struct buf what = {};

			if (side && param_type_of(d->a, name))
				continue;
			buf_addf(&what, "params.%s", name);
			err = what.err ? what.err : setting_note(d, false, what.data, param_type_of(d->a, name), param_type_of(d->b, name));
		}
	}
	return err;
}

int diff_settings(struct differ *d)
{
	const struct policy *a = d->a, *b = d->b;
	int err = setting_note(d, false, "policy", a->name, b->name);

	if (!err)
		err = setting_note(d, false, "owner", a->owner, b->owner);
	if (!err)
		err = params_note(d);
	if (!err)
		err = setting_note(d, true, "files.metadata", a->metadata_strict ? "strict" : NULL, b->metadata_strict ? "strict" : NULL);
	if (!err)
		err = setting_note(d, true, "session.workspace", a->workspace ? workspace_words[a->workspace] : NULL,
				   b->workspace ? workspace_words[b->workspace] : NULL);
	if (!err)
		err = limits_note(d);
	return err ? err : refusals_note(d);
}

/* ---- rules ---- */

/* Does the decision of actions leave out something that this rule says? */
static bool is_undecided(const struct rule *rule)
{
	return rule->class == PC_LABELS || rule->by_count || rule->until_s || rule->effect || rule->record_required || rule->domain_count ||
	       rule->same_sandbox || rule->tls_off;
}

static bool texts_equal(const char *x, const char *y)
{
	return !x ? !y : y && !strcmp(x, y);
}

/* Bits of what the two say differently; they have one id. */
static int rules_compare(const struct differ *d, const struct rule *x, const struct rule *y, uint32_t *out)
{
	_buf_ struct buf was = {}, is = {}, was_narrowed = {}, is_narrowed = {};

	rule_matter_print(&was, d->a, x);
	rule_matter_print(&is, d->b, y);
	rule_narrowing_print(&was_narrowed, x);
	rule_narrowing_print(&is_narrowed, y);
	if (was.err || is.err || was_narrowed.err || is_narrowed.err)
		return -ENOMEM;
	*out = (texts_equal(was.data, is.data) ? 0 : 1u << RULE_SAYS_WHAT) |
	       (texts_equal(was_narrowed.data, is_narrowed.data) ? 0 : 1u << RULE_SAYS_NARROWING) |
	       (x->accepted == y->accepted ? 0 : 1u << RULE_SAYS_ACCEPT) | (texts_equal(x->why, y->why) ? 0 : 1u << RULE_SAYS_WHY) |
	       (texts_equal(x->owner, y->owner) ? 0 : 1u << RULE_SAYS_OWNER) | (texts_equal(x->ticket, y->ticket) ? 0 : 1u << RULE_SAYS_TICKET);
	return 0;
}

static int rule_note(struct differ *d, uint32_t was, uint32_t is)
{
	const struct rule *x = was == RULE_NONE ? NULL : d->a->rules[was], *y = is == RULE_NONE ? NULL : d->b->rules[is];
	struct policy_rule_change change = { .was = was, .is = is, .changed = 1u << RULE_SAYS_WHAT }, *place;
	struct diags ignored = {};
	int err = x && y ? rules_compare(d, x, y, &change.changed) : 0;

	if (err || !change.changed)
		return err;
	change.decided = !(change.changed & (1u << RULE_SAYS_WHAT | 1u << RULE_SAYS_NARROWING)) || !((x && is_undecided(x)) || (y && is_undecided(y)));
	place = vec_push(&ignored, &d->out->rules, &d->out->rule_count, sizeof(*place));
	if (place)
		*place = change;
	return place ? 0 : -ENOMEM;
}

/* Both lists are in the order of ids. */
int diff_rules(struct differ *d)
{
	uint32_t i = 0, k = 0;
	int err = 0;

	while ((i < d->a->rule_count || k < d->b->rule_count) && !err) {
		int order = i == d->a->rule_count ? 1 : k == d->b->rule_count ? -1 : strcmp(d->a->rules[i]->id, d->b->rules[k]->id);

		err = rule_note(d, order <= 0 ? i : RULE_NONE, order >= 0 ? k : RULE_NONE);
		i += order <= 0;
		k += order >= 0;
	}
	return err;
}
