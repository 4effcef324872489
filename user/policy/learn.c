/* SPDX-License-Identifier: Apache-2.0 */
/* Observations and their evidence: taken in, and one of each kept. */
#include <stdio.h>
#include "policy/learn_parts.h"

static const char never_text[] = "version: 1\npolicy: never\nuses: [base]\n";

int learn_new(const struct policy *base, struct learn **out)
{
	struct learn *l = calloc(1, sizeof(*l));
	struct policy_source source = { .text = never_text, .len = sizeof(never_text) - 1, .file = "never", .only_check = true };
	struct diags diags = {};
	int err = l ? policy_load(&source, &l->never, &diags) : -ENOMEM;

	diags_done(&diags);
	if (err) {
		free(l);
		return err;
	}
	l->base = base;
	*out = l;
	return 0;
}

/* What the last round made; the next one makes it anew. */
void rules_drop(struct learn *l)
{
	for (size_t i = 0; i < l->rule_count; i++) {
		for (size_t k = 0; k < l->rules[i]->pattern_count; k++)
			free(l->rules[i]->patterns[k]);
		free(l->rules[i]->patterns);
		free(l->rules[i]->peer);
		free(l->rules[i]);
	}
	l->rule_count = 0;
}

void learn_free(struct learn *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->program_count; i++)
		free(l->programs[i]);
	for (size_t i = 0; i < l->place_count; i++)
		free(l->places[i].path);
	for (size_t i = 0; i < l->renaming_count; i++) {
		free(l->renamings[i].from);
		free(l->renamings[i].to);
	}
	for (size_t i = 0; i < l->remark_count; i++) {
		free(l->remarks[i].text);
		free(l->remarks[i].reason);
	}
	rules_drop(l);
	free(l->programs);
	free(l->places);
	free(l->renamings);
	free(l->peers);
	free(l->remarks);
	free(l->rules);
	policy_free(l->never);
	diags_done(&l->d);
	free(l);
}

/* ---- evidence ---- */

void evidence_merge(struct evidence *to, const struct evidence *from)
{
	to->count += from->count;
	to->things += from->things;
	to->programs |= from->programs;
	if (from->first_ms && (!to->first_ms || from->first_ms < to->first_ms))
		to->first_ms = from->first_ms;
	if (from->last_ms > to->last_ms)
		to->last_ms = from->last_ms;
	for (unsigned i = 0; i < from->uid_count && to->uid_count < LEARN_UIDS; i++) {
		if (!to->uid_count || strcmp(to->uids[0], from->uids[i]))
			memcpy(to->uids[to->uid_count++], from->uids[i], sizeof(to->uids[0]));
	}
}

static uint64_t program_bit(struct learn *l, const char *name)
{
	char **slot;
	size_t i = 0;

	while (i < l->program_count && strcmp(l->programs[i], name))
		i++;
	if (i < l->program_count || i == LEARN_PROGRAMS)
		return 1ull << i;
	slot = vec_push(&l->d, &l->programs, &l->program_count, sizeof(*slot));
	if (!slot)
		return 0;
	*slot = diag_strdup(&l->d, name);
	if (!*slot)
		l->program_count--;
	return 1ull << i;
}

static struct evidence evidence_of(struct learn *l, const struct learn_seen *s)
{
	struct evidence e = { .count = s->count ? s->count : 1, .first_ms = s->first_ms, .last_ms = s->last_ms, .things = 1 };

	if (s->program)
		e.programs = program_bit(l, s->program);
	if (s->uid) {
		snprintf(e.uids[0], sizeof(e.uids[0]), "%s", s->uid);
		e.uid_count = 1;
	}
	return e;
}

void learn_remark(struct learn *l, bool covered, const struct evidence *e, const char *text, const char *reason)
{
	struct remark *r;

	for (size_t i = 0; i < l->remark_count; i++) {
		r = &l->remarks[i];
		if (r->covered == covered && !strcmp(r->text, text) && !strcmp(r->reason, reason)) {
			evidence_merge(&r->e, e);
			return;
		}
	}
	r = vec_push(&l->d, &l->remarks, &l->remark_count, sizeof(*r));
	if (!r)
		return;
	*r = (struct remark){ .text = diag_strdup(&l->d, text), .reason = diag_strdup(&l->d, reason), .covered = covered, .e = *e };
	if (!r->text || !r->reason) {
		free(r->text);
		free(r->reason);
		l->remark_count--;
	}
}

/* ---- taking in ---- */

static char *bytes_dup(struct learn *l, const char *p, size_t n)
{
	char *copy = malloc(n + 1);

	if (!copy) {
		l->d.err = -ENOMEM;
		return NULL;
	}
	memcpy(copy, p, n);
	copy[n] = '\0';
	return copy;
}

static void place_add(struct learn *l, const char *path, size_t len, uint32_t verbs, uint32_t later, bool directory, const struct evidence *e)
{
	struct place *p = vec_push(&l->d, &l->places, &l->place_count, sizeof(*p));

	if (!p)
		return;
	*p = (struct place){ .path = bytes_dup(l, path, len), .len = len, .order = l->place_count, .verbs = verbs, .later = later, .directory = directory };
	for (unsigned v = 0; v < VERB_PATH_COUNT; v++)
		p->e[v] = verbs & 1u << v ? *e : (struct evidence){};
	if (!p->path)
		l->place_count--;
}

static void renaming_add(struct learn *l, const struct learn_seen *s)
{
	struct renaming *r = vec_push(&l->d, &l->renamings, &l->renaming_count, sizeof(*r));

	if (!r)
		return;
	*r = (struct renaming){ bytes_dup(l, s->path, s->path_len), bytes_dup(l, s->path2, s->path2_len), s->path_len, s->path2_len, s->directory, false };
}

static void peer_add(struct learn *l, const struct learn_seen *s, const struct evidence *e)
{
	struct peer *p = vec_push(&l->d, &l->peers, &l->peer_count, sizeof(*p));

	if (!p)
		return;
	*p = (struct peer){ .proto = s->proto, .port = s->port, .listens = s->listens, .order = l->peer_count, .e = *e };
	memcpy(p->addr, s->addr, sizeof(p->addr));
}

int learn_add(struct learn *l, const struct learn_seen *s)
{
	struct evidence e = evidence_of(l, s);

	if (s->path && path_is_clean(s->path, s->path_len) && s->verbs) {
		place_add(l, s->path, s->path_len, s->verbs, s->makes ? 1u << VERB_READ | 1u << VERB_CHANGE : 0, s->directory, &e);
		if (s->path2 && path_is_clean(s->path2, s->path2_len) && s->verbs2) {
			place_add(l, s->path2, s->path2_len, s->verbs2, s->verbs & 1u << VERB_REMOVE ? 1u << VERB_REMOVE : 0, s->directory, &e);
			renaming_add(l, s);
		}
	} else if (s->network) {
		peer_add(l, s, &e);
	} else {
		learn_remark(l, false, &e, s->what ? s->what : "something that the record does not name", s->rule ? s->rule : "no policy opens it");
	}
	return l->d.err;
}

/* ---- one of each ---- */

int place_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	int order = memcmp(x->path, y->path, x->len < y->len ? x->len : y->len);

	if (!order)
		order = x->len != y->len ? (x->len < y->len ? -1 : 1) : 0;
	return order ? order : (x->order < y->order ? -1 : 1);
}

void places_unite(struct learn *l)
{
	size_t kept = 0;

	if (l->place_count)
		qsort(l->places, l->place_count, sizeof(*l->places), place_order);
	for (size_t i = 0; i < l->place_count; i++) {
		struct place *p = &l->places[i], *last = kept ? &l->places[kept - 1] : NULL;

		if (!last || last->len != p->len || memcmp(last->path, p->path, p->len)) {
			l->places[kept++] = *p;
			continue;
		}
		last->verbs |= p->verbs;
		last->later |= p->later;
		last->directory |= p->directory;
		for (unsigned v = 0; v < VERB_PATH_COUNT; v++) {
			evidence_merge(&last->e[v], &p->e[v]);
			last->e[v].things = last->e[v].count > 0;
		}
		free(p->path);
	}
	l->place_count = kept;
}

static int peer_order(const void *a, const void *b)
{
	const struct peer *x = a, *y = b;
	int order = x->listens - y->listens;

	order = order ? order : x->proto - y->proto;
	order = order ? order : memcmp(x->addr, y->addr, sizeof(x->addr));
	order = order ? order : x->port - y->port;
	return order ? order : (x->order < y->order ? -1 : 1);
}

void peers_unite(struct learn *l)
{
	size_t kept = 0;

	if (l->peer_count)
		qsort(l->peers, l->peer_count, sizeof(*l->peers), peer_order);
	for (size_t i = 0; i < l->peer_count; i++) {
		struct peer *p = &l->peers[i], *last = kept ? &l->peers[kept - 1] : NULL;

		if (!last || last->listens != p->listens || last->proto != p->proto || last->port != p->port || memcmp(last->addr, p->addr, sizeof(p->addr))) {
			l->peers[kept++] = *p;
			continue;
		}
		evidence_merge(&last->e, &p->e);
		last->e.things = 1;
	}
	l->peer_count = kept;
}
