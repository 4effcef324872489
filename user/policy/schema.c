/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON Schema (2020-12) of the language, from the tables that the parser reads by. Editors complete and explain keys from it. A shape
 * with a name is written once, under $defs.
 */
#include "policy/model.h"

#define DEFS_MAX 64

struct schema {
	struct json j;
	const struct shape *defs[DEFS_MAX];
	size_t def_count;
};

static void shape_add(struct schema *s, const struct shape *shape);

/* A number in YAML is a text for us, and so is true. */
static void types_add(struct schema *s, const struct shape *shape)
{
	if (!shape->number) {
		json_str(&s->j, "type", "string");
		return;
	}
	json_begin_array(&s->j, "type");
	json_str(&s->j, NULL, "string");
	json_str(&s->j, NULL, "number");
	json_str(&s->j, NULL, "boolean");
	json_end_array(&s->j);
}

static void words_add(struct schema *s, const struct shape *shape)
{
	json_begin_array(&s->j, "enum");
	for (const char *const *word = shape->words; *word; word++) {
		if (shape->number)
			json_u64(&s->j, NULL, strtoull(*word, NULL, 10));
		json_str(&s->j, NULL, *word);
	}
	json_end_array(&s->j);
}

/* Either of two, the second perhaps a list of at least one of the first. */
static void choice_add(struct schema *s, const struct shape *shape)
{
	json_begin_array(&s->j, "anyOf");
	json_begin_object(&s->j, NULL);
	shape_add(s, shape->of);
	json_end_object(&s->j);
	json_begin_object(&s->j, NULL);
	if (shape->kind == SHAPE_EITHER) {
		shape_add(s, shape->other);
	} else {
		json_str(&s->j, "type", "array");
		json_begin_object(&s->j, "items");
		shape_add(s, shape->of);
		json_end_object(&s->j);
		json_u64(&s->j, "minItems", 1);
	}
	json_end_object(&s->j);
	json_end_array(&s->j);
}

static void named_add(struct schema *s, const struct shape *shape)
{
	json_str(&s->j, "type", "object");
	if (shape->pattern) {
		json_begin_object(&s->j, "propertyNames");
		json_str(&s->j, "pattern", shape->pattern);
		json_end_object(&s->j);
	}
	json_begin_object(&s->j, "additionalProperties");
	shape_add(s, shape->of);
	json_end_object(&s->j);
	if (shape->single || shape->filled)
		json_u64(&s->j, "minProperties", 1);
	if (shape->single)
		json_u64(&s->j, "maxProperties", 1);
}

static bool field_shown(const struct field *f)
{
	return f->read && !f->misplaced;
}

static void field_add(struct schema *s, const struct field *f)
{
	_buf_ struct buf about = {};

	buf_addf(&about, "%s%s", f->about ? f->about : "", f->unbuilt ? " (Not enforced by this version.)" : "");
	json_begin_object(&s->j, f->name);
	if (about.len)
		json_str(&s->j, "description", about.data);
	if (f->shape)
		shape_add(s, f->shape);
	json_end_object(&s->j);
}

static void fields_add(struct schema *s, const struct shape *shape)
{
	size_t required = 0;

	json_str(&s->j, "type", "object");
	json_begin_object(&s->j, "properties");
	for (size_t i = 0; i < shape->field_count; i++) {
		if (field_shown(&shape->fields[i]))
			field_add(s, &shape->fields[i]);
		required += shape->fields[i].required;
	}
	json_end_object(&s->j);
	if (required)
		json_begin_array(&s->j, "required");
	for (size_t i = 0; i < shape->field_count; i++) {
		if (shape->fields[i].required)
			json_str(&s->j, NULL, shape->fields[i].name);
	}
	if (required)
		json_end_array(&s->j);
	if (shape->filled)
		json_u64(&s->j, "minProperties", 1);
	json_bool(&s->j, "additionalProperties", false);
}

static void shape_spell(struct schema *s, const struct shape *shape)
{
	switch (shape->kind) {
	case SHAPE_TEXT:
		types_add(s, shape);
		if (shape->pattern)
			json_str(&s->j, "pattern", shape->pattern);
		break;
	case SHAPE_WORD:
		words_add(s, shape);
		break;
	case SHAPE_LIST:
		json_str(&s->j, "type", "array");
		json_begin_object(&s->j, "items");
		shape_add(s, shape->of);
		json_end_object(&s->j);
		if (shape->filled)
			json_u64(&s->j, "minItems", 1);
		break;
	case SHAPE_SOME:
	case SHAPE_EITHER:
		choice_add(s, shape);
		break;
	case SHAPE_NAMED:
		named_add(s, shape);
		break;
	case SHAPE_FIELDS:
		fields_add(s, shape);
		break;
	}
}

static void def_note(struct schema *s, const struct shape *shape)
{
	for (size_t i = 0; i < s->def_count; i++) {
		if (s->defs[i] == shape)
			return;
	}
	if (s->def_count < DEFS_MAX)
		s->defs[s->def_count++] = shape;
}

static void shape_add(struct schema *s, const struct shape *shape)
{
	_buf_ struct buf ref = {};

	if (!shape->name) {
		shape_spell(s, shape);
		return;
	}
	def_note(s, shape);
	buf_addf(&ref, "#/$defs/%s", shape->name);
	json_str(&s->j, "$ref", ref.data);
}

static void document_add(struct schema *s, const struct shape *root, const char *title, const char *about)
{
	json_begin_object(&s->j, NULL);
	json_str(&s->j, "$schema", "https://json-schema.org/draft/2020-12/schema");
	json_str(&s->j, "title", title);
	json_str(&s->j, "description", about);
	shape_spell(s, root);
	json_begin_object(&s->j, "$defs");
	for (size_t i = 0; i < s->def_count; i++) {	/* grows while it is walked */
		json_begin_object(&s->j, s->defs[i]->name);
		shape_spell(s, s->defs[i]);
		json_end_object(&s->j);
	}
	json_end_object(&s->j);
	json_end_object(&s->j);
}

/* One member of an object a line: for people, and for diffs. Lists of words stay on one. */
static void spread(struct buf *out, const char *json)
{
	bool in_string = false;
	char open[32] = {};
	unsigned depth = 0;

	for (const char *c = json; *c; c++) {
		bool structural = !in_string && strchr("{}[],:", *c);

		if (*c == '"')
			in_string = !in_string;
		if (in_string && *c == '\\')
			buf_add_char(out, *c++);
		if (structural && *c == '}')
			buf_addf(out, "\n%*s", 2 * (depth - 1), "");
		buf_add_char(out, *c);
		if (structural && (*c == '{' || *c == '['))
			open[depth++ % sizeof(open)] = *c;
		if (structural && (*c == '}' || *c == ']'))
			depth--;
		if (structural && (*c == '{' || (*c == ',' && depth && open[(depth - 1) % sizeof(open)] == '{')))
			buf_addf(out, "\n%*s", 2 * depth, "");
		else if (structural && (*c == ',' || *c == ':'))
			buf_add_char(out, ' ');
	}
	buf_add_char(out, '\n');
}

static int schema_make(const struct shape *root, const char *title, const char *about, struct buf *out)
{
	_buf_ struct buf compact = {};
	struct schema s = {};

	json_init(&s.j, &compact);
	document_add(&s, root, title, about);
	if (!compact.err)
		spread(out, compact.data);
	return compact.err ? compact.err : out->err;
}

#define MADE_BY(command) "Made by `" command "` from the tables of the parser; what else has to be right, `bailiff policy check` says."

int policy_schema(struct buf *out)
{
	return schema_make(&shape_policy, "Bailiff policy", "What an AI agent may do. " MADE_BY("bailiff policy schema"), out);
}

int binding_schema(struct buf *out)
{
	return schema_make(&shape_binding, "Bailiff binding", "Where a policy applies, and how far it is trusted. " MADE_BY("bailiff policy schema --binding"),
			   out);
}
