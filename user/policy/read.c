/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a text to a policy: the document's own keys, its presets, and the order in which all that is read. Parameters come
 * first, since every path may name one. A finding never hides another: each value is judged by itself, and what depends on a
 * wrong one is not judged at all.
 */
#include "policy/model.h"

/* ---- the document's keys ---- */

static bool read_version(struct reader *r, const struct yaml_node *n, void *policy)
{
	(void)policy;
	if (n->kind == YAML_SCALAR && !strcmp(n->text, "1"))
		return true;
	READ_ERROR(r, n, CODE("version") "this program reads version 1 of the language" HELP "write \"version: 1\"");
	return false;
}

static bool read_name(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;

	if (r->preset)
		return true;	/* known by the name it was asked for */
	if (!read_text(r, n, "the policy's name", &p->name))
		return false;
	if (n->len <= 64 && strspn(n->text, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n->len)
		return true;
	READ_ERROR(r, n, CODE("bad-name") "a policy's name has up to 64 of a-z 0-9 - _ ." HELP "write it small, with \"-\" between words");
	return false;
}

static bool read_owner(struct reader *r, const struct yaml_node *n, void *policy)
{
	return read_text(r, n, "owner", &((struct policy *)policy)->owner);
}

static bool read_about(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;
	_free_ char *ignored = NULL;

	return read_text(r, n, "about", r->preset ? &ignored : &p->about);
}

static const char *const class_words[] = {
#define X(symbol, word, built) word,
	POLICY_CLASSES(X)
#undef X
	NULL,
};

static bool read_within(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;

	p->within_at = PLACE(r->file, n);
	return read_text(r, n, "within", &p->within);
}

static bool read_open(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;
	bool good = true;

	if (!read_is_list(r, n, "open"))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		int word = read_word(r, n->items[i], "a class", class_words);

		if (word < 0)
			good = false;
		else
			p->open |= 1u << word;
		if (word >= 0 && !r->preset)
			p->own_open |= 1u << word;
	}
	if (!r->preset)
		p->open_at = PLACE(r->file, n);
	return good;
}


static bool read_record(struct reader *r, const struct yaml_node *n, void *policy)
{
	struct policy *p = policy;
	bool good = read_is_list(r, n, "record");

	p->record = 0;
	p->record_given = true;
	for (size_t i = 0; good && i < n->count; i++) {
		int kind = read_word(r, n->items[i], "a kind of record", record_words);

		if (kind >= RECORD_KINDS)
			say_unbuilt(r, n->items[i], "remove it", "recording \"%s\" is not built yet", record_words[kind]);
		if (kind >= 0)
			p->record |= 1u << kind;
	}
	return good;
}

static bool read_uses(struct reader *r, const struct yaml_node *n, void *policy);

static const struct shape shape_preset = { .kind = SHAPE_WORD, .words = preset_words };
static const struct shape shape_uses = { .kind = SHAPE_LIST, .of = &shape_preset };
static const struct shape shape_class = { .kind = SHAPE_WORD, .words = class_words };
static const struct shape shape_open = { .kind = SHAPE_LIST, .of = &shape_class };
static const struct shape shape_kind = { .kind = SHAPE_WORD, .words = record_words };
static const struct shape shape_record = { .kind = SHAPE_LIST, .of = &shape_kind };

static const struct field document_fields[] = {
	NEEDED("version", read_version, &shape_version, "The version of the language: 1."),
	NEEDED("policy", read_name, &shape_name, "The policy's name: up to 64 of a-z 0-9 - _ ."),
	FIELD("owner", read_owner, &shape_text, "Whom a refused person should ask."),
	FIELD("about", read_about, &shape_text, "What the policy is for."),
	FIELD("params", read_params, &shape_params, "Values that whoever starts the sandbox gives: a name and its type, path or to."),
	FIELD("uses", read_uses, &shape_uses, "Presets: their allows and denies are united with this policy's own."),
	FIELD("within", read_within, &shape_text, "A ceiling: a policy that has to allow whatever this one allows."),
	FIELD("open", read_open, &shape_open, "Classes left ungoverned on purpose. What no rule decides is allowed in them."),
	FIELD("files", read_files, &shape_files, "What may be done to files, by verb; what is not listed is refused."),
	FIELD("network", read_network, &shape_network, "Where the network may be used; what is not listed is refused."),
	FIELD("sockets", read_sockets, &shape_sockets, "Unix sockets; what is not listed is refused."),
	FIELD("devices", read_devices, &shape_devices, "Device nodes that may be used, by group or path; what is not listed is refused."),
	FIELD("calls", read_calls, &shape_calls, "Groups of system calls beyond what every sandbox has."),
	FIELD("privileges", read_privileges, &shape_privileges, "Capabilities and set-id programs; what is not listed is refused."),
	FIELD("limits", read_limits, &shape_limits, "How much at most; what is not listed is not limited."),
	FIELD("session", read_session, &shape_session, "The workspace, the environment's variables, and what may outlive the session."),
	FIELD("labels", read_labels, &shape_labels, "What reading makes of a sandbox: afterwards only some rules of a class are left."),
	FIELD("record", read_record, &shape_record, "What is recorded besides refusals, which always are; without it exec and connect."),
	FIELD("tests", read_tests, &shape_tests, "Questions and the answers they have to get, run by `bailiff policy check`."),
	FIELD("on_refusal", read_on_refusal, &shape_on_refusal, "What follows a refusal besides it: the first entry that matches."),
};
const struct shape shape_policy = SHAPE_OF_FIELDS(document_fields);

/* Presets are ours: no editor asks. */
static const struct field preset_fields[] = {
	FIELD("version", read_version), FIELD("policy", read_name), FIELD("about", read_about), FIELD("params", read_preset_params),
	FIELD("open", read_open), FIELD("files", read_files), FIELD("network", read_network), FIELD("sockets", read_sockets),
	FIELD("calls", read_calls), FIELD("devices", read_devices), FIELD("privileges", read_privileges), FIELD("session", read_session),
	FIELD("tests", read_preset_tests),
};

static void note_lines(struct policy *p, const struct yaml_node *tree)
{
	for (size_t i = 0; tree->kind == YAML_MAP && i < PC_COUNT; i++) {
		for (size_t k = 0; k < tree->count; k++) {
			const struct yaml_node *key = tree->keys[k];
			bool own = !strcmp(key->text, class_table[i].word);

			if (own || (!p->class_line[i] && !strcmp(key->text, "policy")))
				p->class_line[i] = key->line;
			if (own)
				p->named |= 1u << i;
		}
	}
}

/* One text; file and preset already stand in the policy, so that rules may point at them. */
static void read_document(struct reader *r, const char *text, size_t len)
{
	struct yaml_node *tree;

	if (!read_tree(r, text, len, &tree))
		return;
	if (r->preset)
		read_fields(r, tree, "a preset", preset_fields, ARRAY_SIZE(preset_fields), r->p);
	else
		note_lines(r->p, tree);
	if (!r->preset)
		read_fields(r, tree, "a policy", document_fields, ARRAY_SIZE(document_fields), r->p);
	key_needed(r, tree, "version", "the document has no \"version\"", "begin it with \"version: 1\"");
	key_needed(r, tree, "policy", "the policy has no name", "add \"policy: name\"");
	yaml_free(tree);
}

static bool file_add(struct policy *p, struct diags *d, const char *file, const char *preset)
{
	char **files = p->files, **presets = p->presets;
	size_t count = p->file_count;
	char **f = vec_push(d, &files, &count, sizeof(*f)), **name;

	p->files = files;
	if (!f)
		return false;
	name = vec_push(d, &presets, &p->file_count, sizeof(*name));
	p->presets = presets;
	if (!name)
		return false;
	*f = diag_strdup(d, file);
	*name = preset ? diag_strdup(d, preset) : NULL;
	return *f && (*name || !preset);
}

static bool preset_use(struct reader *r, const struct yaml_node *n, int word, const char *const *names)
{
	struct policy *p = r->p;
	_buf_ struct buf file = {};
	struct reader inner = *r;

	for (size_t i = 1; i < p->file_count; i++) {
		if (!strcmp(p->presets[i], names[word])) {
			READ_ERROR(r, n, CODE("twice") "preset %s is listed twice" HELP "remove one", names[word]);
			return false;
		}
	}
	buf_addf(&file, "preset:%s", names[word]);
	if (file.err || !file_add(p, r->d, file.data, names[word]))
		return false;
	inner.file = p->files[p->file_count - 1];
	inner.preset = p->presets[p->file_count - 1];
	inner.used_at = n;
	read_document(&inner, policy_preset(inner.preset), strlen(policy_preset(inner.preset)));
	return true;
}

static bool read_uses(struct reader *r, const struct yaml_node *n, void *policy)
{
	bool good = true;

	(void)policy;
	if (!read_is_list(r, n, "uses"))
		return false;
	for (size_t i = 0; i < n->count; i++) {
		int word = read_word(r, n->items[i], "a preset", preset_words);

		good &= word >= 0 && preset_use(r, n->items[i], word, preset_words);
	}
	return good;
}

/* ---- the whole ---- */

/* What a preset leaves open only because nobody enforces it yet is not open where the policy itself has rules of it: they mean something. */
static void open_settle(struct policy *p)
{
	for (int i = 0; i < PC_COUNT; i++) {
		if (!class_table[i].built && p->named & ~p->own_open & 1u << i)
			p->open &= ~(1u << i);
	}
}

static void policy_read(struct policy *p, const struct policy_source *src, struct diags *d)
{
	struct reader r = { .p = p, .d = d, .src = src };

	p->record = 1u << RECORD_EXEC | 1u << RECORD_CONNECT;	/* the default also says dns, which is not built yet */
	p->digest = calloc(1, 80);
	if (!p->digest)
		d->err = -ENOMEM;
	p->text_len = src->len;
	p->text = calloc(1, src->len + 1);
	if (!p->text)
		d->err = -ENOMEM;
	if (d->err || !file_add(p, d, src->file ? src->file : "(policy)", NULL))
		return;
	memcpy(p->text, src->text, src->len);
	r.file = p->files[0];
	own_places_add(p, src, d);
	read_document(&r, src->text, src->len);
	open_settle(p);
	if (!d->err && !d->errors)
		rules_identify(p, d);
	if (!d->err && !d->errors)
		policy_check(p, src->only_check, d);
	if (!d->err && !d->errors && p->within)
		within_check(p, src, d);
}

void policy_quote(const struct policy *p, struct diags *d)
{
	for (size_t i = 0; i < p->file_count && d->count; i++) {
		const char *text = i ? policy_preset(p->presets[i]) : p->text;

		diags_quote(d, p->files[i], text, i ? strlen(text) : p->text_len);
	}
}

int policy_load(const struct policy_source *src, struct policy **out, struct diags *diags)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p) {
		diags->err = -ENOMEM;
		return -ENOMEM;
	}
	policy_read(p, src, diags);
	diags_sort(diags);
	policy_quote(p, diags);
	if (diags->err || diags->errors) {
		policy_free(p);
		return diags->err ? diags->err : -EINVAL;
	}
	*out = p;
	return 0;
}
