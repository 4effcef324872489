/* SPDX-License-Identifier: Apache-2.0 */
/* Rules with `until` in the engine: their ends in the record, and policies that are kept compiled across one. The hour is ours to set. */
#include "engine/engine.h"
#include "tests/unit/engine_record.h"

#define HOUR 3600

int clock_gettime(clockid_t which, struct timespec *t)
{
	int err = syscall(SYS_clock_gettime, which, t);

	if (!err && which == CLOCK_REALTIME && fake)
		t->tv_sec += fake->ahead_s;
	return err;
}

time_t time(time_t *out)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

/* "opt" (line 7) ends in half an hour, "srv" (line 8) and a deny (line 10) an hour later. */
static void ending(struct buf *out)
{
	char ends[2][32];

	for (int i = 0; i < 2; i++) {
		time_t at = time(NULL) + HOUR / 2 + i * HOUR;
		struct tm tm;

		CHECK(gmtime_r(&at, &tm) && strftime(ends[i], sizeof(ends[i]), "%Y-%m-%dT%H:%M:%SZ", &tm));
	}
	buf_addf(out, "version: 1\npolicy: demo\nopen: [devices, privileges, limits, session, labels]\nfiles:\n  read:\n    - {path: /usr, id: usr}\n"
		 "    - {path: /opt, id: opt, until: \"%s\"}\n    - {path: /srv, id: srv, until: \"%s\"}\n  deny:\n"
		 "    - {path: /usr/secret, id: secret, until: \"%s\"}\n", ends[0], ends[1], ends[1]);
}

static void create_ending(struct world *w, const struct buf *text, char id[ULID_CHARS + 1])
{
	struct buf b = { 0 };

	create_begin(&b, text->data);
	kv_add_str(&b, "held", "1");
	created(w, &b, -1, id);
}

static void wait_told(struct world *w, const char *id, const char *rule)
{
	char key[64];

	snprintf(key, sizeof(key), "\"%s\"", id);
	wait_lines(w, 1, "\"rule.expired\"", rule, key);
}

TEST(engine_tells_the_end_of_a_rule_once_for_each_sandbox_with_its_file_and_line)
{
	char first[ULID_CHARS + 1], second[ULID_CHARS + 1];
	_buf_ struct buf text = {};
	struct world w;

	open_world(&w);
	engine_start(&w);
	ending(&text);
	create_ending(&w, &text, first);
	create_ending(&w, &text, second);
	fake->ahead_s = HOUR;
	wait_told(&w, first, "allow opt (demo.yaml:7); what it opened and is open stays open");
	wait_told(&w, second, "allow opt (demo.yaml:7)");
	fake->ahead_s = 2 * HOUR;
	wait_told(&w, first, "allow srv (demo.yaml:8)");
	wait_told(&w, first, "deny secret (demo.yaml:10); it goes on, for time alone opens nothing");
	end(&w, first);
	end(&w, second);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"rule.expired\"", NULL, NULL), 6);
	close_world(&w);
}

/* The state for a successor names the time that is told of. */
static void wait_kept(struct world *w, const char *id)
{
	char path[256];
	bool kept = false;

	snprintf(path, sizeof(path), "%s/sandboxes/%s", w->run, id);
	for (int i = 0; i < 500 && !kept; i++) {
		_free_ char *bytes = NULL;
		size_t len;

		usleep(10000);
		CHECK_OK(file_slurp(path, 1u << 20, &bytes, &len));
		kept = memmem(bytes, len, "ends_told_s", strlen("ends_told_s"));
	}
	CHECK(kept);
}

static void a_successor_goes_on(int how)
{
	char id[ULID_CHARS + 1];
	_buf_ struct buf text = {};
	struct world w;

	open_world(&w);
	engine_start(&w);
	ending(&text);
	create_ending(&w, &text, id);
	fake->ahead_s = HOUR;
	wait_told(&w, id, "allow opt (demo.yaml:7)");
	if (how == SIGKILL)
		wait_kept(&w, id);
	engine_gone(&w, how);
	fake->ahead_s = 2 * HOUR;	/* these end while no engine runs */
	engine_start(&w);
	wait_told(&w, id, "allow srv (demo.yaml:8)");
	wait_told(&w, id, "deny secret (demo.yaml:10)");
	end(&w, id);
	engine_gone(&w, SIGTERM);
	CHECK_EQ(lines(&w, "\"rule.expired\"", NULL, NULL), 3);
	close_world(&w);
}

TEST(engine_stopped_its_successor_tells_of_rules_that_ended_since_and_of_none_twice)
{
	a_successor_goes_on(SIGTERM);
}

TEST(engine_killed_its_successor_tells_of_rules_that_ended_since_and_of_none_twice)
{
	a_successor_goes_on(SIGKILL);
}

TEST(engine_refuses_a_policy_with_a_rule_that_has_ended_though_it_is_kept_compiled)
{
	_buf_ struct buf text = {}, b = {};
	struct control_message m;
	char id[ULID_CHARS + 1];
	struct world w;

	open_world(&w);
	engine_start(&w);
	ending(&text);
	create_ending(&w, &text, id);
	fake->ahead_s = HOUR;
	create_begin(&b, text.data);
	CHECK_EQ(control_call(w.sock, &b, NULL, 0, &m), -EINVAL);
	CHECK_HAS(kv_get(&m.kv, "diag"), "demo.yaml:7:");
	CHECK_HAS(kv_get(&m.kv, "diag"), "this rule has expired");
	control_message_done(&m);
	CHECK_EQ(fake_living(), 1);
	fake->ahead_s = 0;	/* and it is not remembered as wrong: a clock that was set right again */
	end(&w, id);
	create_ending(&w, &text, id);
	end(&w, id);
	close_world(&w);
}

TEST_MAIN()
