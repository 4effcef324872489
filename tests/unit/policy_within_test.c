/* SPDX-License-Identifier: Apache-2.0 */
/* Ceilings: what is said to be within is within, and what is not is shown by an action that proves it. */
#include "policy/policy.h"
#include "policy_random.h"
#include "test.h"

#define UNBUILT "devices, privileges, limits, session, labels"
#define HEAD "version: 1\npolicy: p\nopen: [" UNBUILT "]\n"
#define FULL "version: 1\npolicy: p\n"

/* 0 or -EINVAL with what was said, where `text` is to stand within `above`. */
static int within(const char *text, const char *above, struct policy **p, struct buf *said)
{
	const struct policy_ceiling ceiling = { .name = "floor", .file = "floor.yaml", .text = above, .len = strlen(above) };
	_buf_ struct buf whole = {};
	struct policy_source source = { .file = "p.yaml", .ceilings = &ceiling, .ceiling_count = 1, .only_check = true };
	struct diags d = {};
	int err;

	buf_addf(&whole, "%swithin: floor\n", text);
	source.text = whole.data;
	source.len = whole.len;
	err = policy_load(&source, p, &d);
	diags_print(&d, said);
	diags_done(&d);
	return err;
}

static const struct {
	const char *claim, *text, *above;
	const char *says;	/* NULL: it is within */
} rows[] = {
	{ "the same", HEAD "files: {read: [/a]}\n", HEAD "files: {read: [/a]}\n", NULL },
	{ "less by path", HEAD "files: {read: [/a/b]}\n", HEAD "files: {read: [/a]}\n", NULL },
	{ "more by path", HEAD "files: {read: [/a]}\n",
	  HEAD "files: {read: [/a/b]}\n", "p.yaml:4:16: error: this goes beyond the ceiling floor, which refuses \"read /a\" by files.default" },
	{ "more by verb",
	  HEAD "files: {write: [/a]}\n", HEAD "files: {change: [/a]}\n", "refuses \"create /a\" by files.default" },
	{ "two allows together",
	  HEAD "files: {write: [/a]}\n", HEAD "files: {change: [/a], create: [/a], remove: [/]}\n", NULL },
	{ "two patterns together",
	  HEAD "files: {read: ['/a/?']}\n", HEAD "files: {read: ['/a/[a-m]', '/a/[!a-m]']}\n", NULL },
	{ "a deny of the ceiling",
	  HEAD "files: {read: [/a]}\n", HEAD "files: {read: [/a], deny: [{path: '**/.env', id: env}]}\n", "by env" },
	{ "that the policy has too",
	  HEAD "files: {read: [/a], deny: ['**/.env']}\n", HEAD "files: {read: [/a], deny: ['**/.env']}\n", NULL },
	{ "a deny with an exception that the policy allows",
	  HEAD "files: {read: [/a/b]}\n", HEAD "files: {read: [/a], deny: [{path: /a, except: /a/b}]}\n", NULL },
	{ "an open class", "version: 1\npolicy: p\nopen: [files, " UNBUILT "]\n",
	  HEAD "files: {read: [/]}\n", "class files is open here, and not in the ceiling floor" },
	{ "under an open class", HEAD "files: {read: [/a]}\n", "version: 1\npolicy: p\nopen: [files, " UNBUILT "]\n", NULL },
	{ "an address less",
	  HEAD "network: {connect: [{to: 10.1.0.0/16, ports: [443]}]}\n", HEAD "network: {connect: [{to: 10.0.0.0/8}]}\n", NULL },
	{ "an address more", HEAD "network: {connect: [{to: 10.0.0.0/7}]}\n",
	  HEAD "network: {connect: [{to: 10.0.0.0/8}]}\n", "refuses \"connect 11.0.0.0:0\" by network.default" },
	{ "a port more", HEAD "network: {connect: [{to: 10.0.0.1, ports: [80-81]}]}\n",
	  HEAD "network: {connect: [{to: 10.0.0.1, ports: [80]}]}\n", "refuses \"connect 10.0.0.1:81\"" },
	{ "a protocol more", HEAD "network: {connect: [{to: 10.0.0.1, proto: [tcp, udp]}]}\n",
	  HEAD "network: {connect: [{to: 10.0.0.1}]}\n", "/udp\" by network.default" },
	{ "two ranges together",
	  HEAD "network: {connect: [{to: 10.0.0.0/8}]}\n", HEAD "network: {connect: [{to: 10.0.0.0/9}, {to: 10.128.0.0/9}]}\n", NULL },
	{ "a unix socket",
	  HEAD "sockets: {unix: [/run/x]}\n", HEAD "sockets: {unix: [/run/y]}\n", "refuses \"unix /run/x\" by sockets.default" },
	{ "a domain below",
	  HEAD "network: {connect: [{to: a.b.example.com, ports: [443]}]}\n", HEAD "network: {connect: [{to: '*.example.com'}]}\n", NULL },
	{ "a domain beside",
	  HEAD "network: {connect: [{to: example.com}]}\n", HEAD "network: {connect: [{to: '*.example.com'}]}\n", "refuses \"example.com\"" },
	{ "a domain under the whole internet",
	  HEAD "network: {connect: [{to: example.com}]}\n", HEAD "network: {connect: [{to: '@internet'}]}\n", NULL },
	{ "a domain and a deny by address", HEAD "network: {connect: [{to: example.com}]}\n",
	  HEAD "network: {connect: [{to: '@internet'}], deny: [{to: 8.8.8.8, id: z}]}\n", "refuses \"an address that a domain name may have\" by z" },
	{ "a deny by name that is missing",
	  HEAD "network: {connect: [{to: 8.8.8.8}]}\n", HEAD "network: {connect: [{to: 8.8.8.8}], deny: [{to: bad.example, id: z}]}\n",
	  "refuses \"bad.example\" by z" },
	{ "an allow for one program only is none above",
	  HEAD "files: {read: [{path: /a, by: /bin/x}]}\n", HEAD "files: {read: [{path: /a, by: /bin/x}]}\n", "refuses \"read /a\"" },
	{ "an allow for one program below",
	  HEAD "files: {read: [{path: /a, by: /bin/x}]}\n", HEAD "files: {read: [/a]}\n", NULL },
	{ "an allow that ends above",
	  HEAD "files: {read: [/a]}\n", HEAD "files: {read: [{path: /a, until: 2097-01-01}]}\n", "refuses \"read /a\"" },
	{ "a deny with an until refuses for ever", HEAD "files: {read: [/a], deny: [{path: /a/b, until: 2097-01-01}]}\n",
	  HEAD "files: {read: [/a], deny: [/a/b]}\n", NULL },
	{ "a deny for one program above holds for all",
	  HEAD "files: {read: [/a]}\n", HEAD "files: {read: [/a], deny: [{path: /a/b, by: /bin/x, id: z}]}\n", "by z" },
	{ "a group of calls",
	  HEAD "calls: {allow: ['@userns']}\n", HEAD "calls: {allow: ['@io_uring']}\n", "refuses \"call setns\" by calls.default" },
	{ "a call that the ceiling refuses",
	  HEAD, HEAD "calls: {refuse: [{call: userfaultfd, id: z}]}\n", "refuses \"call userfaultfd\" by z" },
	{ "and the policy too",
	  HEAD "calls: {refuse: [userfaultfd, mlock]}\n", HEAD "calls: {refuse: [userfaultfd]}\n", NULL },
	{ "a family",
	  HEAD "sockets: {families: [netlink:route]}\n", HEAD, "refuses \"family netlink:route\" by sockets.family" },
	{ "a device of a group", FULL "devices: [/dev/null]\n", FULL "devices: ['@std']\n", NULL },
	{ "a group of devices by its nodes",
	  FULL "devices: ['@gpu']\n", FULL "devices: [/dev/dri]\n", "refuses \"@gpu\" by devices.default" },
	{ "a device more",
	  FULL "devices: ['/dev/snd/*']\n", FULL "devices: [/dev/snd/seq]\n", "refuses \"/dev/snd/*\" by devices.default" },
	{ "a capability more", FULL "privileges: {capabilities: [CAP_KILL]}\n",
	  FULL "privileges: {capabilities: []}\n", "refuses \"capability CAP_KILL\" by privileges.default" },
	{ "a set-id program",
	  FULL "privileges: {set_id: [/usr/bin/ping]}\n", FULL "privileges: {set_id: [/usr/bin]}\n", NULL },
	{ "a variable by its pattern",
	  FULL "session: {environment: ['OPENAI_API_*']}\n", FULL "session: {environment: ['OPENAI_*']}\n", NULL },
	{ "a variable more", FULL "session: {environment: ['OPENAI_*']}\n",
	  FULL "session: {environment: ['OPENAI_API_*']}\n", "refuses \"OPENAI_*\" by session.default" },
	{ "a limit missing", FULL, FULL "limits: {memory: {most: 2G, id: z}}\n", "by z" },
	{ "a limit higher", FULL "limits: {memory: 3G}\n", FULL "limits: {memory: 2G}\n", "refuses \"memory 2147483649\"" },
	{ "a limit lower", FULL "limits: {memory: 1G}\n", FULL "limits: {memory: 2G}\n", NULL },
	{ "a label missing",
	  FULL, FULL "labels: {l: {on_read: [/x], then: {network: {only: []}}, id: z}}\n", "refuses \"l\" by z" },
	{ "a label that is given as easily", FULL "labels: {l: {on_read: [/x], then: {network: {only: []}}}}\n",
	  FULL "labels: {l: {on_read: [/x/y], then: {network: {only: []}}}}\n", NULL },
	{ "a label that leaves more",
	  FULL "network: {connect: [{to: 10.0.0.1, id: a}]}\nlabels: {l: {on_read: [/x], then: {network: {only: [a]}}}}\n",
	  FULL "network: {connect: [{to: 10.0.0.1, id: a}]}\nlabels: {l: {on_read: [/x], then: {network: {only: []}}}}\n", "refuses \"l\" by labels.on_read" },
	{ "another workspace",
	  FULL "session: {workspace: direct}\n", FULL "session: {workspace: copy}\n", "says session: {workspace: copy}" },
	{ "metadata", HEAD, HEAD "files: {metadata: strict}\n", "says files: {metadata: strict}" },
	{ "a ceiling that is wrong", HEAD, HEAD "fiels: {}\n", "the ceiling floor is wrong itself" },
	{ "a ceiling within another", HEAD, HEAD "within: base\n", NULL },
};

TEST(a_policy_is_within_its_ceiling_or_says_where_not)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_buf_ struct buf said = {};
		struct policy *p = NULL;

		CASE("%s", rows[i].claim);
		if (!strcmp(rows[i].claim, "a ceiling within another")) {
			CHECK_EQ(within(rows[i].text, rows[i].above, &p, &said), -EINVAL);
			continue;
		}
		CHECK_EQ(within(rows[i].text, rows[i].above, &p, &said), rows[i].says ? -EINVAL : 0);
		if (rows[i].says)
			CHECK_HAS(said.data, rows[i].says);
		policy_free(p);
	}
}

/* What stands between quotes behind "which refuses" is an action that one allows and the other does not. */
static void witness_check(const struct policy *p, const struct policy *above, const char *said)
{
	static const char mark[] = "which refuses \"";
	const char *start = strstr(said, mark);
	_buf_ struct buf question = {};
	struct policy_verdict a, b;
	struct policy_action action;
	char why[200];

	if (!start)
		return;	/* of a class as a whole */
	start += strlen(mark);
	buf_add(&question, start, strcspn(start, "\""));
	CHECK_OK(policy_action_parse(question.data, &action, why));
	CHECK_OK(policy_eval(p, &action, &a));
	CHECK_OK(policy_eval(above, &action, &b));
	CHECK(a.allowed && !b.allowed);
	policy_action_done(&action);
}

TEST(what_is_proved_holds_for_every_action_and_what_is_refused_has_a_witness)
{
	struct random r = { .state = random_seed() };
	unsigned proved = 0, refused = 0;

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 150; i++) {
		_buf_ struct buf text = {}, other = {}, said = {};
		struct policy *p, *above, *q = NULL;
		int err;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		CHECK_OK(random_policy_load(&r, "", &other, &above));
		if (random_chance(&r, 50)) {	/* a ceiling that allows all, so that some pairs are within */
			policy_free(above);
			buf_reset(&other);
			buf_add_str(&other, "version: 1\npolicy: r\nopen: [files, network, sockets, " UNBUILT "]\n");
			if (random_chance(&r, 50))
				buf_add_str(&other, "files: {deny: [/a/b/c, {path: '**/ba', verbs: [execute]}]}\n");
			above = NULL;
			CHECK_OK(policy_load(&(struct policy_source){ .text = other.data, .len = other.len, .file = "o" }, &above, &(struct diags){}));
		}
		err = within(text.data, other.data, &q, &said);
		CHECK(!err || err == -EINVAL);
		proved += !err;
		refused += err != 0;
		if (err)
			witness_check(p, above, said.data);
		for (int k = 0; k < 300 && !err; k++) {
			struct policy_verdict x, y;
			struct policy_action a;

			random_action(&r, "", &a);
			CHECK_OK(policy_eval(p, &a, &x));
			CHECK_OK(policy_eval(above, &a, &y));
			CHECK(!x.allowed || y.allowed);
			policy_action_done(&a);
		}
		policy_free(q);
		policy_free(p);
		policy_free(above);
	}
	CHECK(proved > 10 && refused > 10);
}

TEST(a_policy_is_within_itself)
{
	struct random r = { .state = random_seed() };

	CASE("SEED=%llu", (unsigned long long)r.state);
	for (int i = 0; i < 50; i++) {
		_buf_ struct buf text = {}, said = {};
		struct policy *p, *q = NULL;

		CHECK_OK(random_policy_load(&r, "", &text, &p));
		if (within(text.data, text.data, &q, &said))
			CHECK_STR(said.data, "");
		policy_free(q);
		policy_free(p);
	}
}

TEST_MAIN()
