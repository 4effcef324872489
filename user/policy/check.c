/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doubts about a policy that reads well: classes left to chance, allows that a deny makes dead, sockets of programs that act for
 * others, contradictions. Every finding here is certain; where a pattern is too general to say, nothing is said.
 */
#include <stdio.h>
#include "policy/model.h"

/* ---- classes ---- */

/* Classes that a policy neither rules nor leaves open, and that nobody enforces. */
static void missing_check(const struct policy *p, bool only_check, struct diags *d)
{
	_buf_ struct buf missing = {};
	struct text_place at = p->open_at;
	size_t count = 0;

	for (int i = 0; i < PC_COUNT; i++) {
		if (!class_table[i].built && !((p->open | p->named) & 1u << i))
			buf_addf(&missing, "%s%s", count++ ? ", " : "", class_table[i].word);
	}
	at.file = p->files[0];
	if (count == 1)
		diag_at(d, only_check, at, CODE("class-not-enforced") "class %s is not enforced yet, and the policy does not say so"
			HELP "add it to open: [%s]", missing.data, missing.data);
	else if (count)
		diag_at(d, only_check, at, CODE("class-not-enforced") "classes %s are not enforced yet, and the policy does not say so"
			HELP "add them to open: [%s]", missing.data, missing.data);
}

/* A class that the policy itself rules has to be in its own `open:`, not only in a preset's: its author then knows. */
static void classes_check(const struct policy *p, bool only_check, struct diags *d)
{
	missing_check(p, only_check, d);
	for (int i = 0; i < PC_COUNT; i++) {
		const char *word = class_table[i].word;
		struct text_place at = { p->files[0], p->class_line[i], 1, p->class_line[i], 1 + (unsigned)strlen(word) };

		if (class_table[i].built || !(p->named & 1u << i))
			continue;
		if (p->own_open & 1u << i)
			diag_at(d, true, at, CODE("class-not-enforced") "class %s is not enforced yet: its rules hold nothing"
				HELP "open: lists it, so the policy runs without them", word);
		else
			diag_at(d, only_check, at, CODE("class-not-enforced") "class %s is not enforced yet"
				HELP "remove its rules, or list it in this policy's open: to run without them", word);
	}
}

bool allow_is_idle(const struct rule *rule, uint32_t open)
{
	return !rule->deny && class_table[rule->class].built && rule->class != PC_CALLS && open & 1u << rule->class;
}

static void open_check(const struct policy *p, struct diags *d)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];

		if (!rule->preset && allow_is_idle(rule, p->own_open))
			diag_at(d, false, PLACE(rule->file, rule), CODE("open-and-allow") "an allow in a class that open: lists changes nothing"
				HELP "remove it, or %s from open:", class_table[rule->class].word);
	}
}

/* ---- allows that are dead: paths ---- */

/* Denies without `except`, by what they are: literal paths, sorted; the rest one by one. */
struct deny_path {
	char *literal;		/* NULL: a pattern */
	const char *text;
	const struct rule *rule;	/* NULL: one of Bailiff's own places */
	uint32_t verbs;
};
struct denies {
	struct deny_path *literals, *patterns;
	size_t literal_count, pattern_count;
};

static void denies_done(struct denies *all)
{
	for (size_t i = 0; i < all->literal_count; i++)
		free(all->literals[i].literal);
	free(all->literals);
	free(all->patterns);
}

static void deny_add(struct denies *all, struct diags *d, const char *text, const struct rule *rule, uint32_t verbs)
{
	struct deny_path *place;
	char *literal = calloc(1, strlen(text) + 2);
	size_t len = 0;
	bool whole = literal && pattern_literal(text, literal, &len);

	if (whole)
		place = vec_push(d, &all->literals, &all->literal_count, sizeof(*place));
	else
		place = vec_push(d, &all->patterns, &all->pattern_count, sizeof(*place));
	if (!whole || !place)
		free(literal);
	if (place)
		*place = (struct deny_path){ whole ? literal : NULL, text, rule, verbs };
	if (!literal)
		d->err = -ENOMEM;
}

static int deny_order(const void *a, const void *b)
{
	return strcmp(((const struct deny_path *)a)->literal, ((const struct deny_path *)b)->literal);
}

static void deny_ends_check(const struct policy *p, struct diags *d)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];

		if (rule->deny && rule->until_s && rule->until_at.file)
			diag_at(d, true, rule->until_at, CODE("deny-until") "time alone opens nothing: this deny goes on after its \"until\""
				HELP "from then on the policy is an error until somebody removes the deny or renews it");
	}
}

/* For everybody: what another deny refuses may yet be allowed. Its `until` ends no deny. */
static bool is_lasting_deny(const struct rule *rule)
{
	return rule->deny && !rule->by_count;
}

static void denies_collect(const struct policy *p, struct denies *all, struct diags *d)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];

		for (size_t k = 0; is_lasting_deny(rule) && !rule->except_count && k < rule->path_count; k++)
			deny_add(all, d, rule->paths[k].text, rule, rule->verbs);
	}
	for (size_t i = 0; i < p->own_count; i++)
		deny_add(all, d, p->own[i].path, NULL, p->own[i].verbs);	/* no wildcards in these: own.c and path_is_clean */
	if (all->literal_count)
		qsort(all->literals, all->literal_count, sizeof(all->literals[0]), deny_order);
}

/* The verbs that literal denies at exactly this path take away; *by: one of them. */
static uint32_t literals_at(const struct denies *all, const char *path, const struct rule **by)
{
	struct deny_path key = { .literal = (char *)path };
	uint32_t verbs = 0;
	size_t low = 0, high = all->literal_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (deny_order(&all->literals[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < all->literal_count && !strcmp(all->literals[low].literal, path); low++) {
		verbs |= all->literals[low].verbs;
		*by = all->literals[low].rule;
	}
	return verbs;
}

/* The verbs denied at a path and everywhere below. */
static uint32_t verbs_denied(const struct denies *all, char *path, size_t len, const struct rule **by)
{
	uint32_t verbs = literals_at(all, "/", by);

	for (size_t i = 1; i <= len && len > 1; i++) {
		char saved = path[i];

		if (i < len && saved != '/')
			continue;
		path[i] = '\0';
		verbs |= literals_at(all, path, by);
		path[i] = saved;
	}
	for (size_t i = 0; i < all->pattern_count; i++) {
		if (!path_matches(all->patterns[i].text, path, len))
			continue;
		verbs |= all->patterns[i].verbs;
		*by = all->patterns[i].rule;
	}
	return verbs;
}

static void say_dead(struct diags *d, const struct rule *rule, const struct rule *by)
{
	if (by) {
		diag_at(d, false, PLACE(rule->file, rule), CODE("dead-allow") "this allow is dead: the deny at %s:%u (%s) refuses all of it" HELP "%s",
			by->file, by->line, by->id, by->preset ? "remove it: a preset's deny cannot be lifted" : "remove it, or narrow the deny");
		diag_note(d, PLACE(by->file, by), "this deny");
		return;
	}
	diag_at(d, false, PLACE(rule->file, rule), CODE("dead-allow") "this allow is dead: the path is Bailiff's own and always refused (guard.self)"
		HELP "remove it");
}

static void dead_path_check(const struct rule *rule, const struct denies *all, struct diags *d)
{
	const struct rule *by = NULL;

	for (size_t i = 0; i < rule->path_count; i++) {
		_free_ char *path = calloc(1, strlen(rule->paths[i].text) + 2);
		size_t len;

		if (!path) {
			d->err = -ENOMEM;
			return;
		}
		(void)pattern_literal(rule->paths[i].text, path, &len);
		path[len] = '\0';
		if (rule->verbs & ~verbs_denied(all, path, len, &by))
			return;
	}
	say_dead(d, rule, by);
}

static void dead_paths_check(const struct policy *p, struct diags *d)
{
	_cleanup_(denies_done) struct denies all = {};

	denies_collect(p, &all, d);
	for (size_t i = 0; i < p->rule_count && !d->err; i++) {
		if (!p->rules[i]->deny && p->rules[i]->path_count && !p->rules[i]->preset)
			dead_path_check(p->rules[i], &all, d);
	}
}

/* ---- allows that are dead: addresses ---- */

bool ports_cover(const struct rule *deny, const struct rule *allow)
{
	size_t k = 0;

	if (!deny->port_count || !allow->port_count)
		return !deny->port_count;
	for (size_t i = 0; i < allow->port_count; i++) {
		while (k < deny->port_count && deny->ports[k].last < allow->ports[i].first)
			k++;
		if (k == deny->port_count || deny->ports[k].first > allow->ports[i].first || deny->ports[k].last < allow->ports[i].last)
			return false;
	}
	return true;
}

static const struct rule *range_dead(const struct policy *p, const struct rule *allow, const struct addr_range *range)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *deny = p->rules[i];

		for (size_t k = 0; is_lasting_deny(deny) && k < deny->range_count; k++) {
			const struct addr_range *r = &deny->ranges[k];

			if (r->v6 == range->v6 && r->first <= range->first && r->last >= range->last &&
			    !(allow->protos & ~deny->protos) && ports_cover(deny, allow))
				return deny;
		}
	}
	return NULL;
}

static void dead_addresses_check(const struct policy *p, struct diags *d)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i], *by = NULL;
		bool dead = !rule->deny && rule->range_count && !rule->domain_count && !rule->same_sandbox && !rule->preset;

		for (size_t k = 0; dead && k < rule->range_count; k++) {
			by = range_dead(p, rule, &rule->ranges[k]);
			dead = by;
		}
		if (dead)
			say_dead(d, rule, by);
	}
}

/* ---- sockets of programs that act for whoever asks ---- */

static const char *const deputies[] = {
	"/run/docker.sock", "/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/crio/crio.sock",
	"/run/buildkit/buildkitd.sock", "/run/libvirt/libvirt-sock", "/run/snapd.socket", "/var/lib/lxd/unix.socket",
	"/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/io.system.ManagedOOM",
	"/run/user/0/bus", "/run/user/1000/bus", "/run/user/1000/systemd/private", "/run/user/1000/docker.sock",
	"/run/user/1000/podman/podman.sock", "/tmp/.X11-unix/X0",
};

static void deputies_check(const struct rule *rule, struct diags *d)
{
	for (size_t i = 0; i < rule->path_count * ARRAY_SIZE(deputies); i++) {
		const char *deputy = deputies[i % ARRAY_SIZE(deputies)];

		if (!path_matches(rule->paths[i / ARRAY_SIZE(deputies)].text, deputy, strlen(deputy)))
			continue;
		diag_at(d, false, PLACE(rule->file, rule), CODE("deputy") "this reaches %s, whose owner acts for whoever asks"
			HELP "write {path: ..., i_accept: host-control}, or a narrower path", deputy);
		return;
	}
}

/* ---- the rest ---- */

static void spelling_check(const struct rule *rule, struct diags *d)
{
	for (size_t i = 0; i < rule->path_count; i++) {
		const char *text = rule->paths[i].text;

		if (!strncmp(text, "/var/run/", 9) || !strcmp(text, "/var/run"))
			diag_at(d, true, PLACE(rule->file, rule), CODE("var-run") "/var/run is a link to /run on most systems, and paths are judged "
				"behind links" HELP "write /run");
	}
}

void policy_check(struct policy *p, bool only_check, struct diags *d)
{
	classes_check(p, only_check, d);
	open_check(p, d);
	names_check(p, d);
	deny_ends_check(p, d);
	dead_paths_check(p, d);
	dead_addresses_check(p, d);
	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i]->class == PC_SOCKETS && !p->rules[i]->accepted)
			deputies_check(p->rules[i], d);
		if (!p->rules[i]->preset)
			spelling_check(p->rules[i], d);
	}
	for (size_t i = 0; i < p->param_count; i++) {
		if (!p->params[i].used)
			diag_at(d, true, PLACE(p->files[0], &p->params[i]), CODE("unused-param") "parameter %s is never used" HELP "remove it",
				p->params[i].name);
	}
}
