/* SPDX-License-Identifier: Apache-2.0 */
/* The hands of somebody who can write the journal's directory and knows its format: with a key, or without. */
#ifndef TESTS_UNIT_JOURNAL_FORGE_H
#define TESTS_UNIT_JOURNAL_FORGE_H

#include <sys/wait.h>
#include "journal/keys.h"
#include "journal/segment.h"
#include "journal/tree.h"
#include "tests/unit/journal_help.h"

#define FORGE_LINES 4096

struct forge {
	uint64_t first;
	char *line[FORGE_LINES];
	size_t count;
};

static inline size_t forge_segments(const struct place *p, uint64_t *out, size_t max)
{
	_close_ int fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_free_ uint64_t *list = NULL;
	size_t n = 0;

	CHECK_OK(segment_list(fd, "jsonl", &list, &n));
	CHECK(n <= max);
	memcpy(out, list, n * sizeof(*list));
	return n;
}

static inline void forge_name(uint64_t first, const char *extension, char out[64])
{
	snprintf(out, 64, "%020llu.%s", (unsigned long long)first, extension);
}

static inline void forge_read(const struct place *p, uint64_t first, struct forge *f)
{
	char name[64];
	_free_ char *text = NULL;
	size_t n;

	forge_name(first, "jsonl", name);
	text = place_read(p, name, &n);
	*f = (struct forge){ .first = first };
	for (char *at = text, *end; (end = strchr(at, '\n')); at = end + 1) {
		CHECK(f->count < FORGE_LINES);
		f->line[f->count++] = strndup(at, end - at);
	}
}

static inline void forge_free(struct forge *f)
{
	for (size_t i = 0; i < f->count; i++)
		free(f->line[i]);
	*f = (struct forge){ .first = f->first };
}

static inline void forge_set(struct forge *f, size_t i, const char *line)
{
	free(f->line[i]);
	f->line[i] = strdup(line);
}

static inline void forge_remove(struct forge *f, size_t i)
{
	free(f->line[i]);
	memmove(&f->line[i], &f->line[i + 1], (--f->count - i) * sizeof(f->line[0]));
}

static inline void forge_insert(struct forge *f, size_t i, const char *line)
{
	CHECK(f->count < FORGE_LINES);
	memmove(&f->line[i + 1], &f->line[i], (f->count++ - i) * sizeof(f->line[0]));
	f->line[i] = strdup(line);
}

static inline void forge_write(const struct place *p, const struct forge *f, bool hashes)
{
	struct buf lines = {}, leaves = {};
	char name[64];

	for (size_t i = 0; i < f->count; i++) {
		uint8_t leaf[HASH_BYTES];

		CHECK_OK(tree_leaf(f->line[i], strlen(f->line[i]), leaf));
		buf_add(&leaves, leaf, sizeof(leaf));
		buf_add_str(&lines, f->line[i]);
		buf_add_char(&lines, '\n');
	}
	forge_name(f->first, "jsonl", name);
	place_write(p, name, lines.data, lines.len);
	forge_name(f->first, "leaf", name);
	if (hashes)
		place_write(p, name, leaves.data, leaves.len);
	buf_done(&lines);
	buf_done(&leaves);
}

/* Every checkpoint anew over what stands before it, signed by this key. */
static inline void forge_sign(struct forge *f, const struct keys *by)
{
	struct journal_header h;
	struct tree t = {};

	CHECK_OK(header_parse(f->line[0], strlen(f->line[0]), &h));
	for (size_t i = 0; i < f->count; i++) {
		struct journal_checkpoint c;
		char line[JOURNAL_OWN_MAX];
		uint8_t leaf[HASH_BYTES];

		if (!checkpoint_parse(f->line[i], strlen(f->line[i]), &c)) {
			c.lines = i;
			c.segment = f->first;
			c.key_epoch = h.key_epoch;
			CHECK_OK(tree_root(&t, c.root));
			CHECK_OK(keys_sign_checkpoint(by, &c));
			line[checkpoint_render(&c, line)] = 0;
			forge_set(f, i, line);
		}
		CHECK_OK(tree_leaf(f->line[i], strlen(f->line[i]), leaf));
		CHECK_OK(tree_add(&t, leaf));
	}
}

static inline void forge_root(const struct forge *f, uint8_t out[HASH_BYTES])
{
	struct tree t = {};

	for (size_t i = 0; i < f->count; i++) {
		uint8_t leaf[HASH_BYTES];

		CHECK_OK(tree_leaf(f->line[i], strlen(f->line[i]), leaf));
		CHECK_OK(tree_add(&t, leaf));
	}
	CHECK_OK(tree_root(&t, out));
}

/* What a thief finds in the key directory now. */
static inline struct keys forge_steal(const struct place *p)
{
	char path[PATH_MAX], secret[65];
	unsigned long long epoch, made;
	_free_ char *text = NULL;
	struct keys k = { .dirfd = -1 };

	snprintf(path, sizeof(path), "%s/journal.key", p->keys);
	CHECK_OK(file_slurp(path, 512, &text, NULL));
	CHECK_EQ(sscanf(text, "bailiff-journal-key-2 %llu %llu %64s", &epoch, &made, secret), 3);
	CHECK_OK(hex_decode(secret, k.now.secret, sizeof(k.now.secret)));
	CHECK_OK(sign_public(k.now.secret, k.now.public_key));
	k.now.epoch = epoch;
	return k;
}

static inline void forge_unlink(const struct place *p, uint64_t first)
{
	char name[64];

	forge_name(first, "jsonl", name);
	place_unlink(p, name);
	forge_name(first, "leaf", name);
	place_unlink(p, name);
}

#endif
