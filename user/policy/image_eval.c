/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's decision over an image, in C: bpf/match.bpf.h and bpf/decide.bpf.h do the same with the arena for words. Reads what the
 * layout of bpf/abi.h says and nothing of the compiler.
 */
#include "policy/policy.h"

static __u32 word(const struct policy_image *img, __u32 at)
{
	at -= img->base;
	return at < img->count ? img->words[at] : 0;
}

static __u32 class_of(const struct policy_image *img, uint8_t byte)
{
	return word(img, img->slot.class_off + byte / 4) >> (8 * (byte % 4)) & 0xff;
}

/* ---- anchors, as bytes come: the kernel has the whole path before it and compares ---- */

static size_t anchor_next(const struct policy_image *img, size_t at)
{
	__u32 next = img->anchors[at + ANCHOR_NEXT];

	return next ? at + next : img->anchor_words;
}

/* The anchor that the bytes so far are; NULL: none. */
static const __u32 *anchor_here(const struct policy_image *img, const struct policy_walk *w)
{
	__u32 bit = 1;

	for (size_t at = 0; at < img->anchor_words; at = anchor_next(img, at), bit <<= 1) {
		if (w->states[WALK_ANCHORS] & bit && img->anchors[at + ANCHOR_LEN] == w->states[WALK_BYTES])
			return img->anchors + at;
	}
	return NULL;
}

/* Which of them may still come after one more byte? */
static void anchors_step(const struct policy_image *img, struct policy_walk *w, uint8_t byte)
{
	__u32 bit = 1, *live = &w->states[WALK_ANCHORS], *bytes = &w->states[WALK_BYTES];

	for (size_t at = 0; at < img->anchor_words; at = anchor_next(img, at), bit <<= 1) {
		const uint8_t *value = (const uint8_t *)(img->anchors + at + ANCHOR_BYTES);

		if (*live & bit && (img->anchors[at + ANCHOR_LEN] <= *bytes || value[*bytes] != byte))
			*live &= ~bit;
	}
	*bytes = *live ? *bytes + 1 : 0;
}

void policy_image_walk(const struct policy_image *img, struct policy_walk *w)
{
	__u32 bit = 1;

	*w = (struct policy_walk){ .states = { img->slot.trie_start, img->slot.glob_start } };
	for (size_t at = 0; at < img->anchor_words; at = anchor_next(img, at), bit <<= 1)
		w->states[WALK_ANCHORS] |= bit;
}

void policy_image_step(const struct policy_image *img, struct policy_walk *w, uint8_t byte)
{
	const __u32 *anchor = byte == '/' ? anchor_here(img, w) : NULL;
	__u32 *t = &w->states[WALK_TRIE], *g = &w->states[WALK_GLOB], edge;

	if (anchor) {
		*t = anchor[ANCHOR_TRIE];
		*g = anchor[ANCHOR_GLOB];
	}
	edge = word(img, *t) + 2 * byte;
	*t = word(img, edge) == *t ? word(img, edge + 1) : word(img, *t + 1);
	*g = word(img, *g + class_of(img, byte));
	if (w->states[WALK_ANCHORS])
		anchors_step(img, w, byte);
}

static void path_run(const struct policy_image *img, const char *path, size_t len, struct policy_walk *w)
{
	policy_image_walk(img, w);
	for (size_t i = 0; i < len; i++)
		policy_image_step(img, w, path[i]);
}

static uint32_t rule_of_cell(const struct policy_image *img, __u32 cell)
{
	return cell < img->slot.nrules ? cell : BUILTIN_BASE + (cell - img->slot.nrules);
}

static void cells_judge(const struct policy_image *img, __u32 deny, __u32 allow, bool open, enum builtin_rule otherwise,
			struct policy_verdict *out)
{
	out->allowed = deny >= RULE_RECORD && (allow != RULE_NONE || open);
	out->recorded = deny == RULE_RECORD;
	if (deny < RULE_RECORD)
		out->rule = rule_of_cell(img, deny);
	else if (allow != RULE_NONE)
		out->rule = rule_of_cell(img, allow);
	else
		out->rule = open ? RULE_NONE : BUILTIN_BASE + otherwise;
}

void policy_image_verdict(const struct policy_image *img, const struct policy_walk *w, enum verb verb, struct policy_verdict *out)
{
	const struct policy_slot *s = &img->slot;
	const __u32 *anchor = anchor_here(img, w);
	__u32 t = anchor ? anchor[ANCHOR_TRIE] : w->states[WALK_TRIE], g = anchor ? anchor[ANCHOR_GLOB] : w->states[WALK_GLOB];
	__u32 tw = word(img, s->row_off + 8 * word(img, t + 2) + verb);
	__u32 gw = word(img, s->row_off + 8 * word(img, g + (1u << s->class_shift)) + verb);
	bool unix_socket = verb == VERB_UNIX;

	cells_judge(img, tw >> 16 < gw >> 16 ? tw >> 16 : gw >> 16, (tw & 0xffff) < (gw & 0xffff) ? tw & 0xffff : gw & 0xffff,
		    s->flags & (unix_socket ? SLOT_OPEN_SOCKETS : SLOT_OPEN_FILES), unix_socket ? B_UNIX_DEFAULT : B_FILES_DEFAULT, out);
}

/* Is the start at `at` (width words, the most significant first) above the key? */
static bool start_above(const struct policy_image *img, __u32 at, const __u32 *key, unsigned width)
{
	for (unsigned i = 0; i < width; i++) {
		__u32 w = word(img, at + i);

		if (w != key[i])
			return w > key[i];
	}
	return false;
}

static __u32 table_search(const struct policy_image *img, __u32 off, __u32 bits, const __u32 *key, unsigned width)
{
	__u32 index = 0;

	for (__u32 step = bits ? 1u << (bits - 1) : 0; step; step >>= 1) {
		if (!start_above(img, off + (index + step) * width, key, width))
			index += step;
	}
	return index;
}

static __u32 address_set(const struct policy_image *img, const uint8_t addr[16])
{
	const struct policy_slot *s = &img->slot;
	__u32 key[4];

	for (int i = 0; i < 4; i++)
		key[i] = (__u32)addr[4 * i] << 24 | addr[4 * i + 1] << 16 | addr[4 * i + 2] << 8 | addr[4 * i + 3];
	if (!key[0] && !key[1] && key[2] == 0xffff)
		return word(img, s->net4_off + (1u << s->net4_bits) + table_search(img, s->net4_off, s->net4_bits, key + 3, 1));
	return word(img, s->net6_off + (4u << s->net6_bits) + table_search(img, s->net6_off, s->net6_bits, key, 4));
}

static void address_judge(const struct policy_image *img, const struct policy_action *a, struct policy_verdict *out)
{
	__u32 plane = (a->proto == 17) + 2 * (a->verb == VERB_LISTEN), port = a->port, table, bits, cell;
	__u32 at = img->slot.netset_off + 8 * address_set(img, a->addr) + 2 * plane;

	table = word(img, at);
	bits = word(img, at + 1) & 31;
	cell = word(img, table + (1u << bits) + table_search(img, table, bits, &port, 1));
	cells_judge(img, cell >> 16, cell & 0xffff, img->slot.flags & SLOT_OPEN_NETWORK, B_NETWORK_DEFAULT, out);
}

int policy_image_eval(const struct policy_image *img, const struct policy_action *a, struct policy_verdict *out)
{
	struct policy_walk w;

	if (a->verb >= VERB_CALL || (a->verb < VERB_PATH_COUNT && (!a->path_len || a->path[0] != '/')))
		return -EINVAL;
	if (a->verb < VERB_PATH_COUNT) {
		path_run(img, a->path, a->path_len, &w);
		policy_image_verdict(img, &w, a->verb, out);
	} else {
		address_judge(img, a, out);
	}
	return 0;
}

int policy_image_below(const struct policy_image *img, const char *path, size_t len, __u32 pair[2])
{
	struct policy_walk w;

	if (len < 2 || path[0] != '/' || path[len - 1] == '/')
		return -EINVAL;
	path_run(img, path, len, &w);
	policy_image_step(img, &w, '/');
	pair[0] = w.states[WALK_TRIE];
	pair[1] = w.states[WALK_GLOB];
	return w.states[WALK_ANCHORS] != 0;
}
