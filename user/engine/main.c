/* SPDX-License-Identifier: Apache-2.0 */
/* bailiffd: options, settings, and the order in which a process becomes the host's engine. */
#include <getopt.h>
#include <stdio.h>
#include <signal.h>
#include "base/file.h"
#include "base/log.h"
#include "engine/control.h"
#include "engine/daemon.h"
#include "engine/engine.h"
#include "engine/version.h"

enum exit_code { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_TAKEN = 3 };

struct options {
	bool on_demand, foreground, doctor, json;
	int ready_fd;
	const char *settings_file;
	const char *set[64];
	size_t set_count;
};

enum option_id { OPT_ON_DEMAND = 256, OPT_READY_FD, OPT_FOREGROUND, OPT_SETTINGS, OPT_SET, OPT_DOCTOR, OPT_JSON, OPT_MANUAL, OPT_VERSION, OPT_HELP };

static const struct option_row {
	const char *name, *argument;
	enum option_id id;
	const char *help;
} option_rows[] = {
	{ "on-demand", NULL, OPT_ON_DEMAND, "leave the caller's session; leave altogether when idle for linger_seconds" },
	{ "foreground", NULL, OPT_FOREGROUND, "with --on-demand: stay in the caller's session, log to stderr" },
	{ "ready-fd", "N", OPT_READY_FD, "write \"ready\" to this descriptor when clients can connect, or why there is no engine" },
	{ "settings", "FILE", OPT_SETTINGS, "settings file [" SETTINGS_FILE ", or what " SETTINGS_ENV " names]" },
	{ "set", "KEY=VALUE", OPT_SET, "one setting, over the file's" },
	{ "doctor", NULL, OPT_DOCTOR, "say what this kernel lets us enforce, by loading and attaching, and exit; 1: not all" },
	{ "json", NULL, OPT_JSON, "with --doctor: as JSON" },
	{ "settings-manual", NULL, OPT_MANUAL, "print the table of settings as Markdown and exit" },
	{ "version", NULL, OPT_VERSION, "print the version and exit" },
	{ "help", NULL, OPT_HELP, "print this and exit" },
};

static int print(struct buf *b)
{
	if (b->err)
		return EXIT_FAILED;
	fwrite(b->data, 1, b->len, stdout);
	return fflush(stdout) ? EXIT_FAILED : EXIT_FINE;
}

static int help(void)
{
	_buf_ struct buf b = { 0 };

	buf_add_str(&b, "usage: bailiffd [options]\n\nBailiff's engine: one per host, as root. `bailiff run` starts it on demand; the service unit\n"
			"runs it for good.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++) {
		_buf_ struct buf name = { 0 };

		buf_addf(&name, "--%s %s", option_rows[i].name, option_rows[i].argument ? option_rows[i].argument : "");
		buf_addf(&b, "  %-20s %s\n", name.data, option_rows[i].help);
	}
	buf_add_str(&b, "\nexit codes: 0 ended in order; 1 failed; 2 wrong usage or settings; 3 another engine runs on this host\n\nsettings:\n");
	settings_help(&b);
	return print(&b);
}

static int manual(void)
{
	_buf_ struct buf b = { 0 };

	settings_manual(&b);
	return print(&b);
}

static int parse_fd(const char *text, int *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (!*text || *end || v < 0 || v > 1 << 20)
		return -EINVAL;
	*out = v;
	return 0;
}

/* A code to exit with, or -1 to go on. */
static int take_option(struct options *o, int id)
{
	switch (id) {
	case OPT_ON_DEMAND:
		o->on_demand = true;
		return -1;
	case OPT_FOREGROUND:
		o->foreground = true;
		return -1;
	case OPT_READY_FD:
		return parse_fd(optarg, &o->ready_fd) ? log_err(0, "--ready-fd wants a descriptor"), EXIT_USAGE : -1;
	case OPT_SETTINGS:
		o->settings_file = optarg;
		return -1;
	case OPT_SET:
		if (o->set_count == ARRAY_SIZE(o->set))
			return log_err(0, "too many --set"), EXIT_USAGE;
		o->set[o->set_count++] = optarg;
		return -1;
	case OPT_DOCTOR:
		o->doctor = true;
		return -1;
	case OPT_JSON:
		o->json = true;
		return -1;
	case OPT_MANUAL:
		return manual();
	case OPT_VERSION:
		puts("bailiffd " BAILIFF_VERSION);
		return EXIT_FINE;
	case OPT_HELP:
		return help();
	}
	return EXIT_USAGE;	/* getopt_long has said why */
}

static int parse_options(int argc, char **argv, struct options *o)
{
	struct option longs[ARRAY_SIZE(option_rows) + 1] = { 0 };
	int id, code;

	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		longs[i] = (struct option){ option_rows[i].name, option_rows[i].argument ? required_argument : no_argument, NULL, option_rows[i].id };
	while ((id = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		code = take_option(o, id);
		if (code >= 0)
			return code;
	}
	if (optind < argc)
		return log_err(0, "there is nothing to do with \"%s\"; see --help", argv[optind]), EXIT_USAGE;
	return -1;
}

static int read_file(struct settings *s, const char *path, bool must_exist, char why[ENGINE_WHY])
{
	_free_ char *text = NULL;
	struct settings_error bad;
	size_t len;
	int err = file_slurp(path, SETTINGS_FILE_BYTES, &text, &len);

	if (err == -ENOENT && !must_exist)
		return 0;
	if (err) {
		snprintf(why, ENGINE_WHY, "%.200s: %s", path, strerror(-err));
		return err;
	}
	err = settings_parse(s, text, len, &bad);
	if (err)
		snprintf(why, ENGINE_WHY, "%.200s:%u:%u: %s", path, bad.line, bad.column, bad.text);
	return err;
}

static int read_settings(struct settings *s, const struct options *o, char why[ENGINE_WHY])
{
	const char *named = o->settings_file ? o->settings_file : getenv(SETTINGS_ENV);
	struct settings_error bad = { .text = "no memory" };
	int err = settings_init(s);

	if (!err)
		err = read_file(s, named ? named : SETTINGS_FILE, named, why);
	if (err)
		return err;
	for (size_t i = 0; i < o->set_count && !err; i++)
		err = settings_set(s, o->set[i], &bad);
	if (!err)
		err = settings_check(s, &bad);
	if (err)
		snprintf(why, ENGINE_WHY, "%s", bad.text);
	return err;
}

static int fail(const struct options *o, enum exit_code code, const char *why)
{
	log_err(0, "%s", why);
	daemon_say_ready(o->ready_fd, why);
	return code;
}

static void leave_callers_cgroup(const struct settings *s)
{
	char mount[4096];
	int err = 0;

	if (strcmp(s->cgroup_mount, "auto"))
		snprintf(mount, sizeof(mount), "%s", s->cgroup_mount);
	else
		err = cgroup_find_mount("/proc/self/mountinfo", mount, sizeof(mount));
	if (!err)
		err = daemon_move(mount, s->cgroup_parent);
	if (err)
		log_warn(err, "the engine stays in its starter's cgroup, and ends when that is ended");
}

static int serve(const struct options *o, const struct settings *s)
{
	struct engine *e;
	char why[ENGINE_WHY] = "";
	int err = engine_open(s, o->on_demand, &e, why);

	if (err)
		return fail(o, EXIT_FAILED, why);
	if (o->on_demand)
		leave_callers_cgroup(s);
	daemon_say_ready(o->ready_fd, NULL);
	daemon_notify("READY=1");
	err = engine_run(e);
	daemon_notify("STOPPING=1");
	engine_close(e);
	return err ? log_err(err, "the event loop failed"), EXIT_FAILED : EXIT_FINE;
}

static int become_engine(const struct options *o, const struct settings *s)
{
	_close_ int lock = -1;
	char why[ENGINE_WHY];
	int err = daemon_lock(s->run_dir, &lock);

	if (err == -EWOULDBLOCK)
		return fail(o, EXIT_TAKEN, CONTROL_TAKEN);
	if (!err && o->on_demand && !o->foreground)
		err = daemon_detach(s->run_dir);
	if (err) {
		snprintf(why, sizeof(why), "%s: %s", s->run_dir, strerror(-err));
		return fail(o, EXIT_FAILED, why);
	}
	signal(SIGPIPE, SIG_IGN);
	daemon_limits();
	return serve(o, s);
}

int main(int argc, char **argv)
{
	struct options o = { .ready_fd = -1 };
	_cleanup_(settings_done) struct settings s = { 0 };
	char why[ENGINE_WHY] = "";
	int code, err;

	log_open("bailiffd");
	code = parse_options(argc, argv, &o);
	if (code >= 0)
		return code;
	if (geteuid())
		return fail(&o, EXIT_FAILED, "the engine must run as root: it loads kernel programs");
	if (o.doctor) {
		err = coverage_doctor(o.json);
		return err < 0 ? EXIT_FAILED : err;
	}
	err = read_settings(&s, &o, why);
	if (err)
		return fail(&o, EXIT_USAGE, why);
	return become_engine(&o, &s);
}
