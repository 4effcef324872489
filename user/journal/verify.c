/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offline verification. scan.c checks each segment by itself; here is what ties them together: numbers without a gap, each header naming its
 * predecessor's end, each key endorsed by the one before it, the first one given from outside. It stops at the first thing that is wrong.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include "journal/journal.h"
#include "journal/keys.h"
#include "journal/scan.h"

struct verify {
	struct journal_report *report;
	const uint8_t *key;
	struct segment_scan before;	/* the segment in front of the present one */
	uint8_t before_root[HASH_BYTES];
	bool any;
	uint64_t head_segment;		/* what a witness remembers; 0: nothing to find */
	struct segment_state head;
};

#define U(x) ((unsigned long long)(x))

/* Always false, for `return fail(...)`. */
__attribute__((format(printf, 2, 3))) static bool fail(struct verify *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->report->first_error, sizeof(v->report->first_error), fmt, ap);
	va_end(ap);
	return false;
}

/* Does the segment before end as a closed one must? Its successor exists, so no crash excuses it. */
static bool check_end_of_before(struct verify *v, const struct segment_scan *s)
{
	const struct segment_scan *b = &v->before;
	const struct journal_previous *p = &s->header.previous;

	if (p->segment != b->first)
		return fail(v, "segment %020llu line 1: follows segment %020llu, which is not here: removed", U(s->first), U(p->segment));
	if (p->damaged)
		return fail(v, "segment %020llu: was found damaged when segment %020llu was opened, and is not as it was found", U(b->first), U(s->first));
	if (b->lines < p->lines)
		return fail(v, "segment %020llu line %llu: is missing with all behind it; segment %020llu says there are %llu lines", U(b->first),
			    U(b->lines + 1), U(s->first), U(p->lines));
	if (b->lines > p->lines || b->torn_bytes)
		return fail(v, "segment %020llu line %llu: was added after the segment had ended", U(b->first), U(p->lines + 1));
	if (b->missing.len)
		return fail(v, "segment %020llu line %llu: its leaf hash is missing from the .leaf file", U(b->first), U(b->good_leaves + 1));
	if (memcmp(p->root, v->before_root, HASH_BYTES))
		return fail(v, "segment %020llu line 1: names another root for segment %020llu than its lines give", U(s->first), U(b->first));
	return true;
}

static bool check_first_key(struct verify *v, const struct segment_scan *s)
{
	char ours[2 * ED25519_KEY_BYTES + 1], theirs[2 * ED25519_KEY_BYTES + 1];

	if (!memcmp(s->header.key, v->key, ED25519_KEY_BYTES))
		return true;
	hex_encode(v->key, ED25519_KEY_BYTES, ours);
	hex_encode(s->header.key, ED25519_KEY_BYTES, theirs);
	return fail(v, "segment %020llu line 1: is signed by key %.16s..., not by the given key %.16s...", U(s->first), theirs, ours);
}

static bool check_next_key(struct verify *v, const struct segment_scan *s)
{
	const struct journal_header *b = &v->before.header, *h = &s->header;

	if (h->key_epoch == b->key_epoch && !memcmp(h->key, b->key, sizeof(h->key)))
		return true;
	if (h->key_epoch == b->key_epoch + 1 && !keys_verify_endorsement(b->key, h))
		return true;
	return fail(v, "segment %020llu line 1: names a signing key that the key before it does not endorse", U(s->first));
}

static bool check_chain(struct verify *v, const struct segment_scan *s)
{
	const struct segment_scan *b = &v->before;

	if (!v->any) {
		if (s->header.previous.segment)
			return fail(v, "segment %020llu line 1: follows segment %020llu, which is not here: removed", U(s->first),
				    U(s->header.previous.segment));
		return check_first_key(v, s);
	}
	if (memcmp(s->header.id, b->header.id, sizeof(b->header.id)))
		return fail(v, "segment %020llu line 1: belongs to another journal", U(s->first));
	if (!check_end_of_before(v, s))
		return false;
	if (s->first != b->first + b->lines)
		return fail(v, "segment %020llu: should have been numbered %020llu", U(s->first), U(b->first + b->lines));
	if (!check_next_key(v, s))
		return false;
	if (!b->ends_signed || !b->last.closes)
		return fail(v, "segment %020llu line %llu: is not the checkpoint that must close the segment", U(b->first), U(b->lines));
	return true;
}

static void take_anchor(struct journal_report *r, const struct segment_scan *s)
{
	r->checkpoints += s->checkpoints;
	r->lines += s->lines;
	r->key_epoch = s->header.key_epoch;
	if (!s->checkpoints)
		return;
	r->anchored_seq = s->first + s->last.lines;
	r->anchored_ms = s->last.time_ms;
}

static bool check_segment(struct verify *v, struct segment_scan *s, bool last)
{
	struct journal_report *r = v->report;
	bool chained = s->has_header && check_chain(v, s);

	r->segments++;
	if (chained)
		take_anchor(r, s);
	if (*s->damage)
		return fail(v, "%s", s->damage);
	if (!s->has_header && last) {
		r->torn_bytes = s->torn_bytes;	/* begun, and interrupted before its header was durable */
		return true;
	}
	if (!s->has_header)
		return fail(v, "segment %020llu line 1: is missing", U(s->first));
	if (last)
		r->torn_bytes = s->torn_bytes;
	return chained;
}

static int verify_segment(struct verify *v, int dirfd, uint64_t first, bool last)
{
	struct segment_scan s;
	int err = segment_scan(dirfd, first, v->head_segment == first ? &v->head : NULL, &s);
	bool good;

	if (err)
		return err;
	good = check_segment(v, &s, last);
	if (good && s.has_header) {
		segment_scan_done(&v->before);
		v->before = s;
		v->any = true;
		err = tree_root(&s.tree, v->before_root);
	} else {
		segment_scan_done(&s);
	}
	return good || err ? err : -EBADMSG;
}

static int verify_all(struct verify *v, int dirfd)
{
	_free_ uint64_t *list = NULL;
	size_t n = 0;
	int err = segment_list(dirfd, &list, &n);

	for (size_t i = 0; !err && i < n; i++)
		err = verify_segment(v, dirfd, list[i], i == n - 1);
	if (!err && !v->any) {
		fail(v, "there is no journal here");
		err = -ENOENT;
	}
	return err;
}

static int head_parse(const char *head, struct verify *v)
{
	const char *lines = strchr(head, ':'), *root = lines ? strchr(lines + 1, ':') : NULL;

	if (!root || lines - head != SEGMENT_NAME_DIGITS || strlen(root + 1) != 2 * HASH_BYTES)
		return -EINVAL;
	v->head_segment = strtoull(head, NULL, 10);
	if (!v->head_segment || decimal_parse(lines + 1, root - lines - 1, &v->head.lines) || hex_decode(root + 1, v->head.root, HASH_BYTES))
		return -EINVAL;
	return 0;
}

int journal_verify_head(const char *dir, const uint8_t public_key[ED25519_KEY_BYTES], const char *head, struct journal_report *out)
{
	_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct verify v = { .report = out, .key = public_key };
	int err = dirfd < 0 ? -errno : 0;

	*out = (struct journal_report){};
	if (!err && head)
		err = head_parse(head, &v);
	if (err)
		return err;
	err = verify_all(&v, dirfd);
	if (v.any && out->anchored_seq)
		out->unsigned_lines = v.before.first + v.before.lines - out->anchored_seq - 1;
	else
		out->unsigned_lines = out->lines;
	segment_scan_done(&v.before);
	out->head_found = v.head.found;
	if (!err && head && !v.head.found) {
		fail(&v, "segment %020llu: never had the witnessed root behind line %llu: lines were removed or changed", U(v.head_segment), U(v.head.lines));
		err = -EBADMSG;
	}
	return err;
}

int journal_verify(const char *dir, const uint8_t public_key[ED25519_KEY_BYTES], struct journal_report *out)
{
	return journal_verify_head(dir, public_key, NULL, out);
}
