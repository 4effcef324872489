/* SPDX-License-Identifier: Apache-2.0 */
/* A stand-in receiver of its own for each test, a journal, a sink between them, and what came of it. */
#ifndef TESTS_UNIT_SINK_HELP_H
#define TESTS_UNIT_SINK_HELP_H

#include <jansson.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include "base/http.h"
#include "sink/sink.h"
#include "tests/unit/journal_help.h"

#define TOKEN "0a1b2c3d-good-token"

struct stand {
	struct place p;
	pid_t pid;
	int to, port;			/* its stdin: it ends with us */
	char url[64], token_file[128];
	struct http *http;
	const char *scheme, *ca_file, *token;
	const char *kind;		/* of web_receiver.py; NULL: hec_receiver.py */
	bool shared;

	/* the callbacks' */
	_Atomic int bad, good, rejections;
	char why[256], rejected_uid[128];
	uint64_t rejected_seq;
	int reject_err;
};

static inline uint64_t test_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static inline void file_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, text, strlen(text)));
	close(fd);
}

static inline int read_port(int fd)
{
	char line[64] = "";
	size_t n = 0;
	int port = 0;

	while (n < sizeof(line) - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	(void)sscanf(line, "port %d", &port);
	return port;
}

/* args: NULL-terminated, besides those that every test needs. */
static inline void stand_launch(struct stand *s, int port, const char *const *args)
{
	const char *argv[32] = { "python3", s->kind ? "tests/e2e/web_receiver.py" : "tests/e2e/hec_receiver.py", "--token", s->token, "--control",
				 "--until-eof", "--port" };
	int in[2], out[2], n = 7;
	char number[16];

	snprintf(number, sizeof(number), "%d", port);
	argv[n++] = number;
	if (s->kind)
		argv[n++] = s->kind;
	for (; args && *args; args++)
		argv[n++] = *args;
	CHECK_OK(pipe2(in, O_CLOEXEC));
	CHECK_OK(pipe2(out, O_CLOEXEC));
	s->pid = fork();
	CHECK(s->pid >= 0);
	if (!s->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execvp(argv[0], (char **)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	s->to = in[1];
	s->port = read_port(out[0]);
	close(out[0]);
	CHECK(s->port > 0);
	snprintf(s->url, sizeof(s->url), "%s://localhost:%d", s->scheme, s->port);
}

/* One request of the test's own; the reply's JSON is the caller's. */
static inline json_t *stand_ask(struct stand *s, const char *method, const char *path, const char *body)
{
	char url[128];
	struct http_request q = { .method = method, .url = url, .body = body, .body_len = body ? strlen(body) : 0 };
	struct http_reply r = {};
	json_t *j;

	snprintf(url, sizeof(url), "%s%s", s->url, path);
	CHECK_OK(http_do(s->http, &q, &r));
	CHECK_EQ(r.status, 200);
	j = json_loadb(r.body.data, r.body.len, 0, NULL);
	CHECK(j);
	http_reply_done(&r);
	return j;
}

static inline void stand_open(struct stand *s)
{
	struct http_options o = { .ca_file = s->ca_file, .max_reply_bytes = 8u << 20 };

	snprintf(s->token_file, sizeof(s->token_file), "%s/token", s->p.root);
	file_put(s->token_file, s->token);
	CHECK_OK(http_new(&o, &s->http));
}

/* A receiver of this test's own. */
static inline void stand_begin_at(struct stand *s, const char *const *args, const char *scheme, const char *ca_file)
{
	*s = (struct stand){ .p = place_make(), .scheme = scheme, .ca_file = ca_file, .token = TOKEN };
	if (access("/usr/bin/python3", X_OK))
		SKIP("python3 is not installed");
	stand_launch(s, 0, args);
	stand_open(s);
}

/* One of web_receiver.py's kinds. */
static inline void stand_begin_kind(struct stand *s, const char *kind, const char *token)
{
	*s = (struct stand){ .p = place_make(), .scheme = "http", .kind = kind, .token = token };
	if (access("/usr/bin/python3", X_OK))
		SKIP("python3 is not installed");
	stand_launch(s, 0, NULL);
	stand_open(s);
}

/* Starting python is what takes time: tests that do not kill it share one of each kind, emptied in between. */
static inline void stand_begin(struct stand *s, bool ack)
{
	static struct stand kept[2];
	static const char *const args[] = { "--ack", NULL };

	if (!kept[ack].pid) {
		stand_begin_at(&kept[ack], ack ? args : NULL, "http", NULL);
		place_remove(&kept[ack].p);
		http_free(kept[ack].http);
	}
	*s = kept[ack];
	s->p = place_make();
	s->shared = true;
	stand_open(s);
	json_decref(stand_ask(s, "POST", "/_reset", "{}"));
}

static inline void stand_kill(struct stand *s)
{
	close(s->to);
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

static inline void stand_end(struct stand *s)
{
	if (!s->shared)
		stand_kill(s);
	http_free(s->http);
	place_remove(&s->p);
}

static inline void stand_fault(struct stand *s, const char *json)
{
	json_decref(stand_ask(s, "POST", "/_fault", json));
}

static inline long long stat_of(json_t *stats, const char *key)
{
	return json_integer_value(json_object_get(stats, key));
}

static inline long long stand_stat(struct stand *s, const char *key)
{
	json_t *stats = stand_ask(s, "GET", "/_stats", NULL);
	long long v = stat_of(stats, key);

	json_decref(stats);
	return v;
}

/* ---- the sink ---- */

static inline void on_health(void *ctx, const char *sink, bool good, const char *why)
{
	struct stand *s = ctx;

	(void)sink;
	if (good) {
		s->good++;
		return;
	}
	snprintf(s->why, sizeof(s->why), "%s", why);
	s->bad++;
}

static inline int on_rejected(void *ctx, const struct sink_rejection *r)
{
	struct stand *s = ctx;

	if (s->reject_err)
		return s->reject_err;
	snprintf(s->rejected_uid, sizeof(s->rejected_uid), "%s", r->uid);
	s->rejected_seq = r->seq;
	s->rejections++;
	return 0;
}

static inline struct sink_options stand_options(const struct stand *s, bool ack)
{
	return (struct sink_options){ .name = "splunk", .type = "splunk-hec", .url = s->url, .token_file = s->token_file, .ca_file = s->ca_file,
				      .index = "main", .source = "bailiff", .host = "testhost", .ack = ack, .ack_timeout_ms = 1500,
				      .ack_poll_ms = 100, .backoff_max_ms = 100 };
}

static inline struct sink *stand_sink_with(struct stand *s, struct journal *j, const struct sink_options *o)
{
	struct sink_callbacks cb = { .ctx = s, .health = on_health, .rejected = on_rejected };
	struct sink *k = NULL;

	CHECK_OK(sink_start(o, j, s->p.dir, &cb, &k, NULL));
	return k;
}

static inline struct sink *stand_sink(struct stand *s, struct journal *j, bool ack)
{
	struct sink_options o = stand_options(s, ack);

	return stand_sink_with(s, j, &o);
}

/* Events as the encoder writes them, as far as a sink looks. */
static inline void put_events(struct journal *j, unsigned from, unsigned count)
{
	for (unsigned i = from; i < from + count; i++) {
		char line[256];
		int n = snprintf(line, sizeof(line), "{\"n\":%u,\"time\":%llu,\"metadata\":{\"uid\":\"e-%u.\"},\"file\":{\"path\":\"/tmp/\\u0022x\"}}", i,
				 1790000000000ull + i, i), err;

		while ((err = journal_append(j, line, n, NULL)) == -ENOBUFS)
			usleep(1000);
		CHECK_OK(err);
	}
}

/* All durable lines arrived, first arrivals in order and without a gap; only `missing` (0: none) is allowed to be missing. */
static inline void check_arrived(struct stand *s, uint64_t durable, uint64_t missing)
{
	json_t *stats = stand_ask(s, "GET", "/_stats", NULL), *order = json_object_get(stats, "order"), *item;
	uint64_t expect = 1;
	size_t i;

	json_array_foreach(order, i, item) {
		if (expect == missing)
			expect++;
		CHECK_EQ(json_integer_value(item), expect++);
	}
	if (expect == missing)
		expect++;
	CHECK_EQ(expect, durable);
	CHECK_EQ(stat_of(stats, "anonymous"), 0);
	json_decref(stats);
}

#endif
