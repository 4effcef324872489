/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bailiff policy lint: what a policy opens that reaches further than it reads, whether by a rule (also one that says i_accept) or by an open
 * class. The oracle is asked one question a row; a socket or host that a row does not name is not found.
 */
#include <stdio.h>
#include "base/log.h"
#include "cli/cli.h"
#include "cli/policy.h"

static const struct cli_option options[] = { POLICY_OPTION_PARAM, POLICY_OPTION_JSON };
static const struct cli_spec spec = {
	.usage = "bailiff policy lint FILE|preset:NAME [--param NAME=VALUE]... [--json]",
	.about = "Name what the policy lets an agent reach that acts with more rights than the agent has (Docker, buses, key agents, the cloud's\n"
		 "metadata service, files that others run later), and what it could do there. And a policy without tests.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.operands = 1,
	.more = "exit code: 0 nothing found, 1 something to look at or the policy is wrong, 2 usage",
};

#define ROOT_BY_CONTAINER "starts containers, and so is root on this host"
#define SYSTEM_BUS	  "asks systemd, polkit and others to start services and change settings of the host"
#define SESSION_BUS	  "starts programs outside of the sandbox as this user"
#define SIGNS		  "signs and logs in with the user's keys wherever they are valid"
#define SCREEN		  "sees and types what the user sees and types"
#define CLOUD		  "takes the credentials that the cloud gives this host"
#define RUNS_LATER	  "has its text run outside of the sandbox later"
#define KEYS		  "takes keys that are valid elsewhere"

static const struct deputy {
	const char *question, *could;
} deputies[] = {
	{ "unix /run/docker.sock", ROOT_BY_CONTAINER }, { "unix /run/containerd/containerd.sock", ROOT_BY_CONTAINER },
	{ "unix /run/crio/crio.sock", ROOT_BY_CONTAINER }, { "unix /run/podman/podman.sock", ROOT_BY_CONTAINER },
	{ "unix /run/buildkit/buildkitd.sock", ROOT_BY_CONTAINER }, { "unix /run/libvirt/libvirt-sock", "starts machines with any disk of this host" },
	{ "unix /var/lib/lxd/unix.socket", ROOT_BY_CONTAINER }, { "unix /run/snapd.socket", "installs packages as root" },
	{ "unix /run/user/1000/docker.sock", SESSION_BUS }, { "unix /run/user/1000/podman/podman.sock", SESSION_BUS },
	{ "connect 127.0.0.1:2375", ROOT_BY_CONTAINER }, { "unix /run/dbus/system_bus_socket", SYSTEM_BUS },
	{ "unix /run/systemd/private", "starts any unit as root" }, { "unix /run/user/1000/bus", SESSION_BUS },
	{ "unix /run/user/1000/systemd/private", SESSION_BUS }, { "unix /run/user/0/bus", SESSION_BUS },
	{ "unix /tmp/ssh-XXXXXXa1b2c3/agent.1000", SIGNS }, { "unix /run/user/1000/keyring/ssh", SIGNS },
	{ "unix /run/user/1000/ssh-agent.socket", SIGNS }, { "unix /run/user/1000/gnupg/S.gpg-agent", SIGNS },
	{ "unix /root/.gnupg/S.gpg-agent", SIGNS }, { "unix /tmp/.X11-unix/X0", SCREEN }, { "unix /run/user/1000/wayland-0", SCREEN },
	{ "unix /tmp/cc-socks/1000.sock", "talks to Claude Code's own process" },
	{ "connect 169.254.169.254:80", CLOUD }, { "connect 169.254.170.2:80", CLOUD }, { "connect 100.100.100.200:80", CLOUD },
	{ "connect 168.63.129.16:80", CLOUD }, { "connect [fd00:ec2::254]:80", CLOUD },
	{ "create /etc/cron.d/x", RUNS_LATER }, { "create /var/spool/cron/crontabs/root", RUNS_LATER },
	{ "create /etc/systemd/system/x.service", RUNS_LATER }, { "change /home/user/.bashrc", RUNS_LATER }, { "change /root/.bashrc", RUNS_LATER },
	{ "create /home/user/.config/systemd/user/x.service", RUNS_LATER }, { "create /home/user/p/.git/hooks/pre-commit", RUNS_LATER },
	{ "create /usr/local/bin/x", RUNS_LATER }, { "read /home/user/.ssh/id_ed25519", KEYS }, { "read /root/.ssh/id_ed25519", KEYS },
	{ "read /home/user/.aws/credentials", KEYS }, { "read /run/secrets/kubernetes.io/serviceaccount/token", KEYS },
	{ "read /etc/shadow", "takes the host's passwords to guess them" }, { "read /dev/mem", "reads the memory of the host" },
	{ "read /dev/sda", "reads every file of the host" }, { "change /dev/sda", "changes every file of the host" },
};

struct finding {
	const struct deputy *deputy;
	struct policy_rule_info rule;
	bool open;	/* no rule: the class is */
	uint32_t number;
};

/* One for each rule and consequence: the same said again helps nobody. */
static bool is_said(const struct finding *found, size_t count, const struct finding *f)
{
	for (size_t i = 0; i < count; i++) {
		if (found[i].number == f->number && !strcmp(found[i].deputy->could, f->deputy->could))
			return true;
	}
	return false;
}

static int question_ask(const struct policy *p, const struct deputy *d, struct policy_verdict *v)
{
	struct policy_action a;
	char why[200];
	int err = policy_action_parse(d->question, &a, why);

	if (!err) {
		err = policy_eval(p, &a, v);
		policy_action_done(&a);
	}
	return err;
}

static int findings_collect(const struct policy *p, struct finding found[ARRAY_SIZE(deputies)], size_t *count)
{
	*count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(deputies); i++) {
		struct finding f = { .deputy = &deputies[i] };
		struct policy_verdict v;
		int err = question_ask(p, &deputies[i], &v);

		if (err)
			return err;
		f.number = v.rule;
		f.open = policy_rule(p, v.rule, &f.rule) != 0;
		if (v.allowed && !is_said(found, *count, &f))
			found[(*count)++] = f;
	}
	return 0;
}

static void findings_print(struct buf *out, const char *file, const struct policy *p, const struct finding *found, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct finding *f = &found[i];

		buf_add_terminal(out, f->open ? file : f->rule.file, strlen(f->open ? file : f->rule.file));
		if (!f->open)
			buf_addf(out, ":%u:%u", f->rule.line, f->rule.column);
		buf_addf(out, ": %s is allowed by %s: who can do that %s\n", f->deputy->question, f->open ? "the open class" : f->rule.id, f->deputy->could);
	}
	if (policy_test_count(p))
		return;
	buf_add_terminal(out, file, strlen(file));
	buf_add_str(out, ": no tests: add tests: [{\"read /etc/shadow\": refused}, ...], so that a change that opens too much is noticed\n");
}

static void findings_json(struct buf *out, const struct policy *p, const struct finding *found, size_t count)
{
	struct json j;

	json_init(&j, out);
	json_begin_object(&j, NULL);
	json_bool(&j, "has_tests", policy_test_count(p) > 0);
	json_begin_array(&j, "findings");
	for (size_t i = 0; i < count; i++) {
		json_begin_object(&j, NULL);
		json_str(&j, "action", found[i].deputy->question);
		json_str(&j, "could", found[i].deputy->could);
		if (!found[i].open)
			policy_rule_json(&j, "rule", &found[i].rule);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	buf_add_char(out, '\n');
}

static int lint_run(char **rest, size_t words, const struct policy_options *o)
{
	struct finding found[ARRAY_SIZE(deputies)];
	_buf_ struct buf out = {};
	struct policy *p = NULL;
	size_t count = 0;
	int code = policy_from_file_or_say(rest[0], o, &p), err;

	(void)words;
	if (code)
		return code;
	err = findings_collect(p, found, &count);
	code = count || !policy_test_count(p) ? CLI_FAILED : CLI_OK;
	if (!err && o->json)
		findings_json(&out, p, found, count);
	else if (!err)
		findings_print(&out, rest[0], p, found, count);
	policy_free(p);
	if (err || out.err)
		return log_err(err ? err : out.err, "%s", rest[0]), CLI_FAILED;
	fputs(out.data ? out.data : "", stdout);
	return code;
}

const struct policy_command policy_lint_command = { .spec = &spec, .run = lint_run, .operands_max = 1 };
