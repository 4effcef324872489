/* SPDX-License-Identifier: Apache-2.0 */
/* See govern.h. */
#include <sys/mount.h>
#include "tests/vm/govern.h"

struct kernel *govern_kernel;
struct seen govern_seen[64];
size_t govern_seen_count, govern_telemetry_count;

void govern_start(void)
{
	struct kernel_options o = { .pin_dir = GOVERN_PINS };
	struct kernel_adoption found;
	char why[256];
	int err;

	if (govern_kernel)
		return;
	mkdir(GOVERN_CGROUP, 0755);
	err = kernel_open(&o, &govern_kernel, &found, why);
	if (!err)
		err = kernel_attach(govern_kernel, why);
	if (err) {
		printf("not ok govern_start: %s (%s)\n", why, strerror(-err));
		exit(1);
	}
}

struct kernel *govern_attached(void)
{
	govern_start();
	return govern_kernel;
}

static void load(struct ruled *r, const char *text, const struct policy_param *params, size_t count)
{
	struct policy_source src = { .text = text, .len = strlen(text), .file = "test.yaml", .params = params, .param_count = count };
	struct diags diags = {};
	struct buf out = {};

	if (policy_load(&src, &r->policy, &diags) || policy_compile(r->policy, &r->image, &diags)) {
		diags_print(&diags, &out);
		printf("# policy: %s\n", out.data ? out.data : "?");
		CHECK(!"the policy loads");
	}
	diags_done(&diags);
}

struct ruled *ruled_new_given(const char *policy_text, const struct policy_param *params, size_t count, enum stage stage)
{
	struct ruled *r = calloc(1, sizeof(*r));
	struct stat st;

	govern_start();
	load(r, policy_text, params, count);
	CHECK_EQ(stat(GOVERN_CGROUP, &st), 0);
	CHECK_EQ(kernel_sandbox_new(govern_kernel, &r->image, stage, st.st_ino, 0, &r->id), 0);
	r->generation = 1;
	return r;
}

struct ruled *ruled_new(const char *policy_text, enum stage stage)
{
	return ruled_new_given(policy_text, NULL, 0, stage);
}

void ruled_reload(struct ruled *r, const char *policy_text)
{
	policy_free(r->policy);
	policy_image_done(&r->image);
	memset(&r->image, 0, sizeof(r->image));
	load(r, policy_text, NULL, 0);
	CHECK_EQ(kernel_sandbox_reload(govern_kernel, r->id, &r->image, &r->generation), 0);
}

void ruled_free(struct ruled *r)
{
	int i;

	kernel_sandbox_end(govern_kernel, r->id);
	for (i = 0; i < 200 && kernel_sandbox_free(govern_kernel, r->id) == -EBUSY; i++)
		usleep(10000);
	policy_free(r->policy);
	policy_image_done(&r->image);
	free(r);
}

uint32_t ruled_members(struct ruled *r)
{
	struct kernel_sandbox sb;

	CHECK_EQ(kernel_sandbox_get(govern_kernel, r->id, &sb), 0);
	return sb.members;
}

bool ruled_members_become(struct ruled *r, uint32_t want)
{
	for (int i = 0; i < 500 && ruled_members(r) != want; i++)
		usleep(10000);
	return ruled_members(r) == want;
}

static void child(int go, int result, govern_fn fn, void *arg)
{
	char c;
	int v;

	if (read(go, &c, 1) != 1)
		_exit(1);
	close(go);
	v = fn(arg);
	if (write(result, &v, sizeof(v)) != sizeof(v))
		_exit(1);
	_exit(0);
}

struct held held_spawn(govern_fn fn, void *arg)
{
	struct held h;
	int go[2], result[2];

	CHECK_EQ(pipe(go), 0);
	CHECK_EQ(pipe(result), 0);
	fflush(stdout);
	h.pid = fork();
	CHECK(h.pid >= 0);
	if (!h.pid) {
		close(go[1]);
		close(result[0]);
		child(go[0], result[1], fn, arg);
	}
	close(go[0]);
	close(result[1]);
	h.go = go[1];
	h.result = result[0];
	return h;
}

void held_release(struct ruled *r, struct held *h)
{
	int pidfd;

	if (r) {
		pidfd = syscall(SYS_pidfd_open, h->pid, 0);
		CHECK(pidfd >= 0);
		CHECK_EQ(kernel_member_label(govern_kernel, pidfd, r->id, 1), 0);
		close(pidfd);
	}
	CHECK_EQ(write(h->go, "x", 1), 1);
	close(h->go);
}

pid_t ruled_spawn(struct ruled *r, govern_fn fn, void *arg, int *result_fd)
{
	struct held h = held_spawn(fn, arg);

	held_release(r, &h);
	*result_fd = h.result;
	return h.pid;
}

int spawn_result(pid_t pid, int result_fd)
{
	int v = -ECHILD, status;

	if (read(result_fd, &v, sizeof(v)) != sizeof(v))
		v = -ECHILD;
	close(result_fd);
	waitpid(pid, &status, 0);
	return v;
}

int ruled_run(struct ruled *r, govern_fn fn, void *arg)
{
	int fd;
	pid_t pid = ruled_spawn(r, fn, arg, &fd);

	return spawn_result(pid, fd);
}

int free_run(govern_fn fn, void *arg)
{
	return ruled_run(NULL, fn, arg);
}

static void on_record(void *ctx, const void *record, size_t size)
{
	const struct rec_head *h = record;
	const struct rec_decision *d = record;
	struct seen *s;

	(void)ctx;
	if (h->type != REC_DECISION) {
		govern_telemetry_count++;
		return;
	}
	if (govern_seen_count++ >= 64 || size < sizeof(*d))
		return;
	s = &govern_seen[govern_seen_count - 1];
	memset(s, 0, sizeof(*s));
	s->d = *d;
	if (d->path_len <= PATH_BYTES)
		memcpy(s->path, d + 1, d->path_len);
	if (d->path2_len <= PATH_BYTES)
		memcpy(s->path2, (const char *)(d + 1) + d->path_len, d->path2_len);
}

void govern_drain(void)
{
	while (kernel_drain(govern_kernel, on_record, NULL) > 0)
		;
}

void govern_forget(void)
{
	govern_drain();
	govern_seen_count = govern_telemetry_count = 0;
}

const char *ruled_rule(struct ruled *r, uint32_t rule)
{
	struct policy_rule_info info;

	return policy_rule(r->policy, rule, &info) ? "?" : info.id;
}

const char *ruled_last(struct ruled *r, enum operation op)
{
	size_t i, n;

	govern_drain();
	n = govern_seen_count < 64 ? govern_seen_count : 64;
	for (i = n; i-- > 0;)
		if (govern_seen[i].d.operation == op && govern_seen[i].d.h.sandbox == r->id)
			return ruled_rule(r, govern_seen[i].d.rule);
	return "";
}

static uint64_t count_of(struct ruled *r, const char *rule_id, bool would)
{
	size_t n = policy_rule_count(r->policy), i;
	struct counter *rules = calloc(n + 1, sizeof(*rules)), builtin[B_COUNT];
	uint64_t v = UINT64_MAX;

	CHECK_EQ(kernel_counters(govern_kernel, r->id, rules, n, builtin), 0);
	for (i = 0; i < n; i++)
		if (!strcmp(ruled_rule(r, i), rule_id))
			v = would ? rules[i].would : rules[i].refused;
	for (i = 0; i < B_COUNT; i++)
		if (!strcmp(ruled_rule(r, BUILTIN_BASE + i), rule_id))
			v = would ? builtin[i].would : builtin[i].refused;
	free(rules);
	return v;
}

uint64_t ruled_refused(struct ruled *r, const char *rule_id)
{
	return count_of(r, rule_id, false);
}

uint64_t ruled_would(struct ruled *r, const char *rule_id)
{
	return count_of(r, rule_id, true);
}
