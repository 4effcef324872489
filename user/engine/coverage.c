/* SPDX-License-Identifier: Apache-2.0 */
/* What holds on this host and for this sandbox, in one place: the starter's line, the records, the control reply and --doctor say the same. */
#include <stdio.h>
#include <sys/utsname.h>
#include "base/file.h"
#include "base/kv.h"
#include "base/log.h"
#include "engine/clock.h"
#include "engine/engine.h"
#include "sandbox/seccomp.h"

#define ROWS_MAX 64

static const char *state_name(enum coverage_state s)
{
	static const char *const names[] = { [COVERAGE_FULL] = "full", [COVERAGE_DEGRADED] = "degraded", [COVERAGE_MISSING] = "missing" };

	return names[s];
}

/* Is this word in a list of words? A row's name may itself be several words: each must be. */
static bool has_word(const char *list, const char *word, size_t len)
{
	for (const char *at = list; (at = strstr(at, word)); at++) {
		if ((at == list || at[-1] == ' ') && (!at[len] || at[len] == ' '))
			return true;
	}
	return false;
}

static bool all_open(const char *open, const char *name)
{
	char word[64];

	while (*name) {
		size_t len = strcspn(name, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, name);
		if (!has_word(open, word, len))
			return false;
		name += len + (name[len] == ' ');
	}
	return true;
}

static const char *open_of(const struct policy *p, struct buf *b)
{
	if (!p || policy_open_classes(p, b) || !b->data)
		return "";
	return b->data;
}

/* ---- before a sandbox is made ---- */
/* What the kernel must judge for any policy that does not leave it open; other rows are later issues' or beside the kernel. */
static bool needed_row(const struct coverage_row *r)
{
	static const char *const needed[] = { "enforcement", "membership", "guard", "files", "network sockets" };

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (!strcmp(r->name, needed[i]))
			return true;
	}
	return false;
}

/* Would any policy in enforce start here, as far as this row goes? floor: what building the seccomp floor said. */
static bool row_holds(const struct coverage_row *r, int floor)
{
	return strcmp(r->name, "seccomp") ? !needed_row(r) || r->state == COVERAGE_FULL : !floor;
}

bool coverage_permits(struct engine *e, const struct policy *p, enum stage stage, char why[ENGINE_WHY])
{
	const struct coverage_row *rows;
	_buf_ struct buf b = { 0 };
	const char *open = open_of(p, &b);
	size_t count;

	if (e->enforcing)
		return floor_permits(e, stage, why);	/* the loader takes all families or none: what runs is whole */
	kernel_coverage(e->kernel, false, &rows, &count);
	for (size_t i = 0; i < count; i++) {
		if (rows[i].state == COVERAGE_FULL || !needed_row(&rows[i]) || all_open(open, rows[i].name))
			continue;
		snprintf(why, ENGINE_WHY, "this kernel cannot enforce it (%s: %s%s%s); --allow-degraded starts it with exec and exit recorded and nothing refused",
			rows[i].name, rows[i].how, rows[i].change[0] ? "; " : "", rows[i].change);
		return false;
	}
	snprintf(why, ENGINE_WHY, "this kernel refuses LSM programs; --allow-degraded starts it with exec and exit recorded and nothing refused");
	return false;
}

/* ---- the one line ---- */
static const char *const judged[] = { "files", "network", "sockets" };
static const char *const unbuilt[] = { "devices", "privileges", "limits", "session", "labels" };

/* The classes of a table that the policy opens, or those that it does not; lead comes before the first. */
static void add_classes(struct buf *out, const char *lead, const char *const *classes, size_t n, const char *open, bool opened)
{
	for (size_t i = 0; i < n; i++) {
		if (has_word(open, classes[i], strlen(classes[i])) != opened)
			continue;
		buf_addf(out, "%s %s", lead, classes[i]);
		lead = "";
	}
}

/* What a policy opens that we could judge is news; what we cannot judge yet it has to open. */
static void add_open(struct buf *out, const char *open)
{
	add_classes(out, "; OPEN by policy, nothing of it is judged:", judged, ARRAY_SIZE(judged), open, true);
	add_classes(out, "; not built yet:", unbuilt, ARRAY_SIZE(unbuilt), open, true);
}

static void add_what_holds(struct engine *e, const struct session *s, struct buf *out)
{
	_buf_ struct buf b = { 0 };
	const char *open = open_of(s->generation ? s->generation->policy : NULL, &b);

	if (!s->enforced) {
		buf_add_str(out, "NOT ENFORCED: this kernel refuses LSM programs; exec and exit are recorded only (--allow-degraded)");
		return;
	}
	if (s->stage == STAGE_OBSERVE) {
		buf_add_str(out, "observe: would-be refusals are recorded for");
		add_classes(out, "", judged, ARRAY_SIZE(judged), open, false);
		buf_add_str(out, " guard; only Bailiff's own things refuse; seccomp floor off");
	} else {
		buf_add_str(out, "enforce:");
		add_classes(out, "", judged, ARRAY_SIZE(judged), open, false);
		buf_addf(out, " guard in the kernel; seccomp floor %s", floor_word(e, s));
	}
	add_open(out, open);
}

void coverage_line(struct engine *e, const struct session *s, struct buf *out)
{
	buf_addf(out, "sandbox %s (", s->id);
	buf_add_terminal(out, s->name, strlen(s->name));
	buf_add_str(out, ") ");
	add_what_holds(e, s, out);
}

/* ---- records ---- */
/* The last word on one row, seen from this sandbox. */
/* floor: why there is none; NULL: there is. */
static struct event_coverage row_for(const struct coverage_row *r, const struct session *s, const char *open, const char *floor)
{
	struct event_coverage c = { .name = r->name, .state = state_name(r->state), .how = r->how };

	if (s && !s->enforced && r->state == COVERAGE_FULL && strcmp(r->name, "observation"))
		c = (struct event_coverage){ r->name, "missing", "started with --allow-degraded: nothing is judged" };
	else if (s && all_open(open, r->name))
		c = (struct event_coverage){ r->name, "open", "left ungoverned by the policy" };
	else if (floor && !strcmp(r->name, "seccomp"))
		c = (struct event_coverage){ r->name, "missing", floor };
	return c;
}

void coverage_notice(struct engine *e, struct session *s)
{
	struct event_coverage list[ROWS_MAX];
	const struct coverage_row *rows;
	size_t count, n = 0;
	_buf_ struct buf b = { 0 }, text = { 0 };
	const char *open = open_of(s && s->generation ? s->generation->policy : NULL, &b), *floor = floor_missing(e, s);
	struct event_notice notice = { .kind = NOTICE_COVERAGE, .time_ns = clock_boot_ns(), .coverage = list };

	kernel_coverage(e->kernel, false, &rows, &count);
	for (; n < count && n < ROWS_MAX; n++)
		list[n] = row_for(&rows[n], s, open, floor);
	notice.coverage_count = n;
	if (s) {
		add_what_holds(e, s, &text);
		notice.sandbox = s->kernel_id;
		notice.generation = s->generation ? s->generation->number : 0;
		notice.text = text.data;
	}
	(void)spine_notice(&e->spine, &notice);
}

/* ---- for clients and people ---- */
static void host_texts(struct utsname *u, char lsm[256])
{
	_free_ char *text = NULL;

	if (uname(u))
		*u = (struct utsname){ .release = "unknown" };
	if (file_slurp("/sys/kernel/security/lsm", 255, &text, NULL))
		snprintf(lsm, 256, "unknown (/sys/kernel/security is not mounted)");
	else
		snprintf(lsm, 256, "%.*s", (int)strcspn(text, "\n"), text);
}

void coverage_reply(struct engine *e, struct buf *reply)
{
	const struct coverage_row *rows;
	struct utsname u;
	char lsm[256], why[ENGINE_WHY];
	bool trouble = trouble_text(e, why), complete = !trouble;
	size_t count;
	int floor = floor_build(e);

	kernel_coverage(e->kernel, true, &rows, &count);
	host_texts(&u, lsm);
	for (size_t i = 0; i < count; i++)
		complete &= row_holds(&rows[i], floor);
	kv_add_str(reply, "complete", complete ? "1" : "0");
	kv_add_str(reply, "kernel", u.release);
	kv_add_str(reply, "lsm", lsm);
	if (trouble)
		kv_add_str(reply, "trouble", why);
	for (size_t i = 0; i < count; i++) {
		struct coverage_row r = floor_row(&rows[i], floor);
		_buf_ struct buf row = { 0 };

		kv_begin(&row);
		kv_add_str(&row, "name", r.name);
		kv_add_str(&row, "state", state_name(r.state));
		kv_add_str(&row, "how", r.how);
		kv_add_str(&row, "change", r.change);
		if (!kv_end(&row))
			kv_add(reply, "row", row.data, row.len);
	}
}

static void doctor_json(const struct utsname *u, const char *lsm, const struct coverage_row *rows, size_t count, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_str(&j, "kernel", u->release);
	json_str(&j, "lsm", lsm);
	json_begin_array(&j, "coverage");
	for (size_t i = 0; i < count; i++) {
		json_begin_object(&j, NULL);
		json_str(&j, "name", rows[i].name);
		json_str(&j, "state", state_name(rows[i].state));
		json_str(&j, "how", rows[i].how);
		if (rows[i].change[0])
			json_str(&j, "change", rows[i].change);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static void doctor_text(const struct utsname *u, const char *lsm, const struct coverage_row *rows, size_t count, struct buf *out)
{
	buf_addf(out, "kernel %s, LSMs: %s\n", u->release, lsm);
	for (size_t i = 0; i < count; i++) {
		buf_addf(out, "%-16s %-9s %s\n", rows[i].name, state_name(rows[i].state), rows[i].how);
		if (rows[i].change[0])
			buf_addf(out, "%-16s           change: %s\n", "", rows[i].change);
	}
}

int coverage_doctor(bool json)
{
	struct coverage_row list[ROWS_MAX];
	const struct coverage_row *rows;
	size_t count, n;
	_buf_ struct buf out = { 0 }, filter = { 0 };
	struct utsname u;
	char lsm[256];
	int worst = 0, floor, err = kernel_probe(&rows, &count);

	if (err)
		return log_err(err, "this kernel could not be probed");
	floor = seccomp_floor_build(&filter);
	host_texts(&u, lsm);
	for (n = 0; n < count && n < ROWS_MAX; n++) {
		list[n] = floor_row(&rows[n], floor);
		worst |= !row_holds(&rows[n], floor);
	}
	(json ? doctor_json : doctor_text)(&u, lsm, list, n, &out);
	if (out.err)
		return out.err;
	fwrite(out.data, 1, out.len, stdout);
	return fflush(stdout) ? -errno : worst;
}
