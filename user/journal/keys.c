/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys on disk: journal.key (the one in force), journal.key.next (only between making a key and the durable header that names it) and
 * journal.pub. A key file is one line: "bailiff-journal-key-2 EPOCH MADE_MS SECRET", numbers decimal, the secret in hex.
 * A key goes by being overwritten with zeros in its place, synced, and only then replaced or unlinked; what a file system that copies on
 * write, a snapshot or a disk keeps of it all the same is beyond us, and the manual says so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/file.h"
#include "journal/keys.h"
#include "journal/journal.h"

#define KEY_FILE	"journal.key"
#define KEY_NEXT_FILE	"journal.key.next"
#define PUBLIC_FILE	"journal.pub"
#define KEY_FILE_MAX	512
#define KEY_MAGIC	"bailiff-journal-key-"

static int signer_make(struct signer *s, uint64_t now_ms)
{
	*s = (struct signer){ .made_ms = now_ms };
	return sign_keypair(s->secret, s->public_key);
}

static int signer_store(int dirfd, const char *name, const struct signer *s)
{
	char secret[2 * ED25519_KEY_BYTES + 1], line[KEY_FILE_MAX];
	int n, err;

	hex_encode(s->secret, sizeof(s->secret), secret);
	n = snprintf(line, sizeof(line), KEY_MAGIC "2 %llu %llu %s\n", (unsigned long long)s->epoch, (unsigned long long)s->made_ms, secret);
	err = file_replace_at(dirfd, name, line, n, 0600);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(line, sizeof(line));
	return err;
}

static int signer_parse(const char *text, struct signer *s)
{
	char secret[2 * ED25519_KEY_BYTES + 1];
	unsigned long long epoch, made;
	int end = 0, err;

	if (sscanf(text, KEY_MAGIC "2 %llu %llu %64[0-9a-f]%n", &epoch, &made, secret, &end) != 3)
		return strncmp(text, KEY_MAGIC, strlen(KEY_MAGIC)) ? -EBADMSG : -EPROTONOSUPPORT;
	err = strcmp(text + end, "\n") ? -EBADMSG : hex_decode(secret, s->secret, sizeof(s->secret));
	if (!err)
		err = sign_public(s->secret, s->public_key);
	explicit_bzero(secret, sizeof(secret));
	s->epoch = epoch;
	s->made_ms = made;
	return err;
}

static int signer_load(int dirfd, const char *name, struct signer *s)
{
	_free_ char *text = NULL;
	size_t len = 0;
	int err = file_slurp_at(dirfd, name, KEY_FILE_MAX, &text, &len);

	if (err)
		return err == -EFBIG ? -EBADMSG : err;
	err = signer_parse(text, s);
	explicit_bzero(text, len);
	return err;
}

/* Zeros over every byte of a key file, durable. 0 also when there is none. */
static int file_wipe(int dirfd, const char *name)
{
	_close_ int fd = openat(dirfd, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	static const char zeros[KEY_FILE_MAX];
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st))
		return -errno;
	for (off_t at = 0; at < st.st_size;) {
		off_t left = st.st_size - at;
		ssize_t n = pwrite(fd, zeros, left < KEY_FILE_MAX ? left : KEY_FILE_MAX, at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? n : 0;
	}
	return fdatasync(fd) ? -errno : 0;
}

static int file_destroy(int dirfd, const char *name)
{
	int err = file_wipe(dirfd, name);

	if (err)
		return err;
	if (unlinkat(dirfd, name, 0))
		return errno == ENOENT ? 0 : -errno;
	return fsync(dirfd) ? -errno : 0;
}

static int public_store(int dirfd, const uint8_t key[ED25519_KEY_BYTES])
{
	_free_ char *pem = NULL;
	int err = sign_public_pem(key, &pem);

	return err ? err : file_replace_at(dirfd, PUBLIC_FILE, pem, strlen(pem), 0644);
}

/* A crash may have come between the first key and its public half. Of a later epoch's key nobody needs the public half: headers have it. */
static int public_ensure(const struct keys *k)
{
	uint8_t stored[ED25519_KEY_BYTES];
	_free_ char *pem = NULL;
	size_t n = 0;

	if (k->now.epoch)
		return 0;
	if (!file_slurp_at(k->dirfd, PUBLIC_FILE, 4096, &pem, &n) && !sign_public_from_pem(pem, n, stored) &&
	    !memcmp(stored, k->now.public_key, sizeof(stored)))
		return 0;
	return public_store(k->dirfd, k->now.public_key);
}

/* What a crash left of writing a key file: a secret that nobody needs. */
static int destroy_leftovers(int dirfd)
{
	int err = file_destroy(dirfd, "." KEY_FILE ".new");

	return err ? err : file_destroy(dirfd, "." KEY_NEXT_FILE ".new");
}

static int load_next(struct keys *k)
{
	int err = signer_load(k->dirfd, KEY_NEXT_FILE, &k->next);

	k->has_next = !err;
	if (err == -EBADMSG)
		return file_destroy(k->dirfd, KEY_NEXT_FILE);	/* whatever it was, it is no key */
	return err == -ENOENT ? 0 : err;
}

/*
 * No key, or zeros in its place: when the next one is there, a promotion was interrupted, and that begins only behind the durable header that names
 * the next key. Otherwise the key is lost: a new one begins, and recovery says what that means.
 */
static int keys_load(struct keys *k, uint64_t now_ms)
{
	int err = destroy_leftovers(k->dirfd);

	if (!err)
		err = load_next(k);
	if (err)
		return err;
	err = signer_load(k->dirfd, KEY_FILE, &k->now);
	if ((err == -ENOENT || err == -EBADMSG) && k->has_next) {
		err = keys_promote(k);
	} else if (err == -ENOENT || err == -EBADMSG) {
		err = signer_make(&k->now, now_ms);
		if (!err)
			err = signer_store(k->dirfd, KEY_FILE, &k->now);
	}
	return err ? err : public_ensure(k);
}

int keys_open(const char *dir, uint64_t now_ms, struct keys *out)
{
	struct keys k = {};
	int err = dir_make(dir, 0700);

	if (err)
		return err;
	k.dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (k.dirfd < 0)
		return -errno;
	err = keys_load(&k, now_ms);
	if (err)
		keys_done(&k);
	else
		*out = k;
	return err;
}

void keys_done(struct keys *k)
{
	if (k->dirfd >= 0)
		close(k->dirfd);
	explicit_bzero(k, sizeof(*k));
	k->dirfd = -1;
}

/* Each step once: a second wipe behind the renaming would hit the new key. */
int keys_promote(struct keys *k)
{
	int err = k->destroyed ? 0 : file_wipe(k->dirfd, KEY_FILE);

	if (err)
		return err;
	k->destroyed = true;
	if (!k->renamed && renameat(k->dirfd, KEY_NEXT_FILE, k->dirfd, KEY_FILE))
		return -errno;
	k->renamed = true;
	if (fsync(k->dirfd))
		return -errno;
	explicit_bzero(&k->now, sizeof(k->now));
	k->now = k->next;
	explicit_bzero(&k->next, sizeof(k->next));
	k->has_next = k->destroyed = k->renamed = false;
	return 0;
}

int keys_settle(struct keys *k, const uint8_t key[ED25519_KEY_BYTES])
{
	int err;

	if (!k->has_next)
		return 0;
	if (!memcmp(k->next.public_key, key, ED25519_KEY_BYTES))
		return keys_promote(k);
	err = file_destroy(k->dirfd, KEY_NEXT_FILE);
	if (err)
		return err;
	explicit_bzero(&k->next, sizeof(k->next));
	k->has_next = false;
	return 0;
}

int keys_restart(struct keys *k)
{
	int err;

	k->now.epoch = 0;
	err = signer_store(k->dirfd, KEY_FILE, &k->now);
	return err ? err : public_store(k->dirfd, k->now.public_key);
}

int keys_make_next(struct keys *k, uint64_t now_ms)
{
	int err;

	if (k->has_next)
		return 0;	/* made before an attempt that failed */
	err = signer_make(&k->next, now_ms);
	if (err)
		return err;
	k->next.epoch = k->now.epoch + 1;
	err = signer_store(k->dirfd, KEY_NEXT_FILE, &k->next);
	k->has_next = !err;
	return err;
}

int keys_sign_header(const struct keys *k, struct journal_header *h)
{
	char text[STATEMENT_MAX];

	return sign_message(k->now.secret, text, header_statement(h, text), h->endorsed);
}

int keys_sign_checkpoint(const struct keys *k, struct journal_checkpoint *c)
{
	char text[STATEMENT_MAX];

	return sign_message(k->now.secret, text, checkpoint_statement(c, text), c->signature);
}

int keys_verify_checkpoint(const uint8_t key[ED25519_KEY_BYTES], const struct journal_checkpoint *c)
{
	char text[STATEMENT_MAX];

	return sign_verify(key, text, checkpoint_statement(c, text), c->signature);
}

int keys_verify_header(const uint8_t before[ED25519_KEY_BYTES], const struct journal_header *h)
{
	char text[STATEMENT_MAX];

	return sign_verify(before, text, header_statement(h, text), h->endorsed);
}

int journal_public_key(const char *key_dir, uint8_t out[ED25519_KEY_BYTES])
{
	_close_ int fd = open(key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_free_ char *pem = NULL;
	size_t n = 0;
	int err;

	if (fd < 0)
		return -errno;
	err = file_slurp_at(fd, PUBLIC_FILE, 4096, &pem, &n);
	return err ? err : sign_public_from_pem(pem, n, out);
}
