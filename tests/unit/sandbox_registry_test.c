/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include "base/file.h"
#include "sandbox/persist.h"
#include "tests/unit/test.h"

TEST(ulid_sorts_by_time_and_never_repeats)
{
	struct ulid_maker m = { 0 };
	char last[ULID_CHARS + 1] = "", now[ULID_CHARS + 1];

	for (uint64_t i = 0; i < 5000; i++) {
		CHECK_OK(ulid_make(&m, 1700000000000 + i / 100, now));
		CHECK(ulid_valid(now));
		CHECK(strcmp(last, now) < 0);
		strcpy(last, now);
	}
	CHECK_OK(ulid_make(&m, 1, now));	/* the clock was set back */
	CHECK(strcmp(last, now) < 0);
}

TEST(ulid_of_known_time_has_the_standard_prefix)
{
	struct ulid_maker m = { 0 };
	char now[ULID_CHARS + 1];

	CHECK_OK(ulid_make(&m, 1469918176385, now));
	now[10] = '\0';
	CHECK_STR(now, "01ARYZ6S41");
}

TEST(ulid_does_not_follow_a_counter_that_is_full)
{
	struct ulid_maker m = { .last_ms = 5, .random = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } };
	char now[ULID_CHARS + 1];

	CHECK_OK(ulid_make(&m, 5, now));
	CHECK_EQ(m.last_ms, 6);
}

TEST(ulid_valid_takes_no_path)
{
	static const char *const bad[] = { "", "..", "../../../../../../etc/passwd", "01ARYZ6S41TSV4RRFFQ69G5FA/", "01aryz6s41tsv4rrffq69g5fav",
		"81ARYZ6S41TSV4RRFFQ69G5FAV", "01ARYZ6S41TSV4RRFFQ69G5FAVX", "01ARYZ6S41TSV4RRFFQ69G5FIL" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CASE("%s", bad[i]);
		CHECK(!ulid_valid(bad[i]));
	}
	CHECK(ulid_valid("01ARYZ6S41TSV4RRFFQ69G5FAV"));
}

static struct session *named(struct ulid_maker *m)
{
	char id[ULID_CHARS + 1];

	CHECK_OK(ulid_make(m, 1700000000000, id));
	return session_new(id);
}

TEST(registry_finds_by_both_ids_and_forgets)
{
	struct ulid_maker m = { 0 };
	struct registry *r;
	struct session *s[500];

	CHECK_OK(registry_new(&r));
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		s[i] = named(&m);
		CHECK_OK(registry_add(r, s[i]));
		registry_bind(r, s[i], 1000 + i);
	}
	CHECK_EQ(registry_add(r, s[7]), -EEXIST);
	CHECK(registry_find(r, s[42]->id) == s[42]);
	CHECK(registry_find_kernel(r, 1499) == s[499]);
	CHECK(!registry_find_kernel(r, 1500));
	CHECK(!registry_find_kernel(r, 0));
	registry_bind(r, s[42], 0);
	CHECK(!registry_find_kernel(r, 1042));
	registry_remove(r, s[43]);
	CHECK(!registry_find_kernel(r, 1043));
	registry_remove(r, s[499]);	/* the last: adding must still work */
	s[499] = named(&m);
	CHECK_OK(registry_add(r, s[499]));
	CHECK(registry_find(r, s[499]->id) == s[499]);
	CHECK_EQ(registry_living(r), 499);
	registry_free(r);
}

TEST(registry_knows_what_a_watch_stands_for)
{
	struct ulid_maker m = { 0 };
	struct registry *r;
	struct session *s = named(&m), *found;
	uint32_t command;

	CHECK_OK(registry_new(&r));
	CHECK_OK(registry_add(r, s));
	CHECK_OK(registry_watch(r, 1, s, 0));
	CHECK_OK(registry_watch(r, 1025, s, 7));
	CHECK(registry_watched(r, 1025, &found, &command));
	CHECK(found == s);
	CHECK_EQ(command, 7);
	registry_unwatch(r, 1);
	CHECK(!registry_watched(r, 1, &found, &command));
	CHECK(registry_watched(r, 1025, &found, &command));
	registry_free(r);
}

TEST(registry_keeps_a_bounded_number_of_ended_sessions)
{
	struct ulid_maker m = { 0 };
	struct registry *r;
	struct session *first = NULL, *keep;
	char first_id[ULID_CHARS + 1];

	CHECK_OK(registry_new(&r));
	keep = named(&m);
	CHECK_OK(registry_add(r, keep));
	for (size_t i = 0; i <= REGISTRY_ENDED_KEPT; i++) {
		struct session *s = named(&m);

		CHECK_OK(registry_add(r, s));
		if (!first) {
			first = s;
			strcpy(first_id, s->id);
		}
		registry_ended(r, s);
	}
	CHECK(registry_find(r, first_id) == first);
	registry_trim(r);
	CHECK(!registry_find(r, first_id));
	CHECK(registry_find(r, keep->id) == keep);
	CHECK_EQ(registry_living(r), 1);
	registry_free(r);
}

static struct session_generation *generation(uint32_t number, const char *text)
{
	struct session_generation *g = calloc(1, sizeof(*g));

	g->number = number;
	g->text = strdup(text);
	g->text_len = strlen(text);
	g->file = strdup("p.yaml");
	g->digest = strdup("sha256:00");
	g->params = calloc(2, sizeof(char *));
	g->params[0] = strdup("workspace=/w");
	g->param_count = 1;
	CHECK_OK(ledger_init(&g->ledger, 2));
	return g;
}

TEST(session_keeps_old_generations_and_counts_those_it_let_go)
{
	struct ulid_maker m = { 0 };
	struct session *s = named(&m);

	for (uint32_t i = 1; i <= SESSION_GENERATIONS + 5; i++) {
		struct counter rules[2] = { { .refused = 1, .would = 2 } }, builtin[B_COUNT] = { 0 };

		session_generation_add(s, generation(i, "x"));
		CHECK_OK(ledger_count(&s->generation->ledger, rules, builtin, 1));
	}
	CHECK(!session_generation_find(s, 5));
	CHECK(session_generation_find(s, 6) != NULL);
	CHECK_EQ(session_total(s).refused, SESSION_GENERATIONS + 5);
	CHECK_EQ(session_total(s).would, 2 * (SESSION_GENERATIONS + 5));
	session_free(s);
}

TEST(session_trims_finished_commands_and_never_living_ones)
{
	struct ulid_maker m = { 0 };
	struct session *s = named(&m);
	struct session_command *c;

	for (uint32_t i = 1; i <= SESSION_COMMANDS_KEPT + 50; i++) {
		CHECK_OK(session_command_add(s, &(struct session_command){ .number = i, .args = "a\0b", .args_len = 3, .alive = i <= 10 }, &c));
	}
	session_commands_trim(s);
	CHECK(session_command_find(s, 1) != NULL);
	CHECK(!session_command_find(s, 11));
	CHECK(session_command_find(s, SESSION_COMMANDS_KEPT + 50) != NULL);
	session_command_drop(s, session_command_find(s, 1));
	CHECK(!session_command_find(s, 1));
	session_free(s);
}

TEST(session_cuts_long_arguments)
{
	static char args[3 * SESSION_ARGS_MAX];
	struct ulid_maker m = { 0 };
	struct session *s = named(&m);
	struct session_command *c;

	memset(args, 'x', sizeof(args));
	CHECK_OK(session_command_add(s, &(struct session_command){ .number = 1, .args = args, .args_len = sizeof(args) }, &c));
	CHECK_EQ(c->args_len, SESSION_ARGS_MAX);
	CHECK_EQ(strlen(c->args), SESSION_ARGS_MAX);
	session_free(s);
}

/* ---- the file for a successor ---- */
static int temp_dir(char path[64])
{
	strcpy(path, "/tmp/bailiff-persist-XXXXXX");
	CHECK(mkdtemp(path) != NULL);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

#define BOOT "11111111-2222-3333-4444-555555555555"

static void fill(struct session *s)
{
	struct session_command *c;

	strcpy(s->name, "demo");
	strcpy(s->end_reason, "");
	s->kernel_id = 77;
	s->cgroup_id = 88;
	s->stage = STAGE_ENFORCE;
	s->enforced = s->allow_degraded = s->held = s->started = true;
	s->started_ms = 1700000000000;
	s->deadline_ns = 123456789;
	s->agent = strdup("codex");
	s->command_count = 2;
	s->retired = (struct counter){ 3, 4 };
	session_generation_add(s, generation(1, "old: text\n"));
	session_generation_add(s, generation(2, "new: text\n"));
	CHECK_OK(session_command_add(s, &(struct session_command){ .number = 1, .args = "sh\0-c\0x", .args_len = 7, .call = "call-1",
		.trace = "00-abc", .user = "1000", .started_ms = 5 }, &c));
	CHECK_OK(session_command_add(s, &(struct session_command){ .number = 2, .args = "ls", .args_len = 2, .alive = true }, &c));
}

TEST(persist_gives_a_successor_everything_back)
{
	struct ulid_maker m = { 0 };
	struct session *s = named(&m), *back;
	char path[64];
	int dir = temp_dir(path);

	fill(s);
	CHECK_OK(session_save(dir, s, BOOT));
	CHECK_OK(session_load(dir, s->id, BOOT, &back));
	CHECK_STR(back->id, s->id);
	CHECK_STR(back->name, "demo");
	CHECK_EQ(back->kernel_id, 77);
	CHECK_EQ(back->cgroup_id, 88);
	CHECK_EQ(back->stage, STAGE_ENFORCE);
	CHECK(back->enforced && back->allow_degraded && back->held && back->started);
	CHECK_EQ(back->deadline_ns, 123456789);
	CHECK_STR(back->agent, "codex");
	CHECK(!back->user);
	CHECK_EQ(session_total(back).refused, 3);
	CHECK_EQ(back->generation->number, 2);
	CHECK_STR(back->generation->text, "new: text\n");
	CHECK_STR(back->generation->params[0], "workspace=/w");
	CHECK_EQ(back->generation->older->number, 1);
	CHECK_EQ(back->commands->number, 2);
	CHECK(back->commands->alive);
	CHECK_EQ(back->commands->older->args_len, 7);
	CHECK_MEM(back->commands->older->args, "sh\0-c\0x", 7);
	CHECK_STR(back->commands->older->trace, "00-abc");
	CHECK_EQ(back->command_count, 2);
	session_free(back);
	CHECK_OK(session_forget(dir, s->id));
	CHECK_EQ(session_load(dir, s->id, BOOT, &back), -ENOENT);
	session_free(s);
	close(dir);
	rmdir(path);
}

TEST(persist_refuses_a_file_of_another_boot_or_of_another_sandbox)
{
	struct ulid_maker m = { 0 };
	struct session *s = named(&m), *other = named(&m), *back = NULL;
	char path[64];
	int dir = temp_dir(path);

	fill(s);
	CHECK_OK(session_save(dir, s, BOOT));
	CHECK_EQ(session_load(dir, s->id, "00000000-0000-0000-0000-000000000000", &back), -ESTALE);
	CHECK_OK(renameat(dir, s->id, dir, other->id));
	CHECK_EQ(session_load(dir, other->id, BOOT, &back), -EBADMSG);
	CHECK(!back);
	session_forget(dir, other->id);
	session_free(s);
	session_free(other);
	close(dir);
	rmdir(path);
}

TEST(persist_survives_any_cut_and_any_flipped_byte_of_its_file)
{
	struct ulid_maker m = { 0 };
	struct session *s = named(&m), *back;
	_free_ char *bytes = NULL;
	size_t len;
	char path[64];
	int dir = temp_dir(path);

	fill(s);
	CHECK_OK(session_save(dir, s, BOOT));
	CHECK_OK(file_slurp_at(dir, s->id, 1 << 20, &bytes, &len));
	for (size_t i = 0; i < len; i++) {
		int fd = openat(dir, s->id, O_WRONLY | O_TRUNC);

		CHECK_OK(write_full(fd, bytes, i));
		close(fd);
		CHECK(session_load(dir, s->id, BOOT, &back) != 0);
	}
	for (size_t i = 0; i < len; i++) {
		int fd = openat(dir, s->id, O_WRONLY | O_TRUNC);

		bytes[i] ^= 0x41;
		CHECK_OK(write_full(fd, bytes, len));
		bytes[i] ^= 0x41;
		close(fd);
		if (!session_load(dir, s->id, BOOT, &back))
			session_free(back);	/* a changed letter in a text is not for us to find: the digest is */
	}
	session_forget(dir, s->id);
	session_free(s);
	close(dir);
	rmdir(path);
}

TEST(persist_a_holder_that_cannot_be_seen_any_more_holds_nothing)
{
	struct ulid_maker m = { 0 };
	struct session *s = named(&m), *back;
	char path[64];
	int dir = temp_dir(path);

	fill(s);
	s->while_fd = open("/dev/null", O_RDONLY);
	CHECK_OK(session_save(dir, s, BOOT));
	CHECK_OK(session_load(dir, s->id, BOOT, &back));
	CHECK(!back->held);
	session_free(back);
	session_forget(dir, s->id);
	session_free(s);
	close(dir);
	rmdir(path);
}

TEST_MAIN()
