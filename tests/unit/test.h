/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole of our test library: a TEST registers itself before main, the runner prints one line for each.
 *
 *	TEST(parse_names_the_line_that_is_wrong)
 *	{
 *		CHECK_EQ(policy_parse("a: [", &p, &why), -EINVAL);
 *		CHECK_STR(why.text, "list does not end");
 *	}
 *	TEST_MAIN()
 *
 * Lines: `ok NAME`, `not ok NAME: file:line: why`, `skip NAME: reason`; exit 1 if any failed. The first failing check ends its
 * test (by longjmp: what it held is lost, which only a failing run sees). Given arguments, only tests whose name contains one
 * of them run. Works in helpers too; in a forked child a failing check prints and exits 1, and the parent has to look.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct test {
	const char *name;
	void (*run)(void);
	struct test *next;
};

/* One of each in a program, however many of its files include this: suites share code that checks too. */
#define TEST_SHARED __attribute__((weak))
TEST_SHARED struct test *test_first, **test_tail = &test_first;
TEST_SHARED const struct test *volatile test_now;
TEST_SHARED char test_case[512];
TEST_SHARED pid_t test_pid;
TEST_SHARED jmp_buf test_exit;

enum { TEST_RAN, TEST_FAILED, TEST_SKIPPED };

static inline void test_register(struct test *t)
{
	*test_tail = t;
	test_tail = &t->next;
}

#define TEST(id) \
	static void test_##id(void); \
	static struct test test_entry_##id = { .name = #id, .run = test_##id }; \
	__attribute__((constructor)) static void test_register_##id(void) { test_register(&test_entry_##id); } \
	static void test_##id(void)

/* Names the row of a table that is being checked; a failure then says so. */
#define CASE(...) ((void)snprintf(test_case, sizeof(test_case), __VA_ARGS__))

#define CHECK(cond) \
	do { \
		if (!(cond)) \
			test_fail(__FILE__, __LINE__, "%s", "not true: " #cond); \
	} while (0)

#define CHECK_EQ(a, b) \
	do { \
		long long _a = (long long)(a), _b = (long long)(b); \
		if (_a != _b) \
			test_fail(__FILE__, __LINE__, "%s is %lld, not %lld (%s)", #a, _a, _b, #b); \
	} while (0)

#define CHECK_STR(a, b) \
	do { \
		const char *_a = (a), *_b = (b); \
		if (!_a || !_b || strcmp(_a, _b)) \
			test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"", #a, _a ? _a : "(null)", _b ? _b : "(null)"); \
	} while (0)

/* A string that must occur in another: for messages of which only the gist matters. */
#define CHECK_HAS(text, part) \
	do { \
		const char *_a = (text), *_b = (part); \
		if (!_a || !strstr(_a, _b)) \
			test_fail(__FILE__, __LINE__, "\"%s\" does not contain \"%s\"", _a ? _a : "(null)", _b); \
	} while (0)

#define CHECK_MEM(a, b, n) \
	do { \
		if (memcmp((a), (b), (n))) \
			test_fail(__FILE__, __LINE__, "%s and %s differ", #a, #b); \
	} while (0)

/* 0 or a negative errno, as everything here returns. */
#define CHECK_OK(expr) \
	do { \
		long long _r = (long long)(expr); \
		if (_r) \
			test_fail(__FILE__, __LINE__, "%s returned %lld (%s)", #expr, _r, strerror((int)-_r)); \
	} while (0)

#define SKIP(...) test_skip(__VA_ARGS__)

/* One line per test, whatever bytes a failing check quotes. */
static inline void test_put(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 0x20 || *c == 0x7f)
			printf("\\x%02x", *c);
		else
			putchar(*c);
	}
}

__attribute__((noreturn)) static inline void test_leave(int how)
{
	fflush(stdout);
	if (getpid() != test_pid)
		_exit(1);
	longjmp(test_exit, how);
}

__attribute__((noreturn, format(printf, 3, 4))) static inline void test_fail(const char *file, int line, const char *fmt, ...)
{
	char why[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	printf("%s %s: %s:%d: ", getpid() == test_pid ? "not ok" : "# in a child of", test_now->name, file, line);
	test_put(why);
	if (test_case[0]) {
		fputs(" [", stdout);
		test_put(test_case);
		putchar(']');
	}
	putchar('\n');
	test_leave(TEST_FAILED);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void test_skip(const char *fmt, ...)
{
	char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	printf("skip %s: ", test_now->name);
	test_put(why);
	putchar('\n');
	test_leave(TEST_SKIPPED);
}

/* A crash must still say whose it was. Sanitizers have better handlers of their own. */
static inline void test_on_signal(int sig)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "not ok %s: died of signal %d\n", test_now ? test_now->name : "(none)", sig);

	(void)!write(STDOUT_FILENO, line, n);
	_exit(128 + sig);
}

static inline bool test_wanted(const char *name, char **only)
{
	if (!only[0])
		return true;
	for (; *only; only++) {
		if (strstr(name, *only))
			return true;
	}
	return false;
}

static inline int test_run_one(const struct test *t)
{
	int how = setjmp(test_exit);

	if (how)
		return how;
	test_now = t;
	test_case[0] = 0;
	t->run();
	printf("ok %s\n", t->name);
	fflush(stdout);
	return TEST_RAN;
}

static inline int test_main(char **only)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	int failed = 0;

#ifndef __SANITIZE_ADDRESS__
	for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++)
		signal(fatal[i], test_on_signal);
#else
	(void)fatal;
#endif
	test_pid = getpid();
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct test *t = test_first; t; t = t->next) {
		if (test_wanted(t->name, only))
			failed |= test_run_one(t) == TEST_FAILED;
	}
	return failed;
}

#define TEST_MAIN() \
	int main(int argc, char **argv) \
	{ \
		(void)argc; \
		return test_main(argv + 1); \
	}

#endif
