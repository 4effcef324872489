/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiff-view: what `bailiff` leaves to a helper because it links more than a start of a sandbox should. `bailiff journal verify`,
 * `journal pubkey` and `policy digest` arrive here as they were typed.
 */
#include <stdio.h>
#include <time.h>
#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/option.h"
#include "cli/policy.h"
#include "cli/where.h"
#include "journal/journal.h"

#define KEY_FILE_BYTES 65536

struct verify_options {
	const char *key, *head;
	bool json;
};

static const struct cli_option verify_rows[] = {
	{ "key", 0, "FILE", OPTION_TEXT, offsetof(struct verify_options, key), "public key (PEM); default: this host's" },
	{ "head", 0, "SEG:N:ROOT", OPTION_TEXT, offsetof(struct verify_options, head), "a state remembered elsewhere (bailiff_head in a SIEM) must be in it" },
	{ "json", 0, NULL, OPTION_FLAG, offsetof(struct verify_options, json), "a JSON object" },
};
static const struct cli_spec verify_spec = {
	.usage = "bailiff journal verify [DIR] [--key FILE] [--head SEG:N:ROOT] [--json]",
	.about = "Check the journal in DIR (default: this host's) from its files and the public key alone: every line against its hash, every\n"
		 "checkpoint's signature, every segment against its predecessor. Names the first thing that is wrong, and says up to which line\n"
		 "and when it is under a signature, what sinks have confirmed, and what a thief of the present key could have changed.\n"
		 "A key that lies beside a copied journal proves nothing: get it another way.",
	.options = verify_rows,
	.option_count = ARRAY_SIZE(verify_rows),
	.more = "exit code: 0 intact, 1 tampered with or damaged, 2 usage, 125 it could not be checked",
};
static const struct cli_spec pubkey_spec = {
	.usage = "bailiff journal pubkey [KEYDIR]",
	.about = "Print the public key (PEM) that verifies this host's journal. Keep a copy where this host cannot change it.",
	.more = "exit code: 0 printed, 2 usage, 125 there is none",
};

static void time_text(uint64_t ms, char out[64])
{
	time_t s = ms / 1000;
	struct tm t;
	size_t n;

	gmtime_r(&s, &t);
	n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(out + n, 64 - n, ".%03uZ", (unsigned)(ms % 1000));
}

/* ---- what it found ---- */

#define U(x) ((unsigned long long)(x))

static void print_beginning(const struct journal_report *r)
{
	char when[64];

	if (r->first_seq <= 1)
		return;
	time_text(r->retired_ms, when);
	printf("begins    at segment %020llu; the %llu line%s before it %s retired by retention, says the signed record of %s\n", U(r->first_seq),
	       U(r->first_seq - 1), PLURAL(r->first_seq - 1), r->first_seq == 2 ? "was" : "were", when);
}

static void print_anchor(const struct journal_report *r)
{
	char when[64];

	if (!r->anchored_seq) {
		printf("anchored  nothing: no valid signature covers any line\n");
		return;
	}
	time_text(r->anchored_ms, when);
	printf("anchored  lines up to %llu, by the signature of %s\n", U(r->anchored_seq - 1), when);
}

/* How far the record is out of reach of who has the present key, and by whose word. Returns the number behind the last witnessed line. */
static uint64_t print_witnesses(const struct journal_report *r)
{
	uint64_t seq = 0;
	char when[64];

	for (size_t i = 0; i < r->witness_count; i++) {
		const struct journal_witness *w = &r->witnesses[i];

		time_text(w->time_ms, when);
		printf("witness   lines up to %llu, signed %s: sink %s has confirmed it; ask its receiver for\n          %s\n", U(w->seq - 1), when,
		       w->name, w->state);
		if (w->seq > seq)
			seq = w->seq;
	}
	if (r->head_found)
		printf("witness   the given state is part of this journal\n");
	return seq;
}

static void print_window(const struct journal_report *r, uint64_t witnessed)
{
	uint64_t from = r->epoch_seq + 1, end = r->anchored_seq;
	char when[64];

	if (from < witnessed)
		from = witnessed;
	time_text(r->epoch_ms, when);
	if (from < end)
		printf("window    lines %llu to %llu could be written anew by who has the signing key of epoch %llu, in force since %s\n", U(from), U(end - 1),
		       U(r->key_epoch), when);
	if (r->ends_closed)
		printf("window    the last segment is closed and none follows: a crash in the midst of a rotation, or what followed was cut off\n");
}

static void print_text(const char *dir, const char *key, const struct journal_report *r, int err)
{
	uint64_t witnessed;

	printf("journal   %s\nkey       %s (journal's key epoch now: %llu)\n", dir, key, U(r->key_epoch));
	print_beginning(r);
	printf("read      %llu segment%s, %llu line%s, %llu checkpoint%s\n", U(r->segments), PLURAL(r->segments), U(r->lines), PLURAL(r->lines),
	       U(r->checkpoints), PLURAL(r->checkpoints));
	print_anchor(r);
	witnessed = print_witnesses(r);
	if (!err)
		print_window(r, witnessed);
	if (!err && r->unsigned_lines)
		printf("trailing  %llu line%s behind it only self-asserted: no signature covers %s yet\n", U(r->unsigned_lines),
		       r->unsigned_lines == 1 ? " is" : "s are", r->unsigned_lines == 1 ? "it" : "them");
	if (!err && r->torn_bytes)
		printf("trailing  %llu byte%s of an unfinished line at the very end\n", U(r->torn_bytes), PLURAL(r->torn_bytes));
	printf("result    %s%s\n", err ? "NOT INTACT: " : "intact", err ? r->first_error : "");
}

static void json_witnesses(struct json *j, const struct journal_report *r)
{
	json_begin_array(j, "witnesses");
	for (size_t i = 0; i < r->witness_count; i++) {
		json_begin_object(j, NULL);
		json_str(j, "sink", r->witnesses[i].name);
		json_u64(j, "lines", r->witnesses[i].seq - 1);
		json_u64(j, "time", r->witnesses[i].time_ms);
		json_str(j, "state", r->witnesses[i].state);
		json_end_object(j);
	}
	json_end_array(j);
}

static int print_json(const char *dir, const struct journal_report *r, int err)
{
	_buf_ struct buf b = {};
	struct json j;

	json_init(&j, &b);
	json_begin_object(&j, NULL);
	json_bool(&j, "intact", !err);
	json_str(&j, "error", err ? r->first_error : NULL);
	json_str(&j, "journal", dir);
	json_u64(&j, "first_line", r->first_seq);
	json_u64(&j, "retired_time", r->retired_ms);
	json_u64(&j, "segments", r->segments);
	json_u64(&j, "lines", r->lines);
	json_u64(&j, "checkpoints", r->checkpoints);
	json_u64(&j, "anchored_lines", r->anchored_seq ? r->anchored_seq - 1 : 0);
	json_u64(&j, "anchored_time", r->anchored_ms);
	json_u64(&j, "self_asserted_lines", r->unsigned_lines);
	json_u64(&j, "torn_bytes", r->torn_bytes);
	json_u64(&j, "key_epoch", r->key_epoch);
	json_u64(&j, "epoch_first_line", r->epoch_seq);
	json_u64(&j, "epoch_time", r->epoch_ms);
	json_bool(&j, "ends_closed", r->ends_closed);
	json_witnesses(&j, r);
	json_bool(&j, "head_found", r->head_found);
	json_end_object(&j);
	if (!b.err)
		puts(b.data);
	return b.err;
}

/* ---- commands ---- */

static int read_key(const char *path, uint8_t key[ED25519_KEY_BYTES])
{
	_free_ char *pem = NULL;
	size_t n = 0;
	int err = file_slurp(path, KEY_FILE_BYTES, &pem, &n);

	if (!err)
		err = sign_public_from_pem(pem, n, key);
	return err ? log_err(err, err == -EBADMSG ? "%s is no Ed25519 public key (PEM)" : "%s", path) : 0;
}

static int check(const char *dir, const char *key_path, const struct verify_options *o)
{
	uint8_t key[ED25519_KEY_BYTES];
	struct journal_report r;
	int err = read_key(key_path, key);

	if (err)
		return CLI_NOT_STARTED;
	err = journal_verify_head(dir, key, o->head, &r);
	if (err == -EINVAL) {
		log_err(0, "--head: not of the form SEGMENT:LINES:ROOT as a checkpoint or a SIEM has it");
		return CLI_USAGE;
	}
	if (err && err != -EBADMSG) {
		log_err(err, "%s%s%s", dir, r.first_error[0] ? ": " : "", r.first_error);
		return CLI_NOT_STARTED;
	}
	if (o->json && print_json(dir, &r, err))
		return CLI_NOT_STARTED;
	if (!o->json)
		print_text(dir, key_path, &r, err);
	return err ? CLI_FAILED : CLI_OK;
}

static int cmd_verify(int argc, char **argv)
{
	struct cli_spec here = verify_spec;
	struct verify_options o = {};
	_cleanup_(where_done) struct where w = {};
	_free_ char **rest = NULL, *key = NULL;
	size_t count;
	int err;

	here.operands = argc > 1 && argv[1][0] != '-';	/* DIR may stand first or last */
	err = cli_parse(&here, argc, argv, &o, &rest, &count);
	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count > 1) {
		log_err(0, "usage: %s", verify_spec.usage);
		return CLI_USAGE;
	}
	if ((!count || !o.key) && where_load(&w))
		return CLI_NOT_STARTED;
	if (!o.key && asprintf(&key, "%s/journal.pub", w.key_dir) < 0)
		return log_err(-ENOMEM, "verify"), CLI_NOT_STARTED;
	return check(count ? rest[0] : w.journal_dir, o.key ? o.key : key, &o);
}

static int print_pubkey(const char *key_dir)
{
	uint8_t key[ED25519_KEY_BYTES];
	_free_ char *pem = NULL;
	int err = journal_public_key(key_dir, key);

	if (!err)
		err = sign_public_pem(key, &pem);
	if (err) {
		log_err(err, "%s/journal.pub", key_dir);
		return CLI_NOT_STARTED;
	}
	fputs(pem, stdout);
	return CLI_OK;
}

static int cmd_pubkey(int argc, char **argv)
{
	_cleanup_(where_done) struct where w = {};
	_free_ char **rest = NULL;
	size_t count;
	int err = cli_parse(&pubkey_spec, argc, argv, NULL, &rest, &count);

	if (err)
		return err > 0 ? CLI_OK : CLI_USAGE;
	if (count > 1) {
		log_err(0, "usage: %s", pubkey_spec.usage);
		return CLI_USAGE;
	}
	if (!count && where_load(&w))
		return CLI_NOT_STARTED;
	return print_pubkey(count ? rest[0] : w.key_dir);
}

static const struct {
	const char *group, *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "journal", "verify", cmd_verify },
	{ "journal", "pubkey", cmd_pubkey },
	{ "policy", "digest", cmd_policy_digest },
};

int main(int argc, char **argv)
{
	log_open("bailiff");	/* that is what was typed */
	for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].group) && !strcmp(argv[2], commands[i].name)) {
			int code = commands[i].run(argc - 2, argv + 2);

			return fflush(stdout) || ferror(stdout) ? CLI_NOT_STARTED : code;
		}
	}
	log_err(0, "bailiff-view is run by bailiff: journal verify, journal pubkey, policy digest");
	return CLI_USAGE;
}
