/* SPDX-License-Identifier: Apache-2.0 */
/* A sink against a strict stand-in of Splunk's event collector that misbehaves in every way we know of: nothing lost, order kept, cursor right. */
#include "base/http.h"
#include "journal/journal.h"
#include "sink/sink.h"
#include "tests/unit/sink_help.h"

#define DRAIN_MS 30000

TEST(events_arrive_once_in_order_with_the_head_of_the_chain)
{
	for (int ack = 0; ack < 2; ack++) {
		struct stand s;
		struct journal *j;
		struct sink_status st;
		struct sink *k;
		json_t *stats;
		uint64_t end;
		char head[160];

		CASE("ack %d", ack);
		stand_begin(&s, ack);
		j = journal_begin_with(&s.p, (struct journal_options){ .checkpoint_ms = 20, .segment_bytes = 100000 }, NULL);
		k = stand_sink(&s, j, ack);
		put_events(j, 1, 3000);
		usleep(100000);
		put_events(j, 3001, 10);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_status(k, &st);
		sink_stop(k);
		end = st.committed_seq;
		check_arrived(&s, end, 0);
		stats = stand_ask(&s, "GET", "/_stats", NULL);
		CHECK_EQ(stat_of(stats, "duplicates"), 0);
		CHECK(stat_of(stats, "unique") >= 3011);
		CHECK(stat_of(stats, "most_events") <= 1000);
		CHECK(stat_of(stats, "largest_body") <= 512 << 10);
		CHECK_OK(journal_head(j, head));
		CHECK_EQ(strlen(json_string_value(json_array_get(json_object_get(stats, "heads"), 0))) > 80, 1);
		json_decref(stats);
		CHECK_EQ(st.state, SINK_GOOD);
		CHECK_EQ(st.delivered, end - 1);
		CHECK_EQ(st.retried + st.rejected, 0);
		CHECK_EQ(s.bad, 0);
		CHECK(st.last_success_ms > 1700000000000);
		journal_close(j);
		stand_end(&s);
	}
}

/* What a receiver, or what stands in front of it, may do; each heals, and then all is there. */
static const struct fault_row {
	const char *name;
	bool ack;
	const char *fault;
	const char *why;	/* part of what the health event says; NULL: there is none */
	bool duplicates;	/* allowed */
} faults[] = {
	{ "busy", false, "{\"mode\":\"code\",\"code\":9,\"count\":3}", "503, code 9", false },
	{ "busy, with acknowledgement", true, "{\"mode\":\"code\",\"code\":9,\"count\":3,\"retry_after\":0}", "503, code 9", false },
	{ "internal error", false, "{\"mode\":\"code\",\"code\":8,\"count\":2}", "500, code 8", false },
	{ "shutting down", false, "{\"mode\":\"code\",\"code\":23,\"count\":2}", "503, code 23", false },
	{ "queue full", false, "{\"mode\":\"code\",\"code\":26,\"count\":2}", "429, code 26", false },
	{ "acks full", true, "{\"mode\":\"code\",\"code\":27,\"count\":2}", "429, code 27", false },
	{ "approaching capacity", false, "{\"mode\":\"code\",\"code\":24,\"count\":1}", NULL, false },
	{ "wrong index", false, "{\"mode\":\"code\",\"code\":7,\"count\":2}", "index", false },
	{ "no data, it says", false, "{\"mode\":\"code\",\"code\":5,\"count\":2}", "400, code 5", false },
	{ "token disabled", false, "{\"mode\":\"code\",\"code\":1,\"count\":2}", "403, code 1", false },
	{ "captive portal", false, "{\"mode\":\"html\",\"status\":200,\"count\":2}", "not an event collector", false },
	{ "captive portal, with acknowledgement", true, "{\"mode\":\"html\",\"status\":200,\"count\":2}", "not an event collector", false },
	{ "redirect to a login", false, "{\"mode\":\"html\",\"status\":303,\"location\":\"/_stats\",\"count\":2}", "303", false },
	{ "proxy says 400", false, "{\"mode\":\"html\",\"status\":400,\"count\":2}", "not an event collector", false },
	{ "proxy says 404", false, "{\"mode\":\"html\",\"status\":404,\"count\":2}", "url", false },
	{ "proxy says 405", false, "{\"mode\":\"html\",\"status\":405,\"count\":2}", "url", false },
	{ "proxy says 408", false, "{\"mode\":\"html\",\"status\":408,\"count\":2}", "408", false },
	{ "proxy says 502", false, "{\"mode\":\"html\",\"status\":502,\"count\":2}", "502", false },
	{ "no gzip", false, "{\"mode\":\"html\",\"status\":415,\"count\":1}", NULL, false },
	{ "rubbish without end", false, "{\"mode\":\"big-reply\",\"bytes\":3000000,\"count\":1}", "not an event collector", false },
	{ "reset, nothing taken", false, "{\"mode\":\"reset\",\"count\":3}", "no answer", false },
	{ "reset, all taken", false, "{\"mode\":\"reset\",\"index\":true,\"count\":2}", NULL, true },
	{ "reset, all taken, with acknowledgement", true, "{\"mode\":\"reset\",\"index\":true,\"count\":2}", NULL, true },
	{ "slow", false, "{\"mode\":\"slow\",\"seconds\":0.4,\"count\":1}", NULL, false },
	{ "acks lost", true, "{\"mode\":\"lose-acks\",\"count\":2}", "not acknowledged", true },
	{ "one batch never acknowledged at first", true, "{\"mode\":\"ack-false\",\"text\":\"e-150.\",\"count\":2}", "not acknowledged", true },
	{ "questions about acks fail", true, "{\"mode\":\"ack-code\",\"code\":9,\"count\":2,\"retry_after\":0}", NULL, false },
	{ "too large above 8,000 bytes", false, "{\"mode\":\"too-large\",\"bytes\":8000,\"count\":-1}", NULL, false },
	{ "too large, with acknowledgement", true, "{\"mode\":\"too-large\",\"bytes\":8000,\"count\":-1}", NULL, false },
};

TEST(whatever_a_receiver_answers_nothing_is_lost_and_order_is_kept)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault_row *f = &faults[i];
		struct stand s;
		struct sink_status st;
		struct journal *j;
		struct sink *k;

		CASE("%s", f->name);
		stand_begin(&s, f->ack);
		j = journal_begin(&s.p, NULL);
		put_events(j, 1, 200);
		CHECK_OK(journal_flush(j));
		stand_fault(&s, f->fault);
		k = stand_sink(&s, j, f->ack);
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_status(k, &st);
		CHECK_EQ(st.rejected, 0);
		CHECK_EQ(st.committed_seq, journal_durable_seq(j));
		sink_stop(k);
		check_arrived(&s, journal_durable_seq(j), 0);
		if (!f->duplicates)
			CHECK_EQ(stand_stat(&s, "duplicates"), 0);
		if (f->why) {
			CHECK_EQ(s.bad, 1);	/* once per trouble, not once per attempt */
			CHECK_EQ(s.good, 1);
			CHECK_HAS(s.why, f->why);
		}
		CHECK_EQ(st.state, SINK_GOOD);
		journal_close(j);
		stand_end(&s);
	}
}

TEST(a_state_that_the_receiver_has_confirmed_is_an_anchor_of_the_record)
{
	for (int ack = 0; ack < 2; ack++) {
		struct journal_report r;
		char head[160] = "";
		struct stand s;
		struct journal *j;
		struct sink *k;

		CASE("ack %d", ack);
		stand_begin(&s, ack);
		j = journal_begin_with(&s.p, (struct journal_options){ .checkpoint_ms = 5 }, NULL);
		put_events(j, 1, 50);
		while (journal_head(j, head))
			usleep(1000);
		k = stand_sink(&s, j, ack);
		put_events(j, 51, 50);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_stop(k);
		journal_close(j);
		check_verifies(&s.p, &r);
		CHECK_EQ(r.witness_count, 1);
		CHECK(r.witnesses[0].seq > 1 && r.witnesses[0].seq <= r.anchored_seq && r.witnesses[0].time_ms);
		CHECK(r.witnesses[0].name[0]);
		stand_end(&s);
	}
}

TEST(an_event_that_can_never_be_taken_is_named_and_passed_over)
{
	for (int ack = 0; ack < 2; ack++) {
		struct stand s;
		struct journal *j;
		struct sink_status st;
		struct sink *k;

		CASE("ack %d", ack);
		stand_begin(&s, ack);
		j = journal_begin(&s.p, NULL);
		put_events(j, 1, 300);
		CHECK_OK(journal_flush(j));
		stand_fault(&s, "{\"mode\":\"bad-event\",\"text\":\"e-57.\",\"count\":-1}");
		k = stand_sink(&s, j, ack);
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_status(k, &st);
		sink_stop(k);
		CHECK_EQ(st.rejected, 1);
		CHECK_EQ(s.rejections, 1);
		CHECK_STR(s.rejected_uid, "e-57.");
		CHECK_EQ(s.rejected_seq, 58);
		check_arrived(&s, journal_durable_seq(j), 58);
		journal_close(j);
		stand_end(&s);
	}
}

TEST(a_rejection_that_cannot_be_recorded_now_holds_the_cursor)
{
	struct stand s;
	struct journal *j;
	struct sink_status st;
	struct sink *k;

	stand_begin(&s, false);
	s.reject_err = -ENOBUFS;
	j = journal_begin(&s.p, NULL);
	put_events(j, 1, 3);
	CHECK_OK(journal_flush(j));
	stand_fault(&s, "{\"mode\":\"bad-event\",\"text\":\"e-2.\",\"count\":-1}");
	k = stand_sink(&s, j, false);
	CHECK_EQ(sink_drain(k, 1500), -ETIMEDOUT);
	sink_status(k, &st);
	CHECK_EQ(st.rejected, 0);
	CHECK(st.committed_seq <= 3);
	s.reject_err = 0;
	CHECK_OK(sink_drain(k, DRAIN_MS));
	CHECK_EQ(s.rejections, 1);
	sink_stop(k);
	journal_close(j);
	stand_end(&s);
}

TEST(a_rotated_token_is_read_again)
{
	struct stand s;
	struct journal *j;
	struct sink *k;

	stand_begin(&s, false);
	j = journal_begin(&s.p, NULL);
	k = stand_sink(&s, j, false);
	put_events(j, 1, 10);
	CHECK_OK(journal_flush(j));
	CHECK_OK(sink_drain(k, DRAIN_MS));
	json_decref(stand_ask(&s, "POST", "/_token", "{\"token\":\"new-token\"}"));
	put_events(j, 11, 10);
	CHECK_OK(journal_flush(j));
	CHECK_EQ(sink_drain(k, 700), -ETIMEDOUT);
	CHECK_EQ(s.bad, 1);
	CHECK_HAS(s.why, "403, code 4");
	file_put(s.token_file, "  new-token  \n");
	CHECK_OK(sink_drain(k, DRAIN_MS));
	CHECK_EQ(s.good, 1);
	sink_stop(k);
	check_arrived(&s, journal_durable_seq(j), 0);
	CHECK_EQ(stand_stat(&s, "duplicates"), 0);
	journal_close(j);
	stand_end(&s);
}

TEST(a_token_file_that_is_missing_or_no_token_heals)
{
	struct stand s;
	struct journal *j;
	struct sink *k;

	stand_begin(&s, false);
	j = journal_begin(&s.p, NULL);
	put_events(j, 1, 5);
	CHECK_OK(journal_flush(j));
	CHECK_OK(unlink(s.token_file));
	k = stand_sink(&s, j, false);
	CHECK_EQ(sink_drain(k, 400), -ETIMEDOUT);
	CHECK_HAS(s.why, "token file");
	file_put(s.token_file, "two words\n");
	CHECK_EQ(sink_drain(k, 300), -ETIMEDOUT);
	file_put(s.token_file, TOKEN);
	CHECK_OK(sink_drain(k, DRAIN_MS));
	sink_stop(k);
	journal_close(j);
	stand_end(&s);
}

TEST(a_token_that_wants_acknowledgement_gets_it_unasked)
{
	struct stand s;
	struct journal *j;
	struct sink *k;

	stand_begin(&s, true);
	j = journal_begin(&s.p, NULL);
	put_events(j, 1, 50);
	CHECK_OK(journal_flush(j));
	k = stand_sink(&s, j, false);
	CHECK_OK(sink_drain(k, DRAIN_MS));
	sink_stop(k);
	check_arrived(&s, journal_durable_seq(j), 0);
	CHECK_EQ(stand_stat(&s, "open_acks"), 0);	/* it waited for them */
	journal_close(j);
	stand_end(&s);
}

TEST(without_acknowledgement_at_the_receiver_a_sink_says_that_it_promises_less)
{
	static const char *const ways[] = { "{\"mode\":\"no-ack-id\",\"count\":-1}", "{\"mode\":\"disable-ack\"}" };

	for (size_t i = 0; i < 2; i++) {
		struct stand s;
		struct journal *j;
		struct sink_status st;
		struct sink *k;

		CASE("%s", ways[i]);
		stand_begin_at(&s, (const char *const[]){ "--ack", "--ack-delay", "600", NULL }, "http", NULL);
		j = journal_begin(&s.p, NULL);
		k = stand_sink(&s, j, true);
		put_events(j, 1, 50);
		CHECK_OK(journal_flush(j));
		usleep(250000);
		stand_fault(&s, ways[i]);
		put_events(j, 51, 50);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_status(k, &st);
		sink_stop(k);
		CHECK_EQ(s.bad, 1);
		CHECK_HAS(s.why, "accepted is all that can be known");
		CHECK_EQ(st.state, SINK_GOOD);
		CHECK(*st.error);
		check_arrived(&s, journal_durable_seq(j), 0);
		journal_close(j);
		stand_end(&s);
	}
}

TEST(an_event_that_is_too_long_is_cut_and_says_so)
{
	const size_t size = 1000000;
	struct stand s;
	struct journal *j;
	struct sink *k;
	char out[PATH_MAX];
	json_t *e, *event;
	size_t n;

	stand_begin_at(&s, NULL, "http", NULL);
	snprintf(out, sizeof(out), "%s/out", s.p.root);
	stand_kill(&s);
	stand_launch(&s, 0, (const char *const[]){ "--out", out, NULL });
	j = journal_begin(&s.p, NULL);
	_free_ char *line = malloc(size + 200), *text = NULL;
	int at = sprintf(line, "{\"time\":1790000000123,\"metadata\":{\"uid\":\"long\"},\"process\":{\"pid\":7,\"cmd_line\":\"");

	memset(line + at, 'y', size);
	strcpy(line + at + size, "\"}}");
	CHECK_OK(journal_append(j, line, strlen(line), NULL));
	CHECK_OK(journal_flush(j));
	k = stand_sink(&s, j, false);
	CHECK_OK(sink_drain(k, DRAIN_MS));
	sink_stop(k);
	CHECK(stand_stat(&s, "longest_event") <= 900 << 10);
	CHECK_OK(file_slurp(out, 8u << 20, &text, &n));
	e = json_loads(strrchr(strtok(text, ""), '\n') ? strstr(text, "\n") + 1 : text, JSON_DISABLE_EOF_CHECK, NULL);
	event = json_object_get(e, "event");
	CHECK_STR(json_string_value(json_object_get(json_object_get(event, "metadata"), "uid")), "long");
	CHECK(json_is_true(json_object_get(json_object_get(event, "unmapped"), "truncated")));
	CHECK_EQ(json_integer_value(json_object_get(json_object_get(event, "unmapped"), "original_bytes")), strlen(line));
	CHECK_EQ(json_integer_value(json_object_get(json_object_get(event, "process"), "pid")), 7);
	CHECK(json_real_value(json_object_get(e, "time")) == 1790000000.123);
	json_decref(e);
	journal_close(j);
	stand_end(&s);
}

TEST(options_that_cannot_work_are_refused_with_a_reason)
{
	static const struct {
		struct sink_options o;
		const char *why;
	} rows[] = {
		{ { .name = "a", .type = "kafka", .url = "https://h:1", .token_file = "/t" }, "type" },
		{ { .name = "../a", .type = "splunk-hec", .url = "https://h:1", .token_file = "/t" }, "name" },
		{ { .type = "splunk-hec", .url = "https://h:1", .token_file = "/t" }, "name" },
		{ { .name = "a", .type = "splunk-hec", .url = "http://h:8088", .token_file = "/t" }, "https" },
		{ { .name = "a", .type = "splunk-hec", .url = "ftp://h", .token_file = "/t" }, "https" },
		{ { .name = "a", .type = "splunk-hec", .url = "https://user@h:8088", .token_file = "/t" }, "url" },
		{ { .name = "a", .type = "splunk-hec", .url = "https://h:8088/?token=x", .token_file = "/t" }, "url" },
		{ { .name = "a", .type = "splunk-hec", .url = "https://", .token_file = "/t" }, "url" },
		{ { .name = "a", .type = "splunk-hec", .url = "http://localhost.evil.example:1", .token_file = "/t" }, "https" },
		{ { .name = "a", .type = "splunk-hec", .url = "http://127.0.0.1.evil.example", .token_file = "/t" }, "https" },
		{ { .name = "a", .type = "splunk-hec", .url = "https://h:1" }, "token_file" },
		{ { .name = "a", .type = "splunk-hec", .token_file = "/t" }, "url" },
	};
	struct place p = place_make();
	struct sink_callbacks cb = {};

	CHECK_OK(dir_make(p.dir, 0700));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *why = NULL;
		struct sink *k = NULL;

		CASE("row %zu", i);
		CHECK_EQ(sink_start(&rows[i].o, NULL, p.dir, &cb, &k, &why), -EINVAL);
		CHECK_HAS(why, rows[i].why);
	}
	place_remove(&p);
}

TEST_MAIN()
