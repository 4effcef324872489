/* SPDX-License-Identifier: Apache-2.0 */
/* The table, and the few types its rows can have. */
#include <stdio.h>
#include "engine/settings.h"

enum kind { KIND_PATH, KIND_TEXT, KIND_NUMBER, KIND_BYTES, KIND_BOOL };

struct row {
	const char *key;
	enum kind kind;
	size_t offset;
	const char *initial;		/* NULL: none, and for a sink's field: required */
	uint64_t min, max;		/* of a number; of a text's length */
	const char *help;
	const char *of;			/* the one type of sink that has it; NULL: all */
};

#define AT(member) offsetof(struct settings, member)
static const struct row rows[] = {
	{ "run_dir", KIND_PATH, AT(run_dir), "/run/bailiff", 1, 80, "control socket, lock, state of living sandboxes", NULL },
	{ "journal_dir", KIND_PATH, AT(journal_dir), "/var/lib/bailiff/journal", 1, 4000, "segments of the journal", NULL },
	{ "key_dir", KIND_PATH, AT(key_dir), "/var/lib/bailiff/keys", 1, 4000, "the key pair that signs the journal", NULL },
	{ "pin_dir", KIND_PATH, AT(pin_dir), "/sys/fs/bpf/bailiff", 1, 4000, "pins of the kernel programs; below a bpf filesystem", NULL },
	{ "cgroup_mount", KIND_TEXT, AT(cgroup_mount), "auto", 1, 4000, "where cgroup v2 is mounted; auto: the first such mount", NULL },
	{ "cgroup_parent", KIND_TEXT, AT(cgroup_parent), "bailiff", 1, 200, "the directory below it that holds the sandboxes", NULL },
	{ "host", KIND_TEXT, AT(host), "auto", 1, 255, "this host's name in events; auto: its host name", NULL },
	{ "linger_seconds", KIND_NUMBER, AT(linger_seconds), "10", 0, 86400,
	  "after the last sandbox: detach; with --on-demand: leave", NULL },
	{ "control_connections", KIND_NUMBER, AT(control_connections), "4096", 1, 65536, "clients at one time", NULL },
	{ "control_per_process", KIND_NUMBER, AT(control_per_process), "256", 1, 65536, "connections of one process", NULL },
	{ "decision_ring_bytes", KIND_BYTES, AT(decision_ring_bytes), "1M", 4096, 1u << 30, "ring of refusals; a power of two", NULL },
	{ "telemetry_ring_bytes", KIND_BYTES, AT(telemetry_ring_bytes), "8M", 4096, 1u << 30, "ring of telemetry; a power of two", NULL },
	{ "journal_queue_bytes", KIND_BYTES, AT(journal_queue_bytes), "8M", 1u << 16, 1u << 30, "events that wait for the disk", NULL },
	{ "journal_segment_bytes", KIND_BYTES, AT(journal_segment_bytes), "64M", 1u << 16, 1ull << 40, "size of a segment of the journal", NULL },
	{ "journal_epoch_seconds", KIND_NUMBER, AT(journal_epoch_seconds), "3600", 10, 604800, "when a segment is closed and its signing key destroyed", NULL },
	{ "journal_retain_bytes", KIND_BYTES, AT(journal_retain_bytes), "0", 0, 1ull << 50, "old segments are deleted above this; 0: no limit", NULL },
	{ "journal_retain_days", KIND_NUMBER, AT(journal_retain_days), "0", 0, 36500, "segments that ended so long ago are deleted; 0: never", NULL },
	{ "checkpoint_ms", KIND_NUMBER, AT(checkpoint_ms), "10000", 100, 3600000, "a signature at least this often while lines come", NULL },
};
#undef AT

#define AT(member) offsetof(struct settings_sink, member)
static const struct row sink_rows[] = {
	{ "name", KIND_TEXT, AT(name), NULL, 1, 64, "of the sink and its cursor: letters, digits, - and _", NULL },
	{ "type", KIND_TEXT, AT(type), NULL, 1, 32, "splunk-hec, webhook or datadog", NULL },
	{ "url", KIND_TEXT, AT(url), NULL, 1, 1000, "where it listens: https://host:8088", NULL },
	{ "token_file", KIND_PATH, AT(token_file), NULL, 1, 4000, "file that holds the token, API key or signing secret", NULL },
	{ "ca_file", KIND_PATH, AT(ca_file), "", 0, 4000, "certificates to trust; empty: the system's", NULL },
	{ "min_severity", KIND_TEXT, AT(min_severity), "", 0, 20, "nothing below it: low, medium, high, critical, fatal; empty: all", NULL },
	{ "tier", KIND_TEXT, AT(tier), "all", 1, 20, "all, or security: no telemetry", NULL },
	{ "ack", KIND_BOOL, AT(ack), "true", 0, 1, "wait for indexer acknowledgement", "splunk-hec" },
	{ "required", KIND_BOOL, AT(required), "false", 0, 1, "retention deletes nothing that this sink has not confirmed", NULL },
	{ "index", KIND_TEXT, AT(index), "", 0, 200, "index; empty: the token's default", "splunk-hec" },
	{ "source", KIND_TEXT, AT(source), "bailiff", 0, 200, "source of each event; Datadog's service", NULL },
	{ "sourcetype", KIND_TEXT, AT(sourcetype), "bailiff:event", 0, 200, "source type of each event", "splunk-hec" },
};
#undef AT

static int fail(struct settings_error *why, const struct yaml_node *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int fail(struct settings_error *why, const struct yaml_node *at, const char *fmt, ...)
{
	va_list ap;

	why->line = at ? at->line : 0;
	why->column = at ? at->column : 0;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

/* ---- values ---- */
static int parse_number(const char *text, bool bytes, uint64_t *out)
{
	static const char units[] = "KMG";
	unsigned long long v;
	const char *unit;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	unit = bytes && *end ? strchr(units, *end) : NULL;
	if (unit) {
		unsigned shift = 10 * (unit - units + 1);

		if (v > UINT64_MAX >> shift)
			return -ERANGE;
		v <<= shift;
		end++;
	}
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

static int set_number(uint64_t *to, const struct row *r, const char *text, const struct yaml_node *at, struct settings_error *why)
{
	uint64_t v;

	if (r->kind == KIND_BOOL) {
		if (strcmp(text, "true") && strcmp(text, "false"))
			return fail(why, at, "%s must be true or false, not \"%.60s\"", r->key, text);
		*to = text[0] == 't';
		return 0;
	}
	if (parse_number(text, r->kind == KIND_BYTES, &v))
		return fail(why, at, "%s must be a number%s, not \"%.60s\"", r->key, r->kind == KIND_BYTES ? " of bytes (K, M, G may follow)" : "", text);
	if (v < r->min || v > r->max)
		return fail(why, at, "%s must be from %llu to %llu", r->key, (unsigned long long)r->min, (unsigned long long)r->max);
	*to = v;
	return 0;
}

static int set_text(char **to, const struct row *r, const char *text, const struct yaml_node *at, struct settings_error *why)
{
	size_t len = strlen(text);
	char *copy;

	if (len < r->min || len > r->max)
		return fail(why, at, "%s must have %llu to %llu bytes", r->key, (unsigned long long)r->min, (unsigned long long)r->max);
	if (r->kind == KIND_PATH && len && text[0] != '/')
		return fail(why, at, "%s must be an absolute path, not \"%.60s\"", r->key, text);
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int set_value(void *base, const struct row *r, const char *text, const struct yaml_node *at, struct settings_error *why)
{
	void *field = (char *)base + r->offset;

	return r->kind == KIND_PATH || r->kind == KIND_TEXT ? set_text(field, r, text, at, why) : set_number(field, r, text, at, why);
}

static const struct row *row_find(const struct row *table, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(table[i].key, key))
			return &table[i];
	}
	return NULL;
}

static int set_defaults(void *base, const struct row *table, size_t n)
{
	struct settings_error why;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = table[i].initial ? set_value(base, &table[i], table[i].initial, NULL, &why) : 0;
	return err;
}

int settings_init(struct settings *s)
{
	*s = (struct settings){ 0 };
	return set_defaults(s, rows, ARRAY_SIZE(rows));
}

static void free_texts(void *base, const struct row *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (table[i].kind == KIND_PATH || table[i].kind == KIND_TEXT)
			free(*(char **)((char *)base + table[i].offset));
	}
}

void settings_done(struct settings *s)
{
	for (size_t i = 0; i < s->sink_count; i++)
		free_texts(&s->sinks[i], sink_rows, ARRAY_SIZE(sink_rows));
	free(s->sinks);
	free_texts(s, rows, ARRAY_SIZE(rows));
	*s = (struct settings){ 0 };
}

/* ---- the file ---- */
static int parse_sink_field(struct settings_sink *k, const struct yaml_node *key, const struct yaml_node *value, struct settings_error *why)
{
	const struct row *r = row_find(sink_rows, ARRAY_SIZE(sink_rows), key->text);

	if (!r)
		return fail(why, key, "a sink has no setting \"%.60s\"", key->text);
	if (r->of && k->type && strcmp(k->type, r->of))
		return fail(why, key, "%s is a setting of sinks of type %s", r->key, r->of);
	if (value->kind != YAML_SCALAR)
		return fail(why, value, "%s must be a single value", r->key);
	return set_value(k, r, value->text, value, why);
}

/* OCSF's severity_id. */
unsigned settings_severity(const char *word)
{
	static const char *const words[] = { "low", "medium", "high", "critical", "fatal" };

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i], word))
			return i + 2;
	}
	return 0;
}

static int check_sink(const struct settings *s, const struct settings_sink *k, const struct yaml_node *at, struct settings_error *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(sink_rows); i++) {
		if (!sink_rows[i].initial && !*(char **)((char *)k + sink_rows[i].offset))
			return fail(why, at, "this sink lacks \"%s\"", sink_rows[i].key);
	}
	if (strcmp(k->type, "splunk-hec") && strcmp(k->type, "webhook") && strcmp(k->type, "datadog"))
		return fail(why, at, "there is no sink of type \"%.60s\"; there are: splunk-hec, webhook, datadog", k->type);
	if (k->min_severity[0] && !settings_severity(k->min_severity))
		return fail(why, at, "min_severity must be low, medium, high, critical or fatal, not \"%.60s\"", k->min_severity);
	if (strcmp(k->tier, "all") && strcmp(k->tier, "security"))
		return fail(why, at, "tier must be all or security, not \"%.60s\"", k->tier);
	if (strspn(k->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(k->name))
		return fail(why, at, "a sink's name has letters, digits, - and _ only: it names a file");
	for (const struct settings_sink *o = s->sinks; o < k; o++) {
		if (!strcmp(o->name, k->name))
			return fail(why, at, "two sinks are named \"%s\"", k->name);
	}
	return 0;
}

static int parse_sinks(struct settings *s, const struct yaml_node *list, struct settings_error *why)
{
	int err;

	if (list->kind != YAML_LIST)
		return fail(why, list, "sinks must be a list");
	if (s->sink_count)
		return fail(why, list, "sinks are listed already");
	if (list->count > SETTINGS_SINKS_MAX)
		return fail(why, list, "at most %d sinks", SETTINGS_SINKS_MAX);
	s->sinks = calloc(list->count + 1, sizeof(*s->sinks));
	if (!s->sinks)
		return -ENOMEM;
	for (size_t i = 0; i < list->count; i++) {
		const struct yaml_node *item = list->items[i];
		struct settings_sink *k = &s->sinks[s->sink_count++];

		if (item->kind != YAML_MAP)
			return fail(why, item, "a sink is a map of settings");
		err = set_defaults(k, sink_rows, ARRAY_SIZE(sink_rows));
		for (size_t f = 0; f < item->count && !err; f++) {	/* which others there can be depends on it */
			if (!strcmp(item->keys[f]->text, "type"))
				err = parse_sink_field(k, item->keys[f], item->items[f], why);
		}
		for (size_t f = 0; f < item->count && !err; f++)
			err = parse_sink_field(k, item->keys[f], item->items[f], why);
		if (!err)
			err = check_sink(s, k, item, why);
		if (err)
			return err;
	}
	return 0;
}

static int parse_key(struct settings *s, const struct yaml_node *key, const struct yaml_node *value, struct settings_error *why)
{
	const struct row *r;

	if (!strcmp(key->text, "sinks"))
		return parse_sinks(s, value, why);
	r = row_find(rows, ARRAY_SIZE(rows), key->text);
	if (!r)
		return fail(why, key, "there is no setting \"%.60s\"; bailiffd --help lists them", key->text);
	if (value->kind != YAML_SCALAR)
		return fail(why, value, "%s must be a single value", r->key);
	return set_value(s, r, value->text, value, why);
}

/* A file of comments alone sets nothing; as YAML it would be an empty document. */
static bool says_nothing(const char *text, size_t len)
{
	bool comment = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '#')
			comment = true;
		else if (text[i] == '\n')
			comment = false;
		else if (!comment && text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
			return false;
	}
	return true;
}

int settings_parse(struct settings *s, const char *text, size_t len, struct settings_error *why)
{
	struct yaml_node *root;
	struct yaml_error bad;
	int err;

	if (says_nothing(text, len))
		return 0;
	err = yaml_parse(text, len, &root, &bad);
	if (err == -EBADMSG) {
		(void)fail(why, NULL, "%s%s%s", bad.text, bad.help[0] ? ": " : "", bad.help);
		why->line = bad.line;
		why->column = bad.column;
		return -EINVAL;
	}
	if (err)
		return err;
	if (root->kind != YAML_MAP)
		err = fail(why, root, "the settings are a map: key: value");
	for (size_t i = 0; i < root->count && !err; i++)
		err = parse_key(s, root->keys[i], root->items[i], why);
	yaml_free(root);
	return err;
}

int settings_set(struct settings *s, const char *assignment, struct settings_error *why)
{
	const char *eq = strchr(assignment, '=');
	const struct row *r;
	_free_ char *key = eq ? strndup(assignment, eq - assignment) : NULL;

	if (!eq)
		return fail(why, NULL, "--set takes key=value, not \"%.60s\"", assignment);
	if (!key)
		return -ENOMEM;
	r = row_find(rows, ARRAY_SIZE(rows), key);
	if (!r)
		return fail(why, NULL, "there is no setting \"%.60s\"; bailiffd --help lists them", key);
	return set_value(s, r, eq + 1, NULL, why);
}

static bool power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

int settings_check(const struct settings *s, struct settings_error *why)
{
	if (!power_of_two(s->decision_ring_bytes) || !power_of_two(s->telemetry_ring_bytes))
		return fail(why, NULL, "decision_ring_bytes and telemetry_ring_bytes must be powers of two");
	if (strchr(s->cgroup_parent, '/') || s->cgroup_parent[0] == '.')
		return fail(why, NULL, "cgroup_parent is one name, without a slash");
	if (strcmp(s->cgroup_mount, "auto") && s->cgroup_mount[0] != '/')
		return fail(why, NULL, "cgroup_mount must be an absolute path or auto");
	return 0;
}

/* ---- the table for people ---- */
static const char *kind_text(enum kind k)
{
	static const char *const names[] = { "path", "text", "number", "bytes", "true|false" };

	return names[k];
}

static void help_rows(struct buf *out, const struct row *table, size_t n, const char *indent)
{
	for (size_t i = 0; i < n; i++) {
		buf_addf(out, "%s%-22s %-10s %s", indent, table[i].key, kind_text(table[i].kind), table[i].help);
		if (table[i].of)
			buf_addf(out, "; %s only", table[i].of);
		if (table[i].initial && table[i].initial[0])
			buf_addf(out, " [%s]", table[i].initial);
		buf_add_char(out, '\n');
	}
}

void settings_help(struct buf *out)
{
	help_rows(out, rows, ARRAY_SIZE(rows), "  ");
	buf_add_str(out, "  sinks                  list       where events go, each with:\n");
	help_rows(out, sink_rows, ARRAY_SIZE(sink_rows), "    ");
}

static void manual_rows(struct buf *out, const struct row *table, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "| `%s%s` | %s | %s%s%s | %s%s%s |\n", prefix, table[i].key, kind_text(table[i].kind),
			table[i].initial && table[i].initial[0] ? "`" : "", table[i].initial ? table[i].initial : "required",
			table[i].initial && table[i].initial[0] ? "`" : "", table[i].help,
			table[i].of ? "; only of type " : "", table[i].of ? table[i].of : "");
}

void settings_manual(struct buf *out)
{
	buf_add_str(out, "| Setting | Type | Default | Meaning |\n|---|---|---|---|\n");
	manual_rows(out, rows, ARRAY_SIZE(rows), "");
	manual_rows(out, sink_rows, ARRAY_SIZE(sink_rows), "sinks[].");
}
