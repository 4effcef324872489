/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about any bytes: whole findings, marks within what is quoted, nothing that a terminal obeys, JSON that is one. */
#ifndef TESTS_FUZZ_FINDINGS_H
#define TESTS_FUZZ_FINDINGS_H

#include "policy/policy.h"

static inline void finding_check(const struct diag *item)
{
	if (!item->text || !item->text[0] || !item->code[0] || (item->quote && !item->mark_width) || (item->help && !item->help[0]))
		abort();
	if (item->quote && (item->mark > strlen(item->quote) || item->mark_width > strlen(item->quote) + 1))
		abort();
}

static inline void findings_show(const struct diags *d)
{
	_buf_ struct buf said = {}, document = {};
	struct json j;

	for (size_t i = 0; i < d->count; i++)
		finding_check(&d->items[i]);
	diags_show(d, false, &said);
	for (size_t i = 0; i < said.len; i++) {
		if (said.data[i] != '\n' && ((unsigned char)said.data[i] < 0x20 || said.data[i] == 0x7f))
			abort();
	}
	diags_show(d, true, &said);
	json_init(&j, &document);
	diags_json(d, &j, NULL);
	if (said.err || document.err || document.data[0] != '[' || document.data[document.len - 1] != ']')
		abort();
}

#endif
