/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header and checkpoint lines, each from one table of literals and fields that renders and parses. They are OCSF base events, so that a
 * SIEM takes them as it takes any line of ours; `unmapped.journal` comes first, since that prefix is how they are told from events.
 */
#include <stdio.h>
#include "journal/format.h"

enum field_kind { FIELD_HEX, FIELD_U64, FIELD_SEQ, FIELD_WORD, FIELD_END };

struct field {
	const char *before;	/* literal text in front of the field */
	enum field_kind kind;
	size_t offset, size;	/* size: bytes of FIELD_HEX, room of FIELD_WORD */
};

/* The event's uid repeats id and number, so the lines are parsed into these and the copies compared. */
struct own_header {
	struct journal_header h;
	uint8_t uid[JOURNAL_ID_BYTES];
	uint64_t uid_seq;
};
struct own_checkpoint {
	struct journal_checkpoint c;
	uint8_t uid[JOURNAL_ID_BYTES];
	uint64_t uid_seq;
};

#define OCSF_BASE \
	"\"activity_id\":99,\"activity_name\":\"Journal\",\"category_uid\":0,\"class_uid\":0,\"type_uid\":99,\"severity_id\":1,\"time\":"
#define OCSF_META ",\"metadata\":{\"version\":\"1.8.0\",\"product\":{\"name\":\"Bailiff\",\"vendor_name\":\"Bailiff\"},\"uid\":\""

#define AT(type, member) offsetof(struct type, member), sizeof(((struct type *)0)->member)

#define HEADER_BEGIN JOURNAL_OWN_PREFIX "\"kind\":\"segment\",\"format\":"

static const struct field header_fields[] = {
	{ HEADER_BEGIN "2,\"id\":\"", FIELD_HEX, AT(own_header, h.id) },
	{ "\",\"segment\":\"", FIELD_SEQ, AT(own_header, h.segment) },
	{ "\",\"host\":\"", FIELD_WORD, AT(own_header, h.host) },
	{ "\",\"boot_id\":\"", FIELD_WORD, AT(own_header, h.boot_id) },
	{ "\",\"key_epoch\":", FIELD_U64, AT(own_header, h.key_epoch) },
	{ ",\"key\":\"", FIELD_HEX, AT(own_header, h.key) },
	{ "\",\"endorsed\":\"", FIELD_HEX, AT(own_header, h.endorsed) },
	{ "\",\"oldest\":\"", FIELD_SEQ, AT(own_header, h.oldest) },
	{ "\",\"previous\":{\"segment\":\"", FIELD_SEQ, AT(own_header, h.previous.segment) },
	{ "\",\"lines\":", FIELD_U64, AT(own_header, h.previous.lines) },
	{ ",\"root\":\"", FIELD_HEX, AT(own_header, h.previous.root) },
	{ "\",\"damaged\":", FIELD_U64, AT(own_header, h.previous.damaged) },
	{ "}}}," OCSF_BASE, FIELD_U64, AT(own_header, h.time_ms) },
	{ OCSF_META, FIELD_HEX, AT(own_header, uid) },
	{ "-", FIELD_SEQ, AT(own_header, uid_seq) },
	{ "\"},\"message\":\"journal segment opened\"}", FIELD_END, 0, 0 },
};

static const struct field checkpoint_fields[] = {
	{ JOURNAL_OWN_PREFIX "\"kind\":\"checkpoint\",\"id\":\"", FIELD_HEX, AT(own_checkpoint, c.id) },
	{ "\",\"segment\":\"", FIELD_SEQ, AT(own_checkpoint, c.segment) },
	{ "\",\"lines\":", FIELD_U64, AT(own_checkpoint, c.lines) },
	{ ",\"root\":\"", FIELD_HEX, AT(own_checkpoint, c.root) },
	{ "\",\"key_epoch\":", FIELD_U64, AT(own_checkpoint, c.key_epoch) },
	{ ",\"closes\":", FIELD_U64, AT(own_checkpoint, c.closes) },
	{ ",\"signature\":\"", FIELD_HEX, AT(own_checkpoint, c.signature) },
	{ "\"}}," OCSF_BASE, FIELD_U64, AT(own_checkpoint, c.time_ms) },
	{ OCSF_META, FIELD_HEX, AT(own_checkpoint, uid) },
	{ "-", FIELD_SEQ, AT(own_checkpoint, uid_seq) },
	{ "\"},\"message\":\"journal checkpoint\"}", FIELD_END, 0, 0 },
};

void hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_decode(const char *text, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int high = hex_digit(text[2 * i]), low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

		if (low < 0)
			return -EBADMSG;
		out[i] = high << 4 | low;
	}
	return 0;
}

static int digits_parse(const char *text, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EBADMSG;
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, text[i] - '0', &v))
			return -EBADMSG;
	}
	*out = v;
	return 0;
}

int decimal_parse(const char *text, size_t n, uint64_t *out)
{
	if (!n || (n > 1 && text[0] == '0'))
		return -EBADMSG;
	return digits_parse(text, n, out);
}

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/* Names from outside, with what would need escaping replaced. */
static char *word_render(const char *from, size_t room, char *out)
{
	for (size_t i = 0; i < room - 1 && from[i]; i++)
		*out++ = word_char(from[i]) ? from[i] : '_';
	*out = 0;
	return out;
}

static char *field_render(const struct field *f, const void *from, char *out)
{
	const char *at = (const char *)from + f->offset;
	uint64_t v = 0;

	if (f->kind == FIELD_U64 || f->kind == FIELD_SEQ)
		memcpy(&v, at, sizeof(v));
	switch (f->kind) {
	case FIELD_HEX:
		hex_encode((const uint8_t *)at, f->size, out);
		return out + 2 * f->size;
	case FIELD_U64:
		return out + sprintf(out, "%llu", (unsigned long long)v);
	case FIELD_SEQ:
		return out + sprintf(out, "%020llu", (unsigned long long)v);
	case FIELD_WORD:
		return word_render(at, f->size, out);
	case FIELD_END:
		break;
	}
	return out;
}

static size_t own_render(const struct field *f, const void *from, char *out)
{
	char *p = out;

	for (;; f++) {
		p = stpcpy(p, f->before);
		if (f->kind == FIELD_END)
			return p - out;
		p = field_render(f, from, p);
	}
}

static int word_parse(const char *p, size_t left, char *out, size_t room)
{
	size_t n = 0;

	while (n < left && word_char(p[n]))
		n++;
	if (n >= room)
		return -EBADMSG;
	memcpy(out, p, n);
	out[n] = 0;
	return n;
}

static int u64_parse(const char *p, size_t left, void *out)
{
	uint64_t v;
	size_t n = 0;
	int err;

	while (n < left && p[n] >= '0' && p[n] <= '9')
		n++;
	err = decimal_parse(p, n, &v);
	if (err)
		return err;
	memcpy(out, &v, sizeof(v));
	return n;
}

static int seq_parse(const char *p, size_t left, void *out)
{
	uint64_t v;

	if (left < SEGMENT_NAME_DIGITS || digits_parse(p, SEGMENT_NAME_DIGITS, &v))
		return -EBADMSG;
	memcpy(out, &v, sizeof(v));
	return SEGMENT_NAME_DIGITS;
}

/* The length of the field at p, or -EBADMSG. */
static int field_parse(const struct field *f, const char *p, size_t left, void *into)
{
	char *at = (char *)into + f->offset;

	switch (f->kind) {
	case FIELD_HEX:
		if (left < 2 * f->size || hex_decode(p, (uint8_t *)at, f->size))
			return -EBADMSG;
		return 2 * f->size;
	case FIELD_U64:
		return u64_parse(p, left, at);
	case FIELD_SEQ:
		return seq_parse(p, left, at);
	case FIELD_WORD:
		return word_parse(p, left, at, f->size);
	case FIELD_END:
		break;
	}
	return 0;
}

static int own_parse(const struct field *f, const char *p, size_t left, void *into)
{
	for (;; f++) {
		size_t n = strlen(f->before);
		int took;

		if (left < n || memcmp(p, f->before, n))
			return -EBADMSG;
		p += n;
		left -= n;
		if (f->kind == FIELD_END)
			return left ? -EBADMSG : 0;
		took = field_parse(f, p, left, into);
		if (took < 0)
			return took;
		p += took;
		left -= took;
	}
}

size_t header_render(const struct journal_header *h, char out[JOURNAL_OWN_MAX])
{
	struct own_header own = { .h = *h, .uid_seq = h->segment };

	memcpy(own.uid, h->id, sizeof(own.uid));
	return own_render(header_fields, &own, out);
}

size_t checkpoint_render(const struct journal_checkpoint *c, char out[JOURNAL_OWN_MAX])
{
	struct own_checkpoint own = { .c = *c, .uid_seq = c->segment + c->lines };

	memcpy(own.uid, c->id, sizeof(own.uid));
	return own_render(checkpoint_fields, &own, out);
}

/* A header by its first words, of a format that is not ours. */
static bool header_is_foreign(const char *line, size_t n)
{
	static const char begin[] = HEADER_BEGIN;
	const size_t at = sizeof(begin) - 1;

	return n > at + 1 && !memcmp(line, begin, at) && line[at] >= '1' && line[at] <= '9' && (line[at] != '0' + JOURNAL_FORMAT || line[at + 1] != ',');
}

int header_parse(const char *line, size_t n, struct journal_header *out)
{
	struct own_header own = {};
	int err = own_parse(header_fields, line, n, &own);

	if (err)
		return header_is_foreign(line, n) ? -EPROTONOSUPPORT : err;
	if (memcmp(own.uid, own.h.id, sizeof(own.uid)) || own.uid_seq != own.h.segment || own.h.previous.damaged > 1)
		return -EBADMSG;
	*out = own.h;
	return 0;
}

int checkpoint_parse(const char *line, size_t n, struct journal_checkpoint *out)
{
	struct own_checkpoint own = {};
	int err = own_parse(checkpoint_fields, line, n, &own);

	if (err)
		return err;
	if (memcmp(own.uid, own.c.id, sizeof(own.uid)) || own.uid_seq != own.c.segment + own.c.lines || own.c.closes > 1)
		return -EBADMSG;
	*out = own.c;
	return 0;
}

bool line_is_own(const char *line, size_t n)
{
	size_t prefix = strlen(JOURNAL_OWN_PREFIX);

	return n >= prefix && !memcmp(line, JOURNAL_OWN_PREFIX, prefix);
}

bool line_is_checkpoint(const char *line, size_t n)
{
	static const char kind[] = JOURNAL_OWN_PREFIX "\"kind\":\"checkpoint\"";

	return n >= sizeof(kind) - 1 && !memcmp(line, kind, sizeof(kind) - 1);
}

size_t checkpoint_statement(const struct journal_checkpoint *c, char out[STATEMENT_MAX])
{
	char id[2 * JOURNAL_ID_BYTES + 1], root[2 * HASH_BYTES + 1];

	hex_encode(c->id, sizeof(c->id), id);
	hex_encode(c->root, sizeof(c->root), root);
	return snprintf(out, STATEMENT_MAX, "bailiff-journal-checkpoint-2\n%s\n%020llu\n%llu\n%s\n%llu\n%llu\n%llu\n", id,
			(unsigned long long)c->segment, (unsigned long long)c->lines, root, (unsigned long long)c->key_epoch,
			(unsigned long long)c->closes, (unsigned long long)c->time_ms);
}

/* Every member of the header but the signature itself, so that it holds no byte that its predecessor's key did not sign. */
size_t header_statement(const struct journal_header *h, char out[STATEMENT_MAX])
{
	char id[2 * JOURNAL_ID_BYTES + 1], key[2 * ED25519_KEY_BYTES + 1], root[2 * HASH_BYTES + 1];
	char host[JOURNAL_HOST_MAX + 1], boot[JOURNAL_BOOT_MAX + 1];
	const struct journal_previous *p = &h->previous;

	hex_encode(h->id, sizeof(h->id), id);
	hex_encode(h->key, sizeof(h->key), key);
	hex_encode(p->root, sizeof(p->root), root);
	word_render(h->host, sizeof(h->host), host);
	word_render(h->boot_id, sizeof(h->boot_id), boot);
	return snprintf(out, STATEMENT_MAX, "bailiff-journal-segment-2\n%s\n%020llu\n%s\n%s\n%llu\n%s\n%020llu\n%020llu\n%llu\n%s\n%llu\n%llu\n", id,
			(unsigned long long)h->segment, host, boot, (unsigned long long)h->key_epoch, key, (unsigned long long)h->oldest,
			(unsigned long long)p->segment, (unsigned long long)p->lines, root, (unsigned long long)p->damaged,
			(unsigned long long)h->time_ms);
}

void state_render(const struct segment_state *s, char out[STATE_TEXT_MAX])
{
	char root[2 * HASH_BYTES + 1];

	hex_encode(s->root, sizeof(s->root), root);
	snprintf(out, STATE_TEXT_MAX, "%020llu:%llu:%s", (unsigned long long)s->segment, (unsigned long long)s->lines, root);
}

int state_parse(const char *text, size_t n, struct segment_state *out)
{
	const size_t at = SEGMENT_NAME_DIGITS + 1, tail = 1 + 2 * HASH_BYTES;
	struct segment_state s = {};

	if (n < at + 1 + tail || text[at - 1] != ':' || text[n - tail] != ':')
		return -EBADMSG;
	if (digits_parse(text, SEGMENT_NAME_DIGITS, &s.segment) || decimal_parse(text + at, n - tail - at, &s.lines))
		return -EBADMSG;
	if (!s.segment || hex_decode(text + n - tail + 1, s.root, sizeof(s.root)))
		return -EBADMSG;
	*out = s;
	return 0;
}
