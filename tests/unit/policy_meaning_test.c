/* SPDX-License-Identifier: Apache-2.0 */
/* What policies mean, one claim a row: the oracle and the image are both asked, and both must say so. */
#include "policy/policy.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"
#define OPEN(class) "version: 1\npolicy: p\nopen: [" class ", devices, privileges, limits, session, labels]\n"

/* answer: "+" allowed or "-" refused, then the id that says so; "+" alone is the default of an open class. */
static const struct {
	const char *claim, *text, *question, *answer;
} rows[] = {
	/* ---- what a path covers ---- */
	{ "a rule means its path", HEAD "files: {read: [{path: /srv/x, id: r}]}\n", "read /srv/x", "+r" },
	{ "and all below", HEAD "files: {read: [{path: /srv/x, id: r}]}\n", "read /srv/x/y/z", "+r" },
	{ "not its parents", HEAD "files: {read: [{path: /srv/x, id: r}]}\n", "read /srv", "-files.default" },
	{ "not a longer name", HEAD "files: {read: [{path: /srv/x, id: r}]}\n", "read /srv/xy", "-files.default" },
	{ "not a shorter name", HEAD "files: {read: [{path: /srv/xy, id: r}]}\n", "read /srv/x", "-files.default" },
	{ "the root is everything", HEAD "files: {read: [{path: /, id: r}]}\n", "read /srv/x", "+r" },
	{ "the root is itself", HEAD "files: {read: [{path: /, id: r}]}\n", "read /", "+r" },
	{ "** alone is everything", HEAD "files: {read: [{path: '**', id: r}]}\n", "read /", "+r" },
	{ "no rule, no right", HEAD, "read /", "-files.default" },
	{ "omission refuses a verb", HEAD "files: {read: [/x]}\n", "change /x", "-files.default" },
	/* ---- wildcards ---- */
	{ "* stays in its component", HEAD "files: {read: [{path: '/a/*/c', id: r}]}\n", "read /a/b/x/c", "-files.default" },
	{ "* is a component", HEAD "files: {read: [{path: '/a/*/c', id: r}]}\n", "read /a/b/c/d", "+r" },
	{ "* alone is no empty component", HEAD "files: {read: [{path: '/a/*', id: r}]}\n", "read /a", "-files.default" },
	{ "* may be nothing beside bytes", HEAD "files: {read: [{path: '/a/b*', id: r}]}\n", "read /a/b", "+r" },
	{ "a directory that * matched counts below", HEAD "files: {read: [{path: '/a/*', id: r}]}\n", "read /a/b/c", "+r" },
	{ "* matches a leading dot", HEAD "files: {read: [{path: '/a/*', id: r}]}\n", "read /a/.b", "+r" },
	{ "? is one byte", HEAD "files: {read: [{path: '/a/?', id: r}]}\n", "read /a/b", "+r" },
	{ "? is not two bytes", HEAD "files: {read: [{path: '/a/?', id: r}]}\n", "read /a/\303\251", "-files.default" },
	{ "a set is one of its bytes", HEAD "files: {read: [{path: '/a/[x-z]', id: r}]}\n", "read /a/y", "+r" },
	{ "a negated set is none of them", HEAD "files: {read: [{path: '/a/[!x-z]', id: r}]}\n", "read /a/y", "-files.default" },
	{ "^ negates too", HEAD "files: {read: [{path: '/a/[^x]', id: r}]}\n", "read /a/y", "+r" },
	{ "a set takes a dash at its end", HEAD "files: {read: [{path: '/a/[x-]', id: r}]}\n", "read /a/-", "+r" },
	{ "** spans components", HEAD "files: {read: [{path: '/a/**/z', id: r}]}\n", "read /a/b/c/z", "+r" },
	{ "** spans none", HEAD "files: {read: [{path: '/a/**/z', id: r}]}\n", "read /a/z", "+r" },
	{ "** needs what follows", HEAD "files: {read: [{path: '/a/**/z', id: r}]}\n", "read /a/b", "-files.default" },
	{ "** spans whole components", HEAD "files: {read: [{path: '/a/**/z', id: r}]}\n", "read /a/bz", "-files.default" },
	{ "a leading ** starts at the root", HEAD "files: {read: [{path: '**/.env', id: r}]}\n", "read /.env", "+r" },
	{ "and everywhere", HEAD "files: {read: [{path: '**/.env', id: r}]}\n", "read /a/b/.env/x", "+r" },
	{ "a trailing ** is the directory too", HEAD "files: {read: [{path: '/a/**', id: r}]}\n", "read /a", "+r" },
	{ "a backslash takes a meaning away", HEAD "files: {read: [{path: '/a/\\*', id: r}]}\n", "read /a/b", "-files.default" },
	{ "and leaves the byte", HEAD "files: {read: [{path: '/a/\\*', id: r}]}\n", "read /a/*", "+r" },
	{ "a byte by its number", HEAD "files: {read: [{path: '/a/\\xe9\\x41', id: r}]}\n", "read /a/\351A", "+r" },
	{ "case is kept", HEAD "files: {read: [{path: /a/B, id: r}]}\n", "read /a/b", "-files.default" },
	/* ---- verbs ---- */
	{ "write is change", HEAD "files: {write: [{path: /a, id: r}]}\n", "change /a/b", "+r" },
	{ "and create", HEAD "files: {write: [{path: /a, id: r}]}\n", "create /a/b", "+r" },
	{ "and remove", HEAD "files: {write: [{path: /a, id: r}]}\n", "remove /a/b", "+r" },
	{ "but not read", HEAD "files: {write: [{path: /a, id: r}]}\n", "read /a/b", "-files.default" },
	{ "and not execute", HEAD "files: {write: [{path: /a, id: r}]}\n", "execute /a/b", "-files.default" },
	{ "files say nothing of sockets", HEAD "files: {read: [/], write: [/]}\n", "unix /a/b", "-sockets.default" },
	{ "sockets say nothing of files", HEAD "sockets: {unix: [{path: /srv, id: r}]}\n", "read /srv", "-files.default" },
	{ "a socket by its path", HEAD "sockets: {unix: [{path: /srv, id: r}]}\n", "unix /srv/x.sock", "+r" },
	/* ---- deny ---- */
	{ "deny wins", HEAD "files: {read: [{path: /a/b/c, id: a}], deny: [{path: /a/b/c/d, id: z}]}\n", "read /a/b/c/d/e", "-z" },
	{ "deny wins over the longer allow", HEAD "files: {read: [/, {path: '/a/*/c', id: a}], deny: [{path: '/a/b', id: z}]}\n",
	  "read /a/b/c", "-z" },
	{ "a deny is every verb", HEAD "files: {execute: [/], deny: [{path: /a, id: z}]}\n", "execute /a", "-z" },
	{ "or those it lists", HEAD "files: {execute: [{path: /, id: a}], deny: [{path: /a, verbs: [write], id: z}]}\n", "execute /a", "+a" },
	{ "except narrows its deny", HEAD "files: {read: [{path: /, id: a}], deny: [{path: '**/.env', except: /w/t, id: z}]}\n",
	  "read /w/t/.env", "+a" },
	{ "except narrows below too", HEAD "files: {read: [{path: /, id: a}], deny: [{path: /w, except: /w/t, id: z}]}\n", "read /w/t/x/y", "+a" },
	{ "except leaves the rest", HEAD "files: {read: [{path: /, id: a}], deny: [{path: /w, except: /w/t, id: z}]}\n", "read /w/u", "-z" },
	{ "except allows nothing", HEAD "files: {deny: [{path: /w, except: /w/t, id: z}]}\n", "read /w/t", "-files.default" },
	{ "except leaves other denies alone", HEAD "files: {read: [/], deny: [{path: /w, except: /w/t, id: y}, {path: /w/t/s, id: z}]}\n",
	  "read /w/t/s", "-z" },
	{ "an exception may be as deep as **", HEAD "files: {read: [{path: /, id: a}], deny: [{path: /w, except: '**/ok', id: z}]}\n",
	  "read /w/x/ok/y", "+a" },
	/* ---- which rule is named ---- */
	{ "the smallest id of the allows", HEAD "files: {read: [{path: /a, id: b}, {path: /, id: a}]}\n", "read /a", "+a" },
	{ "the smallest id of the denies", HEAD "files: {deny: [{path: /a, id: b}, {path: '**/x', id: a}, {path: /a/x, id: c}]}\n", "read /a/x", "-a" },
	{ "byte order, not numbers", HEAD "files: {deny: [{path: /a, id: r10}, {path: /, id: r9}]}\n", "read /a", "-r10" },
	{ "a smaller id further down", HEAD "files: {deny: [{path: '**/x', id: b}, {path: '**/y', id: a}]}\n", "read /x/y", "-a" },
	{ "a larger id further down", HEAD "files: {deny: [{path: '**/x', id: b}, {path: '**/y', id: a}]}\n", "read /y/x", "-a" },
	/* ---- Bailiff's own ---- */
	{ "our pins", HEAD "files: {read: [/]}\n", "read /sys/fs/bpf/x", "-guard.self" },
	{ "our journal", HEAD "files: {read: [/]}\n", "read /var/lib/bailiff", "-guard.self" },
	{ "our control socket", HEAD "sockets: {unix: [{path: /, i_accept: host-control}]}\n", "unix /run/bailiff/control", "-guard.self" },
	{ "our settings against writing", HEAD "files: {write: [/]}\n", "change /etc/bailiff/bailiff.yaml", "-guard.self" },
	{ "but not reading", HEAD "files: {read: [{path: /, id: a}]}\n", "read /etc/bailiff/bailiff.yaml", "+a" },
	{ "the cgroup tree against writing", HEAD "files: {write: [/]}\n", "create /sys/fs/cgroup/x", "-guard.self" },
	{ "even where files is open", OPEN("files"), "remove /var/lib/bailiff/journal", "-guard.self" },
	{ "a policy's own deny is named first", HEAD "files: {deny: [{path: /var, id: z}]}\n", "read /var/lib/bailiff", "-z" },
	{ "a neighbour is not ours", OPEN("files"), "read /var/lib/bailiffs", "+" },
	{ "a place that the caller adds", OPEN("files"), "read /srv/moved/journal", "-guard.self" },
	/* ---- open classes ---- */
	{ "an open class allows", OPEN("files"), "change /x", "+" },
	{ "its denies still refuse", OPEN("files") "files: {deny: [{path: /x, id: z}]}\n", "change /x", "-z" },
	{ "and no other class opens", OPEN("files"), "connect 10.0.0.1:80", "-network.default" },
	{ "open network", OPEN("network"), "connect 10.0.0.1:80", "+" },
	{ "open sockets", OPEN("sockets"), "unix /run/x", "+" },
	/* ---- addresses ---- */
	{ "an address is itself", HEAD "network: {connect: [{to: 10.0.0.1, id: r}]}\n", "connect 10.0.0.1:1", "+r" },
	{ "and no other", HEAD "network: {connect: [{to: 10.0.0.1, id: r}]}\n", "connect 10.0.0.2:1", "-network.default" },
	{ "a CIDR to its last", HEAD "network: {connect: [{to: 10.0.0.0/8, id: r}]}\n", "connect 10.255.255.255:1", "+r" },
	{ "a CIDR not behind it", HEAD "network: {connect: [{to: 10.0.0.0/8, id: r}]}\n", "connect 11.0.0.0:1", "-network.default" },
	{ "the last address there is", HEAD "network: {connect: [{to: 255.255.255.255, id: r}]}\n", "connect 255.255.255.255:1", "+r" },
	{ "IPv4 in IPv6 clothes is IPv4", HEAD "network: {connect: [{to: 10.0.0.0/8, id: r}]}\n", "connect [::ffff:10.1.2.3]:1", "+r" },
	{ "IPv6 rules do not reach IPv4", HEAD "network: {connect: [{to: '::/0', id: r}]}\n", "connect 10.1.2.3:1", "-network.default" },
	{ "IPv6", HEAD "network: {connect: [{to: '2001:db8::/32', id: r}]}\n", "connect [2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:1", "+r" },
	{ "a group", HEAD "network: {connect: [{to: '@private', id: r}]}\n", "connect [fd00::1]:1", "+r" },
	{ "several addresses in one rule", HEAD "network: {connect: [{to: [10.0.0.1, '::1'], id: r}]}\n", "connect [::1]:1", "+r" },
	{ "@internet is the rest", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect 8.8.8.8:443", "+r" },
	{ "without private", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect 192.168.1.1:443", "-network.default" },
	{ "without shared address space", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect 100.64.0.1:443", "-network.default" },
	{ "without metadata outside link-local", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect 168.63.129.16:80", "-network.default" },
	{ "without multicast", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect 224.0.0.1:443", "-network.default" },
	{ "without 6to4", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect [2002:7f00:1::]:443", "-network.default" },
	{ "without NAT64", HEAD "network: {connect: [{to: '@internet', id: r}]}\n", "connect [64:ff9b::7f00:1]:443", "-network.default" },
	{ "a listed port", HEAD "network: {connect: [{to: 10.0.0.1, ports: [80, 443], id: r}]}\n", "connect 10.0.0.1:443", "+r" },
	{ "not its neighbour", HEAD "network: {connect: [{to: 10.0.0.1, ports: [80, 443], id: r}]}\n", "connect 10.0.0.1:444", "-network.default" },
	{ "the last port", HEAD "network: {connect: [{to: 10.0.0.1, ports: [1-65535], id: r}]}\n", "connect 10.0.0.1:65535", "+r" },
	{ "port 0 only by name", HEAD "network: {listen: [{to: '@loopback', ports: [1-65535], id: r}]}\n", "listen 127.0.0.1:0", "-network.default" },
	{ "an allow is TCP", HEAD "network: {connect: [{to: 10.0.0.1, id: r}]}\n", "send 10.0.0.1:53", "-network.default" },
	{ "unless it says UDP", HEAD "network: {connect: [{to: 10.0.0.1, proto: udp, id: r}]}\n", "send 10.0.0.1:53", "+r" },
	{ "connect covers send", HEAD "network: {connect: [{to: 10.0.0.1, proto: [tcp, udp], id: r}]}\n", "connect 10.0.0.1:53/udp", "+r" },
	{ "a deny is both", HEAD "network: {connect: [{to: 10.0.0.0/8, proto: udp}], deny: [{to: 10.0.0.1, id: z}]}\n", "send 10.0.0.1:53", "-z" },
	{ "a deny is listening too", HEAD "network: {listen: [{to: 10.0.0.0/8}], deny: [{to: 10.0.0.1, id: z}]}\n", "listen 10.0.0.1:53", "-z" },
	{ "listen is not connect", HEAD "network: {listen: [{to: 10.0.0.1}]}\n", "connect 10.0.0.1:80", "-network.default" },
	{ "connect is not listen", HEAD "network: {connect: [{to: 10.0.0.1}]}\n", "listen 10.0.0.1:80", "-network.default" },
	{ "any address is this host to connect to", HEAD "network: {connect: [{to: '@loopback', id: r}]}\n", "connect 0.0.0.0:80", "+r" },
	{ "so a deny of this host covers it", HEAD "network: {connect: [{to: 0.0.0.0/0}], deny: [{to: '@loopback', id: z}]}\n",
	  "connect 0.0.0.0:80", "-z" },
	{ "in IPv6 too", HEAD "network: {connect: [{to: '::/0'}], deny: [{to: '::1', id: z}]}\n", "connect [::]:80", "-z" },
	{ "to listen on any is not to listen on this host", HEAD "network: {listen: [{to: '@loopback'}]}\n", "listen 0.0.0.0:80", "-network.default" },
	{ "a deny by port leaves the others", HEAD "network: {connect: [{to: 10.0.0.1, id: a}], deny: [{to: 10.0.0.0/8, ports: [22], id: z}]}\n",
	  "connect 10.0.0.1:23", "+a" },
	/* ---- parameters ---- */
	{ "a parameter is its value", HEAD "params: {w: path}\nfiles: {read: [{path: $w/x, id: r}]}\n", "read /srv/[w]*/x", "+r" },
	{ "whose bytes mean themselves", HEAD "params: {w: path}\nfiles: {read: [{path: $w/x, id: r}]}\n", "read /srv/wide/x", "-files.default" },
	{ "the root as a parameter", HEAD "params: {root: path}\nfiles: {read: [{path: $root/x, id: r}]}\n", "read /x", "+r" },
	{ "the root alone", HEAD "params: {root: path}\nfiles: {read: [{path: $root, id: r}]}\n", "read /y", "+r" },
	{ "bytes that are no text", HEAD "params: {bytes: path}\nfiles: {read: [{path: $bytes, id: r}]}\n", "read /srv/\377\001/x", "+r" },
	{ "an address as a parameter", HEAD "params: {db: to}\nnetwork: {connect: [{to: $db, id: r}]}\n", "connect 10.9.8.7:5432", "+r" },
};

static const struct policy_param params[] = { { "w", "/srv/[w]*" }, { "root", "/" }, { "bytes", "/srv/\377\001" }, { "db", "10.9.0.0/16" } };
static const char *const own[] = { "/srv/moved", NULL };

static void check_answer(const struct policy *p, const struct policy_verdict *v, const char *answer)
{
	struct policy_rule_info info = { .id = "" };

	CHECK_EQ(v->allowed, answer[0] == '+');
	(void)policy_rule(p, v->rule, &info);
	CHECK_STR(info.id, answer + 1);
}

TEST(policies_mean_what_their_manual_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_source source = { .text = rows[i].text, .file = "p.yaml", .len = strlen(rows[i].text), .params = params,
						.param_count = ARRAY_SIZE(params), .own_paths = own };
		_buf_ struct buf said = {};
		struct diags d = {};
		struct policy_image img;
		struct policy_action a;
		struct policy_verdict v;
		struct policy *p;
		char why[200];
		int err;

		CASE("%s", rows[i].claim);
		err = policy_load(&source, &p, &d);
		diags_print(&d, &said);
		if (err)
			CHECK_STR(said.data, "");
		CHECK_OK(policy_action_parse(rows[i].question, &a, why));
		CHECK_OK(policy_eval(p, &a, &v));
		check_answer(p, &v, rows[i].answer);
		CHECK_OK(policy_compile(p, &img, &d));
		CHECK_OK(policy_image_eval(&img, &a, &v));
		check_answer(p, &v, rows[i].answer);
		policy_image_done(&img);
		policy_action_done(&a);
		policy_free(p);
		diags_done(&d);
	}
}

TEST(only_clean_paths_are_judged)
{
	static const char *const unclean[] = { "", "x", "/x/", "//", "/x//y", "/.", "/x/..", "/x/./y" };
	struct policy_source source = { .text = HEAD, .file = "p.yaml", .len = strlen(HEAD) };
	struct diags d = {};
	struct policy_verdict v;
	struct policy *p;

	CHECK_OK(policy_load(&source, &p, &d));
	for (size_t i = 0; i < ARRAY_SIZE(unclean); i++) {
		struct policy_action a = { .verb = VERB_READ, .path = unclean[i], .path_len = strlen(unclean[i]) };

		CASE("%s", unclean[i]);
		CHECK_EQ(policy_eval(p, &a, &v), -EINVAL);
	}
	policy_free(p);
	diags_done(&d);
}

TEST_MAIN()
