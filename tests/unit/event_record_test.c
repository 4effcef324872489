/* SPDX-License-Identifier: Apache-2.0 */
/* What an event says of a record: who, what, where and why. */
#include "event/parts.h"
#include "event_record_help.h"

TEST(refused_open_says_who_what_where_and_why)
{
	struct sample s;

	begin();
	exec_bash_then_python();
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/home/a/.aws/credentials", NULL);
	s.decision.repeats = 12;
	s.decision.first_ns = 3599500000000ull;
	encode(&s);
	EXPECT({ "message", "refused: read /home/a/.aws/credentials by python3.11 (rule files.deny.credentials, policy.yaml:14)" },
	       { "class_uid", "1001" }, { "category_uid", "1" }, { "activity_id", "14" }, { "type_uid", "100114" }, { "severity_id", "3" },
	       { "metadata.event_code", "decision" }, { "metadata.version", "1.8.0" }, { "metadata.product.name", "Bailiff" },
	       { "action_id", "2" }, { "disposition_id", "2" }, { "is_alert", "true" }, { "status_id", "2" }, { "status_code", "EACCES" },
	       { "policy.name", "coding-agent" }, { "policy.uid", SAMPLE_DIGEST }, { "device.hostname", "build-7" },
	       { "actor.process.pid", "4242" }, { "actor.process.name", "python3" }, { "actor.process.path", "/usr/bin/python3.11" },
	       { "actor.process.sandbox", "fix-login" }, { "actor.process.parent_process.pid", "4200" },
	       { "actor.process.parent_process.name", "bash" }, { "actor.user.uid", "1000" }, { "file.name", "credentials" },
	       { "file.path", "/home/a/.aws/credentials" }, { "unmapped.sandbox.id", "01KB1M5XYZ8Q4R7T2V9W3C6D5E" },
	       { "unmapped.sandbox.stage", "enforce" }, { "unmapped.sandbox.exec", "2" }, { "unmapped.sandbox.call", "call_8Zk2" },
	       { "unmapped.sandbox.operation", "open" }, { "unmapped.sandbox.verb", "read" }, { "unmapped.sandbox.syscall", "openat" },
	       { "unmapped.sandbox.rule.id", "files.deny.credentials" }, { "unmapped.sandbox.rule.line", "14" },
	       { "unmapped.sandbox.rule.owner", "dev-platform" }, { "unmapped.sandbox.repeats", "12" }, { "count", "13" },
	       { "start_time", "1795508999500" }, { "unmapped.sandbox.seq.cpu", "3" });
	CHECK(!strstr(line.data, "abc"));
	CHECK_HAS(get("actor.process.cmd_line"), "python3 -m pytest --token=[redacted:");
}

TEST(would_be_refusal_is_observed_and_no_alert)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/x", NULL);
	s.decision.verdict = VERDICT_WOULD_DENY;
	s.decision.error = 0;
	encode(&s);
	EXPECT({ "action_id", "3" }, { "disposition_id", "15" }, { "is_alert", "" }, { "status_id", "" }, { "severity_id", "2" },
	       { "message", "would refuse: read /x by python3 (rule files.deny.credentials, policy.yaml:14)" });
}

TEST(a_death_by_refusal_is_a_refusal_that_says_so)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/x", NULL);
	s.decision.verdict = VERDICT_KILL;
	encode(&s);
	EXPECT({ "action_id", "2" }, { "disposition_id", "2" }, { "is_alert", "true" }, { "unmapped.sandbox.killed", "1" },
	       { "message", "refused: read /x by python3 (rule files.deny.credentials, policy.yaml:14); the process was killed" });
	s.decision.verdict = VERDICT_DENY;
	encode(&s);
	EXPECT({ "unmapped.sandbox.killed", "" }, { "severity_id", "3" });
}

TEST(how_severe_a_refusal_is_the_policy_may_say)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_EXEC, VERB_EXECUTE, 5, "/x", NULL);
	encode(&s);
	EXPECT({ "severity_id", "6" });
	s.decision.verdict = VERDICT_WOULD_DENY;
	encode(&s);
	EXPECT({ "severity_id", "5" });
}

TEST(each_operation_goes_to_a_class_that_can_hold_it)
{
	static const struct { enum operation op; uint64_t arg; const char *path; const char *class_uid, *activity, *message; } cases[] = {
		{ ACT_RENAME, 0, "/a", "1001", "5", "refused: rename /a" },
		{ ACT_MKDIR, 0, "/a", "1001", "1", "refused: mkdir /a" },
		{ ACT_UNLINK, 0, "/a", "1001", "4", "refused: unlink /a" },
		{ ACT_RECEIVE, 0, "/a", "1001", "99", "refused: receive descriptor /a" },
		{ ACT_EXEC, 0, "/a", "1007", "1", "refused: exec /a" },
		{ ACT_UNIX_CONNECT, 0, "/run/s", "4001", "1", "refused: connect unix /run/s" },
		{ ACT_UNIX_CONNECT, 0, NULL, "1003", "4", "refused: connect unix by" },
		{ ACT_SIGNAL, 1ull << 32 | 9, NULL, "1007", "99", "refused: signal SIGKILL process 1" },
		{ ACT_PTRACE, 77ull << 32, NULL, "1007", "3", "refused: ptrace process 77" },
		{ ACT_SIGNAL, 0, NULL, "1003", "4", "refused: signal" },
		{ ACT_MOUNT, 0, NULL, "1003", "4", "refused: mount by" },
		{ ACT_PROC, 0, NULL, "1003", "4", "refused: open /proc of outsider by" },
		{ ACT_PROC, 0, "/proc/1/mem", "1001", "14", "refused: open /proc of outsider /proc/1/mem" },
		{ ACT_CONNECT, 0, NULL, "1003", "4", "refused: connect by" },
		{ ACT_OPEN, 0, NULL, "1003", "4", "refused: call by" },
	};

	begin();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sample s;

		sample_decision(&s, cases[i].op, VERB_CALL, RULE_BUILTIN(SELF), cases[i].path, NULL);
		s.decision.arg = cases[i].arg;
		encode(&s);
		EXPECT({ "class_uid", cases[i].class_uid }, { "activity_id", cases[i].activity }, { "unmapped.sandbox.rule.id", "guard.self" });
		CHECK_HAS(get("message"), cases[i].message);
	}
}

TEST(a_refusal_says_all_that_the_action_needed)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/srv/d", NULL);
	s.decision.arg = 1u << VERB_READ | 1u << VERB_CHANGE | NEEDS_DIRECTORY;
	encode(&s);
	EXPECT({ "unmapped.sandbox.verb", "read" }, { "unmapped.sandbox.needs", "read,change" }, { "file.type_id", "2" }, { "unmapped.sandbox.arg", "" });
	sample_decision(&s, ACT_RENAME, VERB_REMOVE, 5, "/srv/a", "/srv/b");
	s.decision.arg = 1u << VERB_REMOVE | 1u << VERB_CREATE << NEEDS_OTHER;
	encode(&s);
	EXPECT({ "unmapped.sandbox.needs", "remove>create" }, { "file.type_id", "0" });
	sample_decision(&s, ACT_RENAME, VERB_REMOVE, 5, "/srv/a", "/srv/b");	/* of programs before there were needs */
	s.decision.arg = 0;
	encode(&s);
	EXPECT({ "unmapped.sandbox.needs", "" });
}

TEST(addresses_show_as_the_caller_said_them)
{
	struct rec_addr v6 = { .addr = { 0x20, 1, 0xd, 0xb8, [15] = 1 }, .port = 53, .family = AF_INET6, .proto = IPPROTO_UDP };
	struct sample s;

	begin();
	sample_flow(&s, ACT_CONNECT, 5, sample_v4(10, 20, 0, 255, 5432));
	encode(&s);
	EXPECT({ "message", "connect 10.20.0.255:5432 by python3" }, { "dst_endpoint.ip", "10.20.0.255" }, { "dst_endpoint.port", "5432" },
	       { "connection_info.direction_id", "2" }, { "connection_info.protocol_num", "6" }, { "metadata.event_code", "connect" });
	sample_flow(&s, ACT_SEND, 5, v6);
	encode(&s);
	EXPECT({ "message", "send [2001:db8::1]:53/udp by python3" }, { "dst_endpoint.ip", "2001:db8::1" }, { "connection_info.protocol_num", "17" });
	sample_flow(&s, ACT_LISTEN, 5, sample_v4(127, 0, 0, 1, 80));
	encode(&s);
	EXPECT({ "activity_id", "7" }, { "connection_info.direction_id", "1" });
	sample_decision(&s, ACT_SOCKET, VERB_CONNECT, RULE_BUILTIN(SOCKET_FAMILY), NULL, NULL);
	s.decision.addr.family = 38;
	encode(&s);
	EXPECT({ "class_uid", "1003" }, { "message", "refused: socket alg by python3 (rule sockets.family)" }, { "kernel.name", "socket" },
	       { "kernel.system_call", "openat" });
}

TEST(a_capability_is_told_by_its_name)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_CAPABLE, VERB_CALL, RULE_BUILTIN(CAPABILITY), NULL, NULL);
	s.decision.arg = 21;
	encode(&s);
	EXPECT({ "message", "refused: use capability CAP_SYS_ADMIN by python3 (rule guard.capability)" }, { "unmapped.sandbox.arg", "CAP_SYS_ADMIN" });
	s.decision.arg = 41;	/* of a kernel newer than we are */
	encode(&s);
	EXPECT({ "message", "refused: use capability 41 by python3 (rule guard.capability)" });
}

TEST(a_path_that_cannot_be_told_says_why)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, RULE_BUILTIN(PATH_UNKNOWN), NULL, NULL);
	s.decision.reason = REASON_RACED;
	encode(&s);
	EXPECT({ "class_uid", "1001" }, { "file.name", "unknown" }, { "file.path", "" },
	       { "message", "refused: read a path that cannot be told by python3 (rule files.unknown)" });
	CHECK_HAS(get("unmapped.sandbox.reason"), "kept changing");
}

TEST(any_bytes_of_a_path_are_kept_and_safe)
{
	struct sample s;
	char text[600];

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/w/\"q\"\n\x1b[31m\xff\\x41\xe2\x80\xae", NULL);
	encode(&s);
	CHECK_STR(get("file.path"), "/w/\"q\"\n\x1b[31m\\xff\\x5cx41\xe2\x80\xae");
	for (size_t i = 0; i < line.len; i++)
		CHECK((unsigned char)line.data[i] >= 0x20 && (unsigned char)line.data[i] < 0x7f);
	memset(text, 'd', sizeof(text));
	text[0] = '/';
	text[sizeof(text) - 1] = '\0';
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, text, NULL);
	encode(&s);
	CHECK_EQ(strlen(json_string_value(json_object_get(json_object_get(root, "file"), "path"))), sizeof(text) - 1);
	CHECK(strlen(get("message")) < 340);
	CHECK_HAS(get("message"), "ddd...ddd");
}

TEST(exec_and_exit_tell_a_process_from_start_to_end)
{
	struct sample s;

	begin();
	exec_bash_then_python();
	EXPECT({ "class_uid", "1007" }, { "activity_id", "1" }, { "process.pid", "4242" }, { "process.path", "/usr/bin/python3.11" },
	       { "process.name", "python3.11" }, { "process.sandbox", "fix-login" }, { "actor.process.pid", "4200" },
	       { "actor.process.name", "bash" }, { "unmapped.sandbox.redacted", "1" }, { "message", "exec /usr/bin/python3.11" });
	sample_exit(&s, 3 << 8);
	encode(&s);
	EXPECT({ "activity_id", "2" }, { "exit_code", "3" }, { "process.path", "/usr/bin/python3.11" }, { "message", "python3.11 ended with 3" });
	sample_exit(&s, 9);
	encode(&s);
	EXPECT({ "exit_code", "" }, { "unmapped.sandbox.signal", "SIGKILL" }, { "message", "python3.11 was killed by SIGKILL" });
	sample_exit(&s, 40);
	encode(&s);
	EXPECT({ "message", "python3.11 was killed by signal 40" });
	sample_exec(&s, "/bin/x", "x\0ghp_ab", 8);
	s.exec.argv_total = 5000;
	encode(&s);
	EXPECT({ "unmapped.sandbox.truncated", "4992" });
	CHECK(!strstr(line.data, "ghp_"));
}

TEST(a_late_record_still_finds_its_process_and_an_unknown_stays_unknown)
{
	struct sample s;

	begin();
	exec_bash_then_python();
	sample_exit(&s, 0);
	encode(&s);
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/late", NULL);
	encode(&s);
	EXPECT({ "actor.process.path", "/usr/bin/python3.11" });
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/x", NULL);
	s.head.start_ns++;	/* the same pid, another process; its parent runs another program */
	encode(&s);
	EXPECT({ "actor.process.path", "" }, { "actor.process.name", "python3" }, { "actor.process.cmd_line", "" });
}

TEST(a_fork_runs_its_parents_program)
{
	struct sample s;

	begin();
	exec_bash_then_python();
	sample_file(&s, ACT_OPEN, 5, "/x");
	s.head.parent_tgid = s.head.tgid;
	s.head.parent_start_ns = s.head.start_ns;
	s.head.tgid = s.head.pid = 4300;
	s.head.start_ns += 5;
	encode(&s);
	EXPECT({ "actor.process.path", "/usr/bin/python3.11" }, { "message", "open /x by python3.11" });
}

TEST(an_unknown_sandbox_rule_or_command_shows_its_number)
{
	struct sample s;

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, 99, "/x", NULL);
	encode(&s);
	EXPECT({ "unmapped.sandbox.rule.id", "#99" });
	s.head.sandbox = 12345;
	s.head.command = 9;
	encode(&s);
	EXPECT({ "unmapped.sandbox.id", "#12345" }, { "unmapped.sandbox.name", "" }, { "unmapped.sandbox.exec", "9" },
	       { "unmapped.sandbox.call", "" }, { "unmapped.sandbox.rule.id", "#99" });
}

static int find_claiming(void *ctx, uint64_t sandbox, uint32_t generation, struct event_sandbox *out)
{
	static const struct event_label labels[] = { { "team", "payments" } }, claimed[] = { { "traceparent", "00-a" }, { "quo\"te", "x\x1b" } };

	(void)ctx;
	(void)sandbox;
	(void)generation;
	*out = (struct event_sandbox){ .uid = "u", .labels = labels, .label_count = 1, .claimed = claimed, .claimed_count = 2 };
	return 0;
}

TEST(claims_are_kept_apart_from_what_is_bound)
{
	struct event_options o = {
		.redact_key = "0123456789abcdef0123456789abcdef", .redact_key_bytes = 32,
		.source = { .sandbox = find_claiming, .command = sample_find_command, .rule = sample_find_rule },
	};
	struct sample s;

	begin();
	events_free(events);
	CHECK_OK(events_new(&o, &events));
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/x", NULL);
	encode(&s);
	EXPECT({ "unmapped.sandbox.labels.team", "payments" }, { "unmapped.claimed.traceparent", "00-a" }, { "unmapped.claimed.quo\"te", "x\x1b" },
	       { "unmapped.sandbox.traceparent", "" });
}

TEST(uid_is_the_same_for_the_same_record_and_sorts_by_time)
{
	char first[27], again[27], next[27];
	struct sample s;

	begin();
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/x", NULL);
	encode(&s);
	strcpy(first, get("metadata.uid"));
	CHECK_EQ(strlen(first), 26);
	begin();
	encode(&s);
	strcpy(again, get("metadata.uid"));
	CHECK_STR(again, first);
	s.head.seq++;
	encode(&s);
	strcpy(next, get("metadata.uid"));
	CHECK(strcmp(first, next) < 0);
	s.head.time_ns += 1000000;
	s.head.seq = 1;
	encode(&s);
	CHECK(strcmp(next, get("metadata.uid")) < 0);
	s.head.ring = RING_TELEMETRY;
	encode(&s);
	CHECK(strcmp(first, get("metadata.uid")));
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
