/* SPDX-License-Identifier: Apache-2.0 */
/* The room's state, and what every event has in common: identity of event, host, sandbox, command and rule. */
#include "event/parts.h"
#include "base/hash.h"
#include <stdio.h>

#define MAX_PROCESSES 16384

static int copy_strings(struct events *e, const struct event_options *o)
{
	uint8_t digest[HASH_BYTES];
	int err;

	e->host = strdup(o->host ? o->host : "unknown");
	e->boot_id = strdup(o->boot_id ? o->boot_id : "");
	e->version = strdup(o->version ? o->version : "0");
	if (!e->host || !e->boot_id || !e->version)
		return -ENOMEM;
	err = hash_sha256_2(0, e->host, strlen(e->host) + 1, e->boot_id, strlen(e->boot_id), digest);
	if (!err)
		memcpy(&e->tag, digest, sizeof(e->tag));
	return err;
}

int events_new(const struct event_options *o, struct events **out)
{
	struct events *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	if (!o->source.sandbox || !o->source.command || !o->source.rule || o->redact_key_bytes != sizeof(e->key)) {
		free(e);
		return -EINVAL;
	}
	e->source = o->source;
	e->wall_offset_ns = o->wall_offset_ns;
	memcpy(e->key, o->redact_key, sizeof(e->key));
	e->redact = (struct redact_key){ e->key, sizeof(e->key) };
	err = copy_strings(e, o);
	if (!err)
		err = field_plan_new(&e->plan);
	if (!err)
		err = proctree_new(o->max_processes ? o->max_processes : MAX_PROCESSES, &e->processes);
	if (err) {
		events_free(e);
		return err;
	}
	*out = e;
	return 0;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	field_plan_free(e->plan);
	proctree_free(e->processes);
	free(e->host);
	free(e->boot_id);
	free(e->version);
	buf_done(&e->message);
	buf_done(&e->command_line);
	buf_done(&e->labels);
	buf_done(&e->claimed);
	buf_done(&e->extra);
	explicit_bzero(e->key, sizeof(e->key));
	free(e);
}

void events_set_wall_offset(struct events *e, int64_t ns)
{
	e->wall_offset_ns = ns;
}

uint64_t events_wall_ms(const struct events *e, uint64_t boot_ns)
{
	int64_t ns;

	if (boot_ns > INT64_MAX || __builtin_add_overflow((int64_t)boot_ns, e->wall_offset_ns, &ns) || ns < 0)
		return 0;
	return ns / 1000000;
}

void events_make_uid(struct events *e, uint64_t ms, unsigned ring, unsigned cpu, uint64_t number)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";	/* Crockford: sorts as the numbers do */
	uint64_t high = ms << 16 | e->tag >> 16;	/* 48 + 16 */
	uint64_t low = (uint64_t)(e->tag & 0xffff) << 48 | (uint64_t)(ring & 3) << 46 | (uint64_t)(cpu & 0xfff) << 34 | (number & 0x3ffffffffull);
	unsigned __int128 all = (unsigned __int128)high << 64 | low;

	for (int i = 25; i >= 0; i--) {
		e->uid[i] = digits[all & 31];
		all >>= 5;
	}
	e->uid[26] = '\0';
}

void events_set_base(struct events *e, const char *code, enum event_class class_id, unsigned activity, unsigned severity, uint64_t ms)
{
	struct field_set *s = &e->set;
	unsigned class_uid = event_class_table[class_id].uid;

	memset(s->present, 0, sizeof(s->present));
	buf_reset(&e->message);
	buf_reset(&e->extra);
	field_bytes(s, F_METADATA_UID, e->uid, 26);
	field_bytes(s, F_METADATA_VERSION, OCSF_VERSION, sizeof(OCSF_VERSION) - 1);
	field_str(s, F_METADATA_CODE, code);
	field_bytes(s, F_PRODUCT_NAME, "Bailiff", 7);
	field_str(s, F_PRODUCT_VERSION, e->version);
	field_u64(s, F_TIME, ms);
	field_u64(s, F_CLASS_UID, class_uid);
	field_u64(s, F_CATEGORY_UID, class_uid / 1000);
	field_u64(s, F_ACTIVITY_ID, activity);
	field_u64(s, F_TYPE_UID, class_uid * 100 + activity);
	field_u64(s, F_SEVERITY_ID, severity);
	field_str(s, F_DEVICE_HOSTNAME, e->host);
	field_u64(s, F_DEVICE_TYPE_ID, 0);
}

void events_set_activity_name(struct events *e, const char *name)
{
	if (e->set.values[F_ACTIVITY_ID].u == 99)
		field_str(&e->set, F_ACTIVITY_NAME, name);
}

static void set_labels(struct field_set *s, enum event_field f, const struct event_label *labels, size_t n, struct buf *b)
{
	struct json j;

	if (!n)
		return;
	buf_reset(b);
	json_init(&j, b);
	json_begin_object(&j, NULL);
	for (size_t i = 0; i < n; i++)
		json_str(&j, labels[i].key, labels[i].value);
	json_end_object(&j);
	if (!b->err)
		field_bytes(s, f, b->data, b->len);
}

int events_set_sandbox(struct events *e, uint64_t sandbox, uint32_t generation, struct event_sandbox *found)
{
	struct field_set *s = &e->set;

	*found = (struct event_sandbox){};
	if (!sandbox)
		return -ENOENT;
	if (e->source.sandbox(e->source.ctx, sandbox, generation, found)) {
		*found = (struct event_sandbox){};
		snprintf(e->sandbox_number, sizeof(e->sandbox_number), "#%llu", (unsigned long long)sandbox);
		field_str(s, F_SB_ID, e->sandbox_number);
		return -ENOENT;
	}
	field_str(s, F_SB_ID, found->uid);
	field_str(s, F_SB_NAME, found->name);
	field_str(s, F_SB_STAGE, found->stage);
	field_str(s, F_SB_AGENT, found->agent);
	field_str(s, F_SB_SESSION, found->session);
	set_labels(s, F_SB_LABELS, found->labels, found->label_count, &e->labels);
	set_labels(s, F_CLAIMED, found->claimed, found->claimed_count, &e->claimed);
	return 0;
}

void events_set_command(struct events *e, uint64_t sandbox, uint32_t command)
{
	struct event_command c = {};

	if (!command)
		return;
	field_u64(&e->set, F_SB_EXEC, command);
	if (e->source.command(e->source.ctx, sandbox, command, &c))
		return;
	field_str(&e->set, F_SB_CALL, c.call);
	field_str(&e->set, F_SB_TRACE, c.trace);
	field_str(&e->set, F_SB_SPAN, c.span);
}

void events_find_rule(struct events *e, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out)
{
	static const struct event_rule builtins[B_COUNT] = {
#define X(symbol, id_, text) [B_##symbol] = { .id = id_, .why = text },
		BUILTIN_RULES(X)
#undef X
	};

	*out = (struct event_rule){};
	if (!e->source.rule(e->source.ctx, sandbox, generation, rule, out) && out->id)
		return;
	if (rule >= BUILTIN_BASE && rule - BUILTIN_BASE < B_COUNT) {
		*out = builtins[rule - BUILTIN_BASE];	/* these mean the same in every policy */
		return;
	}
	snprintf(e->rule_number, sizeof(e->rule_number), "#%u", rule);
	*out = (struct event_rule){ .id = e->rule_number };
}

/* An attribute of a profile is an error unless the profile is named. */
static void set_profiles(struct field_set *s)
{
	bool control = field_has(s, F_ACTION_ID);
	bool host = s->values[F_CLASS_UID].u == 4001 || s->values[F_CLASS_UID].u == 6002;	/* elsewhere actor and device are the class's own */

	field_str(s, F_METADATA_PROFILES,
		  control && host ? "[\"security_control\",\"host\"]" : control ? "[\"security_control\"]" : host ? "[\"host\"]" : NULL);
}

int events_finish(struct events *e, struct buf *line)
{
	int err = e->message.err ? e->message.err : e->extra.err ? e->extra.err : e->command_line.err;

	if (err)
		return err;
	field_bytes(&e->set, F_MESSAGE, e->message.data, e->message.len);
	set_profiles(&e->set);
	return field_encode(e->plan, &e->set, line);
}
