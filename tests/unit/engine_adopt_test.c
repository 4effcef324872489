/* SPDX-License-Identifier: Apache-2.0 */
/* An engine is killed or stopped, and another takes up what it left. */
#include "engine/engine.h"
#include "tests/unit/engine_record.h"

TEST(engine_killed_its_successor_adopts_names_policies_commands_and_counts)
{
	struct world w;
	struct control_message m;
	struct kid k;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, false, id);
	kid_make(&k);
	start(&w, id, &k);
	refuse(kernel_id(0), rule, 0, false);
	wait_lines(&w, 1, "\"/usr/secret\"", NULL, NULL);
	engine_gone(&w, SIGKILL);
	refuse(kernel_id(0), rule, 2, false);	/* nobody is there, enforcement goes on */
	engine_start(&w);
	wait_state(&w, id, "live");
	CHECK_EQ(fake->loads, 1);
	begin(&b, "list", NULL);
	ask(&w, &b, -1, &m);
	CHECK_EQ(m.kv.count, 2);
	control_message_done(&m);
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 4);
	CHECK_EQ(number(&m, "commands"), 1);
	control_message_done(&m);
	CHECK_EQ(kid_end(&k), 0);
	wait_state(&w, id, "ended");	/* its end is found, though another engine started it */
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"/usr/secret\"", "demo.yaml", "\"secret\""), 2);
	CHECK_EQ(lines(&w, "\"engine.absent\"", NULL, NULL), 1);
	CHECK_EQ(lines(&w, "\"session.end\"", id, NULL), 1);
	CHECK_EQ(lines(&w, "\"gap\"", NULL, NULL), 0);
	close_world(&w);
}

static void lose_an_engine_after_a_reload(bool within)
{
	struct control_message m = { 0 };
	struct buf b = { 0 };
	char id[ULID_CHARS + 1];
	struct world w;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule_number(demo, "secret"), 4, false);
	fake->die_in_reload = within;
	begin(&b, "reload", id);
	kv_add_str(&b, "policy", demo2);
	kv_add_str(&b, "policy_file", "two.yaml");
	if (within)
		CHECK(control_call(w.sock, &b, NULL, 0, &m) < 0);
	else
		CHECK_OK(control_call(w.sock, &b, NULL, 0, &m));
	buf_done(&b);
	control_message_done(&m);
	fake->die_in_reload = false;
	engine_gone(&w, SIGKILL);
	refuse(kernel_id(0), rule_number(demo2, "secret"), 1, false);
	engine_start(&w);
	wait_state(&w, id, "live");
	begin(&b, "summary", id);
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "refused"), 7);
	control_message_done(&m);
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"session.end\"", "\"secret\":[2,0]", "\"secret@1\":[5,0]"), 1);
	close_world(&w);
}

TEST(engine_killed_counts_of_a_replaced_policy_are_not_lost)
{
	lose_an_engine_after_a_reload(false);
}

TEST(engine_killed_in_the_middle_of_a_reload_no_count_is_lost)
{
	lose_an_engine_after_a_reload(true);
}

TEST(engine_killed_its_successor_ends_what_nobody_will_ever_start)
{
	char unused[ULID_CHARS + 1], held[ULID_CHARS + 1];
	struct world w;

	open_world(&w);
	engine_start(&w);
	create(&w, false, unused);
	create(&w, true, held);
	engine_gone(&w, SIGKILL);
	engine_start(&w);
	wait_state(&w, unused, "ended");
	wait_state(&w, held, "live");
	end(&w, held);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"session.end\"", unused, "its creator left before the first command"), 1);
	close_world(&w);
}

TEST(engine_killed_what_was_drained_and_never_written_is_a_gap_of_exact_size)
{
	struct world w;
	char id[ULID_CHARS + 1];
	uint32_t rule = rule_number(demo, "secret");

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	refuse(kernel_id(0), rule, 0, false);
	wait_lines(&w, 1, "\"/usr/secret\"", NULL, NULL);
	engine_gone(&w, SIGKILL);
	for (int i = 0; i < 5; i++)
		refuse(kernel_id(0), rule, 0, true);	/* as if the dead engine had taken them from the ring */
	engine_start(&w);
	wait_lines(&w, 1, "\"gap\"", "\"count\":5", NULL);
	refuse(kernel_id(0), rule, 0, false);
	wait_lines(&w, 2, "\"/usr/secret\"", NULL, NULL);
	usleep(1500000);
	CHECK_EQ(lines(&w, "\"gap\"", NULL, NULL), 1);
	end(&w, id);
	close_world(&w);
}

TEST(engine_stopped_in_order_leaves_sandboxes_in_force_and_no_gap)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	start(&w, id, &k);
	refuse(kernel_id(0), RULE_BUILTIN(MOUNT), 0, false);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(fake_living(), 1);
	CHECK(fake->attached);
	CHECK_EQ(cgroup_populated(w.cgroups, id, 1), 1);
	engine_start(&w);
	CHECK_EQ(end(&w, id), 1);
	wait_killed(&k);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"gap\"", NULL, NULL), 0);
	CHECK(!fake->attached);		/* nobody is left to govern */
	close_world(&w);
}

TEST(engine_killed_while_a_sandbox_ends_its_successor_finishes_it)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1], state[16];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	start(&w, id, &k);
	fake->rows[0].sandbox.members = 1;	/* somebody got out of the cgroup and lives */
	begin(&b, "end", id);
	CHECK_OK(control_send(w.sock, &b, NULL, 0));
	buf_done(&b);
	for (int i = 0; i < 400 && fake->rows[0].sandbox.state != SANDBOX_ENDING; i++)
		usleep(10000);
	wait_killed(&k);
	engine_gone(&w, SIGKILL);
	CHECK_EQ(fake->rows[0].sandbox.state, SANDBOX_ENDING);
	engine_start(&w);
	state_of(&w, id, state);
	CHECK_STR(state, "ending");
	fake->rows[0].sandbox.members = 0;
	wait_state(&w, id, "ended");
	close_world(&w);
}

TEST(engine_finds_a_sandbox_that_lost_its_kernel_side_and_kills_what_lived_in_it)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	start(&w, id, &k);
	engine_gone(&w, SIGKILL);
	memset(fake->rows, 0, sizeof(fake->rows));	/* the pins are gone */
	engine_start(&w);
	wait_killed(&k);
	wait_lines(&w, 1, "\"session.end\"", "without its kernel side", id);
	for (int i = 0; i < 300 && cgroup_processes(w.cgroups, id); i++)
		usleep(10000);
	engine_gone(&w, SIGTERM);
	(void)cgroup_remove(w.cgroups, id, 0);
	close_world(&w);
}

TEST(engine_ends_a_sandbox_that_nobody_can_name)
{
	struct world w;
	char id[ULID_CHARS + 1], path[256];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	engine_gone(&w, SIGKILL);
	snprintf(path, sizeof(path), "%s/sandboxes/%s", w.run, id);
	CHECK_OK(unlink(path));
	engine_start(&w);
	wait_released();
	wait_lines(&w, 1, "\"session.end\"", "without a name", NULL);
	close_world(&w);
}

TEST_MAIN()
