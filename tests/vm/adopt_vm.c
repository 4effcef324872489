/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine that dies: what it pinned goes on refusing and counting, its successor adopts it all or nothing, and can reload and end what it found.
 * vm: --cpus 1
 */
#include <sys/mman.h>
#include "kernel/internal.h"
#include "tests/vm/expect.h"

#define PINS "/sys/fs/bpf/bailiff-adopt"
#define HEAD "version: 1\npolicy: adopt\n" OPEN_REST NO_NETWORK "params: {place: path}\n"
/* Each refuses one file, in a place that is not in the image but beside it. */
static const char policy_a[] = HEAD "files:\n  read: [/]\n  deny: [{path: $place/a, id: flip}]\n";
static const char policy_b[] = HEAD "files:\n  read: [/]\n  deny: [{path: $place/b, id: flip}]\n";
static const struct policy_param place = { "place", "/tmp" };
static const struct kernel_options options = { .pin_dir = PINS };

/* What the dead engine left: its sandbox, a member that opens what it is told to, and how many opens that member was refused. */
struct left {
	volatile uint64_t id, refused;
	volatile pid_t member;
};
static struct left *left;
static int ask[2], answer[2];

static struct policy_image compiled(const char *text, struct policy **policy)
{
	struct policy_source src = { .text = text, .len = strlen(text), .file = "test.yaml", .params = &place, .param_count = 1 };
	struct policy_image img = {};
	struct diags diags = {};

	CHECK_EQ(policy_load(&src, policy, &diags), 0);
	CHECK_EQ(policy_compile(*policy, &img, &diags), 0);
	diags_done(&diags);
	return img;
}

static void member(void)
{
	char path[8] = "/tmp/?", which;
	int fd, v;

	while (read(ask[0], &which, 1) == 1) {
		path[5] = which;
		fd = open(path, O_RDONLY);
		v = fd < 0 ? -errno : 0;
		close(fd);
		left->refused += v == -EACCES;
		if (write(answer[1], &v, sizeof(v)) != sizeof(v))
			break;
	}
	_exit(0);
}

static int member_opens(char which)
{
	int v = -EPROTO;

	if (write(ask[1], &which, 1) != 1 || read(answer[0], &v, sizeof(v)) != sizeof(v))
		return -EPIPE;
	return v;
}

/* In a process of its own: opens the kernel side, makes a sandbox with a member, and dies without a word. */
static void engine(void)
{
	struct kernel_adoption found;
	struct policy *policy;
	struct policy_image img = compiled(policy_a, &policy);
	struct kernel *k;
	char why[256];
	uint64_t id;
	pid_t pid;

	CHECK_EQ(kernel_open(&options, &k, &found, why), 0);
	CHECK(!found.adopted);
	CHECK_EQ(kernel_attach(k, why), 0);
	CHECK_EQ(kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &id), 0);
	kernel_beat(k);
	pid = fork();
	if (!pid)
		member();
	CHECK_EQ(kernel_member_label(k, syscall(SYS_pidfd_open, pid, 0), id, 1), 0);
	left->id = id;
	left->member = pid;
	kill(getpid(), SIGKILL);
}

/* Loading is what costs: one dead engine serves all tests that leave its sandbox alone. */
static void engine_dies(void)
{
	int status;
	pid_t pid;

	if (left && left->member)
		return;
	put_file("/tmp/a", "a", 0644);
	put_file("/tmp/b", "b", 0644);
	if (!left)
		left = mmap(NULL, sizeof(*left), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(left != MAP_FAILED);
	left->id = left->refused = left->member = 0;
	CHECK_EQ(pipe(ask) | pipe(answer), 0);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(ask[1]);
		close(answer[0]);
		engine();
		_exit(1);
	}
	close(ask[0]);
	close(answer[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK(left->id && left->member);
}

/* The sandbox, its member and the pins go. */
static void clean_up(struct kernel *k)
{
	left->member = 0;
	close(ask[1]);
	close(answer[0]);
	CHECK_EQ(kernel_sandbox_end(k, left->id), 0);
	for (int i = 0; i < 500 && kernel_sandbox_free(k, left->id) == -EBUSY; i++)
		usleep(10000);
	CHECK_EQ(kernel_detach(k), 0);
	kernel_close(k);
	CHECK_EQ(pins_remove(PINS), 0);
}

static struct kernel *adopted(void)
{
	struct kernel_adoption found;
	struct kernel *k;
	char why[256];

	CHECK_EQ(kernel_open(&options, &k, &found, why), 0);
	CHECK(found.adopted);
	CHECK_EQ(found.sandboxes, 1);
	CHECK(found.beat_ns);
	CHECK_EQ(kernel_attach(k, why), 0);
	return k;
}

#define RULES 2	/* the read and the deny: only the deny refuses here */
static uint64_t refused_of(struct kernel *k, bool retired)
{
	struct counter rules[RULES] = {}, builtin[B_COUNT];

	CHECK_EQ((retired ? kernel_counters_retired : kernel_counters)(k, left->id, rules, RULES, builtin), 0);
	return rules[0].refused + rules[1].refused;
}

static unsigned decisions;

static void on_record(void *ctx, const void *record, size_t size)
{
	const struct rec_decision *d = record;

	(void)ctx;
	if (d->h.type == REC_DECISION && size >= sizeof(*d) && d->h.sandbox == left->id)
		decisions++;
}

TEST(the_successor_gives_away_nothing_that_is_in_use)
{
	struct policy *policy;
	struct policy_image img;
	struct kernel *k;
	uint64_t id, before;

	engine_dies();
	k = adopted();
	before = refused_of(k, false);
	img = compiled(policy_b, &policy);
	CHECK_EQ(kernel_sandbox_new(k, &img, STAGE_ENFORCE, 1, 0, &id), 0);
	CHECK(id > left->id);
	CHECK_EQ(member_opens('a'), -EACCES);
	CHECK_EQ(member_opens('b'), 0);
	CHECK_EQ(refused_of(k, false), before + 1);
	CHECK_EQ(kernel_sandbox_free(k, id), 0);
	kernel_tidy(k);
	CHECK_EQ(member_opens('a'), -EACCES);
	CHECK_EQ(refused_of(k, false), before + 2);
	CHECK_EQ(kernel_detach(k), -EBUSY);
	policy_image_done(&img);
	policy_free(policy);
	kernel_close(k);
}

/* A slot that was filled when the engine died before its flip, and the one that a flip left behind. */
TEST(half_done_work_of_the_dead_is_given_back)
{
	struct kernel *k;
	size_t in_use = 0;

	engine_dies();
	k = adopted();
	k->slots[77] = k->slots[k->sandboxes[0].slot];
	k->slots[77].in_use = 1;
	kernel_close(k);
	k = adopted();
	for (size_t i = 0; i < MAX_SLOTS; i++)
		in_use += k->slots[i].in_use;
	CHECK_EQ(in_use, 1);
	CHECK_EQ(member_opens('a'), -EACCES);
	kernel_close(k);
}

/* ---- nothing rather than half ---- */

static void check_unclean(const char *gist)
{
	struct kernel_adoption found;
	struct kernel *k = NULL;
	char why[256];

	CHECK_EQ(kernel_open(&options, &k, &found, why), -EUCLEAN);
	CHECK_HAS(why, gist);
	CHECK(!found.adopted && !k);
}

TEST(a_set_that_lacks_a_program_is_not_adopted)
{
	struct kernel *k;

	engine_dies();
	k = adopted();
	CHECK_EQ(rename(PINS "/links/on_bpf", PINS "/on_bpf"), 0);
	check_unclean("programs are attached: their enforcement is broken");
	CHECK_EQ(member_opens('a'), -EACCES);
	CHECK_EQ(rename(PINS "/on_bpf", PINS "/links/on_bpf"), 0);
	kernel_close(k);
}

TEST(a_set_that_lacks_a_map_is_not_adopted)
{
	struct kernel *k;

	engine_dies();
	k = adopted();
	CHECK_EQ(rename(PINS "/maps/slots", PINS "/slots"), 0);
	check_unclean("not all maps are there");
	CHECK_EQ(rename(PINS "/slots", PINS "/maps/slots"), 0);
	kernel_close(k);
}

TEST(a_set_of_another_version_is_left_alone)
{
	struct kernel *k;

	engine_dies();
	k = adopted();
	k->host->abi_version = BAILIFF_ABI_VERSION + 1;
	k->slots[77].in_use = 1;	/* whatever that word means there */
	check_unclean("ABI version");
	CHECK_EQ(k->slots[77].in_use, 1);
	CHECK_EQ(member_opens('a'), -EACCES);
	k->slots[77].in_use = 0;
	k->host->abi_version = BAILIFF_ABI_VERSION;
	kernel_close(k);
}

TEST(a_dead_engines_sandbox_goes_on_and_its_successor_has_every_count)
{
	struct policy *policy;
	struct policy_image img;
	struct kernel *k;
	uint32_t generation;
	struct kernel_sandbox sb;
	uint64_t before, folded;

	engine_dies();
	k = adopted();	/* what earlier tests left in counts and rings */
	before = refused_of(k, false);
	folded = kernel_lost(k, KC_FOLDED);
	(void)kernel_drain(k, on_record, NULL);
	kernel_close(k);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(member_opens('a'), -EACCES);
		CHECK_EQ(member_opens('b'), 0);
	}
	k = adopted();
	CHECK_EQ(refused_of(k, false), before + 50);
	CHECK_EQ(left->refused, before + 50);
	decisions = 0;
	CHECK(kernel_drain(k, on_record, NULL) >= 0);
	CHECK(decisions <= 50);
	CHECK_EQ(decisions + kernel_lost(k, KC_FOLDED) - folded, 50);	/* each is a record or folded into one */
	CHECK_EQ(kernel_sandbox_get(k, left->id, &sb), 0);
	CHECK_EQ(sb.members, 1);
	CHECK_EQ(member_opens('a'), -EACCES);
	CHECK_EQ(refused_of(k, false), before + 51);

	img = compiled(policy_b, &policy);
	CHECK_EQ(kernel_sandbox_reload(k, left->id, &img, &generation), 0);
	CHECK_EQ(generation, 2);
	CHECK_EQ(refused_of(k, true), before + 51);
	CHECK_EQ(member_opens('a'), 0);
	CHECK_EQ(member_opens('b'), -EACCES);
	CHECK_EQ(refused_of(k, false), 1);
	policy_image_done(&img);
	policy_free(policy);

	/* a sandbox of the successor's own takes nothing that is in use */
	CHECK_EQ(kernel_sandbox_end(k, left->id), 0);
	CHECK_EQ(member_opens('b'), -EPIPE);
	clean_up(k);
}

TEST(without_sandboxes_everything_is_made_anew)
{
	struct kernel_adoption found;
	struct kernel *k;
	char why[256];

	engine_dies();
	k = adopted();
	close(ask[1]);
	close(answer[0]);
	CHECK_EQ(kernel_sandbox_end(k, left->id), 0);
	for (int i = 0; i < 500 && kernel_sandbox_free(k, left->id) == -EBUSY; i++)
		usleep(10000);
	kernel_close(k);
	CHECK_EQ(kernel_open(&options, &k, &found, why), 0);
	CHECK(!found.adopted);
	CHECK_EQ(kernel_attach(k, why), 0);
	CHECK_EQ(kernel_detach(k), 0);
	kernel_close(k);
	CHECK_EQ(pins_remove(PINS), 0);
}

TEST_MAIN()
