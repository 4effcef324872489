/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/settings.h"
#include "tests/unit/test.h"

static const char sink_head[] = "sinks:\n  - name: main\n    type: splunk-hec\n    url: https://splunk:8088\n    token_file: /etc/t\n";

TEST(settings_start_with_documented_defaults)
{
	struct settings s;
	struct settings_error why;

	CHECK_OK(settings_init(&s));
	CHECK_STR(s.run_dir, "/run/bailiff");
	CHECK_STR(s.journal_dir, "/var/lib/bailiff/journal");
	CHECK_EQ(s.linger_seconds, 10);
	CHECK_EQ(s.telemetry_ring_bytes, 8 << 20);
	CHECK_EQ(s.sink_count, 0);
	CHECK_OK(settings_check(&s, &why));
	settings_done(&s);
}

TEST(settings_of_a_file_replace_the_defaults)
{
	static const char text[] = "# ours\nrun_dir: /tmp/run\nlinger_seconds: 0\ndecision_ring_bytes: 256K\n"
		"sinks:\n  - {name: a, type: splunk-hec, url: 'https://x', token_file: /t, ack: false, index: main}\n"
		"  - {name: b, type: splunk-hec, url: 'https://y', token_file: /t2, ca_file: /ca}\n";
	struct settings s;
	struct settings_error why;

	CHECK_OK(settings_init(&s));
	CHECK_OK(settings_parse(&s, text, strlen(text), &why));
	CHECK_STR(s.run_dir, "/tmp/run");
	CHECK_EQ(s.linger_seconds, 0);
	CHECK_EQ(s.decision_ring_bytes, 256 << 10);
	CHECK_EQ(s.sink_count, 2);
	CHECK_STR(s.sinks[0].name, "a");
	CHECK_EQ(s.sinks[0].ack, 0);
	CHECK_STR(s.sinks[0].index, "main");
	CHECK_STR(s.sinks[0].sourcetype, "bailiff:event");
	CHECK_EQ(s.sinks[1].ack, 1);
	CHECK_STR(s.sinks[1].ca_file, "/ca");
	settings_done(&s);
}

TEST(settings_of_an_empty_file_are_the_defaults)
{
	struct settings s;
	struct settings_error why;

	CHECK_OK(settings_init(&s));
	CHECK_OK(settings_parse(&s, "", 0, &why));
	CHECK_OK(settings_parse(&s, "# nothing\n\n  # yet\n", 19, &why));
	CHECK_STR(s.run_dir, "/run/bailiff");
	settings_done(&s);
}

TEST(settings_errors_name_line_and_column)
{
	static const struct {
		const char *text;
		unsigned line, column;
		const char *part;
	} cases[] = {
		{ "run_dir: /a\nlingr_seconds: 3\n", 2, 1, "no setting \"lingr_seconds\"" },
		{ "run_dir: relative\n", 1, 10, "absolute path" },
		{ "run_dir: ''\n", 1, 10, "1 to 80 bytes" },
		{ "linger_seconds: ten\n", 1, 17, "must be a number" },
		{ "linger_seconds: -1\n", 1, 17, "must be a number" },
		{ "linger_seconds: 99999999999999999999\n", 1, 17, "must be a number" },
		{ "linger_seconds: 86401\n", 1, 17, "from 0 to 86400" },
		{ "decision_ring_bytes: 1T\n", 1, 22, "K, M, G may follow" },
		{ "decision_ring_bytes: 99999999999G\n", 1, 22, "must be a number of bytes" },
		{ "run_dir: [a]\n", 1, 10, "single value" },
		{ "- a\n", 1, 1, "map" },
		{ "sinks: 3\n", 1, 8, "must be a list" },
		{ "sinks: [a]\n", 1, 9, "map of settings" },
		{ "sinks:\n  - {name: x, typ: y}\n", 2, 15, "no setting \"typ\"" },
		{ "sinks:\n  - {name: x, type: splunk-hec, url: u}\n", 2, 5, "lacks \"token_file\"" },
		{ "sinks:\n  - {name: ../x, type: splunk-hec, url: u, token_file: /t}\n", 2, 5, "letters, digits" },
		{ "sinks:\n  - {name: x, type: carrier-pigeon, url: u, token_file: /t}\n", 2, 5, "no sink of type" },
		{ "sinks:\n  - {name: x, type: splunk-hec, url: u, token_file: /t, ack: yes}\n", 2, 62, "true or false" },
		{ "sinks:\n  - {name: x, index: a, type: webhook, url: u, token_file: /t}\n", 2, 15, "index is a setting of sinks of type splunk-hec" },
		{ "sinks:\n  - {name: x, type: webhook, url: u, token_file: /t, min_severity: loud}\n", 2, 5, "low, medium, high, critical or fatal" },
		{ "sinks:\n  - {name: x, type: datadog, url: u, token_file: /t, tier: 1}\n", 2, 5, "tier must be all or security" },
		{ "sinks:\n  - {name: x, type: splunk-hec, url: u, token_file: /t}\n  - {name: x, type: splunk-hec, url: u, token_file: /t}\n",
		  3, 5, "two sinks" },
		{ "journal_retain_bytes: much\n", 1, 23, "must be a number of bytes" },
		{ "linger_seconds: 1\njournal_retain_days: 36501\n", 2, 22, "from 0 to 36500" },
		{ "journal_epoch_seconds: 9\n", 1, 24, "from 10 to 604800" },
		{ "sinks:\n  - {name: x, type: splunk-hec, url: u, token_file: /t, required: 1}\n", 2, 67, "true or false" },
		{ "run_dir: /a\nrun_dir: /b\n", 2, 1, "" },
		{ "a: [\n", 2, 1, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings s;
		struct settings_error why = { 0 };

		CASE("%s", cases[i].text);
		CHECK_OK(settings_init(&s));
		CHECK_EQ(settings_parse(&s, cases[i].text, strlen(cases[i].text), &why), -EINVAL);
		CHECK_EQ(why.line, cases[i].line);
		CHECK_EQ(why.column, cases[i].column);
		CHECK_HAS(why.text, cases[i].part);
		settings_done(&s);
	}
}

TEST(settings_can_be_set_one_by_one)
{
	struct settings s;
	struct settings_error why;

	CHECK_OK(settings_init(&s));
	CHECK_OK(settings_set(&s, "run_dir=/tmp/a=b", &why));
	CHECK_STR(s.run_dir, "/tmp/a=b");
	CHECK_EQ(settings_set(&s, "run_dir", &why), -EINVAL);
	CHECK_EQ(settings_set(&s, "nothing=1", &why), -EINVAL);
	CHECK_HAS(why.text, "nothing");
	CHECK_EQ(settings_set(&s, "sinks=1", &why), -EINVAL);
	settings_done(&s);
}

TEST(settings_that_contradict_each_other_are_refused)
{
	static const char *const bad[] = { "decision_ring_bytes=5000", "telemetry_ring_bytes=12288", "cgroup_parent=a/b", "cgroup_parent=..",
		"cgroup_mount=here" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct settings s;
		struct settings_error why;

		CASE("%s", bad[i]);
		CHECK_OK(settings_init(&s));
		CHECK_OK(settings_set(&s, bad[i], &why));
		CHECK_EQ(settings_check(&s, &why), -EINVAL);
		settings_done(&s);
	}
}

TEST(settings_help_and_manual_name_every_setting)
{
	static const char *const keys[] = { "run_dir", "journal_dir", "key_dir", "pin_dir", "cgroup_mount", "linger_seconds", "token_file" };
	_buf_ struct buf help = { 0 }, manual = { 0 };

	settings_help(&help);
	settings_manual(&manual);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		CHECK_HAS(help.data, keys[i]);
		CHECK_HAS(manual.data, keys[i]);
	}
	CHECK_HAS(manual.data, "`sinks[].token_file` | path | required");
}

TEST(settings_of_a_sink_twice_are_refused)
{
	struct settings s;
	struct settings_error why;

	CHECK_OK(settings_init(&s));
	CHECK_OK(settings_parse(&s, sink_head, strlen(sink_head), &why));
	CHECK_EQ(settings_parse(&s, sink_head, strlen(sink_head), &why), -EINVAL);
	settings_done(&s);
}

TEST_MAIN()
