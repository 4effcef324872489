/* SPDX-License-Identifier: Apache-2.0 */
/* Files as wholes: exact limits, replacement that leaves old or new and nothing else, directories. */
#include "base/file.h"
#include "test.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[256];

	if (!dir[0]) {
		strcpy(dir, "/tmp/bailiff-file-XXXXXX");
		CHECK(mkdtemp(dir));
	}
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void write_file(const char *name, size_t n)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	char *data = malloc(n + 1);

	memset(data, 'z', n);
	CHECK(fd >= 0);
	CHECK_OK(write_full(fd, data, n));
	close(fd);
	free(data);
}

TEST(file_slurp_takes_all_or_says_too_big)
{
	static const struct { size_t size, max; int err; } cases[] = {
		{ 0, 0, 0 }, { 0, 10, 0 }, { 1, 0, -EFBIG }, { 10, 10, 0 }, { 11, 10, -EFBIG }, { 65536, 65536, 0 },
		{ 65537, 65536, -EFBIG }, { 300000, 1 << 20, 0 }, { 300000, 299999, -EFBIG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = NULL;
		size_t len = 7;

		CASE("%zu of %zu", cases[i].size, cases[i].max);
		write_file("f", cases[i].size);
		CHECK_EQ(file_slurp(in_dir("f"), cases[i].max, &text, &len), cases[i].err);
		if (cases[i].err) {
			CHECK(!text && len == 7);
			continue;
		}
		CHECK_EQ(len, cases[i].size);
		CHECK_EQ(strlen(text), len);
		free(text);
	}
}

TEST(file_slurp_reads_files_that_say_size_zero)
{
	char *text = NULL;

	CHECK_OK(file_slurp("/proc/self/status", 1 << 20, &text, NULL));
	CHECK_HAS(text, "Pid:");
	free(text);
	CHECK_EQ(file_slurp("/proc/self/absent", 10, &text, NULL), -ENOENT);
	CHECK_EQ(file_slurp("/proc", 10, &text, NULL), -EISDIR);
}

TEST(file_replace_leaves_one_file_with_its_mode)
{
	int dirfd, names = 0;
	char *text = NULL;
	struct dirent *e;
	struct stat st;
	DIR *d;

	write_file("target", 100);
	write_file(".target.new", 5);	/* left by a crash */
	dirfd = open(dir, O_PATH | O_DIRECTORY);
	CHECK_OK(file_replace_at(dirfd, "target", "new", 3, 0640));
	CHECK_OK(file_slurp_at(dirfd, "target", 100, &text, NULL));
	CHECK_STR(text, "new");
	free(text);
	CHECK_OK(fstatat(dirfd, "target", &st, 0));
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_EQ(file_replace_at(dirfd, "a/b", "", 0, 0600), -EINVAL);
	close(dirfd);
	d = opendir(dir);
	while ((e = readdir(d)))
		names += !!strstr(e->d_name, "target");
	closedir(d);
	CHECK_EQ(names, 1);
}

TEST(file_replace_does_not_follow_a_planted_link)
{
	char link[300], *text = NULL;
	int dirfd;

	write_file("victim", 4);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	snprintf(link, sizeof(link), "%s/.conf.new", dir);
	CHECK_OK(symlink(in_dir("victim"), link));
	CHECK_OK(file_replace_at(dirfd, "conf", "new", 3, 0600));
	CHECK_OK(file_slurp_at(dirfd, "victim", 100, &text, NULL));
	CHECK_STR(text, "zzzz");
	free(text);
	close(dirfd);
}

TEST(dir_make_makes_parents_and_gives_its_mode)
{
	struct stat st;

	CHECK_OK(dir_make(in_dir("p/q/r/"), 0700));
	CHECK_OK(dir_make(in_dir("p/q/r"), 0700));
	CHECK_OK(stat(in_dir("p/q/r"), &st));
	CHECK_EQ(st.st_mode & 0777, 0700);
	CHECK_OK(stat(in_dir("p/q"), &st));
	CHECK_EQ(st.st_mode & 0777, 0755);
	write_file("plain", 1);
	CHECK_EQ(dir_make(in_dir("plain"), 0700), -ENOTDIR);
	CHECK_EQ(dir_make(in_dir("plain/x"), 0700), -ENOTDIR);
	CHECK_EQ(dir_make("", 0700), -ENOENT);
}

TEST(file_write_string_needs_an_existing_file)
{
	char *text = NULL;

	CHECK_EQ(file_write_string(in_dir("none"), "x"), -ENOENT);
	write_file("knob", 0);
	CHECK_OK(file_write_string(in_dir("knob"), "max"));
	CHECK_OK(file_slurp(in_dir("knob"), 10, &text, NULL));
	CHECK_STR(text, "max");
	free(text);
}

TEST(what_the_tests_wrote_is_removed)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	CHECK_OK(system(command));
}

TEST_MAIN()
