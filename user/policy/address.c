/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as authors write them: one address, a CIDR or a group, as ranges of numbers; and ports. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include "policy/model.h"

/*
 * The groups. @internet is what is left when everything is taken away that means a host, a site, a link, a cloud's own services, or an
 * IPv4 address in IPv6 clothes (6to4, Teredo, NAT64: a policy that needs its NAT64 prefix lists it).
 */
static const struct {
	const char *group, *cidr;
} groups[] = {
	{ "@loopback", "127.0.0.0/8" }, { "@loopback", "::1" },
	{ "@private", "10.0.0.0/8" }, { "@private", "172.16.0.0/12" }, { "@private", "192.168.0.0/16" }, { "@private", "100.64.0.0/10" },
	{ "@private", "fc00::/7" },
	{ "@link-local", "169.254.0.0/16" }, { "@link-local", "fe80::/10" },
	{ "@metadata", "169.254.169.254" },	/* most clouds */
	{ "@metadata", "169.254.170.2" },	/* Amazon ECS tasks */
	{ "@metadata", "169.254.170.23" },	/* Amazon EKS pods */
	{ "@metadata", "fd00:ec2::254" }, { "@metadata", "fd00:ec2::23" },	/* Amazon */
	{ "@metadata", "fd20:ce::254" },	/* Google */
	{ "@metadata", "168.63.129.16" },	/* Azure's host */
	{ "@metadata", "100.100.100.200" },	/* Alibaba */
	{ "@metadata", "192.0.0.192" },		/* Oracle, of old */
};

/* What is not @internet besides the groups above; first and last of ranges that are. */
static const struct {
	const char *first, *last;
} internet[] = {
	{ "1.0.0.0", "9.255.255.255" }, { "11.0.0.0", "100.63.255.255" }, { "100.128.0.0", "126.255.255.255" },
	{ "128.0.0.0", "168.63.129.15" }, { "168.63.129.17", "169.253.255.255" }, { "169.255.0.0", "172.15.255.255" },
	{ "172.32.0.0", "191.255.255.255" }, { "192.0.1.0", "192.0.1.255" }, { "192.0.3.0", "192.88.98.255" },
	{ "192.88.100.0", "192.167.255.255" }, { "192.169.0.0", "198.17.255.255" }, { "198.20.0.0", "198.51.99.255" },
	{ "198.51.101.0", "203.0.112.255" }, { "203.0.114.0", "223.255.255.255" },
	{ "2001:200::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "2001:db9::", "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "2003::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

static const char *const group_words[] = { "@internet", "@private", "@loopback", "@link-local", "@metadata", "@same-sandbox", NULL };

addr_num addr_from_bytes(const uint8_t *p, size_t n)
{
	addr_num v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static bool address_parse(const char *text, bool *v6, addr_num *out)
{
	uint8_t bytes[16];

	*v6 = strchr(text, ':');
	if (inet_pton(*v6 ? AF_INET6 : AF_INET, text, bytes) != 1)
		return false;
	*out = addr_from_bytes(bytes, *v6 ? 16 : 4);
	return true;
}

static void address_print(bool v6, addr_num v, char out[INET6_ADDRSTRLEN])
{
	uint8_t bytes[16];

	for (int i = (v6 ? 16 : 4) - 1; i >= 0; i--, v >>= 8)
		bytes[i] = (uint8_t)v;
	inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, out, INET6_ADDRSTRLEN);
}

static bool number_parse(const char *text, unsigned max, unsigned *out)
{
	size_t n = strspn(text, "0123456789");

	if (!n || text[n] || n > 5 || (n > 1 && text[0] == '0'))
		return false;
	*out = strtoul(text, NULL, 10);
	return *out <= max;
}

static addr_num host_mask(bool v6, unsigned bits)
{
	if (v6)
		return bits == 128 ? 0 : (addr_num)-1 >> bits;
	return bits == 32 ? 0 : 0xffffffffu >> bits;
}

/* "10.0.0.0/8", "::1"; a reason in why (200 bytes) unless it is one. */
static bool cidr_parse(const char *text, struct addr_range *out, char why[200])
{
	char copy[INET6_ADDRSTRLEN + 8], clean[INET6_ADDRSTRLEN], *slash;
	unsigned bits, all;
	addr_num mask;

	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return false;
	slash = strchr(copy, '/');
	if (slash)
		*slash++ = '\0';
	if (!address_parse(copy, &out->v6, &out->first))
		return false;
	all = out->v6 ? 128 : 32;
	bits = all;
	if (slash && !number_parse(slash, all, &bits)) {
		snprintf(why, 200, "\"%.20s\" is not a prefix length" HELP "it is a number from 0 to %u", slash, all);
		return false;
	}
	mask = host_mask(out->v6, bits);
	if (out->first & mask) {
		address_print(out->v6, out->first & ~mask, clean);
		snprintf(why, 200, "%.60s has bits set behind its prefix" HELP "did you mean %s/%u?", text, clean, bits);
		return false;
	}
	out->last = out->first | mask;
	return true;
}

static bool range_push(struct diags *d, struct addr_range range, struct addr_range **ranges, size_t *count)
{
	struct addr_range *place = vec_push(d, ranges, count, sizeof(*place));

	if (place)
		*place = range;
	return place;
}

static bool group_add(struct diags *d, const char *name, struct addr_range **ranges, size_t *count)
{
	struct addr_range range = {};
	char why[200];
	bool v6, good = true;

	for (size_t i = 0; i < ARRAY_SIZE(groups) && good; i++) {
		if (!strcmp(groups[i].group, name))
			good = cidr_parse(groups[i].cidr, &range, why) && range_push(d, range, ranges, count);
	}
	for (size_t i = 0; i < ARRAY_SIZE(internet) && good && !strcmp(name, "@internet"); i++) {
		good = address_parse(internet[i].first, &range.v6, &range.first) && address_parse(internet[i].last, &v6, &range.last) &&
		       range_push(d, range, ranges, count);
	}
	return good;
}

static bool group_parse(struct diags *d, const char *text, struct addr_range **ranges, size_t *count, char why[200])
{
	const char *meant;

	for (size_t i = 0; group_words[i]; i++) {
		if (!strcmp(group_words[i], text))
			return group_add(d, text, ranges, count);
	}
	meant = word_nearest(text, group_words);
	if (meant)
		snprintf(why, 200, "\"%.60s\" is not a group" HELP "did you mean %s?", text, meant);
	else
		snprintf(why, 200, "\"%.60s\" is not a group" HELP "there are @internet @private @loopback @link-local @metadata", text);
	return false;
}

/* Why a text is no address: the likely mistakes by name. */
static void explain_text(const char *text, char why[200])
{
	const char *colon = strchr(text, ':');
	bool numeric = text[strspn(text, "0123456789./")] == '\0';
	char group[64];

	snprintf(group, sizeof(group), "@%.60s", text);

	if (strstr(text, "://"))
		snprintf(why, 200, "\"%.60s\" is a URL" HELP "write the host alone, and its port under \"ports\"", text);
	else if (text[0] == '[')
		snprintf(why, 200, "\"%.60s\" is not an address" HELP "an IPv6 address stands without brackets here, and its port under \"ports\"", text);
	else if (colon && !strchr(colon + 1, ':'))
		snprintf(why, 200, "\"%.60s\" is an address and a port" HELP "the port goes under \"ports\"", text);
	else if (numeric || colon || !text[0])
		snprintf(why, 200, "\"%.60s\" is not an address" HELP "write 10.0.0.1, 10.0.0.0/8, 2001:db8::1 or 2001:db8::/32", text);
	else if (word_nearest(group, group_words) && !strchr(text, '.'))
		snprintf(why, 200, "\"%.60s\" is not an address" HELP "a group has an @ in front: did you mean \"%s\"?", text, word_nearest(group, group_words));
}

/* Neither group nor address: a domain, or the reason why not. */
static enum to_kind name_parse(struct diags *d, const char *text, char why[200])
{
	_free_ char *domain = calloc(1, strlen(text) + 1);

	if (!domain) {
		d->err = -ENOMEM;
		return TO_WRONG;
	}
	if (!why[0])
		explain_text(text, why);
	return !why[0] && domain_parse(text, domain, why) ? TO_DOMAIN : TO_WRONG;
}

enum to_kind to_parse(struct diags *d, const char *text, struct addr_range **ranges, size_t *count, char why[200])
{
	struct addr_range range;

	why[0] = '\0';
	if (!strcmp(text, "@same-sandbox"))
		return TO_SAME_SANDBOX;
	if (text[0] == '@')
		return group_parse(d, text, ranges, count, why) ? TO_RANGES : TO_WRONG;
	if (!cidr_parse(text, &range, why))
		return name_parse(d, text, why);
	if (range.v6 && range.first >> 32 == 0xffff && range.last >> 32 == 0xffff) {
		snprintf(why, 200, "\"%.60s\" is IPv4 written as IPv6" HELP "write it as IPv4", text);
		return TO_WRONG;
	}
	return range_push(d, range, ranges, count) ? TO_RANGES : TO_WRONG;
}

bool ranges_cover(const struct addr_range *ranges, size_t count, const struct addr_range *range)
{
	addr_num at = range->first;

	for (size_t i = 0; i < count; i++) {
		if (ranges[i].v6 != range->v6 || ranges[i].first > at || ranges[i].last < at)
			continue;
		if (ranges[i].last >= range->last)
			return true;
		at = ranges[i].last + 1;
		i = (size_t)-1;	/* from the start: they stand in no order */
	}
	return false;
}

bool range_meets_internet(const struct addr_range *range)
{
	addr_num first, last;
	bool v6, meets = false;

	for (size_t i = 0; i < ARRAY_SIZE(internet) && !meets; i++)
		meets = address_parse(internet[i].first, &v6, &first) && address_parse(internet[i].last, &v6, &last) && v6 == range->v6 &&
			first <= range->last && last >= range->first;
	return meets;
}

bool ranges_cover_internet(const struct addr_range *ranges, size_t count)
{
	struct addr_range range;
	bool v6, good = true;

	for (size_t i = 0; i < ARRAY_SIZE(internet) && good; i++)
		good = address_parse(internet[i].first, &range.v6, &range.first) && address_parse(internet[i].last, &v6, &range.last) &&
		       ranges_cover(ranges, count, &range);
	return good;
}

bool ports_parse(const char *text, struct port_range *out)
{
	const char *dash = strchr(text, '-');
	unsigned first, last;
	char copy[8];

	if (!dash) {
		if (!number_parse(text, 65535, &first))
			return false;
		*out = (struct port_range){ first, first };
		return true;
	}
	if (dash - text >= (long)sizeof(copy))
		return false;
	memcpy(copy, text, dash - text);
	copy[dash - text] = '\0';
	if (!number_parse(copy, 65535, &first) || !number_parse(dash + 1, 65535, &last) || first > last)
		return false;
	*out = (struct port_range){ first, last };
	return true;
}
