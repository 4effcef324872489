/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that two images judge differently, exactly: between two places where a range of either policy begins or ends, both
 * answer one and the same, and so between two ports. The images are asked at the first of each.
 */
#include <netinet/in.h>
#include "policy/diff.h"

struct net_search {
	struct differ *d;
	struct diags ignored;
	addr_num *points;
	size_t point_count, first_item;
	uint32_t *ports;
	size_t port_count;
	bool v6;
};

static void net_search_done(struct net_search *s)
{
	free(s->points);
	free(s->ports);
}

static int point_add(struct net_search *s, addr_num point)
{
	addr_num *place = vec_push(&s->ignored, &s->points, &s->point_count, sizeof(*place));

	if (place)
		*place = point;
	return place ? 0 : -ENOMEM;
}

static int port_add(struct net_search *s, uint32_t port)
{
	uint32_t *place = vec_push(&s->ignored, &s->ports, &s->port_count, sizeof(*place));

	if (place)
		*place = port;
	return place ? 0 : -ENOMEM;
}

static int number_order(const void *a, const void *b)
{
	addr_num x = *(const addr_num *)a, y = *(const addr_num *)b;

	return x < y ? -1 : x > y;
}

static int port_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static addr_num top(const struct net_search *s)
{
	return s->v6 ? (addr_num)-1 : 0xffffffffu;
}

static int points_of(struct net_search *s, const struct policy *p)
{
	int err = 0;

	for (size_t i = 0; i < p->rule_count; i++) {
		for (size_t k = 0; k < p->rules[i]->range_count && !err; k++) {
			const struct addr_range *r = &p->rules[i]->ranges[k];

			if (r->v6 != s->v6)
				continue;
			err = point_add(s, r->first);
			if (!err && r->last != top(s))
				err = point_add(s, r->last + 1);
		}
	}
	return err;
}

/* 0 and 1 always: "any address" is judged as this host. IPv4 in IPv6 is a matter of the other family. */
static int points_find(struct net_search *s)
{
	size_t kept = 0;
	int err = point_add(s, 0);

	if (!err)
		err = point_add(s, 1);
	if (!err && s->v6)
		err = point_add(s, (addr_num)0xffff << 32);
	if (!err && s->v6)
		err = point_add(s, (addr_num)0x10000 << 32);
	if (!err)
		err = points_of(s, s->d->a);
	if (!err)
		err = points_of(s, s->d->b);
	if (err)
		return err;
	qsort(s->points, s->point_count, sizeof(s->points[0]), number_order);
	for (size_t i = 0; i < s->point_count; i++) {
		if (!kept || s->points[i] != s->points[kept - 1])
			s->points[kept++] = s->points[i];
	}
	s->point_count = kept;
	return 0;
}

static bool rule_covers(const struct rule *rule, bool v6, addr_num point)
{
	for (size_t k = 0; k < rule->range_count; k++) {
		if (rule->ranges[k].v6 == v6 && rule->ranges[k].first <= point && rule->ranges[k].last >= point)
			return true;
	}
	return false;
}

/* The address that rules are asked about when this one is connected to. */
static addr_num judged(const struct net_search *s, addr_num point)
{
	return point ? point : s->v6 ? 1 : 0x7f000001;
}

static int ports_of(struct net_search *s, const struct policy *p, addr_num point)
{
	int err = 0;

	for (size_t i = 0; i < p->rule_count; i++) {
		const struct rule *rule = p->rules[i];

		if (!rule_covers(rule, s->v6, point) && !rule_covers(rule, s->v6, judged(s, point)))
			continue;
		for (size_t k = 0; k < rule->port_count && !err; k++) {
			err = port_add(s, rule->ports[k].first);
			if (!err && rule->ports[k].last < 65535)
				err = port_add(s, rule->ports[k].last + 1u);
		}
	}
	return err;
}

static int ports_find(struct net_search *s, addr_num point)
{
	size_t kept = 0;
	int err;

	free(s->ports);
	s->ports = NULL;
	s->port_count = 0;
	err = port_add(s, 0);
	if (!err)
		err = ports_of(s, s->d->a, point);
	if (!err)
		err = ports_of(s, s->d->b, point);
	if (err)
		return err;
	qsort(s->ports, s->port_count, sizeof(s->ports[0]), port_order);
	for (size_t i = 0; i < s->port_count; i++) {
		if (!kept || s->ports[i] != s->ports[kept - 1])
			s->ports[kept++] = s->ports[i];
	}
	s->port_count = kept;
	return 0;
}

static void address_put(bool v6, addr_num address, uint8_t out[16])
{
	if (!v6)
		address |= (addr_num)0xffff << 32;
	for (int i = 15; i >= 0; i--, address >>= 8)
		out[i] = address;
}

static addr_num address_get(const uint8_t bytes[16])
{
	return addr_from_bytes(bytes, 16);
}

static bool item_is(const struct policy_difference *item, const struct policy_difference *key)
{
	return item->allows == key->allows && item->verbs == key->verbs && item->was == key->was && item->is == key->is &&
	       item->proto == key->proto && item->port_first == key->port_first && item->port_last == key->port_last;
}

/* To the item that says the same of other addresses, as one range with what it follows on. */
static int span_note(struct net_search *s, const struct policy_difference *key, addr_num first, addr_num last)
{
	struct policy_diff *out = s->d->out;
	struct policy_difference *item = NULL;
	struct policy_span span = {}, *place;

	for (size_t i = s->first_item; i < out->count && !item; i++)
		item = item_is(&out->items[i], key) ? &out->items[i] : NULL;
	if (!item) {
		item = difference_add(s->d, key->allows, key->verbs, key->was, key->is);
		if (!item)
			return -ENOMEM;
		*item = *key;
	}
	address_put(s->v6, first, span.first);
	address_put(s->v6, last, span.last);
	place = item->span_count ? &item->spans[item->span_count - 1] : NULL;
	if (place && (address_get(place->last) >> 32 != 0xffff) == s->v6 &&
	    address_get(place->last) + 1 == address_get(span.first)) {
		memcpy(place->last, span.last, sizeof(span.last));
		return 0;
	}
	place = vec_push(&s->ignored, &item->spans, &item->span_count, sizeof(*place));
	if (place)
		*place = span;
	return place ? 0 : -ENOMEM;
}

/* Ports that go on with the same answer are one range. */
static int plane_compare(struct net_search *s, uint8_t proto, enum verb verb, addr_num first, addr_num last)
{
	struct policy_difference key = {}, none = {};
	struct policy_action a = { .verb = verb, .proto = proto };
	struct policy_verdict was, is;
	int err = 0;

	address_put(s->v6, first, a.addr);
	for (size_t i = 0; i < s->port_count && !err; i++) {
		a.port = s->ports[i];
		if (policy_image_eval(s->d->a_image, &a, &was) || policy_image_eval(s->d->b_image, &a, &is))
			return -EINVAL;
		if (key.verbs && (was.allowed == is.allowed || was.rule != key.was || is.rule != key.is)) {
			err = span_note(s, &key, first, last);
			key = none;
		}
		if (was.allowed != is.allowed && !key.verbs)
			key = (struct policy_difference){ .allows = is.allowed, .verbs = 1u << verb, .was = was.rule, .is = is.rule,
							  .port_first = a.port, .proto = proto };
		key.port_last = i + 1 < s->port_count ? s->ports[i + 1] - 1 : 65535;
	}
	return key.verbs && !err ? span_note(s, &key, first, last) : err;
}

static int family_compare(struct net_search *s)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	int err = points_find(s);

	for (size_t i = 0; i < s->point_count && !err; i++) {
		addr_num last = i + 1 < s->point_count ? s->points[i + 1] - 1 : top(s);

		if (s->v6 && s->points[i] >> 32 == 0xffff)
			continue;
		err = ports_find(s, s->points[i]);
		for (int k = 0; k < 4 && !err; k++)
			err = plane_compare(s, protos[k & 1], k & 2 ? VERB_LISTEN : VERB_CONNECT, s->points[i], last);
	}
	return err;
}

int diff_network(struct differ *d)
{
	size_t first = d->out->count;
	int err = 0;

	for (int v6 = 0; v6 < 2 && !err; v6++) {
		_cleanup_(net_search_done) struct net_search s = { .d = d, .v6 = v6, .first_item = first };

		err = family_compare(&s);
	}
	return err;
}
