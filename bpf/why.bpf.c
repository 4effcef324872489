// SPDX-License-Identifier: GPL-2.0-only
/*
 * What `bailiff why` reads inside a sandbox: an iterator, pinned as a file, whose lines are the last refusals of whoever reads it. The reading task
 * is judged, not the one that opened the file: a descriptor that went to another sandbox shows that sandbox's own. On 6.1 and later. If it
 * cannot load, nothing but this is missing.
 *
 * user/policy/why.c says the same in C, and a test that both say it alike.
 */
#include "sandbox.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What is walked: one element a line. Its values say nothing. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WHY_ENTRIES);
	__type(key, __u32);
	__type(value, __u32);
} lines SEC(".maps");

#define WORD_BYTES 32
static const char operation_words[ACT_COUNT][WORD_BYTES] = {
#define X(symbol, text) [ACT_##symbol] = text,
	OPERATIONS(X)
#undef X
};
static const char verb_words[VERB_PATH_COUNT][WORD_BYTES] = {
	[VERB_READ] = "read", [VERB_CHANGE] = "change", [VERB_CREATE] = "create", [VERB_REMOVE] = "remove", [VERB_EXECUTE] = "execute",
	[VERB_UNIX] = "connect unix",
};

#define PUT(seq, text) bpf_seq_write(seq, text, sizeof(text) - 1)

/* A literal of this file as the format; a map's memory keeps it. */
#define PUTF(seq, fmt, ...) \
	do { \
		static const char f_[] = fmt; \
		__u64 args_[] = { __VA_ARGS__ }; \
		bpf_seq_printf(seq, f_, sizeof(f_), args_, sizeof(args_)); \
	} while (0)

struct escape {
	struct seq_file *seq;
	const struct why_entry *entry;
	__u32 from, end;
};

/* One byte, so that nothing that a name holds can end the line, the quotes or a terminal's sense. */
static long escape_step(__u32 i, struct escape *e)
{
	__u32 at = e->from + i;
	__u8 c;

	if (at >= e->end || at >= WHY_TEXT_BYTES)
		return 1;
	c = e->entry->text[at];
	if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
		PUTF(e->seq, "\\x%02x", c);
	else
		bpf_seq_write(e->seq, &c, 1);
	return 0;
}

/* A path that ends at `end`, of which `room` bytes were kept. */
static __always_inline void put_path(struct seq_file *seq, const struct why_entry *entry, __u32 len, __u32 room, __u32 end)
{
	struct escape e = { .seq = seq, .entry = entry };

	e.end = UNKNOWN(end);
	e.from = UNKNOWN(end - (len < room ? len : room));
	PUT(seq, " \"");
	if (len > room)
		PUT(seq, "...");
	bpf_loop(WHY_TEXT_BYTES, escape_step, &e, 0);
	PUT(seq, "\"");
}

static __always_inline bool is_v4(const struct rec_addr *a)
{
	const __u32 *w = (const void *)a->addr;

	return !w[0] && !w[1] && w[2] == 0xffff0000 /* ::ffff:0:0, as memory has it */;
}

static __always_inline void put_address(struct seq_file *seq, const struct rec_addr *a)
{
	if (is_v4(a))
		PUTF(seq, " %pI4:%u", (__u64)(a->addr + 12), a->port);
	else
		PUTF(seq, " [%pI6]:%u", (__u64)a->addr, a->port);
	if (a->proto == IPPROTO_UDP)
		PUT(seq, "/udp");
}

static __always_inline void put_act(struct seq_file *seq, const struct why_entry *e)
{
	__u32 op = e->operation, verb = e->verb;

	if (op == ACT_OPEN && verb < VERB_PATH_COUNT)
		PUTF(seq, "%s", (__u64)verb_words[verb]);
	else if (op < ACT_COUNT)
		PUTF(seq, "%s", (__u64)operation_words[op]);
	if (op == ACT_SIGNAL || op == ACT_CAPABLE)
		PUTF(seq, " %u", (__u32)e->arg);
	else if (op == ACT_SOCKET)
		PUTF(seq, " %u", e->addr.family);
}

static __always_inline void put_object(struct seq_file *seq, const struct why_entry *e)
{
	if (e->len2) {
		put_path(seq, e, e->len, WHY_TEXT_BYTES / 2, WHY_TEXT_BYTES / 2);
		PUT(seq, " to");
		put_path(seq, e, e->len2, WHY_TEXT_BYTES / 2, WHY_TEXT_BYTES);
	} else if (e->len) {
		put_path(seq, e, e->len, WHY_TEXT_BYTES, WHY_TEXT_BYTES);
	} else if (e->addr.family == AF_INET || e->addr.family == AF_INET6) {
		put_address(seq, &e->addr);
	} else if (e->reason) {
		PUT(seq, " a path that cannot be told");
	}
}

static __always_inline void put_error(struct seq_file *seq, __s32 error)
{
	if (error == -EACCES)
		PUT(seq, ": refused (EACCES) ");
	else if (error == -EPERM)
		PUT(seq, ": refused (EPERM) ");
	else if (error == -EXDEV)
		PUT(seq, ": refused (EXDEV) ");
	else
		PUT(seq, ": refused ");
}

/* Bytes of the arena, from a byte on. */
static __always_inline void put_text(struct seq_file *seq, struct arena *a, __u32 at, __u32 len)
{
	const char *bytes = (const void *)a;

	if (at > sizeof(*a) - WHY_RULE_BYTES - 1)
		return;
	bpf_seq_write(seq, bytes + at, len & WHY_RULE_BYTES);
}

static __always_inline __u32 word_at(const struct arena *a, __u32 at)
{
	return at < ARENA_WORDS ? a->words[at] : 0;
}

/* What the rule says. A rule of a policy that was replaced meanwhile has another number now. */
static __always_inline void put_rule(struct seq_file *seq, struct arena *a, const struct policy_slot *slot, const struct why_entry *e)
{
	__u32 number = e->rule < BUILTIN_BASE ? e->rule : slot->nrules + (e->rule - BUILTIN_BASE), at;

	if (e->rule < BUILTIN_BASE && e->generation != slot->generation) {
		PUT(seq, "by a rule of the policy before this one");
		return;
	}
	if (!slot->texts_off || number >= word_at(a, slot->texts_off)) {
		PUTF(seq, "by rule number %u", e->rule);
		return;
	}
	at = word_at(a, slot->texts_off + 1 + number);
	put_text(seq, a, slot->texts_off * 4 + at, word_at(a, slot->texts_off + 2 + number) - at);
}

static __always_inline void put_hint(struct seq_file *seq, struct arena *a, const struct policy_slot *slot, const struct why_entry *e)
{
	__u32 verb = e->verb;

	if (e->rule != RULE_BUILTIN(FILES_DEFAULT) || !slot->hint_off || verb >= VERB_PATH_COUNT || !(word_at(a, slot->hint_off) & 1u << verb))
		return;
	PUTF(seq, "; allowed instead: %s below ", (__u64)verb_words[verb]);
	put_text(seq, a, slot->hint_off * 4 + 8, word_at(a, slot->hint_off + 1));
}

static __always_inline void put_line(struct seq_file *seq, const struct here *h, const struct why_entry *e)
{
	__u32 zero = 0, slot_index = h->slot;
	struct policy_slot *slot = bpf_map_lookup_elem(&slots, &slot_index);
	struct arena *a = bpf_map_lookup_elem(&arena, &zero);

	PUTF(seq, "%llus ago", (bpf_ktime_get_boot_ns() - e->time_ns) / 1000000000);
	if (e->times > 1)
		PUTF(seq, ", %u times", e->times);
	PUT(seq, ": ");
	put_act(seq, e);
	put_object(seq, e);
	put_error(seq, e->error);
	if (slot && a) {
		put_rule(seq, a, slot, e);
		put_hint(seq, a, slot, e);
	}
	PUT(seq, "\n");
}

/* The place of the entry that `rank` others are newer than; free ones come last. Without branches, like note_place(); a frame of its own. */
noinline int place_of(__u32 index, __u64 rank)
{
	const struct why_ring *ring = bpf_map_lookup_elem(&whys, &index);
	__u64 newer, less;
	__u32 i, j, found = 0;
	__s64 at;

	if (!ring)
		return 0;
#pragma unroll
	for (i = 0; i < WHY_ENTRIES; i++) {
		at = ring->entries[i].time_ns << 3 | i;
		newer = 0;
#pragma unroll
		for (j = 0; j < WHY_ENTRIES; j++) {
			less = (at - (__s64)(ring->entries[j].time_ns << 3 | j)) >> 63 & 1;
			OPAQUE(less);
			newer += less;
		}
		less = ((newer ^ rank) - 1) >> 63;
		OPAQUE(less);
		found |= i & -(__u32)less;
	}
	return found;
}

/* A copy, so that what is told is one refusal even where another one takes its place meanwhile. False: it is gone. */
static __always_inline bool entry_copy(struct why_entry *out, const struct why_ring *ring, __u32 place)
{
	__u64 key;

	place &= WHY_ENTRIES - 1;
	key = *(volatile __u64 *)&ring->entries[place].key;
	if (bpf_probe_read_kernel(out, sizeof(*out), &ring->entries[place]))
		return false;
	return key && key == out->key && *(volatile __u64 *)&ring->entries[place].key == key;
}

SEC("iter/bpf_map_elem")
int why(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	__u32 *line = ctx->key, rank, index;
	struct why_entry entry;
	struct why_ring *ring;
	struct here h;

	if (!line)
		return 0;
	rank = *line;
	if (!sandbox_here(&h)) {
		if (!rank)
			PUT(seq, "not in a sandbox\n");
		return 0;
	}
	index = h.index;
	ring = bpf_map_lookup_elem(&whys, &index);
	if (!ring || h.dead)
		return 0;
	if (entry_copy(&entry, ring, place_of(index, rank)))
		put_line(seq, &h, &entry);
	else if (!rank)
		PUT(seq, "nothing was refused in this sandbox\n");
	return 0;
}
