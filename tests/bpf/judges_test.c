/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three judges: random policies and random actions get one verdict and one rule id from the oracle (policy/eval.c), from the kernel's decision
 * code under a test run, and from real system calls of a governed child. SEED, PAIRS and CALLS replay or lengthen a run. vm: --mem 768M
 */
#include <ftw.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <bpf/bpf.h>
#include "decide.skel.h"
#include "tests/bpf/decide.h"
#include "tests/unit/policy_random.h"
#include "tests/vm/expect.h"

#define ACTIONS_PER_POLICY 50
#define ROOT "/tmp/j"

static unsigned wanted(const char *name, unsigned otherwise)
{
	const char *given = getenv(name);

	return given ? strtoul(given, NULL, 0) : otherwise;
}

static void describe(const struct random *r, const char *text, const struct policy_action *a, const struct policy_verdict *v)
{
	printf("# at %lld verb %d path %s port %u proto %u addr ", (long long)a->at_s, a->verb, a->path ? a->path : "-", a->port, a->proto);
	for (int i = 0; i < 16; i++)
		printf("%02x", a->addr[i]);
	printf("\n# oracle: %s by %x\n", v->allowed ? "allowed" : "refused", v->rule);
	for (size_t i = 0; i < r->given.count; i++)
		printf("# %s=%s\n", random_param_names[i], r->given.values[i]);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		printf("# %.*s\n", (int)strcspn(line, "\n"), line);
}

static struct ruled *random_ruled(struct random *r, const char *prefix, struct buf *text)
{
	struct ruled *ruled;

	do {
		struct policy_param params[RANDOM_PARAMS];
		struct policy_source source = {};
		struct policy *p;

		r->ends = random_chance(r, 30);	/* each end is an image more, and compiling is dear here */
		CHECK_OK(random_policy_load(r, prefix, text, &p));
		policy_free(p);
		random_give(&r->given, params, &source);
		ruled = ruled_new_given(text->data, source.params, source.param_count, STAGE_ENFORCE);
	} while (!ruled);
	return ruled;
}

/* ---- the second judge ---- */

static struct decide_bpf *decide_open(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = GOVERN_PINS "/maps");
	struct decide_bpf *d;
	struct bpf_map *map;

	govern_start();
	d = decide_bpf__open_opts(&opts);
	CHECK(d);
	map = bpf_object__find_map_by_name(d->obj, "scratches");
	CHECK_OK(bpf_map__set_max_entries(map, 8 * libbpf_num_possible_cpus()));
	CHECK_OK(decide_bpf__load(d));
	return d;
}

/* The slot that is in force at that time. */
static uint32_t slot_at(struct decide_bpf *d, uint32_t slot, int64_t at_s)
{
	struct policy_slot *all = mmap(NULL, MAX_SLOTS * sizeof(*all), PROT_READ, MAP_SHARED, bpf_map__fd(d->maps.slots), 0);

	CHECK(all != MAP_FAILED);
	while (all[slot].next && at_s >= (int64_t)(all[slot].end_ns / 1000000000))
		slot = all[slot].next;
	munmap(all, MAX_SLOTS * sizeof(*all));
	return slot;
}

static uint32_t slot_of(struct decide_bpf *d, const struct ruled *r)
{
	struct kernel_sandbox sb;
	struct sandbox row;

	CHECK_OK(kernel_sandbox_get(govern_kernel, r->id, &sb));
	CHECK_OK(bpf_map_lookup_elem(bpf_map__fd(d->maps.sandboxes), &sb.index, &row));
	return row.slot;
}

static void ask(struct decide_bpf *d, uint32_t slot, const struct policy_action *a, struct policy_verdict *out)
{
	static struct decide_question q;
	/* a test run of this kind writes its context back in place */
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &q, .ctx_size_in = sizeof(q));

	memset(&q, 0, offsetof(struct decide_question, path));
	q.slot = slot;
	if (a->verb < VERB_PATH_COUNT) {
		q.verbs = 1u << a->verb;
		q.len = a->path_len;
		if (a->path_len == 1)
			q.len = 0;	/* a walk of the root leaves no byte */
		memcpy(q.path, a->path, q.len);
	} else {
		q.listen = a->verb == VERB_LISTEN;
		memcpy(q.addr.addr, a->addr, 16);
		q.addr.port = a->port;
		q.addr.proto = a->proto;
	}
	CHECK_OK(bpf_prog_test_run_opts(bpf_program__fd(d->progs.decide), &run));
	CHECK(q.refused < 2);
	out->allowed = !q.refused;
	out->rule = q.rule;
	out->recorded = out->allowed && q.required;
}

TEST(the_kernels_decision_code_agrees_with_the_oracle)
{
	struct random r = { .state = random_seed(), .params = true };
	unsigned pairs = wanted("PAIRS", 20000), tally[2] = {};
	struct decide_bpf *d = decide_open();
	_buf_ struct buf text = {};

	printf("# SEED=%llu PAIRS=%u\n", (unsigned long long)r.state, pairs);
	CASE("SEED=%llu PAIRS=%u", (unsigned long long)r.state, pairs);
	for (unsigned i = 0; i < pairs; i++) {
		static struct ruled *ruled;
		struct policy_verdict x, y;
		struct policy_action a;

		if (i % ACTIONS_PER_POLICY == 0) {
			if (ruled)
				ruled_free(ruled);
			ruled = random_ruled(&r, "", &text);
		}
		random_action(&r, "", &a);
		CHECK_OK(policy_eval(ruled->policy, &a, &x));
		ask(d, slot_at(d, slot_of(d, ruled), a.at_s), &a, &y);
		if (x.allowed != y.allowed || x.rule != y.rule)
			describe(&r, text.data, &a, &x);
		CHECK_EQ(y.allowed, x.allowed);
		CHECK_EQ(y.rule, x.rule);
		CHECK_EQ(y.recorded, x.recorded);
		tally[x.allowed]++;
		policy_action_done(&a);
	}
	CHECK(tally[0] > pairs / 10 && tally[1] > pairs / 10);
	decide_bpf__destroy(d);
}

/* ---- values of parameters, which the kernel compares 8 bytes at a time ---- */

/* A path of so many bytes, in components of up to 100. */
static void value_make(char out[PATH_BYTES], size_t len)
{
	CHECK(len > 1 && len < PATH_BYTES);
	for (size_t i = 0; i < len; i++)
		out[i] = i % 101 ? 'a' + i % 7 : '/';
	out[len - 1] = 'z';
	out[len] = '\0';
}

static void path_compare(struct decide_bpf *d, struct ruled *ruled, const char *path, bool allowed)
{
	struct policy_action a = { .verb = VERB_READ, .path = path, .path_len = strlen(path) };
	struct policy_verdict x, y;

	CHECK_OK(policy_eval(ruled->policy, &a, &x));
	ask(d, slot_of(d, ruled), &a, &y);
	CHECK_EQ(x.allowed, allowed);
	CHECK_EQ(y.allowed, x.allowed);
	CHECK_EQ(y.rule, x.rule);
}

static void value_compare(struct decide_bpf *d, const char *value, size_t len)
{
	static const char text[] = "version: 1\npolicy: p\n" OPEN_REST NO_NETWORK
		"params: {p: path}\nfiles:\n  read: [$p]\n  deny: [$p/no]\n";
	const struct policy_param param = { "p", value };
	struct ruled *ruled = ruled_new_given(text, &param, 1, STAGE_ENFORCE);
	static char path[PATH_BYTES + 8];

	path_compare(d, ruled, value, true);
	path_compare(d, ruled, "/", false);
	for (size_t i = 1; i < len; i += 1 + len / 40) {	/* each word of the short ones, every hundredth byte of the long ones, and the last */
		memcpy(path, value, len + 1);
		path[i] = path[i] == '/' ? 'x' : 'Z';
		path_compare(d, ruled, path, false);
	}
	memcpy(path, value, len + 1);
	path[len - 1] = 'Z';
	path_compare(d, ruled, path, false);
	snprintf(path, sizeof(path), "%s/no", value);
	path_compare(d, ruled, path, false);
	snprintf(path, sizeof(path), "%s/yes/no", value);
	path_compare(d, ruled, path, true);
	snprintf(path, sizeof(path), "%s.no", value);
	path_compare(d, ruled, path, false);
	ruled_free(ruled);
}

TEST(a_value_of_any_length_is_compared_to_its_last_byte)
{
	static const size_t lengths[] = { 2, 3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 100, 255, 256, 1000, 2047, 4080 };
	static char value[PATH_BYTES];
	struct decide_bpf *d = decide_open();

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		CASE("%zu bytes", lengths[i]);
		value_make(value, lengths[i]);
		value_compare(d, value, lengths[i]);
	}
	decide_bpf__destroy(d);
}

/* ---- the third: system calls ---- */

struct act {
	enum verb verb;
	char path[200];
	uint8_t addr[16];
	uint16_t port;
	uint8_t proto;
	bool mapped;	/* v4 through a v6 socket */
	int result;
};

static int call_exec(const char *path)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		char *const argv[] = { "x", NULL };

		execv(path, argv);
		_exit(errno);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status) == ENOEXEC ? 0 : -WEXITSTATUS(status);
}

static int call_open(const char *path, int flags)
{
	int fd = open(path, flags, 0644);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int call_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), err;

	memcpy(un.sun_path, path, strlen(path) + 1);
	err = connect(fd, (void *)&un, sizeof(un)) ? -errno : 0;
	close(fd);
	return err;
}

static socklen_t address(const struct act *a, struct sockaddr_storage *out)
{
	static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_in6 *in6 = (void *)out;
	struct sockaddr_in *in = (void *)out;

	memset(out, 0, sizeof(*out));
	if (memcmp(a->addr, v4_prefix, 12) || a->mapped) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(a->port);
		memcpy(&in6->sin6_addr, a->addr, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(a->port);
	memcpy(&in->sin_addr, a->addr + 12, 4);
	return sizeof(*in);
}

static int call_network(const struct act *a)
{
	struct sockaddr_storage to;
	socklen_t len = address(a, &to);
	int fd = socket(to.ss_family, (a->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0), one = 1, err = 0;

	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (a->verb == VERB_CONNECT)
		err = connect(fd, (void *)&to, len);
	else if (a->verb == VERB_SEND)
		err = sendto(fd, "x", 1, a->proto == IPPROTO_TCP ? MSG_FASTOPEN : 0, (void *)&to, len);
	else
		err = bind(fd, (void *)&to, len);
	err = err < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int act_run(const struct act *a)
{
	switch (a->verb) {
	case VERB_READ:
		return call_open(a->path, O_RDONLY);
	case VERB_CHANGE:
		return call_open(a->path, O_WRONLY);
	case VERB_CREATE:
		return call_open(a->path, O_WRONLY | O_CREAT | O_EXCL);
	case VERB_REMOVE:
		return unlink(a->path) ? -errno : 0;
	case VERB_EXECUTE:
		return call_exec(a->path);
	case VERB_UNIX:
		return call_unix(a->path);
	default:
		return call_network(a);
	}
}

/* The governed child takes one act after the other from shared memory. */
struct stage_area {
	struct act act;
	int todo[2], done[2];
};

static int actor(void *arg)
{
	struct stage_area *s = arg;
	char c;

	close(s->todo[1]);
	while (read(s->todo[0], &c, 1) == 1) {
		s->act.result = act_run(&s->act);
		if (write(s->done[1], &c, 1) != 1)
			return -1;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

/* Bring the object into the state that the act needs. Nothing governed here. */
static void set_scene(const struct act *a)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char dir[220];
	int fd;

	nftw(ROOT, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	mkdir(ROOT, 0755);
	snprintf(dir, sizeof(dir), "%s", a->path);
	for (char *p = dir + strlen(ROOT) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(dir, 0755);
		*p = '/';
	}
	if (a->verb == VERB_CREATE)
		return;
	if (a->verb == VERB_UNIX) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		memcpy(un.sun_path, a->path, strlen(a->path) + 1);
		CHECK_OK(bind(fd, (void *)&un, sizeof(un)));
		CHECK_OK(listen(fd, 1));
		return;	/* left open for the connect; the suite is short */
	}
	fd = open(a->path, O_CREAT | O_WRONLY, 0755);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "garbage", 7), 7);
	close(fd);
}

/* As the kernel sees it: the unspecified address is loopback as a destination. */
static void as_seen(struct policy_action *a)
{
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff }, any6[16] = {};

	if (a->verb == VERB_LISTEN)
		return;
	if (!memcmp(a->addr, any4, 16)) {
		a->addr[12] = 127;
		a->addr[15] = 1;
	} else if (!memcmp(a->addr, any6, 16)) {
		a->addr[15] = 1;
	}
}

static bool act_from(struct random *r, struct policy_action *a, struct act *out)
{
	memset(out, 0, sizeof(*out));
	out->verb = a->verb;
	if (a->verb < VERB_PATH_COUNT) {
		snprintf(out->path, sizeof(out->path), "%s", a->path);
		return a->path_len > strlen(ROOT) && a->path_len < 100;
	}
	memcpy(out->addr, a->addr, 16);
	out->port = a->port;
	out->proto = a->proto;
	out->mapped = random_chance(r, 50);
	return a->verb != VERB_LISTEN || a->port;	/* port 0 is any client's bind */
}

/* The rule that the last decision of this act named. */
static uint32_t rule_seen(void)
{
	govern_drain();
	return govern_seen_count && govern_seen_count <= 64 ? govern_seen[govern_seen_count - 1].d.rule : RULE_NONE;
}

static void judge_by_call(const struct random *r, struct stage_area *s, struct ruled *ruled, const char *text, struct policy_action *a, unsigned tally[2])
{
	struct policy_verdict want;
	char c = 'x';

	if (a->verb < VERB_PATH_COUNT)
		set_scene(&s->act);
	else
		as_seen(a);
	CHECK_OK(policy_eval(ruled->policy, a, &want));
	govern_forget();
	CHECK_EQ(write(s->todo[1], &c, 1), 1);
	CHECK_EQ(read(s->done[0], &c, 1), 1);
	if ((s->act.result == -EACCES) == want.allowed) {
		printf("# result %d\n", s->act.result);
		describe(r, text, a, &want);
	}
	CHECK_EQ(s->act.result == -EACCES, !want.allowed);
	if (!want.allowed && rule_seen() != RULE_NONE)	/* none: folded into an equal one */
		CHECK_EQ(rule_seen(), want.rule);
	if (want.allowed && a->verb < VERB_PATH_COUNT)
		CHECK_EQ(s->act.result, 0);
	tally[want.allowed]++;
}

/* The clock of the guest goes on as the acts do: what ends in between ends for real. Back to `now` when the policy is done. */
static int64_t time_move(unsigned i, const struct timespec *now)
{
	struct timespec t = { .tv_sec = random_times[i * ARRAY_SIZE(random_times) / ACTIONS_PER_POLICY] };

	if (t.tv_sec)
		CHECK_OK(clock_settime(CLOCK_REALTIME, &t));
	return t.tv_sec ? t.tv_sec : now->tv_sec;
}

static void calls_under_one_policy(struct random *r, struct buf *text, unsigned tally[2])
{
	struct stage_area *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct ruled *ruled = random_ruled(r, ROOT, text);
	struct timespec now;
	int result;
	pid_t pid;

	clock_gettime(CLOCK_REALTIME, &now);
	CHECK_OK(pipe(s->todo));
	CHECK_OK(pipe(s->done));
	pid = ruled_spawn(ruled, actor, s, &result);
	for (unsigned i = 0; i < ACTIONS_PER_POLICY; i++) {
		struct policy_action a;

		random_action(r, ROOT, &a);
		a.at_s = time_move(i, &now);
		if (act_from(r, &a, &s->act))
			judge_by_call(r, s, ruled, text->data, &a, tally);
		else
			i--;
		policy_action_done(&a);
	}
	CHECK_OK(clock_settime(CLOCK_REALTIME, &now));
	close(s->todo[1]);
	CHECK_OK(spawn_result(pid, result));
	close(s->todo[0]);
	close(s->done[0]);
	close(s->done[1]);
	munmap(s, sizeof(*s));
	ruled_free(ruled);
}

TEST(real_system_calls_agree_with_the_oracle)
{
	struct random r = { .state = random_seed(), .params = true };
	unsigned calls = wanted("CALLS", 2000), tally[2] = {};
	_buf_ struct buf text = {};

	printf("# SEED=%llu CALLS=%u\n", (unsigned long long)r.state, calls);
	CASE("SEED=%llu CALLS=%u", (unsigned long long)r.state, calls);
	govern_start();
	for (unsigned i = 0; i < calls; i += ACTIONS_PER_POLICY)
		calls_under_one_policy(&r, &text, tally);
	CHECK(tally[0] > calls / 10 && tally[1] > calls / 10);
}

TEST_MAIN()
