/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a sandbox, from its making to its end, as its askers see it. */
#include "engine/engine.h"
#include "tests/unit/engine_record.h"

TEST(engine_run_of_one_command_from_create_to_the_last_exit)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1], key[64];

	open_world(&w);
	engine_start(&w);
	create(&w, false, id);
	CHECK_EQ(fake->attaches, 1);
	CHECK_EQ(cgroup_populated(w.cgroups, id, 0), 0);
	kid_make(&k);
	CHECK_EQ(start(&w, id, &k), 1);
	CHECK_EQ(cgroup_populated(w.cgroups, id, 1), 1);
	CHECK_EQ(fake->labels, 1);
	CHECK(cgroup_holds(w.cgroups, k.pid));
	CHECK_EQ(kid_end(&k), 0);
	wait_state(&w, id, "ended");
	wait_released();
	engine_gone(&w, SIGTERM);
	snprintf(key, sizeof(key), "\"%s\"", id);
	CHECK_EQ(lines(&w, "\"session.start\"", key, "demo"), 1);
	CHECK_EQ(lines(&w, "\"policy.load\"", key, "demo.yaml"), 1);
	CHECK_EQ(lines(&w, "\"coverage\"", key, "devices"), 1);
	CHECK_EQ(lines(&w, "\"command.start\"", key, "sh -c true"), 1);
	CHECK_EQ(lines(&w, "\"command.start\"", "call-7", "0af7651916cd43dd8448eb211c80319c"), 1);
	CHECK_EQ(lines(&w, "\"session.end\"", key, "its last process left"), 1);
	CHECK_EQ(lines(&w, "\"engine.stop\"", NULL, NULL), 1);
	close_world(&w);
}

TEST(engine_end_kills_all_commands_and_answers_when_nothing_lives)
{
	struct world w;
	struct kid k[3];
	char id[ULID_CHARS + 1];
	int status;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	for (uint32_t i = 0; i < 3; i++) {
		kid_make(&k[i]);
		CHECK_EQ(start(&w, id, &k[i]), i + 1);
	}
	CHECK_EQ(end(&w, id), 3);
	wait_released();
	CHECK_EQ(cgroup_populated(w.cgroups, id, 0), 0);
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(waitpid(k[i].pid, &status, WNOHANG), k[i].pid);	/* dead already, when the answer came */
		CHECK(WIFSIGNALED(status));
		close(k[i].go);
		close(k[i].pidfd);
	}
	CHECK_EQ(end(&w, id), 0);	/* over is over */
	close_world(&w);
}

TEST(engine_a_held_sandbox_stays_while_empty_and_its_finished_commands_leave_no_cgroup)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];
	uint64_t cgroup;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	for (uint32_t i = 1; i <= 3; i++) {
		kid_make(&k);
		CHECK_EQ(start(&w, id, &k), i);
		kid_end(&k);
		for (int n = 0; n < 200 && !cgroup_id_of(w.cgroups, id, i, &cgroup); n++)
			usleep(10000);
		CHECK_EQ(cgroup_id_of(w.cgroups, id, i, &cgroup), -ENOENT);
	}
	wait_state(&w, id, "live");
	CHECK_EQ(fake->forgets, 3);
	CHECK_EQ(end(&w, id), 0);
	close_world(&w);
}

TEST(engine_a_sandbox_whose_creator_leaves_before_the_first_command_ends)
{
	struct world w;
	char id[ULID_CHARS + 1], held[ULID_CHARS + 1];

	open_world(&w);
	engine_start(&w);
	create(&w, false, id);
	create(&w, true, held);
	close(w.sock);
	CHECK_OK(control_connect(w.control, &w.sock));
	wait_state(&w, id, "ended");
	wait_state(&w, held, "live");
	end(&w, held);
	close_world(&w);
}

TEST(engine_a_deadline_ends_a_sandbox_with_everything_in_it)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create_begin(&b, demo);
	kv_add_u64(&b, "deadline_ms", 300);
	kv_add_str(&b, "held", "1");
	created(&w, &b, -1, id);
	CHECK(fake->rows[0].sandbox.deadline_ns > clock_boot_ns());
	kid_make(&k);
	start(&w, id, &k);
	wait_state(&w, id, "ended");
	wait_killed(&k);
	wait_lines(&w, 1, "\"session.end\"", "its deadline passed", NULL);
	close_world(&w);
}

TEST(engine_a_sandbox_ends_when_the_other_end_of_its_descriptor_closes)
{
	struct world w;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };
	int hold[2], file;

	open_world(&w);
	engine_start(&w);
	CHECK_OK(pipe2(hold, O_CLOEXEC));
	create_begin(&b, demo);
	kv_add_str(&b, "while_fd", "1");
	created(&w, &b, hold[0], id);
	close(hold[0]);
	CHECK_EQ(write(hold[1], "noise", 5), 5);	/* what is written there means nothing */
	wait_state(&w, id, "live");
	close(hold[1]);
	wait_state(&w, id, "ended");
	create_begin(&b, demo);
	kv_add_str(&b, "while_fd", "1");
	file = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	CHECK(ask_refused(&w, &b, file, error) < 0);	/* a file has no other end */
	CHECK_HAS(error, "cannot be watched");
	close(file);
	wait_released();
	close_world(&w);
}

TEST(engine_start_takes_only_the_askers_own_living_child_with_its_own_pidfd)
{
	struct world w;
	struct kid k, other;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };
	int own;

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	kid_make(&other);
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, other.pidfd, error), -EBADF);	/* somebody else's pidfd */
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, k.go, error), -EBADF);		/* no pidfd at all */
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EINVAL);
	own = syscall(SYS_pidfd_open, getppid(), 0);
	begin(&b, "start", id);
	kv_add_u64(&b, "pid", getppid());
	CHECK_EQ(ask_refused(&w, &b, own, error), -EPERM);		/* not our child */
	close(own);
	CHECK_OK(kill(other.pid, SIGKILL));
	for (int i = 0; i < 100; i++) {
		siginfo_t si = { 0 };

		if (!waitid(P_PID, other.pid, &si, WEXITED | WNOWAIT | WNOHANG) && si.si_pid)
			break;
		usleep(10000);
	}
	start_begin(&b, id, &other);
	CHECK_EQ(ask_refused(&w, &b, other.pidfd, error), -EPERM);	/* dead, and not yet reaped */
	CHECK_EQ(fake->labels, 0);
	kid_end(&other);
	CHECK_EQ(kid_end(&k), 0);	/* it was not touched */
	end(&w, id);
	close_world(&w);
}

TEST(engine_a_child_that_cannot_be_labelled_is_killed_and_never_runs_free)
{
	struct world w;
	struct kid k;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	kid_make(&k);
	fake->fail_label = true;
	start_begin(&b, id, &k);
	CHECK_EQ(ask_refused(&w, &b, k.pidfd, error), -ENOMEM);
	CHECK_HAS(error, "was killed");
	wait_killed(&k);
	fake->fail_label = false;
	kid_make(&k);
	CHECK_EQ(start(&w, id, &k), 2);	/* the number of the failed one is not used again */
	kid_end(&k);
	end(&w, id);
	close_world(&w);
}

TEST(engine_a_wrong_policy_is_refused_with_file_line_and_column_and_leaves_nothing)
{
	struct world w;
	struct control_message m;
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create_begin(&b, "version: 1\npolicy: x\nfils: {}\n");
	CHECK_EQ(control_call(w.sock, &b, NULL, 0, &m), -EINVAL);
	CHECK_HAS(kv_get(&m.kv, "diag"), "demo.yaml:3:1: error");
	control_message_done(&m);
	buf_done(&b);
	CHECK_EQ(fake->attaches, 0);
	CHECK_EQ(fake_living(), 0);
	close_world(&w);
}

TEST(engine_on_demand_leaves_when_idle_and_takes_its_programs_along)
{
	struct world w;
	char id[ULID_CHARS + 1];
	uint64_t began;

	open_world(&w);
	engine_start_as(&w, true, "1");
	create(&w, true, id);
	usleep(2500000);
	wait_state(&w, id, "live");	/* a sandbox keeps it */
	end(&w, id);
	began = clock_mono_ms();
	engine_gone(&w, 0);
	CHECK(clock_mono_ms() - began < 6000);
	CHECK_EQ(fake->detaches, 1);
	CHECK(access(w.control, F_OK));
	close_world(&w);
}

TEST(engine_an_end_that_gets_stuck_is_told_and_the_sandbox_stays_refused)
{
	struct world w;
	char id[ULID_CHARS + 1], error[512];
	struct buf b = { 0 };

	open_world(&w);
	engine_start(&w);
	create(&w, true, id);
	fake->rows[0].sandbox.members = 2;
	begin(&b, "end", id);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -EBUSY);
	CHECK_HAS(error, "2 tasks of it still live outside its cgroup");
	CHECK_EQ(fake->rows[0].sandbox.state, SANDBOX_ENDING);
	fake->rows[0].sandbox.members = 0;
	wait_state(&w, id, "ended");
	close_world(&w);
}

TEST(engine_refuses_what_it_does_not_know_and_members)
{
	struct world w;
	char error[512], id[ULID_CHARS + 1];
	struct buf b = { 0 };
	pid_t pid;
	int status, go[2];

	open_world(&w);
	engine_start(&w);
	begin(&b, "frobnicate", NULL);
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ENOSYS);
	begin(&b, "summary", "01ARYZ6S41TSV4RRFFQ69G5FAV");
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ESRCH);
	begin(&b, "summary", "../../etc/passwd");
	CHECK_EQ(ask_refused(&w, &b, -1, error), -ESRCH);
	create(&w, true, id);
	CHECK_OK(pipe2(go, O_CLOEXEC));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		struct control_message m;
		int sock;
		char c;

		(void)!read(go[0], &c, 1);
		if (control_connect(w.control, &sock) || control_receive(sock, &m))
			_exit(1);
		_exit(strstr(kv_get(&m.kv, "error"), "may not ask the engine") ? 0 : 2);
	}
	CHECK_OK(cgroup_move(w.cgroups, id, 0, pid));
	CHECK_EQ(write(go[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	end(&w, id);
	close_world(&w);
}

TEST_MAIN()
