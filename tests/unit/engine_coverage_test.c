/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine says that it enforces, and what it starts where it cannot: without LSM programs, without a seccomp floor. */
#include <seccomp.h>
#include "engine/engine.h"
#include "tests/unit/engine_record.h"

TEST(engine_without_lsm_programs_starts_only_what_accepts_it_and_says_so)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };
	char error[512];

	open_world(&w);
	fake->can_enforce = false;
	engine_start(&w);
	create_begin(&b, demo);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EOPNOTSUPP);
	CHECK_HAS(error, "--allow-degraded");
	create_begin(&b, demo);
	kv_add_str(&b, "allow_degraded", "1");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_EQ(number(&m, "enforced"), 0);
	CHECK_HAS(kv_get(&m.kv, "notice"), "NOT ENFORCED");
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	CHECK_EQ(end(&w, kv_get(&m.kv, "id")), 0);
	control_message_done(&m);
	wait_lines(&w, 1, "\"coverage\"", "NOT ENFORCED", NULL);
	close_world(&w);
}

TEST(engine_tells_what_is_enforced_and_hands_out_the_floor_in_enforce_alone)
{
	struct world w;
	struct control_message m;
	const struct kv_pair *floor;
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_str(&b, "name", "my agent");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "(my agent) enforce: files network sockets guard in the kernel; seccomp floor on; not built yet: devices");
	CHECK_EQ(number(&m, "enforced"), 1);
	floor = kv_find(&m.kv, "seccomp", NULL);
	CHECK(floor->value_len > 100 && floor->value_len % 8 == 0);
	end(&w, kv_get(&m.kv, "id"));
	wait_released();
	control_message_done(&m);
	create_begin(&b, demo);
	kv_add_str(&b, "stage", "observe");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "(demo) observe");
	CHECK_EQ(number(&m, "enforced"), 0);
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	CHECK_EQ(fake->rows[0].sandbox.stage, STAGE_OBSERVE);
	end(&w, kv_get(&m.kv, "id"));
	control_message_done(&m);
	create_begin(&b, "version: 1\npolicy: loose\nopen: [network, devices, files, privileges, limits, session, labels]\n");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "(loose) enforce: sockets guard in the kernel;");
	CHECK_HAS(kv_get(&m.kv, "notice"), "; OPEN by policy, nothing of it is judged: files network; not built yet: devices privileges");
	end(&w, kv_get(&m.kv, "id"));
	control_message_done(&m);
	close_world(&w);
}

/* libseccomp's own, asked by the floor before anything else. */
uint32_t seccomp_arch_native(void)
{
	return fake->no_floor ? SCMP_ARCH_AARCH64 : SCMP_ARCH_X86_64;
}

TEST(engine_without_a_seccomp_floor_starts_nothing_in_enforce_and_says_why)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };
	char error[512];

	open_world(&w);
	fake->no_floor = true;
	engine_start(&w);
	create_begin(&b, demo);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EOPNOTSUPP);
	CHECK_HAS(error, "the seccomp floor cannot be built here (Function not implemented)");
	CHECK_HAS(error, "--allow-degraded");
	CHECK_EQ(fake_living(), 0);
	begin(&b, "coverage", NULL);
	ask(&w, &b, -1, &m);
	CHECK_STR(kv_get(&m.kv, "complete"), "0");
	control_message_done(&m);
	create_begin(&b, demo);
	kv_add_str(&b, "stage", "observe");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "seccomp floor off");
	CHECK_EQ(end(&w, kv_get(&m.kv, "id")), 0);
	control_message_done(&m);
	close_world(&w);
}

TEST(engine_starts_without_a_floor_what_was_made_with_allow_degraded_and_records_that)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };
	char id[ULID_CHARS + 1];

	open_world(&w);
	fake->no_floor = true;
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_str(&b, "allow_degraded", "1");
	kv_add_str(&b, "held", "1");
	ask(&w, &b, -1, &m);
	CHECK_HAS(kv_get(&m.kv, "notice"), "guard in the kernel; seccomp floor OFF (--allow-degraded)");
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	snprintf(id, sizeof(id), "%s", kv_get(&m.kv, "id"));
	control_message_done(&m);
	wait_lines(&w, 1, "\"coverage\"", "the floor cannot be built here", NULL);
	begin(&b, "filter", id);
	ask(&w, &b, -1, &m);
	CHECK_STR(kv_get(&m.kv, "seccomp"), "");
	control_message_done(&m);
	CHECK_EQ(end(&w, id), 0);
	close_world(&w);
}

TEST(engine_that_lost_its_floor_starts_nothing_further_in_a_sandbox_made_with_one)
{
	struct world w;
	struct buf b = { 0 };
	char id[ULID_CHARS + 1], error[512];

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	engine_gone(&w, SIGKILL);
	fake->no_floor = true;
	engine_start(&w);
	begin(&b, "filter", id);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ENOSYS);
	CHECK_HAS(error, "nothing further starts in it");
	end(&w, id);
	close_world(&w);
}

TEST(engine_without_bpf_lsm_takes_its_sandboxes_up_again_after_a_crash)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };

	open_world(&w);
	fake->can_enforce = false;
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_str(&b, "allow_degraded", "1");
	created(&w, &b, -1, id);
	kid_make(&k);
	start(&w, id, &k);
	engine_gone(&w, SIGKILL);
	engine_start(&w);
	wait_state(&w, id, "live");
	CHECK_EQ(fake_living(), 1);
	CHECK_EQ(kid_end(&k), 0);
	wait_state(&w, id, "ended");
	wait_lines(&w, 1, "\"engine.absent\"", NULL, NULL);
	close_world(&w);
}

TEST_MAIN()
