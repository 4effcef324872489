/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A corpus of corruption: what a hand, a disk or a thief of the present signing key can do to a record. Each is found and its place named, or lies in
 * the window that verify names. The verifier of integrations/verifier, which shares no line with ours, has to say the same of every one.
 */
#include "journal/journal.h"
#include "tests/unit/journal_forge.h"

#define SEGMENTS 32
#define NOWHERE (-SEGMENTS)	/* it is not in a segment */
#define WINDOW "(window)"	/* intact by its files; verify names the window that it lies in */

struct base {
	struct place p;
	struct keys key;		/* the present one */
	uint64_t seg[SEGMENTS];
	size_t n;
	struct forge f;
	char head[160];			/* a witness has it */
};

/* Five segments or more, each closed under a key of its own; the last one has lines, a checkpoint, lines, a checkpoint. */
static void base_make(struct base *b)
{
	struct journal *j;

	*b = (struct base){ .p = place_make() };
	j = journal_begin_with(&b->p, (struct journal_options){ .segment_bytes = 1500 }, NULL);
	journal_put(j, 1, 120);
	journal_close(j);
	j = journal_begin(&b->p, NULL);
	journal_put(j, 121, 12);
	journal_close(j);
	j = journal_begin(&b->p, NULL);
	CHECK_OK(journal_head(j, b->head));
	journal_put(j, 133, 6);
	journal_close(j);
	b->n = forge_segments(&b->p, b->seg, SEGMENTS);
	CHECK(b->n >= 4);
	b->key = forge_steal(&b->p);
}

static void base_done(struct base *b)
{
	forge_free(&b->f);
	place_remove(&b->p);
}

static uint64_t closed(const struct base *b)
{
	return b->seg[1];
}

static uint64_t present(const struct base *b)
{
	return b->seg[b->n - 1];
}

static void load(struct base *b, uint64_t first)
{
	forge_free(&b->f);
	forge_read(&b->p, first, &b->f);
}

/* ---- without a key ---- */

static void edit(struct base *b)
{
	load(b, closed(b));
	forge_set(&b->f, 3, "{\"n\":7,\"text\":\"something else\"}");
	forge_write(&b->p, &b->f, false);
}

static void edit_with_hash(struct base *b)
{
	load(b, closed(b));
	forge_set(&b->f, 3, "{\"n\":7,\"text\":\"something else\"}");
	forge_write(&b->p, &b->f, true);
}

static void delete_line(struct base *b)
{
	load(b, closed(b));
	forge_remove(&b->f, 4);
	forge_write(&b->p, &b->f, false);
}

static void delete_with_hash(struct base *b)
{
	load(b, closed(b));
	forge_remove(&b->f, 4);
	forge_write(&b->p, &b->f, true);
}

static void swap_lines(struct base *b, bool hashes)
{
	char *line;

	load(b, closed(b));
	line = b->f.line[4];
	b->f.line[4] = b->f.line[6];
	b->f.line[6] = line;
	forge_write(&b->p, &b->f, hashes);
}

static void reorder(struct base *b)
{
	swap_lines(b, false);
}

static void reorder_with_hashes(struct base *b)
{
	swap_lines(b, true);
}

static void truncate_present(struct base *b)
{
	load(b, present(b));
	b->f.count -= 2;
	forge_write(&b->p, &b->f, false);
	b->f.count += 2;
}

static void truncate_closed(struct base *b)
{
	load(b, closed(b));
	b->f.count--;
	forge_write(&b->p, &b->f, true);
	b->f.count++;
}

static void append_to_closed(struct base *b)
{
	load(b, closed(b));
	forge_insert(&b->f, b->f.count, "{\"n\":1}");
	forge_write(&b->p, &b->f, true);
}

static void put_in(struct base *b)
{
	load(b, closed(b));
	forge_insert(&b->f, 5, "{\"n\":1}");
	forge_write(&b->p, &b->f, false);
}

static void splice_from_another_segment(struct base *b)
{
	struct forge other;

	load(b, closed(b));
	forge_read(&b->p, b->seg[0], &other);
	forge_set(&b->f, 5, other.line[5]);
	forge_write(&b->p, &b->f, true);
	forge_free(&other);
}

static void splice_a_checkpoint(struct base *b)
{
	struct forge other;

	load(b, closed(b));
	forge_read(&b->p, b->seg[0], &other);
	forge_set(&b->f, b->f.count - 1, other.line[other.count - 1]);
	forge_write(&b->p, &b->f, true);
	forge_free(&other);
}

static void splice_a_foreign_segment(struct base *b)
{
	struct base other;
	struct forge f;

	base_make(&other);
	CHECK_EQ(other.seg[1], b->seg[1]);
	forge_read(&other.p, closed(&other), &f);
	forge_write(&b->p, &f, true);
	forge_free(&f);
	base_done(&other);
}

static void remove_first(struct base *b)
{
	forge_unlink(&b->p, b->seg[0]);
}

static void remove_middle(struct base *b)
{
	forge_unlink(&b->p, b->seg[2]);
}

/* As retention would leave it, but no header says that it did. */
static void retire_without_word(struct base *b)
{
	load(b, b->seg[0]);
	place_write(&b->p, "retired", "", 0);
	b->f.line[0] = realloc(b->f.line[0], strlen(b->f.line[0]) + 2);
	strcat(b->f.line[0], "\n");
	place_write(&b->p, "retired", b->f.line[0], strlen(b->f.line[0]));
	forge_unlink(&b->p, b->seg[0]);
}

static void flip_a_hash(struct base *b)
{
	char name[64];
	_free_ char *bytes = NULL;
	size_t n;

	forge_name(closed(b), "leaf", name);
	bytes = place_read(&b->p, name, &n);
	bytes[3 * HASH_BYTES] ^= 1;
	place_write(&b->p, name, bytes, n);
}

static void pose(struct base *b)
{
	load(b, present(b));
	forge_insert(&b->f, 2, JOURNAL_OWN_PREFIX "\"kind\":\"pardon\"}}}");
	forge_write(&b->p, &b->f, true);
}

static void header_edited(struct base *b)
{
	load(b, closed(b));
	memcpy(strstr(b->f.line[0], "testhost"), "otherhos", 8);
	forge_write(&b->p, &b->f, true);
}

/* ---- with the present key ---- */

static void resign_a_closed_segment(struct base *b)
{
	load(b, closed(b));
	forge_set(&b->f, 3, "{\"n\":7,\"text\":\"something else\"}");
	forge_sign(&b->f, &b->key);
	forge_write(&b->p, &b->f, true);
}

/* The last closed segment is taken out, and the present one says that it follows the one before that. */
static void drop_a_closed_segment(struct base *b)
{
	uint64_t before = b->seg[b->n - 3], gone = b->seg[b->n - 2];
	struct journal_header h;
	struct forge f;
	char line[JOURNAL_OWN_MAX];

	forge_read(&b->p, before, &f);
	load(b, present(b));
	CHECK_OK(header_parse(b->f.line[0], strlen(b->f.line[0]), &h));
	h.segment = gone;
	h.key_epoch--;
	h.previous.segment = before;
	h.previous.lines = f.count;
	forge_root(&f, h.previous.root);
	CHECK_OK(keys_sign_header(&b->key, &h));
	line[header_render(&h, line)] = 0;
	forge_set(&b->f, 0, line);
	forge_unlink(&b->p, gone);
	forge_unlink(&b->p, present(b));
	b->f.first = gone;
	forge_sign(&b->f, &b->key);
	forge_write(&b->p, &b->f, true);
	forge_free(&f);
}

static void resign_header(struct base *b, bool retention)
{
	struct journal_header h;
	char line[JOURNAL_OWN_MAX];

	load(b, present(b));
	CHECK_OK(header_parse(b->f.line[0], strlen(b->f.line[0]), &h));
	if (retention)
		h.oldest = b->seg[b->n - 2];
	else
		h.time_ms -= 3600000;
	CHECK_OK(keys_sign_header(&b->key, &h));
	line[header_render(&h, line)] = 0;
	forge_set(&b->f, 0, line);
	forge_sign(&b->f, &b->key);
	forge_write(&b->p, &b->f, true);
}

static void header_resigned(struct base *b)
{
	resign_header(b, false);
}

static void retention_claimed(struct base *b)
{
	resign_header(b, true);
}

static void rewrite_the_present(struct base *b)
{
	load(b, present(b));
	forge_set(&b->f, 2, "{\"n\":7,\"text\":\"nothing happened\"}");
	forge_sign(&b->f, &b->key);
	forge_write(&b->p, &b->f, true);
}

static void rewrite_what_was_witnessed(struct base *b)
{
	struct journal_cursor *c;
	struct journal_line l;

	CHECK_OK(journal_cursor_open(b->p.dir, "splunk", &c));
	CHECK_EQ(journal_cursor_read(c, &l), 1);
	CHECK_OK(journal_cursor_commit_head(c, 20, b->head));
	journal_cursor_close(c);
	rewrite_the_present(b);
}

static void cut_behind_a_closed_segment(struct base *b)
{
	forge_unlink(&b->p, present(b));
}

static void nothing(struct base *b)
{
	(void)b;
}

static const struct row {
	const char *name;
	void (*tamper)(struct base *b);
	int at;				/* segment whose name the finding begins with: index, -1 the present one, -2 the one before it */
	const char *found;		/* part of the finding; WINDOW: none; NULL: intact, nothing to name */
} rows[] = {
	{ "nothing", nothing, 0, NULL },
	{ "a line edited", edit, 1, "line 4: does not match its leaf hash; the checkpoint in line" },
	{ "a line edited with its hash", edit_with_hash, 1, "do not give the root" },
	{ "a line deleted", delete_line, 1, "line 5: does not match its leaf hash but that of the next line: a line was removed here" },
	{ "a line deleted with its hash", delete_with_hash, 1, "lines were removed or put in before it" },
	{ "two lines swapped", reorder, 1, "line 5: does not match its leaf hash" },
	{ "two lines swapped with their hashes", reorder_with_hashes, 1, "do not give the root" },
	{ "the present segment cut", truncate_present, -1, "is missing with all behind it" },
	{ "a closed segment cut with its hashes", truncate_closed, 1, "is missing with all behind it; segment" },
	{ "a line behind a closing checkpoint", append_to_closed, 1, "stands behind the checkpoint that closes" },
	{ "a line put in", put_in, 1, "line 6: does not match its leaf hash, which is that of the next line: a line was put in here" },
	{ "a line of another segment spliced in", splice_from_another_segment, 1, "do not give the root" },
	{ "a checkpoint of another segment spliced in", splice_a_checkpoint, 1, "is the checkpoint of another segment or journal" },
	{ "a segment of another journal spliced in", splice_a_foreign_segment, 1, "line 1: belongs to another journal" },
	{ "the first segment removed", remove_first, 1, "line 1: follows segment" },
	{ "a segment in the middle removed", remove_middle, 3, "line 1: follows segment" },
	{ "the first segment retired by nobody's word", retire_without_word, 1, "nothing signed says that retention retired it" },
	{ "a hash flipped", flip_a_hash, 1, "line 4: does not match its leaf hash; the checkpoint in line" },
	{ "a line that poses as the journal's own", pose, -1, "line 3: poses as a line of the journal itself" },
	{ "a header edited with its hash", header_edited, 1, "do not give the root" },
	{ "stolen key: a closed segment signed anew", resign_a_closed_segment, 1, "signature that is not by the key of this segment" },
	{ "stolen key: a closed segment dropped", drop_a_closed_segment, -2, "line 1: names a signing key that the key before it does not endorse" },
	{ "stolen key: the present header signed anew", header_resigned, -1, "line 1: names a signing key that the key before it does not endorse" },
	{ "stolen key: the present header claims retention", retention_claimed, NOWHERE, "file retired: the headers of what was retired before" },
	{ "stolen key: the present segment written anew", rewrite_the_present, -1, WINDOW },
	{ "stolen key: what a sink has confirmed written anew", rewrite_what_was_witnessed, -1, "never had the witnessed root behind line" },
	{ "cut behind a closed segment", cut_behind_a_closed_segment, -2, WINDOW },
};

/* The other verifier's exit code; its finding, empty when it finds the record intact. */
static int other_verify(const struct base *b, char finding[512], bool *window)
{
	char cmd[PATH_MAX], line[1024];
	int status;
	FILE *f;

	finding[0] = 0;
	*window = false;
	snprintf(cmd, sizeof(cmd), "python3 integrations/verifier/verify.py %s --key %s/journal.pub", b->p.dir, b->p.keys);
	f = popen(cmd, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		*window |= !strncmp(line, "window ", 7);
		if (!strncmp(line, "result    NOT INTACT: ", 22))
			snprintf(finding, 512, "%.500s", line + 22);
	}
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_place(const struct base *b, const struct row *r, const char *finding)
{
	uint64_t first = r->at == NOWHERE ? 0 : r->at < 0 ? b->seg[b->n + r->at] : b->seg[r->at];
	char place[64];

	snprintf(place, sizeof(place), "segment %020llu", (unsigned long long)first);
	CHECK(r->at == NOWHERE || !strncmp(finding, place, strlen(place)));
	CHECK_HAS(finding, r->found);
}

TEST(each_corruption_is_found_at_its_place_or_lies_in_the_named_window_and_both_verifiers_agree)
{
	if (system("command -v python3 >/dev/null && command -v openssl >/dev/null"))
		SKIP("needs python3 and the openssl program");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct journal_report report;
		struct base b;
		char finding[512];
		bool window;
		int err;

		CASE("%s", r->name);
		base_make(&b);
		r->tamper(&b);
		err = place_verify(&b.p, &report);
		if (!r->found || !strcmp(r->found, WINDOW)) {
			CHECK_EQ(err, 0);
			CHECK(report.ends_closed || (report.epoch_seq == present(&b) && report.anchored_seq > report.epoch_seq + 1));
			CHECK_EQ(report.ends_closed, r->tamper == cut_behind_a_closed_segment);
		} else {
			CHECK_EQ(err, -EBADMSG);
			check_place(&b, r, report.first_error);
		}
		CHECK_EQ(other_verify(&b, finding, &window), err ? 1 : 0);
		CHECK_STR(finding, err ? report.first_error : "");
		CHECK_EQ(window, !err);
		base_done(&b);
	}
}

/* The first line of a journal of format 1, whole and with its hash. */
TEST(a_journal_of_another_format_is_refused_in_words)
{
	struct base b;
	struct journal *j;
	struct journal_report r;
	struct journal_options o = {};
	char finding[512];
	bool window;

	base_make(&b);
	load(&b, b.seg[0]);
	memcpy(strstr(b.f.line[0], "\"format\":2"), "\"format\":1", 10);
	forge_write(&b.p, &b.f, true);
	CHECK_EQ(place_verify(&b.p, &r), -EPROTONOSUPPORT);
	CHECK_HAS(r.first_error, "of another format than 2");
	CHECK_EQ(other_verify(&b, finding, &window), 125);
	o.dir = b.p.dir;
	o.key_dir = b.p.keys;
	CHECK_EQ(journal_open(&o, &j, NULL), -EPROTONOSUPPORT);
	base_done(&b);
}

TEST_MAIN()
