/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are none, the bound of the process tree, and how long lines are. */
#include "event/parts.h"
#include "event_record_help.h"

/* ---- hostile records ---- */

static int decode_exact(const struct sample *s, size_t n)
{
	char *exact = malloc(n ? n : 1);
	int err;

	memcpy(exact, s->bytes, n);
	err = events_record(events, exact, n, &line);
	free(exact);
	return err;
}

static void (*const makers[])(struct sample *s);

static void make_decision(struct sample *s) { sample_decision(s, ACT_RENAME, VERB_REMOVE, 5, "/a/b", "/c/d"); }
static void make_exec(struct sample *s) { sample_exec(s, "/bin/x", "x\0-y", 4); }
static void make_exit(struct sample *s) { sample_exit(s, 256); }
static void make_flow(struct sample *s) { sample_flow(s, ACT_CONNECT, 5, sample_v4(1, 2, 3, 4, 5)); }
static void make_file(struct sample *s) { sample_file(s, ACT_OPEN, 5, "/a/b"); }
static void (*const makers[])(struct sample *s) = { make_decision, make_exec, make_exit, make_flow, make_file };

TEST(a_record_cut_at_any_byte_is_no_record)
{
	begin();
	for (size_t m = 0; m < ARRAY_SIZE(makers); m++) {
		struct sample s;

		makers[m](&s);
		CHECK_OK(decode_exact(&s, s.head.size));
		for (size_t n = 0; n < s.head.size; n++) {
			CASE("maker %zu cut to %zu", m, n);
			CHECK_EQ(decode_exact(&s, n), -EBADMSG);
			CHECK_EQ(line.len, 0);
		}
	}
}

static void check_changed(const struct sample *good, size_t at, uint8_t value)
{
	struct sample s;
	json_t *parsed;
	int err;

	memcpy(&s, good, sizeof(s));
	s.bytes[at] = value;
	err = decode_exact(&s, good->head.size);
	CHECK(err == 0 || err == -EBADMSG);
	if (err)
		return;
	parsed = json_loadb(line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	CHECK(parsed);
	json_decref(parsed);
}

TEST(a_record_with_any_byte_changed_is_decoded_or_refused_and_its_line_parses)
{
	static const uint8_t values[] = { 0, 1, 0x20, 0x7f, 0x80, 0xff };

	begin();
	for (size_t m = 0; m < ARRAY_SIZE(makers); m++) {
		struct sample good;

		makers[m](&good);
		for (size_t k = 0; k < good.head.size * ARRAY_SIZE(values); k++) {
			CASE("maker %zu byte %zu = %u", m, k / ARRAY_SIZE(values), values[k % ARRAY_SIZE(values)]);
			check_changed(&good, k / ARRAY_SIZE(values), values[k % ARRAY_SIZE(values)]);
		}
	}
}

TEST(lengths_and_numbers_beyond_their_tables_are_refused)
{
	struct sample s;

	begin();
#define REFUSES(make, change) do { make(&s); change; CHECK_EQ(decode_exact(&s, s.head.size < sizeof(s) ? s.head.size : 200), -EBADMSG); } while (0)
	REFUSES(make_decision, s.head.type = 0);
	REFUSES(make_decision, s.head.type = REC_TYPES);
	REFUSES(make_decision, s.head.ring = RING_COUNT);
	REFUSES(make_decision, s.decision.path_len = UINT32_MAX);
	REFUSES(make_decision, s.decision.path2_len = UINT32_MAX - 3);
	REFUSES(make_decision, s.decision.operation = ACT_COUNT);
	REFUSES(make_decision, s.decision.verdict = VERDICT_ALLOW);
	REFUSES(make_decision, s.decision.verdict = VERDICT_KILL + 1);
	REFUSES(make_decision, s.decision.verb = VERB_COUNT);
	REFUSES(make_decision, s.decision.class_id = CLASS_COUNT);
	REFUSES(make_decision, s.decision.reason = REASON_COUNT);
	REFUSES(make_decision, s.bytes[sizeof(s.decision) + 1] = 0);
	REFUSES(make_exec, s.exec.argv_len = ARGV_BYTES + 1);
	REFUSES(make_exec, s.exec.path_len = 5000);
	REFUSES(make_flow, s.flow.operation = ACT_COUNT);
	REFUSES(make_file, s.file.path_len = 100);
	make_decision(&s);
	s.head.size += 1000;
	CHECK_EQ(decode_exact(&s, s.head.size - 1000), -EBADMSG);
}

/* ---- the tree ---- */

static struct rec_head head_of(uint32_t tgid, uint64_t start, uint32_t parent, uint64_t parent_start)
{
	return (struct rec_head){
		.tgid = tgid, .pid = tgid, .start_ns = start, .parent_tgid = parent, .parent_start_ns = parent_start, .comm = "same",
	};
}

TEST(tree_forgets_the_ended_first_then_the_longest_unseen)
{
	struct proctree *t;
	struct rec_head h;

	CHECK_OK(proctree_new(8, &t));
	for (uint32_t i = 1; i <= 8; i++) {
		h = head_of(i, i, 0, 0);
		proctree_see(t, &h);
	}
	proctree_exit(t, proctree_find(t, 5, 5));
	h = head_of(1, 1, 0, 0);
	proctree_see(t, &h);	/* 2 is the longest unseen now */
	h = head_of(100, 100, 0, 0);
	proctree_see(t, &h);
	CHECK(!proctree_find(t, 5, 5));
	CHECK(proctree_find(t, 2, 2));
	h = head_of(101, 101, 0, 0);
	proctree_see(t, &h);
	CHECK(!proctree_find(t, 2, 2));
	CHECK(proctree_find(t, 1, 1));
	CHECK_EQ(proctree_count(t), 8);
	proctree_free(t);
}

TEST(tree_keeps_its_memory_bound_under_any_load)
{
	char path[4000], line_of[2000];
	struct proctree *t;
	unsigned seed = 5;

	memset(path, '/', sizeof(path));
	memset(line_of, 'x', sizeof(line_of));
	CHECK_OK(proctree_new(256, &t));
	for (int i = 0; i < 200000; i++) {
		uint32_t id = 1 + rand_r(&seed) % 2000, parent = 1 + rand_r(&seed) % 2000;
		struct rec_head h = head_of(id, id, parent, parent);
		struct proc *p = proctree_see(t, &h);

		if (i % 3 == 0)
			CHECK_OK(proctree_exec(t, p, path, rand_r(&seed) % sizeof(path), line_of, rand_r(&seed) % sizeof(line_of)));
		if (i % 7 == 0)
			proctree_exit(t, p);
		CHECK(proctree_count(t) <= 256 && proctree_bytes(t) <= 256 * 256 + 2048);
	}
	proctree_free(t);
	CHECK_EQ(proctree_new(0, &t), -EINVAL);
}

/* ---- sizes, as PERF.md wants them on average ---- */

TEST(lines_keep_their_size)
{
	struct sample s;
	size_t sum = 0;

	begin();
	exec_bash_then_python();
	sum += line.len;
	sample_flow(&s, ACT_CONNECT, 5, sample_v4(10, 20, 0, 5, 5432));
	encode(&s);
	sum += line.len;
	sample_exit(&s, 0);
	encode(&s);
	sum += line.len;
	CASE("telemetry mean %zu", sum / 3);
	CHECK(sum / 3 <= 800);
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/home/a/.aws/credentials", NULL);
	encode(&s);
	sum = line.len;
	sample_guard(&s, ACT_MOUNT, RULE_BUILTIN(MOUNT), 0);
	encode(&s);
	sum += line.len;
	CASE("refusal mean %zu", sum / 2);
	CHECK(sum / 2 <= 1250);
}

TEST(what_the_tests_held_is_freed)
{
	events_free(events);
	json_decref(root);
	buf_done(&line);
	events = NULL;
	root = NULL;
}

TEST_MAIN()
