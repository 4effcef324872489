/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay without a fuzzer: build/tests/fuzz/NAME_fuzz feeds its target each file of tests/fuzz/corpus/NAME, then cheap variations of
 * it (cut short, one byte changed), always from memory of the exact size, so that sanitizers see a read past the end. The
 * variations come from a fixed seed: a run that failed fails again. A target that is slow (files, processes) gets fewer of them:
 * each input has a share of a fixed time. A target without a corpus is a failure, not a pass.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define VARIATIONS 512
#define INPUT_SECONDS 2
#define SIZE_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void feed(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		abort();
	if (size)
		memcpy(exact, data, size);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
}

static void feed_variations(uint8_t *data, size_t size)
{
	uint32_t state = 1;
	time_t end = time(NULL) + INPUT_SECONDS;

	for (int i = 0; i < VARIATIONS && size && time(NULL) <= end; i++) {
		size_t at = next_random(&state) % size;
		uint8_t saved = data[at];

		feed(data, at);
		data[at] = (uint8_t)next_random(&state);
		feed(data, size);
		data[at] = saved;
	}
}

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(SIZE_MAX_BYTES);
	size_t size;

	if (!f || !data) {
		free(data);
		if (f)
			fclose(f);
		return -1;
	}
	size = fread(data, 1, SIZE_MAX_BYTES, f);
	fclose(f);
	feed(data, size);
	feed_variations(data, size);
	free(data);
	return 0;
}

/* argv[0] ".../policy_fuzz" has its corpus in tests/fuzz/corpus/policy. */
static void names_from(const char *argv0, char *target, char *dir, size_t size)
{
	const char *base = strrchr(argv0, '/');
	char *end;

	snprintf(target, size, "%s", base ? base + 1 : argv0);
	end = strstr(target, "_fuzz");
	snprintf(dir, size, "tests/fuzz/corpus/%.*s", end ? (int)(end - target) : (int)strlen(target), target);
}

/* How many files of the directory were fed; negative if one could not be. */
static int replay_directory(const char *target, const char *dir)
{
	struct dirent **entries = NULL;
	int count = scandir(dir, &entries, NULL, alphasort), fed = 0;

	for (int i = 0; i < count; i++) {
		char path[1024];
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
		free(entries[i]);
		if (fed < 0 || stat(path, &st) || !S_ISREG(st.st_mode))
			continue;
		fprintf(stderr, "%s: %s\n", target, path); /* the last one named is the one that crashed */
		fed = replay_file(path) ? -1 : fed + 1;
	}
	free(entries);
	return fed;
}

int main(int argc, char **argv)
{
	char target[256], dir[512];
	int fed;

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	names_from(argv[0], target, dir, sizeof(target));
	fed = replay_directory(target, dir);
	if (fed > 0)
		printf("ok %s: %d inputs and their variations\n", target, fed);
	else
		printf("not ok %s: %s in %s\n", target, fed ? "an unreadable file" : "no corpus", dir);
	return fed <= 0;
}
