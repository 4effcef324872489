/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refused one is told: the sentence, what each rule says in it, and the one thing that may be named as allowed instead. The texts go to
 * the kernel beside the image, where bpf/why.bpf.c makes the same sentence of them without anybody's help; policy_why_entry() is that in C.
 * Never more than the rule that refused: whoever asks could be after the list of what is allowed.
 */
#include <arpa/inet.h>
#include "policy/compile.h"

#define FILE_BYTES 120	/* of a file's name its end, of a reason and an owner their begin: all texts fit in WHY_RULE_BYTES */
#define WHY_BYTES 200
#define OWNER_BYTES 80

/* As much of the text as fits, cut between characters. */
static size_t fitting(const char *text, size_t max)
{
	size_t n = strlen(text);

	if (n <= max)
		return n;
	for (n = max; n && (text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

static void add_cut(struct buf *out, const char *text, size_t max)
{
	size_t n = fitting(text, max);

	buf_add_terminal(out, text, n);
	buf_add_str(out, text[n] ? "..." : "");
}

static void add_place(struct buf *out, const char *file, unsigned line)
{
	size_t n = strlen(file), from = n > FILE_BYTES ? n - FILE_BYTES : 0;

	while (from && from < n && (file[from] & 0xc0) == 0x80)
		from++;
	buf_addf(out, " (%s", from ? "..." : "");
	buf_add_terminal(out, file + from, n - from);
	if (line)
		buf_addf(out, ":%u", line);
	buf_add_char(out, ')');
}

void policy_why_rule(const struct policy_rule_info *rule, struct buf *out)
{
	buf_add_str(out, "by rule ");
	add_cut(out, rule->id ? rule->id : "", 64);	/* none: of a policy that is compiled to be compared alone */
	if (rule->file)
		add_place(out, rule->file, rule->line);
	if (rule->why) {
		buf_add_str(out, ": ");
		add_cut(out, rule->why, WHY_BYTES);
	}
	buf_add_str(out, "; ask ");
	add_cut(out, rule->owner ? rule->owner : "whoever started this sandbox", OWNER_BYTES);
}

static int rule_text(const struct policy *p, uint32_t number, struct buf *out)
{
	struct policy_rule_info info;
	int err = policy_rule(p, number, &info);

	if (err)
		return err;
	if (!info.owner)
		info.owner = p->owner;	/* no rule's: who has the policy knows what it is for */
	policy_why_rule(&info, out);
	return out->err;
}

/* ---- beside the image ---- */

static void words_of_bytes(struct compiler *c, struct words *w, const struct buf *b)
{
	size_t words = (b->len + 3) / 4;

	if (words && words_fill(c, w, 0, words))
		memcpy(w->data + w->count - words, b->data, b->len);
}

void texts_put(struct compiler *c, struct policy_image *img)
{
	size_t rules = c->p->rule_count, count = rules + B_COUNT;
	_buf_ struct buf b = {};
	struct words w = {};

	words_push(c, &w, count);
	for (size_t i = 0; i < count; i++) {
		words_push(c, &w, (count + 2) * sizeof(*w.data) + b.len);
		(void)rule_text(c->p, i < rules ? i : BUILTIN_BASE + (i - rules), &b);
	}
	words_push(c, &w, (count + 2) * sizeof(*w.data) + b.len);
	if (b.err)
		compile_fail(c, b.err);
	else
		words_of_bytes(c, &w, &b);
	img->texts = w.data;
	img->text_words = w.count;
}

/* In a sentence whose reader must see where a name ends: as why.bpf.c does it. */
void policy_why_quote(const char *text, size_t n, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < n; i++) {
		uint8_t c = text[i];

		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			buf_addf(out, "\\x%02x", c);
		else
			buf_add_char(out, c);
	}
	buf_add_char(out, '"');
}

/* The verbs that are allowed below a directory, as far as no deny narrows them. */
static uint32_t verbs_below(const struct policy *p, const char *dir)
{
	_buf_ struct buf path = {};
	uint32_t verbs = 0;

	buf_addf(&path, "%s/.bailiff-why", dir);	/* which no rule is about */
	for (unsigned verb = 0; verb < VERB_UNIX && !path.err; verb++) {
		struct policy_action a = { .verb = verb, .path = path.data, .path_len = path.len };
		struct policy_verdict v;

		if (!policy_eval(p, &a, &v) && v.allowed)
			verbs |= 1u << verb;
	}
	return verbs;
}

/*
 * What may be told to whoever was refused by default: the workspace, else the first path that the starter gave. He whose agent this is gave it,
 * so that the agent knows it already.
 */
static const char *known_place(const struct policy *p)
{
	const char *first = NULL;

	for (size_t i = 0; i < p->param_count; i++) {
		const struct param *param = &p->params[i];

		if (param->type != PARAM_PATH || !param->value || !param->value[1] || strlen(param->value) > WHY_BYTES / 2)
			continue;
		if (!strcmp(param->name, "workspace"))
			return param->value;
		first = first ? first : param->value;
	}
	return first;
}

static uint32_t hint_of(const struct policy *p, struct buf *place)
{
	const char *dir = known_place(p);
	uint32_t verbs = dir ? verbs_below(p, dir) : 0;

	if (verbs)
		policy_why_quote(dir, strlen(dir), place);
	return verbs;
}

void hint_put(struct compiler *c, struct policy_image *img)
{
	_buf_ struct buf b = {};
	struct words w = {};
	uint32_t verbs = hint_of(c->p, &b);

	if (b.err)
		compile_fail(c, b.err);
	if (!verbs || c->err)
		return;
	words_push(c, &w, verbs);
	words_push(c, &w, b.len);
	words_of_bytes(c, &w, &b);
	img->hint = w.data;
	img->hint_words = w.count;
}

/* ---- the sentence ---- */

static const char *const operations[ACT_COUNT] = {
#define X(symbol, text) [ACT_##symbol] = text,
	OPERATIONS(X)
#undef X
};

static void add_act(struct buf *out, const struct why_entry *e)
{
	if (e->operation == ACT_OPEN && e->verb < VERB_PATH_COUNT)
		buf_add_str(out, policy_verb_word(e->verb));
	else if (e->operation < ACT_COUNT)
		buf_add_str(out, operations[e->operation]);
	if (e->operation == ACT_SIGNAL || e->operation == ACT_CAPABLE)
		buf_addf(out, " %u", (unsigned)e->arg);
	else if (e->operation == ACT_SOCKET)
		buf_addf(out, " %u", e->addr.family);
}

static void add_path(struct buf *out, const struct why_entry *e, size_t len, size_t room, size_t end)
{
	_buf_ struct buf quoted = {};
	size_t kept = len < room ? len : room;

	policy_why_quote(e->text + end - kept, kept, &quoted);
	buf_addf(out, " \"%s%s", len > room ? "..." : "", quoted.data ? quoted.data + 1 : "\"");
}

static void add_address(struct buf *out, const struct rec_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!memcmp(a->addr, mapped, sizeof(mapped))) {
		buf_addf(out, " %u.%u.%u.%u:%u", a->addr[12], a->addr[13], a->addr[14], a->addr[15], a->port);
	} else {
		buf_add_str(out, " [");
		for (unsigned i = 0; i < 16; i += 2)
			buf_addf(out, "%s%02x%02x", i ? ":" : "", a->addr[i], a->addr[i + 1]);
		buf_addf(out, "]:%u", a->port);
	}
	if (a->proto == IPPROTO_UDP)
		buf_add_str(out, "/udp");
}

static void add_object(struct buf *out, const struct why_entry *e)
{
	if (e->len2) {
		add_path(out, e, e->len, WHY_TEXT_BYTES / 2, WHY_TEXT_BYTES / 2);
		buf_add_str(out, " to");
		add_path(out, e, e->len2, WHY_TEXT_BYTES / 2, WHY_TEXT_BYTES);
	} else if (e->len) {
		add_path(out, e, e->len, WHY_TEXT_BYTES, WHY_TEXT_BYTES);
	} else if (e->addr.family == AF_INET || e->addr.family == AF_INET6) {
		add_address(out, &e->addr);
	} else if (e->reason) {
		buf_add_str(out, " a path that cannot be told");
	}
}

static void add_error(struct buf *out, int error)
{
	const char *name = error == -EACCES || error == -EPERM || error == -EXDEV ? strerrorname_np(-error) : NULL;

	buf_add_str(out, ": refused ");
	if (name)
		buf_addf(out, "(%s) ", name);
}

int policy_why_entry(const struct policy *p, uint32_t generation, const struct why_entry *e, uint64_t now_ns, struct buf *out)
{
	_buf_ struct buf place = {};

	buf_addf(out, "%llus ago", (unsigned long long)(now_ns - e->time_ns) / 1000000000);
	if (e->times > 1)
		buf_addf(out, ", %u times", e->times);
	buf_add_str(out, ": ");
	add_act(out, e);
	add_object(out, e);
	add_error(out, e->error);
	if (e->rule < BUILTIN_BASE && e->generation != generation)
		buf_add_str(out, "by a rule of the policy before this one");
	else if (rule_text(p, e->rule, out))
		buf_addf(out, "by rule number %u", e->rule);
	if (e->rule == RULE_BUILTIN(FILES_DEFAULT) && e->verb < VERB_PATH_COUNT && hint_of(p, &place) & 1u << e->verb)
		buf_addf(out, "; allowed instead: %s below %s", policy_verb_word(e->verb), place.data);
	return out->err;
}
