/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a ring record: refused, or one line of JSON that jansson takes, that reads back, and that no terminal minds. */
#include "event/event.h"
#include <jansson.h>

static int find_nothing(void *ctx, uint64_t sandbox, uint32_t generation, struct event_sandbox *out)
{
	(void)ctx;
	(void)generation;
	*out = (struct event_sandbox){ .uid = "01KB1M5XYZ8Q4R7T2V9W3C6D5E", .name = "x" };
	return sandbox & 1 ? 0 : -ENOENT;
}

static int find_command(void *ctx, uint64_t sandbox, uint32_t command, struct event_command *out)
{
	(void)ctx;
	(void)sandbox;
	(void)command;
	(void)out;
	return -ENOENT;
}

static int find_rule(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out)
{
	(void)ctx;
	(void)sandbox;
	(void)generation;
	*out = (struct event_rule){ .id = "r", .file = "f", .line = rule };
	return rule & 1 ? 0 : -ENOENT;
}

static void check_line(const struct buf *line)
{
	json_t *root = json_loadb(line->data, line->len, JSON_REJECT_DUPLICATES, NULL);
	_buf_ struct buf shown = {};
	struct event_view v;

	if (!root || memchr(line->data, '\n', line->len) || event_view_parse(line->data, line->len, &v))
		abort();
	json_decref(root);
	event_print_line(&v, false, &shown);
	event_view_done(&v);
	for (size_t i = 0; i + 1 < shown.len; i++) {
		if ((unsigned char)shown.data[i] < 0x20 || shown.data[i] == 0x7f)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct event_options o = {
		.host = "h", .boot_id = "b", .version = "v", .wall_offset_ns = 1795505400000000000ll,
		.redact_key = "0123456789abcdef0123456789abcdef", .redact_key_bytes = 32, .max_processes = 8,
		.source = { .sandbox = find_nothing, .command = find_command, .rule = find_rule },
	};
	static struct events *events;	/* kept: the process tree is a part of what is fuzzed */
	static struct buf line;
	int err;

	if (!events && events_new(&o, &events))
		abort();
	err = events_record(events, data, size, &line);
	if (err && err != -EBADMSG)
		abort();
	if (!err)
		check_line(&line);
	return 0;
}
