/* SPDX-License-Identifier: Apache-2.0 */
/* Records encoded, and their lines parsed by a library that is not ours. */
#ifndef TESTS_UNIT_EVENT_RECORD_HELP_H
#define TESTS_UNIT_EVENT_RECORD_HELP_H

#include "event/parts.h"
#include "event_sample.h"
#include "test.h"
#include <jansson.h>

static struct events *events;
static struct buf line;
static json_t *root;

static inline void begin(void)
{
	events_free(events);
	json_decref(root);
	root = NULL;
	events = sample_events();
	CHECK(events);
}

static inline void encode(struct sample *s)
{
	CHECK_OK(events_record(events, s->bytes, s->head.size, &line));
	CHECK_EQ(strlen(line.data), line.len);
	json_decref(root);
	root = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	CHECK(root);
}

/* The value at a path of the last line, as text; "" when absent. */
static inline const char *get(const char *path)
{
	static char text[512];
	const json_t *node = root;
	char copy[200], *rest = copy, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((key = strsep(&rest, ".")))
		node = json_object_get(node, key);
	if (json_is_integer(node))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(node));
	else if (json_is_boolean(node))
		snprintf(text, sizeof(text), "%s", json_is_true(node) ? "true" : "false");
	else
		snprintf(text, sizeof(text), "%s", json_string_value(node) ? json_string_value(node) : "");
	return text;
}

struct expected {
	const char *path, *value;
};

static inline void expect(const struct expected *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CASE("%s in %s", e[i].path, line.data);
		CHECK_STR(get(e[i].path), e[i].value);
	}
	CASE("%s", "");
}
#define EXPECT(...) expect((const struct expected[]){ __VA_ARGS__ }, ARRAY_SIZE(((const struct expected[]){ __VA_ARGS__ })))

static inline void exec_bash_then_python(void)
{
	struct sample s;

	sample_exec(&s, "/usr/bin/bash", "bash\0-c\0make test", 17);
	s.head.tgid = s.head.pid = 4200;
	s.head.start_ns = 3598000000000ull;
	s.head.parent_tgid = 4100;
	s.head.parent_start_ns = 3597000000000ull;
	strcpy(s.head.comm, "bash");
	encode(&s);
	sample_exec(&s, "/usr/bin/python3.11", "python3\0-m\0pytest\0--token=abc", 30);
	encode(&s);
}

#endif
