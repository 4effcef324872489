/* SPDX-License-Identifier: Apache-2.0 */
/* The journal seen from outside: by the script of docs/journal.md, which knows no code of ours, and by the commands that people type. */
#include <sys/wait.h>
#include "journal/journal.h"
#include "tests/unit/journal_help.h"

#define DOCUMENT "docs/journal.md"

static const char *built(void)
{
	return getenv("BUILD") ? getenv("BUILD") : "build";
}

/* Run a command in the place's root; its exit code, and its output. */
static int run(const struct place *p, char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static int run(const struct place *p, char *out, size_t size, const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;
	FILE *f;
	size_t n;
	int at = snprintf(cmd, sizeof(cmd), "R=%s; B=%s; export BAILIFF_SETTINGS=$R/settings.yaml; ", p->root, built()), status;

	va_start(ap, fmt);
	vsnprintf(cmd + at, sizeof(cmd) - at, fmt, ap);
	va_end(ap);
	f = popen(cmd, "r");
	CHECK(f);
	n = fread(out, 1, size - 1, f);
	out[n] = 0;
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The block of the document that its reader is told to use. */
static void extract_script(const struct place *p)
{
	char *text = NULL, *from, *to, path[PATH_MAX];
	int fd;

	CHECK_OK(file_slurp(DOCUMENT, 1 << 20, &text, NULL));
	from = strstr(text, "```bash\n");
	CHECK(from);
	from += 8;
	to = strstr(from, "```\n");
	CHECK(to);
	snprintf(path, sizeof(path), "%s/check.sh", p->root);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK_OK(write_full(fd, from, to - from));
	close(fd);
	free(text);
}

static struct place small_journal(unsigned events, uint64_t segment_bytes)
{
	struct place p = place_make();
	struct journal *j = journal_begin_with(&p, (struct journal_options){ .segment_bytes = segment_bytes }, NULL);
	char settings[512], path[PATH_MAX];
	int fd;

	journal_put(j, 1, events);
	journal_close(j);
	snprintf(path, sizeof(path), "%s/settings.yaml", p.root);
	snprintf(settings, sizeof(settings), "journal_dir: %s\nkey_dir: %s\n", p.dir, p.keys);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK_OK(write_full(fd, settings, strlen(settings)));
	close(fd);
	return p;
}

TEST(the_script_of_the_manual_verifies_a_segment_and_finds_a_change)
{
	struct place p = small_journal(11, 0);
	char out[4096];

	if (run(&p, out, sizeof(out), "command -v openssl && command -v bash"))
		SKIP("needs openssl and bash");
	extract_script(&p);
	CHECK_EQ(run(&p, out, sizeof(out), "cd $R && bash check.sh journal/%s keys/journal.pub 2>&1", FIRST_LINES), 0);
	CHECK_HAS(out, "Signature Verified Successfully");
	CHECK_HAS(out, "lines up to 12 are under a valid signature; root of all 13: ");
	CHECK_EQ(run(&p, out, sizeof(out), "cd $R && sed -i 's/\"n\":5,/\"n\":6,/' journal/%s && bash check.sh journal/%s keys/journal.pub 2>&1",
		     FIRST_LINES, FIRST_LINES), 1);
	CHECK_HAS(out, "line 13: another root");
	place_remove(&p);
}

TEST(the_scripts_root_is_what_the_next_header_names)
{
	struct place p = small_journal(60, 2000);
	char out[8192], root[65], *at;

	if (run(&p, out, sizeof(out), "command -v openssl && command -v bash"))
		SKIP("needs openssl and bash");
	extract_script(&p);
	CHECK_EQ(run(&p, out, sizeof(out), "cd $R && bash check.sh journal/%s keys/journal.pub 2>&1", FIRST_LINES), 0);
	at = strstr(out, "root of all ");
	CHECK(at && sscanf(strstr(at, ": ") + 2, "%64[0-9a-f]", root) == 1);
	CHECK_EQ(run(&p, out, sizeof(out), "cd $R/journal && head -qn1 $(ls *.jsonl | sed -n 2p)"), 0);
	CHECK_HAS(out, root);
	place_remove(&p);
}

static void need_binaries(void)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/bailiff-view", built());
	if (access(path, X_OK))
		SKIP("bailiff and bailiff-view are not built");
}

TEST(verify_says_how_far_the_record_is_anchored_and_its_exit_code_is_the_verdict)
{
	struct place p = small_journal(20, 0);
	char out[4096];

	need_binaries();
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal verify"), 0);
	CHECK_HAS(out, "result    intact");
	CHECK_HAS(out, "anchored  lines up to 21, by the signature of 20");
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal verify $R/journal --key $R/keys/journal.pub --json"), 0);
	CHECK_HAS(out, "{\"intact\":true,");
	CHECK_EQ(run(&p, out, sizeof(out), "sed -i 's/\"n\":5,/\"n\":6,/' $R/journal/%s; $B/bailiff journal verify", FIRST_LINES), 1);
	CHECK_HAS(out, "NOT INTACT: segment 00000000000000000001 line 6: does not match its leaf hash");
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal verify --json"), 1);
	CHECK_HAS(out, "\"intact\":false,\"error\":\"segment ");
	place_remove(&p);
}

TEST(exit_codes_tell_usage_from_damage_from_nothing_to_check)
{
	static const struct {
		const char *args;
		int code;
	} rows[] = {
		{ "", 2 }, { "nonsense", 2 }, { "--help", 0 }, { "verify --help", 0 }, { "export --help", 0 }, { "pubkey --help", 0 },
		{ "verify --nonsense", 2 }, { "verify a b", 2 }, { "verify /nowhere", 125 }, { "verify --key /nowhere", 125 },
		{ "verify --key $R/settings.yaml", 125 }, { "verify --head x", 2 }, { "verify $R", 125 }, { "export /nowhere", 125 },
		{ "export --since nonsense", 2 },
		{ "export --until nonsense", 2 }, { "export --severity loud", 2 }, { "export --seq -1", 2 },
		{ "pubkey /nowhere", 125 }, { "pubkey", 0 }, { "verify", 0 }, { "export", 0 },
	};
	struct place p = small_journal(3, 0);
	char out[16384];

	need_binaries();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CASE("journal %s", rows[i].args);
		CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal %s 2>&1", rows[i].args), rows[i].code);
	}
	place_remove(&p);
}

TEST(a_witnessed_head_is_looked_for)
{
	struct place p = small_journal(20, 0);
	char out[4096], root[65];

	need_binaries();
	CHECK_EQ(run(&p, out, sizeof(out), "tail -n1 $R/journal/%s | sed -E 's/.*\"root\":\"([0-9a-f]+).*/\\1/'", FIRST_LINES), 0);
	CHECK_EQ(sscanf(out, "%64[0-9a-f]", root), 1);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal verify --head 00000000000000000001:21:%s", root), 0);
	CHECK_HAS(out, "the given state is part of this journal");
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal verify --head 00000000000000000001:20:%s", root), 1);
	CHECK_HAS(out, "never had the witnessed root");
	place_remove(&p);
}

TEST(export_prints_the_very_bytes)
{
	struct place p = small_journal(200, 4000);
	struct journal *j;
	char out[65536];

	need_binaries();
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export >$R/all; cat $R/journal/*.jsonl | cmp - $R/all"), 0);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export $R/journal --seq 50 >$R/some; tail -n +50 $R/all | cmp - $R/some"), 0);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --seq 100000"), 0);
	CHECK_STR(out, "");
	j = journal_begin(&p, NULL);
	CHECK_OK(journal_append(j, "{\"time\":1000000000000,\"old\":1}", 30, NULL));
	CHECK_OK(journal_append(j, "{\"x\":{\"time\":1},\"time\":4000000000000,\"new\":1}", 45, NULL));
	journal_close(j);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --since 2030-01-01T00:00:00Z | grep -c 4000000000000"), 0);
	CHECK_STR(out, "1\n");
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --since 2h | grep -c '\"old\"'"), 1);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --until 2020-01-01T00:00:00Z | grep -c '\"old\"'"), 0);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --until 2030-01-01T00:00:00Z | grep -c '\"new\"'"), 1);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --since 2h | grep -c '\"segment\",'"), 0);
	place_remove(&p);
}

TEST(export_takes_one_sandbox_and_what_is_severe)
{
	static const char *const lines[] = {
		"{\"metadata\":{\"uid\":\"u\"},\"class_uid\":1001,\"severity_id\":1,\"time\":5,\"unmapped\":{\"sandbox\":{\"id\":\"01A\",\"name\":\"ape\"}},\"n\":1}",
		"{\"metadata\":{\"uid\":\"u\"},\"class_uid\":1001,\"severity_id\":4,\"time\":5,\"unmapped\":{\"sandbox\":{\"id\":\"01A\",\"name\":\"ape\"}},\"n\":2}",
		"{\"metadata\":{\"uid\":\"u\"},\"class_uid\":1001,\"severity_id\":4,\"time\":5,"
		"\"unmapped\":{\"sandbox\":{\"id\":\"01B\",\"name\":\"bee, not ape\"}},\"n\":3}",
	};
	struct place p = small_journal(3, 0);
	struct journal *j = journal_begin(&p, NULL);
	char out[4096];

	need_binaries();
	for (int i = 0; i < 3; i++)
		CHECK_OK(journal_append(j, lines[i], strlen(lines[i]), NULL));
	journal_close(j);
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --sandbox ape | grep -o '\"n\":.' | tr -d '\\n'"), 0);
	CHECK_STR(out, "\"n\":1\"n\":2");
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --severity high | grep -o '\"n\":.' | tr -d '\\n'"), 0);
	CHECK_STR(out, "\"n\":2\"n\":3");
	CHECK_EQ(run(&p, out, sizeof(out), "$B/bailiff journal export --sandbox 01B --severity fatal"), 0);
	CHECK_STR(out, "");
	place_remove(&p);
}

TEST(a_number_is_found_in_the_outermost_object_only)
{
	static const struct {
		const char *line;
		int err;
		uint64_t value;
	} rows[] = {
		{ "{\"time\":5}", 0, 5 }, { "{\"time\": 5,\"x\":1}", 0, 5 }, { "{\"a\":{\"time\":5}}", -ENOENT, 0 }, { "{\"a\":\"\\\"time\\\":5\",\"time\":7}", 0, 7 },
		{ "{\"a\":[{\"time\":1}],\"time\":2}", 0, 2 }, { "{\"time\":\"5\"}", -ENOENT, 0 }, { "{\"time\":-5}", -ENOENT, 0 }, { "\"time\":5", -ENOENT, 0 },
		{ "", -ENOENT, 0 }, { "{\"time", -ENOENT, 0 }, { "{\"time\"", -ENOENT, 0 }, { "{\"time\":", -ENOENT, 0 }, { "{\"times\":1,\"time\":3}", 0, 3 },
		{ "{\"a\":\"}\",\"b\":\"{\",\"time\":4}", 0, 4 }, { "{\"a\":\"\\", -ENOENT, 0 }, { "{\"x\":\"time\",\"y\":5}", -ENOENT, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t v = 0;

		CASE("%s", rows[i].line);
		CHECK_EQ(journal_line_u64(rows[i].line, strlen(rows[i].line), "time", &v), rows[i].err);
		CHECK_EQ(v, rows[i].value);
	}
}

TEST_MAIN()
