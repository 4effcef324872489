/* SPDX-License-Identifier: Apache-2.0 */
/* Records as the kernel writes them, and an engine that knows one sandbox: for the tests of the event room. */
#ifndef TESTS_UNIT_EVENT_SAMPLE_H
#define TESTS_UNIT_EVENT_SAMPLE_H

#include "event/event.h"
#include <netinet/in.h>

#define SAMPLE_SANDBOX 7
#define SAMPLE_BOOT_ID "6f1c1f0e-0a5b-4a52-9d5f-3a0c8f6f2c11"
#define SAMPLE_DIGEST "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
/* 2026-11-24 07:30:00 UTC at boot */
#define SAMPLE_WALL_OFFSET 1795505400000000000ll

struct sample {
	union {
		struct rec_head head;
		struct rec_decision decision;
		struct rec_exec exec;
		struct rec_exit exit;
		struct rec_flow flow;
		struct rec_file file;
		char bytes[sizeof(struct rec_decision) + 2 * PATH_BYTES + ARGV_BYTES];
	};
};

static inline void sample_head(struct sample *s, uint16_t type, size_t size)
{
	static uint64_t seq;

	seq++;
	seq++;
	memset(s, 0, sizeof(*s));
	s->head = (struct rec_head){
		.type = type, .ring = type == REC_DECISION ? RING_DECISIONS : RING_TELEMETRY, .size = size, .cpu = 3, .command = 2, .seq = seq,
		.time_ns = 3600000000000ull + seq * 1000000, .sandbox = SAMPLE_SANDBOX, .generation = 1, .tgid = 4242, .pid = 4242,
		.parent_tgid = 4200, .start_ns = 3599000000000ull, .parent_start_ns = 3598000000000ull, .uid = 1000, .gid = 1000, .comm = "python3",
	};
}

static inline void sample_append(struct sample *s, const void *p, size_t n)
{
	if (p && n)
		memcpy(s->bytes + s->head.size, p, n);
	s->head.size += n;
}

static inline void sample_exec(struct sample *s, const char *path, const char *argv, size_t argv_len)
{
	sample_head(s, REC_EXEC, sizeof(s->exec));
	s->exec.path_len = strlen(path);
	s->exec.argv_len = s->exec.argv_total = argv_len;
	sample_append(s, path, strlen(path));
	sample_append(s, argv, argv_len);
}

static inline void sample_decision(struct sample *s, enum operation op, enum verb verb, uint32_t rule, const char *path, const char *path2)
{
	sample_head(s, REC_DECISION, sizeof(s->decision));
	s->decision.verdict = VERDICT_DENY;
	s->decision.class_id = CLASS_FILES;
	s->decision.verb = verb;
	s->decision.operation = op;
	s->decision.rule = rule;
	s->decision.error = -EACCES;
	s->decision.syscall = 257 + 1;
	s->decision.path_len = path ? strlen(path) : 0;
	s->decision.path2_len = path2 ? strlen(path2) : 0;
	sample_append(s, path, s->decision.path_len);
	sample_append(s, path2, s->decision.path2_len);
}

static inline void sample_guard(struct sample *s, enum operation op, uint32_t rule, uint64_t arg)
{
	sample_decision(s, op, VERB_CALL, rule, NULL, NULL);
	s->decision.class_id = CLASS_GUARD;
	s->decision.error = -EPERM;
	s->decision.arg = arg;
}

static inline struct rec_addr sample_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	return (struct rec_addr){
		.addr = { [10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d }, .port = port, .family = AF_INET, .proto = IPPROTO_TCP,
		.type = SOCK_STREAM,
	};
}

static inline void sample_flow(struct sample *s, enum operation op, uint32_t rule, struct rec_addr addr)
{
	sample_head(s, REC_FLOW, sizeof(s->flow));
	s->flow.operation = op;
	s->flow.rule = rule;
	s->flow.addr = addr;
}

static inline void sample_file(struct sample *s, enum operation op, uint32_t rule, const char *path)
{
	sample_head(s, REC_FILE, sizeof(s->file));
	s->file.operation = op;
	s->file.verbs = 1 << VERB_READ;
	s->file.rule = rule;
	s->file.path_len = strlen(path);
	sample_append(s, path, s->file.path_len);
}

static inline void sample_exit(struct sample *s, uint32_t status)
{
	sample_head(s, REC_EXIT, sizeof(s->exit));
	s->exit.status = status;
}

/* ---- the engine's side ---- */

static inline int sample_find_sandbox(void *ctx, uint64_t sandbox, uint32_t generation, struct event_sandbox *out)
{
	(void)ctx;
	(void)generation;
	if (sandbox != SAMPLE_SANDBOX)
		return -ENOENT;
	*out = (struct event_sandbox){
		.uid = "01KB1M5XYZ8Q4R7T2V9W3C6D5E", .name = "fix-login", .policy = "coding-agent", .digest = SAMPLE_DIGEST, .stage = "enforce",
		.agent = "codex",
	};
	return 0;
}

static inline int sample_find_command(void *ctx, uint64_t sandbox, uint32_t command, struct event_command *out)
{
	(void)ctx;
	if (sandbox != SAMPLE_SANDBOX || command != 2)
		return -ENOENT;
	*out = (struct event_command){ .call = "call_8Zk2" };
	return 0;
}

/* Severity as the policy says it, of one verb under one rule. */
static inline unsigned sample_find_alert(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, unsigned verb)
{
	(void)ctx, (void)sandbox, (void)generation;
	return rule == 5 && verb == VERB_EXECUTE ? 6 : 0;
}

static inline int sample_find_rule(void *ctx, uint64_t sandbox, uint32_t generation, uint32_t rule, struct event_rule *out)
{
	(void)ctx;
	(void)generation;
	if (sandbox != SAMPLE_SANDBOX || rule != 5)
		return -ENOENT;
	*out = (struct event_rule){
		.id = "files.deny.credentials", .file = "policy.yaml", .line = 14, .column = 7, .why = "credentials", .owner = "dev-platform",
	};
	return 0;
}

static inline struct events *sample_events(void)
{
	struct event_options o = {
		.host = "build-7", .boot_id = SAMPLE_BOOT_ID, .version = "0.1.0", .wall_offset_ns = SAMPLE_WALL_OFFSET,
		.redact_key = "0123456789abcdef0123456789abcdef", .redact_key_bytes = 32, .max_processes = 64,
		.source = { .sandbox = sample_find_sandbox, .command = sample_find_command, .rule = sample_find_rule, .alert = sample_find_alert },
	};
	struct events *e = NULL;

	return events_new(&o, &e) ? NULL : e;
}

#endif
