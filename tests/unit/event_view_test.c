/* SPDX-License-Identifier: Apache-2.0 */
/* Lines read back: what a terminal shows, what a successor learns of sequence numbers, and lines that somebody changed. */
#include "event/event.h"
#include "event_sample.h"
#include "test.h"

static struct events *events;
static struct buf line;

/* The line of the terminal without its time, which is local. */
static const char *shown(bool colour)
{
	static struct buf out;
	struct event_view v;
	char *text;

	CHECK_OK(event_view_parse(line.data, line.len, &v));
	buf_reset(&out);
	event_print_line(&v, colour, &out);
	event_view_done(&v);
	CHECK_OK(out.err);
	text = strchr(out.data, ' ') + 1;
	CHECK(text[strlen(text) - 1] == '\n');
	text[strlen(text) - 1] = '\0';
	return text;
}

static void record(struct sample *s)
{
	if (!events)
		events = sample_events();
	CHECK_OK(events_record(events, s->bytes, s->head.size, &line));
}

TEST(view_has_the_fields_of_a_refusal)
{
	struct event_view v;
	struct sample s;

	sample_exec(&s, "/usr/bin/python3.11", "python3", 7);
	record(&s);
	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/home/a/.aws/credentials", NULL);
	s.decision.repeats = 3;
	record(&s);
	CHECK_OK(event_view_parse(line.data, line.len, &v));
	CHECK_STR(v.kind, "decision");
	CHECK_STR(v.sandbox, "fix-login");
	CHECK_STR(v.verdict, "refused");
	CHECK_STR(v.operation, "open");
	CHECK_STR(v.object, "/home/a/.aws/credentials");
	CHECK_STR(v.program, "python3.11");
	CHECK_STR(v.rule, "files.deny.credentials");
	CHECK_STR(v.file, "policy.yaml");
	CHECK_STR(v.why, "credentials");
	CHECK_STR(v.call, "call_8Zk2");
	CHECK_EQ(v.line, 14);
	CHECK_EQ(v.pid, 4242);
	CHECK_EQ(v.severity, 3);
	CHECK_EQ(v.repeats, 3);
	CHECK_EQ(v.command, 2);
	CHECK_EQ(v.class_uid, 1001);
	event_view_done(&v);
	CHECK_STR(shown(false), "fix-login refused: read /home/a/.aws/credentials by python3.11[4242]  files.deny.credentials policy.yaml:14 credentials"
				"  (and 3 more)");
	CHECK_STR(shown(true), "\x1b[35mfix-login\x1b[0m \x1b[31mrefused\x1b[0m: read /home/a/.aws/credentials by python3.11[4242]"
			       "  \x1b[1mfiles.deny.credentials\x1b[0m policy.yaml:14 \x1b[2mcredentials\x1b[0m  (and 3 more)");
}

TEST(lines_of_a_terminal_carry_nothing_that_steers_it)
{
	struct sample s;

	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/\x1b]0;x\x07\n (rule fake, y:1) \xe2\x80\xae\xff", NULL);
	strcpy(s.head.comm, "a\x1b[2Jb\n");
	s.head.start_ns = 1;
	record(&s);
	CHECK_STR(shown(false), "fix-login refused: read /\\x1b]0;x\\x07\\x0a (rule fake, y:1) \\u{202e}\\x5cxff by a\\x1b[2Jb\\x0a[4242]"
				"  files.deny.credentials policy.yaml:14 credentials");
}

TEST(lines_of_other_kinds_read_as_sentences)
{
	struct event_notice n = { .kind = NOTICE_SESSION_START, .time_ns = 5, .sandbox = SAMPLE_SANDBOX, .generation = 1 };
	struct sample s;

	sample_flow(&s, ACT_CONNECT, 5, sample_v4(1, 2, 3, 4, 443));
	record(&s);
	CHECK_STR(shown(false), "fix-login connect 1.2.3.4:443 by python3.11[4242]");
	sample_exit(&s, 1 << 8);
	record(&s);
	CHECK_STR(shown(false), "fix-login python3.11 ended with 1[4242]");
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(shown(false), "fix-login a session started");
	n = (struct event_notice){ .kind = NOTICE_POLICY_LOAD, .time_ns = 5, .sandbox = SAMPLE_SANDBOX, .generation = 1, .text = "/srv/agent.yaml" };
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(shown(false), "fix-login a policy is in force: coding-agent: /srv/agent.yaml");
	CHECK_HAS(line.data, "\"message\":\"a policy is in force: fix-login: coding-agent: /srv/agent.yaml\"");
	n = (struct event_notice){ .kind = NOTICE_GAP, .time_ns = 5, .has_ring = true, .ring = 1, .cpu = 3, .first_seq = 7, .last_seq = 9, .count = 3 };
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(shown(false), "records were lost: telemetry, cpu 3, numbers 7 to 9");
	n = (struct event_notice){ .kind = NOTICE_SINK_REJECTED, .time_ns = 5, .sink = "hec", .status = 400, .text = "bad token=abc\n" };
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_HAS(shown(false), "a receiver can never take an event: sink hec: bad token=[redacted:");
	CHECK(!strstr(line.data, "abc"));
}

TEST(notice_totals_are_exact_and_by_rule)
{
	static const struct event_count counts[] = { { 1, 5, 1000000, 2 }, { 1, RULE_BUILTIN(MOUNT), 1, 0 }, { 0, 5, 3, 0 } };
	struct event_notice n = {
		.kind = NOTICE_SESSION_END, .time_ns = 5, .sandbox = SAMPLE_SANDBOX, .generation = 1, .counts = counts, .count_count = 3,
	};

	CHECK_OK(events_notice(events, &n, &line));
	CHECK_HAS(line.data, "\"refused\":1000004,\"would\":2,\"counts\":{\"files.deny.credentials\":[1000000,2],\"guard.mount\":[1,0],"
			     "\"files.deny.credentials@0\":[3,0]}");
	CHECK_HAS(line.data, "\"digest\":\"" SAMPLE_DIGEST "\"");
}

TEST(notice_of_no_kind_is_refused)
{
	struct event_notice n = { .kind = NOTICE_COUNT };

	CHECK_EQ(events_notice(events, &n, &line), -EINVAL);
}

/* ---- sequences ---- */

static char walked[400];

static void note(void *ctx, enum event_seq_kind kind, uint32_t ring, uint32_t cpu, uint64_t first, uint64_t last)
{
	size_t n = strlen(walked);

	(void)ctx;
	snprintf(walked + n, sizeof(walked) - n, "%c%u.%u:%llu-%llu ", "RSHG"[kind], ring, cpu, (unsigned long long)first, (unsigned long long)last);
}

static const char *walk(int want)
{
	bool heartbeat;
	char boot[40] = "none";

	walked[0] = '\0';
	CHECK_EQ(event_seq_walk(line.data, line.len, note, NULL, &heartbeat, boot), want);
	if (!want && heartbeat)
		strncat(walked, boot, sizeof(walked) - strlen(walked) - 1);
	return walked;
}

TEST(a_successor_learns_what_is_recorded)
{
	static const struct event_range holes[] = { { 5, 6 }, { 9, 9 } };
	static const struct event_stream streams[] = { { 0, 0, 55, NULL, 0 }, { 1, 3, 900, holes, 2 } };
	struct event_notice n = { .kind = NOTICE_HEARTBEAT, .time_ns = 5, .streams = streams, .stream_count = 2 };
	struct sample s;

	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(walk(0), "S0.0:55-55 S1.3:900-900 H1.3:5-6 H1.3:9-9 " SAMPLE_BOOT_ID);
	n = (struct event_notice){ .kind = NOTICE_HEARTBEAT, .time_ns = 5 };
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(walk(0), SAMPLE_BOOT_ID);
	n = (struct event_notice){ .kind = NOTICE_GAP, .time_ns = 5, .has_ring = true, .cpu = 3, .first_seq = 7, .last_seq = 9 };
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(walk(0), "G0.3:7-9 ");
	n = (struct event_notice){ .kind = NOTICE_TEST, .time_ns = 5 };
	CHECK_OK(events_notice(events, &n, &line));
	CHECK_STR(walk(-ENOMSG), "");
	sample_exit(&s, 0);
	s.head.seq = 77;
	record(&s);
	CHECK_STR(walk(0), "R1.3:77-77 ");
}

/* ---- changed lines ---- */

TEST(lines_that_are_no_events_are_told_apart)
{
	static const struct { const char *text; int err; } cases[] = {
		{ "", -EBADMSG }, { "{", -EBADMSG }, { "x", -EBADMSG }, { "{}", -ENOMSG }, { "[1]", -ENOMSG },
		{ "{\"checkpoint\":1}", -ENOMSG }, { "{\"metadata\":7,\"class_uid\":1001}", -ENOMSG },
		{ "{\"metadata\":{\"uid\":\"u\"},\"class_uid\":\"1001\"}", -ENOMSG }, { "{\"metadata\":{\"uid\":\"u\"},\"class_uid\":1001}", 0 },
		{ "{\"metadata\":{\"uid\":\"u\"},\"class_uid\":1001,\"unmapped\":[],\"actor\":\"x\",\"action_id\":99,\"time\":-5}", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_buf_ struct buf out = {};
		struct event_view v;

		CASE("%s", cases[i].text);
		CHECK_EQ(event_view_parse(cases[i].text, strlen(cases[i].text), &v), cases[i].err);
		if (cases[i].err)
			continue;
		event_print_line(&v, true, &out);
		CHECK_OK(out.err);
		event_view_done(&v);
	}
}

TEST(a_line_changed_at_any_byte_is_read_or_refused)
{
	static const char values[] = "\0\"{}[],:\\0a\x80";
	_buf_ struct buf out = {};
	struct sample s;
	char copy[4096];
	bool heartbeat;

	sample_decision(&s, ACT_OPEN, VERB_READ, 5, "/x", NULL);
	record(&s);
	for (size_t at = 0; at < line.len; at++) {
		for (size_t i = 0; i < sizeof(values) - 1; i++) {
			struct event_view v;
			char boot[40];

			memcpy(copy, line.data, line.len);
			copy[at] = values[i];
			buf_reset(&out);
			if (!event_view_parse(copy, line.len, &v)) {
				event_print_line(&v, false, &out);
				event_view_done(&v);
			}
			(void)event_seq_walk(copy, line.len, note, NULL, &heartbeat, boot);
			walked[0] = '\0';
		}
	}
}

TEST(what_the_tests_held_is_freed)
{
	events_free(events);
	buf_done(&line);
}

TEST_MAIN()
