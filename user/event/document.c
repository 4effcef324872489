/* SPDX-License-Identifier: Apache-2.0 */
/* docs/events.md from the tables: what is documented is what is encoded. */
#include "event/event.h"
#include "event/fields.h"

static const char *const type_names[] = {
	[FIELD_STRING] = "string", [FIELD_UINT] = "integer", [FIELD_INT] = "integer", [FIELD_BOOL] = "boolean",
	[FIELD_TIME] = "time (ms)", [FIELD_JSON] = "JSON",
};

static const struct {
	const char *name, *text;
	unsigned class_uid, activity, severity;
} notices[NOTICE_COUNT] = {
#define X(symbol, name, class_uid, activity, severity, text) [NOTICE_##symbol] = { name, text, class_uid, activity, severity },
	EVENT_NOTICES(X)
#undef X
};

static const char head[] =
	"<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
	"<!-- Made by `make docs` from user/event/fields.h and event.h; do not edit. -->\n"
	"# Events\n\n"
	"One event is one line of JSON: OCSF " OCSF_VERSION ", with what OCSF has no place for under `unmapped.sandbox`. What a process says about\n"
	"itself is under `unmapped.claimed` and nowhere else. An absent value is left out; numbers are numbers.\n\n"
	"Text comes from anywhere. A byte that is not valid UTF-8 is written as the text `\\xNN`, and a backslash before an `x` as `\\x5c`, so that\n"
	"nothing is lost; control, bidi and invisible characters are JSON escapes. Secrets in arguments and URLs read `[redacted:xxxxxxxx]`: equal\n"
	"secrets of one host have equal digits.\n\n"
	"Delivery is at least once: `metadata.uid` is an event's identity, equal whenever the same record is encoded, and sorts by time.\n\n"
	"## From the kernel\n\n"
	"| event_code | what | class |\n|---|---|---|\n"
	"| decision | an action that was refused (`action_id` 2), or would have been (3) | by operation: 1001, 1003, 1007, 4001 |\n"
	"| exec | a program was started | 1007 |\n"
	"| exit | a process ended | 1007 |\n"
	"| connect, send, listen, ... | network use that was allowed and that `record:` asks for | 4001 |\n"
	"| open, create, ... | file use that was allowed and that `record:` asks for | 1001 |\n\n"
	"## From the engine\n\n"
	"| event_code | what | class | severity |\n|---|---|---|---|\n";

static void add_classes(struct buf *out, unsigned classes)
{
	const char *between = "";

	if (classes == IN_ALL) {
		buf_add_str(out, "all");
		return;
	}
	for (int c = 0; c < EVENT_CLASS_COUNT; c++) {
		if (!(classes & 1u << c))
			continue;
		buf_addf(out, "%s%u", between, event_class_table[c].uid);
		between = ", ";
	}
}

void fields_document(struct buf *out)
{
	buf_add_str(out, head);
	for (int i = 0; i < NOTICE_COUNT; i++)
		buf_addf(out, "| %s | %s | %u | %u |\n", notices[i].name, notices[i].text, notices[i].class_uid, notices[i].severity);
	buf_add_str(out, "\n## Classes\n\n| class_uid | name |\n|---|---|\n");
	for (int c = 0; c < EVENT_CLASS_COUNT; c++)
		buf_addf(out, "| %u | %s |\n", event_class_table[c].uid, event_class_table[c].name);
	buf_add_str(out, "\n## Fields\n\nIn the order of a line. \"always\": in every event of these classes.\n\n"
			 "| field | type | classes | always | what it says |\n|---|---|---|---|---|\n");
	for (int f = 0; f < FIELD_COUNT; f++) {
		const struct field_info *i = &field_table[f];

		buf_addf(out, "| `%s` | %s | ", i->path, type_names[i->type]);
		add_classes(out, i->classes);
		buf_addf(out, " | %s | %s |\n", i->need == FIELD_REQUIRED ? "yes" : "", i->text);
	}
}
