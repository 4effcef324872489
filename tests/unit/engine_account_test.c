/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals in the record and in the counts, across a change of policy. */
#include "engine/engine.h"
#include "tests/unit/engine_record.h"

TEST(engine_records_a_refusal_with_rule_file_and_line_and_counts_it)
{
	struct world w;
	struct control_message m;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule_number(demo, "secret"), 0, false);
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 1);
	CHECK_EQ(number(&m, "events"), 1);
	control_message_done(&m);
	end(&w, id);
	wait_lines(&w, 1, "\"/usr/secret\"", "\"secret\"", "demo.yaml");
	close_world(&w);
}

static void check_why(struct world *w, const char *id, const char *part)
{
	struct buf b = { 0 };
	struct control_message m;

	begin(&b, "summary", id);
	ask(w, &b, -1, &m);
	CHECK(!part == !kv_get(&m.kv, "why"));
	CHECK(!part || strstr(kv_get(&m.kv, "why"), part));
	control_message_done(&m);
}

TEST(engine_tells_the_newest_refusal_of_a_sandbox_also_when_it_has_ended)
{
	struct world w;
	char id[ULID_CHARS + 1];
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	check_why(&w, id, NULL);
	fake->rows[0].why = (struct why_entry){ .key = 1, .rule = rule, .generation = 1, .times = 1, .error = -EACCES, .operation = ACT_OPEN };
	check_why(&w, id, ": refused (EACCES) by rule secret (");
	end(&w, id);
	wait_released();
	check_why(&w, id, ": refused (EACCES) by rule secret (");
	close_world(&w);
}

TEST(engine_final_counts_hold_what_no_event_tells)
{
	struct world w;
	struct control_message m;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule, 999, false);
	for (int i = 0; i < 7; i++)
		refuse(kernel_id(0), RULE_BUILTIN(MOUNT), 0, true);	/* no room in the ring */
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 1007);
	control_message_done(&m);
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"session.end\"", "1000", "guard.mount"), 1);
	CHECK_EQ(lines(&w, "\"gap\"", "\"count\":7", NULL), 1);
	close_world(&w);
}

TEST(engine_says_at_the_end_how_many_processes_a_refusal_killed)
{
	struct world w;
	char id[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	fake->rows[0].sandbox.killed = 3;	/* the kernel counts them, whichever engine runs */
	engine_gone(&w, SIGKILL);
	engine_start(&w);
	fake->rows[0].sandbox.killed++;
	end(&w, id);
	wait_lines(&w, 1, "\"session.end\"", "; 4 killed for it", "\"killed\":4");
	create(&w, true, id);
	end(&w, id);
	wait_lines(&w, 1, "\"session.end\"", id, NULL);
	CHECK_EQ(lines(&w, "\"session.end\"", id, "killed"), 0);	/* of none nothing is said */
	close_world(&w);
}

TEST(engine_reload_replaces_a_policy_and_old_records_keep_their_names)
{
	struct world w;
	struct control_message m;
	struct refusal late = { 0 };
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule_number(demo, "secret"), 4, false);
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", demo2);
	kv_add_str(&b, "policy_file", "two.yaml");
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "generation"), 2);
	CHECK_HAS(kv_get(&m.kv, "digest"), "sha256:");
	control_message_done(&m);
	/* a record of the first generation that comes late */
	late.d = (struct rec_decision){ .h = { .type = REC_DECISION, .ring = RING_DECISIONS, .cpu = 2, .command = 1, .sandbox = kernel_id(0),
		.generation = 1, .tgid = 9, .pid = 9, .comm = "late", .time_ns = clock_boot_ns(), .size = sizeof(late.d) + 11 },
		.verdict = VERDICT_DENY, .class_id = CLASS_FILES, .verb = VERB_READ, .operation = ACT_OPEN,
		.rule = rule_number(demo, "secret"), .error = -EACCES, .path_len = 11 };
	memcpy(late.path, "/usr/secret", 11);
	fake_submit(&late.d.h, false);
	refuse(kernel_id(0), rule_number(demo2, "secret"), 0, false);
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 6);	/* both generations */
	control_message_done(&m);
	fake->fail_reload = true;
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", demo);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ENOSPC);
	CHECK_HAS(error, "the old one stays in force");
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", "nonsense");
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EINVAL);
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"late\"", "demo.yaml", "\"secret\""), 1);
	CHECK_EQ(lines(&w, "\"/usr/secret\"", "two.yaml", "\"secret\""), 1);
	CHECK_EQ(lines(&w, "\"policy.reload\"", "two.yaml", NULL), 1);
	close_world(&w);
}

TEST_MAIN()
