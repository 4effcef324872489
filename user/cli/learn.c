/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiff learn: from the journal to the smallest policy that would have allowed what was seen, or to the rules of a policy that no run used.
 * Reads the files as tail does, with no engine in the way; a policy that is extended keeps its text.
 */
#include <fcntl.h>
#include <stdio.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/learn.h"
#include "cli/where.h"

#define IN(field) offsetof(struct learn_options, field)

static const struct cli_option options[] = {
	{ "policy", 'p', "POLICY", OPTION_TEXT, IN(file), "the policy to extend, or with --tighten to judge; what it allows is not learned" },
	{ "param", 0, "NAME=VALUE", OPTION_LIST, IN(policy.params), "a parameter of it; without -p one to declare: what lies below a path is named by it" },
	{ "uses", 0, "PRESET,...", OPTION_TEXT, IN(uses), "without -p: the presets to start from (base)" },
	{ "output", 'o', "FILE", OPTION_TEXT, IN(policy.output), "write the policy there; a file that exists is not overwritten" },
	{ "tighten", 0, NULL, OPTION_FLAG, IN(tighten), "name the rules of the policy that no recorded action needed" },
	{ "sandbox", 0, "ID|NAME", OPTION_TEXT, IN(sandbox), "only what this sandbox did" },
	{ "by", 0, "PROGRAM", OPTION_TEXT, IN(by), "only what this program did, by its name or path" },
	{ "since", 0, "TIME", OPTION_TEXT, IN(since), "only from then on: 2026-11-24T08:00:00Z, or 90s, 10m, 2h, 7d ago" },
	{ "dir", 0, "DIR", OPTION_TEXT, IN(dir), "read the journal in this directory" },
};
static const struct cli_spec spec = {
	.usage = "bailiff learn [-p POLICY] [options]",
	.about = "Print the smallest policy that would have allowed what the record says was refused, or would have been in the observe stage, each\n"
		 "rule with its evidence; remarks at its end name presets that allow much of it. Credentials, deputies and their like are never\n"
		 "learned but listed: what was covered already and what is not learned goes to stderr. Read the result before you use it: a trial run\n"
		 "is no judge of what an agent should do.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.more = "exit code: 0 done, 1 not (no journal, a policy that is wrong, no sandbox recorded), 2 usage",
};

/* ---- the text to start from ---- */

static void params_write(const struct cli_list *params, struct buf *out)
{
	for (size_t i = 0; i < params->count; i++) {
		const char *equals = strchr(params->items[i], '=');

		if (equals)
			buf_addf(out, "%s%.*s: %s", i ? ", " : "params: {", (int)(equals - params->items[i]), params->items[i],
				 equals[1] == '/' || equals[1] == '.' ? "path" : "to");
	}
	buf_add_str(out, params->count ? "}\n" : "");
}

/* A policy of presets alone, with the attacks that it must go on refusing as its tests. */
static void start_write(const struct learn_options *o, struct buf *out)
{
	buf_addf(out, "version: 1\npolicy: learned\nuses: [%s]\n", o->uses ? o->uses : "base");
	params_write(&o->policy.params, out);
	buf_add_str(out, "tests:\n  - {\"read /etc/shadow\": refused}\n  - {\"read /root/.ssh/id_ed25519\": refused}\n"
			 "  - {\"write /usr/bin/x\": refused}\n  - {\"connect 169.254.169.254:80\": refused}\n  - {\"unix /run/docker.sock\": refused}\n");
}

static int start_take(const struct learn_options *o, struct buf *text)
{
	_free_ char *data = NULL;
	size_t len;
	int err;

	if (!o->file) {
		start_write(o, text);
		return text->err;
	}
	err = file_slurp(o->file, POLICY_BYTES, &data, &len);
	if (err)
		return log_err(err, "%s", o->file);
	buf_add(text, data, len);
	return text->err;
}

/* ---- saying ---- */

static void diags_say(const struct diags *diags)
{
	_buf_ struct buf said = {};

	diags_show(diags, policy_colour(), &said);
	if (said.data)
		fputs(said.data, stderr);
}

static void journal_say(const struct learn_journal *j)
{
	if (j->lost)
		log_warn(0, "this is not everything: %llu times the record says that it lost refusals or only counted them; run again, or with less at a time",
			 (unsigned long long)j->lost);
	if (j->damaged)
		log_warn(0, "%llu line%s of the journal cannot be read; `bailiff journal verify` says where", (unsigned long long)j->damaged, PLURAL(j->damaged));
}

static void totals_say(const struct learn *l, const struct learn_journal *j)
{
	_buf_ struct buf said = {};
	struct learn_totals t;

	learn_report(l, "", &said);
	if (said.data)
		fputs(said.data, stderr);
	learn_totals(l, &t);
	fprintf(stderr, "%llu event%s of %llu sandbox%s, about %zu different things: %zu allowed already, %zu learned as %zu rule%s, %zu not learned\n",
		(unsigned long long)j->decisions, PLURAL(j->decisions), (unsigned long long)j->sessions, j->sessions == 1 ? "" : "es", t.seen, t.covered,
		t.learned, t.rules, PLURAL(t.rules), t.refused);
}

/* ---- learning ---- */

static int text_give(const struct buf *text, const char *file)
{
	_close_ int fd = -1;
	int err;

	if (!file)
		return fwrite(text->data, 1, text->len, stdout) == text->len && !fflush(stdout) ? CLI_OK : CLI_FAILED;
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return log_err(-errno, "%s%s", file, errno == EEXIST ? ": not overwritten" : ""), CLI_FAILED;
	err = write_full(fd, text->data, text->len);
	if (err)
		unlink(file);
	return err ? (log_err(err, "%s", file), CLI_FAILED) : CLI_OK;
}

/* What comes out is read as the engine would read it, and has to allow what it was learned from. */
static int result_check(const struct learn *l, const struct learn_options *o, const struct buf *text)
{
	_buf_ struct buf missing = {};
	struct policy *learned = NULL;
	struct diags diags = {};
	int code = policy_from_text(text->data, text->len, o->policy.output ? o->policy.output : "learned", &o->policy, &learned, &diags);

	diags_say(&diags);
	diags_done(&diags);
	if (code)
		log_err(0, "what was learned is no policy: a defect of Bailiff's, or the one to extend has its lists where none can be added");
	else if (learn_missing(l, learned, &missing)) {
		log_err(0, "still refused by what was learned:\n%s", missing.data ? missing.data : "");
		code = CLI_FAILED;
	}
	policy_free(learned);
	return code;
}

static int learn_finish(struct learn *l, const struct learn_options *o, const struct learn_journal *j, const struct buf *start)
{
	_buf_ struct buf text = {};
	char why[200] = "";
	int err = learn_work(l), code;

	if (!err)
		err = learn_into(l, start->data, start->len, &text, why);
	if (err) {
		log_err(*why ? 0 : err, "%s: nothing can be added to this policy%s%s", o->file ? o->file : "learned", *why ? ": " : "", why);
		return CLI_FAILED;
	}
	learn_presets(l, "# ", &text);
	totals_say(l, j);
	code = text.err ? CLI_FAILED : result_check(l, o, &text);
	return code ? code : text_give(&text, o->policy.output);
}

static int learn_run(const struct learn_options *o, struct learn_journal *j, const struct policy *base, const struct buf *start)
{
	struct learn *l;
	int code = CLI_FAILED, err = learn_new(base, &l);

	if (err)
		return log_err(err, "bailiff learn"), CLI_FAILED;
	j->take = learn_take;
	j->ctx = l;
	if (!learn_journal_read(j)) {
		journal_say(j);
		if (j->sessions)
			code = learn_finish(l, o, j, start);
		else
			log_err(0, "no sandbox is recorded%s: `bailiff run --stage observe` records what a policy lacks", o->sandbox ? " under that name" : "");
	}
	learn_free(l);
	return code;
}

static int tighten_run(struct learn_journal *j, const struct policy *p)
{
	_buf_ struct buf out = {};
	struct tighten *t;
	size_t unused;
	int err = tighten_new(p, &t);

	if (err)
		return log_err(err, "bailiff learn"), CLI_FAILED;
	j->take = tighten_take;
	j->ctx = t;
	err = learn_journal_read(j);
	if (!err) {
		journal_say(j);
		tighten_report(t, &out, &unused);
		fputs(out.data ? out.data : "every rule was needed by some recorded action\n", stdout);
		fprintf(stderr, "%llu sandbox%s recorded; what a policy records besides refusals is said by its record:\n", (unsigned long long)j->sessions,
			j->sessions == 1 ? " is" : "es are");
	}
	tighten_free(t);
	return err || out.err ? CLI_FAILED : CLI_OK;
}

static int work(const struct learn_options *o, struct learn_journal *j)
{
	_buf_ struct buf start = {};
	struct policy *base = NULL;
	struct diags diags = {};
	int code;

	if (start_take(o, &start))
		return CLI_FAILED;
	code = policy_from_text(start.data, start.len, o->file ? o->file : "learned", &o->policy, &base, &diags);
	if (code)
		diags_say(&diags);
	diags_done(&diags);
	if (!code)
		code = o->tighten ? tighten_run(j, base) : learn_run(o, j, base, &start);
	policy_free(base);
	return code;
}

static int usage_check(const struct learn_options *o, size_t words, uint64_t *since_ms)
{
	if (words)
		log_err(0, "usage: %s", spec.usage);
	else if (o->file && o->uses)
		log_err(0, "--uses is for a policy that begins here; write the preset into %s", o->file);
	else if (o->tighten && (!o->file || o->policy.output))
		log_err(0, o->file ? "--tighten writes no policy: leave -o out" : "--tighten needs -p: the policy whose rules are asked about");
	else if (o->since && cli_parse_since(o->since, since_ms))
		log_err(0, "--since: neither a time (2026-11-24T08:00:00Z) nor a duration (2h); usage: %s", spec.usage);
	else
		return 0;
	return -EINVAL;
}

int cmd_learn(int argc, char **argv)
{
	struct learn_options o = {};
	struct learn_journal j = { .o = &o };
	_cleanup_(where_done) struct where w = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&spec, argc, argv, &o, &rest, &count), code;

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (usage_check(&o, count, &j.since_ms))
		return CLI_USAGE;
	if (!o.dir && where_load(&w))
		return CLI_FAILED;
	j.dir = o.dir ? o.dir : w.journal_dir;
	code = work(&o, &j);
	learn_journal_done(&j);
	return code;
}
