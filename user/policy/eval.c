/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracle: what a policy means, said as plainly as we can. A deny that matches refuses; else an allow that matches allows;
 * else the class's default. Among several, the rule with the smallest id, which is the smallest number. Nothing here is shared
 * with compile.c: where the two differ, one of them is wrong.
 */
#include "policy/model.h"

/* ---- a pattern and a path ---- */

/* A byte of a pattern that stands for itself, escapes undone. */
static const char *next_literal(const char *p, unsigned char *byte)
{
	if (*p != '\\') {
		*byte = *p;
		return p + 1;
	}
	if (p[1] != 'x') {
		*byte = p[1];
		return p + 2;
	}
	*byte = 0;
	for (int i = 2; i < 4; i++)
		*byte = *byte << 4 | (p[i] <= '9' ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
	return p + 4;
}

/* Is the byte in the set that starts at p ("[a-z]", "[!a]")? *end: behind the set. */
static bool set_has(const char *p, unsigned char byte, const char **end)
{
	bool negated = p[1] == '!' || p[1] == '^', found = false;
	unsigned char first, last;

	for (p += 1 + negated; *p != ']';) {
		p = next_literal(p, &first);
		last = first;
		if (*p == '-' && p[1] != ']')
			p = next_literal(p + 1, &last);
		found |= byte >= first && byte <= last;
	}
	*end = p + 1;
	return found != negated;
}

/* Does what stands at p (anything but a "*") take this byte? *next: behind it. */
static bool item_takes(const char *p, unsigned char byte, const char **next)
{
	unsigned char wanted;

	*next = p + 1;
	if (*p == '?')
		return true;
	if (*p == '[')
		return set_has(p, byte, next);
	*next = next_literal(p, &wanted);
	return byte == wanted;
}

/*
 * One component of a pattern (up to pe) and one of a path. On a mismatch the last "*" takes one byte more; an earlier one need
 * not, since whatever it would leave over the last one can take.
 */
static bool component_matches(const char *p, const char *pe, const char *s, const char *se)
{
	const char *star = NULL, *retry = NULL, *next;

	while (p < pe || s < se) {
		if (p < pe && *p == '*') {
			star = ++p;
			retry = s;
		} else if (p < pe && s < se && item_takes(p, *s, &next)) {
			p = next;
			s++;
		} else if (star && retry < se) {
			p = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	return true;
}

static const char *component_end(const char *s, const char *end)
{
	while (s < end && *s != '/')
		s++;
	return s;
}

/*
 * p and s are at a "/" or at their end. A pattern that is used up has matched this path or a parent of it. "**" takes one
 * component more on a mismatch, as "*" does with bytes.
 */
static bool components_match(const char *p, const char *pe, const char *s, const char *se)
{
	const char *star = NULL, *retry = NULL, *pc, *sc;

	while (p < pe) {
		pc = component_end(p + 1, pe);
		sc = s < se ? component_end(s + 1, se) : s;
		if (pc - p == 3 && p[1] == '*' && p[2] == '*') {
			star = p = pc;
			retry = s;
		} else if (s < se && component_matches(p + 1, pc, s + 1, sc)) {
			p = pc;
			s = sc;
		} else if (star && retry < se) {
			p = star;
			s = retry = component_end(retry + 1, se);
		} else {
			return false;
		}
	}
	return true;
}

bool path_matches(const char *pattern, const char *path, size_t len)
{
	const char *pattern_end = pattern + strlen(pattern), *path_end = path + len;

	/* The root has no components: "/" is then the empty list of them, on either side. */
	if (pattern[1] == '\0')
		pattern = pattern_end;
	if (len == 1)
		path = path_end;
	return components_match(pattern, pattern_end, path, path_end);
}

/* ---- a rule and an action ---- */

static bool any_matches(const struct pattern *items, size_t count, const struct policy_action *a)
{
	for (size_t i = 0; i < count; i++) {
		if (path_matches(items[i].text, a->path, a->path_len))
			return true;
	}
	return false;
}

static bool port_matches(const struct rule *rule, uint16_t port)
{
	for (size_t i = 0; i < rule->port_count; i++) {
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	}
	return !rule->port_count;
}

static bool address_matches(const struct rule *rule, bool v6, addr_num addr)
{
	for (size_t i = 0; i < rule->range_count; i++) {
		if (rule->ranges[i].v6 == v6 && addr >= rule->ranges[i].first && addr <= rule->ranges[i].last)
			return true;
	}
	return false;
}

static bool domain_matches(const struct rule *rule, const char *name)
{
	for (size_t i = 0; i < rule->domain_count; i++) {
		if (domain_covers(rule->domains[i], name))
			return true;
	}
	return false;
}

/*
 * A name in the address's place stands for whatever global address it has: rules by name answer, and those by address that hold for
 * all of @internet.
 */
static bool peer_name_matches(const struct rule *rule, const char *name)
{
	if (!strcmp(name, "@same-sandbox"))
		return rule->same_sandbox;
	return domain_matches(rule, name) || ranges_cover_internet(rule->ranges, rule->range_count);
}

static bool peer_matches(const struct rule *rule, const struct policy_action *a)
{
	addr_num addr = addr_from_bytes(a->addr, 16);
	bool v6 = addr >> 32 != 0xffff;

	if (a->name)
		return peer_name_matches(rule, a->name);
	if (!v6)
		addr &= 0xffffffffu;
	/* To connect to "any address" is to connect to this host. */
	if (a->verb != VERB_LISTEN && !addr)
		addr = v6 ? 1 : 0x7f000001;
	return address_matches(rule, v6, addr);
}

static bool network_matches(const struct rule *rule, const struct policy_action *a)
{
	return rule->protos & (a->proto == 17 ? PROTO_UDP : PROTO_TCP) && port_matches(rule, a->port) && peer_matches(rule, a);
}

/* An allow ends at its `until`; a deny does not: time alone opens nothing. */
bool rule_has_ended(const struct rule *rule, const struct policy_action *a)
{
	return !rule->deny && rule->until_s && a->at_s >= rule->until_s;
}

/* A rule for some programs is nobody else's, and a question that names no program is about another. */
static bool program_matches(const struct rule *rule, const struct policy_action *a)
{
	for (size_t i = 0; i < rule->by_count && a->by; i++) {
		if (path_matches(rule->by[i].text, a->by, strlen(a->by)))
			return true;
	}
	return !rule->by_count;
}

static bool rule_matches(const struct rule *rule, const struct policy_action *a)
{
	unsigned verb = a->verb == PV_STAT ? VERB_READ : a->verb;

	if (!(rule->verbs & 1u << verb) || !program_matches(rule, a) || rule_has_ended(rule, a))
		return false;
	if (verb >= PV_CALL)
		return named_matches(rule, a);
	if (verb >= VERB_PATH_COUNT)
		return network_matches(rule, a);
	return any_matches(rule->paths, rule->path_count, a) && !any_matches(rule->excepts, rule->except_count, a);
}

static bool is_own(const struct policy *p, const struct policy_action *a)
{
	unsigned verb = a->verb == PV_STAT ? VERB_READ : a->verb;

	for (size_t i = 0; i < p->own_count && verb < VERB_PATH_COUNT; i++) {
		size_t n = strlen(p->own[i].path);

		if (p->own[i].verbs & 1u << verb && a->path_len >= n && !memcmp(p->own[i].path, a->path, n) &&
		    (a->path_len == n || a->path[n] == '/'))
			return true;
	}
	return false;
}

static bool find(const struct policy *p, const struct policy_action *a, bool deny, uint32_t *rule)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i]->deny == deny && rule_matches(p->rules[i], a)) {
			*rule = i;
			return true;
		}
	}
	return false;
}

/* By any allow that matches, whichever is reported: what somebody wants on the record another rule does not take off it. */
static bool record_is_required(const struct policy *p, const struct policy_action *a)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		if (p->rules[i]->record_required && !p->rules[i]->deny && rule_matches(p->rules[i], a))
			return true;
	}
	return false;
}

enum policy_class verb_class(unsigned verb)
{
	static const enum policy_class classes[] = {
		[VERB_CONNECT] = PC_NETWORK, [VERB_SEND] = PC_NETWORK, [VERB_LISTEN] = PC_NETWORK, [VERB_UNIX] = PC_SOCKETS, [PV_FAMILY] = PC_SOCKETS,
		[PV_CALL] = PC_CALLS, [PV_USE] = PC_DEVICES, [PV_SET_ID] = PC_PRIVILEGES, [PV_CAPABILITY] = PC_PRIVILEGES,
		[PV_KEEP] = PC_SESSION, [PV_VARIABLE] = PC_SESSION, [PV_LIMIT] = PC_LIMITS, [PV_STAT] = PC_FILES,
	};

	return classes[verb];	/* the rest: PC_FILES */
}

static uint32_t default_of(unsigned verb)
{
	switch (verb_class(verb)) {
	case PC_FILES:
		return RULE_BUILTIN(FILES_DEFAULT);
	case PC_NETWORK:
		return RULE_BUILTIN(NETWORK_DEFAULT);
	case PC_SOCKETS:
		return verb == VERB_UNIX ? RULE_BUILTIN(UNIX_DEFAULT) : RULE_BUILTIN(SOCKET_FAMILY);
	default:
		return RULE_DEFAULT + verb_class(verb);
	}
}

static bool question_is_whole(const struct policy_action *a)
{
	bool path = a->verb < VERB_PATH_COUNT || (a->verb >= PV_USE && a->verb <= PV_KEEP);
	bool name = a->verb == PV_CALL || a->verb > PV_KEEP;

	return a->verb < PV_COUNT && (!path || path_is_clean(a->path, a->path_len)) && (!name || a->name) &&
	       (!a->by || path_is_clean(a->by, strlen(a->by)));
}

static void judge(const struct policy *p, const struct policy_action *a, struct policy_verdict *out)
{
	enum policy_class class = verb_class(a->verb);
	bool open = p->open & 1u << class;
	uint32_t rule;

	if ((open && !class_table[class].built) || (a->verb == PV_STAT && !p->metadata_strict))
		*out = (struct policy_verdict){ .allowed = true, .rule = RULE_NONE };	/* nobody enforces it: saying more would be a lie */
	else if (find(p, a, true, &rule))
		*out = (struct policy_verdict){ .allowed = false, .rule = rule };
	else if (is_own(p, a))
		*out = (struct policy_verdict){ .allowed = false, .rule = RULE_BUILTIN(SELF) };
	else if (find(p, a, false, &rule))
		*out = (struct policy_verdict){ .allowed = true, .rule = rule };
	else if (open || (a->verb >= PV_CALL && !is_guarded(a)))
		*out = (struct policy_verdict){ .allowed = true, .rule = RULE_NONE };
	else
		*out = (struct policy_verdict){ .allowed = false, .rule = default_of(a->verb) };
}

int policy_eval(const struct policy *p, const struct policy_action *a, struct policy_verdict *out)
{
	uint32_t label;

	if (!question_is_whole(a) || (a->after && !policy_has_label(p, a->after)))
		return -EINVAL;
	judge(p, a, out);
	out->recorded = out->allowed && out->rule != RULE_NONE && record_is_required(p, a);
	label = out->allowed && a->after && !(p->open & 1u << PC_LABELS) ? label_refuses(p, a, out->rule) : RULE_NONE;
	if (label != RULE_NONE)
		*out = (struct policy_verdict){ .allowed = false, .rule = label };
	return 0;
}
