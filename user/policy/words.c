/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the language, and which of them a misspelt one probably was. */
#include "policy/model.h"

const struct class_info class_table[PC_COUNT] = {
#define X(symbol, text, is_built) { .word = text, .built = is_built },
	POLICY_CLASSES(X)
#undef X
};

const char *const path_verb_words[VERB_PATH_COUNT] = {
	[VERB_READ] = "read", [VERB_CHANGE] = "change", [VERB_CREATE] = "create", [VERB_REMOVE] = "remove",
	[VERB_EXECUTE] = "execute", [VERB_UNIX] = "unix",
};

const char *const record_words[] = { "exec", "exit", "connect", "listen", "open", "write", "dns", "call", NULL };
const char *const refusal_do_words[REFUSAL_DOS + 1] = {
	[REFUSAL_DENY] = "deny", [REFUSAL_ASK] = "ask", [REFUSAL_FREEZE] = "freeze", [REFUSAL_KILL] = "kill",
};
const char *const alert_words[] = { "informational", "low", "medium", "high", "critical", "fatal", NULL };
const char *const workspace_words[WORKSPACE_KINDS + 1] = {
	[WORKSPACE_UNSAID] = "", [WORKSPACE_DIRECT] = "direct", [WORKSPACE_COPY] = "copy", [WORKSPACE_EPHEMERAL] = "ephemeral",
};

const char *policy_class_word(unsigned class)
{
	return class < PC_COUNT ? class_table[class].word : NULL;
}

const char *policy_record_word(unsigned kind)
{
	return kind < ARRAY_SIZE(record_words) ? record_words[kind] : NULL;
}

#define WORD_MAX 32

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Edit distance with swapped neighbours as one edit; both words at most WORD_MAX long. */
static unsigned word_distance(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= an; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= bn; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= an; i++) {
		for (size_t j = 1; j <= bn; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[an][bn];
}

const char *word_nearest(const char *word, const char *const *list)
{
	size_t n = strlen(word);
	unsigned best = n < 4 ? 1 : n < 8 ? 2 : 3, distance;
	const char *found = NULL;

	if (!n || n > WORD_MAX)
		return NULL;
	for (; *list; list++) {
		size_t m = strlen(*list);

		if (m > WORD_MAX)
			continue;
		distance = word_distance(word, n, *list, m);
		if (n > 2 && !strncmp(word, *list, n))
			distance = 1;	/* cut short: "exec" for "execute" */
		if (distance <= best && distance * 2 <= m) {
			found = *list;
			best = distance - !!distance;
		}
	}
	return found;
}
