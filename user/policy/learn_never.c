/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is never learned, however often it was seen: an agent that was talked into it during the trial run must not find it in its policy. It
 * is what the preset base denies (credentials, host secrets, metadata addresses, what runs later), the deputies of `policy lint`, and the
 * rows here. And what no rule may have as a whole, because too much lies below it. docs/policy.md has these tables; a test compares.
 */
#include "policy/learn_parts.h"

#define V(x) (1u << VERB_##x)

/* ---- deputies: who acts for whoever asks ---- */

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

const char *policy_deputy(size_t i, const char **could)
{
	if (i >= ARRAY_SIZE(deputies))
		return NULL;
	*could = deputies[i].could;
	return deputies[i].question;
}

static bool is_question(const struct deputy *d, const struct policy_action *a)
{
	struct policy_action q;
	char why[200];
	bool same;

	if (policy_action_parse(d->question, &q, why))
		return false;
	if (a->path)
		same = q.path && q.verb == a->verb && q.path_len == a->path_len && !memcmp(q.path, a->path, a->path_len);
	else
		same = !q.path && q.verb == a->verb && q.port == a->port && !memcmp(q.addr, a->addr, sizeof(q.addr));
	policy_action_done(&q);
	return same;
}

static const char *deputy_could(const struct policy_action *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(deputies); i++) {
		if (is_question(&deputies[i], a))
			return deputies[i].could;
	}
	return NULL;
}

/* ---- the rows of our own ---- */

#define ANY (V(READ) | V(CHANGE) | V(CREATE) | V(REMOVE) | V(EXECUTE) | V(UNIX))
#define WRITES (V(CHANGE) | V(CREATE) | V(REMOVE))

static const struct never {
	uint32_t verbs;
	const char *pattern, *why;
} nevers[] = {
	{ ANY, "/**/.env", "credentials" }, { ANY, "/**/*.key", "credentials" }, { ANY, "/**/id_rsa", "credentials" },
	{ ANY, "/**/id_ed25519", "credentials" }, { ANY, "/**/id_ecdsa", "credentials" }, { ANY, "/**/*.kdbx", "credentials" },
	{ ANY, "/run/secrets", "credentials" }, { ANY, "/var/run/secrets", "credentials" },
	{ V(UNIX), "/run/user/*/docker.sock", SESSION_BUS }, { V(UNIX), "/run/user/*/podman", SESSION_BUS },
	{ V(UNIX), "/run/user/*/bus", SESSION_BUS }, { V(UNIX), "/run/user/*/systemd", SESSION_BUS },
	{ V(UNIX), "/run/user/*/dbus-1", SESSION_BUS }, { V(UNIX), "/run/user/*/pipewire-*", SCREEN },
	{ V(UNIX), "/run/dbus", SYSTEM_BUS }, { V(UNIX), "/run/systemd/private", SYSTEM_BUS }, { V(UNIX), "/run/systemd/io.system.*", SYSTEM_BUS },
	{ V(UNIX), "/run/containerd", ROOT_BY_CONTAINER }, { V(UNIX), "/run/libvirt", ROOT_BY_CONTAINER }, { V(UNIX), "/run/podman", ROOT_BY_CONTAINER },
	{ V(UNIX), "/**/docker.sock", ROOT_BY_CONTAINER }, { V(UNIX), "/tmp/ssh-*/agent.*", SIGNS }, { V(UNIX), "/run/user/*/keyring", SIGNS },
	{ V(UNIX), "/run/user/*/ssh-agent.socket", SIGNS }, { V(UNIX), "/**/S.gpg-agent*", SIGNS }, { V(UNIX), "/**/S.scdaemon", SIGNS },
	{ V(UNIX), "/tmp/.X11-unix", SCREEN }, { V(UNIX), "/tmp/.ICE-unix", SCREEN }, { V(UNIX), "/run/user/*/wayland-*", SCREEN },
	{ V(UNIX), "/tmp/cc-socks", "talks to Claude Code's own process" },
	{ WRITES, "/etc", "changes the host" }, { WRITES, "/usr", "changes the host" }, { WRITES, "/bin", "changes the host" },
	{ WRITES, "/sbin", "changes the host" }, { WRITES, "/lib*", "changes the host" }, { WRITES, "/boot", "changes the host" },
	{ WRITES, "/var/spool/cron", RUNS_LATER }, { WRITES, "/**/.git/config", RUNS_LATER }, { WRITES, "/**/.vscode", RUNS_LATER },
	{ WRITES, "/**/.idea", RUNS_LATER }, { WRITES, "/**/.envrc", RUNS_LATER },
	{ ANY, "/dev/mem", "reaches the memory of the host" }, { ANY, "/dev/kmem", "reaches the memory of the host" },
	{ ANY, "/dev/port", "reaches the devices of the host" }, { ANY, "/dev/sd*", "reaches every file of the host" },
	{ ANY, "/dev/vd*", "reaches every file of the host" }, { ANY, "/dev/nvme*", "reaches every file of the host" },
	{ ANY, "/dev/dm-*", "reaches every file of the host" }, { ANY, "/dev/loop*", "reaches every file of the host" },
};

const char *never_below(size_t i, uint32_t *verbs)
{
	for (size_t k = 0; k < ARRAY_SIZE(nevers); k++) {
		if (strncmp(nevers[k].pattern, "/**/", 4) || nevers[k].verbs == V(UNIX) || i--)
			continue;
		*verbs = nevers[k].verbs & VERBS_FILES;
		return nevers[k].pattern + 1;
	}
	return NULL;
}

const char *never_path(const struct learn *l, unsigned verb, const char *path, size_t len)
{
	struct policy_action a = { .verb = verb, .path = path, .path_len = len };
	const char *why = denied_by(l->never, &a);

	if (!why)
		why = deputy_could(&a);
	for (size_t i = 0; !why && i < ARRAY_SIZE(nevers); i++) {
		if (nevers[i].verbs & 1u << verb && path_matches(nevers[i].pattern, path, len))
			why = nevers[i].why;
	}
	return why;
}

const char *never_peer(const struct learn *l, const struct peer *peer)
{
	struct policy_action a = { .verb = peer->listens ? VERB_LISTEN : VERB_CONNECT, .port = peer->port, .proto = peer->proto };
	const char *why;

	memcpy(a.addr, peer->addr, sizeof(a.addr));
	why = denied_by(l->never, &a);
	return why ? why : deputy_could(&a);
}

/* ---- too broad ---- */

static const char *const broads[] = {
	"/", "/*", "/home/*", "/home/*/.config", "/home/*/.cache", "/home/*/.local", "/home/*/.local/share", "/home/*/.local/state",
	"/root/.config", "/root/.cache", "/root/.local", "/root/.local/share", "/root/.local/state",
	"/usr/*", "/var/*", "/run/user", "/run/user/*", "/mnt/*", "/media/*", "/sys/*", "/proc/*",
};

static size_t depth_of(const char *path, size_t len)
{
	size_t depth = 0;

	for (size_t i = 0; len > 1 && i < len; i++)
		depth += path[i] == '/';
	return depth;
}

const char *broad_path(const char *path, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(broads); i++) {
		if (depth_of(broads[i], strlen(broads[i])) == depth_of(path, len) && path_matches(broads[i], path, len))
			return "a rule for a directory has all below it, and here that is too much";
	}
	return NULL;
}

/* ---- as a document ---- */

static void verbs_say(uint32_t verbs, struct buf *out)
{
	if (verbs == ANY)
		buf_add_str(out, "any");
	else if (verbs == WRITES)
		buf_add_str(out, "write");
	else if (verbs == V(UNIX))
		buf_add_str(out, "unix");
}

void learn_never_document(struct buf *out)
{
	buf_add_str(out, "| Verbs | Path | Why |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(nevers); i++) {
		buf_add_str(out, "| ");
		verbs_say(nevers[i].verbs, out);
		buf_addf(out, " | `%s` | %s |\n", nevers[i].pattern, nevers[i].why);
	}
	buf_add_str(out, "| whole | ");
	for (size_t i = 0; i < ARRAY_SIZE(broads); i++)
		buf_addf(out, "%s`%s`", i ? " " : "", broads[i]);
	buf_add_str(out, " | too much lies below |\n");
}
