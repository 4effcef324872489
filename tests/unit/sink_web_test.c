/* SPDX-License-Identifier: Apache-2.0 */
/* Sinks of type webhook and datadog against strict stand-ins of the documents that misbehave: nothing lost, order kept, each answer understood. */
#include "journal/journal.h"
#include "sink/sink.h"
#include "tests/unit/sink_help.h"

#define DRAIN_MS 30000
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static const struct kind {
	const char *type, *secret;
} kinds[] = { { "webhook", SECRET }, { "datadog", "0123456789abcdef0123456789abcdef" } };

static struct sink_options web_options(const struct stand *s, const struct kind *k)
{
	return (struct sink_options){ .name = "web", .type = k->type, .url = s->url, .token_file = s->token_file, .host = "testhost",
				      .backoff_max_ms = 100 };
}

static uint64_t run_through(struct stand *s, const struct kind *kind, unsigned events, struct sink_status *st)
{
	struct journal *j = journal_begin(&s->p, NULL);
	struct sink_options o = web_options(s, kind);
	struct sink *k = stand_sink_with(s, j, &o);
	uint64_t end;

	put_events(j, 1, events);
	CHECK_OK(journal_flush(j));
	CHECK_OK(sink_drain(k, DRAIN_MS));
	sink_status(k, st);
	sink_stop(k);
	end = st->committed_seq;
	journal_close(j);
	return end;
}

TEST(web_events_arrive_in_order_signed_or_keyed_with_the_head_of_the_chain)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sink_options o;
		struct journal *j;
		struct stand s;
		struct sink *k;
		json_t *stats;

		CASE("%s", kinds[i].type);
		stand_begin_kind(&s, kinds[i].type, kinds[i].secret);
		j = journal_begin_with(&s.p, (struct journal_options){ .checkpoint_ms = 20 }, NULL);
		o = web_options(&s, &kinds[i]);
		k = stand_sink_with(&s, j, &o);
		put_events(j, 1, 2500);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		usleep(100000);
		put_events(j, 2501, 10);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_stop(k);
		stats = stand_ask(&s, "GET", "/_stats", NULL);
		CHECK(stat_of(stats, "unique") >= 2511);
		CHECK_EQ(stat_of(stats, "duplicates"), 0);
		CHECK_EQ(stat_of(stats, "refused"), 0);
		CHECK(strlen(json_string_value(json_array_get(json_object_get(stats, "heads"), 0))) > 80);
		check_arrived(&s, stat_of(stats, "unique") + 1, 0);
		CHECK_EQ(s.bad, 0);
		json_decref(stats);
		journal_close(j);
		stand_end(&s);
	}
}

/* What a receiver dedups by: it stays the same however often the same events come. */
TEST(web_a_webhook_that_is_sent_again_has_the_same_id)
{
	struct sink_status st;
	struct stand s;
	json_t *stats, *ids;

	stand_begin_kind(&s, "webhook", SECRET);
	stand_fault(&s, "{\"mode\":\"reset\",\"index\":true,\"count\":2}");
	(void)run_through(&s, &kinds[0], 20, &st);
	stats = stand_ask(&s, "GET", "/_stats", NULL);
	ids = json_object_get(stats, "ids");
	CHECK(json_array_size(ids) >= 3);
	for (size_t i = 1; i < 3; i++)
		CHECK_STR(json_string_value(json_array_get(ids, i)), json_string_value(json_array_get(ids, 0)));
	CHECK(stat_of(stats, "duplicates") > 0);
	json_decref(stats);
	stand_end(&s);
}

static const struct fault_row {
	const char *fault, *why;
} faults[] = {
	{ "{\"mode\":\"status\",\"status\":500,\"count\":2}", "500" },
	{ "{\"mode\":\"status\",\"status\":503,\"retry_after\":0,\"count\":2}", "503" },
	{ "{\"mode\":\"status\",\"status\":429,\"count\":2}", "429" },
	{ "{\"mode\":\"status\",\"status\":408,\"count\":2}", "408" },
	{ "{\"mode\":\"status\",\"status\":404,\"count\":2}", "the url is wrong" },
	{ "{\"mode\":\"status\",\"status\":401,\"count\":2}", "its file is read again" },
	{ "{\"mode\":\"status\",\"status\":403,\"count\":2}", "its file is read again" },
	{ "{\"mode\":\"status\",\"status\":200,\"html\":true,\"count\":2}", "a page for people" },
	{ "{\"mode\":\"status\",\"status\":400,\"html\":true,\"count\":2}", "a page for people" },
	{ "{\"mode\":\"status\",\"status\":302,\"count\":2}", "a redirect is not followed" },
	{ "{\"mode\":\"reset\",\"count\":2}", "no answer" },
	{ "{\"mode\":\"reset\",\"index\":true,\"count\":2}", "no answer" },
};

TEST(web_whatever_heals_is_waited_for_and_said_once)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct stand s;

		stand_begin_kind(&s, kinds[i].type, kinds[i].secret);
		for (size_t f = 0; f < ARRAY_SIZE(faults); f++) {
			struct sink_status st;
			uint64_t end;

			CASE("%s: %s", kinds[i].type, faults[f].fault);
			json_decref(stand_ask(&s, "POST", "/_reset", "{}"));
			place_remove(&s.p);
			s.p = place_make();
			snprintf(s.token_file, sizeof(s.token_file), "%s/token", s.p.root);
			file_put(s.token_file, s.token);
			s.bad = s.good = 0;
			stand_fault(&s, faults[f].fault);
			end = run_through(&s, &kinds[i], 50, &st);
			check_arrived(&s, end, 0);
			CHECK_HAS(s.why, faults[f].why);
			CHECK_EQ(s.bad, 1);
			CHECK_EQ(s.good, 1);
			CHECK_EQ(st.rejected, 0);
		}
		stand_end(&s);
	}
}

TEST(web_one_bad_event_is_found_passed_over_and_told)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sink_status st;
		struct stand s;

		CASE("%s", kinds[i].type);
		stand_begin_kind(&s, kinds[i].type, kinds[i].secret);
		stand_fault(&s, "{\"mode\":\"bad-event\",\"text\":\"e-37.\",\"count\":-1}");
		(void)run_through(&s, &kinds[i], 100, &st);
		CHECK_EQ(st.rejected, 1);
		CHECK_EQ(s.rejections, 1);
		CHECK_STR(s.rejected_uid, "e-37.");
		check_arrived(&s, st.committed_seq, s.rejected_seq);
		stand_end(&s);
	}
}

TEST(web_a_request_that_is_too_large_is_halved)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct sink_status st;
		struct stand s;
		uint64_t end;

		CASE("%s", kinds[i].type);
		stand_begin_kind(&s, kinds[i].type, kinds[i].secret);
		stand_fault(&s, "{\"mode\":\"too-large\",\"bytes\":3000,\"count\":-1}");
		end = run_through(&s, &kinds[i], 300, &st);
		check_arrived(&s, end, 0);
		CHECK_EQ(st.rejected, 0);
		CHECK(stand_stat(&s, "requests") > 10);
		stand_end(&s);
	}
}

TEST(web_a_secret_that_is_replaced_in_its_file_is_used_without_a_restart)
{
	static const char *const next[] = { "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "fedcba9876543210fedcba9876543210" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_buf_ struct buf order = {};
		struct sink_options o;
		struct journal *j;
		struct stand s;
		struct sink *k;

		CASE("%s", kinds[i].type);
		stand_begin_kind(&s, kinds[i].type, kinds[i].secret);
		j = journal_begin(&s.p, NULL);
		o = web_options(&s, &kinds[i]);
		k = stand_sink_with(&s, j, &o);
		put_events(j, 1, 10);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		buf_addf(&order, "{\"token\":\"%s\"}", next[i]);
		json_decref(stand_ask(&s, "POST", "/_token", order.data));
		put_events(j, 11, 10);
		CHECK_OK(journal_flush(j));
		CHECK_EQ(sink_drain(k, 400), -ETIMEDOUT);
		file_put(s.token_file, next[i]);
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_stop(k);
		check_arrived(&s, journal_durable_seq(j), 0);
		journal_close(j);
		stand_end(&s);
	}
}

TEST(web_a_filter_lets_by_what_it_names_and_the_cursor_goes_on_over_the_rest)
{
	static const char *const lines[] = {
		"{\"metadata\":{\"uid\":\"a\"},\"time\":1790000000000,\"class_uid\":1001,\"severity_id\":1,\"message\":\"opened\"}",
		"{\"metadata\":{\"uid\":\"b\"},\"time\":1790000000000,\"class_uid\":1001,\"severity_id\":3,\"message\":\"refused\",\"disposition_id\":2}",
		"{\"metadata\":{\"uid\":\"c\"},\"time\":1790000000000,\"class_uid\":6002,\"severity_id\":1,\"message\":\"session\"}",
		"{\"metadata\":{\"uid\":\"d\"},\"time\":1790000000000,\"class_uid\":4001,\"severity_id\":5,\"message\":\"refused\",\"disposition_id\":2}",
		"{\"metadata\":{\"uid\":\"e\"},\"time\":1790000000000,\"class_uid\":1007,\"severity_id\":1,\"cmd\":\"\\\"disposition_id\\\":2\"}",
	};
	static const struct {
		struct sink_filter filter;
		int arrive;	/* of 20 rounds of these */
	} cases[] = { { { .security = true }, 60 }, { { .min_severity = 3 }, 40 }, { { .min_severity = 5 }, 20 }, { { .min_severity = 6 }, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sink_options o;
		struct sink_status st;
		struct journal *j;
		struct stand s;
		struct sink *k;

		CASE("%zu", i);
		stand_begin_kind(&s, "datadog", kinds[1].secret);
		j = journal_begin(&s.p, NULL);
		o = web_options(&s, &kinds[1]);
		o.filter = cases[i].filter;
		k = stand_sink_with(&s, j, &o);
		for (size_t n = 0; n < 20 * ARRAY_SIZE(lines); n++)
			CHECK_OK(journal_append(j, lines[n % 5], strlen(lines[n % 5]), NULL));
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_status(k, &st);
		CHECK_EQ(st.delivered, cases[i].arrive);
		CHECK_EQ(st.lag, 0);
		sink_stop(k);
		journal_close(j);
		stand_end(&s);
	}
}

/* What Datadog would take for an event of 1970 or refuse as too old goes with the time of now, and says so. */
TEST(web_an_event_that_is_too_old_for_datadog_says_its_true_time)
{
	struct sink_status st;
	struct stand s;
	json_t *stats, *last;

	stand_begin_kind(&s, "datadog", kinds[1].secret);
	(void)run_through(&s, &kinds[1], 5, &st);
	stats = stand_ask(&s, "GET", "/_stats", NULL);
	last = json_object_get(json_object_get(stats, "last"), "bailiff");
	CHECK(json_is_true(json_object_get(last, "late")));
	CHECK_EQ(json_integer_value(json_object_get(last, "time")), 1790000000005);
	json_decref(stats);
	stand_end(&s);
}

TEST(web_options_that_cannot_work_are_refused_with_a_reason)
{
	static const struct {
		const char *type, *url, *why;
	} cases[] = {
		{ "webhook", "http://example.com/hook", "https://" },
		{ "webhook", "https://user@example.com/", "without user" },
		{ "webhook", "https:///x", "https://host" },
		{ "datadog", "https://http-intake.logs.datadoghq.eu?dd-api-key=1", "token_file" },
		{ "datadog", "http-intake.logs.datadoghq.eu", "https://" },
		{ "pigeon", "https://example.com", "there are: splunk-hec, webhook, datadog" },
	};
	struct place p = place_make();
	struct journal *j = journal_begin(&p, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sink_options o = { .name = "x", .type = cases[i].type, .url = cases[i].url, .token_file = "/nonexistent" };
		struct sink_callbacks cb = {};
		const char *why = "";
		struct sink *k;

		CASE("%s %s", cases[i].type, cases[i].url);
		CHECK_EQ(sink_start(&o, j, p.dir, &cb, &k, &why), -EINVAL);
		CHECK_HAS(why, cases[i].why);
	}
	journal_close(j);
	place_remove(&p);
}

TEST_MAIN()
