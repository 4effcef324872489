/* SPDX-License-Identifier: Apache-2.0 */
/* Acts as a record has them, and the policy that is learned from them. */
#ifndef TESTS_UNIT_POLICY_LEARN_HELP_H
#define TESTS_UNIT_POLICY_LEARN_HELP_H

#include <stdio.h>
#include "base/file.h"
#include "policy/learn.h"
#include "tests/unit/test.h"

#define V(x) (1u << VERB_##x)
#define WRITE (V(CHANGE) | V(CREATE) | V(REMOVE))
#define START "version: 1\npolicy: t\nuses: [base]\n"

static struct policy *base;
static struct learn *learn;
static struct buf text, report, missing;
static const char *start;
static struct policy_param param = { "workspace", "/srv/ws" };
static uint64_t clock_ms;

static inline struct policy *load(const char *policy, size_t len)
{
	struct policy_source source = { .text = policy, .len = len, .file = "t.yaml", .only_check = true, .params = &param,
					.param_count = strstr(policy, "workspace: path") ? 1 : 0 };
	struct diags diags = {};
	struct buf said = {};
	struct policy *p = NULL;

	if (policy_load(&source, &p, &diags)) {
		diags_print(&diags, &said);
		CASE("%s", said.data);
		CHECK(!"the policy loads");
	}
	diags_done(&diags);
	return p;
}

static inline void end(void)
{
	learn_free(learn);
	policy_free(base);
	buf_done(&text);
	buf_done(&report);
	buf_done(&missing);
	text = report = missing = (struct buf){};
	learn = NULL;
	base = NULL;
}

static inline void begin(const char *policy)
{
	end();	/* of a test that failed */
	start = policy;
	clock_ms = 1764000000000;
	base = load(policy, strlen(policy));
	CHECK_EQ(learn_new(base, &learn), 0);
}

static inline void seen(struct learn_seen s)
{
	char uid[32];

	snprintf(uid, sizeof(uid), "e%llu", (unsigned long long)(clock_ms - 1764000000000) / 1000);
	s.uid = uid;
	s.program = s.program ? s.program : "python3";
	s.first_ms = s.last_ms = clock_ms;
	clock_ms += 1000;
	CHECK_EQ(learn_add(learn, &s), 0);
}

static inline void path(uint32_t verbs, const char *name)
{
	seen((struct learn_seen){ .verbs = verbs, .path = name, .path_len = strlen(name) });
}

static inline void directory(uint32_t verbs, const char *name)
{
	seen((struct learn_seen){ .verbs = verbs, .path = name, .path_len = strlen(name), .directory = true });
}

static inline void renamed(const char *from, const char *to, bool dir)
{
	seen((struct learn_seen){ .verbs = V(REMOVE), .path = from, .path_len = strlen(from), .verbs2 = V(CREATE), .path2 = to, .path2_len = strlen(to),
				  .directory = dir });
}

static inline void peer(const char *question)
{
	struct policy_action a;
	struct learn_seen s = { .network = true };
	char why[200];

	CHECK_EQ(policy_action_parse(question, &a, why), 0);
	s.listens = a.verb == VERB_LISTEN;
	s.port = a.port;
	s.proto = a.proto;
	memcpy(s.addr, a.addr, sizeof(s.addr));
	policy_action_done(&a);
	seen(s);
}

/* What was learned, loaded; it allows all that was to be learned. */
static inline struct policy *work(void)
{
	struct policy *learned;
	char why[200];

	CHECK_EQ(learn_work(learn), 0);
	CHECK_EQ(learn_into(learn, start, strlen(start), &text, why), 0);
	learn_report(learn, "", &report);
	learned = load(text.data, text.len);
	if (learn_missing(learn, learned, &missing)) {
		CASE("%s", missing.data);
		CHECK(!"it allows what it was learned from");
	}
	return learned;
}

static inline bool allows(const struct policy *p, const char *question)
{
	struct policy_verdict v;
	struct policy_action a;
	char why[200];

	CASE("%s", question);
	CHECK_EQ(policy_action_parse(question, &a, why), 0);
	CHECK_EQ(policy_eval(p, &a, &v), 0);
	policy_action_done(&a);
	return v.allowed;
}

static inline void learns(uint32_t verbs, const char *const *paths, const char *pattern)
{
	struct buf quoted = {};

	begin(START);
	for (size_t i = 0; paths[i]; i++)
		path(verbs, paths[i]);
	policy_free(work());
	buf_addf(&quoted, "\"%s\"\n", pattern);
	CASE("%s", pattern);
	CHECK_HAS(text.data, quoted.data);
	buf_done(&quoted);
	end();
}

#endif
