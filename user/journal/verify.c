/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offline verification. scan.c checks each segment by itself; here is what ties them together: numbers without a gap, each header naming its
 * predecessor's end and signed by its predecessor's key, the first one given from outside; a beginning that is not line 1 by signed word of
 * retention; and what witnesses were told. It stops at the first thing that is wrong.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include "journal/journal.h"
#include "journal/keys.h"
#include "journal/leaf.h"
#include "journal/place.h"
#include "journal/retire.h"
#include "journal/scan.h"

#define STATES_MAX (JOURNAL_WITNESSES_MAX + 1)

struct verify {
	struct journal_report *report;
	const uint8_t *key;
	int dirfd;
	struct segment_scan before;	/* the segment in front of the present one */
	uint8_t before_root[HASH_BYTES];
	bool any;
	uint64_t kept_from;		/* what the newest header says */
	uint64_t kept_ms;		/* that header's time */
	bool asked;			/* states[0] is what the caller asked for; the others are from places of sinks */
	struct segment_state states[STATES_MAX];
	char names[STATES_MAX][CURSOR_NAME_MAX + 1];
	size_t state_count;
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

/* ---- from one segment to the next ---- */

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

static bool check_first_key(struct verify *v, const struct journal_header *h, const char *where)
{
	char ours[2 * ED25519_KEY_BYTES + 1], theirs[2 * ED25519_KEY_BYTES + 1];

	if (!memcmp(h->key, v->key, ED25519_KEY_BYTES))
		return !keys_verify_header(h->key, h) || fail(v, "%s: is not signed by the key that it names", where);
	hex_encode(v->key, ED25519_KEY_BYTES, ours);
	hex_encode(h->key, ED25519_KEY_BYTES, theirs);
	return fail(v, "%s: is signed by key %.16s..., not by the given key %.16s...", where, theirs, ours);
}

/* What two headers that follow each other must agree on; `where` is the second one's place. */
static bool check_step(struct verify *v, const struct journal_header *b, const struct journal_header *h, const char *where)
{
	if (memcmp(h->id, b->id, sizeof(b->id)))
		return fail(v, "%s: belongs to another journal", where);
	if (h->previous.segment != b->segment)
		return fail(v, "%s: follows segment %020llu, which is not here: removed", where, U(h->previous.segment));
	if (h->segment != b->segment + h->previous.lines)
		return fail(v, "%s: should have been numbered %020llu", where, U(b->segment + h->previous.lines));
	if (h->key_epoch != b->key_epoch + 1 || keys_verify_header(b->key, h))
		return fail(v, "%s: names a signing key that the key before it does not endorse", where);
	return true;
}

static bool check_chain(struct verify *v, const struct segment_scan *s, const char *where)
{
	const struct segment_scan *b = &v->before;

	if (memcmp(s->header.id, b->header.id, sizeof(b->header.id)))
		return fail(v, "%s: belongs to another journal", where);
	if (!check_end_of_before(v, s) || !check_step(v, &b->header, &s->header, where))
		return false;
	if (!b->ends_signed || !b->last.closes)
		return fail(v, "segment %020llu line %llu: is not the checkpoint that must close the segment", U(b->first), U(b->lines));
	return true;
}

/* ---- the beginning ---- */

struct retired {
	struct verify *v;
	struct journal_header last;
	bool any;
};

static bool check_retired(void *ctx, const struct journal_header *h, uint64_t n)
{
	struct retired *r = ctx;
	char where[64];
	bool good;

	snprintf(where, sizeof(where), "file " RETIRED_FILE " line %llu", U(n));
	if (!h)
		return fail(r->v, "%s: is not the header of a segment", where);
	if (r->any)
		good = check_step(r->v, &r->last, h, where);
	else
		good = (!h->previous.segment || fail(r->v, "%s: is not the first header of the journal", where)) && check_first_key(r->v, h, where);
	r->last = *h;
	r->any = true;
	return good;
}

/* The first segment here is not the journal's first: by whose word, and what leads from the given key to its own? */
static bool check_beginning(struct verify *v, const struct segment_scan *s, const char *where)
{
	const struct journal_header *h = &s->header;
	struct retired r = { .v = v };
	int err;

	if (!h->previous.segment)
		return check_first_key(v, h, where);
	if (v->kept_from < s->first)
		return fail(v, "%s: follows segment %020llu, which is not here, and nothing signed says that retention retired it: removed", where,
			    U(h->previous.segment));
	v->report->retired_ms = v->kept_ms;
	if (!memcmp(h->key, v->key, ED25519_KEY_BYTES))
		return true;	/* given for just this */
	err = retired_walk(v->dirfd, s->first, check_retired, &r);
	if (err == -EBADMSG)
		return false;
	if (err || !r.any)
		return fail(v, "file " RETIRED_FILE ": the headers of what was retired before segment %020llu cannot be read: %s", U(s->first),
			    err ? strerror(-err) : "there are none");
	return check_step(v, &r.last, h, where);
}

/* ---- a segment ---- */

static void take_anchor(struct journal_report *r, const struct segment_scan *s)
{
	r->checkpoints += s->checkpoints;
	r->lines += s->lines;
	r->key_epoch = s->header.key_epoch;
	r->epoch_seq = s->first;
	r->epoch_ms = s->header.time_ms;
	r->ends_closed = s->ends_signed && s->last.closes;
	if (!s->checkpoints)
		return;
	r->anchored_seq = s->first + s->last.lines;
	r->anchored_ms = s->last.time_ms;
}

static bool check_segment(struct verify *v, struct segment_scan *s, bool last)
{
	struct journal_report *r = v->report;
	char where[64];
	bool chained;

	snprintf(where, sizeof(where), "segment %020llu line 1", U(s->first));
	chained = s->has_header && (v->any ? check_chain(v, s, where) : check_beginning(v, s, where));
	if (!r->segments++)
		r->first_seq = s->first;
	if (chained)
		take_anchor(r, s);
	if (*s->damage)
		return fail(v, "%s", s->damage);
	if (!s->has_header && last) {
		r->torn_bytes = s->torn_bytes;	/* begun, and interrupted before its header was durable */
		return true;
	}
	if (!s->has_header)
		return fail(v, "%s: is missing", where);
	if (last)
		r->torn_bytes = s->torn_bytes;
	return chained;
}

static int verify_segment(struct verify *v, uint64_t first, bool last)
{
	struct segment_scan s;
	int err = segment_scan(v->dirfd, first, v->states, v->state_count, &s);
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

/*
 * What headers say before anything is checked; the pass over all segments shows whether they may. The newest says from where on segments are kept:
 * what is still here of older ones was retired and not deleted yet, and is passed over.
 */
static int look_ahead(struct verify *v, const uint64_t *list, size_t n, size_t *from)
{
	struct journal_header h;
	bool any = false;

	*from = 0;
	if (n && segment_is_foreign(v->dirfd, list[0])) {
		fail(v, "this journal is of another format than %d, the one that is read here: use the Bailiff that wrote it", JOURNAL_FORMAT);
		return -EPROTONOSUPPORT;
	}
	for (size_t i = n; i-- && !any;) {
		any = !segment_header(v->dirfd, list[i], &h);
		if (!any)
			continue;
		v->kept_from = h.oldest;
		v->kept_ms = h.time_ms;
		v->state_count += place_witnesses(v->dirfd, h.id, v->names + v->state_count, v->states + v->state_count, JOURNAL_WITNESSES_MAX);
	}
	for (size_t i = 0; i < n; i++) {
		if (any && list[i] == v->kept_from)
			*from = i;
	}
	return 0;
}

/* ---- witnesses ---- */

static void add_witness(struct journal_report *r, const char *name, const struct segment_state *s)
{
	struct journal_witness *w = &r->witnesses[r->witness_count++];

	snprintf(w->name, sizeof(w->name), "%s", name);
	w->seq = s->segment + s->lines;
	w->time_ms = s->time_ms;
	state_render(s, w->state);
}

static int check_states(struct verify *v)
{
	for (size_t i = 0; i < v->state_count; i++) {
		const struct segment_state *s = &v->states[i];
		bool ask = v->asked && !i;

		if (s->found && ask)
			v->report->head_found = true;
		else if (s->found)
			add_witness(v->report, v->names[i], s);
		else if (s->segment >= v->report->first_seq)
			return fail(v, "segment %020llu: never had the witnessed root behind line %llu%s%s: lines were removed or changed", U(s->segment),
				    U(s->lines), ask ? "" : ", which was sent to ", ask ? "" : v->names[i]), -EBADMSG;
		else if (ask)
			return fail(v, "segment %020llu was retired: whether it had the witnessed root cannot be told any more", U(s->segment)), -ENODATA;
	}
	return 0;
}

static int verify_all(struct verify *v)
{
	_free_ uint64_t *list = NULL;
	size_t n = 0, from = 0;
	int err = segment_list(v->dirfd, "jsonl", &list, &n);

	if (!err)
		err = look_ahead(v, list, n, &from);
	for (size_t i = from; !err && i < n; i++)
		err = verify_segment(v, list[i], i == n - 1);
	if (!err && !v->any) {
		fail(v, "there is no journal here");
		err = -ENOENT;
	}
	return err ? err : check_states(v);
}

int journal_verify_head(const char *dir, const uint8_t public_key[ED25519_KEY_BYTES], const char *head, struct journal_report *out)
{
	_close_ int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct verify v = { .report = out, .key = public_key, .dirfd = dirfd, .asked = head };
	int err = dirfd < 0 ? -errno : 0;

	*out = (struct journal_report){};
	if (!err && head)
		err = state_parse(head, strlen(head), &v.states[v.state_count++]) ? -EINVAL : 0;
	if (err)
		return err;
	err = verify_all(&v);
	if (v.any && out->anchored_seq)
		out->unsigned_lines = v.before.first + v.before.lines - out->anchored_seq - 1;
	else
		out->unsigned_lines = out->lines;
	segment_scan_done(&v.before);
	return err;
}

int journal_verify(const char *dir, const uint8_t public_key[ED25519_KEY_BYTES], struct journal_report *out)
{
	return journal_verify_head(dir, public_key, NULL, out);
}
