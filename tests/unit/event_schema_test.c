/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema: every kind of event has what the table requires of its class and nothing that the table keeps from it; the table
 * fits OCSF (the compiled public schema, when it is at hand); docs/events.md is what the table says.
 */
#include "base/file.h"
#include "event/parts.h"
#include "event_sample.h"
#include "test.h"
#include <jansson.h>

#define OCSF_FILE "../shared/data/ocsf-" OCSF_VERSION ".json"

static struct events *events;
static struct buf line;

static const struct event_count counts[] = { { 1, 5, 100, 2 }, { 1, RULE_BUILTIN(MOUNT), 1, 0 }, { 0, 5, 3, 0 } };
static const struct event_coverage coverage[] = { { "files", "full", "" }, { "devices", "open", "listed in open:" } };
static const struct event_range holes[] = { { 5, 6 }, { 9, 9 } };
static const struct event_stream streams[] = { { 0, 0, 55, NULL, 0 }, { 1, 3, 900, holes, 2 } };

/* A notice that says all it can. */
static struct event_notice full_notice(enum event_notice_kind kind, bool about_sandbox)
{
	return (struct event_notice){
		.kind = kind, .time_ns = 3600000000000ull, .sandbox = about_sandbox ? SAMPLE_SANDBOX : 0, .generation = about_sandbox,
		.command = about_sandbox ? 2 : 0, .text = "because token=abc", .actor = "uid 0 pid 17 bailiff run", .from_ns = 1, .until_ns = 2,
		.count = 3, .bytes = 4, .has_ring = kind == NOTICE_GAP, .ring = 1, .cpu = 3, .first_seq = 10, .last_seq = 12,
		.counts = about_sandbox ? counts : NULL, .count_count = about_sandbox ? ARRAY_SIZE(counts) : 0, .coverage = coverage,
		.coverage_count = kind == NOTICE_COVERAGE ? 2 : 0, .streams = streams, .stream_count = 2, .sink = "hec", .event_uid = "01X",
		.status = 400,
	};
}

static void check_notice_lines(void (*check)(void))
{
	for (int kind = 0; kind < NOTICE_COUNT; kind++) {
		for (int sandbox = 0; sandbox < 2; sandbox++) {
			struct event_notice bare = { .kind = kind, .time_ns = 5 }, n = full_notice(kind, sandbox);

			CASE("notice %d", kind);
			CHECK_OK(events_notice(events, &n, &line));
			check();
			CHECK_OK(events_notice(events, &bare, &line));
			check();
		}
	}
}

static void check_record(struct sample *s, void (*check)(void))
{
	CHECK_OK(events_record(events, s->bytes, s->head.size, &line));
	check();
	s->head.sandbox = 99;	/* unknown */
	CHECK_OK(events_record(events, s->bytes, s->head.size, &line));
	check();
}

static void check_record_lines(void (*check)(void))
{
	struct sample s;

	sample_exec(&s, "/bin/x", "x\0--password=p", 14);
	check_record(&s, check);
	for (int op = 0; op < ACT_COUNT; op++) {
		for (int form = 0; form < 4; form++) {
			CASE("operation %s form %d", operation_name(op), form);
			sample_decision(&s, op, form, form & 1 ? 5 : RULE_BUILTIN(SELF), form & 1 ? "/a/b" : NULL, form == 3 ? "/c" : NULL);
			s.decision.repeats = form;
			s.decision.arg = form & 2 ? 12ull << 32 | 9 : 0;
			s.decision.verdict = form == 1 ? VERDICT_WOULD_DENY : VERDICT_DENY;
			s.decision.reason = form == 2 ? REASON_RACED : 0;
			if (form & 1)
				s.decision.addr = sample_v4(1, 2, 3, 4, 5);
			check_record(&s, check);
			sample_flow(&s, op, 5, sample_v4(1, 2, 3, 4, 5));
			check_record(&s, check);
			sample_file(&s, op, 5, "/a");
			check_record(&s, check);
		}
	}
	sample_exit(&s, 1 << 8);
	check_record(&s, check);
	sample_exit(&s, 9);
	check_record(&s, check);
}

/* ---- by our own table ---- */

static const json_t *at_path(const json_t *root, const char *path)
{
	char copy[200], *rest = copy, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while (root && (key = strsep(&rest, ".")))
		root = json_object_get(root, key);
	return root;
}

static bool type_fits(enum field_type type, const json_t *v)
{
	switch (type) {
	case FIELD_STRING:
		return json_is_string(v) && json_string_length(v);
	case FIELD_BOOL:
		return json_is_boolean(v);
	case FIELD_JSON:
		return json_is_object(v) || json_is_array(v);
	default:
		return json_is_integer(v);
	}
}

static enum event_class class_of(const json_t *root)
{
	json_int_t uid = json_integer_value(json_object_get(root, "class_uid"));
	enum event_class c = 0;

	while (c < EVENT_CLASS_COUNT && event_class_table[c].uid != uid)
		c++;
	CHECK(c < EVENT_CLASS_COUNT);
	return c;
}

static void check_by_table(void)
{
	json_t *root = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	enum event_class c;

	CHECK(root);
	c = class_of(root);
	for (int f = 0; f < FIELD_COUNT; f++) {
		const struct field_info *i = &field_table[f];
		const json_t *v = at_path(root, i->path);
		bool applies = i->classes >> c & 1;

		CASE("%s in %s", i->path, line.data);
		CHECK(!v || (applies && type_fits(i->type, v)));
		CHECK(v || !applies || i->need != FIELD_REQUIRED);
	}
	json_decref(root);
}

TEST(every_event_has_what_the_table_requires_and_no_more)
{
	events = sample_events();
	check_record_lines(check_by_table);
	check_notice_lines(check_by_table);
}

TEST(fields_of_one_object_stand_together)
{
	for (int f = 1; f < FIELD_COUNT; f++) {
		const char *path = field_table[f].path;

		for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
			size_t n = dot - path + 1;

			if (!strncmp(field_table[f - 1].path, path, n))
				continue;
			for (int before = 0; before < f - 1; before++) {
				CASE("%s comes back to the object of %s", path, field_table[before].path);
				CHECK(strncmp(field_table[before].path, path, n));
			}
		}
	}
}

TEST(fields_have_distinct_paths_that_are_no_objects)
{
	for (int a = 0; a < FIELD_COUNT; a++) {
		for (int b = 0; b < FIELD_COUNT; b++) {
			size_t n = strlen(field_table[a].path);

			CASE("%s and %s", field_table[a].path, field_table[b].path);
			CHECK(a == b || strncmp(field_table[a].path, field_table[b].path, n) || (field_table[b].path[n] && field_table[b].path[n] != '.'));
		}
	}
}

/* ---- by OCSF ---- */

static json_t *ocsf;

static const json_t *ocsf_object(const char *name)
{
	return json_object_get(json_object_get(ocsf, "objects"), name);
}

static bool list_has(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (!strcmp(json_string_value(json_array_get(list, i)), text))
			return true;
	}
	return false;
}

static bool is_integer_type(const char *type)
{
	return !strcmp(type, "integer_t") || !strcmp(type, "long_t") || !strcmp(type, "timestamp_t") || !strcmp(type, "port_t");
}

static void check_object(const json_t *schema, const json_t *object, const json_t *profiles, const char *where);

static void check_value(const json_t *attribute, const json_t *v, const json_t *profiles, const char *where)
{
	const char *type = json_string_value(json_object_get(attribute, "type"));
	const json_t *numbers = json_object_get(attribute, "enum");
	char text[32];

	if (!strcmp(type, "object"))
		return;		/* unmapped: ours */
	if (ocsf_object(type)) {
		CHECK(json_is_object(v));
		check_object(ocsf_object(type), v, profiles, where);
	} else if (is_integer_type(type)) {
		CHECK(json_is_integer(v));
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(v));
		CHECK(!numbers || list_has(numbers, text));
	} else if (!strcmp(type, "boolean_t")) {
		CHECK(json_is_boolean(v));
	} else {
		CHECK(json_is_string(v));
	}
}

static void check_attribute(const json_t *attribute, const json_t *v, const json_t *profiles, const char *where)
{
	const char *profile = json_string_value(json_object_get(attribute, "profile"));
	const json_t *item;
	size_t i;

	CASE("%s in %s", where, line.data);
	CHECK(attribute);
	CHECK(!profile || list_has(profiles, profile));
	if (!json_is_true(json_object_get(attribute, "array"))) {
		check_value(attribute, v, profiles, where);
		return;
	}
	CHECK(json_is_array(v));
	json_array_foreach(v, i, item)
		check_value(attribute, item, profiles, where);
}

static void check_constraints(const json_t *schema, const json_t *object, const char *where)
{
	const json_t *any = json_object_get(json_object_get(schema, "constraints"), "at_least_one");
	bool found = !any;

	for (size_t i = 0; i < json_array_size(any); i++)
		found |= !!json_object_get(object, json_string_value(json_array_get(any, i)));
	CASE("at least one of %s in %s", where, line.data);
	CHECK(found);
}

static void check_object(const json_t *schema, const json_t *object, const json_t *profiles, const char *where)
{
	json_t *attributes = json_object_get(schema, "attributes"), *attribute;
	const json_t *v;
	const char *key;

	json_object_foreach((json_t *)object, key, v) {
		char deeper[200];

		snprintf(deeper, sizeof(deeper), "%s.%s", where, key);
		check_attribute(json_object_get(attributes, key), v, profiles, deeper);
	}
	json_object_foreach(attributes, key, attribute) {
		const char *need = json_string_value(json_object_get(attribute, "requirement"));

		if (!need || strcmp(need, "required") || json_object_get(attribute, "profile"))
			continue;
		CASE("%s.%s is required in %s", where, key, line.data);
		CHECK(json_object_get(object, key));
	}
	check_constraints(schema, object, where);
}

static void check_by_ocsf(void)
{
	json_t *root = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *schema;
	char class_uid[16];

	CHECK(root);
	snprintf(class_uid, sizeof(class_uid), "%u", event_class_table[class_of(root)].uid);
	schema = json_object_get(json_object_get(ocsf, "classes"), class_uid);
	CHECK(schema);
	CHECK_EQ(json_integer_value(json_object_get(schema, "category_uid")), json_integer_value(json_object_get(root, "category_uid")));
	check_object(schema, root, at_path(root, "metadata.profiles"), class_uid);
	json_decref(root);
}

TEST(every_event_is_valid_ocsf)
{
	if (access(OCSF_FILE, R_OK))
		SKIP("the compiled OCSF schema %s is not here", OCSF_FILE);
	ocsf = json_load_file(OCSF_FILE, 0, NULL);
	CHECK(ocsf);
	check_record_lines(check_by_ocsf);
	check_notice_lines(check_by_ocsf);
	json_decref(ocsf);
}

/* ---- the document ---- */

TEST(events_document_is_what_the_table_says)
{
	_buf_ struct buf want = {};
	char *text = NULL;

	fields_document(&want);
	CHECK_OK(file_slurp("docs/events.md", 1 << 20, &text, NULL));
	if (strcmp(text, want.data))
		test_fail(__FILE__, __LINE__, "docs/events.md is old: run make docs");
	free(text);
}

TEST(what_the_tests_held_is_freed)
{
	events_free(events);
	buf_done(&line);
}

TEST_MAIN()
