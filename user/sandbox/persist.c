/* SPDX-License-Identifier: Apache-2.0 */
/* One kv message a file; generations and commands are messages inside it. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include "base/file.h"
#include "base/kv.h"
#include "sandbox/persist.h"

#define OLD_POLICIES_BYTES (KV_MAX_BYTES / 2)	/* replaced policies are left out beyond it; their rules keep their numbers */

int boot_id_read(char out[BOOT_ID_CHARS + 1])
{
	_free_ char *text = NULL;
	size_t len;
	int err = file_slurp("/proc/sys/kernel/random/boot_id", 256, &text, &len);

	if (err)
		return err;
	if (len < BOOT_ID_CHARS)
		return -EBADMSG;
	memcpy(out, text, BOOT_ID_CHARS);
	out[BOOT_ID_CHARS] = '\0';
	return 0;
}

/* ---- writing ---- */
/* The kernel has the newest generation's counts; what was counted under a replaced one is nowhere else. */
static void add_counts(struct buf *out, const struct ledger *l)
{
	char text[80];

	kv_add_u64(out, "rules", l->nrules);
	for (size_t i = 0; l->rows && i < l->nrules + B_COUNT; i++) {
		const struct counter *c = &l->rows[i].counted;

		if (!c->refused && !c->would)
			continue;
		snprintf(text, sizeof(text), "%zu %llu %llu", i, (unsigned long long)c->refused, (unsigned long long)c->would);
		kv_add_str(out, "counted", text);
	}
}

static void add_generation(struct buf *out, const struct session_generation *g, bool newest, struct buf *scratch)
{
	kv_begin(scratch);
	kv_add_u64(scratch, "number", g->number);
	kv_add(scratch, "policy", g->text ? g->text : "", g->text_len);
	kv_add_str(scratch, "policy_file", g->file);
	kv_add_str(scratch, "digest", g->digest);
	for (size_t i = 0; i < g->param_count; i++)
		kv_add_str(scratch, "param", g->params[i]);
	if (g->ends_kept_s)
		kv_add_u64(scratch, "ends_told_s", g->ends_kept_s);
	if (!newest)
		add_counts(scratch, &g->ledger);
	if (!kv_end(scratch))
		kv_add(out, "generation", scratch->data, scratch->len);
	else
		out->err = scratch->err;
}

static void add_command(struct buf *out, const struct session_command *c, struct buf *scratch)
{
	kv_begin(scratch);
	kv_add_u64(scratch, "number", c->number);
	kv_add_u64(scratch, "alive", c->alive);
	kv_add_u64(scratch, "started_ms", c->started_ms);
	kv_add(scratch, "args", c->args, c->args_len);
	kv_add_str(scratch, "call", c->call);
	kv_add_str(scratch, "trace", c->trace);
	kv_add_str(scratch, "span", c->span);
	kv_add_str(scratch, "user", c->user);
	if (!kv_end(scratch))
		kv_add(out, "command", scratch->data, scratch->len);
	else
		out->err = scratch->err;
}

static void add_identity(struct buf *b, const struct session *s, const char *boot_id)
{
	kv_add_str(b, "boot", boot_id);
	kv_add_str(b, "id", s->id);
	kv_add_str(b, "name", s->name);
	kv_add_u64(b, "kernel_id", s->kernel_id);
	kv_add_u64(b, "cgroup_id", s->cgroup_id);
	kv_add_u64(b, "stage", s->stage);
	kv_add_u64(b, "enforced", s->enforced);
	kv_add_u64(b, "allow_degraded", s->allow_degraded);
	kv_add_u64(b, "held", s->held);
	kv_add_u64(b, "started", s->started);
	kv_add_u64(b, "ending", s->state != SESSION_LIVE);
	kv_add_str(b, "end_reason", s->end_reason);
	kv_add_u64(b, "started_ms", s->started_ms);
	kv_add_u64(b, "deadline_ns", s->deadline_ns);
	kv_add_u64(b, "while_fd", s->while_fd >= 0);
	kv_add_str(b, "user", s->user);
	kv_add_str(b, "agent", s->agent);
	kv_add_str(b, "session", s->session);
	kv_add_u64(b, "commands", s->command_count);
	kv_add_u64(b, "retired_refused", s->retired.refused);
	kv_add_u64(b, "retired_would", s->retired.would);
}

int session_save(int dir, const struct session *s, const char *boot_id)
{
	_buf_ struct buf b = { 0 }, scratch = { 0 };
	int err;

	kv_begin(&b);
	add_identity(&b, s, boot_id);
	for (const struct session_generation *g = s->generation; g; g = g->older) {
		if (g != s->generation && b.len + g->text_len > OLD_POLICIES_BYTES)
			break;
		add_generation(&b, g, g == s->generation, &scratch);
	}
	for (const struct session_command *c = s->commands; c; c = c->older)
		add_command(&b, c, &scratch);
	err = kv_end(&b);
	return err ? err : file_replace_at(dir, s->id, b.data, b.len, 0600);
}

int session_forget(int dir, const char *id)
{
	return unlinkat(dir, id, 0) && errno != ENOENT ? -errno : 0;
}

/* ---- reading back ---- */
static int copy_value(const struct kv *m, const char *key, char **out)
{
	const char *value = kv_get(m, key);

	if (!value)
		return 0;
	*out = strdup(value);
	return *out ? 0 : -ENOMEM;
}

static uint64_t number(const struct kv *m, const char *key)
{
	uint64_t v = 0;

	(void)kv_get_u64(m, key, &v);	/* absent: 0, which each user below checks or means */
	return v;
}

static int read_params(const struct kv *m, struct session_generation *g)
{
	size_t n = 0;

	for (const struct kv_pair *p = kv_find(m, "param", NULL); p; p = kv_find(m, "param", p))
		n++;
	g->params = calloc(n + 1, sizeof(*g->params));
	if (!g->params)
		return -ENOMEM;
	for (const struct kv_pair *p = kv_find(m, "param", NULL); p; p = kv_find(m, "param", p)) {
		g->params[g->param_count] = strdup(p->value);
		if (!g->params[g->param_count++])
			return -ENOMEM;
	}
	return 0;
}

static int read_count(const char *text, struct ledger *l)
{
	unsigned long long refused, would;
	size_t row;

	if (sscanf(text, "%zu %llu %llu", &row, &refused, &would) != 3 || row >= l->nrules + B_COUNT)
		return -EBADMSG;
	l->rows[row].counted = (struct counter){ refused, would };
	return 0;
}

static int read_counts(const struct kv *m, struct ledger *l)
{
	uint64_t rules = number(m, "rules");
	int err;

	if (!kv_get(m, "rules"))
		return 0;
	err = rules < RULE_NONE ? ledger_init(l, rules) : -EBADMSG;
	for (const struct kv_pair *p = kv_find(m, "counted", NULL); p && !err; p = kv_find(m, "counted", p))
		err = read_count(p->value, l);
	return err;
}

static int read_generation(const struct kv *m, struct session_generation *g)
{
	const struct kv_pair *text = kv_find(m, "policy", NULL);
	int err;

	g->number = number(m, "number");
	g->ends_told_s = g->ends_kept_s = number(m, "ends_told_s") & INT64_MAX;
	if (!text)
		return -EBADMSG;
	g->text = malloc(text->value_len + 1);
	if (!g->text)
		return -ENOMEM;
	memcpy(g->text, text->value, text->value_len);
	g->text[text->value_len] = '\0';
	g->text_len = text->value_len;
	err = copy_value(m, "policy_file", &g->file);
	if (!err)
		err = copy_value(m, "digest", &g->digest);
	if (!err)
		err = read_counts(m, &g->ledger);
	return err ? err : read_params(m, g);
}

/* Files hold the newest first; behind the last keeps that order. */
static int load_generation(struct session *s, const struct kv *m)
{
	struct session_generation *g = calloc(1, sizeof(*g)), **at = &s->generation;
	int err = g ? read_generation(m, g) : -ENOMEM;

	if (err) {
		session_generation_free(g);
		return err;
	}
	while (*at)
		at = &(*at)->older;
	*at = g;
	return 0;
}

static int load_command(struct session *s, const struct kv *m)
{
	const struct kv_pair *args = kv_find(m, "args", NULL);
	struct session_command c = { .number = number(m, "number"), .alive = number(m, "alive"), .started_ms = number(m, "started_ms") }, *made;

	if (!args)
		return -EBADMSG;
	c.args = (char *)args->value;
	c.args_len = args->value_len;
	c.call = (char *)kv_get(m, "call");
	c.trace = (char *)kv_get(m, "trace");
	c.span = (char *)kv_get(m, "span");
	c.user = (char *)kv_get(m, "user");
	return session_command_add(s, &c, &made);
}

static int load_parts(struct session *s, const struct kv *m, const char *key, int (*load)(struct session *, const struct kv *))
{
	int err = 0;

	for (const struct kv_pair *p = kv_find(m, key, NULL); p && !err; p = kv_find(m, key, p)) {
		struct kv part;

		err = kv_parse(p->value, p->value_len, &part);
		if (err)
			return err;
		err = load(s, &part);
		kv_done(&part);
	}
	return err;
}

/* Commands were read newest first, each put before the last: turn them round. */
static void reverse_commands(struct session *s)
{
	struct session_command *c = s->commands, *newest = NULL;

	while (c) {
		struct session_command *older = c->older;

		c->older = newest;
		newest = c;
		c = older;
	}
	s->commands = newest;
}

static int load_identity(struct session *s, const struct kv *m)
{
	const char *name = kv_get(m, "name"), *reason = kv_get(m, "end_reason");
	int err = copy_value(m, "user", &s->user);

	if (!err)
		err = copy_value(m, "agent", &s->agent);
	if (!err)
		err = copy_value(m, "session", &s->session);
	snprintf(s->name, sizeof(s->name), "%s", name ? name : "");
	snprintf(s->end_reason, sizeof(s->end_reason), "%s", reason ? reason : "");
	s->kernel_id = number(m, "kernel_id");
	s->cgroup_id = number(m, "cgroup_id");
	s->stage = number(m, "stage");
	s->enforced = number(m, "enforced");
	s->allow_degraded = number(m, "allow_degraded");
	s->held = number(m, "held") && !number(m, "while_fd");	/* whoever held it by a descriptor cannot be seen any more */
	s->started = number(m, "started");
	s->state = number(m, "ending") ? SESSION_ENDING : SESSION_LIVE;
	s->started_ms = number(m, "started_ms");
	s->deadline_ns = number(m, "deadline_ns");
	s->command_count = number(m, "commands");
	s->retired = (struct counter){ number(m, "retired_refused"), number(m, "retired_would") };
	return err ? err : s->stage > STAGE_ENFORCE ? -EBADMSG : 0;
}

static int session_from(const struct kv *m, const char *name, const char *boot_id, struct session **out)
{
	const char *id = kv_get(m, "id"), *boot = kv_get(m, "boot");
	struct session *s;
	int err;

	if (!id || !boot || !ulid_valid(name) || strcmp(id, name))
		return -EBADMSG;
	if (strcmp(boot, boot_id))
		return -ESTALE;
	s = session_new(id);
	if (!s)
		return -ENOMEM;
	err = load_identity(s, m);
	if (!err)
		err = load_parts(s, m, "generation", load_generation);
	if (!err)
		err = load_parts(s, m, "command", load_command);
	if (!err && !s->generation)
		err = -EBADMSG;
	if (err) {
		session_free(s);
		return err;
	}
	reverse_commands(s);
	*out = s;
	return 0;
}

int session_parse(const void *bytes, size_t len, const char *name, const char *boot_id, struct session **out)
{
	struct kv m;
	int err = kv_parse(bytes, len, &m);

	if (err)
		return err;
	err = session_from(&m, name, boot_id, out);
	kv_done(&m);
	return err;
}

int session_load(int dir, const char *name, const char *boot_id, struct session **out)
{
	_free_ char *bytes = NULL;
	size_t len;
	int err = file_slurp_at(dir, name, KV_MAX_BYTES, &bytes, &len);

	return err ? err : session_parse(bytes, len, name, boot_id, out);
}

int session_files(int dir, session_file_fn fn, void *ctx)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (ulid_valid(e->d_name))
			fn(ctx, e->d_name);
	}
	closedir(d);
	return 0;
}
