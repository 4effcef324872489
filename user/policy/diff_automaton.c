/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image as a table over clean paths, and several such tables run side by side. Only what an image says of bytes is asked
 * (policy_image_step), so that its layout is nobody's business here.
 */
#include "policy/diff.h"

/* ---- clean paths: absolute, no empty, "." or ".." component, no "/" at the end but the root's ---- */

enum clean { CLEAN_START, CLEAN_ROOT, CLEAN_SLASH, CLEAN_DOT, CLEAN_DOTS, CLEAN_NAME, CLEAN_NOT };

static enum clean clean_step(enum clean at, uint8_t byte)
{
	if (at == CLEAN_START)
		return byte == '/' ? CLEAN_ROOT : CLEAN_NOT;
	if (!byte || (byte == '/' && at != CLEAN_NAME))
		return CLEAN_NOT;
	if (byte == '/')
		return CLEAN_SLASH;
	if (byte == '.' && (at == CLEAN_ROOT || at == CLEAN_SLASH))
		return CLEAN_DOT;
	return byte == '.' && at == CLEAN_DOT ? CLEAN_DOTS : CLEAN_NAME;
}

static bool clean_ends(enum clean at)
{
	return at == CLEAN_ROOT || at == CLEAN_NAME;
}

/* ---- one image ---- */

struct spot {
	struct policy_walk walk;
	uint32_t clean;
};
struct builder {
	const struct policy_image *img;
	struct automaton *out;
	struct intern places;
	uint8_t first[256], parent[256];	/* of each class */
};

static int place_step(struct builder *b, struct spot from, uint8_t byte, uint32_t *to)
{
	from.clean = clean_step(from.clean, byte);
	*to = STATE_DEAD;
	if (from.clean == CLEAN_NOT)
		return 0;
	policy_image_step(b->img, &from.walk, byte);
	return intern_add(&b->places, &from, sizeof(from), to);
}

/* Bytes are one class until a state tells them apart. A class keeps its first byte; those that part from it make classes of their own. */
static void classes_split(struct builder *b, const uint32_t *to)
{
	struct automaton *a = b->out;
	uint32_t before = a->class_count, k;

	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t old = a->class_of[byte];

		if (to[byte] == to[b->first[old]])
			continue;
		for (k = before; k < a->class_count; k++) {
			if (b->parent[k] == old && to[b->first[k]] == to[byte])
				break;
		}
		if (k == a->class_count) {
			b->first[k] = byte;
			b->parent[k] = old;
			a->class_count++;
		}
		a->class_of[byte] = k;
	}
}

static struct spot place_get(const struct builder *b, uint32_t number)
{
	struct spot place;

	memcpy(&place, intern_get(&b->places, number, NULL), sizeof(place));
	return place;
}

static int places_find(struct builder *b)
{
	struct spot start = { .clean = CLEAN_START };
	uint32_t to[256];
	int err;

	policy_image_walk(b->img, &start.walk);
	err = intern_add(&b->places, &start, sizeof(start), &to[0]);
	b->out->class_count = 1;
	for (uint32_t i = 0; !err && i < b->places.count; i++) {
		for (unsigned byte = 0; byte < 256 && !err; byte++)
			err = place_step(b, place_get(b, i), byte, &to[byte]);
		if (!err)
			classes_split(b, to);
		if (!err && b->places.count > DIFF_STATES_MAX)
			err = -E2BIG;
	}
	return err;
}

static int place_row(struct builder *b, const struct spot *place, uint32_t *out)
{
	struct verdict_row row = {};
	struct policy_verdict v;

	*out = ROW_NO_PATH;
	if (!clean_ends(place->clean))
		return 0;
	for (int verb = 0; verb < VERB_PATH_COUNT; verb++) {
		policy_image_verdict(b->img, &place->walk, verb, &v);
		row.rule[verb] = v.rule;
		row.allowed |= (uint32_t)v.allowed << verb;
	}
	return intern_add(&b->out->rows, &row, sizeof(row), out);
}

/* Of the bytes of a class the one that a person would have typed. */
static void bytes_choose(struct automaton *a)
{
	static const char liked[] = "xyzabcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+,:=@%~";

	for (int byte = 255; byte >= 0; byte--)
		a->byte_of[a->class_of[byte]] = byte;
	for (size_t i = sizeof(liked) - 1; i--;)
		a->byte_of[a->class_of[(uint8_t)liked[i]]] = liked[i];
}

static int table_fill(struct builder *b)
{
	struct automaton *a = b->out;
	size_t width = a->class_count, n = b->places.count;
	int err = 0;

	if (n * width > DIFF_CELLS_MAX)
		return -E2BIG;
	a->next = calloc(n, width * sizeof(*a->next));
	a->row = calloc(n, sizeof(*a->row));
	if (!a->next || !a->row)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		struct spot place = place_get(b, i);

		err = place_row(b, &place, &a->row[i]);
		for (uint32_t k = 0; k < width && !err; k++)
			err = place_step(b, place, a->byte_of[k], &a->next[i * width + k]);
	}
	a->state_count = n;
	return err;
}

int automaton_make(const struct policy_image *img, struct automaton *out)
{
	struct builder b = { .img = img, .out = out };
	int err;

	*out = (struct automaton){};
	err = places_find(&b);
	if (!err) {
		bytes_choose(out);
		err = table_fill(&b);
	}
	intern_done(&b.places);
	return err;
}

void automaton_done(struct automaton *a)
{
	free(a->next);
	free(a->row);
	intern_done(&a->rows);
	*a = (struct automaton){};
}

/* ---- several ---- */

/* One byte for each combination of classes; where a choice is left, what the first automaton likes, then the later ones. */
static int product_bytes(struct product *p)
{
	_cleanup_(intern_done) struct intern classes = {};
	uint32_t number;
	uint8_t key[PRODUCT_MAX] = {};

	p->byte_count = 0;
	for (unsigned like = 0; like < 3; like++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			bool letter = byte >= 'a' && byte <= 'z', plain = byte > 0x20 && byte < 0x7f;

			if (like != (letter ? 0u : plain ? 1u : 2u))
				continue;
			for (unsigned i = 0; i < p->width; i++)
				key[i] = p->of[i]->class_of[byte];
			if (intern_add(&classes, key, p->width, &number))
				return -ENOMEM;
			if (number == p->byte_count)
				p->bytes[p->byte_count++] = byte;
		}
	}
	return 0;
}

/* The arrays beside the tuples grow with them. */
static int product_add(struct product *p, const uint32_t *tuple, uint32_t parent, uint8_t by, uint32_t *number)
{
	size_t before = p->tuples.count, room;
	uint32_t *parents;
	uint8_t *bytes;

	if (intern_add(&p->tuples, tuple, p->width * sizeof(*tuple), number))
		return -ENOMEM;
	if (p->tuples.count == before)
		return 0;
	if (!(before & (before - 1))) {
		room = before ? before * 2 : 1;
		parents = reallocarray(p->parent, room, sizeof(*parents));
		p->parent = parents ? parents : p->parent;
		bytes = realloc(p->by, room);
		p->by = bytes ? bytes : p->by;
		if (!parents || !bytes)
			return -ENOMEM;
	}
	p->parent[before] = parent;
	p->by[before] = by;
	return p->tuples.count > p->limit ? -E2BIG : 0;
}

static int product_step(struct product *p, uint32_t number, const uint32_t *from)
{
	uint32_t to[PRODUCT_MAX], ignored;
	int err = 0;

	for (unsigned i = 0; i < p->byte_count && !err; i++) {
		bool dead = false;

		for (unsigned k = 0; k < p->width; k++) {
			const struct automaton *a = p->of[k];

			to[k] = a->next[(size_t)from[k] * a->class_count + a->class_of[p->bytes[i]]];
			dead |= to[k] == STATE_DEAD;
		}
		if (!dead && (!p->wanted || p->wanted(to, p->ctx)))
			err = product_add(p, to, number, p->bytes[i], &ignored);
	}
	return err;
}

int product_walk(struct product *p)
{
	uint32_t from[PRODUCT_MAX] = {}, number, level_end = 1, depth = 0;
	int err = product_bytes(p);

	if (!err)
		err = product_add(p, from, 0, 0, &number);
	for (uint32_t i = 0; !err && i < p->tuples.count; i++) {
		if (i == level_end) {
			level_end = p->tuples.count;
			depth++;
		}
		memcpy(from, intern_get(&p->tuples, i, NULL), p->width * sizeof(from[0]));
		if (p->of[0]->row[from[0]] != ROW_NO_PATH && !p->visit(i, from, p->ctx))
			break;
		if (depth < PATH_BYTES - 1)	/* a longer path is none */
			err = product_step(p, i, from);
	}
	return err;
}

int product_path(const struct product *p, uint32_t number, struct buf *out)
{
	for (uint32_t i = number; i; i = p->parent[i])
		buf_add_char(out, p->by[i]);
	for (size_t i = 0; !out->err && i < out->len / 2; i++) {
		char c = out->data[i];

		out->data[i] = out->data[out->len - 1 - i];
		out->data[out->len - 1 - i] = c;
	}
	return out->err;
}

void product_done(struct product *p)
{
	intern_done(&p->tuples);
	free(p->parent);
	free(p->by);
}
