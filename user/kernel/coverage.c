/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel really lets us do, found by loading and attaching, never by version. The rows are what `doctor` and every coverage
 * record show; what is not built is a row too, for silence would read as "covered".
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include "base/base.h"
#include "base/file.h"
#include "canary.skel.h"
#include "kernel/internal.h"

#define CANARY_OPTION 0x6261696c

static struct coverage_row rows[32];
static size_t row_count;
static struct {
	bool known, attached, observe_only;	/* what the rows were made for; a probe's are not */
} made;

static void row_add(const char *name, enum coverage_state state, const char *how, const char *change)
{
	struct coverage_row *r;

	if (row_count == ARRAY_SIZE(rows))
		return;
	r = &rows[row_count++];
	r->name = name;
	r->state = state;
	snprintf(r->how, sizeof(r->how), "%s", how);
	snprintf(r->change, sizeof(r->change), "%s", change);
}

/* Does an LSM program refuse? Loading alone proves nothing where bpf is not in the list of LSMs. */
static int canary_try(char how[160])
{
	struct canary_bpf *c;
	int err;

	programs_log();
	c = canary_bpf__open();
	if (!c)
		return -errno;
	c->rodata->canary_tgid = getpid();
	err = canary_bpf__load(c);
	if (err) {
		snprintf(how, 160, "LSM programs do not load: %s", strerror(-err));
	} else if ((err = canary_bpf__attach(c))) {
		snprintf(how, 160, "LSM programs load but do not attach: %s", strerror(-err));
	} else if (prctl(CANARY_OPTION, 0, 0, 0, 0) != -1 || errno != EXFULL) {
		snprintf(how, 160, "LSM programs attach but are never called: bpf is not in this kernel's list of LSMs");
		err = -ENOSYS;
	} else if (lsm_programs_skipped()) {
		snprintf(how, 160, "LSM programs are skipped at times: this kernel preempts a task in the middle of one, and 6.2's repair of that is not in it");
		err = -ENOSYS;
	}
	canary_bpf__destroy(c);
	return err;
}

/* What the last try said. A try reads all of the kernel's BTF and waits for a detach: too long for the making of a sandbox. */
static int canary(bool anew, char how[160])
{
	static char last[160];
	static int known = 1;

	if (known == 1 || anew) {
		last[0] = '\0';
		known = canary_try(last);
	}
	memcpy(how, last, sizeof(last));
	return known;
}

bool kernel_can_enforce(void)
{
	char how[160];

	return !canary(false, how);
}

/* What the owner of the host can do about it: the boot list first. */
static void advise(char out[160])
{
	_free_ char *list = NULL;
	size_t len;

	if (file_slurp("/sys/kernel/security/lsm", 4096, &list, &len))
		snprintf(out, 160, "mount securityfs and see /sys/kernel/security/lsm; the kernel needs CONFIG_BPF_LSM and BTF");
	else if (!strstr(list, "bpf"))
		snprintf(out, 160, "boot with lsm=%.100s,bpf", list);
	else if (lsm_programs_skipped())
		snprintf(out, 160, "update the kernel, or boot with preempt=voluntary");
	else
		snprintf(out, 160, "the kernel needs 6.1 or later with CONFIG_BPF_LSM=y, BTF and fprobe/trampolines for LSM programs");
}

static int attach_all(struct bpf_object *obj, unsigned *n, char how[160])
{
	struct bpf_link *links[MAX_PROGRAMS];
	struct bpf_program *p;
	int err = 0;

	*n = 0;
	bpf_object__for_each_program(p, obj) {
		if (!bpf_program__autoload(p) || *n == MAX_PROGRAMS)
			continue;
		links[*n] = bpf_program__attach(p);
		if (!links[*n]) {
			err = -errno;
			snprintf(how, 160, "%s does not attach: %s", bpf_program__name(p), strerror(-err));
			break;
		}
		(*n)++;
	}
	for (unsigned i = 0; i < *n; i++)
		bpf_link__destroy(links[i]);
	return err;
}

static void probe_family(const struct family *f, const char *advice)
{
	struct kernel_options small = { .decision_ring_bytes = 4096, .telemetry_ring_bytes = 4096 };
	struct bpf_object *obj = NULL;
	char how[160] = "";
	unsigned n = 0;
	int err = family_load(f, NULL, &small, &obj);

	if (err)
		snprintf(how, sizeof(how), "the %s programs do not load: %s", f->name, strerror(-err));
	else if (!(err = attach_all(obj, &n, how)))
		snprintf(how, sizeof(how), "%u %s programs load and attach", n, f->enforcing ? "LSM and tracepoint" : "raw tracepoint");
	bpf_object__close(obj);
	row_add(f->rows, err ? COVERAGE_MISSING : COVERAGE_FULL, how, err ? advice : "");
}

/* What is not built is an error in a policy, or has to be left open there. */
static void rows_not_built(void)
{
	static const char *const classes[] = { "devices", "privileges", "limits", "session", "labels" };
	size_t i;

	row_add("calls", COVERAGE_DEGRADED, "io_uring alone can be opened; other groups and refuse: are not built yet", "");
	for (i = 0; i < ARRAY_SIZE(classes); i++)
		row_add(classes[i], COVERAGE_MISSING, "not built yet", "list the class in the policy's open:");
	row_add("domains", COVERAGE_MISSING, "not built yet: rules name addresses, not domains", "");
	row_add("tls", COVERAGE_MISSING, "not built yet: the server's name is not looked at", "");
}

/* Nothing is enforced by it. */
static void row_why(int err)
{
	char how[160];

	snprintf(how, sizeof(how), "sandboxes cannot read their own refusals: %s", strerror(-err));
	row_add("why", err ? COVERAGE_MISSING : COVERAGE_FULL, err ? how : "a pinned iterator shows each sandbox its own refusals", "");
}

static void rows_always(void)
{
	row_add("seccomp", COVERAGE_DEGRADED, "calls without a hook are refused by run and exec; these refusals are not recorded yet", "");
	rows_not_built();
}

/* The first row; 0 when LSM programs refuse here. */
static int row_enforcement(bool anew, char advice[160])
{
	char how[160] = "";
	int err = canary(anew, how);

	if (err)
		advise(advice);
	row_count = 0;
	row_add("enforcement", err ? COVERAGE_MISSING : COVERAGE_FULL, err ? how : "a canary refusal by an LSM program held", advice);
	return err;
}

int kernel_probe(const struct coverage_row **out, size_t *count)
{
	char advice[160] = "";
	int err = row_enforcement(true, advice);
	size_t i;

	made.known = false;
	for (i = 0; i < family_count; i++) {
		if (!err || !families[i].enforcing)
			probe_family(&families[i], advice);
		else
			row_add(families[i].rows, COVERAGE_MISSING, "needs LSM programs", advice);
	}
	row_why(err ? -EOPNOTSUPP : why_probe());
	rows_always();
	*out = rows;
	*count = row_count;
	return 0;
}

static void rows_of(const struct kernel *k, bool anew)
{
	char advice[160] = "";
	int err = row_enforcement(anew, advice);
	size_t i;

	for (i = 0; i < family_count; i++) {
		if (k->options.observe_only && families[i].enforcing)
			row_add(families[i].rows, COVERAGE_MISSING, err ? "needs LSM programs" : "the engine was opened to observe only", advice);
		else if (families[i].enforcing != k->options.observe_only)
			row_add(families[i].rows, COVERAGE_FULL, k->attached ? "programs attached" : "programs attach with the first sandbox", "");
	}
	row_why(k->why_err);
	rows_always();
}

/* The families load all or none, so that what is open says it. Every sandbox asks: the rows are made again only for cause. */
void kernel_coverage(const struct kernel *k, bool anew, const struct coverage_row **out, size_t *count)
{
	if (anew || !made.known || made.attached != k->attached || made.observe_only != k->options.observe_only)
		rows_of(k, anew);
	made.known = true;
	made.attached = k->attached;
	made.observe_only = k->options.observe_only;
	*out = rows;
	*count = row_count;
}
