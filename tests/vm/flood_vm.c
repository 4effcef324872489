/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Floods: equal refusals are counted exactly and told a few times, different ones are counted exactly though the ring has no room, what was lost
 * is what the sequence lacks, and telemetry at full speed pushes out no refusal. vm: --cpus 2 --timeout 240
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include "tests/vm/expect.h"

static const char policy[] =
	"version: 1\npolicy: flood\n" OPEN_REST "network: {}\nsockets: {}\nrecord: [open]\n"
	"files:\n  read: [/]\n  write: [/tmp/may]\n  deny: [{path: /tmp/secret, id: secret}]\n";

#define EQUAL 1000000u
#define EQUAL_SECONDS 25	/* an emulated processor does not get through in time: exactness is what counts, not the number */
#define DIFFERENT 20000u
#define CPUS 2

static volatile uint64_t *done;	/* shared: how many acts a child got through; [1]: stop */

/* A small ring for telemetry, so that a flood of it overflows at once; before anything else opens the kernel side. */
static void start(void)
{
	struct kernel_options o = { .pin_dir = GOVERN_PINS, .telemetry_ring_bytes = 65536 };
	struct kernel_adoption found;
	char why[256];

	if (!govern_kernel) {
		CHECK_EQ(kernel_open(&o, &govern_kernel, &found, why), 0);
		CHECK_EQ(kernel_attach(govern_kernel, why), 0);
		mkdir(GOVERN_CGROUP, 0755);
		done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		CHECK(done != MAP_FAILED);
	}
	done[0] = done[1] = 0;
	put_file("/tmp/secret", "s", 0644);
	put_file("/tmp/plain", "p", 0644);
}

static uint64_t given(uint32_t ring)
{
	uint64_t n = 0;

	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		n += kernel_sequence(govern_kernel, ring, cpu);
	return n;
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int open_equal(void *arg)
{
	time_t end = now() + EQUAL_SECONDS;

	(void)arg;
	while (done[0] < EQUAL && (done[0] % 1000 || now() < end)) {
		if (open("/tmp/secret", O_RDONLY) >= 0 || errno != EACCES)
			return -EPROTO;
		done[0]++;
	}
	return 0;
}

TEST(equal_refusals_are_counted_exactly_and_told_a_few_times)
{
	struct ruled *r;

	start();
	r = ruled_new(policy, STAGE_ENFORCE);
	govern_forget();
	CHECK_EQ(ruled_run(r, open_equal, NULL), 0);
	printf("# %llu equal refusals\n", (unsigned long long)done[0]);
	CHECK(done[0] >= 50000);
	CHECK_EQ(ruled_refused(r, "secret"), done[0]);
	govern_drain();
	CHECK(govern_seen_count >= 1 && govern_seen_count < 100);
	ruled_free(r);
}

/* ---- different ones: each would be a record ---- */

static int make_many(void *arg)
{
	char path[64];

	(void)arg;
	for (unsigned i = 0; i < DIFFERENT; i++, done[0]++) {
		snprintf(path, sizeof(path), "/tmp/no-%u", i);
		if (!mkdir(path, 0755) || errno != EACCES)
			return -EPROTO;
	}
	return 0;
}

static int send_many(void *arg)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)arg;
	for (unsigned i = 0; i < DIFFERENT; i++, done[0]++) {
		to.sin_addr.s_addr = htonl(0x0a000000 + i);
		if (sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)) >= 0 || errno != EACCES)
			return -EPROTO;
	}
	return 0;
}

static void check_different(govern_fn act, const char *rule)
{
	struct ruled *r = ruled_new(policy, STAGE_ENFORCE);
	uint64_t numbers, lost;

	govern_forget();
	done[0] = 0;
	numbers = given(RING_DECISIONS);
	lost = kernel_lost(govern_kernel, KC_DECISION_LOST);
	CHECK_EQ(ruled_run(r, act, NULL), 0);	/* nobody reads meanwhile */
	CHECK_EQ(done[0], DIFFERENT);
	CHECK_EQ(ruled_refused(r, rule), DIFFERENT);
	lost = kernel_lost(govern_kernel, KC_DECISION_LOST) - lost;
	numbers = given(RING_DECISIONS) - numbers;
	govern_drain();
	printf("# %s: %zu told, %llu lost\n", rule, govern_seen_count, (unsigned long long)lost);
	CHECK(lost > 0);
	CHECK_EQ(numbers, DIFFERENT);
	CHECK_EQ(numbers - govern_seen_count, lost);	/* what the sequence lacks */
	ruled_free(r);
}

TEST(different_refusals_are_counted_though_the_ring_is_full)
{
	start();
	check_different(make_many, "files.default");
	check_different(send_many, "network.default");
}

/* ---- telemetry ---- */

static int open_plain(void *arg)
{
	(void)arg;
	while (!done[1]) {
		int fd = open("/tmp/plain", O_RDONLY);

		if (fd < 0)
			return -errno;
		close(fd);
		done[0]++;
	}
	return 0;
}

#define SINGLES 10
static int refuse_ten(void *arg)
{
	char path[64];

	(void)arg;
	for (unsigned i = 0; i < SINGLES; i++) {
		snprintf(path, sizeof(path), "/tmp/single-%u", i);
		if (!mkdir(path, 0755) || errno != EACCES)
			return -EPROTO;
		usleep(20000);
	}
	return 0;
}

TEST(telemetry_at_full_speed_loses_no_refusal)
{
	uint64_t lost, lost_decisions;
	struct ruled *r;
	int result;
	pid_t pid;

	start();
	r = ruled_new(policy, STAGE_ENFORCE);
	govern_forget();
	lost = kernel_lost(govern_kernel, KC_TELEMETRY_LOST);
	lost_decisions = kernel_lost(govern_kernel, KC_DECISION_LOST);
	pid = ruled_spawn(r, open_plain, NULL, &result);
	for (int i = 0; i < 2000 && kernel_lost(govern_kernel, KC_TELEMETRY_LOST) == lost; i++)
		usleep(10000);
	CHECK(kernel_lost(govern_kernel, KC_TELEMETRY_LOST) > lost);	/* its ring is full, and stays so */
	CHECK_EQ(ruled_run(r, refuse_ten, NULL), 0);
	done[1] = 1;
	CHECK_EQ(spawn_result(pid, result), 0);
	govern_drain();
	CHECK_EQ(govern_seen_count, SINGLES);
	for (unsigned i = 0; i < SINGLES; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/tmp/single-%u", i);
		CHECK_STR(govern_seen[i].path, path);
	}
	CHECK_EQ(ruled_refused(r, "files.default"), SINGLES);
	CHECK_EQ(kernel_lost(govern_kernel, KC_DECISION_LOST), lost_decisions);
	ruled_free(r);
}

TEST_MAIN()
