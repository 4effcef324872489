/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's events as observations: what each was about, and what the record itself says it lacks. */
#include <arpa/inet.h>
#include <stdio.h>
#include "base/log.h"
#include "cli/learn.h"
#include "journal/journal.h"

static bool is_sandbox(const struct learn_options *o, const struct event_view *v)
{
	return !o->sandbox || (v->sandbox && !strcmp(v->sandbox, o->sandbox)) || (v->sandbox_uid && !strcmp(v->sandbox_uid, o->sandbox));
}

static bool is_program(const struct learn_options *o, const struct event_view *v)
{
	return !o->by || (v->program && !strcmp(v->program, o->by)) || (v->program_path && !strcmp(v->program_path, o->by));
}

static int session_count(struct learn_journal *j, const char *uid)
{
	char **grown;

	for (uint64_t i = 0; uid && i < j->sessions; i++) {
		if (!strcmp(j->sandboxes[i], uid))
			return 0;
	}
	grown = uid ? reallocarray(j->sandboxes, j->sessions + 1, sizeof(*grown)) : NULL;
	if (!grown)
		return uid ? -ENOMEM : 0;
	j->sandboxes = grown;
	grown[j->sessions] = strdup(uid);
	return grown[j->sessions++] ? 0 : -ENOMEM;
}

/* Records that found no room: what they were about is nowhere, only how many they were. */
static void lost_count(struct learn_journal *j, const struct event_view *v)
{
	if (!strcmp(v->kind, "counted") || !strcmp(v->kind, "journal.drop"))
		j->lost++;
	if (!strcmp(v->kind, "gap") && v->message && strstr(v->message, "decisions"))
		j->lost++;
}

static int event_take(struct learn_journal *j, const struct event_view *v)
{
	int err;

	if (!v->kind || (j->since_ms && v->time_ms < j->since_ms) || !is_sandbox(j->o, v))
		return 0;
	lost_count(j, v);
	err = session_count(j, v->sandbox_uid);
	if (err || !v->verdict || !is_program(j->o, v))
		return err;
	j->decisions += !strcmp(v->kind, "decision");
	return j->take(j->ctx, v);
}

static int line_take(struct learn_journal *j, const struct journal_line *line)
{
	struct event_view v;
	int err;

	if (j->o->sandbox && !memmem(line->text, line->len, j->o->sandbox, strlen(j->o->sandbox)) && !memmem(line->text, line->len, "\"gap\"", 5))
		return 0;
	err = event_view_parse(line->text, line->len, &v);
	j->damaged += err == -EBADMSG;
	if (err)
		return err == -ENOMEM ? err : 0;
	err = event_take(j, &v);
	event_view_done(&v);
	return err;
}

int learn_journal_read(struct learn_journal *j)
{
	struct journal_cursor *cursor = NULL;
	struct journal_line line;
	int err = journal_cursor_open(j->dir, NULL, &cursor), got = 0;

	if (err)
		return log_err(err, "%s: no journal to read", j->dir);
	while (!err && (got = journal_cursor_read(cursor, &line)) == 1)
		err = line_take(j, &line);
	journal_cursor_close(cursor);
	err = err ? err : got;
	return err ? log_err(err, "%s", j->dir) : 0;
}

void learn_journal_done(struct learn_journal *j)
{
	for (uint64_t i = 0; i < j->sessions; i++)
		free(j->sandboxes[i]);
	free(j->sandboxes);
}

/* ---- an event as an observation ---- */

static const char *const verb_words[] = { "read", "change", "create", "remove", "execute", "unix" };

static int verb_of(const char *word, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(verb_words); i++) {
		if (strlen(verb_words[i]) == n && !strncmp(verb_words[i], word, n))
			return i;
	}
	return -1;
}

/* "read,change" up to its end or to ">"; *rest: behind that. */
static uint32_t verbs_of(const char *text, const char **rest)
{
	uint32_t verbs = 0;

	*rest = NULL;
	while (text && *text) {
		size_t n = strcspn(text, ",>");
		int verb = verb_of(text, n);

		if (verb >= 0)
			verbs |= 1u << verb;
		text += n;
		if (*text == '>') {
			*rest = text + 1;
			return verbs;
		}
		text += *text == ',';
	}
	return verbs;
}

/* Refused by what no policy opens: an allow would change nothing. */
static bool is_fixed(const char *rule)
{
	static const char *const fixed[] = {
#define X(symbol, id, text) B_##symbol <= B_UNIX_DEFAULT || B_##symbol == B_NAME_CHANGE ? "" : id,
		BUILTIN_RULES(X)
#undef X
	};

	for (size_t i = 0; rule && i < ARRAY_SIZE(fixed); i++) {
		if (*fixed[i] && !strcmp(fixed[i], rule))
			return true;
	}
	return false;
}

static void paths_take(const struct event_view *v, struct learn_seen *s, char *path, char *path2)
{
	const char *rest;

	s->verbs = verbs_of(v->needs ? v->needs : v->verb, &rest);
	s->path = path;
	s->path_len = event_text_bytes(v->path, path);
	s->directory = v->directory || (v->operation && !strcmp(v->operation, "mkdir"));
	s->makes = v->operation && !strcmp(v->operation, "create");
	if (!v->path2)
		return;
	s->verbs2 = verbs_of(rest, &rest);
	if (!v->needs) {	/* of a record before there were needs */
		bool link = v->operation && !strcmp(v->operation, "link");

		s->verbs = link ? 1u << VERB_READ | 1u << VERB_CHANGE : 1u << VERB_REMOVE;
		s->verbs2 = 1u << VERB_CREATE;
	}
	s->path2 = path2;
	s->path2_len = event_text_bytes(v->path2, path2);
}

static bool address_take(const struct event_view *v, struct learn_seen *s)
{
	struct in_addr v4;

	s->network = true;
	s->listens = v->incoming;
	s->port = v->port;
	s->proto = v->proto ? v->proto : IPPROTO_TCP;
	if (inet_pton(AF_INET, v->ip, &v4) == 1) {
		memset(s->addr, 0, 10);
		memset(s->addr + 10, 0xff, 2);
		memcpy(s->addr + 12, &v4, 4);
		return true;
	}
	return inet_pton(AF_INET6, v->ip, s->addr) == 1;
}

static int seen_add(struct learn *l, const struct event_view *v, struct learn_seen *s)
{
	_free_ char *path = v->path ? malloc(strlen(v->path) + 1) : NULL, *path2 = v->path2 ? malloc(strlen(v->path2) + 1) : NULL;
	_buf_ struct buf what = {};

	if ((v->path && !path) || (v->path2 && !path2))
		return -ENOMEM;
	if (is_fixed(v->rule) || (!(v->path && v->verb) && !v->ip)) {
		buf_addf(&what, "%s%s%s", v->operation ? v->operation : "an action", v->object || v->arg ? " " : "", v->object ? v->object : v->arg ? v->arg : "");
		s->what = what.data;
		s->rule = v->rule;
	} else if (v->path && v->verb) {
		paths_take(v, s, path, path2);
	} else if (!address_take(v, s)) {
		return 0;
	}
	return what.err ? what.err : learn_add(l, s);
}

int learn_take(void *learn, const struct event_view *v)
{
	struct learn_seen s = { .program = v->program, .uid = v->uid, .count = v->repeats + 1, .last_ms = v->time_ms };

	s.first_ms = v->first_ms && v->first_ms < v->time_ms ? v->first_ms : v->time_ms;
	return strcmp(v->kind, "decision") ? 0 : seen_add(learn, v, &s);
}

/* ---- an event as a use of rules ---- */

static int verb_see(struct tighten *t, unsigned verb, const char *path, size_t len)
{
	struct policy_action a = { .verb = verb, .path = path, .path_len = len };

	return tighten_see(t, &a);
}

static int file_see(struct tighten *t, const struct event_view *v)
{
	_free_ char *path = malloc(strlen(v->path) + 1);
	bool exec = !strcmp(v->kind, "exec");
	int err = 0;
	size_t n;

	if (!path)
		return -ENOMEM;
	n = event_text_bytes(v->path, path);
	if (!n || path[0] != '/')
		return 0;
	/* An open that was allowed says not what for: it may have used any of these. */
	for (unsigned verb = 0; !err && verb < VERB_PATH_COUNT; verb++) {
		if (exec == (verb == VERB_EXECUTE))
			err = verb_see(t, verb, path, n);
	}
	return err;
}

int tighten_take(void *tighten, const struct event_view *v)
{
	struct learn_seen s = {};

	if (v->path)
		return file_see(tighten, v);
	if (v->ip && address_take(v, &s)) {
		struct policy_action a = { .verb = s.listens ? VERB_LISTEN : VERB_CONNECT, .port = s.port, .proto = s.proto };

		memcpy(a.addr, s.addr, sizeof(a.addr));
		return tighten_see(tighten, &a);
	}
	return 0;
}
