/* SPDX-License-Identifier: Apache-2.0 */
/* The network class: rules by address, port and protocol. */
#include <stdio.h>
#include "policy/model.h"

void to_say_unbuilt(struct reader *r, const struct yaml_node *at, enum to_kind kind, const char *text)
{
	if (kind == TO_DOMAIN)
		say_unbuilt(r, at, "write an address, a CIDR or a group", "\"%.60s\": rules by domain name are not built yet", text);
	else if (kind == TO_SAME_SANDBOX)
		say_unbuilt(r, at, "remove it", "the group @same-sandbox is not built yet");
}

/* One more text of a list; a domain in small letters. */
static bool text_push(struct reader *r, const char *text, char ***items, size_t *count)
{
	char **place = vec_push(r->d, items, count, sizeof(*place));
	char why[200];

	if (!place)
		return false;
	*place = diag_strdup(r->d, text);
	if (*place && text[0] != '$' && text[0] != '@' && !strpbrk(text, ":/"))
		(void)domain_parse(text, *place, why);
	return *place;
}

static bool to_add(struct reader *r, const struct yaml_node *n, struct rule *rule)
{
	const char *text = n->text;
	struct param *param;
	enum to_kind kind;
	char why[200];

	if (n->kind != YAML_SCALAR) {
		READ_ERROR(r, n, CODE("not-a-text") "\"to\" is an address, a CIDR, a group or a list of them" HELP "write to: 10.0.0.0/8 or to: \"@internet\"");
		return false;
	}
	if (text[0] == '$') {
		param = param_find(r->p, text + 1, n->len - 1);
		if (!param)
			return param_unknown(r, n, text + 1, n->len - 1);
		param->used = true;
		if (param->type != PARAM_TO && !r->misses_params)
			READ_ERROR(r, n, CODE("param-type") "$%s is a path, and an address is needed here" HELP "declare a parameter of type to", param->name);
		if (param->type != PARAM_TO || !param->value)
			return false;
		text = param->value;
	}
	kind = to_parse(r->d, text, &rule->ranges, &rule->range_count, why);
	if (kind == TO_WRONG) {
		READ_ERROR(r, n, CODE("bad-address") "%s", why);
		return false;
	}
	if (text == n->text)	/* of a parameter it is said where its value is */
		to_say_unbuilt(r, n, kind, text);
	rule->same_sandbox |= kind == TO_SAME_SANDBOX;
	if (kind == TO_DOMAIN && !text_push(r, text, &rule->domains, &rule->domain_count))
		return false;
	return text_push(r, kind == TO_DOMAIN && text == n->text ? rule->domains[rule->domain_count - 1] : n->text, &rule->to, &rule->to_count);
}

static bool read_to(struct reader *r, const struct yaml_node *n, void *rule)
{
	bool good = true;

	if (n->kind != YAML_LIST)
		return to_add(r, n, rule);
	for (size_t i = 0; i < n->count; i++)
		good &= to_add(r, n->items[i], rule);
	if (!n->count)
		READ_ERROR(r, n, CODE("empty-list") "an empty list of addresses rules nothing" HELP "list an address, or remove the rule");
	return good && n->count;
}

static bool port_add(struct reader *r, const struct yaml_node *n, struct rule *rule)
{
	struct port_range range, *place;

	if (n->kind != YAML_SCALAR || !ports_parse(n->text, &range)) {
		READ_ERROR(r, n, CODE("bad-port") "this is not a port" HELP "write a number from 0 to 65535 or a range like 3000-3999");
		return false;
	}
	place = vec_push(r->d, &rule->ports, &rule->port_count, sizeof(*place));
	if (place)
		*place = range;
	return place;
}

static int port_order(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return x->first != y->first ? (int)x->first - y->first : (int)x->last - y->last;
}

/* Sorted, and what touches or overlaps joined: one spelling for one set. */
static void ports_merge(struct rule *rule)
{
	size_t n = 0;

	qsort(rule->ports, rule->port_count, sizeof(rule->ports[0]), port_order);
	for (size_t i = 1; i < rule->port_count; i++) {
		struct port_range *last = &rule->ports[n], *next = &rule->ports[i];

		if (next->first <= last->last + 1) {
			if (next->last > last->last)
				last->last = next->last;
			continue;
		}
		rule->ports[++n] = *next;
	}
	rule->port_count = n + 1;
}

static bool read_ports(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;
	bool good = true;

	if (n->kind != YAML_LIST) {
		good = port_add(r, n, it);
	} else if (!n->count) {
		READ_ERROR(r, n, CODE("empty-list") "an empty list of ports rules nothing" HELP "leave \"ports\" out for every port");
		good = false;
	}
	for (size_t i = 0; n->kind == YAML_LIST && i < n->count; i++)
		good &= port_add(r, n->items[i], it);
	if (it->port_count)
		ports_merge(it);
	return good;
}

static const char *const proto_words[] = { "tcp", "udp", NULL };

static bool proto_add(struct reader *r, const struct yaml_node *n, struct rule *rule)
{
	int word = read_word(r, n, "a protocol", proto_words);

	if (word >= 0)
		rule->protos |= 1u << word;
	return word >= 0;
}

static bool read_proto(struct reader *r, const struct yaml_node *n, void *rule)
{
	bool good = true;

	if (n->kind != YAML_LIST)
		return proto_add(r, n, rule);
	for (size_t i = 0; i < n->count; i++)
		good &= proto_add(r, n->items[i], rule);
	if (!n->count)
		READ_ERROR(r, n, CODE("empty-list") "an empty list of protocols rules nothing" HELP "leave \"proto\" out, or write tcp or udp");
	return good && n->count;
}

static const char *const tls_words[] = { "off", NULL };

static bool read_tls(struct reader *r, const struct yaml_node *n, void *rule)
{
	struct rule *it = rule;

	it->tls_off = read_word(r, n, "a way to look into TLS", tls_words) == 0;
	if (!it->tls_off || it->domain_count || !it->to_count)
		return it->tls_off;
	READ_ERROR(r, n, CODE("misplaced") "\"tls\" belongs to a rule by domain name" HELP "TLS is looked into for no other: remove it");
	return false;
}

static const struct shape shape_tls = { .kind = SHAPE_WORD, .words = tls_words };
static const struct shape shape_address = {
	.kind = SHAPE_TEXT,
	.pattern = "^([0-9A-Fa-f:.]+(/[0-9]{1,3})?|@[a-z-]+|\\$[a-z0-9_]+|(\\*\\.)?[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)+)$",
};
static const struct shape shape_to = { .kind = SHAPE_SOME, .of = &shape_address };
static const struct shape shape_port = { .kind = SHAPE_TEXT, .pattern = "^[0-9]{1,5}(-[0-9]{1,5})?$", .number = true };
static const struct shape shape_ports = { .kind = SHAPE_SOME, .of = &shape_port };
static const struct shape shape_proto_word = { .kind = SHAPE_WORD, .words = proto_words };
static const struct shape shape_proto = { .kind = SHAPE_SOME, .of = &shape_proto_word };
static const struct field entry_fields[] = {
	NEEDED("to", read_to, &shape_to, "An address, a CIDR, a group (@internet @private @loopback @link-local @metadata), a parameter of type "
	  "to, or a list of these."),
	FIELD("ports", read_ports, &shape_ports, "Ports and ranges of ports, as 3000-3999; without it every port."),
	FIELD("proto", read_proto, &shape_proto, "tcp, udp or both. An allow without it is for tcp, a deny for both."),
	UNBUILT("tls", read_tls, &shape_tls, "off: a rule by domain name that does not look into TLS."), EFFECT_FIELD, RULE_FIELDS,
};
static const struct shape shape_entry = SHAPE_OF_FIELDS(entry_fields, .name = "network-rule");
static const struct shape shape_entries = { .kind = SHAPE_LIST, .of = &shape_entry };

static bool entry_read(struct reader *r, const struct yaml_node *n, struct rule *rule)
{
	char what[40];

	snprintf(what, sizeof(what), "a rule of network.%s", rule->word);
	if (!read_fields(r, n, what, entry_fields, ARRAY_SIZE(entry_fields), rule))
		return false;
	if (!rule->to_count)
		READ_ERROR(r, n, CODE("missing-key") "a network rule without \"to\" rules nothing" HELP "add \"to:\" with an address, a CIDR or a group");
	if (!rule->protos)	/* a deny that left UDP open would be a trap */
		rule->protos = rule->deny ? PROTO_TCP | PROTO_UDP : PROTO_TCP;
	return rule->to_count;
}

static bool entries_read(struct reader *r, const struct yaml_node *n, const char *word, bool deny, uint32_t verbs)
{
	bool good = true;
	char what[32];

	snprintf(what, sizeof(what), "network.%s", word);
	if (!read_is_list(r, n, what))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		struct rule *rule = rule_new(r, n->items[i]);

		if (!rule)
			return false;
		rule->word = word;
		rule->class = PC_NETWORK;
		rule->deny = deny;
		rule->verbs = verbs;
		if (entry_read(r, n->items[i], rule)) {
			good &= rule_add(r, rule);
			continue;
		}
		rule_free(rule);
		good = false;
	}
	return good;
}

#define VERBS_CONNECT (1u << VERB_CONNECT | 1u << VERB_SEND)
#define VERBS_LISTEN  (1u << VERB_LISTEN)

static bool read_connect(struct reader *r, const struct yaml_node *n, void *policy)
{
	(void)policy;
	return entries_read(r, n, "connect", false, VERBS_CONNECT);
}

static bool read_listen(struct reader *r, const struct yaml_node *n, void *policy)
{
	(void)policy;
	return entries_read(r, n, "listen", false, VERBS_LISTEN);
}

static bool read_deny(struct reader *r, const struct yaml_node *n, void *policy)
{
	(void)policy;
	return entries_read(r, n, "deny", true, VERBS_CONNECT | VERBS_LISTEN);
}

static const struct field network_fields[] = {
	FIELD("connect", read_connect, &shape_entries, "Where connections may go, and datagrams be sent."),
	FIELD("listen", read_listen, &shape_entries, "On which addresses and ports of this host may be listened."),
	FIELD("deny", read_deny, &shape_entries, "What is refused whatever else allows it, to connect and to listen."),
};
const struct shape shape_network = SHAPE_OF_FIELDS(network_fields);

bool read_network(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_fields(r, n, "network", network_fields, ARRAY_SIZE(network_fields), policy);
}
