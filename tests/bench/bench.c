/* SPDX-License-Identifier: Apache-2.0 */
/* See bench.h. */
#include <time.h>
#include <x86intrin.h>
#include "tests/bench/bench.h"

#define SWAPS 9

void bench_must(bool fine, const char *what)
{
	if (fine)
		return;
	printf("# %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

/* ---- the policy ---- */

void bench_policy(struct buf *out, long rules, bool record)
{
	buf_add_str(out, "version: 1\npolicy: bench\n"
			 "open: [devices, calls, privileges, limits, session, labels]\n"
			 "files:\n"
			 "  write: [/tmp/ws]\n"
			 "  change: [/dev]\n"
			 "  execute: [/t, /lib, /lib64, /bin, /usr]\n"
			 "  deny:\n"
			 "    - {path: [\"**/.env\", \"**/.ssh\", \"**/*.key\"], id: secrets}\n"
			 "    - {path: [/tmp/no], id: denied}\n"
			 "  read:\n"
			 "    - {path: [/lib, /lib64, /usr, /etc, /proc, /dev, /bin, /t, /tmp/ws, /root], id: system}\n");
	for (long i = 0; i < rules; i++)
		buf_addf(out, "    - {path: /srv/team%ld/project%ld/data/file%ld, id: r%ld}\n", i % 20, i % 300, i, i);
	buf_addf(out, "network:\n"
		      "  connect:\n"
		      "    - {to: 127.0.0.1, ports: [7001]}\n"
		      "    - {to: 127.0.0.1, ports: [7002], proto: udp}\n"
		      "sockets: {}\n"
		      "record: [%s]\n", record ? "open" : "");
}

/* ---- measuring ---- */

static int by_value(const void *a, const void *b)
{
	unsigned long long x = *(const unsigned long long *)a, y = *(const unsigned long long *)b;

	return x < y ? -1 : x > y;
}

static void print(const char *name, unsigned long long t)
{
	printf("%s governed %llu\n", name, t);
	fflush(stdout);
}

/* A nanosecond is an instruction here, so this is what was done and not waited for. */
static unsigned long long own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Loading: what the verifier and libbpf do. Attaching: elapsed, for the kernel mostly waits. */
void bench_attach(void)
{
	struct kernel_options o = { .pin_dir = GOVERN_PINS };
	struct kernel_adoption found;
	unsigned long long t = own_ns();
	char why[256];

	bench_must(!kernel_open(&o, &govern_kernel, &found, why), "kernel_open");
	print("bpf-load", own_ns() - t);
	t = __rdtsc();
	bench_must(!kernel_attach(govern_kernel, why), "kernel_attach");
	print("bpf-attach", __rdtsc() - t);
}

static void compile(const char *text, struct policy **p, struct policy_image *img)
{
	struct policy_source src = { .text = text, .len = strlen(text), .file = "bench.yaml" };
	struct diags diags = {};

	bench_must(!policy_load(&src, p, &diags), "policy");
	bench_must(!policy_compile(*p, img, &diags), "policy");
	diags_done(&diags);
}

static void measure_compile(const char *name, const char *text)
{
	struct policy_image img;
	struct policy *p;
	unsigned long long t;

	compile(text, &p, &img);	/* memory and pages are there after it */
	policy_image_done(&img);
	policy_free(p);
	t = __rdtsc();
	compile(text, &p, &img);
	print(name, __rdtsc() - t);
	policy_image_done(&img);
	policy_free(p);
}

/*
 * From one policy of so many rules to another and back, medians: what is done, which is nearly all before the flip; and the time until no program
 * can see the old one and its last counts are in hand, which is mostly waiting.
 */
static void measure_swap(const char *one, const char *other)
{
	struct ruled *r = ruled_new(one, STAGE_ENFORCE);
	struct policy_image img[2];
	struct policy *p[2];
	unsigned long long t[SWAPS], cpu[SWAPS];

	compile(one, &p[0], &img[0]);
	compile(other, &p[1], &img[1]);
	for (int i = 0; i < SWAPS; i++) {
		cpu[i] = own_ns();
		t[i] = __rdtsc();
		bench_must(!kernel_sandbox_reload(govern_kernel, r->id, &img[(i + 1) % 2], &r->generation), "reload");
		t[i] = __rdtsc() - t[i];
		cpu[i] = own_ns() - cpu[i];
	}
	qsort(t, SWAPS, sizeof(t[0]), by_value);
	qsort(cpu, SWAPS, sizeof(cpu[0]), by_value);
	print("swap-1000", cpu[SWAPS / 2]);
	print("swap-1000-retired", t[SWAPS / 2]);
	for (int i = 0; i < 2; i++) {
		policy_image_done(&img[i]);
		policy_free(p[i]);
	}
	ruled_free(r);
}

void bench_publish(void)
{
	_buf_ struct buf thousand = {}, other = {}, ten_thousand = {};

	measure_compile("compile-base", "version: 1\npolicy: base-only\nuses: [base]\n"
					"open: [devices, calls, privileges, limits, session, labels]\n");
	bench_policy(&thousand, 1000, false);
	bench_policy(&ten_thousand, 10000, false);
	measure_compile("compile-1000", thousand.data);
	measure_compile("compile-10000", ten_thousand.data);
	bench_policy(&other, 1001, false);
	measure_swap(thousand.data, other.data);
}
