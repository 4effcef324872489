/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishing: a policy replaced under load is never half in force and loses no count, equal policies share one image, what is full says so and
 * changes nothing, and a dead engine's sandboxes are adopted all or nothing. vm: --cpus 2 --mem 1G --timeout 480
 */
#include <sys/mman.h>
#include <time.h>
#include "kernel/internal.h"
#include "tests/vm/expect.h"

#define HEAD "version: 1\npolicy: publish\n" OPEN_REST NO_NETWORK
/* Two files, each refused by one of the two policies, under the same rule id: a mixture would refuse or allow both. */
static const char policy_a[] = HEAD "files:\n  read: [/]\n  deny: [{path: /tmp/a, id: flip}]\n";
static const char policy_b[] = HEAD "files:\n  read: [/]\n  deny: [{path: /tmp/b, id: flip}, {path: [/tmp/x, /tmp/y, \"**/*.z\"], id: more}]\n";

static int try_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : rc(close(fd));
}

static int open_path(void *path)
{
	return try_open(path);
}

static void prepare(void)
{
	put_file("/tmp/a", "a", 0644);
	put_file("/tmp/b", "b", 0644);
}

/* ---- under load ---- */

struct load {
	volatile int stop;
	uint64_t refused[2], opened[2], wrong;
};
static struct load *load;

static int open_in_a_loop(void *arg)
{
	static const char *const paths[] = { "/tmp/a", "/tmp/b" };

	(void)arg;
	while (!load->stop) {
		for (int i = 0; i < 2; i++) {
			int err = try_open(paths[i]);

			if (!err)
				load->opened[i]++;
			else if (err == -EACCES)
				load->refused[i]++;
			else
				load->wrong++;
		}
	}
	return 0;
}

static uint64_t retired_refused(struct ruled *r, size_t nrules)
{
	struct counter *rules = calloc(nrules + 1, sizeof(*rules)), builtin[B_COUNT];
	uint64_t sum = 0;

	CHECK_EQ(kernel_counters_retired(govern_kernel, r->id, rules, nrules, builtin), 0);
	for (size_t i = 0; i < nrules; i++)
		sum += rules[i].refused;
	for (size_t i = 0; i < B_COUNT; i++)
		sum += builtin[i].refused;
	free(rules);
	return sum;
}

#define FLIPS 60
TEST(a_policy_replaced_under_load_is_one_or_the_other_and_every_refusal_is_counted)
{
	struct ruled *r;
	uint64_t counted = 0;
	int result;
	pid_t pid;

	prepare();
	load = mmap(NULL, sizeof(*load), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(load != MAP_FAILED);
	r = ruled_new(policy_a, STAGE_ENFORCE);
	govern_forget();
	pid = ruled_spawn(r, open_in_a_loop, NULL, &result);
	for (int i = 0; i < FLIPS; i++) {
		size_t before = policy_rule_count(r->policy);
		uint64_t at = load->refused[0] + load->refused[1];

		for (int wait = 0; wait < 1000 && load->refused[0] + load->refused[1] < at + 20; wait++)
			usleep(1000);
		ruled_reload(r, i & 1 ? policy_a : policy_b);
		CHECK_EQ(r->generation, i + 2);
		counted += retired_refused(r, before);
		govern_drain();
	}
	load->stop = 1;
	CHECK_EQ(spawn_result(pid, result), 0);
	counted += ruled_refused(r, "flip");
	CHECK_EQ(load->wrong, 0);
	CHECK(load->refused[0] > FLIPS && load->refused[1] > FLIPS && load->opened[0] > FLIPS && load->opened[1] > FLIPS);
	CHECK_EQ(counted, load->refused[0] + load->refused[1]);
	munmap(load, sizeof(*load));
	ruled_free(r);
}

/* What the act of one instant gets is the verdict of one policy: where one refuses a path, the other opens it, so a half would show as both. */
TEST(after_a_reload_the_next_open_is_the_new_policys)
{
	struct ruled *r;

	prepare();
	r = ruled_new(policy_a, STAGE_ENFORCE);
	for (int i = 0; i < 20; i++) {
		CASE("flip %d", i);
		CHECK_EQ(ruled_run(r, open_path, "/tmp/a"), i & 1 ? 0 : -EACCES);
		CHECK_EQ(ruled_run(r, open_path, "/tmp/b"), i & 1 ? -EACCES : 0);
		CHECK_EQ(ruled_refused(r, "flip"), 1);
		ruled_reload(r, i & 1 ? policy_a : policy_b);
		CHECK_EQ(ruled_refused(r, "flip"), 0);
	}
	govern_forget();
	ruled_free(r);
}

/* ---- sharing and limits ---- */

static size_t arena_used(void)
{
	size_t used = 0;

	for (size_t i = 0; i < govern_kernel->arena_spans.count; i++)
		used += govern_kernel->arena_spans.items[i].size;
	return used;
}

static struct policy_image compiled_for(const char *text, const char *workspace, struct policy **policy)
{
	struct policy_param param = { "workspace", workspace };
	struct policy_source src = { .text = text, .len = strlen(text), .file = "test.yaml", .params = &param, .param_count = workspace != NULL };
	struct policy_image img = {};
	struct diags diags = {};

	CHECK_EQ(policy_load(&src, policy, &diags), 0);
	CHECK_EQ(policy_compile(*policy, &img, &diags), 0);
	diags_done(&diags);
	return img;
}

static struct policy_image compiled(const char *text, struct policy **policy)
{
	return compiled_for(text, NULL, policy);
}

#define MANY 1000
TEST(a_thousand_sandboxes_of_one_policy_cost_one_image)
{
	static uint64_t ids[MANY];
	struct policy *policy;
	struct policy_image img = compiled(policy_a, &policy);
	struct kernel *k = govern_attached();
	size_t before, one;

	kernel_tidy(k);
	before = arena_used();
	CHECK_EQ(kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &ids[0]), 0);
	one = arena_used();
	CHECK_EQ(one, before + img.count + img.text_words);
	for (int i = 1; i < MANY; i++)
		CHECK_EQ(kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &ids[i]), 0);
	CHECK_EQ(arena_used(), one);
	for (int i = 0; i < MANY; i++) {
		CHECK(!i || ids[i] > ids[i - 1]);
		CHECK_EQ(kernel_sandbox_free(k, ids[i]), 0);
	}
	kernel_tidy(k);
	CHECK_EQ(arena_used(), before);
	policy_image_done(&img);
	policy_free(policy);
}

/* ---- a workspace each ---- */

static const char policy_own[] = HEAD "params: {workspace: path}\n"
	"files:\n  write: [$workspace]\n  read: [$workspace, /usr, /lib, /proc/self, \"/home/*/.cache\"]\n"
	"  deny:\n    - {path: [$workspace/.git, \"**/.env\"], except: [$workspace/tests], id: never}\n";

struct own {
	struct ruled ruled;
	char workspace[32], neighbour[32];
};

static int try_at(const char *workspace, const char *rest, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s%s", workspace, rest);
	fd = open(path, flags | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : rc(close(fd));
}

/* 0, or the number of the first answer that is wrong. */
static int use_own_and_try_the_neighbours(void *arg)
{
	const struct own *o = arg;
	int longer;

	if (try_at(o->workspace, "/f", O_RDWR))
		return 1;
	if (try_at(o->neighbour, "/f", O_RDONLY) != -EACCES || try_at(o->neighbour, "/f", O_WRONLY) != -EACCES)
		return 2;
	if (try_at(o->workspace, "/.git", O_RDONLY) != -EACCES || try_at(o->workspace, "/.env", O_RDONLY) != -EACCES)
		return 3;
	if (try_at(o->workspace, "/tests/.env", O_RDWR))
		return 4;
	if (try_at(o->workspace, "", O_RDONLY | O_DIRECTORY) || try_at(o->workspace, "/..", O_RDONLY | O_DIRECTORY) != -EACCES)
		return 5;
	/* a longer name is another directory: that of another sandbox, for a tenth of them */
	longer = try_at(o->workspace, "0/f", O_RDONLY);
	return longer == -EACCES || longer == -ENOENT ? 0 : 6;
}

static void workspace_make(const char *dir)
{
	char path[64];

	CHECK(!mkdir(dir, 0755) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/tests", dir);
	CHECK(!mkdir(path, 0755) || errno == EEXIST);
	snprintf(path, sizeof(path), "%s/f", dir);
	put_file(path, "f", 0644);
	snprintf(path, sizeof(path), "%s/.git", dir);
	put_file(path, "g", 0644);
	snprintf(path, sizeof(path), "%s/.env", dir);
	put_file(path, "e", 0644);
	snprintf(path, sizeof(path), "%s/tests/.env", dir);
	put_file(path, "e", 0644);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void own_open(struct own *o, int number)
{
	snprintf(o->workspace, sizeof(o->workspace), "/w/%d", number);
	snprintf(o->neighbour, sizeof(o->neighbour), "/w/%d", number ? number - 1 : MANY - 1);
	o->ruled.image = compiled_for(policy_own, o->workspace, &o->ruled.policy);
	CHECK_EQ(kernel_sandbox_new(govern_kernel, &o->ruled.image, STAGE_ENFORCE, 1, 0, &o->ruled.id), 0);
	policy_image_done(&o->ruled.image);	/* what is published needs it no more */
}

static void own_close(struct own *o)
{
	CHECK_EQ(kernel_sandbox_end(govern_kernel, o->ruled.id), 0);
	for (int i = 0; i < 500 && kernel_sandbox_free(govern_kernel, o->ruled.id) == -EBUSY; i++)
		usleep(10000);
	policy_free(o->ruled.policy);
}

TEST(a_thousand_sandboxes_with_a_workspace_each_share_one_image)
{
	struct own *all = calloc(MANY, sizeof(*all));
	struct kernel *k = govern_attached();
	size_t before, one;
	double start;

	CHECK(all);
	kernel_tidy(k);
	before = arena_used();
	CHECK(!mkdir("/w", 0755) || errno == EEXIST);
	start = seconds();
	own_open(&all[0], 0);
	one = arena_used() - before;
	for (int i = 1; i < MANY; i++)
		own_open(&all[i], i);
	printf("# %d policies compiled and published in %.1f s: %zu words of the arena, %zu of them for the first\n", MANY, seconds() - start,
	       arena_used() - before, one);
	fflush(stdout);
	CHECK(arena_used() - before - one < (MANY - 1) * 16);
	for (int i = 0; i < MANY; i++)
		workspace_make(all[i].workspace);
	start = seconds();
	for (int i = 0; i < MANY; i++) {
		CASE("%s", all[i].workspace);
		CHECK_EQ(ruled_run(&all[i].ruled, use_own_and_try_the_neighbours, &all[i]), 0);
		CHECK_EQ(ruled_refused(&all[i].ruled, "never"), 2);
		govern_forget();
	}
	printf("# each tried in %.1f s\n", seconds() - start);
	for (int i = 0; i < MANY; i++)
		own_close(&all[i]);
	kernel_tidy(k);
	CHECK_EQ(arena_used(), before);
	free(all);
}

TEST(a_reload_gives_a_sandbox_another_workspace)
{
	struct own o = {}, then = {};

	govern_start();
	own_open(&o, 1);
	own_open(&then, 2);	/* shares the image and outlives nothing */
	own_close(&then);
	workspace_make("/w/1");
	workspace_make("/w/2");
	CHECK_EQ(ruled_run(&o.ruled, use_own_and_try_the_neighbours, &(struct own){ .workspace = "/w/1", .neighbour = "/w/2" }), 0);
	policy_free(o.ruled.policy);
	o.ruled.image = compiled_for(policy_own, "/w/2", &o.ruled.policy);
	CHECK_EQ(kernel_sandbox_reload(govern_kernel, o.ruled.id, &o.ruled.image, &o.ruled.generation), 0);
	policy_image_done(&o.ruled.image);
	CHECK_EQ(ruled_run(&o.ruled, use_own_and_try_the_neighbours, &(struct own){ .workspace = "/w/2", .neighbour = "/w/1" }), 0);
	govern_forget();
	own_close(&o);
}

/* Each image differs, so that none is shared; the last word is padding of our own making. */
static int new_unlike(struct kernel *k, const struct policy_image *img, uint32_t n, size_t count, uint64_t *id)
{
	struct policy_image mine = *img;
	int err;

	mine.words = calloc(count, sizeof(*mine.words));
	CHECK(mine.words);
	memcpy(mine.words, img->words, img->count * sizeof(*img->words));
	mine.count = count;
	mine.words[count - 1] = n;
	err = kernel_sandbox_new(k, &mine, STAGE_ENFORCE, 1, 0, id);
	free(mine.words);
	return err;
}

TEST(a_full_arena_is_an_error_that_changes_nothing)
{
	struct policy *policy;
	struct policy_image img = compiled(policy_a, &policy);
	struct kernel *k = govern_attached();
	struct ruled *r;
	uint64_t ids[64], spare;
	uint32_t generation, n = 0;
	size_t used;
	int err = 0;

	prepare();
	r = ruled_new(policy_a, STAGE_ENFORCE);
	while (n < 64 && !(err = new_unlike(k, &img, n + 1, 1u << 18, &ids[n])))
		n++;
	CHECK_EQ(err, -ENOSPC);
	CHECK(n >= 14);
	used = arena_used();
	CHECK_EQ(new_unlike(k, &img, 1000, 1u << 18, &spare), -ENOSPC);
	CHECK_EQ(arena_used(), used);
	img.count = 1u << 18;
	img.words = realloc(img.words, img.count * sizeof(*img.words));
	CHECK(img.words);
	img.words[img.count - 1] = 2000;
	CHECK_EQ(kernel_sandbox_reload(k, r->id, &img, &generation), -ENOSPC);
	CHECK_EQ(ruled_run(r, open_path, "/tmp/a"), -EACCES);
	CHECK_EQ(ruled_run(r, open_path, "/tmp/b"), 0);
	while (n)
		CHECK_EQ(kernel_sandbox_free(k, ids[--n]), 0);
	CHECK_EQ(new_unlike(k, &img, 1, 1u << 18, &ids[0]), 0);	/* what is parting is given back when it is needed */
	CHECK_EQ(kernel_sandbox_free(k, ids[0]), 0);
	policy_image_done(&img);
	policy_free(policy);
	govern_forget();
	ruled_free(r);
}

TEST(full_rows_are_an_error_and_are_had_again)
{
	static uint64_t ids[MAX_SANDBOXES];
	struct policy *policy;
	struct policy_image img = compiled(policy_a, &policy);
	struct kernel *k = govern_attached();
	uint32_t n = 0;
	int err = 0;

	while (n < MAX_SANDBOXES && !(err = kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &ids[n])))
		n++;
	CHECK(n == MAX_SANDBOXES || err == -ENOSPC);
	CHECK(n > MAX_SANDBOXES - 8);
	CHECK_EQ(kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &ids[MAX_SANDBOXES - 1]), -ENOSPC);
	CHECK_EQ(kernel_sandbox_free(k, ids[0]), 0);
	CHECK_EQ(kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &ids[0]), 0);
	for (uint32_t i = 0; i < n; i++)
		CHECK_EQ(kernel_sandbox_free(k, ids[i]), 0);
	kernel_tidy(k);
	policy_image_done(&img);
	policy_free(policy);
}

TEST(calls_on_what_is_not_there_say_so)
{
	struct kernel *k = govern_attached();
	struct policy *policy;
	struct policy_image img = compiled(policy_a, &policy);
	struct counter rules[1], builtin[B_COUNT];
	struct kernel_sandbox sb;
	uint32_t generation;

	CHECK_EQ(kernel_sandbox_get(k, 12345, &sb), -ENOENT);
	CHECK_EQ(kernel_sandbox_get(k, 0, &sb), -ENOENT);
	CHECK_EQ(kernel_sandbox_reload(k, 12345, &img, &generation), -ENOENT);
	CHECK_EQ(kernel_sandbox_end(k, 12345), -ENOENT);
	CHECK_EQ(kernel_sandbox_free(k, 12345), -ENOENT);
	CHECK_EQ(kernel_counters(k, 12345, rules, 1, builtin), -ENOENT);
	CHECK_EQ(kernel_cgroup_govern(k, 1, 12345, 1), -ENOENT);
	policy_image_done(&img);
	policy_free(policy);
}

TEST_MAIN()
