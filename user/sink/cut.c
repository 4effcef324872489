/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events too long for a receiver. Texts are cut, longest first, until the whole fits; what the event is about (numbers, ids, names) stays.
 * `unmapped.truncated` says so beside the original length, and the journal keeps the whole.
 */
#include <jansson.h>
#include <stdio.h>
#include "sink/dialect.h"

#define CUT_FIRST	(64u << 10)
#define CUT_LAST	16u
#define DUMP_FLAGS	(JSON_COMPACT | JSON_ENSURE_ASCII)

/* Not in the middle of a character. */
static size_t whole_characters(const char *s, size_t n)
{
	while (n && ((unsigned char)s[n] & 0xc0) == 0x80)
		n--;
	return n;
}

static void cut_texts(json_t *v, size_t longest)
{
	const char *key;
	json_t *item;
	size_t i;

	if (json_is_string(v) && json_string_length(v) > longest)
		(void)json_string_setn(v, json_string_value(v), whole_characters(json_string_value(v), longest));
	json_object_foreach(v, key, item)
		cut_texts(item, longest);
	json_array_foreach(v, i, item)
		cut_texts(item, longest);
}

static int mark(json_t *event, size_t n)
{
	json_t *unmapped = json_object_get(event, "unmapped");

	if (!unmapped) {
		unmapped = json_object();
		if (json_object_set_new(event, "unmapped", unmapped))
			return -ENOMEM;
	}
	if (!json_is_object(unmapped))
		return -EBADMSG;
	if (json_object_set_new(unmapped, "truncated", json_true()) || json_object_set_new(unmapped, "original_bytes", json_integer(n)))
		return -ENOMEM;
	return 0;
}

static int dump(const json_t *event, struct buf *out)
{
	_free_ char *text = json_dumps(event, DUMP_FLAGS);

	if (!text)
		return -ENOMEM;
	buf_add_str(out, text);
	return out->err;
}

/* What is not our JSON, or does not fit without its texts: who it was, and that it is in the journal. */
static int stub(const char *line, size_t n, struct buf *out)
{
	char uid[128];
	struct json j;

	event_uid(line, n, uid, sizeof(uid));
	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_begin_object(&j, "metadata");
	json_str(&j, "uid", uid);
	json_end_object(&j);
	json_begin_object(&j, "unmapped");
	json_bool(&j, "truncated", true);
	json_u64(&j, "original_bytes", n);
	json_end_object(&j);
	json_end_object(&j);
	return out->err;
}

int event_cut(const char *line, size_t n, size_t limit, struct buf *out)
{
	json_t *event = json_loadb(line, n, 0, NULL);
	size_t start = out->len;
	int err = json_is_object(event) ? mark(event, n) : -EBADMSG;

	for (size_t longest = CUT_FIRST; !err && longest >= CUT_LAST; longest /= 4) {
		cut_texts(event, longest);
		out->len = start;
		err = dump(event, out);
		if (!err && out->len - start <= limit)
			break;
	}
	json_decref(event);
	if (err == -EBADMSG || (!err && out->len - start > limit)) {
		out->len = start;
		err = stub(line, n, out);
	}
	return err;
}

void event_uid(const char *line, size_t n, char *out, size_t size)
{
	json_t *event = json_loadb(line, n, 0, NULL);
	const char *uid = json_string_value(json_object_get(json_object_get(event, "metadata"), "uid"));

	snprintf(out, size, "%s", uid ? uid : "");
	json_decref(event);
}
