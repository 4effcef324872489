/* SPDX-License-Identifier: Apache-2.0 */
/* A sink's life: receivers that go and come, an orderly stop, kill -9, memory, TLS. */
#include <sys/resource.h>
#include "base/http.h"
#include "journal/journal.h"
#include "sink/sink.h"
#include "tests/unit/sink_help.h"

#define DRAIN_MS 30000

/* After a restart the ids of a channel count from 0 again: no old batch may be taken for confirmed by a new one. */
TEST(a_receiver_that_restarts_and_forgets_confirms_nothing_by_mistake)
{
	struct stand s;
	struct journal *j;
	struct sink *k;

	stand_begin_at(&s, (const char *const[]){ "--ack", "--ack-delay", "200", NULL }, "http", NULL);
	j = journal_begin(&s.p, NULL);
	k = stand_sink(&s, j, true);
	for (unsigned i = 0; i < 12; i++) {
		put_events(j, 1 + 20 * i, 20);
		CHECK_OK(journal_flush(j));
		usleep(60000);
		if (i % 3 == 2)
			json_decref(stand_ask(&s, "POST", "/_restart", "{}"));
	}
	CHECK_OK(sink_drain(k, DRAIN_MS));
	sink_stop(k);
	check_arrived(&s, journal_durable_seq(j), 0);
	journal_close(j);
	stand_end(&s);
}

TEST(a_receiver_that_is_down_is_waited_for)
{
	struct stand s;
	struct journal *j;
	struct sink_status st;
	struct sink *k;
	int port;

	stand_begin_at(&s, NULL, "http", NULL);
	port = s.port;
	stand_kill(&s);
	j = journal_begin(&s.p, NULL);
	k = stand_sink(&s, j, false);
	put_events(j, 1, 2500);
	CHECK_OK(journal_flush(j));
	CHECK_EQ(sink_drain(k, 500), -ETIMEDOUT);
	sink_status(k, &st);
	CHECK_EQ(st.state, SINK_TROUBLED);
	CHECK_EQ(st.lag, 2501);
	CHECK_HAS(st.error, "no answer");
	stand_launch(&s, port, NULL);
	CHECK_OK(sink_drain(k, DRAIN_MS));
	sink_status(k, &st);
	CHECK_EQ(st.lag, 0);
	sink_stop(k);
	CHECK_EQ(s.bad, 1);
	CHECK_EQ(s.good, 1);
	check_arrived(&s, journal_durable_seq(j), 0);
	journal_close(j);
	stand_end(&s);
}

TEST(stopping_takes_a_moment_in_a_back_off_and_in_a_request)
{
	static const char *const ways[] = { "{\"mode\":\"code\",\"code\":9,\"count\":-1,\"retry_after\":3000}", "{\"mode\":\"slow\",\"seconds\":20,\"count\":-1}" };

	for (size_t i = 0; i < 2; i++) {
		struct stand s;
		struct journal *j;
		struct sink *k;
		uint64_t before;

		CASE("%s", ways[i]);
		stand_begin(&s, false);
		stand_fault(&s, ways[i]);
		j = journal_begin(&s.p, NULL);
		put_events(j, 1, 10);
		CHECK_OK(journal_flush(j));
		k = stand_sink(&s, j, false);
		usleep(500000);
		before = test_ms();
		sink_stop(k);
		CHECK(test_ms() - before < 3000);	/* about one; the rest is for busy machines */
		journal_close(j);
		stand_end(&s);
	}
}

TEST(retry_after_holds_for_the_whole_sink)
{
	struct stand s;
	struct journal *j;
	struct sink *k;
	uint64_t before;

	stand_begin(&s, false);
	stand_fault(&s, "{\"mode\":\"code\",\"code\":9,\"count\":1,\"retry_after\":2}");
	j = journal_begin(&s.p, NULL);
	put_events(j, 1, 10);
	CHECK_OK(journal_flush(j));
	before = test_ms();
	k = stand_sink(&s, j, false);
	CHECK_OK(sink_drain(k, DRAIN_MS));
	CHECK(test_ms() - before >= 1900);
	sink_stop(k);
	journal_close(j);
	stand_end(&s);
}

/* ---- kill -9 ---- */

/* Says so by a byte once its first lines are durable. */
static void carry_until_killed(struct stand *s, bool ack, unsigned from, int begun)
{
	struct journal *j = journal_begin_with(&s->p, (struct journal_options){ .segment_bytes = 30000, .checkpoint_ms = 20 }, NULL);

	(void)stand_sink(s, j, ack);
	put_events(j, from, 20);
	if (journal_flush(j) || write(begun, "", 1) != 1)
		_exit(1);
	for (from += 20;; from += 10) {
		put_events(j, from, 10);
		usleep(3000);
	}
}

TEST(killed_at_any_moment_the_cursor_is_right_and_nothing_is_lost)
{
	for (int ack = 0; ack < 2; ack++) {
		struct stand s;
		struct journal *j;
		struct sink *k;
		unsigned seed = (unsigned)time(NULL) ^ getpid();

		srand(seed);
		stand_begin(&s, ack);
		for (unsigned round = 0; round < 6; round++) {
			int begun[2];
			pid_t pid;
			char c;

			CASE("ack %d seed %u round %u", ack, seed, round);
			CHECK_OK(pipe2(begun, O_CLOEXEC));
			pid = fork();
			CHECK(pid >= 0);
			if (!pid)
				carry_until_killed(&s, ack, 1 + 100000 * round, begun[1]);
			close(begun[1]);
			CHECK_EQ(read(begun[0], &c, 1), 1);
			close(begun[0]);
			usleep(rand() % 300000);
			kill(pid, SIGKILL);
			CHECK_EQ(waitpid(pid, NULL, 0), pid);
		}
		j = journal_begin(&s.p, NULL);
		k = stand_sink(&s, j, ack);
		CHECK_OK(journal_flush(j));
		CHECK_OK(sink_drain(k, DRAIN_MS));
		sink_stop(k);
		check_arrived(&s, journal_durable_seq(j), 0);
		CHECK(journal_durable_seq(j) > 100);
		journal_close(j);
		stand_end(&s);
	}
}

/* ---- memory ---- */

static long high_water_kb(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* A receiver that takes everything and confirms nothing: only ranges are kept, so memory does not follow the journal. */
TEST(memory_does_not_grow_with_what_waits)
{
	struct stand s;
	struct journal *j;
	int status;
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__
	SKIP("a sanitizer's memory is not ours");
#endif
	stand_begin(&s, true);
	j = journal_begin(&s.p, NULL);
	for (unsigned i = 0; i < 60000; i++) {
		char line[1100];
		int n = snprintf(line, sizeof(line), "{\"time\":1790000000000,\"metadata\":{\"uid\":\"m-%u\"},\"pad\":\"%01000u\"}", i, i), err;

		while ((err = journal_append(j, line, n, NULL)) == -ENOBUFS)
			usleep(2000);
		CHECK_OK(err);
	}
	CHECK_OK(journal_flush(j));
	stand_fault(&s, "{\"mode\":\"lose-acks\",\"count\":-1}");
	pid = fork();
	if (!pid) {
		struct sink_options o = stand_options(&s, true);
		struct sink *k;
		long before;

		stand_open(&s);		/* connections are not for sharing */
		(void)stand_stat(&s, "batches");
		before = high_water_kb();
		o.ack_timeout_ms = 60000;
		k = stand_sink_with(&s, NULL, &o);
		for (int i = 0; i < 300 && stand_stat(&s, "batches") < 32; i++)
			usleep(100000);
		sleep(1);
		sink_stop(k);
		_exit(high_water_kb() - before < 12 << 10 ? 0 : 1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(stand_stat(&s, "batches"), 32);	/* no more are open at a time */
	journal_close(j);
	stand_end(&s);
}

/* ---- TLS ---- */

static bool make_certificate(const struct place *p, const char *name)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd),
		 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout %s.key -out %s.crt -days 2 "
		 "-subj /CN=%s -addext subjectAltName=DNS:%s >/dev/null 2>&1", p->root, name, name, name, name);
	return !system(cmd);
}

TEST(tls_is_verified_against_the_configured_authority_and_the_host_name)
{
	static const struct {
		const char *served, *trusted;
		bool works;
	} rows[] = { { "localhost", "localhost", true }, { "localhost", "elsewhere", false }, { "elsewhere", "elsewhere", false }, { "localhost", NULL, false } };
	struct place certs = place_make();

	if (!make_certificate(&certs, "localhost") || !make_certificate(&certs, "elsewhere"))
		SKIP("openssl is not installed");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char crt[128], key[128], ca[128];
		struct sink_options o;
		struct stand s;
		struct journal *j;
		struct sink *k;

		CASE("serves %s, trusts %s", rows[i].served, rows[i].trusted ? rows[i].trusted : "the system");
		snprintf(crt, sizeof(crt), "%s/%s.crt", certs.root, rows[i].served);
		snprintf(key, sizeof(key), "%s/%s.key", certs.root, rows[i].served);
		snprintf(ca, sizeof(ca), "%s/%s.crt", certs.root, rows[i].trusted ? rows[i].trusted : "");
		stand_begin_at(&s, (const char *const[]){ "--tls", crt, key, NULL }, "https", rows[i].works ? crt : NULL);
		o = stand_options(&s, false);
		o.ca_file = rows[i].trusted ? ca : NULL;
		j = journal_begin(&s.p, NULL);
		put_events(j, 1, 10);
		CHECK_OK(journal_flush(j));
		k = stand_sink_with(&s, j, &o);
		for (int t = 0; !rows[i].works && !s.why[0] && t < DRAIN_MS; t += 10)
			usleep(10000);
		CHECK_EQ(sink_drain(k, rows[i].works ? DRAIN_MS : 1), rows[i].works ? 0 : -ETIMEDOUT);
		sink_stop(k);
		if (rows[i].works)
			check_arrived(&s, journal_durable_seq(j), 0);
		else
			CHECK_HAS(s.why, "no answer");
		journal_close(j);
		stand_end(&s);
	}
	place_remove(&certs);
}

TEST_MAIN()
