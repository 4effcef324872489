/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp floor, judged twice: by running its program over every number of every entry (a small interpreter of classic BPF, so that
 * the 32-bit table is proven on machines without one), and by real system calls with and without it.
 */
#include "tests/unit/test.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "sandbox/seccomp.h"

#define MOST_CALLS 64
#define UNREACHED 4096		/* more than any errno */

static struct buf build(void)
{
	struct buf b = {};

	CHECK_OK(seccomp_floor_build(&b));
	CHECK_EQ(b.len % sizeof(struct sock_filter), 0);
	CHECK(b.len);
	return b;
}

/* ---- the interpreter: as much of classic BPF as seccomp filters use ---- */

static uint32_t load(const struct seccomp_data *d, uint32_t at)
{
	uint32_t v;

	CHECK(at % 4 == 0 && at + 4 <= sizeof(*d));
	memcpy(&v, (const char *)d + at, sizeof(v));
	return v;
}

static bool taken(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return a & i->k;
	}
	test_fail(__FILE__, __LINE__, "unknown jump %#x", i->code);
}

static uint32_t run(const struct buf *b, const struct seccomp_data *d)
{
	const struct sock_filter *f = (const void *)b->data;
	size_t n = b->len / sizeof(*f);
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];

		if (BPF_CLASS(i->code) == BPF_RET)
			return i->k;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS))
			a = load(d, i->k);
		else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= i->k;
		else if (i->code == (BPF_JMP | BPF_JA))
			pc += i->k;
		else if (BPF_CLASS(i->code) == BPF_JMP)
			pc += taken(i, a) ? i->jt : i->jf;
		else
			test_fail(__FILE__, __LINE__, "unknown instruction %#x", i->code);
	}
	test_fail(__FILE__, __LINE__, "ran off the end");
}

/* 0: let through, else the errno. */
static int judge(const struct buf *b, uint32_t arch, int nr, uint64_t arg0, uint64_t arg1)
{
	struct seccomp_data d = { .nr = nr, .arch = arch, .args = { arg0, arg1 } };
	uint32_t v = run(b, &d);

	if (v == SECCOMP_RET_ALLOW)
		return 0;
	CHECK_EQ(v & SECCOMP_RET_ACTION_FULL, SECCOMP_RET_ERRNO);
	return v & SECCOMP_RET_DATA;
}

static int number_on(const struct seccomp_call *c, uint32_t scmp_arch)
{
	return seccomp_syscall_resolve_name_arch(scmp_arch, c->name);
}

static const struct seccomp_call *row_of(int nr, uint32_t scmp_arch)
{
	for (size_t i = 0; i < seccomp_call_count; i++) {
		if (number_on(&seccomp_calls[i], scmp_arch) == nr)
			return &seccomp_calls[i];
	}
	return NULL;
}

static const struct { uint32_t audit, scmp; const char *name; } entries[] = {
	{ AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64, "x86-64" },
	{ AUDIT_ARCH_I386, SCMP_ARCH_X86, "i386" },
};

TEST(floor_refuses_its_calls_and_nothing_else_on_each_entry)
{
	struct buf b = build();

	for (size_t e = 0; e < ARRAY_SIZE(entries); e++) {
		for (int nr = 0; nr < 1024; nr++) {
			const struct seccomp_call *c = row_of(nr, entries[e].scmp);
			bool always = c && c->when == SECCOMP_ALWAYS;

			CASE("%s %d (%s)", entries[e].name, nr, c ? c->name : "no row");
			CHECK_EQ(judge(&b, entries[e].audit, nr, 0, 0), always ? c->error : 0);
		}
	}
	buf_done(&b);
}

TEST(floor_has_every_row_on_one_entry_at_least)
{
	for (size_t i = 0; i < seccomp_call_count; i++) {
		CASE("%s", seccomp_calls[i].name);
		CHECK(number_on(&seccomp_calls[i], SCMP_ARCH_X86_64) >= 0 || number_on(&seccomp_calls[i], SCMP_ARCH_X86) >= 0);
	}
	CHECK(seccomp_call_count <= MOST_CALLS);
}

TEST(floor_refuses_x32_and_foreign_architectures)
{
	struct buf b = build();

	for (int nr = 0; nr < 600; nr++) {
		CASE("%d", nr);
		CHECK_EQ(judge(&b, AUDIT_ARCH_X86_64, nr | 0x40000000, 0, 0), ENOSYS);
		CHECK_EQ(judge(&b, AUDIT_ARCH_AARCH64, nr, 0, 0), ENOSYS);
	}
	buf_done(&b);
}

TEST(floor_leaves_to_the_programs_what_they_judge_and_record)
{
	static const char *const judged[] = { "mount", "unshare", "clone", "clone3", "setns", "bpf", "perf_event_open", "init_module", "kexec_load", "ptrace",
					      "io_uring_setup", "userfaultfd", "clock_settime", "sethostname", "swapon", "reboot", "ioctl", "open_tree" };
	struct buf b = build();

	for (size_t i = 0; i < ARRAY_SIZE(judged); i++) {
		CASE("%s", judged[i]);
		CHECK_EQ(judge(&b, AUDIT_ARCH_X86_64, seccomp_syscall_resolve_name(judged[i]), UINT64_MAX, UINT64_MAX), 0);
	}
	buf_done(&b);
}

#define UPPER 0xdeadbeef00000000ull

TEST(floor_reads_arguments_as_the_kernel_does)
{
	static const struct { const char *call; uint64_t arg0, arg1; int error; } rows[] = {
		{ "personality", 0xffffffff, 0, 0 },
		{ "personality", UPPER | 0xffffffff, 0, 0 },
		{ "personality", UINT64_MAX, 0, 0 },
		{ "personality", PER_LINUX, 0, 0 },
		{ "personality", PER_LINUX32, 0, 0 },
		{ "personality", PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE, 0, 0 },
		{ "personality", ADDR_NO_RANDOMIZE, 0, 0 },
		{ "personality", READ_IMPLIES_EXEC, 0, EPERM },
		{ "personality", MMAP_PAGE_ZERO | ADDR_NO_RANDOMIZE, 0, EPERM },
		{ "personality", ADDR_COMPAT_LAYOUT, 0, EPERM },
		{ "personality", PER_SVR4, 0, EPERM },
		{ "personality", UPPER | READ_IMPLIES_EXEC, 0, EPERM },
		{ "personality", 0xfffffffe, 0, EPERM },
		{ "personality", 0x7fffffff, 0, EPERM },
		{ "personality", 0x80000000, 0, EPERM },
		{ "personality", 0x80000000 | ADDR_NO_RANDOMIZE, 0, EPERM },
	};
	struct buf b = build();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t e = 0; e < ARRAY_SIZE(entries); e++) {
			int nr = seccomp_syscall_resolve_name_arch(entries[e].scmp, rows[i].call);

			CASE("%s %s(%#llx, %#llx)", entries[e].name, rows[i].call, (long long)rows[i].arg0, (long long)rows[i].arg1);
			CHECK_EQ(judge(&b, entries[e].audit, nr, rows[i].arg0, rows[i].arg1), rows[i].error);
		}
	}
	buf_done(&b);
}

TEST(floor_lets_exactly_nine_personalities_through)
{
	struct buf b = build();
	uint32_t x = 1;
	int through = 0;

	for (int i = 0; i < 200000; i++) {
		int error;

		x = x * 1664525 + 1013904223;
		error = judge(&b, AUDIT_ARCH_X86_64, __NR_personality, i < 512 ? (uint32_t)i : x, 0);
		CASE("%#x", i < 512 ? (unsigned)i : x);
		CHECK_EQ(error, (i < 512 ? (uint32_t)i : x) & ~(PER_LINUX32 | UNAME26 | ADDR_NO_RANDOMIZE) ? EPERM : 0);
	}
	for (uint32_t bit = 1; bit; bit <<= 1) {
		CASE("all but %#x", bit);
		CHECK_EQ(judge(&b, AUDIT_ARCH_X86_64, __NR_personality, ~bit, 0), EPERM);
	}
	for (uint32_t v = 0; v < 8; v++)
		through += !judge(&b, AUDIT_ARCH_X86_64, __NR_personality, (v & 1 ? PER_LINUX32 : 0) | (v & 2 ? UNAME26 : 0) | (v & 4 ? ADDR_NO_RANDOMIZE : 0), 0);
	through += !judge(&b, AUDIT_ARCH_X86_64, __NR_personality, 0xffffffff, 0);
	CHECK_EQ(through, 9);
	buf_done(&b);
}

TEST(floor_fits_the_kernels_limit)
{
	struct buf b = build();

	CHECK(b.len / sizeof(struct sock_filter) <= BPF_MAXINSNS);
	buf_done(&b);
}

/* ---- real calls ---- */

static int call64(long nr, long a, long b)
{
	return syscall(nr, a, b, -1L, -1L, -1L, -1L) < 0 ? errno : 0;
}

static int call32(long nr, long a, long b)
{
	long r;

	asm volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a & UINT32_MAX), "c"(b & UINT32_MAX), "d"(UINT32_MAX), "S"(UINT32_MAX), "D"(UINT32_MAX)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)r < 0 ? -(int)r : 0;
}

/* Arguments with which nothing can come of the call, filter or not; vhangup takes none and is left out where there is no filter. */
static int try_row(const struct seccomp_call *c, int (*call)(long, long, long), uint32_t scmp_arch)
{
	int nr = number_on(c, scmp_arch);

	if (nr < 0)
		return UNREACHED;
	switch (c->when) {
	case SECCOMP_PERSONALITY:
		return call(nr, READ_IMPLIES_EXEC, 0);
	default:
		return call(nr, -1, -1);
	}
}

static void load_filter(const struct buf *b)
{
	struct sock_fprog p = { .len = b->len / sizeof(struct sock_filter), .filter = (void *)b->data };

	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p, 0, 0));
}

/* Each row's errno, tried in a child. */
static void try_all(const struct buf *filter, int (*call)(long, long, long), uint32_t scmp_arch, int *errors)
{
	int *shared = mmap(NULL, MOST_CALLS * sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), status;
	pid_t pid;

	CHECK(shared != MAP_FAILED);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		if (filter)
			load_filter(filter);
		for (size_t i = 0; i < seccomp_call_count; i++) {
			bool harmful = !filter && !strcmp(seccomp_calls[i].name, "vhangup");

			shared[i] = harmful ? UNREACHED : try_row(&seccomp_calls[i], call, scmp_arch);
		}
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	memcpy(errors, shared, MOST_CALLS * sizeof(int));
	munmap(shared, MOST_CALLS * sizeof(int));
}

static bool all_privileges(void)
{
	unsigned long long effective = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		(void)sscanf(line, "CapEff: %llx", &effective);
	fclose(f);
	return effective >= 0x3fffffffffull;
}

static bool has_ia32(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(call32(20 /* getpid */, 0, 0) ? 1 : 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status);
}

static void check_real_calls(int (*call)(long, long, long), uint32_t scmp_arch)
{
	struct buf b = build();
	int with[MOST_CALLS], without[MOST_CALLS];

	try_all(&b, call, scmp_arch, with);
	try_all(NULL, call, scmp_arch, without);
	for (size_t i = 0; i < seccomp_call_count; i++) {
		const struct seccomp_call *c = &seccomp_calls[i];

		CASE("%s", c->name);
		if (number_on(c, scmp_arch) < 0)
			continue;
		CHECK_EQ(with[i], c->error);
		if (c->error == EPERM)	/* a kernel may lack a call: ENOSYS proves nothing */
			CHECK(without[i] != EPERM);
	}
	buf_done(&b);
}

TEST(real_calls_are_refused_with_the_floor_and_reached_without)
{
	if (!all_privileges())
		SKIP("needs all capabilities: without them the kernel itself says EPERM");
	check_real_calls(call64, SCMP_ARCH_X86_64);
}

TEST(real_32_bit_calls_are_refused_with_the_floor_and_reached_without)
{
	if (!all_privileges())
		SKIP("needs all capabilities: without them the kernel itself says EPERM");
	if (!has_ia32())
		SKIP("this kernel runs no 32-bit calls");
	check_real_calls(call32, SCMP_ARCH_X86);
}

static int in_child(const struct buf *filter, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		load_filter(filter);
		_exit(fn());
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int ordinary_work(void)
{
	int status;
	pid_t pid = fork();	/* libc: clone */

	if (!pid)
		_exit(7);
	if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7)
		return 1;
	if (personality(0xffffffff) < 0 || personality(ADDR_NO_RANDOMIZE) < 0)
		return 2;
	if (unshare(CLONE_FILES) < 0)
		return 3;
	return system("exit 9") == 9 << 8 ? 0 : 4;	/* posix_spawn: clone3 where there is one */
}

TEST(ordinary_work_goes_on_under_the_floor)
{
	struct buf b = build();

	CHECK_EQ(in_child(&b, ordinary_work), 0);
	buf_done(&b);
}

TEST_MAIN()
