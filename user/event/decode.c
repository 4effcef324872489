/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring records, checked. The ring is ours, but what is in it was copied from processes that we do not trust, by programs that may be of
 * another age: every length must fit the record, every number its table. Anything else is no record.
 */
#include "event/parts.h"

/* What each type has at least, and how the rest is read. */
static int decode_decision(const void *p, size_t n, struct event *out);
static int decode_exec(const void *p, size_t n, struct event *out);
static int decode_exit(const void *p, size_t n, struct event *out);
static int decode_flow(const void *p, size_t n, struct event *out);
static int decode_file(const void *p, size_t n, struct event *out);

static const struct {
	size_t least;
	int (*decode)(const void *p, size_t n, struct event *out);
} decoders[REC_TYPES] = {
	[REC_DECISION] = { sizeof(struct rec_decision), decode_decision },
	[REC_EXEC] = { sizeof(struct rec_exec), decode_exec },
	[REC_EXIT] = { sizeof(struct rec_exit), decode_exit },
	[REC_FLOW] = { sizeof(struct rec_flow), decode_flow },
	[REC_FILE] = { sizeof(struct rec_file), decode_file },
};

int event_head(const void *record, size_t size, struct rec_head *out)
{
	struct rec_head h;

	if (size < sizeof(h))
		return -EBADMSG;
	memcpy(&h, record, sizeof(h));
	if (h.size < sizeof(h) || h.size > size || h.type >= REC_TYPES || !decoders[h.type].decode || h.ring >= RING_COUNT)
		return -EBADMSG;
	if (h.size < decoders[h.type].least)
		return -EBADMSG;
	*out = h;
	return 0;
}

/* Take `len` bytes that follow at *at. A NUL inside a path is no path. */
static int take_path(const void *p, size_t n, size_t *at, uint32_t len, struct bytes *out)
{
	const char *text = (const char *)p + *at;

	if (len > PATH_BYTES || len > n - *at || memchr(text, '\0', len))
		return -EBADMSG;
	*out = (struct bytes){ text, len };
	*at += len;
	return 0;
}

static int decode_decision(const void *p, size_t n, struct event *out)
{
	struct rec_decision d;
	size_t at = sizeof(d);

	memcpy(&d, p, sizeof(d));
	if (d.verdict < VERDICT_DENY || d.verdict > VERDICT_KILL || d.class_id >= CLASS_COUNT || d.verb >= VERB_COUNT ||
	    d.reason >= REASON_COUNT || d.operation >= ACT_COUNT)
		return -EBADMSG;
	if (take_path(p, n, &at, d.path_len, &out->path) || take_path(p, n, &at, d.path2_len, &out->path2))
		return -EBADMSG;
	out->verdict = d.verdict;
	out->class_id = d.class_id;
	out->verb = d.verb;
	out->reason = d.reason;
	out->operation = d.operation;
	out->syscall = d.syscall;
	out->rule = d.rule;
	out->error = d.error;
	out->repeats = d.repeats;
	out->first_ns = d.first_ns;
	out->arg = d.arg;
	out->addr = d.addr;
	return 0;
}

static int decode_exec(const void *p, size_t n, struct event *out)
{
	struct rec_exec x;
	size_t at = sizeof(x);

	memcpy(&x, p, sizeof(x));
	if (take_path(p, n, &at, x.path_len, &out->path) || x.argv_len > ARGV_BYTES || x.argv_len > n - at)
		return -EBADMSG;
	out->argv = (struct bytes){ (const char *)p + at, x.argv_len };
	out->argv_total = x.argv_total > x.argv_len ? x.argv_total : x.argv_len;
	out->operation = ACT_EXEC;
	out->rule = RULE_NONE;
	return 0;
}

static int decode_exit(const void *p, size_t n, struct event *out)
{
	struct rec_exit x;

	(void)n;
	memcpy(&x, p, sizeof(x));
	out->status = x.status;
	out->operation = ACT_EXIT;
	out->rule = RULE_NONE;
	return 0;
}

static int decode_flow(const void *p, size_t n, struct event *out)
{
	struct rec_flow f;

	(void)n;
	memcpy(&f, p, sizeof(f));
	if (f.operation >= ACT_COUNT)
		return -EBADMSG;
	out->operation = f.operation;
	out->rule = f.rule;
	out->addr = f.addr;
	return 0;
}

static int decode_file(const void *p, size_t n, struct event *out)
{
	struct rec_file f;
	size_t at = sizeof(f);

	memcpy(&f, p, sizeof(f));
	if (f.operation >= ACT_COUNT || take_path(p, n, &at, f.path_len, &out->path) || take_path(p, n, &at, f.path2_len, &out->path2))
		return -EBADMSG;
	out->operation = f.operation;
	out->verbs = f.verbs;
	out->rule = f.rule;
	return 0;
}

int event_decode(const void *record, size_t size, struct event *out)
{
	struct event e = {};
	int err = event_head(record, size, &e.head);

	if (!err)
		err = decoders[e.head.type].decode(record, e.head.size, &e);
	if (!err)
		*out = e;
	return err;
}
