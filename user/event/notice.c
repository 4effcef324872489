/* SPDX-License-Identifier: Apache-2.0 */
/* What user space itself has to say, by the same table of fields. One struct serves all kinds: what is zero is left out. */
#include "event/parts.h"
#include <stdio.h>

static const struct notice_info {
	const char *name;
	enum event_class class_id;
	uint8_t activity, severity;
	const char *text;
} notices[NOTICE_COUNT] = {
#define CLASS_OF(uid) ((uid) == 6002 ? EVENT_CLASS_APP : (uid) == 5019 ? EVENT_CLASS_CONFIG : EVENT_CLASS_LOG)
#define X(symbol, name, class_uid, activity, severity, text) [NOTICE_##symbol] = { name, CLASS_OF(class_uid), activity, severity, text },
	EVENT_NOTICES(X)
#undef X
};

struct work {
	struct events *e;
	const struct event_notice *n;
	const struct notice_info *info;
	struct field_set *set;
	struct event_sandbox sandbox;
	struct buf *text;		/* redacted: n->text */
};

static void set_nonzero(struct work *w, enum event_field f, uint64_t v)
{
	if (v)
		field_u64(w->set, f, v);
}

static void set_app(struct work *w)
{
	const char *name = w->sandbox.name ? w->sandbox.name : w->sandbox.uid;

	field_str(w->set, F_APP_NAME, w->n->sandbox ? (name ? name : w->e->sandbox_number) : "bailiffd");
	field_str(w->set, F_APP_UID, w->sandbox.uid);
}

static void set_range(struct work *w)
{
	const struct event_notice *n = w->n;

	if (!n->has_ring)
		return;
	field_u64(w->set, F_GAP_RING, n->ring);
	field_u64(w->set, F_GAP_CPU, n->cpu);
	field_u64(w->set, F_GAP_FIRST, n->first_seq);
	field_u64(w->set, F_GAP_LAST, n->last_seq);
}

static void set_times(struct work *w)
{
	if (w->n->from_ns)
		field_u64(w->set, F_START_TIME, events_wall_ms(w->e, w->n->from_ns));
	if (w->n->until_ns)
		field_u64(w->set, F_END_TIME, events_wall_ms(w->e, w->n->until_ns));
}

/* ---- lists, as JSON into e->extra; offsets because it grows ---- */

struct piece {
	enum event_field field;
	size_t at;
};

static void begin_piece(struct work *w, struct piece *p, enum event_field f, struct json *j)
{
	*p = (struct piece){ f, w->e->extra.len };
	json_init(j, &w->e->extra);
}

static void counts_pair(struct json *j, const char *key, const struct event_count *c)
{
	json_begin_array(j, key);
	json_u64(j, NULL, c->refused);
	json_u64(j, NULL, c->would);
	json_end_array(j);
}

static void write_counts(struct work *w, struct json *j)
{
	json_begin_object(j, NULL);
	for (size_t i = 0; i < w->n->count_count; i++) {
		const struct event_count *c = &w->n->counts[i];
		struct event_rule rule;
		char key[200];

		if (c->rule == RULE_NONE) {
			counts_pair(j, "(earlier policies)", c);
			continue;
		}
		events_find_rule(w->e, w->n->sandbox, c->generation, c->rule, &rule);
		if (c->generation == w->n->generation)
			snprintf(key, sizeof(key), "%s", rule.id);
		else	/* of an earlier policy of the session: another rule, even under the same id */
			snprintf(key, sizeof(key), "%s@%u", rule.id, c->generation);
		counts_pair(j, key, c);
	}
	json_end_object(j);
}

static void write_coverage(struct work *w, struct json *j)
{
	json_begin_object(j, NULL);
	for (size_t i = 0; i < w->n->coverage_count; i++) {
		const struct event_coverage *c = &w->n->coverage[i];

		json_begin_array(j, c->name);
		json_str(j, NULL, c->state);
		json_str(j, NULL, c->how && *c->how ? c->how : NULL);
		json_end_array(j);
	}
	json_end_object(j);
}

static void write_streams(struct work *w, struct json *j)
{
	json_begin_array(j, NULL);
	for (size_t i = 0; i < w->n->stream_count; i++) {
		const struct event_stream *s = &w->n->streams[i];

		json_begin_array(j, NULL);
		json_u64(j, NULL, s->ring);
		json_u64(j, NULL, s->cpu);
		json_u64(j, NULL, s->high);
		for (size_t k = 0; k < s->hole_count; k++) {
			json_begin_array(j, NULL);
			json_u64(j, NULL, s->holes[k].first);
			json_u64(j, NULL, s->holes[k].last);
			json_end_array(j);
		}
		json_end_array(j);
	}
	json_end_array(j);
}

static void set_totals(struct work *w)
{
	uint64_t refused = 0, would = 0;

	for (size_t i = 0; i < w->n->count_count; i++) {
		refused += w->n->counts[i].refused;
		would += w->n->counts[i].would;
	}
	field_u64(w->set, F_SB_REFUSED, refused);
	field_u64(w->set, F_SB_WOULD, would);
}

/* A rule that was counted by itself shows as the rule of the event. */
static void set_counted_rule(struct work *w)
{
	struct event_rule r;

	if (w->n->kind != NOTICE_COUNTED || w->n->count_count != 1)
		return;
	events_find_rule(w->e, w->n->sandbox, w->n->counts[0].generation, w->n->counts[0].rule, &r);
	field_str(w->set, F_RULE_ID, r.id);
	field_str(w->set, F_RULE_FILE, r.file);
	set_nonzero(w, F_RULE_LINE, r.line);
	field_str(w->set, F_RULE_WHY, r.why);
}

static void set_lists(struct work *w)
{
	const struct event_notice *n = w->n;
	struct buf *b = &w->e->extra;
	struct piece pieces[4];
	size_t count = 0;
	struct json j;

	if (n->count_count) {
		set_totals(w);
		set_counted_rule(w);
		begin_piece(w, &pieces[count++], F_SB_COUNTS, &j);
		write_counts(w, &j);
	}
	if (n->coverage_count) {
		begin_piece(w, &pieces[count++], F_SB_COVERAGE, &j);
		write_coverage(w, &j);
	}
	if (n->kind == NOTICE_HEARTBEAT) {
		begin_piece(w, &pieces[count++], F_SB_STREAMS, &j);
		write_streams(w, &j);
	}
	if (b->err)
		return;
	for (size_t i = 0; i < count; i++) {
		size_t end = i + 1 < count ? pieces[i + 1].at : b->len;

		field_bytes(w->set, pieces[i].field, b->data + pieces[i].at, end - pieces[i].at);
	}
}

/* ---- the sentence ---- */

static void say(struct work *w)
{
	const struct event_notice *n = w->n;
	struct buf *b = &w->e->message;

	buf_add_str(b, w->info->text);
	if (w->sandbox.name || w->sandbox.uid)
		buf_addf(b, ": %s", w->sandbox.name ? w->sandbox.name : w->sandbox.uid);
	if (w->info->class_id == EVENT_CLASS_CONFIG && n->kind != NOTICE_COVERAGE && w->sandbox.policy)
		buf_addf(b, ": %s", w->sandbox.policy);
	if (n->has_ring)
		buf_addf(b, ": %s, cpu %u, numbers %llu to %llu", n->ring ? "telemetry" : "decisions", n->cpu, (unsigned long long)n->first_seq,
			 (unsigned long long)n->last_seq);
	if (n->count_count)
		buf_addf(b, ": %llu refused, %llu would have been", (unsigned long long)w->set->values[F_SB_REFUSED].u,
			 (unsigned long long)w->set->values[F_SB_WOULD].u);
	if (n->killed)
		buf_addf(b, "; %llu killed for it", (unsigned long long)n->killed);
	if (field_has(w->set, F_RULE_ID))
		buf_addf(b, " by rule %s", w->set->values[F_RULE_ID].p);
	if (n->sink)
		buf_addf(b, ": sink %s", n->sink);
	if (w->text->len) {
		buf_add_str(b, ": ");
		buf_add(b, w->text->data, w->text->len);
	}
}

static void set_status(struct work *w)
{
	if (!w->n->status)
		return;
	snprintf(w->e->status, sizeof(w->e->status), "%d", w->n->status);
	field_str(w->set, F_STATUS_CODE, w->e->status);
}

/* Notices have no ring; a number of their own that starts at the boot clock is not used twice, also not by a successor. */
static void make_uid(struct events *e, uint64_t time_ns, uint64_t ms)
{
	uint64_t number = time_ns > e->notice_number ? time_ns : e->notice_number + 1;

	e->notice_number = number;
	events_make_uid(e, ms, 3, number >> 34, number);
}

static void set_common(struct work *w)
{
	const struct event_notice *n = w->n;
	uint64_t ms = events_wall_ms(w->e, n->time_ns);

	make_uid(w->e, n->time_ns, ms);
	events_set_base(w->e, w->info->name, w->info->class_id, w->info->activity, w->info->severity, ms);
	events_set_activity_name(w->e, w->info->name);
	if (*w->e->boot_id)
		field_str(w->set, F_DEVICE_BOOT_UID, w->e->boot_id);
	(void)events_set_sandbox(w->e, n->sandbox, n->generation, &w->sandbox);
	events_set_command(w->e, n->sandbox, n->command);
	set_nonzero(w, F_SB_GENERATION, n->generation);
	field_str(w->set, F_SB_POLICY, w->sandbox.policy);
	field_str(w->set, F_SB_DIGEST, w->sandbox.digest);
}

static void set_rest(struct work *w)
{
	const struct event_notice *n = w->n;

	if (w->info->class_id == EVENT_CLASS_APP)
		set_app(w);
	if (w->info->class_id == EVENT_CLASS_LOG)
		field_bytes(w->set, F_LOG_NAME, "bailiff", 7);
	field_str(w->set, F_ACTOR_INVOKED_BY, n->actor);
	set_nonzero(w, F_COUNT, n->count);
	set_nonzero(w, F_SB_BYTES, n->bytes);
	set_nonzero(w, F_SB_KILLED, n->killed);
	field_str(w->set, F_SB_SINK, n->sink);
	field_str(w->set, F_SB_EVENT, n->event_uid);
	if (w->text->len)
		field_bytes(w->set, F_SB_REASON, w->text->data, w->text->len);
	set_times(w);
	set_range(w);
	set_status(w);
	set_lists(w);
}

int events_notice(struct events *e, const struct event_notice *n, struct buf *line)
{
	struct work w = { .e = e, .n = n, .set = &e->set, .text = &e->command_line };
	unsigned redacted = 0;

	buf_reset(line);
	if ((unsigned)n->kind >= NOTICE_COUNT)
		return -EINVAL;
	w.info = &notices[n->kind];
	buf_reset(w.text);
	if (n->text)
		redacted = redact_add(&e->redact, REDACT_TEXT, n->text, strlen(n->text), false, w.text);
	set_common(&w);
	if (redacted)
		field_u64(w.set, F_SB_REDACTED, redacted);
	set_rest(&w);
	say(&w);
	return events_finish(e, line);
}
