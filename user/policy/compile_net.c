/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and ports to tables: a sweep over the places where any range begins or ends. Between two of them the same rules
 * hold, and their port tables are made once for each distinct combination.
 */
#include "policy/dfa.h"

struct span {
	addr_num first, last;
	uint32_t rule;
};
struct sweep {
	struct compiler *c;
	struct net_image *out;
	struct span *spans;
	size_t span_count;
	addr_num *points;
	size_t point_count;
	struct list active;	/* numbers of spans */
};

void net_image_done(struct net_image *n)
{
	free(n->v4.first);
	free(n->v4.set);
	free(n->v6.first);
	free(n->v6.set);
	intern_done(&n->sets);
	intern_done(&n->tables);
}

static void sweep_done(struct sweep *s)
{
	free(s->spans);
	free(s->points);
	list_done(&s->active);
}

/* ---- ports ---- */

/* The planes of abi.h: protocol, and connect or listen. */
static bool rule_in_plane(const struct rule *rule, int plane)
{
	uint32_t proto = plane & 1 ? PROTO_UDP : PROTO_TCP;
	uint32_t verb = plane & 2 ? 1u << VERB_LISTEN : 1u << VERB_CONNECT;

	return rule->protos & proto && rule->verbs & verb;
}

static int port_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static bool ports_points(struct compiler *c, const struct list *rules, struct list *points)
{
	bool good = list_add(c, points, 0);

	for (size_t i = 0; i < rules->count && good; i++) {
		const struct rule *rule = c->p->rules[rules->items[i]];

		for (size_t k = 0; k < rule->port_count && good; k++) {
			good = list_add(c, points, rule->ports[k].first);
			if (good && rule->ports[k].last < 65535)
				good = list_add(c, points, rule->ports[k].last + 1u);
		}
	}
	if (good)
		qsort(points->items, points->count, sizeof(points->items[0]), port_order);
	return good;
}

static bool port_ruled(const struct rule *rule, uint32_t port)
{
	size_t low = 0, high = rule->port_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rule->ports[middle].last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return !rule->port_count || (low < rule->port_count && rule->ports[low].first <= port);
}

static uint32_t port_cell(struct compiler *c, const struct list *rules, uint32_t port)
{
	uint32_t deny = RULE_NONE, allow = RULE_NONE;

	for (size_t i = 0; i < rules->count; i++) {
		uint32_t number = rules->items[i];
		const struct rule *rule = c->p->rules[number];
		uint32_t *cell = rule->deny ? &deny : &allow;

		if (!port_ruled(rule, port))
			continue;
		if (number < *cell)
			*cell = number;
		if (!rule->deny && rule->record_required && deny == RULE_NONE)
			deny = RULE_RECORD;
	}
	return deny << 16 | allow;
}

/* The table of the rules that hold at an address, in one plane: ranges that say the same are joined. */
static bool table_make(struct sweep *s, const struct list *rules, uint32_t *out)
{
	_cleanup_(list_done) struct list points = {}, table = {};
	uint32_t cell;

	if (!ports_points(s->c, rules, &points))
		return false;
	for (size_t i = 0; i < points.count; i++) {
		if (i && points.items[i] == points.items[i - 1])
			continue;
		cell = port_cell(s->c, rules, points.items[i]);
		if (table.count && table.items[table.count - 1] == cell)
			continue;
		if (!list_add(s->c, &table, points.items[i]) || !list_add(s->c, &table, cell))
			return false;
	}
	if (intern_add(&s->out->tables, table.items, table.count * sizeof(uint32_t), out))
		return compile_fail(s->c, -ENOMEM);
	return true;
}

/* ---- sets ---- */

static bool plane_make(struct sweep *s, const struct list *spans, int plane, uint32_t *out)
{
	_cleanup_(list_done) struct list rules = {};
	bool good = true;

	for (size_t i = 0; i < spans->count && good; i++) {
		uint32_t number = s->spans[spans->items[i]].rule;

		if (rule_in_plane(s->c->p->rules[number], plane))
			good = list_add(s->c, &rules, number);
	}
	return good && table_make(s, &rules, out);
}

static bool set_make(struct sweep *s, const struct list *connect, const struct list *listen, uint32_t *out)
{
	uint32_t planes[4];

	for (int plane = 0; plane < 4; plane++) {
		if (!plane_make(s, plane & 2 ? listen : connect, plane, &planes[plane]))
			return false;
	}
	if (intern_add(&s->out->sets, planes, sizeof(planes), out))
		return compile_fail(s->c, -ENOMEM);
	return true;
}

/* To connect to "any address" is to connect to this host: judged as loopback. To listen on it is a thing of its own. */
static bool set_make_any(struct sweep *s, bool v6, uint32_t *out)
{
	_cleanup_(list_done) struct list loopback = {};
	addr_num self = v6 ? 1 : 0x7f000001;

	for (uint32_t i = 0; i < s->span_count; i++) {
		if (s->spans[i].first <= self && s->spans[i].last >= self && !list_add(s->c, &loopback, i))
			return false;
	}
	return set_make(s, &loopback, &s->active, out);
}

/* ---- the sweep ---- */

static bool spans_collect(struct sweep *s, bool v6)
{
	const struct policy *p = s->c->p;

	for (uint32_t i = 0; i < p->rule_count; i++) {
		for (size_t k = 0; k < p->rules[i]->range_count; k++) {
			const struct addr_range *range = &p->rules[i]->ranges[k];
			struct span *span;

			if (range->v6 != v6)
				continue;
			span = vec_push(s->c->d, &s->spans, &s->span_count, sizeof(*span));
			if (!span)
				return compile_fail(s->c, -ENOMEM);
			*span = (struct span){ range->first, range->last, i };
		}
	}
	return true;
}

static int span_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->rule < y->rule ? -1 : x->rule > y->rule;
}

static int point_order(const void *a, const void *b)
{
	addr_num x = *(const addr_num *)a, y = *(const addr_num *)b;

	return x < y ? -1 : x > y;
}

/* Where a set may change; 0 and 1 always, for "any address". */
static bool points_collect(struct sweep *s, addr_num top)
{
	size_t n = 2, kept = 0;

	s->points = calloc(s->span_count * 2 + 2, sizeof(*s->points));
	if (!s->points)
		return compile_fail(s->c, -ENOMEM);
	s->points[1] = 1;
	for (size_t i = 0; i < s->span_count; i++) {
		s->points[n++] = s->spans[i].first;
		if (s->spans[i].last != top)
			s->points[n++] = s->spans[i].last + 1;
	}
	qsort(s->points, n, sizeof(*s->points), point_order);
	for (size_t i = 0; i < n; i++) {
		if (!kept || s->points[i] != s->points[kept - 1])
			s->points[kept++] = s->points[i];
	}
	s->point_count = kept;
	return true;
}

static bool active_move(struct sweep *s, addr_num point, size_t *next)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->active.count; i++) {
		if (s->spans[s->active.items[i]].last >= point)
			s->active.items[kept++] = s->active.items[i];
	}
	s->active.count = kept;
	for (; *next < s->span_count && s->spans[*next].first == point; (*next)++) {
		if (!list_add(s->c, &s->active, *next))
			return false;
	}
	return true;
}

/* Append a range unless it only goes on with the set before it. */
static bool range_add(struct sweep *s, struct net_ranges *out, addr_num first, uint32_t set)
{
	size_t count = out->count;
	addr_num *place;
	uint32_t *number;

	if (count && out->set[count - 1] == set)
		return true;
	number = vec_push(s->c->d, &out->set, &count, sizeof(*number));
	if (!number)
		return compile_fail(s->c, -ENOMEM);
	*number = set;
	place = vec_push(s->c->d, &out->first, &out->count, sizeof(*place));
	if (!place)
		return compile_fail(s->c, -ENOMEM);
	*place = first;
	return true;
}

static bool family_compile(struct compiler *c, struct net_image *image, bool v6, struct net_ranges *out)
{
	_cleanup_(sweep_done) struct sweep s = { .c = c, .out = image };
	size_t next = 0;
	uint32_t set = 0;

	if (!spans_collect(&s, v6) || !points_collect(&s, v6 ? (addr_num)-1 : 0xffffffffu))
		return false;
	if (s.span_count)
		qsort(s.spans, s.span_count, sizeof(s.spans[0]), span_order);
	for (size_t i = 0; i < s.point_count; i++) {
		if (!active_move(&s, s.points[i], &next))
			return false;
		if (s.points[i] ? !set_make(&s, &s.active, &s.active, &set) : !set_make_any(&s, v6, &set))
			return false;
		if (!range_add(&s, out, s.points[i], set))
			return false;
	}
	return true;
}

bool compile_network(struct compiler *c, struct net_image *out)
{
	return family_compile(c, out, false, &out->v4) && family_compile(c, out, true, &out->v6);
}
