/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies that are wrong, and the whole of what is said about each: one place, one reason, what to do. A message is read by somebody
 * in a hurry, so a change of one is a change of this table.
 */
#include "policy/policy.h"
#include "test.h"

#define HEAD "version: 1\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n"

static const struct {
	const char *name, *text, *says;
} wrong[] = {
	{ "not_yaml",
	  "version: 1\npolicy: [\n",
	  "p.yaml:3:1: error: did not find expected node content\n" },
	{ "empty",
	  "",
	  "p.yaml:1:1: error: the file is empty: a document is expected\n" },
	{ "a_list",
	  "- version: 1\n",
	  "p.yaml:1:1: error: a policy is a map: {key: value} or \"key: value\" lines\n" },
	{ "no_version",
	  "policy: p\nopen: [devices, privileges, limits, session, labels]\n",
	  "p.yaml:1:1: error: the first key is \"version: 1\"\n" },
	{ "version_2",
	  "version: 2\npolicy: p\nopen: [devices, privileges, limits, session, labels]\n",
	  "p.yaml:1:10: error: this program reads version 1 of the language\n" },
	{ "no_name",
	  "version: 1\nopen: [devices, privileges, limits, session, labels]\n",
	  "p.yaml:1:1: error: the policy has no name: add \"policy: name\"\n" },
	{ "bad_name",
	  "version: 1\npolicy: My Policy\nopen: [devices, privileges, limits, session, labels]\n",
	  "p.yaml:2:9: error: a policy's name has up to 64 of a-z 0-9 - _ .\n" },
	{ "name_is_list",
	  "version: 1\npolicy: [p]\nopen: [devices, privileges, limits, session, labels]\n",
	  "p.yaml:2:9: error: the policy's name is a text\n" },
	{ "unknown_key",
	  HEAD "fiels: {read: [/x]}\n",
	  "p.yaml:4:1: error: unknown key \"fiels\" in a policy: did you mean \"files\"?\n" },
	{ "unknown_key_far",
	  HEAD "frobnicate: 1\n",
	  "p.yaml:4:1: error: unknown key \"frobnicate\" in a policy: it may have version policy owner about params uses open "
	  "files network sockets calls record tests\n" },
	{ "duplicate_key",
	  HEAD "files: {}\nfiles: {}\n",
	  "p.yaml:5:1: error: the key \"files\" stands here twice, first on line 4: keep one\n" },
	{ "anchor",
	  HEAD "files: &a {read: [/x]}\n",
	  "p.yaml:4:8: error: anchors (&name) are not supported: write the value out, or quote it if the & belongs to it\n" },
	{ "at_sign",
	  HEAD "network: {deny: [{to: @metadata}]}\n",
	  "p.yaml:4:23: error: a value that starts with \"@\" needs quotes: \"@name\"\n" },
	{ "star_bare",
	  HEAD "files: {deny: [**/.env]}\n",
	  "p.yaml:4:16: error: a value that starts with \"*\" needs quotes (YAML reads * as an alias)\n" },
	{ "class_missing",
	  "version: 1\npolicy: p\nopen: [devices, privileges, limits, session]\n",
	  "p.yaml:3:7: error: class labels is not enforced yet: list it in open: [labels]\n" },
	{ "classes_missing",
	  "version: 1\npolicy: p\n",
	  "p.yaml: error: classes devices, privileges, limits, session, labels are not enforced yet: list them in open: [devices, "
	  "privileges, limits, session, labels]\n" },
	{ "class_named",
	  HEAD "limits: {memory: 2G}\n",
	  "p.yaml:4:1: error: class limits is not built yet: remove its rules and list it in open:\n" },
	{ "devices_named",
	  HEAD "devices: ['@std']\n",
	  "p.yaml:4:1: error: class devices is not built yet: remove its rules and list it in open:\n" },
	{ "open_word",
	  "version: 1\npolicy: p\nopen: [device, privileges, limits, session, labels]\n",
	  "p.yaml:3:8: error: \"device\" is not a class: did you mean \"devices\"?\n" },
	{ "open_scalar",
	  "version: 1\npolicy: p\nopen: all\n",
	  "p.yaml:3:7: error: open is a list: [a, b] or one \"- a\" a line\n" },
	{ "open_and_allow",
	  "version: 1\npolicy: p\nopen: [files, devices, privileges, limits, session, labels]\nfiles: {read: [/x]}\n",
	  "p.yaml:4:16: error: an allow in a class that open: lists changes nothing: remove it, or files from open:\n" },
	{ "within",
	  HEAD "within: org-floor\n",
	  "p.yaml:4:1: error: \"within\" is not built yet: remove it\n" },
	{ "on_refusal",
	  HEAD "on_refusal: [{match: '*', do: kill}]\n",
	  "p.yaml:4:1: error: \"on_refusal\" is not built yet: remove it\n" },
	{ "by",
	  HEAD "files: {read: [{path: /x, by: /usr/bin/git}]}\n",
	  "p.yaml:4:27: error: \"by\" is not built yet: remove it\n" },
	{ "until",
	  HEAD "network: {connect: [{to: 10.0.0.0/8, until: 2027-03-31}]}\n",
	  "p.yaml:4:38: error: \"until\" is not built yet: remove it\n" },
	{ "effect",
	  HEAD "network: {connect: [{to: 10.0.0.0/8, effect: read}]}\n",
	  "p.yaml:4:38: error: \"effect\" is not built yet: remove it\n" },
	{ "record_required",
	  HEAD "files: {read: [{path: /x, record: required}]}\n",
	  "p.yaml:4:27: error: \"record\" is not built yet: remove it\n" },
	{ "tls",
	  HEAD "network: {connect: [{to: 10.0.0.0/8, tls: off}]}\n",
	  "p.yaml:4:38: error: \"tls\" is not built yet: remove it\n" },
	{ "families",
	  HEAD "sockets: {families: [netlink:route]}\n",
	  "p.yaml:4:11: error: \"families\" is not built yet: remove it\n" },
	{ "calls_refuse",
	  HEAD "calls: {refuse: [userfaultfd]}\n",
	  "p.yaml:4:9: error: \"refuse\" is not built yet: remove it\n" },
	{ "calls_userns",
	  HEAD "calls: {allow: ['@userns']}\n",
	  "p.yaml:4:17: error: opening \"@userns\" is not built yet: remove it\n" },
	{ "calls_typo",
	  HEAD "calls: {allow: ['@iouring']}\n",
	  "p.yaml:4:17: error: \"@iouring\" is not a group of calls: did you mean \"@io_uring\"?\n" },
	{ "metadata_strict",
	  HEAD "files: {metadata: strict}\n",
	  "p.yaml:4:9: error: \"metadata\" is not built yet: remove it\n" },
	{ "record_dns",
	  HEAD "record: [exec, dns]\n",
	  "p.yaml:4:16: error: recording \"dns\" is not built yet: remove it\n" },
	{ "record_call",
	  HEAD "record: [call]\n",
	  "p.yaml:4:10: error: recording \"call\" is not built yet: remove it\n" },
	{ "record_typo",
	  HEAD "record: [exce]\n",
	  "p.yaml:4:10: error: \"exce\" is not a kind of record: did you mean \"exec\"?\n" },
	{ "domain",
	  HEAD "network: {connect: [{to: api.example.com, ports: [443]}]}\n",
	  "p.yaml:4:26: error: \"api.example.com\": rules by domain name are not built yet: write an address, a CIDR or a group\n" },
	{ "domain_star",
	  HEAD "network: {connect: [{to: '*.example.com'}]}\n",
	  "p.yaml:4:26: error: \"*.example.com\": rules by domain name are not built yet: write an address, a CIDR or a group\n" },
	{ "same_sandbox",
	  HEAD "network: {connect: [{to: '@same-sandbox'}]}\n",
	  "p.yaml:4:26: error: the group @same-sandbox is not built yet: remove it\n" },
	{ "uses_typo",
	  HEAD "uses: [bsae]\n",
	  "p.yaml:4:8: error: \"bsae\" is not a preset: did you mean \"base\"?\n" },
	{ "uses_not_built",
	  HEAD "uses: [node]\n",
	  "p.yaml:4:8: error: preset node is not built yet: remove it\n" },
	{ "uses_twice",
	  HEAD "uses: [base, base]\n",
	  "p.yaml:4:14: error: preset base is listed twice\n" },
	{ "uses_scalar",
	  HEAD "uses: base\n",
	  "p.yaml:4:7: error: uses is a list: [a, b] or one \"- a\" a line\n" },
	{ "param_type",
	  HEAD "params: {w: dir}\n",
	  "p.yaml:4:13: error: \"dir\" is not a parameter's type: it is one of path to\n" },
	{ "param_name",
	  HEAD "params: {Work-Space: path}\n",
	  "p.yaml:4:10: error: a parameter's name has up to 32 of a-z 0-9 _\n" },
	{ "param_missing",
	  HEAD "params: {w: path}\nfiles: {read: [$w/x]}\n",
	  "p.yaml:4:10: error: parameter w has no value: give --param w=...\n" },
	{ "param_relative",
	  HEAD "params: {relative: path}\n",
	  "p.yaml:4:10: error: parameter relative is a path: absolute, without \".\", \"..\", \"//\" or a \"/\" at the end, not "
	  "\"ws\"\n" },
	{ "param_to_bad",
	  HEAD "params: {badto: to}\n",
	  "p.yaml:4:10: error: parameter badto: 10.0.0.1/8 has bits set behind its prefix: did you mean 10.0.0.0/8?\n" },
	{ "param_unknown",
	  HEAD "params: {workspace: path}\nfiles: {read: [$workspce]}\n",
	  "p.yaml:5:16: error: $workspce is not a parameter: did you mean $workspace?\n" },
	{ "param_undeclared",
	  HEAD "files: {read: [$home/x]}\n",
	  "p.yaml:4:16: error: $home is not a parameter: declare it as params: {home: path}\n" },
	{ "param_wrong_kind",
	  HEAD "params: {db: to}\nfiles: {read: [$db]}\n",
	  "p.yaml:5:16: error: $db is an address, and a path is needed here\n" },
	{ "param_path_as_to",
	  HEAD "params: {workspace: path}\nnetwork: {connect: [{to: $workspace}]}\n",
	  "p.yaml:5:26: error: $workspace is a path, and an address is needed here\n" },
	{ "param_glued",
	  HEAD "params: {workspace: path}\nfiles: {read: [$workspace-old]}\n",
	  "p.yaml:5:16: error: after $workspace comes \"/\" or the end, not \"-old\"\n" },
	{ "params_list",
	  HEAD "params: [workspace]\n",
	  "p.yaml:4:9: error: params is a map: {name: path} or {name: to}\n" },
	{ "path_relative",
	  HEAD "files: {read: [srv/x]}\n",
	  "p.yaml:4:16: error: a path starts with \"/\", \"**\" or a parameter, not \"srv/x\"\n" },
	{ "path_home",
	  HEAD "files: {read: ['~/.config']}\n",
	  "p.yaml:4:16: error: a path starts with \"/\", \"**\" or a parameter, not \"~/.config\" (declare params: {home: path} "
	  "and write $home)\n" },
	{ "path_dot",
	  HEAD "files: {read: [/a/./b]}\n",
	  "p.yaml:4:16: error: \".\" and \"..\" mean nothing in a policy: write the path that they lead to, in \"/a/./b\"\n" },
	{ "path_dotdot",
	  HEAD "files: {read: [/a/../b]}\n",
	  "p.yaml:4:16: error: \".\" and \"..\" mean nothing in a policy: write the path that they lead to, in \"/a/../b\"\n" },
	{ "path_double_slash",
	  HEAD "files: {read: [/a//b]}\n",
	  "p.yaml:4:16: error: an empty component (\"//\", or a \"/\" at the end): a directory already means itself and all "
	  "below, in \"/a//b\"\n" },
	{ "path_trailing_slash",
	  HEAD "files: {read: [/a/]}\n",
	  "p.yaml:4:16: error: an empty component (\"//\", or a \"/\" at the end): a directory already means itself and all "
	  "below, in \"/a/\"\n" },
	{ "path_starstar_inside",
	  HEAD "files: {read: ['/a/x**']}\n",
	  "p.yaml:4:16: error: \"**\" is a whole component, as in /a/**/b: write \"*\" inside one, in \"/a/x**\"\n" },
	{ "path_set_open",
	  HEAD "files: {read: ['/a/[bc']}\n",
	  "p.yaml:4:16: error: a \"[\" without its \"]\" in the same component: write \"\\[\" for the character, in \"/a/[bc\"\n" },
	{ "path_set_empty",
	  HEAD "files: {read: ['/a/[]']}\n",
	  "p.yaml:4:16: error: an empty set \"[]\": write \"\\]\" for the character, in \"/a/[]\"\n" },
	{ "path_set_backwards",
	  HEAD "files: {read: ['/a/[z-a]']}\n",
	  "p.yaml:4:16: error: a range in a set runs backwards, in \"/a/[z-a]\"\n" },
	{ "path_set_slash",
	  HEAD "files: {read: ['/a/[b/c]']}\n",
	  "p.yaml:4:16: error: a \"[\" without its \"]\" in the same component: write \"\\[\" for the character, in "
	  "\"/a/[b/c]\"\n" },
	{ "path_set_nested",
	  HEAD "files: {read: ['/a/[[:alpha:]]']}\n",
	  "p.yaml:4:16: error: a \"[\" inside a set: write \"\\[\" for the character, in \"/a/[[:alpha:]]\"\n" },
	{ "path_set_utf8",
	  HEAD "files: {read: ['/a/[é]']}\n",
	  "p.yaml:4:16: error: a set holds single bytes and this character is several: write each as \"\\\", x and two hex "
	  "digits, in \"/a/[é]\"\n" },
	{ "path_bracket_alone",
	  HEAD "files: {read: ['/a/b]']}\n",
	  "p.yaml:4:16: error: a \"]\" without its \"[\": write \"\\]\" for the character, in \"/a/b]\"\n" },
	{ "path_escape",
	  HEAD "files: {read: ['/a/\\q']}\n",
	  "p.yaml:4:16: error: \"\\\" goes before one of * ? [ ] \\ $, or before x and two hex digits (not 00, not 2f), in "
	  "\"/a/\\q\"\n" },
	{ "path_escape_end",
	  HEAD "files: {read: ['/a/\\']}\n",
	  "p.yaml:4:16: error: a \"\\\" at the end, in \"/a/\\\"\n" },
	{ "path_escape_slash",
	  HEAD "files: {read: ['/a/\\x2f']}\n",
	  "p.yaml:4:16: error: \"\\\" goes before one of * ? [ ] \\ $, or before x and two hex digits (not 00, not 2f), in "
	  "\"/a/\\x5cx2f\"\n" },
	{ "path_dollar",
	  HEAD "files: {read: ['/a/$b']}\n",
	  "p.yaml:4:16: error: a parameter stands at the start of a path; write \"\\$\" for the character, in \"/a/$b\"\n" },
	{ "path_map",
	  HEAD "files: {read: [[/a]]}\n",
	  "p.yaml:4:16: error: a rule of files.read is a map: {key: value} or \"key: value\" lines\n" },
	{ "path_empty",
	  HEAD "files: {read: ['']}\n",
	  "p.yaml:4:16: error: a path starts with \"/\", \"**\" or a parameter, not \"\"\n" },
	{ "path_empty_list",
	  HEAD "files: {read: [{path: []}]}\n",
	  "p.yaml:4:23: error: an empty list of paths rules nothing\n" },
	{ "path_absent",
	  HEAD "files: {read: [{why: because}]}\n",
	  "p.yaml:4:16: error: a rule without \"path\" rules nothing\n" },
	{ "files_list",
	  HEAD "files: [/x]\n",
	  "p.yaml:4:8: error: files is a map: {key: value} or \"key: value\" lines\n" },
	{ "read_scalar",
	  HEAD "files: {read: /x}\n",
	  "p.yaml:4:15: error: files.read is a list: [a, b] or one \"- a\" a line\n" },
	{ "verb_unknown",
	  HEAD "files: {exec: [/x]}\n",
	  "p.yaml:4:9: error: unknown key \"exec\" in files: did you mean \"execute\"?\n" },
	{ "except_on_allow",
	  HEAD "files: {read: [{path: /x, except: [/x/y]}]}\n",
	  "p.yaml:4:35: error: \"except\" narrows a deny: an allow lists what it allows\n" },
	{ "verbs_on_allow",
	  HEAD "files: {read: [{path: /x, verbs: [write]}]}\n",
	  "p.yaml:4:34: error: \"verbs\" belongs to a deny: an allow stands under its verb\n" },
	{ "verbs_typo",
	  HEAD "files: {deny: [{path: /x, verbs: [wirte]}]}\n",
	  "p.yaml:4:35: error: \"wirte\" is not a verb: did you mean \"write\"?\n" },
	{ "verbs_empty",
	  HEAD "files: {deny: [{path: /x, verbs: []}]}\n",
	  "p.yaml:4:34: error: an empty list of verbs rules nothing\n" },
	{ "rule_key_typo",
	  HEAD "files: {deny: [{path: /x, exept: [/x/y]}]}\n",
	  "p.yaml:4:27: error: unknown key \"exept\" in a rule of files.deny: did you mean \"except\"?\n" },
	{ "id_chars",
	  HEAD "files: {read: [{path: /x, id: 'My Rule'}]}\n",
	  "p.yaml:4:31: error: an id has up to 64 of a-z 0-9 - _ . and starts with a letter or a digit\n" },
	{ "id_taken",
	  HEAD "files:\n  read:\n    - {path: /x, id: one}\n    - {path: /y, id: one}\n",
	  "p.yaml:7:7: error: the id \"one\" is taken by p.yaml:6\n" },
	{ "id_builtin",
	  HEAD "files: {read: [{path: /x, id: guard.self}]}\n",
	  "p.yaml:4:16: error: the id \"guard.self\" is one of Bailiff's own\n" },
	{ "id_of_preset",
	  "version: 1\npolicy: p\nuses: [base]\nfiles: {read: [{path: /srv, id: base.credentials}]}\n",
	  "p.yaml:4:16: error: the id \"base.credentials\" is taken by preset:base:26\n" },
	{ "rule_twice",
	  HEAD "files:\n  read:\n    - /x\n    - {path: [/x, /x], why: again}\n",
	  "p.yaml:7:7: error: this rule stands already at p.yaml:6\n" },
	{ "why_list",
	  HEAD "files: {read: [{path: /x, why: [a]}]}\n",
	  "p.yaml:4:32: error: why is a text\n" },
	{ "net_scalar",
	  HEAD "network: {connect: [10.0.0.1]}\n",
	  "p.yaml:4:21: error: a rule of network.connect is a map: {key: value} or \"key: value\" lines\n" },
	{ "net_no_to",
	  HEAD "network: {connect: [{ports: [443]}]}\n",
	  "p.yaml:4:21: error: a network rule without \"to\" rules nothing\n" },
	{ "net_host_bits",
	  HEAD "network: {connect: [{to: 10.0.0.1/8}]}\n",
	  "p.yaml:4:26: error: 10.0.0.1/8 has bits set behind its prefix: did you mean 10.0.0.0/8?\n" },
	{ "net_prefix",
	  HEAD "network: {connect: [{to: 10.0.0.0/33}]}\n",
	  "p.yaml:4:26: error: a prefix length is a number from 0 to 32, not \"33\"\n" },
	{ "net_port_in_to",
	  HEAD "network: {connect: [{to: '10.0.0.1:443'}]}\n",
	  "p.yaml:4:26: error: the port of \"10.0.0.1:443\" goes under \"ports\"\n" },
	{ "net_brackets",
	  HEAD "network: {connect: [{to: '[::1]'}]}\n",
	  "p.yaml:4:26: error: an IPv6 address stands without brackets here, and its port under \"ports\": \"[::1]\"\n" },
	{ "net_short",
	  HEAD "network: {connect: [{to: 10.0.0}]}\n",
	  "p.yaml:4:26: error: \"10.0.0\" is not an address: write 10.0.0.1, 10.0.0.0/8, 2001:db8::1 or 2001:db8::/32\n" },
	{ "net_mapped",
	  HEAD "network: {connect: [{to: '::ffff:10.0.0.1'}]}\n",
	  "p.yaml:4:26: error: \"::ffff:10.0.0.1\" is IPv4 written as IPv6: write it as IPv4\n" },
	{ "net_group_typo",
	  HEAD "network: {connect: [{to: '@intenet'}]}\n",
	  "p.yaml:4:26: error: \"@intenet\" is not a group: did you mean @internet?\n" },
	{ "net_group_unknown",
	  HEAD "network: {connect: [{to: '@everything'}]}\n",
	  "p.yaml:4:26: error: \"@everything\" is not a group: there are @internet @private @loopback @link-local @metadata\n" },
	{ "net_port",
	  HEAD "network: {connect: [{to: 10.0.0.1, ports: [70000]}]}\n",
	  "p.yaml:4:44: error: a port is a number from 0 to 65535 or a range like 3000-3999\n" },
	{ "net_port_range",
	  HEAD "network: {connect: [{to: 10.0.0.1, ports: [90-80]}]}\n",
	  "p.yaml:4:44: error: a port is a number from 0 to 65535 or a range like 3000-3999\n" },
	{ "net_port_name",
	  HEAD "network: {connect: [{to: 10.0.0.1, ports: [https]}]}\n",
	  "p.yaml:4:44: error: a port is a number from 0 to 65535 or a range like 3000-3999\n" },
	{ "net_ports_empty",
	  HEAD "network: {connect: [{to: 10.0.0.1, ports: []}]}\n",
	  "p.yaml:4:43: error: an empty list of ports rules nothing: leave \"ports\" out for every port\n" },
	{ "net_proto",
	  HEAD "network: {connect: [{to: 10.0.0.1, proto: tpc}]}\n",
	  "p.yaml:4:43: error: \"tpc\" is not a protocol: did you mean \"tcp\"?\n" },
	{ "net_proto_icmp",
	  HEAD "network: {connect: [{to: 10.0.0.1, proto: icmp}]}\n",
	  "p.yaml:4:43: error: \"icmp\" is not a protocol: it is one of tcp udp\n" },
	{ "net_to_empty",
	  HEAD "network: {connect: [{to: []}]}\n",
	  "p.yaml:4:26: error: an empty list of addresses rules nothing\n" },
	{ "dead_allow",
	  HEAD "files:\n  read: [/srv/x/y]\n  deny: [/srv/x]\n",
	  "p.yaml:5:10: error: this allow is dead: the deny at p.yaml:6 (files.deny.a87a0d36) refuses all of it\n" },
	{ "dead_by_glob",
	  HEAD "files:\n  read: ['/home/*/.ssh/config', /home/u/.ssh]\n  deny: ['**/.ssh']\n",
	  "p.yaml:5:33: error: this allow is dead: the deny at p.yaml:6 (files.deny.f3bb0aa2) refuses all of it\n" },
	{ "dead_by_preset",
	  "version: 1\npolicy: p\nuses: [base]\nfiles:\n  read: [/etc/shadow]\n",
	  "p.yaml:5:10: error: this allow is dead: the deny at preset:base:32 (base.host-secrets) refuses all of it\n" },
	{ "dead_own",
	  HEAD "files: {read: [/var/lib/bailiff/journal]}\n",
	  "p.yaml:4:16: error: this allow is dead: the path is Bailiff's own and always refused (guard.self)\n" },
	{ "dead_two_denies",
	  HEAD "files:\n  write: [/srv/x]\n  deny:\n    - {path: /srv, verbs: [change, create]}\n    - {path: /srv/x, verbs: "
	  "[remove]}\n",
	  "p.yaml:5:11: error: this allow is dead: the deny at p.yaml:8 (files.deny.c48ec4a3) refuses all of it\n" },
	{ "dead_address",
	  HEAD "network:\n  connect: [{to: 10.1.0.0/16, ports: [443]}]\n  deny: [{to: '@private'}]\n",
	  "p.yaml:5:13: error: this allow is dead: the deny at p.yaml:6 (network.deny.535e10f2) refuses all of it\n" },
	{ "deputy",
	  HEAD "sockets: {unix: [/run/docker.sock]}\n",
	  "p.yaml:4:18: error: this reaches /run/docker.sock, whose owner acts for whoever asks: write {path: ..., i_accept: "
	  "host-control}, or a narrower path\n" },
	{ "deputy_by_directory",
	  HEAD "sockets: {unix: [/run]}\n",
	  "p.yaml:4:18: error: this reaches /run/docker.sock, whose owner acts for whoever asks: write {path: ..., i_accept: "
	  "host-control}, or a narrower path\n" },
	{ "accept_typo",
	  HEAD "sockets: {unix: [{path: /run/docker.sock, i_accept: yes}]}\n",
	  "p.yaml:4:53: error: \"yes\" is not something to accept: it is one of host-control\n" },
	{ "test_answer",
	  HEAD "tests: [{'read /x': denied}]\n",
	  "p.yaml:4:21: error: \"denied\" is not an answer: it is one of refused allowed\n" },
	{ "test_question",
	  HEAD "tests: [{'open /x': refused}]\n",
	  "p.yaml:4:10: error: a question is \"read /path\" (or change create remove write execute unix) or \"connect "
	  "10.0.0.1:443\" (or send listen), not \"open /x\"\n" },
	{ "test_shape",
	  HEAD "tests: ['read /x']\n",
	  "p.yaml:4:9: error: a test is one question and its answer: {\"read /etc/shadow\": refused}\n" },
	{ "test_path",
	  HEAD "tests: [{'read x': refused}]\n",
	  "p.yaml:4:10: error: a path to ask about is absolute, without \".\", \"..\", \"//\" or a \"/\" at the end, not \"x\"\n" },
	{ "test_domain",
	  HEAD "tests: [{'connect api.example.com:443': refused}]\n",
	  "p.yaml:4:10: error: an address to ask about is like 10.0.0.1:443, [2001:db8::1]:443 or 10.0.0.1:53/udp (domain names "
	  "are not built yet), not \"api.example.com:443\"\n" },
	{ "test_param",
	  HEAD "tests: [{'read $w/x': refused}]\n",
	  "p.yaml:4:10: error: $w is not a parameter: declare it as params: {w: path}\n" },
	{ "several",
	  "version: 1\npolicy: p\nfiels: {}\nparams: {w: dir}\nfiles: {read: [$w/x, y, /z/]}\nnetwork: {connect: [{to: nowhere, "
	  "ports: [0x50]}]}\n",
	  "p.yaml:3:1: error: unknown key \"fiels\" in a policy: did you mean \"files\"?\n"
	  "p.yaml:4:13: error: \"dir\" is not a parameter's type: it is one of path to\n"
	  "p.yaml:5:22: error: a path starts with \"/\", \"**\" or a parameter, not \"y\"\n"
	  "p.yaml:5:25: error: an empty component (\"//\", or a \"/\" at the end): a directory already means itself and all "
	  "below, in \"/z/\"\n"
	  "p.yaml:6:26: error: \"nowhere\": rules by domain name are not built yet: write an address, a CIDR or a group\n"
	  "p.yaml:6:43: error: a port is a number from 0 to 65535 or a range like 3000-3999\n" },
};

static const struct policy_param params[] = {
	{ "workspace", "/srv/ws" }, { "relative", "ws" }, { "badto", "10.0.0.1/8" }, { "db", "10.0.0.1" },
};

static int load(const char *text, struct policy **p, struct diags *d)
{
	struct policy_source source = { .text = text, .file = "p.yaml", .len = strlen(text), .params = params, .param_count = ARRAY_SIZE(params) };

	return policy_load(&source, p, d);
}

TEST(each_wrong_policy_is_refused_with_its_place_and_reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_buf_ struct buf said = {};
		struct diags d = {};
		struct policy *p = NULL;

		CASE("%s", wrong[i].name);
		CHECK_EQ(load(wrong[i].text, &p, &d), -EINVAL);
		CHECK(!p);
		CHECK(d.errors > 0);
		diags_print(&d, &said);
		CHECK_STR(said.data, wrong[i].says);
		diags_done(&d);
	}
}

TEST(warnings_do_not_refuse)
{
	static const struct {
		const char *text, *says;
	} doubtful[] = {
		{ HEAD "sockets: {unix: [/var/run/postgresql]}\n",
		  "p.yaml:4:18: warning: /var/run is a link to /run on most systems, and paths are judged behind links: write /run\n" },
		{ HEAD "params: {workspace: path}\n", "p.yaml:4:10: warning: parameter workspace is never used\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(doubtful); i++) {
		_buf_ struct buf said = {};
		struct diags d = {};
		struct policy *p = NULL;

		CASE("%zu", i);
		CHECK_OK(load(doubtful[i].text, &p, &d));
		diags_print(&d, &said);
		CHECK_STR(said.data, doubtful[i].says);
		CHECK_EQ(d.errors, 0);
		diags_done(&d);
		policy_free(p);
	}
}

TEST(a_hostile_text_does_not_fill_memory_with_complaints)
{
	_buf_ struct buf text = {};
	struct diags d = {};
	struct policy *p = NULL;

	buf_add_str(&text, HEAD "files:\n  read:\n");
	for (int i = 0; i < 5000; i++)
		buf_add_str(&text, "    - relative\n");
	CHECK_OK(text.err);
	CHECK_EQ(load(text.data, &p, &d), -EINVAL);
	CHECK_EQ(d.errors, 5000);
	CHECK_EQ(d.count, 200);
	diags_done(&d);
}

TEST(what_an_author_wrote_reaches_no_terminal_raw)
{
	_buf_ struct buf said = {};
	struct diags d = {};
	struct policy *p = NULL;

	CHECK_EQ(load(HEAD "files: {read: [\"\\e[2Jx\"]}\n", &p, &d), -EINVAL);
	diags_print(&d, &said);
	CHECK_STR(said.data, "p.yaml:4:16: error: a path starts with \"/\", \"**\" or a parameter, not \"\\x1b[2Jx\"\n");
	diags_done(&d);
}

TEST_MAIN()
