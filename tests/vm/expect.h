/* SPDX-License-Identifier: Apache-2.0 */
/* What one refused act must leave behind: one count under one rule, and one record that says what it was. */
#ifndef TESTS_VM_EXPECT_H
#define TESTS_VM_EXPECT_H

#include "tests/vm/govern.h"

#define OPEN_REST "open: [devices, calls, privileges, limits, session, labels]\n"
#define NO_NETWORK "network: {}\nsockets: {}\n"

struct expect {
	const char *rule, *path, *path2;	/* path NULL: not looked at; "": a record without one */
	enum operation op;
	enum verb verb;
	enum reason reason;
	int err;
};

static inline void seen_print(struct ruled *r)
{
	for (size_t i = 0; i < govern_seen_count && i < 64; i++) {
		struct seen *s = &govern_seen[i];

		printf("# seen: op %u verb %u rule %s reason %u error %d ", s->d.operation, s->d.verb, ruled_rule(r, s->d.rule), s->d.reason, s->d.error);
		test_put(s->path);
		putchar(' ');
		test_put(s->path2);
		putchar('\n');
	}
}

/* Since the last govern_forget(), in a sandbox that was refused nothing under this rule before. */
static inline void check_record(struct ruled *r, const struct expect *e)
{
	const struct seen *s = &govern_seen[0];

	govern_drain();
	if (govern_seen_count != 1)
		seen_print(r);
	CHECK_EQ(govern_seen_count, 1);
	CHECK_STR(ruled_rule(r, s->d.rule), e->rule);
	CHECK_EQ(s->d.operation, e->op);
	CHECK_EQ(s->d.verb, e->verb);
	CHECK_EQ(s->d.reason, e->reason);
	CHECK_EQ(s->d.error, -e->err);
	CHECK_EQ(s->d.verdict, VERDICT_DENY);
	CHECK_EQ(s->d.h.sandbox, r->id);
	if (e->path)
		CHECK_STR(s->path, e->path);
	if (e->path2)
		CHECK_STR(s->path2, e->path2);
	CHECK_EQ(ruled_refused(r, e->rule), 1);
}

static inline void check_silent(struct ruled *r)
{
	govern_drain();
	if (govern_seen_count)
		seen_print(r);
	CHECK_EQ(govern_seen_count, 0);
}

/* For acts made of system calls: -1 becomes -errno. */
static inline int rc(long r)
{
	return r < 0 ? -errno : 0;
}


static inline void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	CHECK_EQ(chmod(path, mode), 0);
}

#endif
