/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of fields, and the encoder that turns a set of values into one JSON object by it. Objects are not listed
 * anywhere: they follow from the dots in the paths. Before encoding, the plan holds each field's key as JSON and the chain of objects it
 * lies in; encoding is then a walk over the values that are present, opening and closing objects where chains differ.
 */
#include "event/fields.h"

#define CHAIN_MAX 4	/* objects around a field */
#define KEY_BYTES 32	/* "name": of the longest; copied whole */
#define OBJECTS_MAX 64

const struct field_info field_table[FIELD_COUNT] = {
#define X(symbol, path, type, classes, need, text) [F_##symbol] = { path, FIELD_##type, classes, FIELD_##need, text },
	EVENT_FIELDS(X)
#undef X
};

const struct class_info event_class_table[EVENT_CLASS_COUNT] = {
#define X(symbol, uid, name) [EVENT_CLASS_##symbol] = { uid, name },
	EVENT_CLASSES(X)
#undef X
};

struct json_key {
	char text[KEY_BYTES];	/* "name": */
	uint8_t len;
};
struct row {
	struct json_key key;
	uint8_t depth;
	uint8_t chain[CHAIN_MAX];	/* objects from the outside in */
};
struct field_plan {
	struct row rows[FIELD_COUNT];
	struct json_key objects[OBJECTS_MAX];	/* "name":{ */
	const char *paths[OBJECTS_MAX];		/* field_table path whose first path_len bytes name the object */
	size_t path_len[OBJECTS_MAX];
	size_t object_count;
};

static int key_make(struct json_key *k, const char *name, size_t n, bool object)
{
	if (n + 4 > KEY_BYTES)
		return -E2BIG;
	k->text[0] = '"';
	memcpy(k->text + 1, name, n);
	memcpy(k->text + 1 + n, object ? "\":{" : "\":", object ? 3 : 2);
	k->len = n + (object ? 4 : 3);
	return 0;
}

/* The object that path[0..n) names; its own name starts at `name`. */
static int object_find(struct field_plan *p, const char *path, size_t n, size_t name, uint8_t *out)
{
	size_t i;
	int err;

	for (i = 0; i < p->object_count; i++) {
		if (p->path_len[i] == n && !memcmp(p->paths[i], path, n)) {
			*out = i;
			return 0;
		}
	}
	if (i == OBJECTS_MAX)
		return -E2BIG;
	err = key_make(&p->objects[i], path + name, n - name, true);
	if (err)
		return err;
	p->paths[i] = path;
	p->path_len[i] = n;
	p->object_count++;
	*out = i;
	return 0;
}

static int row_make(struct field_plan *p, enum event_field f)
{
	const char *path = field_table[f].path;
	struct row *r = &p->rows[f];
	size_t name = 0;
	const char *dot;

	for (dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
		int err = r->depth < CHAIN_MAX ? object_find(p, path, dot - path, name, &r->chain[r->depth]) : -E2BIG;

		if (err)
			return err;
		r->depth++;
		name = dot + 1 - path;
	}
	return key_make(&r->key, path + name, strlen(path + name), false);
}

int field_plan_new(struct field_plan **out)
{
	_free_ struct field_plan *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	for (enum event_field f = 0; f < FIELD_COUNT; f++) {
		err = row_make(p, f);
		if (err)
			return err;
	}
	*out = steal(&p);
	return 0;
}

void field_plan_free(struct field_plan *p)
{
	free(p);
}

/* The most bytes a set can need: every string all escapes, and key, braces and number of each field. */
static size_t set_room(const struct field_set *s)
{
	size_t room = 64;

	for (size_t w = 0; w < FIELD_WORDS; w++) {
		for (uint64_t bits = s->present[w]; bits; bits &= bits - 1) {
			enum event_field f = w * 64 + __builtin_ctzll(bits);

			room += KEY_BYTES * (CHAIN_MAX + 1) + 64;
			if (field_table[f].type == FIELD_STRING)
				room += s->values[f].n * 6;
			else if (field_table[f].type == FIELD_JSON)
				room += s->values[f].n;
		}
	}
	return room;
}

static inline char *put_key(char *d, const struct json_key *k)
{
	if (d[-1] != '{')
		*d++ = ',';
	memcpy(d, k->text, KEY_BYTES);
	return d + k->len;
}

static char *put_value(char *d, enum field_type type, const struct field_value *v)
{
	switch (type) {
	case FIELD_STRING:
		*d++ = '"';
		d = json_put_text(d, v->p, v->n);
		*d++ = '"';
		return d;
	case FIELD_JSON:
		memcpy(d, v->p, v->n);
		return d + v->n;
	case FIELD_BOOL:
		memcpy(d, v->u ? "true" : "false", v->u ? 4 : 5);
		return d + (v->u ? 4 : 5);
	case FIELD_INT:
		if (v->i < 0)
			*d++ = '-';
		return json_put_u64(d, v->i < 0 ? -(uint64_t)v->i : (uint64_t)v->i);
	case FIELD_UINT:
	case FIELD_TIME:	/* more than 63 bits no reader takes, and nothing of ours has */
		return json_put_u64(d, v->u < INT64_MAX ? v->u : INT64_MAX);
	}
	return d;
}

/* The objects that are open while a line is written. */
struct nest {
	uint8_t depth;
	uint8_t chain[CHAIN_MAX];
};

/* Close and open objects until we are in the row's. */
static inline char *put_chain(char *d, const struct field_plan *p, struct nest *open, const struct row *r)
{
	unsigned same = 0;

	while (same < open->depth && same < r->depth && open->chain[same] == r->chain[same])
		same++;
	for (; open->depth > same; open->depth--)
		*d++ = '}';
	for (; open->depth < r->depth; open->depth++) {
		d = put_key(d, &p->objects[r->chain[open->depth]]);
		open->chain[open->depth] = r->chain[open->depth];
	}
	return d;
}

int field_encode(const struct field_plan *p, const struct field_set *s, struct buf *line)
{
	struct nest open = {};
	char *d;

	if (buf_reserve(line, set_room(s)))
		return line->err;
	d = line->data + line->len;
	*d++ = '{';
	for (size_t w = 0; w < FIELD_WORDS; w++) {
		for (uint64_t bits = s->present[w]; bits; bits &= bits - 1) {
			enum event_field f = w * 64 + __builtin_ctzll(bits);

			d = put_chain(d, p, &open, &p->rows[f]);
			d = put_key(d, &p->rows[f].key);
			d = put_value(d, field_table[f].type, &s->values[f]);
		}
	}
	for (; open.depth; open.depth--)
		*d++ = '}';
	*d++ = '}';
	*d = '\0';
	line->len = d - line->data;
	return 0;
}
