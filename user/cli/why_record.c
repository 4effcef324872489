/* SPDX-License-Identifier: Apache-2.0 */
/* bailiff why EVENT|SANDBOX: refusals from the journal, each rule and object once, newest first. */
#include <stdio.h>
#include <time.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/where.h"
#include "cli/why.h"
#include "event/event.h"
#include "journal/journal.h"

#define KEPT 8	/* as many as a sandbox sees of itself */

struct told {
	char *key, *line;	/* key: what makes two refusals one */
	uint64_t time_ms, times;
};
struct search {
	const char *what;
	bool seen;		/* it is in the journal, refused or not */
	struct told kept[KEPT];	/* oldest first */
	size_t count;
	uint64_t damaged;
};

static void told_done(struct told *t)
{
	free(t->key);
	free(t->line);
	*t = (struct told){};
}

static bool is_it(const char *text, const char *what)
{
	return text && !strcmp(text, what);
}

/* Opening is said by the right that it needed, as everywhere. */
static const char *act_of(const struct event_view *v)
{
	if (v->operation && !strcmp(v->operation, "open") && v->verb)
		return v->verb;
	return v->operation ? v->operation : "";
}

static void add_sentence(struct buf *b, const struct event_view *v)
{
	const struct policy_rule_info rule = { .id = v->rule ? v->rule : "?", .file = v->file, .line = v->line, .why = v->why, .owner = v->owner };

	buf_add_str(b, act_of(v));
	if (v->object) {
		buf_add_str(b, " \"");
		buf_add_terminal(b, v->object, strlen(v->object));
		buf_add_char(b, '"');
	}
	buf_addf(b, ": %s ", strcmp(v->verdict, "would refuse") ? v->verdict : "would be refused");
	if (v->status)
		buf_addf(b, "(%s) ", v->status);
	policy_why_rule(&rule, b);
}

/* A refusal that is known already moves to the newest place. */
static struct told *place_for(struct search *s, const char *key)
{
	struct told t = {};
	size_t i = 0;

	while (i < s->count && strcmp(s->kept[i].key, key))
		i++;
	if (i == s->count && s->count < KEPT)
		return &s->kept[s->count++];
	if (i == s->count)
		told_done(&s->kept[i = 0]);
	t = s->kept[i];
	memmove(s->kept + i, s->kept + i + 1, (s->count - 1 - i) * sizeof(t));
	s->kept[s->count - 1] = t;
	return &s->kept[s->count - 1];
}

static int keep(struct search *s, const struct event_view *v)
{
	_buf_ struct buf line = {};
	struct told *t;

	if (!v->verdict || !strcmp(v->verdict, "allowed"))
		return 0;
	add_sentence(&line, v);
	if (line.err)
		return line.err;
	t = place_for(s, line.data);
	if (!t->key)
		t->key = strdup(line.data);
	if (!t->key)
		return -ENOMEM;
	free(t->line);
	t->line = steal(&line.data);
	t->time_ms = v->time_ms;
	t->times += v->repeats + 1;
	return 0;
}

/* 1: it was the event that was asked for. */
static int look(struct search *s, const struct journal_line *line)
{
	struct event_view v;
	bool event;
	int err;

	if (!memmem(line->text, line->len, s->what, strlen(s->what)))
		return 0;
	err = event_view_parse(line->text, line->len, &v);
	s->damaged += err == -EBADMSG;
	if (err)
		return err == -ENOMEM ? err : 0;
	event = is_it(v.uid, s->what);
	if (event || is_it(v.sandbox, s->what) || is_it(v.sandbox_uid, s->what)) {
		s->seen = true;
		err = keep(s, &v);
	}
	event_view_done(&v);
	return err ? err : event;
}

static int search_dir(struct search *s, const char *dir)
{
	struct journal_cursor *c;
	struct journal_line line;
	int err = journal_cursor_open(dir, NULL, &c), found = 0;

	if (err)
		return log_err(err, "%s: no journal to read", dir);
	while (!found && (err = journal_cursor_read(c, &line)) == 1)
		found = look(s, &line);
	journal_cursor_close(c);
	err = found < 0 ? found : err < 0 ? err : 0;
	return err ? log_err(err, "%s", dir) : 0;
}

static void print_told(const struct told *t)
{
	time_t seconds = t->time_ms / 1000;
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s", text);
	if (t->times > 1)
		printf(", %llu times", (unsigned long long)t->times);
	printf(": %s\n", t->line);
}

static int answer(const struct search *s)
{
	for (size_t i = s->count; i-- > 0;)
		print_told(&s->kept[i]);
	if (s->damaged)
		log_err(0, "%llu line%s of the journal cannot be read; `bailiff journal verify` says where", (unsigned long long)s->damaged, PLURAL(s->damaged));
	if (s->count)
		return CLI_OK;
	if (s->seen)
		printf("not Bailiff's refusal: %s is in the record, and nothing of it was refused\n", s->what);
	else
		log_err(0, "%s: no event and no sandbox of this id or name is in the journal", s->what);
	return s->seen ? CLI_FAILED : CLI_NOT_STARTED;
}

int why_record(const char *dir, const char *what)
{
	_cleanup_(where_done) struct where w = {};
	struct search s = { .what = what };
	int code = CLI_NOT_STARTED;

	if (!dir && where_load(&w))
		return code;
	if (!search_dir(&s, dir ? dir : w.journal_dir))
		code = answer(&s);
	for (size_t i = 0; i < s.count; i++)
		told_done(&s.kept[i]);
	return code;
}
